//! The adapter against a small server that answers what real ones were seen to answer, the bad days included.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::practice::{CoarseStep, MessageBack};
use crate::referral::content::RequestStatus;
use crate::referral::episode::{Closed, Hold, Moment};
use crate::referral::{FilingId, Sharing};

/// What was asked: method, path with query, headers, body.
#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: HeaderMap,
    body: String,
}

type Judge = fn(&EffectError) -> bool;
type Answer = Box<dyn Fn(&str, &Asked) -> Response + Send + Sync>;

/// A server on a free port: each request is answered by the first script line whose start fits, used up unless it is the last.
struct Script {
    lines: Mutex<Vec<(String, VecDeque<Answer>)>>,
    asked: Mutex<Vec<Asked>>,
    base: Mutex<String>,
}

impl Script {
    async fn start() -> Arc<Self> {
        let script = Arc::new(Self { lines: Mutex::default(), asked: Mutex::default(), base: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        *script.base.lock().unwrap() = format!("http://{}/r4", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, app).await });
        script
    }

    fn base(&self) -> String {
        self.base.lock().unwrap().clone()
    }

    /// Requests whose line starts so are answered so, in the order of the calls; the last answer stays.
    fn on(&self, start: &str, answer: impl Fn(&str, &Asked) -> Response + Send + Sync + 'static) -> &Self {
        let mut lines = self.lines.lock().unwrap();
        match lines.iter_mut().find(|(s, _)| s == start) {
            Some((_, answers)) => answers.push_back(Box::new(answer)),
            None => lines.push((start.to_owned(), VecDeque::from([Box::new(answer) as Answer]))),
        }
        self
    }

    fn says(&self, start: &str, body: Value) -> &Self {
        self.on(start, move |_, _| fhir(200, &body))
    }

    fn asked(&self, start: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.line.starts_with(start)).cloned().collect()
    }

    fn practice_with(&self, change: impl FnOnce(&mut FhirSettings)) -> FhirPractice {
        let mut settings = FhirSettings::new("beckside".into(), self.base().parse().unwrap());
        settings.limits.answer = Duration::from_secs(2);
        change(&mut settings);
        let clock = Clock::fixed("2026-11-24T12:00:00Z".parse().unwrap());
        FhirPractice::new(settings, Arc::new(Auth::None), Arc::new(Mappings::builtin().unwrap()), clock).unwrap()
    }

    fn practice(&self) -> FhirPractice {
        self.practice_with(|_| {})
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body: Bytes = to_bytes(body, 1 << 22).await.unwrap();
    let line = format!("{} {}", head.method, head.uri);
    let asked = Asked { line: line.clone(), headers: head.headers, body: String::from_utf8_lossy(&body).into_owned() };
    script.asked.lock().unwrap().push(asked.clone());
    let base = script.base();
    let mut lines = script.lines.lock().unwrap();
    let Some((_, answers)) = lines.iter_mut().find(|(start, _)| line.starts_with(start.as_str())) else {
        return fhir(404, &json!({"resourceType": "OperationOutcome"}));
    };
    let response = answers[0](&base, &asked);
    if answers.len() > 1 {
        answers.pop_front();
    }
    response
}

fn fhir(status: u16, body: &Value) -> Response {
    let version = body["meta"]["versionId"].as_str().map(|v| format!("W/\"{v}\"")).unwrap_or_default();
    let headers = [("content-type", "application/fhir+json".to_owned()), ("etag", version)];
    (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response()
}

fn bundle(resources: &[Value]) -> Value {
    let entry: Vec<Value> = resources.iter().map(|r| json!({"resource": r})).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entry})
}

fn request(id: &str, patient: &str) -> Value {
    json!({"resourceType": "ServiceRequest", "id": id, "meta": {"versionId": "1"}, "status": "active", "intent": "order",
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "871731000000106"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "note": [{"text": "Lonely since the move."}]})
}

fn patient(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"text": "Jean Lumb"}],
        "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990301506"}]})
}

fn task(version: &str, status: &str) -> Value {
    json!({"resourceType": "Task", "id": "t1", "meta": {"versionId": version}, "status": status, "intent": "order",
        "vendor": "kept", "owner": {"reference": "Organization/us"}, "focus": {"reference": "ServiceRequest/sr1"}})
}

async fn whole_poll(practice: &FhirPractice) -> Result<(Vec<Input>, u64), EffectError> {
    let (mut inputs, mut missing) = (Vec::new(), 0);
    let mut from = PollFrom::Since(Some("2026-11-24T09:00:00Z".parse().unwrap()));
    loop {
        let page = practice.poll(&from).await?;
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
    assert!(first.line.contains("_lastUpdated=ge2026-11-24T09%3A00%3A00Z"), "{}", first.line);
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
async fn a_request_is_read_again_with_its_patient_and_consent_as_they_stand() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.says("POST /r4/Patient/_search", bundle(&[patient("p1")]));
    script.says(
        "POST /r4/Consent/_search",
        bundle(&[json!({"resourceType": "Consent", "id": "c1", "status": "rejected",
        "category": [{"text": "Referral to a community service"}], "patient": {"reference": "Patient/p1"}})]),
    );
    let source = Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() };
    let practice = script.practice();
    let Input::Readable(referral, _) = practice.read(&source).await.unwrap() else { panic!() };
    assert_eq!((referral.status, referral.consent), (RequestStatus::Active, crate::referral::Consent::Declined));
    let gone = Source { request: "sr9".into(), ..source };
    let Input::Unreadable(held, _) = practice.read(&gone).await.unwrap() else { panic!() };
    assert_eq!(held.hold, Hold::UnreadableRequest);
}

fn standing(step: CoarseStep) -> TaskStanding {
    TaskStanding {
        source: Source {
            practice: "beckside".into(),
            request: "sr1".into(),
            task: Some("t1".into()),
            version: "1".into(),
        },
        step,
        outputs: vec!["Observation/7".into()],
        since: "2026-11-24T12:00:00Z".parse().unwrap(),
        sharing: Sharing::Full,
        seen: Some("4".into()),
    }
}

#[tokio::test]
async fn a_task_somebody_else_changed_is_read_again_and_their_words_stay() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested")).says("GET /r4/Task/t1", task("5", "requested"));
    script.on("PUT /r4/Task/t1", |_, _| StatusCode::PRECONDITION_FAILED.into_response());
    script.on("PUT /r4/Task/t1", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        body["meta"]["versionId"] = json!("6");
        fhir(200, &body)
    });
    let written = script.practice().keep_task(&standing(CoarseStep::Booked)).await.unwrap();
    // Version 5 was somebody else's and not yet polled, so 6 must not pass for our echo.
    assert_eq!(written, TaskWritten { id: "t1".into(), version: None });
    let puts = script.asked("PUT /r4/Task/t1");
    assert_eq!(
        puts.iter().map(|p| p.headers["if-match"].to_str().unwrap()).collect::<Vec<_>>(),
        ["W/\"4\"", "W/\"5\""]
    );
    let body: Value = serde_json::from_str(&puts[1].body).unwrap();
    assert_eq!((body["vendor"].as_str(), body["status"].as_str()), (Some("kept"), Some("in-progress")));
    assert_eq!(body["output"][0]["valueReference"]["reference"], "Observation/7");
}

#[tokio::test]
async fn our_own_write_tells_its_version_and_nothing_is_written_twice() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested"));
    script.on("PUT /r4/Task/t1", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        body["meta"]["versionId"] = json!("5");
        fhir(200, &body)
    });
    let practice = script.practice();
    let written = practice.keep_task(&standing(CoarseStep::Seeking)).await.unwrap();
    assert_eq!(written.version.as_deref(), Some("5"));
    let stored: Value = serde_json::from_str(&script.asked("PUT ")[0].body).unwrap();
    let again = Script::start().await;
    again.says("GET /r4/Task/t1", stored);
    let written = again.practice().keep_task(&standing(CoarseStep::Seeking)).await.unwrap();
    assert_eq!((written.version, again.asked("PUT ").len()), (None, 0));
}

#[tokio::test]
async fn a_task_that_keeps_changing_is_tried_three_times() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("4", "requested"));
    script.on("PUT /r4/Task/t1", |_, _| StatusCode::CONFLICT.into_response());
    let error = script.practice().keep_task(&standing(CoarseStep::Seeking)).await.unwrap_err();
    assert!(matches!(error, EffectError::RetryAfter { .. }) && script.asked("PUT ").len() == 3);
}

#[tokio::test]
async fn a_cancellation_by_the_practice_is_not_written_over() {
    let script = Script::start().await;
    script.says("GET /r4/Task/t1", task("9", "cancelled"));
    let practice = script.practice();
    assert!(matches!(practice.keep_task(&standing(CoarseStep::Booked)).await, Err(EffectError::RetryAfter { .. })));
    assert!(script.asked("PUT ").is_empty());
}

#[tokio::test]
async fn where_the_practice_sent_no_task_ours_is_made_once() {
    let script = Script::start().await;
    script.says("POST /r4/Task/_search", bundle(&[])).says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4/Task", |_, asked| {
        let mut body: Value = serde_json::from_str(&asked.body).unwrap();
        (body["id"], body["meta"]["versionId"]) = (json!("t9"), json!("1"));
        fhir(201, &body)
    });
    let mut standing = standing(CoarseStep::Received);
    (standing.source.task, standing.seen) = (None, None);
    let written = script.practice().keep_task(&standing).await.unwrap();
    assert_eq!(written, TaskWritten { id: "t9".into(), version: Some("1".into()) });
    let created = &script.asked("POST /r4/Task")[1];
    assert!(
        created.headers["if-none-exist"].to_str().unwrap().starts_with("identifier=https%3A%2F%2Fwellbridge.example")
    );
    let body: Value = serde_json::from_str(&created.body).unwrap();
    assert_eq!(body["for"]["reference"], "Patient/p1");
    assert_eq!(body["status"], "received");
}

#[tokio::test]
async fn the_practices_request_is_closed_only_where_the_settings_allow_it() {
    for allowed in [false, true] {
        let script = Script::start().await;
        script
            .says("GET /r4/Task/t1", task("4", "in-progress"))
            .says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
        script.on("PUT /r4/", |_, asked| fhir(200, &serde_json::from_str(&asked.body).unwrap()));
        let practice = script.practice_with(|s| s.complete_request = allowed);
        practice.keep_task(&standing(CoarseStep::Closed(Closed::Finished))).await.unwrap();
        let puts = script.asked("PUT /r4/ServiceRequest/sr1");
        assert_eq!(puts.len(), usize::from(allowed));
        assert!(puts.iter().all(|p| p.body.contains(r#""status":"completed""#) && p.headers["if-match"] == "W/\"1\""));
    }
}

fn filing(sharing: Sharing) -> ClinicalFiling {
    ClinicalFiling {
        id: "0190a5d3-7c00-7000-8000-000000000001".parse::<FilingId>().unwrap(),
        moment: Moment::Started,
        source: Source { practice: "beckside".into(), request: "sr1".into(), task: None, version: "1".into() },
        occurred: "2026-11-24T12:00:00Z".parse().unwrap(),
        sharing,
        person_accepted: true,
        already_coded: false,
        before: None,
        after: None,
        message: MessageBack { service: Some("Tai Chi".into()), ..MessageBack::default() },
    }
}

fn transaction_of(
    statuses: &'static [(&'static str, &'static str)],
) -> impl Fn(&str, &Asked) -> Response + Send + Sync {
    move |base, _| {
        let entry: Vec<Value> = statuses
            .iter()
            .map(|(status, location)| {
                let location = location.replace("BASE", base);
                let outcome =
                    json!({"resourceType": "OperationOutcome", "issue": [{"details": {"text": "no such code"}}]});
                json!({"response": {"status": status, "location": location, "outcome": outcome}})
            })
            .collect();
        fhir(200, &json!({"resourceType": "Bundle", "type": "transaction-response", "entry": entry}))
    }
}

#[tokio::test]
async fn a_filing_is_one_transaction_whose_references_come_back() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on(
        "POST /r4",
        transaction_of(&[
            ("201 Created", "DocumentReference/1/_history/1"),
            ("200", "BASE/Procedure/2"),
            ("201", "Provenance/3/_history/1"),
        ]),
    );
    let receipt = script.practice().file(&filing(Sharing::Full)).await.unwrap();
    let references = ["DocumentReference/1", "Procedure/2", "Provenance/3"].map(str::to_owned);
    assert_eq!(receipt, Receipt::Filed(references.to_vec()));
    let posted = script.asked("POST /r4");
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    assert!(
        posted.len() == 1 && body["entry"].as_array().unwrap().iter().all(|e| e["request"]["ifNoneExist"].is_string())
    );
}

#[tokio::test]
async fn one_refused_entry_refuses_the_filing_with_the_servers_words() {
    let script = Script::start().await;
    script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1"));
    script.on("POST /r4", transaction_of(&[("201", "DocumentReference/1"), ("422", ""), ("201", "Provenance/3")]));
    let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
    assert!(matches!(&error, EffectError::GiveUp { detail: Some(d), .. } if d == "no such code"), "{error:?}");
}

#[tokio::test]
async fn a_lost_or_senseless_answer_to_a_filing_is_an_unknown_outcome() {
    let bad: Vec<(&str, Answer)> = vec![
        ("html", Box::new(|_, _| "<html>".into_response())),
        ("empty", Box::new(|_, _| StatusCode::OK.into_response())),
        ("short", Box::new(transaction_of(&[("201", "DocumentReference/1")]))),
        ("gateway", Box::new(|_, _| StatusCode::BAD_GATEWAY.into_response())),
    ];
    for (name, bad) in bad {
        let script = Script::start().await;
        script.says("GET /r4/ServiceRequest/sr1", request("sr1", "p1")).on("POST /r4", bad);
        let error = script.practice().file(&filing(Sharing::Full)).await.unwrap_err();
        assert!(matches!(error, EffectError::OutcomeUnknown { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn nothing_reaches_the_practice_where_nothing_may_return() {
    let script = Script::start().await;
    assert_eq!(script.practice().file(&filing(Sharing::Nothing)).await.unwrap(), Receipt::Filed(Vec::new()));
    assert!(script.asked("").is_empty());
}

#[tokio::test]
async fn check_says_what_answered_or_what_to_do() {
    let r4 = json!({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "Surgery FHIR", "version": "2"}});
    let script = Script::start().await;
    script.says("GET /r4/metadata", r4.clone()).says("GET /r4/ServiceRequest?", bundle(&[]));
    assert!(script.practice().check().await.unwrap().starts_with("FHIR 4.0.1, Surgery FHIR 2; lets us search"));

    let without = Script::start().await;
    without.says("GET /r4/ServiceRequest?", bundle(&[]));
    assert!(without.practice().check().await.unwrap().contains("without /metadata"));

    let newer = Script::start().await;
    newer.says("GET /r4/metadata", json!({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}));
    assert!(newer.practice().check().await.unwrap_err().to_string().contains("FHIR 5.0.0"));

    let shut = Script::start().await;
    shut.says("GET /r4/metadata", r4).on("GET /r4/ServiceRequest?", |_, _| StatusCode::UNAUTHORIZED.into_response());
    assert!(matches!(shut.practice().check().await, Err(EffectError::NeedsPerson { .. })));
}

#[tokio::test]
async fn a_token_travels_in_its_header_and_in_no_error() {
    let script = Script::start().await;
    script.on("GET /r4/", |_, _| StatusCode::UNAUTHORIZED.into_response());
    let settings = FhirSettings::new("beckside".into(), script.base().parse().unwrap());
    let auth = Arc::new(Auth::Bearer("sesame-7".into()));
    let clock = Clock::fixed("2026-11-24T12:00:00Z".parse().unwrap());
    let practice = FhirPractice::new(settings, auth, Arc::new(Mappings::builtin().unwrap()), clock).unwrap();
    let error = practice.poll(&PollFrom::Since(None)).await.unwrap_err();
    assert_eq!(script.asked("GET")[0].headers["authorization"], "Bearer sesame-7");
    assert!(!format!("{error:?} {practice:?}").contains("sesame"));
}
