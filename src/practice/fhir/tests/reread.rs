//! Reading one request again: what is gone is looked for twice, and a consent that cannot be read is no consent.

use super::*;
use crate::referral::Consent;

fn source(request: &str) -> Source {
    Source { practice: "beckside".into(), request: request.into(), task: None, version: "1".into() }
}

fn is_readable(input: &Input) -> bool {
    matches!(input, Input::Readable(..))
}

fn consent_of(input: Input) -> Consent {
    match input {
        Input::Readable(referral, _) => referral.consent,
        Input::Unreadable(held, _) => panic!("{held:?}"),
    }
}

#[tokio::test]
async fn a_request_is_read_again_with_its_patient_and_consent_as_they_stand() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    script.says(
        "POST /r4/Consent/_search",
        bundle(&[json!({"resourceType": "Consent", "id": "c1", "status": "rejected",
        "category": [{"text": "Referral to a community service"}], "patient": {"reference": "Patient/p1"}})]),
    );
    let practice = script.practice();
    let Input::Readable(referral, _) = practice.read(&source("sr1")).await.unwrap() else { panic!() };
    assert_eq!((referral.status, referral.consent), (RequestStatus::Active, Consent::Declined));
    let Input::Unreadable(held, _) = practice.read(&source("sr9")).await.unwrap() else { panic!() };
    assert_eq!(held.hold, Hold::UnreadableRequest);
}

#[tokio::test]
async fn one_passing_404_does_not_make_a_request_or_its_patient_gone() {
    let script = Script::start().await;
    script.on("GET /r4/ServiceRequest/sr1", |_, _| StatusCode::NOT_FOUND.into_response());
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    // The patient is looked for by search, then by id.
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    assert!(is_readable(&script.practice().read(&source("sr1")).await.unwrap()));

    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.says("POST /r4/Patient/_search", bundle(&[])).says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    assert!(is_readable(&script.practice().read(&source("sr1")).await.unwrap()));

    let script = Script::start().await;
    script.on("GET /r4/ServiceRequest/sr1", |_, _| StatusCode::GONE.into_response());
    assert!(!is_readable(&script.practice().read(&source("sr1")).await.unwrap()));
    assert_eq!(script.asked("GET /r4/ServiceRequest/sr1").len(), 2);
}

#[tokio::test]
async fn an_entry_that_never_had_an_id_is_not_asked_for() {
    let script = Script::start().await;
    let practice = script.practice_with(|s| s.organization = Some(OurOrganization::Id("us".into())));
    let hash = "sha256-0123456789abcdef0123456789abcdef";
    for nameless in [hash, "urn:uuid:7", "https://fhir.surgery.example/r4/ServiceRequest/7", "Task/t1", ""] {
        let error = practice.read(&source(nameless)).await.unwrap_err();
        assert!(matches!(error, EffectError::GiveUp { .. }), "{nameless}: {error:?}");
    }
    assert!(script.asked("").is_empty());
}

#[tokio::test]
async fn a_consent_that_is_named_and_not_given_is_no_blank() {
    for reference in ["Consent/c9", "https://elsewhere.example/r4/Consent/c9"] {
        let script = Script::start().await;
        let mut referred = request("sr1", "p1");
        referred["supportingInfo"] = json!([{"reference": reference}]);
        script.says("GET /r4/ServiceRequest/sr1", referred);
        script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
        script.says("POST /r4/Consent/_search", bundle(&[]));
        let read = script.practice().read(&source("sr1")).await.unwrap();
        assert_eq!(consent_of(read), Consent::Unreadable, "{reference}");
    }
}

#[tokio::test]
async fn a_no_on_the_second_page_of_consents_is_found_and_a_list_cut_short_is_an_error() {
    let consent = |id: &str, kind: &str, day: &str| {
        json!({"resourceType": "Consent", "id": id, "status": "active", "dateTime": day, "provision": {"type": kind},
            "category": [{"text": "Referral to a community service"}], "patient": {"reference": "Patient/p1"}})
    };
    for whole in [true, false] {
        let script = Script::start().await;
        script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
        script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
        let first = consent("c1", "permit", "2026-11-01");
        script.on("POST /r4/Consent/_search", move |base, _| {
            let mut page = bundle(std::slice::from_ref(&first));
            page["total"] = json!(2);
            if whole {
                page["link"] = json!([{"relation": "next", "url": format!("{base}/Consent?page=2")}]);
            }
            fhir(200, &page)
        });
        script.says("GET /r4/Consent?page=2", bundle(&[consent("c2", "deny", "2026-11-20")]));
        match script.practice().read(&source("sr1")).await {
            Ok(read) => assert!(whole && consent_of(read) == Consent::Declined),
            Err(error) => assert!(!whole && matches!(error, EffectError::RetryAfter { .. }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_newer_no_beside_the_yes_that_is_attached_is_found_by_every_reading() {
    let consent = |id: &str, of: &str, kind: &str, day: &str| {
        json!({"resourceType": "Consent", "id": id, "status": "active", "dateTime": day, "provision": {"type": kind},
            "category": [{"text": "Referral to a community service"}],
            "patient": {"reference": format!("Patient/{of}")}})
    };
    let attached = |id: &str, patient: &str, consent: &str| {
        let mut referred = request(id, patient);
        referred["supportingInfo"] = json!([{"reference": format!("Consent/{consent}")}]);
        referred
    };
    let yes = [consent("a1", "p1", "permit", "2026-11-01"), consent("a2", "p2", "permit", "2026-11-01")];
    for (beside, expected) in [
        (consent("b1", "p1", "deny", "2026-11-20"), Consent::Declined),
        (consent("b1", "p1", "deny", "2026-10-20"), Consent::Given),
        (consent("b1", "p2", "deny", "2026-11-20"), Consent::Given),
    ] {
        let script = Script::start().await;
        let requests = [attached("sr1", "p1", "a1"), attached("sr2", "p2", "a2")];
        script.says("GET /r4/ServiceRequest/sr1", requests[0].clone());
        script.says("GET /r4/ServiceRequest?code=", bundle(&requests));
        script.says("GET /r4/ServiceRequest?category=", bundle(&[]));
        script.says("POST /r4/Patient/_search", bundle(&[patient("p1"), patient("p2")]));
        let (by_id, by_patient) = (bundle(&yes), bundle(&[yes[0].clone(), yes[1].clone(), beside.clone()]));
        script.on("POST /r4/Consent/_search", move |_, asked| {
            fhir(200, if asked.body.starts_with("patient=") { &by_patient } else { &by_id })
        });
        let practice = script.practice();
        assert_eq!(consent_of(practice.read(&source("sr1")).await.unwrap()), expected, "{beside}");
        let before = script.asked("POST /r4/Consent/_search").len();
        let (inputs, _) = super::poll::whole_poll(&practice).await.unwrap();
        let first = inputs.into_iter().next().unwrap();
        assert_eq!(consent_of(first), expected, "{beside}");
        let asked = script.asked("POST /r4/Consent/_search").split_off(before);
        assert_eq!(asked.len(), 1, "those of all patients in one search, those attached among them");
        assert!(asked.iter().any(|a| a.body.contains("patient=Patient%2Fp1%2CPatient%2Fp2")), "{asked:?}");
    }
}

#[tokio::test]
async fn a_reading_asks_for_request_task_patient_and_consents_once_each() {
    let script = Script::start().await;
    let mut referred = request("sr1", "p1");
    referred["supportingInfo"] = json!([{"reference": "Consent/c1"}]);
    script.says("GET /r4/ServiceRequest/sr1", referred).says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    script.says("POST /r4/Task/_search", bundle(&[]));
    let consent = json!({"resourceType": "Consent", "id": "c1", "status": "active", "provision": {"type": "permit"},
        "category": [{"text": "Referral to a community service"}], "patient": {"reference": "Patient/p1"}});
    script.says("POST /r4/Consent/_search", bundle(&[consent]));
    assert_eq!(consent_of(script.practice().read(&source("sr1")).await.unwrap()), Consent::Given);
    assert_eq!(script.asked("").len(), 4, "{:?}", script.asked(""));
}

#[tokio::test]
async fn a_consent_that_is_attached_is_read_by_its_id_where_a_patients_list_is_not_offered() {
    let script = Script::start().await;
    let mut referred = request("sr1", "p1");
    referred["supportingInfo"] = json!([{"reference": "Consent/c1"}]);
    script.says("GET /r4/ServiceRequest/sr1", referred).says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let no = json!({"resourceType": "Consent", "id": "c1", "status": "active", "provision": {"type": "deny"},
        "category": [{"text": "Referral to a community service"}], "patient": {"reference": "Patient/p1"}});
    script.on("POST /r4/Consent/_search", move |_, asked| {
        if asked.body.starts_with("patient=") {
            return StatusCode::BAD_REQUEST.into_response();
        }
        fhir(200, &bundle(std::slice::from_ref(&no)))
    });
    assert_eq!(consent_of(script.practice().read(&source("sr1")).await.unwrap()), Consent::Declined);
}
