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
