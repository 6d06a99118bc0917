//! Nothing leaves for another host: not for a reference, not for a redirect, not for a next page. The other host is a
//! server of its own here, and at the end nobody has asked it anything.

use super::poll::whole_poll;
use super::record::{filing, standing};
use super::*;
use crate::referral::Consent;

fn source() -> Source {
    Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() }
}

/// A sound practice: one request by code, its patient, its Task of ours.
fn sound(script: &Script) {
    script
        .says("GET /r4/Task?owner=", bundle(&[task("4", "requested")]))
        .says("GET /r4/ServiceRequest?code=", bundle(&[request("sr1", "p1")]))
        .says("GET /r4/ServiceRequest?category=", bundle(&[]))
        .says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"))
        .says("GET /r4/Task/t1", task("4", "requested"))
        .says("POST /r4/ServiceRequest/_search", bundle(&[request("sr1", "p1")]))
        .says("POST /r4/Patient/_search", bundle(&[patient("p1")]))
        .says("POST /r4/Task/_search", bundle(&[]))
        .says("POST /r4/Organization/_search", bundle(&[json!({"resourceType": "Organization", "id": "us"})]));
}

fn ours(settings: &mut FhirSettings) {
    let system = "https://fhir.nhs.uk/Id/ods-organization-code".into();
    settings.organization = Some(OurOrganization::Identifier { system, value: "A99990".into() });
}

/// Everything that the adapter ever asks; whether each of them went well.
async fn everything(practice: &FhirPractice) -> [bool; 6] {
    let alone = TaskStanding { source: source(), ..standing(CoarseStep::Booked) };
    let readable = |input: Result<Input, EffectError>| matches!(input, Ok(Input::Readable(..)));
    [
        whole_poll(practice).await.is_ok(),
        practice.changed(&[source()], Timestamp::UNIX_EPOCH, &NOTHING).await.is_ok(),
        readable(practice.read(&source()).await),
        practice.keep_task(&standing(CoarseStep::Booked)).await.is_ok(),
        practice.keep_task(&alone).await.is_ok(),
        practice.file(&filing(Sharing::Full)).await.is_ok(),
    ]
}

#[tokio::test]
async fn no_redirect_of_whatever_request_is_followed() {
    for line in [
        "POST /r4/Organization/_search",
        "GET /r4/Task?owner=",
        "GET /r4/ServiceRequest?code=",
        "GET /r4/ServiceRequest/sr1",
        "POST /r4/ServiceRequest/_search",
        "POST /r4/Patient/_search",
        "POST /r4/Consent/_search",
        "POST /r4/Task/_search",
        "GET /r4/Task/t1",
        "PUT /r4/Task/t1",
        "POST /r4/Task ",
        "POST /r4 ",
    ] {
        for status in [302, 307, 308] {
            let (script, elsewhere) = (Script::start().await, Script::start().await);
            let to = format!("{}/ServiceRequest/sr1", elsewhere.base());
            script.on(line.trim_end(), move |_, _| {
                (StatusCode::from_u16(status).unwrap(), [("location", to.clone())]).into_response()
            });
            sound(&script);
            let done = everything(&script.practice_with(ours)).await;
            assert!(!script.asked(line.trim_end()).is_empty(), "{line} was never asked");
            assert!(done.contains(&false), "{line} {status}: {done:?}");
            assert!(elsewhere.asked("").is_empty(), "{line} {status}: {:?}", elsewhere.asked(""));
        }
    }
}

#[tokio::test]
async fn no_next_page_on_another_host_is_followed_in_any_search() {
    for line in [
        "GET /r4/Task?owner=",
        "GET /r4/ServiceRequest?code=",
        "POST /r4/ServiceRequest/_search",
        "POST /r4/Consent/_search",
        "POST /r4/Task/_search",
    ] {
        let (script, elsewhere) = (Script::start().await, Script::start().await);
        let next = format!("{}/ServiceRequest?page=2", elsewhere.base());
        script.on(line, move |_, _| {
            let mut page = bundle(&[]);
            page["link"] = json!([{"relation": "next", "url": next}]);
            fhir(200, &page)
        });
        sound(&script);
        let done = everything(&script.practice_with(ours)).await;
        assert!(!script.asked(line).is_empty(), "{line} was never asked");
        assert!(done.contains(&false), "{line}: {done:?}");
        assert!(elsewhere.asked("").is_empty(), "{line}: {:?}", elsewhere.asked(""));
    }
}

#[tokio::test]
async fn an_absolute_reference_to_another_host_is_not_followed_wherever_it_stands() {
    let (script, elsewhere) = (Script::start().await, Script::start().await);
    let foreign = |what: &str| json!({"reference": format!("{}/{what}", elsewhere.base())});
    let mut referred = request("sr1", "p1");
    referred["requester"] = foreign("Practitioner/d9");
    referred["reasonReference"] = json!([foreign("Condition/c9")]);
    referred["supportingInfo"] = json!([foreign("Consent/x9")]);
    let mut lost = task("4", "requested");
    lost["id"] = json!("t9");
    lost["focus"] = foreign("ServiceRequest/sr9");
    script.says("GET /r4/Task?owner=", bundle(&[lost])).says("GET /r4/ServiceRequest?code=", bundle(&[referred]));
    sound(&script);
    let (inputs, _) = whole_poll(&script.practice_with(ours)).await.unwrap();
    let [Input::Unreadable(held, _), Input::Readable(referral, _)] = inputs.as_slice() else { panic!("{inputs:?}") };
    assert_eq!((held.hold, held.source.task.as_deref()), (Hold::UnreadableRequest, Some("t9")));
    assert!(held.explanation.contains("another system"), "{}", held.explanation);
    assert_eq!(referral.consent, Consent::Unreadable, "a consent that lies elsewhere may say no");
    assert!(referral.requester.as_ref().is_none_or(|r| r.phone.is_none()));
    assert!(elsewhere.asked("").is_empty(), "{:?}", elsewhere.asked(""));
    for asked in script.asked("") {
        for id in ["d9", "c9", "x9", "sr9"] {
            let named = format!("{} {}", asked.line, asked.body);
            assert!(!named.contains(id), "{id} was asked for at home: {named}");
        }
    }
}
