//! What is read of a person: tables of shapes that practices send.

use jiff::civil::date;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn read_value(value: &Value) -> Result<Patient, BadNhsNumber> {
    read(value, &Mappings::builtin().unwrap(), now())
}

#[test]
fn names_are_put_together_where_no_text_was_given() {
    for (names, written) in [
        (
            json!([{"use": "official", "family": "Wray", "given": ["Simon", "J"], "prefix": ["Dr"]}]),
            Some("Dr Simon J Wray"),
        ),
        (json!([{"use": "maiden", "text": "Jean Old"}, {"use": "usual", "text": "Jean Lumb"}]), Some("Jean Lumb")),
        (json!([{"use": "usual", "text": "Jeannie"}, {"use": "official", "text": "Jean Lumb"}]), Some("Jean Lumb")),
        (json!([{"text": "Gone", "period": {"end": "2020-01-01"}}]), None),
        (json!({"family": "JONES", "given": ["Jason"]}), Some("Jason JONES")),
        (json!([{"use": "official"}]), None),
    ] {
        assert_eq!(name(&json!({"name": names}), now()).as_deref(), written, "{names}");
    }
}

#[test]
fn a_partial_birth_date_keeps_its_year() {
    for (written, read) in [
        (json!("1942-01-06"), (Some(date(1942, 1, 6)), None)),
        (json!("1942-01"), (None, Some(1942))),
        (json!("1942"), (None, Some(1942))),
        (json!("long ago"), (None, None)),
        (json!(1942), (None, None)),
    ] {
        assert_eq!(birth(&json!({"birthDate": written})), read, "{written}");
    }
}

#[test]
fn a_wrong_nhs_number_holds_and_a_missing_one_does_not() {
    let with = |value: Value| json!({"identifier": [value]});
    let nhs = "https://fhir.nhs.uk/Id/nhs-number";
    assert!(read_value(&with(json!({"system": nhs, "value": "999 030 0127"}))).unwrap().nhs_number.is_some());
    assert_eq!(read_value(&with(json!({"system": nhs, "value": "9990300128"}))), Err(BadNhsNumber));
    assert_eq!(read_value(&with(json!({"system": nhs, "value": "99903"}))), Err(BadNhsNumber));
    assert_eq!(read_value(&with(json!({"system": nhs}))).unwrap().nhs_number, None);
    assert_eq!(read_value(&with(json!({"system": nhs, "use": "old", "value": "1"}))).unwrap().nhs_number, None);
    assert_eq!(read_value(&json!({})).unwrap().nhs_number, None);
    let two = json!({"identifier": [{"system": nhs, "value": "9990300127"}, {"system": nhs, "value": "9990300275"}]});
    assert_eq!(read_value(&two), Err(BadNhsNumber));
}

#[test]
fn where_a_restricted_or_deceased_person_lives_is_not_read() {
    let address = json!([{"line": ["45 Specimen Street"], "city": "Leeds", "postalCode": "LS15 7DJ"}]);
    for (extra, shown) in [
        (json!({}), true),
        (json!({"meta": {"security": [{"code": "U"}]}}), true),
        (json!({"meta": {"security": [{"code": "R"}]}}), false),
        (json!({"meta": {"security": [{"code": "V"}]}}), false),
        (json!({"meta": {"security": [{"code": "U"}, {"code": "REDACTED"}]}}), false),
        (json!({"deceasedBoolean": false}), true),
        (json!({"deceasedBoolean": true}), false),
        (json!({"deceasedDateTime": "2026-10-02"}), false),
    ] {
        let mut patient = extra.clone();
        patient["address"] = address.clone();
        assert_eq!(read_value(&patient).unwrap().address.is_some(), shown, "{extra}");
    }
}

#[test]
fn a_death_is_read_in_every_shape_and_a_notice_taken_back_is_none() {
    let notice = |code: &str| {
        let status = json!({"coding": [{"code": code}]});
        json!({"extension": [{
            "url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-DeathNotificationStatus",
            "extension": [{"url": "deathNotificationStatus", "valueCodeableConcept": status}]}]})
    };
    let older = json!({"extension": [{
        "url": "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-CareConnect-GPC-DeathNotificationStatus-1",
        "valueCodeableConcept": {"coding": [{"code": "1"}]}}]});
    let unknown_date = json!({"_deceasedDateTime": {"extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}});
    for (patient, dead) in [
        (json!({}), false),
        (json!({"deceasedBoolean": false}), false),
        (json!({"deceasedBoolean": "true"}), true),
        (unknown_date, true),
        (notice("1"), true),
        (notice("2"), true),
        (notice("U"), false),
        (older, true),
    ] {
        assert_eq!(read_value(&patient).unwrap().deceased, dead, "{patient}");
    }
}

#[test]
fn the_address_is_where_the_person_lives_now() {
    let address = |list: Value| read_value(&json!({"address": list})).unwrap().address;
    let old_and_home = json!([{"use": "old", "postalCode": "LS1 1AA"}, {"use": "home", "postalCode": "LS8 5EP"}]);
    assert_eq!(address(old_and_home).unwrap().postcode.as_deref(), Some("LS8 5EP"));
    let refuge = json!([{"use": "home", "postalCode": "LS8 5EP"},
        {"use": "temp", "postalCode": "LS7 4LL", "period": {"start": "2026-11-01", "end": "2027-01-31"}}]);
    assert_eq!(address(refuge).unwrap().postcode.as_deref(), Some("LS7 4LL"));
    let before = json!([{"use": "home", "postalCode": "LS8 5EP"},
        {"use": "temp", "postalCode": "LS7 4LL", "period": {"start": "2026-01-01", "end": "2026-02-01"}}]);
    assert_eq!(address(before).unwrap().postcode.as_deref(), Some("LS8 5EP"));
    let words = address(json!([{"text": "4 Sandmoor Drive, Leeds, LS17 7DF"}])).unwrap();
    assert_eq!((words.lines.len(), words.postcode.as_deref()), (2, Some("LS17 7DF")));
}

#[test]
fn languages_and_interpreters_are_read_in_both_dialects() {
    let hl7 = json!({"communication": [
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "en", "display": "English"}]}},
        {"preferred": true, "language": {"text": "Tigrinya", "coding": [{"system": "urn:ietf:bcp:47", "code": "ti"}]}}],
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": true}]});
    let patient = read_value(&hl7).unwrap();
    assert_eq!(patient.languages[0], Language { tag: Some("ti".into()), name: "Tigrinya".into() });
    assert_eq!((patient.languages.len(), patient.interpreter), (2, Some(true)));
    let uk = json!({"extension": [{"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSCommunication",
        "extension": [{"url": "language", "valueCodeableConcept": {"coding": [{"code": "fa", "display": "Farsi"}]}},
            {"url": "interpreterRequired", "valueBoolean": true}]}]});
    let patient = read_value(&uk).unwrap();
    assert_eq!((patient.languages[0].name.as_str(), patient.interpreter), ("Farsi", Some(true)));
    assert_eq!(read_value(&json!({})).unwrap().interpreter, None);
}

#[test]
fn somebody_who_left_the_practice_is_known_by_each_sign() {
    for (patient, left) in [
        (json!({"active": true}), false),
        (json!({"active": false}), true),
        (json!({"generalPractitioner": [{"identifier": {"value": "A99901", "period": {"end": "2026-01-01"}}}]}), true),
        (
            json!({"generalPractitioner": [{"identifier": {"value": "A99901", "period": {"start": "2026-01-01"}}}]}),
            false,
        ),
        (json!({"generalPractitioner": [{"reference": "Organization/1"}]}), false),
    ] {
        assert_eq!(read_value(&patient).unwrap().left_practice, left, "{patient}");
    }
}
