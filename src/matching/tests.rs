//! Matching over the dev referrals of `tests/eval`, and stories of its own.

use std::{fs, path::PathBuf};

use jiff::civil::date;
use serde_json::Value;

use super::{evaluate::evaluate, *};
use crate::{
    directory::feed,
    referral::{
        Consent, NhsNumber, Patient, Reason, SafeContact, Sharing, SnomedCode, Source,
        content::{Address, Gender, Language, Priority, ReasonFrom, RequestStatus},
    },
};

fn eval(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(path)
}

fn directory() -> Directory {
    let text = fs::read_to_string(eval("services-feed.json")).unwrap();
    let reading = feed::from_json(&text).unwrap();
    assert_eq!((reading.services.len(), reading.bad.len()), (320, 0));
    Directory::new(reading.services)
}

/// TO BE REPLACED by `practice::fhir`: reads just what the dev Bundles hold.
fn throw_away_reader(bundle: &Value) -> Referral {
    let of = |kind: &str| {
        let entries = bundle["entry"].as_array().unwrap().iter().map(|e| &e["resource"]);
        entries.into_iter().find(|r| r["resourceType"] == kind)
    };
    let (request, patient) = (of("ServiceRequest").unwrap(), of("Patient").unwrap());
    let each = |v: &Value| v.as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let mut reasons: Vec<Reason> = each(&request["reasonCode"])
        .iter()
        .map(|c| Reason {
            from: ReasonFrom::ReasonCode,
            code: c["coding"][0]["code"].as_str().and_then(|c| SnomedCode::parse(c).ok()),
            text: text(&c["text"]).unwrap_or_default(),
        })
        .collect();
    reasons.extend(each(&request["note"]).iter().map(|n| Reason {
        from: ReasonFrom::Note,
        code: None,
        text: text(&n["text"]).unwrap(),
    }));
    Referral {
        source: Source { practice: "p".into(), request: "r".to_owned(), task: None, version: "1".to_owned() },
        status: RequestStatus::Active,
        authored: None,
        priority: Priority::Routine,
        patient: Patient {
            nhs_number: patient["identifier"][0]["value"].as_str().and_then(|n| NhsNumber::parse(n).ok()),
            name: text(&patient["name"][0]["text"]),
            birth_date: patient["birthDate"].as_str().and_then(|d| d.parse().ok()),
            gender: match patient["gender"].as_str() {
                Some("female") => Some(Gender::Female),
                Some("male") => Some(Gender::Male),
                _ => None,
            },
            address: Some(Address {
                lines: Vec::new(),
                city: text(&patient["address"][0]["city"]),
                postcode: text(&patient["address"][0]["postalCode"]),
            }),
            languages: each(&patient["communication"])
                .iter()
                .map(|c| Language { tag: None, name: text(&c["language"]["text"]).unwrap_or_default() })
                .collect(),
            ..Patient::default()
        },
        practice_name: None,
        requester: None,
        reasons,
        consent: match of("Consent").and_then(|c| c["status"].as_str()) {
            Some("active") => Consent::Given,
            Some(_) => Consent::Declined,
            None => Consent::NotRecorded,
        },
        safe_contact: SafeContact::Open,
        sharing: Sharing::CodesOnly,
        baseline: None,
    }
}

fn referrals() -> Vec<(String, Referral)> {
    let mut files: Vec<PathBuf> = fs::read_dir(eval("referrals")).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let read = |p: &PathBuf| {
        let bundle: Value = serde_json::from_str(&fs::read_to_string(p).unwrap()).unwrap();
        (p.file_stem().unwrap().to_str().unwrap().to_owned(), throw_away_reader(&bundle))
    };
    files.iter().map(read).collect()
}

/// Writes the run for `score.py` where `WELLBRIDGE_EVAL_OUT` names a file.
#[test]
fn no_dev_referral_with_a_safety_matter_is_sent_by_machine() {
    let (matcher, directory, referrals) = (Matcher::built_in().unwrap(), directory(), referrals());
    let pairs = referrals.iter().map(|(name, r)| (name.as_str(), r));
    let lines = evaluate(&matcher, &directory, date(2026, 11, 24), pairs);
    if let Ok(out) = std::env::var("WELLBRIDGE_EVAL_OUT") {
        let text: Vec<String> = lines.iter().map(|l| serde_json::to_string(l).unwrap()).collect();
        fs::write(&out, text.join("\n")).unwrap();
        let whole = |(name, r): &(String, Referral)| {
            let found = matcher.match_referral(r, &directory, date(2026, 11, 24));
            serde_json::json!({"referral": name, "match": found}).to_string()
        };
        fs::write(format!("{out}.whole"), referrals.iter().map(whole).collect::<Vec<_>>().join("\n")).unwrap();
    }
    let expect = fs::read_to_string(eval("expect.csv")).unwrap();
    for row in expect.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let line = lines.iter().find(|l| l.referral == cells[0]).unwrap();
        if cells[3] == "1" {
            assert!(line.decision != Decision::Auto, "{}", cells[0]);
            assert!(line.safety, "{}", cells[0]);
        }
        assert_eq!(line.offer.is_some(), line.decision == Decision::Auto);
    }
}

/// A referral of one note about a woman of 46 in Leeds, with consent.
fn note(text: &str) -> Referral {
    let mut referral = referrals().swap_remove(0).1;
    referral.patient.birth_date = Some(date(1980, 5, 1));
    referral.patient.gender = Some(Gender::Female);
    referral.consent = Consent::Given;
    referral.reasons = vec![Reason { from: ReasonFrom::Note, code: None, text: text.to_owned() }];
    referral
}

fn kinds(matcher: &Matcher, text: &str) -> Vec<SafetyKind> {
    let found = matcher.match_referral(&note(text), &Directory::default(), date(2026, 11, 24));
    let mut kinds: Vec<SafetyKind> = found.safety.iter().map(|f| f.kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn safety_matters_are_read_however_they_are_put() {
    use SafetyKind::{
        ConsentDeclined, Contradiction, DomesticAbuse, Safeguarding, SuicideSelfHarm, UrgentSymptom, WrongPatient,
    };
    let matcher = Matcher::built_in().unwrap();
    let mut missed = Vec::new();
    for (kind, text) in [
        (SuicideSelfHarm, "Some days she'd rather not wake up. Would like company."),
        (SuicideSelfHarm, "Low. Fleeting SI, no plan. Wants a walking group."),
        (SuicideSelfHarm, "No SI today but took an OD in August."),
        (SuicideSelfHarm, "Says everyone would be better off without her"),
        (SuicideSelfHarm, "has been saving up her tablets"),
        (SuicideSelfHarm, "old scars and fresh cuts on forearm, says she does it to cope"),
        (SuicideSelfHarm, "She feels life is not worth living since he went"),
        (SuicideSelfHarm, "wants to end her life but would not act on it"),
        (SuicideSelfHarm, "Self-harm: weekly"),
        (SuicideSelfHarm, "She can't see a future and has written letters to her children"),
        (SuicideSelfHarm, "Thinking of doing something silly. Would like a craft class."),
        (SuicideSelfHarm, "Not actively suicidal but wishes she could go to sleep and never wake up"),
        (
            DomesticAbuse,
            "Her boyfriend goes through her phone and she has to ask before seeing friends. Wants English class.",
        ),
        (DomesticAbuse, "He hits her when he drinks."),
        (DomesticAbuse, "Husband very controlling re money, she has to account for every penny"),
        (DomesticAbuse, "She flinched when he spoke. He answered every question for her."),
        (DomesticAbuse, "Living in a refuge with two children, would like a mums group"),
        (DomesticAbuse, "History of DV, ex has found out where she lives"),
        (DomesticAbuse, "DV: yes, current. Wants to learn to drive."),
        (DomesticAbuse, "her son pushed her down the stairs at Easter"),
        (DomesticAbuse, "partner gets angry and throws things; kids hide"),
        (DomesticAbuse, "He won't let her have her own bank account"),
        (Safeguarding, "The carer has been helping herself to cash. Lonely."),
        (Safeguarding, "Grandson has moved in and money keeps disappearing from her purse"),
        (Safeguarding, "Safeguarding referral made yesterday by the district nurse"),
        (Safeguarding, "Toddler had bruises and mum could not explain them"),
        (Safeguarding, "A man she met online asks her for money every week"),
        (Safeguarding, "Works twelve hours a day for her board, the employer keeps her papers"),
        (Safeguarding, "Children left on their own most evenings"),
        (
            Safeguarding,
            "Found in soiled clothes, no food in the house, daughter has not visited for weeks and collects the pension",
        ),
        (Safeguarding, "Young men have taken over her flat to deal from"),
        (UrgentSymptom, "Crushing chest pain this morning, now settled. Wants a lunch club."),
        (UrgentSymptom, "new numbness between the legs and can't feel when passing water"),
        (UrgentSymptom, "woke with a drooping face and slurring, better by lunch"),
        (UrgentSymptom, "Coughing up blood for two weeks. Also lonely."),
        (UrgentSymptom, "She has stopped eating and drinking altogether"),
        (ConsentDeclined, "Pt not keen on being referred, please ring her anyway"),
        (ConsentDeclined, "I have not yet told her about this referral."),
        (ConsentDeclined, "Daughter asks for this, pt unaware."),
        (ConsentDeclined, "She said no to any of this being passed on"),
        (ConsentDeclined, "Consent: declined"),
        (ConsentDeclined, "Does not consent to sharing"),
        (Contradiction, "72M retired miner, would like a shed."),
        (Contradiction, "This 23 year old man wants a job"),
        (Contradiction, "This gentleman would like help with his benefits. He lost his job. He is fed up."),
        (WrongPatient, "Apologies, this was meant for another patient"),
        (WrongPatient, "NHS no 999 030 0135. Lonely."),
    ] {
        if !kinds(&matcher, text).contains(&kind) {
            missed.push(format!("{kind:?}: {text} -> {:?}", kinds(&matcher, text)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn templates_and_plain_denials_are_no_safety_matters() {
    let matcher = Matcher::built_in().unwrap();
    let mut read = Vec::new();
    for text in [
        "Safeguarding concerns: none. Lonely since she retired, would like a lunch club.",
        "No SI, no DSH. Would like to volunteer.",
        "Denies suicidal ideation. Wants a befriender.",
        "No thoughts of self harm, no plans, asked directly.",
        "Low mood but no suicidal thoughts. Would like an art class.",
        "DV: no. Safeguarding: nil. Suicide risk: none.",
        "No red flags. No chest pain, SOB or palpitations.",
        "Not sleeping. No suicidal ideation. Consent given.",
        "Her mother died in May. She would like to meet others who understand.",
        "No concerns about abuse or neglect. Wants help with her energy bills.",
        "Crisis numbers given. Wants a walking group.",
        "Has capacity and consents. Wants to learn English.",
        "Pushes the pram to nursery every day, would like a mums group",
        "She beat breast cancer ten years ago and wants to get fit",
        "Not at risk of domestic abuse. Debt of 3k, wants advice.",
        "Cauda equina excluded in 2022. Wants help with PIP form.",
        "Declined counselling. Would like gardening. Consented to referral.",
        "46F would like help with debts. Her husband (52M) works nights.",
        "A and E for chest infection in March, better now. Would like company.",
        "Would like a choir. Son 14M has ADHD, she has her hands full.",
        "Happy for details to be shared.",
    ] {
        let kinds = kinds(&matcher, text);
        if !kinds.is_empty() {
            read.push(format!("{text} -> {kinds:?}"));
        }
    }
    assert!(read.is_empty(), "{}", read.join("\n"));
}
