//! Whatever is odd in what a practice sends is read or held, and never costs the referral.

use std::path::PathBuf;

use serde_json::json;

use super::super::collection::BundleError;
use super::tests::{bundle, others, patient, read, read_text, readable, request};
use super::*;

#[test]
fn odd_shapes_beside_the_essentials_never_cost_the_referral() {
    for key in [
        "reasonCode",
        "reasonReference",
        "note",
        "requester",
        "authoredOn",
        "priority",
        "supportingInfo",
        "orderDetail",
        "category",
    ] {
        for odd in [
            json!(7),
            json!("text"),
            json!({"a": [1]}),
            json!([null, 7, "x", [], {"coding": {"code": 3}}]),
            json!(null),
        ] {
            let mut changed = request();
            changed[key] = odd;
            readable(read(changed, Some(patient()), others()));
        }
    }
    for key in [
        "name",
        "telecom",
        "address",
        "communication",
        "birthDate",
        "extension",
        "generalPractitioner",
        "meta",
        "identifier",
    ] {
        for odd in [json!(7), json!("text"), json!([null, 7, "x", []]), json!({"x": {}})] {
            let mut changed = patient();
            changed[key] = odd;
            readable(read(request(), Some(changed), others()));
        }
    }
}

#[test]
fn a_file_that_is_no_bundle_is_said_to_be_none() {
    assert_eq!(read_text("<html>").unwrap_err(), BundleError::NotABundle);
    assert_eq!(read_text(&bundle(&[patient()])).unwrap_err(), BundleError::NoRequest);
}

/// Every place in a JSON value, as pointers.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, v)| places(v, &format!("{at}/{key}"), into)),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), into)),
        _ => {}
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_odd_anywhere_in_a_bundle_is_read_or_held(which in 0usize..400, odd in 0usize..7) {
        let resources: Vec<Value> = [request(), patient()].into_iter().chain(others()).collect();
        let mut whole: Value = serde_json::from_str(&bundle(&resources)).unwrap();
        let mut all = Vec::new();
        places(&whole["entry"], "/entry", &mut all);
        let odds = [json!(null), json!(-7), json!("\u{0}odd"), json!([]), json!({}), json!([[1]]), json!({"reference": "#"})];
        if let Some(place) = whole.pointer_mut(&all[which % all.len()]) {
            *place = odds[odd].clone();
        }
        match read_text(&whole.to_string()) {
            Ok(Input::Readable(referral, raw)) => {
                proptest::prop_assert!(!referral.source.request.is_empty() && !raw.documents.is_empty());
            }
            Ok(Input::Unreadable(unreadable, _)) => proptest::prop_assert!(!unreadable.explanation.is_empty()),
            Err(error) => proptest::prop_assert!(which % all.len() < 6, "{error}: {}", all[which % all.len()]),
        }
    }
}

/// A folder of sample data beside the repository, or nothing where it is not there.
fn samples(variable: &str, otherwise: &str) -> Vec<PathBuf> {
    let folder = std::env::var(variable).map_or_else(|_| PathBuf::from(otherwise), PathBuf::from);
    let Ok(listing) = std::fs::read_dir(&folder) else {
        println!("{variable} is not set and the sample folder is absent: nothing read");
        return Vec::new();
    };
    listing.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "json")).collect()
}

#[test]
fn every_development_referral_is_read() {
    for path in samples("WELLBRIDGE_EVAL_REFERRALS", "tests/eval/referrals") {
        let referral = readable(read_text(&std::fs::read_to_string(&path).unwrap()).unwrap());
        assert!(referral.patient.nhs_number.is_some() && referral.patient.birth_date.is_some(), "{}", path.display());
        assert!(referral.practice_name.is_some() && referral.requester.is_some(), "{}", path.display());
        assert!(!referral.words().is_empty());
        println!("{} {:?} {:?}", path.file_stem().unwrap().display(), referral.consent, referral.safe_contact);
    }
}

#[test]
fn no_uk_core_example_is_too_odd_to_be_read_or_held() {
    let request = json!({"resourceType": "ServiceRequest", "id": "sr1", "status": "active", "code": {},
        "subject": {"reference": "#p"}});
    for path in samples("WELLBRIDGE_UK_CORE_EXAMPLES", "tests/uk-core-examples") {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut example: Value = serde_json::from_str(&text).unwrap();
        let _ = read_text(&text);
        let _ = read_text(&bundle(std::slice::from_ref(&example)));
        // As everything a request can refer to, too.
        let key = json::key(&example).unwrap_or_default();
        let mut around = request.clone();
        for place in ["requester", "reasonReference", "supportingInfo"] {
            around[place] = json!([{"reference": key}]);
        }
        around["requester"] = json!({"reference": key});
        if json::kind(&example) == "Patient" {
            let id = example["id"].clone();
            example["id"] = json!("p");
            around["contained"] = json!([example.clone()]);
            match read_text(&bundle(&[around])).unwrap() {
                Input::Readable(referral, _) => {
                    assert_eq!(referral.patient.name.is_some(), example.get("name").is_some(), "{id}");
                }
                // Some examples carry numbers that were never issued.
                Input::Unreadable(unreadable, _) => assert_eq!(unreadable.hold, Hold::BadNhsNumber, "{id}"),
            }
        } else {
            let _ = read_text(&bundle(&[around, example]));
        }
    }
}
