//! Matching over the dev referrals of `tests/eval`, and stories of its own.

use std::{fs, path::PathBuf, sync::LazyLock};

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

/// Loaded once for all tests.
static MATCHER: LazyLock<Matcher> = LazyLock::new(|| Matcher::built_in().unwrap());
static DIRECTORY: LazyLock<Directory> = LazyLock::new(directory);

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
    let (matcher, directory, referrals) = (&*MATCHER, &*DIRECTORY, referrals());
    let pairs = referrals.iter().map(|(name, r)| (name.as_str(), r));
    let lines = evaluate(matcher, directory, date(2026, 11, 24), pairs);
    if let Ok(out) = std::env::var("WELLBRIDGE_EVAL_OUT") {
        let text: Vec<String> = lines.iter().map(|l| serde_json::to_string(l).unwrap()).collect();
        fs::write(out, text.join("\n")).unwrap();
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
    let matcher = &*MATCHER;
    let mut missed: Vec<String> = Vec::new();
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
        // Put in other words, to see that the vocabulary is wide.
        (
            SuicideSelfHarm,
            "Tells me she has nothing left and has been looking at train times for the wrong reason, standing near the tracks",
        ),
        (SuicideSelfHarm, "PHQ9 21, item nine scored 2"),
        (SuicideSelfHarm, "He says he would be gone by Christmas if it were not for the dog"),
        (SuicideSelfHarm, "intrusive thoughts about ending things"),
        (SuicideSelfHarm, "Took 20 paracetamol in June, under liaison psychiatry"),
        (SuicideSelfHarm, "feels like giving up, cannot promise to keep herself safe tonight"),
        (SuicideSelfHarm, "Razor marks on both arms"),
        (DomesticAbuse, "Her ex keeps turning up at the school gates and she is scared"),
        (DomesticAbuse, "She whispered that it is not safe to speak at home"),
        (DomesticAbuse, "He decides what she wears and who she sees"),
        (DomesticAbuse, "Told me her daughter's father broke her wrist last year, they still live together"),
        (DomesticAbuse, "Partner insists on being in every appointment"),
        (DomesticAbuse, "Her brothers say she must marry a cousin abroad in the spring"),
        (DomesticAbuse, "Please only ring when he is at work"),
        (Safeguarding, "Son takes her cash card every Thursday and she is left without food"),
        (Safeguarding, "the boy says a man at the park gives him presents"),
        (Safeguarding, "Mother is drinking and the children get themselves to school hungry"),
        (Safeguarding, "Her flatmates make her cook and clean for them and take her benefits"),
        (Safeguarding, "House unfit, rats, she sleeps in a chair in her own waste"),
        (UrgentSymptom, "Breathless at rest since last night. Also wants an exercise class."),
        (UrgentSymptom, "sudden severe headache, worst of her life"),
        (UrgentSymptom, "black tarry stools for three days"),
        (ConsentDeclined, "She would prefer that nobody outside the surgery is told"),
        (ConsentDeclined, "He changed his mind about the referral afterwards"),
        (ConsentDeclined, "Not discussed with him yet"),
        (ConsentDeclined, "Verbal consent not obtained"),
        (WrongPatient, "NHS no 999 030 0135. Lonely."),
    ] {
        if !kinds(matcher, text).contains(&kind) {
            missed.push(format!("{kind:?}: {text} -> {:?}", kinds(matcher, text)));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn templates_and_plain_denials_are_no_safety_matters() {
    let matcher = &*MATCHER;
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
        "Ramipril 10 OD, takes it correctly. SI joint pain. Would like a swim class.",
        "Diet controlled diabetes. Wants help to get her weight under control.",
        "Doesn't go out much, home alone all day, would like a visitor.",
        "Cannot leave her husband for more than an hour, wants a carers' break.",
        "Fled Eritrea in 2023, wants to learn English.",
        "Plays bridge, misses her friends, would love a club.",
        "Would be better off in a job, wants help with her CV.",
        "Nervous of falling at home, wants a balance class.",
        "Keeps thinking about her husband's death, would like a bereavement group.",
        "Needs someone to go through her post with her; wants to check her emails too.",
        "Children grown up and abroad, they don't ring any more. Lonely.",
        "Threatened with eviction, needs housing advice.",
        "Can't stand groups. Would like one-to-one help with a tablet.",
        "Asked for money advice. Owes 4k on cards.",
        "Stopped drinking in 2020. Wants to volunteer.",
    ] {
        let kinds = kinds(matcher, text);
        if !kinds.is_empty() {
            read.push(format!("{text} -> {kinds:?}"));
        }
    }
    assert!(read.is_empty(), "{}", read.join("\n"));
}

#[test]
fn every_quote_stands_literally_in_its_source() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let mut quotes = 0;
    for (name, referral) in referrals() {
        let found = matcher.match_referral(&referral, directory, date(2026, 11, 24));
        let words = referral.words();
        let told = found.needs.iter().flat_map(|n| &n.shown_by).chain(found.safety.iter().map(|f| &f.evidence));
        for evidence in told {
            assert!(words.contains(&evidence.quote), "{name}: {:?} is not in the referral", evidence.quote);
            quotes += 1;
        }
        for need in &found.needs {
            let why = need
                .candidates
                .iter()
                .flat_map(|c| c.why.iter().chain(&c.careful).map(move |reason| (&c.service, reason)));
            for (id, reason) in why.chain(need.excluded.iter().map(|e| (&e.service, &e.why))) {
                let Some(quote) = &reason.quote else { continue };
                let service = serde_json::to_value(directory.get(id).unwrap()).unwrap();
                let mut texts = Vec::new();
                texts_of(&service, &mut texts);
                assert!(texts.iter().any(|t| t.contains(quote.as_str())), "{name}, {id}: {quote:?}");
                quotes += 1;
            }
        }
    }
    assert!(quotes > 1_000, "{quotes}");
}

fn texts_of<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(all) => all.iter().for_each(|v| texts_of(v, texts)),
        Value::Object(fields) => fields.values().for_each(|v| texts_of(v, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn what_the_record_says_holds_a_referral_before_any_service_is_looked_at() {
    type Change = fn(&mut Referral);
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let lonely = || note("46F lonely, would like a befriender to ring for a chat. Consents.");
    let hold = |referral: &Referral| matcher.match_referral(referral, directory, date(2026, 11, 24)).hold;
    let cases: [(Change, Hold); 10] = [
        (|r| r.consent = Consent::Declined, Hold::ConsentDeclined),
        (|r| r.consent = Consent::NotRecorded, Hold::ConsentMissing),
        (|r| r.priority = Priority::Urgent, Hold::Urgent),
        (|r| r.priority = Priority::Stat, Hold::Urgent),
        (|r| r.safe_contact = SafeContact::Prohibited, Hold::ContactProhibited),
        (|r| r.safe_contact = SafeContact::Unclear("x".to_owned()), Hold::ContactUnclear),
        (|r| r.patient.restricted = true, Hold::Restricted),
        (|r| r.patient.deceased = true, Hold::Deceased),
        (|r| r.patient.left_practice = true, Hold::LeftPractice),
        (|r| r.status = RequestStatus::OnHold, Hold::NotActive),
    ];
    for (change, expected) in cases {
        let mut referral = lonely();
        change(&mut referral);
        assert_eq!(hold(&referral), Some(expected));
    }
    let mut unrecorded = lonely();
    unrecorded.consent = Consent::NotRecorded;
    let by_referral = matcher.clone().with_consent(ConsentPolicy::ByReferral);
    assert!(by_referral.match_referral(&unrecorded, directory, date(2026, 11, 24)).safety.is_empty());
    assert_eq!(hold(&note("Thank you for seeing her.")), Some(Hold::NeedUnclear));
    assert_eq!(hold(&note("Wants help with debts. Please do not ring the landline.")), Some(Hold::ContactUnclear));
}

#[test]
fn where_a_restricted_person_lives_is_not_matched_on() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let mut referral = note("46F lonely, would like a befriender.");
    referral.patient.restricted = true;
    let found = matcher.match_referral(&referral, directory, date(2026, 11, 24));
    assert!(found.needs[0].candidates.iter().all(|c| c.distance_km.is_none()));
}

#[test]
fn nor_by_the_place_that_the_words_name() {
    let matcher = &*MATCHER;
    let visiting = |id: &str, place: &str| {
        let mut service = service(id, &format!("Befriending for people who are lonely. We visit you in {place}."));
        service.areas = vec![place.to_owned(), "Leeds".to_owned()];
        service
    };
    let directory = Directory::new(vec![
        visiting("A befriending", "Moortown"),
        visiting("B befriending", "Harehills"),
        visiting("C befriending", "Chapel Allerton"),
        visiting("D befriending", "LS8"),
    ]);
    let first = |restricted: bool, words: &str| {
        let mut referral = note(&format!("46F lonely, would like a befriender. {words}"));
        referral.patient.address = None;
        referral.patient.restricted = restricted;
        let found = matcher.match_referral(&referral, &directory, date(2026, 11, 24));
        let listed = &found.needs[0].candidates;
        assert_eq!(listed.len(), 4, "{words}");
        listed[0].service.to_string()
    };
    for (words, named) in [
        ("Lives in Harehills.", "B befriending"),
        ("lives in harehills", "B befriending"),
        ("Near CHAPEL ALLERTON centre.", "C befriending"),
        ("At LS8 5EP for now.", "D befriending"),
        ("LS8", "D befriending"),
    ] {
        assert_eq!(first(false, words), named, "{words}: places count where nothing is closed");
        assert_eq!(first(true, words), "A befriending", "{words}: as if no place had been named");
    }
}

#[test]
fn words_about_contact_are_one_answer_for_the_hold_and_for_the_pages() {
    let matcher = &*MATCHER;
    let quiet = note("Wants help with debts. Be discreet, he opens her post.");
    assert_eq!(
        matcher.safe_contact(&quiet),
        SafeContact::Unclear("Be discreet, he opens her post".to_owned()),
        "quoted as it stands"
    );
    assert_eq!(matcher.safe_contact(&note("Wants help with debts.")), SafeContact::Open);
    let mut ruled = quiet.clone();
    for rule in [SafeContact::Prohibited, SafeContact::Only("mobile".to_owned()), SafeContact::Unclear("?".to_owned())]
    {
        ruled.safe_contact = rule.clone();
        assert_eq!(matcher.safe_contact(&ruled), rule, "what intake read stands");
    }
}

/// A service of a made-up directory, in the town and at the place of the person unless said otherwise.
fn service(name: &str, description: &str) -> crate::directory::Service {
    crate::directory::Service {
        id: name.into(),
        name: name.to_owned(),
        description: description.to_owned(),
        email: Some("help@service.example".to_owned()),
        areas: vec!["Leeds".to_owned()],
        assured: Some(date(2026, 6, 1)),
        ..crate::directory::Service::default()
    }
}

#[test]
fn a_service_is_shut_to_people_its_own_words_do_not_mean() {
    let matcher = &*MATCHER;
    for (description, shut) in [
        ("A lunch club for everybody. Come and meet people.", None),
        ("A lunch club for over 60s. Come and meet people.", Some("age")),
        ("A lunch club for men. Come and meet people.", Some("is for men")),
        ("A lunch club for women. Come and meet people.", None),
        ("A lunch club. Sorry, we are full until the spring.", Some("takes nobody")),
        ("A lunch club. We have closed for good.", Some("takes nobody")),
        ("A lunch club, close to the station. Closed on Sundays.", None),
        ("A lunch club for veterans of the armed forces.", Some("armed forces")),
        ("A lunch club for people with dementia.", Some("dementia")),
        ("A lunch club for Polish people.", Some("Polish")),
        ("A lunch club. During lockdown we deliver meals to the doorstep.", Some("pandemic")),
        ("A lunch club. Some of us are veterans, most are not.", None),
    ] {
        let mut lunch = service("Wednesday lunch club", description);
        lunch.assured = (shut != Some("pandemic")).then(|| date(2026, 6, 1));
        let directory = Directory::new(vec![lunch]);
        let referral = note("46F isolated, would like a lunch club to meet people.");
        let found = matcher.match_referral(&referral, &directory, date(2026, 11, 24));
        let need = found.needs.first().unwrap();
        let why = need.excluded.first().map(|e| e.why.sentence.as_str());
        match shut {
            None => assert_eq!((why, need.candidates.len()), (None, 1), "{description}"),
            Some(words) => assert!(why.is_some_and(|w| w.contains(words)), "{description}: {why:?}"),
        }
    }
}

#[test]
fn the_newer_of_two_copies_stands() {
    let matcher = &*MATCHER;
    let (old, mut new) =
        (service("Lunch Club Otley", "A lunch club."), service("Lunch club in Otley", "A lunch club."));
    new.assured = Some(date(2026, 10, 1));
    let directory = Directory::new(vec![old, new]);
    let found = matcher.match_referral(&note("Would like a lunch club."), &directory, date(2026, 11, 24));
    let ids: Vec<&str> = found.needs[0].candidates.iter().map(|c| c.service.as_str()).collect();
    assert_eq!(ids, ["Lunch club in Otley"]);
    assert!(found.needs[0].excluded[0].why.sentence.contains("older copy"));
}

#[test]
fn the_same_referral_always_gets_the_same_answer() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let referral = note("Would like a walking group or a choir, and help with PIP.");
    let once = matcher.match_referral(&referral, directory, date(2026, 11, 24));
    let again = Matcher::built_in().unwrap().match_referral(&referral, directory, date(2026, 11, 24));
    assert_eq!(once, again);
}

#[test]
fn the_kind_of_help_reveals_nothing_sensitive() {
    let matcher = &*MATCHER;
    assert!(matcher.needs().len() >= 32);
    for need in matcher.needs() {
        let kind = need.kind_of_help.to_lowercase();
        for word in ["abuse", "alcohol", "drug", "asylum", "suicid", "mental", "homeless", "debt", "autis", "violence"]
        {
            assert!(!kind.contains(word), "{}: {kind}", need.code);
        }
    }
}

#[test]
fn a_mistake_in_a_mapping_is_named_with_its_file() {
    let good = Sources::default();
    for (sources, words) in [
        (Sources { needs: "need = 1", ..good }, "needs.toml"),
        (Sources { safety: "[clear]\nbefore = []", ..good }, "safety.toml"),
        (
            Sources { reading: "want = [\"(a\"]\nnot_before=[]\nnot_after=[]\nkeep=[]\npast=[]\nturn=[]", ..good },
            "want",
        ),
    ] {
        let error = Matcher::new(&sources).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
