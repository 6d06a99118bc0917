//! Polling and reading again: pages, patients, and the bad days of a practice's system.

use super::*;
use crate::referral::Consent;

const SINCE: &str = "2020-11-24T09:00:00Z";

pub(super) async fn whole_poll(practice: &FhirPractice) -> Result<(Vec<Input>, u64), EffectError> {
    poll_knowing(practice, &NOTHING).await
}

async fn poll_knowing(practice: &FhirPractice, known: &Read) -> Result<(Vec<Input>, u64), EffectError> {
    let (mut inputs, mut missing) = (Vec::new(), 0);
    let mut from = PollFrom::Since(Some(SINCE.parse().unwrap()));
    loop {
        let page = practice.poll(&from, known).await?;
        inputs.extend(page.inputs);
        missing += page.missing;
        match page.next {
            Some(next) => from = PollFrom::Next(next),
            None => return Ok((inputs, missing)),
        }
    }
}

fn holds(inputs: &[Input]) -> Vec<Option<Hold>> {
    inputs
        .iter()
        .map(|i| match i {
            Input::Readable(..) => None,
            Input::Unreadable(u, _) => Some(u.hold),
        })
        .collect()
}

const BY_CODE: &str = "GET /r4/ServiceRequest?code=";
const BY_CATEGORY: &str = "GET /r4/ServiceRequest?category=";

#[tokio::test]
async fn a_bad_entry_never_costs_a_page_and_is_never_lost() {
    let script = Script::start().await;
    let mut nobody = request("sr2", "p1");
    nobody["subject"] = Value::Null;
    let mut page =
        bundle(&[request("sr1", "p1"), nobody, request("sr3", "gone"), json!("not a resource"), request("sr4", "odd")]);
    page["entry"].as_array_mut().unwrap().push(json!({"fullUrl": "urn:uuid:7"}));
    let mut odd = patient("odd");
    odd["identifier"][0]["value"] = json!("9990301507");
    script.says(BY_CODE, page).says(BY_CATEGORY, bundle(&[]));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1"), odd]));
    let (inputs, _) = whole_poll(&script.practice()).await.unwrap();
    let expected = [
        None,
        Some(Hold::NoSubject),
        Some(Hold::PatientUnreadable),
        Some(Hold::UnreadableRequest),
        Some(Hold::BadNhsNumber),
        Some(Hold::UnreadableRequest),
    ];
    assert_eq!(holds(&inputs), expected);
    let Input::Unreadable(stray, raw) = &inputs[5] else { panic!() };
    assert_eq!(
        (stray.source.request.as_str(), raw.documents[0].as_str()),
        ("urn:uuid:7", r#"{"fullUrl":"urn:uuid:7"}"#)
    );
}

#[tokio::test]
async fn pages_are_followed_and_patients_are_fetched_by_the_batch() {
    let script = Script::start().await;
    script.on(BY_CODE, |base, _| {
        let mut page = bundle(&[request("sr1", "p1"), request("sr2", "p2")]);
        page["total"] = json!(3);
        page["link"] = json!([{"relation": "next", "url": format!("{base}/ServiceRequest?page=2")}]);
        fhir(200, &page)
    });
    let mut second = bundle(&[request("sr3", "p3")]);
    second["total"] = json!(3);
    script.says("GET /r4/ServiceRequest?page=2", second).says(BY_CATEGORY, bundle(&[]));
    script.on("POST /r4/Patient/_search", |_, asked| {
        let ids = ["p1", "p2", "p3"].into_iter().filter(|id| asked.body.contains(id));
        fhir(200, &bundle(&ids.map(patient).collect::<Vec<_>>()))
    });
    let (inputs, missing) = whole_poll(&script.practice()).await.unwrap();
    assert_eq!((holds(&inputs), missing), (vec![None, None, None], 0));
    assert_eq!(script.asked("POST /r4/Patient/_search").len(), 2, "one search a page, not one a referral");
    let first = &script.asked(BY_CODE)[0];
    assert!(first.line.contains("_lastUpdated=ge2020-11-24T09%3A00%3A00Z"), "{}", first.line);
    assert_eq!(first.headers["accept"], "application/fhir+json");
}

#[tokio::test]
async fn a_total_that_promises_more_than_came_is_told() {
    let script = Script::start().await;
    let mut page = bundle(&[request("sr1", "p1")]);
    page["total"] = json!(4);
    script
        .says(BY_CODE, page)
        .says(BY_CATEGORY, bundle(&[]))
        .says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let (inputs, missing) = whole_poll(&script.practice()).await.unwrap();
    assert_eq!((inputs.len(), missing), (1, 3));
}

#[tokio::test]
async fn a_task_and_its_request_are_one_referral_from_either_side() {
    let script = Script::start().await;
    script.says("POST /r4/Organization/_search", bundle(&[json!({"resourceType": "Organization", "id": "us"})]));
    script.says("GET /r4/Task?owner=Organization%2Fus", bundle(&[task("4", "requested"), request("sr1", "p1")]));
    script.says(BY_CODE, bundle(&[request("sr1", "p1")])).says(BY_CATEGORY, bundle(&[]));
    script.says("POST /r4/Task/_search", bundle(&[task("4", "requested")]));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let identifier = OurOrganization::Identifier {
        system: "https://fhir.nhs.uk/Id/ods-organization-code".into(),
        value: "A99990".into(),
    };
    let practice = script.practice_with(|s| s.organization = Some(identifier));
    let (inputs, _) = whole_poll(&practice).await.unwrap();
    let sources: Vec<(&str, Option<&str>, Option<&str>)> = inputs
        .iter()
        .map(|i| match i {
            Input::Readable(r, raw) => {
                (r.source.request.as_str(), r.source.task.as_deref(), raw.task_version.as_deref())
            }
            Input::Unreadable(u, _) => panic!("{u:?}"),
        })
        .collect();
    assert_eq!(sources, [("sr1", Some("t1"), Some("4")); 2]);
    whole_poll(&practice).await.unwrap();
    assert_eq!(script.asked("POST /r4/Organization/_search").len(), 1, "our Organization is looked up once");
}

#[tokio::test]
async fn a_task_whose_request_is_gone_is_held_under_the_requests_id() {
    let script = Script::start().await;
    script.says("GET /r4/Task?owner=", bundle(&[task("4", "requested")]));
    script.says("POST /r4/ServiceRequest/_search", bundle(&[])).says("GET /r4/ServiceRequest?", bundle(&[]));
    let practice = script.practice_with(|s| s.organization = Some(OurOrganization::Id("us".into())));
    let (inputs, _) = whole_poll(&practice).await.unwrap();
    let [Input::Unreadable(held, _)] = inputs.as_slice() else { panic!("{inputs:?}") };
    assert_eq!((held.source.request.as_str(), held.source.task.as_deref()), ("sr1", Some("t1")));
}

#[tokio::test]
async fn a_bad_page_is_an_error_of_the_page_and_says_what_to_do() {
    let html = |_: &str, _: &Asked| ([("content-type", "text/html")], "<html>Sign in</html>").into_response();
    let foreign = |_: &str, _: &Asked| {
        fhir(
            200,
            &json!({"resourceType": "Bundle", "link": [{"relation": "next", "url": "https://evil.example/r4/Task"}]}),
        )
    };
    let endless = |_: &str, asked: &Asked| {
        let turn = asked.line.len();
        fhir(
            200,
            &json!({"resourceType": "Bundle", "link": [{"relation": "next", "url": format!("ServiceRequest?code={}", "x".repeat(turn))}]}),
        )
    };
    let redirect = |_: &str, _: &Asked| (StatusCode::FOUND, [("location", "https://evil.example/")]).into_response();
    let large = |_: &str, _: &Asked| " ".repeat(2_000_000).into_response();
    let wait = |_: &str, _: &Asked| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "90")]).into_response();
    let date = |_: &str, _: &Asked| {
        (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "Tue, 24 Nov 2026 12:05:00 GMT")]).into_response()
    };
    let shut = |_: &str, _: &Asked| StatusCode::FORBIDDEN.into_response();
    let refused = |_: &str, _: &Asked| {
        fhir(
            400,
            &json!({"resourceType": "OperationOutcome", "issue": [{"details": {"text": "unknown parameter _sort"}}]}),
        )
    };
    let cases: Vec<(&str, Answer, Judge)> = vec![
        ("html", Box::new(html), |e| matches!(e, EffectError::RetryAfter { why, .. } if why.contains("web page"))),
        ("foreign", Box::new(foreign), |e| matches!(e, EffectError::NeedsPerson { why } if why.contains("outside"))),
        (
            "endless",
            Box::new(endless),
            |e| matches!(e, EffectError::RetryAfter { why, .. } if why.contains("without end")),
        ),
        ("redirect", Box::new(redirect), |e| matches!(e, EffectError::NeedsPerson { why } if why.contains("redirect"))),
        ("large", Box::new(large), |e| matches!(e, EffectError::RetryAfter { why, .. } if why.contains("bytes"))),
        ("wait", Box::new(wait), |e| matches!(e, EffectError::RetryAfter { after: Some(d), .. } if d.as_secs() == 90)),
        ("date", Box::new(date), |e| matches!(e, EffectError::RetryAfter { after: Some(d), .. } if d.as_secs() == 300)),
        ("shut", Box::new(shut), |e| matches!(e, EffectError::NeedsPerson { .. })),
        (
            "refused",
            Box::new(refused),
            |e| matches!(e, EffectError::GiveUp { detail: Some(d), why } if d.contains("_sort") && !why.contains("_sort")),
        ),
    ];
    for (name, bad, judge) in cases {
        let script = Script::start().await;
        script.on("GET /r4/ServiceRequest?", bad);
        let practice = script.practice_with(|s| {
            s.max_pages = 5;
            s.limits.body = 1_000_000;
        });
        let error = whole_poll(&practice).await.unwrap_err();
        assert!(judge(&error), "{name}: {error:?}");
        assert!(script.asked("GET /r4/ServiceRequest?").len() <= 5, "{name}");
    }
}

#[tokio::test]
async fn a_patient_who_cannot_be_read_just_now_is_an_error_of_the_page_not_a_hold() {
    let script = Script::start().await;
    script.says(BY_CODE, bundle(&[request("sr1", "p1")])).says(BY_CATEGORY, bundle(&[]));
    script.on("POST /r4/Patient/_search", |_, _| StatusCode::SERVICE_UNAVAILABLE.into_response());
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let practice = script.practice();
    assert!(matches!(whole_poll(&practice).await, Err(EffectError::RetryAfter { .. })));
    assert_eq!(holds(&whole_poll(&practice).await.unwrap().0), [None]);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error_to_retry() {
    let script = Script::start().await;
    let practice = script.practice_with(|s| s.base = "http://127.0.0.1:9/r4".parse().unwrap());
    assert!(matches!(whole_poll(&practice).await, Err(EffectError::RetryAfter { .. })));
}

#[tokio::test]
async fn identifiers_travel_in_bodies_and_foreign_patients_are_not_asked_for() {
    let script = Script::start().await;
    let mut logical = request("sr1", "x");
    logical["subject"] = json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990301506"}});
    let mut numbered = request("sr2", "9990300127");
    numbered["note"] = json!([]);
    let mut foreign = request("sr3", "x");
    foreign["subject"] = json!({"reference": "https://evil.example/r4/Patient/1"});
    script.says(BY_CODE, bundle(&[logical, numbered, foreign])).says(BY_CATEGORY, bundle(&[]));
    let mut other = patient("9990300127");
    other["identifier"] = json!([]);
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1"), other]));
    let (inputs, _) = whole_poll(&script.practice()).await.unwrap();
    assert_eq!(holds(&inputs), [None, None, Some(Hold::PatientUnreadable)]);
    let all = script.asked("");
    assert!(all.iter().any(|a| a.body.contains("9990301506")));
    for asked in all {
        assert!(!asked.line.contains("999030"), "{}", asked.line);
    }
}

#[tokio::test]
async fn an_entry_pushed_past_a_pages_edge_is_missed_though_the_numbers_add_up() {
    let script = Script::start().await;
    script.on(BY_CODE, |base, _| {
        let mut page = bundle(&[request("sr1", "p1"), request("sr2", "p1")]);
        page["total"] = json!(4);
        page["link"] = json!([{"relation": "next", "url": format!("{base}/ServiceRequest?offset=2")}]);
        fhir(200, &page)
    });
    // Meanwhile sr1 was saved: it moved to the end, and sr3 slid onto the page already read.
    let mut second = bundle(&[request("sr4", "p1"), request("sr1", "p1")]);
    second["total"] = json!(4);
    script.says("GET /r4/ServiceRequest?offset=2", second).says(BY_CATEGORY, bundle(&[]));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    assert_eq!(whole_poll(&script.practice()).await.unwrap().1, 1);
}

#[tokio::test]
async fn a_page_tells_the_practices_own_clock() {
    let script = Script::start().await;
    script.on(BY_CODE, |_, _| ([("date", "Tue, 24 Nov 2026 11:52:07 GMT")], bundle(&[]).to_string()).into_response());
    let page = script.practice().poll(&PollFrom::Since(None), &NOTHING).await.unwrap();
    assert_eq!(page.server_time, Some("2026-11-24T11:52:07Z".parse().unwrap()));
}

#[tokio::test]
async fn open_requests_that_changed_are_asked_for_by_id_many_at_a_time() {
    let script = Script::start().await;
    let open: Vec<Source> = (1..=120)
        .map(|n| format!("sr{n}"))
        .chain(["sha256-0123456789abcdef0123456789abcdef".to_owned(), "urn:uuid:7".to_owned()])
        .map(|request| Source { practice: "beckside".into(), request, task: Some("t1".into()), version: "1".into() })
        .collect();
    // The server heeds neither `_id` nor its own caps: a stranger comes along, and some of it on a second page.
    script.on("POST /r4/ServiceRequest/_search", |base, asked| {
        let mut taken_back = request("sr7", "p1");
        taken_back["status"] = json!("revoked");
        let mut page = bundle(&[request("stranger", "p1")]);
        if asked.body.contains("sr7%2C") {
            page = bundle(&[taken_back, request("stranger", "p1")]);
            page["link"] = json!([{"relation": "next", "url": format!("{base}/ServiceRequest?page=2")}]);
        }
        fhir(200, &page)
    });
    script.says("GET /r4/ServiceRequest?page=2", bundle(&[request("sr70", "p1")]));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let inputs = script.practice().changed(&open, SINCE.parse().unwrap(), &NOTHING).await.unwrap();
    let mut found: Vec<(&str, bool)> = inputs
        .iter()
        .map(|input| match input {
            Input::Readable(r, _) => (r.source.request.as_str(), r.status.is_withdrawn()),
            Input::Unreadable(u, _) => panic!("{u:?}"),
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("sr7", true), ("sr70", false)]);
    let asked = script.asked("POST /r4/ServiceRequest/_search");
    assert_eq!(asked.len(), 3, "fifty at a time");
    for one in &asked {
        assert!(one.body.contains("_lastUpdated=ge2020-11-24T09%3A00%3A00Z"), "{}", one.body);
        assert!(!one.body.contains("sha256") && !one.body.contains("uuid"), "{}", one.body);
    }
}

#[tokio::test]
async fn where_nothing_changed_nothing_more_is_asked() {
    let script = Script::start().await;
    script.says("POST /r4/ServiceRequest/_search", bundle(&[]));
    let open = Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() };
    assert!(script.practice().changed(&[open], SINCE.parse().unwrap(), &NOTHING).await.unwrap().is_empty());
    assert_eq!(script.asked("").len(), 1);
}

fn versions(request: &str, task: Option<(&str, &str)>) -> Versions {
    Versions { request: request.into(), task: task.map(|(id, version)| (id.into(), version.into())) }
}

/// The requests that a poll brought, and how often something else than a page was asked for.
async fn brought(known: Read, our_task: &str) -> (Vec<String>, usize) {
    let script = Script::start().await;
    script.says("GET /r4/Task?owner=", bundle(&[task(our_task, "accepted"), request("sr1", "p1")]));
    script.says(BY_CODE, bundle(&[request("sr1", "p1"), request("sr2", "p1")])).says(BY_CATEGORY, bundle(&[]));
    script.says("POST /r4/Task/_search", bundle(&[task(our_task, "accepted")]));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    let practice = script.practice_with(|s| s.organization = Some(OurOrganization::Id("us".into())));
    let (inputs, _) = poll_knowing(&practice, &known).await.unwrap();
    let requests = inputs.into_iter().map(|input| match input {
        Input::Readable(r, _) => r.source.request,
        Input::Unreadable(u, _) => panic!("{u:?}"),
    });
    (requests.collect(), script.asked("POST ").len())
}

#[tokio::test]
async fn what_was_read_in_the_version_that_a_poll_finds_is_not_read_again() {
    let ours = Some(("t1", "4"));
    let both = || vec![("sr1", versions("1", ours)), ("sr2", versions("1", None))];
    assert_eq!(brought(Read(both()), "4").await, (vec![], 0), "nothing but the three pages was asked for");
    // Another version of the request, or of its Task; a Task never seen; another Task; a request never seen.
    for (sr1, task, expected) in [
        (versions("2", ours), "4", vec!["sr1", "sr1"]),
        (versions("1", ours), "5", vec!["sr1"]),
        (versions("1", None), "4", vec!["sr1"]),
        (versions("1", Some(("t0", "4"))), "4", vec!["sr1"]),
    ] {
        let known = Read(vec![("sr1", sr1.clone()), ("sr2", versions("1", None))]);
        assert_eq!(brought(known, task).await.0, expected, "{sr1:?} {task}");
    }
    assert_eq!(brought(Read(both()[..1].to_vec()), "4").await.0, ["sr2"]);
}

#[tokio::test]
async fn an_open_request_that_stands_as_it_was_read_is_not_read_again() {
    let script = Script::start().await;
    script.says("POST /r4/ServiceRequest/_search", bundle(&[request("sr1", "p1")]));
    let open = Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() };
    let known = Read(vec![("sr1", versions("1", None))]);
    let found = script.practice().changed(&[open], SINCE.parse().unwrap(), &known).await.unwrap();
    assert_eq!((found.len(), script.asked("").len()), (0, 1));
}

/// A poll of three patients' requests, whose consents the server gives two at a time; how it went, and how often
/// consents were asked for.
async fn consents_in_pages(second: impl Fn() -> Response + Send + Sync + 'static) -> (Vec<Consent>, usize) {
    let people = ["p1", "p2", "p3"];
    let script = Script::start().await;
    script.says(BY_CODE, bundle(&people.map(|p| request(&p.replace('p', "sr"), p)))).says(BY_CATEGORY, bundle(&[]));
    script.says("POST /r4/Patient/_search", bundle(&people.map(patient)));
    script.on("POST /r4/Consent/_search", move |base, asked| {
        if !asked.body.contains("%2CPatient") {
            let id = people.into_iter().find(|p| asked.body.contains(&format!("Patient%2F{p}"))).unwrap();
            return fhir(200, &bundle(&[consent_of(id)]));
        }
        let mut page = bundle(&[consent_of("p1"), consent_of("p2")]);
        page["total"] = json!(3);
        page["link"] = json!([{"relation": "next", "url": format!("{base}/Consent?page=2")}]);
        fhir(200, &page)
    });
    script.on("GET /r4/Consent?page=2", move |_, _| second());
    let (inputs, _) = whole_poll(&script.practice()).await.unwrap();
    let consents = inputs.into_iter().map(|input| match input {
        Input::Readable(r, _) => r.consent,
        Input::Unreadable(u, _) => panic!("{u:?}"),
    });
    (consents.collect(), script.asked("POST /r4/Consent/_search").len())
}

/// The third says no.
fn consent_of(patient: &str) -> Value {
    let kind = if patient == "p3" { "deny" } else { "permit" };
    json!({"resourceType": "Consent", "id": format!("c-{patient}"), "status": "active", "dateTime": "2026-11-20",
        "provision": {"type": kind}, "category": [{"text": "Referral to a community service"}],
        "patient": {"reference": format!("Patient/{patient}")}})
}

#[tokio::test]
async fn many_patients_consents_are_read_page_by_page_and_one_by_one_only_where_pages_fail() {
    let expected = vec![Consent::Given, Consent::Given, Consent::Declined];
    let whole = || fhir(200, &bundle(&[consent_of("p3")]));
    assert_eq!(consents_in_pages(whole).await, (expected.clone(), 1));
    // The pages moved meanwhile: one comes twice and the numbers add up, though a no has not come.
    let moved = || fhir(200, &bundle(&[consent_of("p2")]));
    assert_eq!(consents_in_pages(moved).await, (expected.clone(), 4));
    let gone = || StatusCode::GONE.into_response();
    assert_eq!(consents_in_pages(gone).await, (expected, 4));
}
