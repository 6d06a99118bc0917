//! What becomes of a request: a referral, or a hold with words that help.

use serde_json::json;

use super::super::collection::{BundleError, referral_from_bundle};
use super::*;
use crate::referral::Sharing;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

pub(super) fn read_text(text: &str) -> Result<Input, BundleError> {
    referral_from_bundle(text, &PracticeId::new("beckside"), &Mappings::builtin().unwrap(), now())
}

pub(super) fn bundle(resources: &[Value]) -> String {
    let entries: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string()
}

pub(super) fn request() -> Value {
    json!({"resourceType": "ServiceRequest", "id": "sr1", "meta": {"versionId": "3"}, "status": "active", "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "871731000000106"}]},
        "subject": {"reference": "Patient/p1"}, "authoredOn": "2026-11-20T14:43:00+00:00",
        "requester": {"reference": "PractitionerRole/r1"},
        "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "267076003", "display": "Feeling lonely"}]}],
        "reasonReference": [{"reference": "Condition/c1"}],
        "note": [{"text": "Lives alone. Ring her mobile not landline."}], "patientInstruction": "Somebody will be \
            in touch."})
}

pub(super) fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p1", "name": [{"family": "Lumb", "given": ["Jean"]}], "gender": "female",
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990301506"}],
        "address": [{"postalCode": "LS8 5EP"}]})
}

pub(super) fn others() -> Vec<Value> {
    vec![
        json!({"resourceType": "PractitionerRole", "id": "r1", "practitioner": {"reference": "Practitioner/d1"},
            "organization": {"reference": "Organization/o1"}, "telecom": [{"system": "phone", "value": "0113 496 0060"}]}),
        json!({"resourceType": "Practitioner", "id": "d1", "name": [{"family": "Tempest", "given": ["Fiona"], "prefix": ["Dr"]}]}),
        json!({"resourceType": "Organization", "id": "o1", "name": "Whinmoor Lane Surgery"}),
        json!({"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "105529008", "display": "Lives alone"}]},
            "note": [{"text": "Since the spring."}]}),
    ]
}

pub(super) fn read(request: Value, patient: Option<Value>, more: Vec<Value>) -> Input {
    let resources: Vec<Value> = [request].into_iter().chain(patient).chain(more).collect();
    read_text(&bundle(&resources)).unwrap()
}

pub(super) fn readable(input: Input) -> Referral {
    match input {
        Input::Readable(referral, _) => *referral,
        Input::Unreadable(unreadable, _) => panic!("held: {unreadable:?}"),
    }
}

fn hold(input: Input) -> Hold {
    match input {
        Input::Readable(referral, _) => panic!("read: {referral:?}"),
        Input::Unreadable(unreadable, raw) => {
            assert!(unreadable.explanation.len() > 30 && !raw.documents.is_empty());
            for personal in ["Lumb", "Jean", "999", "LS8"] {
                assert!(!unreadable.explanation.contains(personal), "{}", unreadable.explanation);
            }
            unreadable.hold
        }
    }
}

#[test]
fn a_whole_request_is_read_with_all_it_refers_to() {
    let referral = readable(read(request(), Some(patient()), others()));
    assert_eq!((referral.source.request.as_str(), referral.source.version.as_str()), ("sr1", "3"));
    assert_eq!(referral.practice_name.as_deref(), Some("Whinmoor Lane Surgery"));
    let requester = referral.requester.unwrap();
    assert_eq!((requester.name.as_str(), requester.phone.as_deref()), ("Dr Fiona Tempest", Some("0113 496 0060")));
    let reasons: Vec<(ReasonFrom, bool, &str)> =
        referral.reasons.iter().map(|r| (r.from, r.code.is_some(), r.text.as_str())).collect();
    assert_eq!(
        reasons,
        [
            // The SNOMED id had a slip: dropped, its words kept.
            (ReasonFrom::ReasonCode, false, "Feeling lonely"),
            (ReasonFrom::Condition, true, "Lives alone"),
            (ReasonFrom::Condition, false, "Since the spring."),
            (ReasonFrom::Note, false, "Lives alone. Ring her mobile not landline."),
            (ReasonFrom::Instruction, false, "Somebody will be in touch."),
        ]
    );
    assert_eq!(referral.safe_contact, SafeContact::Only("Ring her mobile not landline.".into()));
    assert_eq!((referral.consent, referral.sharing), (Consent::NotRecorded, Sharing::CodesOnly));
    assert_eq!(referral.patient.name.as_deref(), Some("Jean Lumb"));
}

#[test]
fn a_doctor_without_a_telephone_is_rung_back_at_the_practice() {
    let mut from_doctor = request();
    from_doctor["requester"] = json!({"reference": "Practitioner/d1"});
    let mut registered = patient();
    registered["generalPractitioner"] = json!([{"reference": "Practitioner/d1"}, {"reference": "Organization/o1"}]);
    let mut others = others();
    others[2]["telecom"] =
        json!([{"system": "email", "value": "a@surgery.example"}, {"system": "phone", "value": "0113 496 0933"}]);
    let referral = readable(read(from_doctor, Some(registered), others));
    let requester = referral.requester.unwrap();
    assert_eq!((requester.name.as_str(), requester.phone.as_deref()), ("Dr Fiona Tempest", Some("0113 496 0933")));
    assert_eq!(referral.practice_name.as_deref(), Some("Whinmoor Lane Surgery"));
}

fn modifier() -> Value {
    json!([{"url": "https://x.example/not-this-request", "valueBoolean": true}])
}

fn changed_patient(key: &str, value: Value) -> Value {
    let mut changed = patient();
    changed[key] = value;
    changed
}

#[test]
fn every_order_is_taken_and_a_record_that_replaced_another_is_one_to_go_by() {
    for intent in ["order", "original-order", "reflex-order", "filler-order", "instance-order"] {
        let mut changed = request();
        changed["intent"] = intent.into();
        readable(read(changed, Some(patient()), others()));
    }
    let replaces = json!([{"other": {"reference": "Patient/p0"}, "type": "replaces"}]);
    readable(read(request(), Some(changed_patient("link", replaces)), others()));
}

#[test]
fn a_task_with_a_change_of_meaning_is_held_and_its_withdrawal_never_is() {
    let mut odd = json!({"resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
        "focus": {"reference": "ServiceRequest/sr1"}, "input": [{"modifierExtension": modifier()}]});
    assert_eq!(hold(read(request(), Some(patient()), vec![odd.clone()])), Hold::UnreadableRequest);
    odd["status"] = "cancelled".into();
    let mut plan = request();
    plan["intent"] = "plan".into();
    assert!(readable(read(plan, Some(patient()), vec![odd])).status.is_withdrawn());
}

#[test]
fn a_task_whose_focus_leads_nowhere_is_told_what_its_focus_is() {
    for (focus, why) in [
        (json!({"reference": "#sr"}), "contained"),
        (
            json!({"identifier": {"system": "https://x.example", "value": "7"}, "type": "ServiceRequest"}),
            "identifier only",
        ),
        (json!({"reference": "urn:uuid:7"}), "within one message"),
        (json!({"display": "The referral"}), "focus is missing"),
        (json!({"reference": "Condition/c1"}), "points to a Condition"),
    ] {
        let value = json!({"resourceType": "Task", "id": "t1", "focus": focus});
        let (known, mappings) = (Known::new(None), Mappings::builtin().unwrap());
        let practice = PracticeId::new("beckside");
        let reader = Reader { practice: &practice, mappings: &mappings, known: &known, us: Us::default(), now: now() };
        let Input::Unreadable(held, _) = reader.task_alone(&Resource { raw: value.to_string(), value }) else {
            panic!("{why}: read")
        };
        assert!(held.explanation.contains(why), "{why}: {}", held.explanation);
    }
}

#[test]
fn what_cannot_be_a_referral_is_held_with_its_reason() {
    let with = |key: &str, value: Value| {
        let mut changed = request();
        changed[key] = value;
        changed
    };
    let mut wrong_number = patient();
    wrong_number["identifier"][0]["value"] = json!("9990301507");
    for (changed, person, expected) in [
        (with("subject", Value::Null), Some(patient()), Hold::NoSubject),
        (with("subject", json!({"display": "Jean"})), Some(patient()), Hold::NoSubject),
        (with("subject", json!({"reference": "Group/g1"})), Some(patient()), Hold::UnreadableRequest),
        (
            with("subject", json!({"reference": "https://elsewhere.example/Patient/p1"})),
            Some(patient()),
            Hold::PatientUnreadable,
        ),
        (with("subject", json!("Patient/p1")), Some(patient()), Hold::NoSubject),
        (with("status", json!("going")), Some(patient()), Hold::UnreadableRequest),
        (with("status", json!(7)), Some(patient()), Hold::UnreadableRequest),
        (with("doNotPerform", json!(true)), Some(patient()), Hold::UnreadableRequest),
        (with("doNotPerform", json!("true")), Some(patient()), Hold::UnreadableRequest),
        (with("intent", json!("proposal")), Some(patient()), Hold::UnreadableRequest),
        (with("intent", json!("plan")), Some(patient()), Hold::UnreadableRequest),
        (with("intent", json!("directive")), Some(patient()), Hold::UnreadableRequest),
        (with("intent", json!("option")), Some(patient()), Hold::UnreadableRequest),
        (with("intent", Value::Null), Some(patient()), Hold::UnreadableRequest),
        (with("modifierExtension", modifier()), Some(patient()), Hold::UnreadableRequest),
        (request(), Some(changed_patient("modifierExtension", modifier())), Hold::PatientUnreadable),
        (
            request(),
            Some(changed_patient("link", json!([{"other": {"reference": "Patient/p9"}, "type": "replaced-by"}]))),
            Hold::PatientUnreadable,
        ),
        (request(), None, Hold::PatientUnreadable),
        (request(), Some(wrong_number), Hold::BadNhsNumber),
    ] {
        assert_eq!(hold(read(changed.clone(), person, others())), expected, "{changed}");
    }
}

#[test]
fn a_withdrawal_never_waits_for_a_patient_who_cannot_be_read() {
    for status in ["revoked", "entered-in-error"] {
        let mut taken_back = request();
        taken_back["status"] = json!(status);
        assert!(readable(read(taken_back, None, others())).status.is_withdrawn());
    }
}

#[test]
fn a_task_taken_back_by_the_practice_takes_the_referral_back_and_our_own_does_not() {
    let task = |status: &str, business: Option<&str>| {
        json!({"resourceType": "Task", "id": "t1", "meta": {"versionId": "9"}, "status": status,
            "businessStatus": {"coding": business.map(|code| json!({"code": code})).into_iter().collect::<Vec<_>>()},
            "focus": {"reference": "ServiceRequest/sr1"}, "for": {"reference": "Patient/p1"}})
    };
    let mut ours = task("cancelled", Some("6.0"));
    ours["identifier"] =
        json!([{"system": "https://wellbridge.example/fhir/Id/episode", "value": "sr1.ended-cancelled"}]);
    assert!(!readable(read(request(), Some(patient()), vec![ours])).status.is_withdrawn(), "our own word is no news");
    for (status, business, withdrawn) in [
        ("requested", None, false),
        ("cancelled", None, true),
        ("cancelled", Some("4.0"), true),
        ("cancelled", Some("6.0"), true),
        ("cancelled", Some("7.0"), true),
        ("in-progress", Some("5.2"), true),
        ("entered-in-error", None, true),
        ("completed", Some("7.0"), false),
    ] {
        let input = read(request(), Some(patient()), vec![task(status, business)]);
        let Input::Readable(referral, raw) = input else { panic!("held") };
        assert_eq!(referral.status.is_withdrawn(), withdrawn, "{status} {business:?}");
        assert_eq!((referral.source.task.as_deref(), raw.task_version.as_deref()), (Some("t1"), Some("9")));
    }
    for (status, state) in [
        ("requested", TaskState::Open),
        ("in-progress", TaskState::Open),
        ("draft", TaskState::Paused),
        ("on-hold", TaskState::Paused),
        ("completed", TaskState::Ended),
        ("failed", TaskState::Ended),
        ("rejected", TaskState::Ended),
    ] {
        let theirs = readable(read(request(), Some(patient()), vec![task(status, None)]));
        assert_eq!((theirs.task, theirs.status.is_withdrawn()), (state, false), "{status}");
        let mut marked = task(status, None);
        marked["identifier"] = json!([{"value": format!("sr1.ended-{status}")}]);
        let ours = if state == TaskState::Ended { TaskState::EndedByUs } else { state };
        assert_eq!(readable(read(request(), Some(patient()), vec![marked])).task, ours, "{status}");
    }
    let mut other = task("requested", None);
    other["for"] = json!({"reference": "Patient/p2"});
    assert_eq!(hold(read(request(), Some(patient()), vec![other])), Hold::UnreadableRequest);
}

#[test]
fn a_consent_counts_only_for_its_own_person() {
    let consent = |of: &str, kind: &str| {
        json!({"resourceType": "Consent", "id": "x1", "status": "active", "dateTime": "2026-11-20",
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": of}, "provision": {"type": kind}})
    };
    let attached = || {
        let mut changed = request();
        changed["supportingInfo"] = json!([{"reference": "Consent/x1"}]);
        changed
    };
    let decided = |request: Value, consent: Value| readable(read(request, Some(patient()), vec![consent])).consent;
    assert_eq!(decided(attached(), consent("Patient/p1", "permit")), Consent::Given);
    assert_eq!(decided(attached(), consent("Patient/p1", "deny")), Consent::Declined);
    assert_eq!(decided(attached(), consent("Patient/p2", "permit")), Consent::NotRecorded);
    assert_eq!(decided(request(), consent("Patient/p1", "permit")), Consent::Given);
}

#[test]
fn nobody_may_contact_the_person_where_the_code_says_so() {
    let mut changed = request();
    changed["orderDetail"] = json!([{"coding": [{
        "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
        "code": "contacting-subject-prohibited"}]}]);
    assert_eq!(readable(read(changed, Some(patient()), others())).safe_contact, SafeContact::Prohibited);
}

#[test]
fn a_rule_about_contact_is_found_wherever_a_reason_is_read() {
    let rule = |request: Value, condition: Value| {
        let mut all = others();
        all[3] = condition;
        readable(read(request, Some(patient()), all)).safe_contact
    };
    let mut silent = request();
    silent["note"] = json!([{"text": "Lonely."}]);
    let condition = |change: fn(&mut Value)| {
        let mut condition = others()[3].clone();
        change(&mut condition);
        condition
    };
    let landline = SafeContact::Only("Do not ring the landline, he listens in".into());
    for (said, found) in [
        (condition(|_| {}), SafeContact::Open),
        (condition(|c| c["note"] = json!([{"text": "Do not ring the landline, he listens in"}])), landline.clone()),
        (condition(|c| c["code"]["text"] = json!("Do not ring the landline, he listens in")), landline),
        (condition(|c| c["note"] = json!([{"text": "Careful with letters."}])), {
            SafeContact::Unclear("Careful with letters.".into())
        }),
        // What is known to be a mistake, or somebody else's, says nothing.
        (
            condition(|c| {
                c["note"] = json!([{"text": "Do not contact."}]);
                c["verificationStatus"] = json!({"coding": [{"code": "entered-in-error"}]});
            }),
            SafeContact::Open,
        ),
        (
            condition(|c| {
                c["note"] = json!([{"text": "Do not contact."}]);
                c["subject"] = json!({"reference": "Patient/p2"});
            }),
            SafeContact::Open,
        ),
    ] {
        assert_eq!(rule(silent.clone(), said.clone()), found, "{said}");
    }
    let mut displayed = silent.clone();
    displayed["reasonReference"] = json!([{"reference": "Condition/c1", "display": "Please do not contact her."}]);
    assert_eq!(rule(displayed, others()[3].clone()), SafeContact::Prohibited);
    let mut by_name_only = silent;
    by_name_only["reasonReference"] = json!([{"display": "Lives alone. Please do not contact her."}]);
    assert_eq!(rule(by_name_only, others()[3].clone()), SafeContact::Prohibited);
}

#[test]
fn what_goes_with_the_request_and_its_task_is_read_for_what_it_says() {
    let words = "Do not contact her. Husband hits her.";
    let other = |kind: &str, key: &str, value: Value| json!({"resourceType": kind, "id": "x9", "subject": {"reference": "Patient/p1"}, key: value});
    let note = || json!([{"text": words}]);
    let task = |key: &str, value: Value| {
        json!({"resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
            "focus": {"reference": "ServiceRequest/sr1"}, key: value})
    };
    for (more, display) in [
        (other("Condition", "note", note()), None),
        (other("Condition", "code", json!({"text": words})), None),
        (other("Observation", "note", note()), None),
        (other("Condition", "code", json!({"text": "Anxiety"})), Some(words)),
        (other("Observation", "code", json!({"text": "Wellbeing"})), Some(words)),
        (task("description", json!(words)), None),
        (task("reasonCode", json!({"text": words})), None),
        (task("note", note()), None),
    ] {
        let mut changed = request();
        changed["note"] = json!([]);
        changed["supportingInfo"] = json!([{"reference": format!("{}/x9", json::kind(&more)), "display": display}]);
        if json::kind(&more) == "Task" {
            changed["supportingInfo"] = json!([]);
        }
        let mut all = others();
        all.push(more.clone());
        let referral = readable(read(changed, Some(patient()), all));
        assert!(referral.reasons.iter().any(|r| r.text == words), "{more}");
        assert_eq!(referral.safe_contact, SafeContact::Prohibited, "{more}");
        assert!(referral.reasons.iter().all(|r| r.text != "Wellbeing"), "{more}");
    }
    // Attached twice is said once.
    let mut twice = request();
    twice["supportingInfo"] = json!([{"reference": "Condition/c1"}]);
    let reasons = readable(read(twice, Some(patient()), others())).reasons;
    assert_eq!(reasons.iter().filter(|r| r.text == "Since the spring.").count(), 1);
}

#[test]
fn a_restricting_label_on_request_or_patient_closes_where_the_person_lives() {
    for label in ["R", "V", "REDACTED"] {
        for on_request in [true, false] {
            let (mut request, mut patient) = (request(), patient());
            let labelled = if on_request { &mut request } else { &mut patient };
            labelled["meta"]["security"] = json!([{"code": label}]);
            let referral = readable(read(request, Some(patient), others()));
            assert!(referral.patient.restricted && referral.patient.address.is_none(), "{label} {on_request}");
            let hold = crate::referral::facts::facts(&referral, crate::referral::facts::ConsentPolicy::ByReferral).hold;
            assert_eq!(hold, Some(Hold::Restricted), "{label} {on_request}");
        }
    }
    let mut usual = patient();
    usual["meta"]["security"] = json!([{"code": "U"}]);
    assert!(readable(read(request(), Some(usual), others())).patient.address.is_some());
}
