//! Wherever words stand, they are read; what cannot be read is said; forms and names alarm nobody.

use serde_json::json;

use super::super::codes::Mappings;
use super::super::collection::referral_from_bundle;
use super::*;
use crate::practice::Input;
use crate::referral::{PracticeId, Referral, SafeContact};

const SAID: &str = "She has thoughts of ending her life.";

fn request() -> Value {
    json!({"resourceType": "ServiceRequest", "id": "sr1", "status": "active", "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "871731000000106",
            "display": "Referral to social prescribing service"}]},
        "category": [{"coding": [{"system": "http://snomed.info/sct", "code": "871731000000106"}]}],
        "subject": {"reference": "Patient/p1", "display": "Killer, Jean"},
        "requester": {"reference": "Practitioner/d1", "display": "Dr Killer"},
        "reasonCode": [{"coding": [{"system": "http://snomed.info/sct", "code": "267076002", "display": "Lonely"}]}]})
}

fn task() -> Value {
    json!({"resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill",
            "display": "Fulfill the focal request"}]}, "focus": {"reference": "ServiceRequest/sr1"}})
}

fn read(request: Value, more: Vec<Value>) -> Referral {
    let patient = json!({"resourceType": "Patient", "id": "p1", "address": [{"postalCode": "LS8 5EP"}]});
    let doctor = json!({"resourceType": "Practitioner", "id": "d1", "name": [{"text": "Dr Killer"}]});
    let entries: Vec<Value> =
        [request, patient, doctor].into_iter().chain(more).map(|r| json!({"resource": r})).collect();
    let text = json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string();
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    match referral_from_bundle(&text, &PracticeId::new("beckside"), &Mappings::builtin().unwrap(), now).unwrap() {
        Input::Readable(referral, _) => *referral,
        Input::Unreadable(unreadable, _) => panic!("held: {unreadable:?}"),
    }
}

fn with(part: &str, value: Value) -> Value {
    let mut request = request();
    request[part] = value;
    request
}

/// The request with this attached, by reference.
fn attached(mut resource: Value) -> Referral {
    let reference = format!("{}/x1", resource["resourceType"].as_str().unwrap());
    resource["id"] = "x1".into();
    read(with("supportingInfo", json!([{"reference": reference}])), vec![resource])
}

fn observed(mut value: Value) -> Value {
    value["resourceType"] = "Observation".into();
    value["status"] = "final".into();
    if value["code"].is_null() {
        value["code"] = json!({"text": "Social history"});
    }
    value
}

fn answered(question: &str, answer: &Value) -> Value {
    json!({"resourceType": "QuestionnaireResponse", "status": "completed",
        "text": {"status": "generated", "div": format!("<p>{question}</p>")},
        "item": [{"linkId": "1", "text": "Wellbeing", "item": [{"linkId": "1.1", "text": question, "answer": [answer]}]}]})
}

fn says(referral: &Referral, words: &str) -> bool {
    referral.beside.iter().any(|said| said.text.contains(words))
}

#[test]
fn words_are_read_wherever_they_stand_in_the_request_its_task_or_what_is_attached() {
    let mut with_task = task();
    let mut in_task = |part: &str, value: Value| {
        with_task = task();
        with_task[part] = value;
        read(request(), vec![with_task.clone()])
    };
    let div = format!("<div><p>{SAID}</p></div>");
    let plain = STANDARD.encode(SAID);
    let places = [
        (
            "a further display",
            read(with("reasonCode", json!([{"coding": [{"code": "x"}, {"display": SAID}], "text": "Low"}])), vec![]),
        ),
        ("code.text", read(with("code", json!({"text": SAID})), vec![])),
        ("category.text", read(with("category", json!([{"text": SAID}])), vec![])),
        (
            "an order detail's display",
            read(with("orderDetail", json!([{"coding": [{"display": SAID}], "text": "see code"}])), vec![]),
        ),
        ("the narrative", read(with("text", json!({"status": "additional", "div": div})), vec![])),
        ("an extension", read(with("extension", json!([{"url": "https://x.example/y", "valueString": SAID}])), vec![])),
        (
            "a contained resource",
            read(with("contained", json!([observed(json!({"id": "c", "valueString": SAID}))])), vec![]),
        ),
        ("a task's input", in_task("input", json!([{"type": {"text": "Notes"}, "valueString": SAID}]))),
        ("a task's reason", in_task("reasonReference", json!({"display": SAID}))),
        ("a task's extension", in_task("extension", json!([{"url": "https://x.example/y", "valueMarkdown": SAID}]))),
        ("a value", attached(observed(json!({"valueString": SAID})))),
        (
            "a coded value",
            attached(observed(json!({"valueCodeableConcept": {"coding": [{"display": SAID}], "text": "x"}}))),
        ),
        ("a component", attached(observed(json!({"component": [{"code": {"text": "Mood"}, "valueString": SAID}]})))),
        ("an interpretation", attached(observed(json!({"interpretation": [{"text": SAID}]})))),
        ("a question with a yes", attached(observed(json!({"code": {"text": SAID}, "valueBoolean": true})))),
        ("an answer", attached(answered("Anything else?", &json!({"valueString": SAID})))),
        ("a description", attached(json!({"resourceType": "DocumentReference", "description": SAID}))),
        (
            "plain words in a document",
            attached(json!({"resourceType": "DocumentReference",
            "content": [{"attachment": {"contentType": "text/plain", "data": plain}}]})),
        ),
    ];
    for (place, referral) in places {
        assert!(says(&referral, SAID.trim_end_matches('.')), "{place}: {:?}", referral.beside);
        assert!(!referral.words().contains(SAID), "{place}: what is needed is read from the reasons only");
    }
}

#[test]
fn what_leads_on_is_followed() {
    let panel = observed(json!({"id": "x1", "hasMember": [{"reference": "Observation/x2"}]}));
    let member = observed(json!({"id": "x2", "valueString": SAID}));
    let mut by_task = task();
    by_task["input"] = json!([{"type": {"text": "See"}, "valueReference": {"reference": "Observation/x1"}}]);
    let referral = read(request(), vec![by_task, panel, member]);
    assert!(says(&referral, SAID) && referral.unread.is_empty(), "{referral:?}");
}

#[test]
fn every_code_is_kept_with_its_own_display_and_a_code_alone_too() {
    let listed = json!([{"coding": [
        {"system": "http://snomed.info/sct", "code": "267076002", "display": "Lonely"},
        {"system": "http://snomed.info/sct", "code": "6471006"}]}]);
    let referral = read(with("reasonCode", listed), vec![]);
    let codes: Vec<&str> = referral.beside.iter().filter_map(|r| r.code.as_ref()).map(SnomedCode::as_str).collect();
    assert_eq!(codes, ["6471006"]);
    let value = observed(
        json!({"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "6471006"}]}}),
    );
    assert!(attached(value).beside.iter().any(|r| r.code.as_ref().is_some_and(|c| c.as_str() == "6471006")));
}

#[test]
fn an_ordinary_request_with_its_task_says_nothing_beside_its_reasons() {
    let referral = read(request(), vec![task()]);
    let said: Vec<&str> = referral.beside.iter().map(|r| r.text.as_str()).collect();
    assert_eq!((said.as_slice(), referral.unread.len()), (&["Referral to social prescribing service"][..0], 0));
}

#[test]
fn a_question_is_read_with_its_answer_and_not_at_all_with_a_no() {
    let asked = "Thoughts of ending your life?";
    let no = [
        json!({"valueBoolean": false}),
        json!({"valueInteger": 0}),
        json!({"valueString": "None."}),
        json!({"valueCoding": {"system": "http://loinc.org", "code": "LA6568-5", "display": "Not at all"}}),
    ];
    for answer in no {
        let referral = attached(answered(asked, &answer));
        assert!(!says(&referral, "Thoughts of ending"), "{answer}: {:?}", referral.beside);
    }
    for (answer, line) in [
        (json!({"valueBoolean": true}), "Wellbeing: Thoughts of ending your life: yes"),
        (json!({"valueInteger": 2}), "Wellbeing: Thoughts of ending your life: 2"),
        (json!({"valueCoding": {"display": "Several days"}}), "Wellbeing: Thoughts of ending your life: Several days"),
    ] {
        assert!(says(&attached(answered(asked, &answer)), line), "{line}");
    }
    assert!(says(
        &attached(answered("Do you feel safe at home?", &json!({"valueBoolean": false}))),
        "no about being safe"
    ));
    let unasked = json!({"resourceType": "QuestionnaireResponse", "item": [{"linkId": "1", "text": asked}]});
    assert!(!says(&attached(unasked), "Thoughts"));
}

#[test]
fn names_of_people_and_places_are_not_read_nor_what_is_known_to_be_a_mistake() {
    let referral = attached(json!({"resourceType": "Condition", "code": {"text": "Asthma"},
        "recorder": {"reference": "Practitioner/d1", "display": "Dr Killer"}, "asserter": {"display": "Dr Killer"},
        "note": [{"authorReference": {"display": "Dr Killer"}, "authorString": "Dr Killer", "text": "Mild."}],
        "encounter": {"reference": "Encounter/e1", "display": "Killer ward"}}));
    assert!(!says(&referral, "Killer") && referral.unread.is_empty(), "{referral:?}");
    let mistake = attached(json!({"resourceType": "Observation", "status": "entered-in-error", "valueString": SAID}));
    assert!(!says(&mistake, SAID));
}

#[test]
fn what_is_attached_and_cannot_be_read_is_said_without_saying_whose_it_is() {
    let pdf = json!([{"attachment": {"contentType": "application/pdf", "url": "Binary/b1", "title": "A letter"}}]);
    let refers = |reference: Value| read(with("supportingInfo", json!([reference])), vec![]);
    let places = [
        (attached(json!({"resourceType": "DocumentReference", "content": pdf})), "DocumentReference"),
        (attached(json!({"resourceType": "Media", "content": {"url": "https://x.example/y"}})), "Media"),
        (attached(json!({"resourceType": "Condition", "subject": {"reference": "Patient/other"}})), "another patient"),
        (attached(json!({"resourceType": "Condition", "modifierExtension": [{"url": "x"}]})), "modifierExtension"),
        (refers(json!({"reference": "Condition/nothere"})), "Condition"),
        (refers(json!({"reference": "https://elsewhere.example/Condition/1"})), "another system"),
        (refers(json!({"reference": "#nothere"})), "does not give"),
        (refers(json!({"identifier": {"system": "x", "value": "y"}, "type": "Observation"})), "does not give"),
    ];
    for (referral, why) in places {
        let [said] = referral.unread.as_slice() else { panic!("{why}: {:?}", referral.unread) };
        let said = said.to_string();
        assert!(said.contains(why) && !said.contains("nothere"), "{said}");
    }
    assert!(refers(json!({"display": "A letter of the hospital"})).unread.is_empty());
}

#[test]
fn a_restricting_label_on_anything_that_came_restricts_the_whole() {
    let label =
        json!({"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]});
    let mut labelled = task();
    labelled["meta"] = label.clone();
    for referral in [
        read(request(), vec![labelled]),
        attached(json!({"resourceType": "Condition", "meta": label, "code": {"text": "HIV"}})),
    ] {
        assert!(referral.patient.restricted && referral.patient.address.is_none());
    }
    assert!(!read(request(), vec![task()]).patient.restricted);
}

#[test]
fn a_rule_about_contact_is_read_wherever_it_stands_and_whatever_letters_it_is_made_of() {
    for detail in [
        json!({"coding": [{"display": "Do not contact the patient"}]}),
        json!({"coding": [{"display": "Do not contact the patient"}], "text": "see code"}),
        json!({"text": "Do not con\u{200b}tact the patient"}),
    ] {
        let referral = read(with("orderDetail", json!([detail])), vec![]);
        assert_ne!(referral.safe_contact, SafeContact::Open, "{detail}");
    }
}
