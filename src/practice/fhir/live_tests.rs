//! The road of one referral against a real FHIR R4 server, where one is given in `WELLBRIDGE_FHIR_BASE`.

use serde_json::{Value, json};

use super::*;
use crate::practice::{CoarseStep, MessageBack};
use crate::referral::episode::{Closed, Moment};
use crate::referral::{Ons4, Score, Sharing};

#[tokio::test]
async fn a_referral_is_polled_kept_true_and_filed_once_on_a_real_server() {
    let Ok(base) = std::env::var("WELLBRIDGE_FHIR_BASE") else {
        println!("WELLBRIDGE_FHIR_BASE is not set: no real FHIR server was asked");
        return;
    };
    let http = reqwest::Client::new();
    let post = async |kind: &str, body: Value| -> Value {
        let sent = http.post(format!("{base}/{kind}")).header("content-type", "application/fhir+json").body(body.to_string());
        let answer = sent.send().await.unwrap();
        assert!(answer.status().is_success(), "{kind}");
        answer.json().await.unwrap()
    };
    let id = |v: &Value| v["id"].as_str().unwrap().to_owned();
    let us = id(&post("Organization", json!({"resourceType": "Organization", "name": "Wellbridge"})).await);
    let patient = id(&post("Patient", json!({"resourceType": "Patient", "name": [{"family": "Lumb", "given": ["Jean"]}],
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990301506"}]})).await);
    let request = |patient: &str| json!({"resourceType": "ServiceRequest", "status": "active", "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "871731000000106"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "note": [{"text": "Lonely since the move."}]});
    let bare = id(&post("ServiceRequest", request(&patient)).await);
    let tasked = id(&post("ServiceRequest", request(&patient)).await);
    let task = id(&post("Task", json!({"resourceType": "Task", "status": "requested", "intent": "order",
        "owner": {"reference": format!("Organization/{us}")}, "focus": {"reference": format!("ServiceRequest/{tasked}")}})).await);
    post("Consent", json!({"resourceType": "Consent", "status": "active", "dateTime": "2026-11-20", "patient": {"reference": format!("Patient/{patient}")},
        "scope": {"coding": [{"code": "patient-privacy"}]}, "policyRule": {"text": "x"},
        "category": [{"text": "Referral to a community service"}], "provision": {"type": "permit"}})).await;

    let mut settings = FhirSettings::new("beckside".into(), base.parse().unwrap());
    settings.organization = Some(OurOrganization::Id(us));
    settings.complete_request = true;
    let practice = FhirPractice::new(settings, Arc::new(Auth::None), Arc::new(Mappings::builtin().unwrap()), Clock::System).unwrap();
    println!("{}", practice.check().await.unwrap());
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    let mut from = PollFrom::Since(Some("2020-01-01T00:00:00Z".parse().unwrap()));
    loop {
        let page = practice.poll(&from).await.unwrap();
        for input in page.inputs {
            let Input::Readable(referral, _) = input else { panic!("{input:?}") };
            assert_eq!(referral.consent, crate::referral::Consent::Given);
            found.push((referral.source.request.clone(), referral.source.task.clone()));
        }
        let Some(next) = page.next else { break };
        from = PollFrom::Next(next);
    }
    assert!(found.contains(&(bare.clone(), None)) && found.contains(&(tasked.clone(), Some(task.clone()))), "{found:?}");
    assert!(!found.contains(&(tasked.clone(), None)));

    let score = |n: u8| Score::try_from(n).unwrap();
    let scores = |n: u8| Some(Ons4 { satisfied: score(n), worthwhile: score(n), happy: score(n), anxious: score(n) });
    for request in [&bare, &tasked] {
        let Input::Readable(referral, _) = practice.read(&Source { practice: "beckside".into(), request: request.clone(), task: None, version: String::new() }).await.unwrap() else { panic!() };
        let filing = ClinicalFiling {
            id: crate::referral::FilingId::from_uuid(crate::random::uuid()), moment: Moment::Closed(Closed::Finished), source: referral.source.clone(),
            occurred: "2026-11-24T12:00:00Z".parse().unwrap(), sharing: Sharing::Full, person_accepted: true, already_coded: false,
            before: scores(3), after: scores(7),
            message: MessageBack { service: Some("Tai Chi".into()), risks: Some("A fall".into()), ..MessageBack::default() },
        };
        let Receipt::Filed(first) = practice.file(&filing).await.unwrap() else { panic!() };
        let Receipt::Filed(second) = practice.file(&filing).await.unwrap() else { panic!() };
        assert_eq!((first.len(), &first), (6, &second), "filing twice files once");
        let mut standing = TaskStanding { source: referral.source.clone(), step: CoarseStep::Seeking, outputs: Vec::new(),
            since: "2026-11-24T12:00:00Z".parse().unwrap(), sharing: Sharing::Full, seen: None };
        let written = practice.keep_task(&standing).await.unwrap();
        let again = practice.keep_task(&standing).await.unwrap();
        assert_eq!((&written.id, again.version), (&again.id, None));
        standing.step = CoarseStep::Closed(Closed::Finished);
        standing.outputs = first;
        assert!(practice.keep_task(&standing).await.unwrap().version.is_some());
        let Input::Readable(after, raw) = practice.read(&referral.source).await.unwrap() else { panic!() };
        assert_eq!(after.source.task.as_deref(), Some(written.id.as_str()));
        assert_eq!(after.status, crate::referral::content::RequestStatus::Completed);
        println!("{}", raw.documents[1]);
    }
}
