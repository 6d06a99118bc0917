//! The adapter against a small server that answers what real ones were seen to answer, the bad days included.

mod foreign;
mod live;
mod poll;
mod record;
mod reread;

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
use crate::practice::{CoarseStep, MessageBack, Versions};
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

/// What was read before.
struct Read(Vec<(&'static str, Versions)>);

#[async_trait::async_trait]
impl LastRead for Read {
    async fn last_read(&self, request: &str) -> Option<Versions> {
        self.0.iter().find(|(id, _)| *id == request).map(|(_, versions)| versions.clone())
    }
}

const NOTHING: Read = Read(Vec::new());

type Judge = fn(&EffectError) -> bool;
type Answer = Box<dyn Fn(&str, &Asked) -> Response + Send + Sync>;

/// A server on a free port: each request is answered by the first script line whose start fits, used up unless it is
/// the last.
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
        settings.limits.confirm = Duration::ZERO;
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
    let error = practice.poll(&PollFrom::Since(None), &NOTHING).await.unwrap_err();
    assert_eq!(script.asked("GET")[0].headers["authorization"], "Bearer sesame-7");
    assert!(!format!("{error:?} {practice:?}").contains("sesame"));
}
