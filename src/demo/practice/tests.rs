//! The pretend practice, asked over HTTP as the service asks it.

use std::time::Duration;

use axum::http::Method;
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{Deed, Fault, PretendPractice};
use crate::clock::Clock;

const SYSTEM: &str = "https://wellbridge.example/filing";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn practice() -> PretendPractice {
    PretendPractice::start(Clock::fixed(at("2026-11-24T09:00:00Z"))).await.unwrap()
}

/// Status, `ETag` and body of what comes back.
async fn ask(request: RequestBuilder) -> (u16, Option<String>, Value) {
    let response = request.send().await.unwrap();
    let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, etag, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn fhir(request: RequestBuilder, resource: &Value) -> RequestBuilder {
    request.header("content-type", "application/fhir+json").body(resource.to_string())
}

fn observation(identifier: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{ "system": SYSTEM, "value": identifier }],
        "code": { "text": "Life satisfaction" },
        "subject": { "reference": "Patient/tai-chi" },
    })
}

fn request(id: &str, status: &str) -> Value {
    json!({
        "resourceType": "ServiceRequest",
        "id": id,
        "status": status,
        "intent": "order",
        "category": [{ "coding": [{ "system": "http://snomed.info/sct", "code": "871731000000106" }] }],
        "subject": { "reference": "Patient/tai-chi" },
        "requester": { "reference": "PractitionerRole/dr-okafor" },
    })
}

fn ids(bundle: &Value, mode: &str) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries
        .iter()
        .filter(|entry| entry["search"]["mode"] == mode)
        .map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_practice_says_that_it_speaks_fhir_4_0_1() {
    let practice = practice().await;
    let (status, _, statement) = ask(Client::new().get(format!("{}/metadata", practice.base_url()))).await;
    assert_eq!((status, &statement["fhirVersion"]), (200, &json!("4.0.1")));
    let other = Client::new()
        .get(format!("{}/metadata", practice.base_url()))
        .header("accept", "application/fhir+json; fhirVersion=4.3");
    assert_eq!(ask(other).await.0, 406);
}

#[tokio::test]
async fn a_read_tells_apart_what_is_there_what_was_deleted_and_what_never_was() {
    let practice = practice().await;
    practice.put(json!({ "resourceType": "Patient", "id": "tai-chi" }));
    practice.put(json!({ "resourceType": "Patient", "id": "left" }));
    practice.delete("Patient", "left");
    let read = |id: &str| ask(Client::new().get(format!("{}/Patient/{id}", practice.base_url())));
    let (status, etag, patient) = read("tai-chi").await;
    assert_eq!((status, etag.as_deref()), (200, Some("W/\"1\"")));
    assert_eq!(patient["meta"]["lastUpdated"], "2026-11-24T09:00:00.000Z");
    assert_eq!(read("left").await.0, 410);
    let (status, _, outcome) = read("nobody").await;
    assert_eq!((status, &outcome["resourceType"]), (404, &json!("OperationOutcome")));
}

#[tokio::test]
async fn a_create_with_a_condition_makes_one_resource_however_often_it_is_sent() {
    let practice = practice().await;
    let send = || {
        let post = Client::new().post(format!("{}/Observation", practice.base_url()));
        ask(fhir(post, &observation("f1")).header("if-none-exist", format!("identifier={SYSTEM}|f1")))
    };
    let (first, _, made) = send().await;
    let (second, _, found) = send().await;
    assert_eq!((first, second), (201, 200));
    assert_eq!(made["id"], found["id"]);
    assert_eq!(practice.times_created("Observation", &format!("{SYSTEM}|f1")), 1);

    practice.put(observation("f1"));
    assert_eq!(send().await.0, 412, "two match: the practice may not choose");
}

#[tokio::test]
async fn an_update_of_a_version_that_moved_on_is_refused_and_changes_nothing() {
    let practice = practice().await;
    practice.put(request("r1", "active"));
    let put = |status: &str, tag: &str| {
        let put = Client::new().put(format!("{}/ServiceRequest/r1", practice.base_url()));
        ask(fhir(put, &request("r1", status)).header("if-match", tag.to_owned()))
    };
    let (status, etag, _) = put("completed", "W/\"1\"").await;
    assert_eq!((status, etag.as_deref()), (200, Some("W/\"2\"")));
    assert_eq!(put("revoked", "W/\"1\"").await.0, 412);
    assert_eq!(practice.resource("ServiceRequest", "r1").unwrap()["status"], "completed");
}

#[tokio::test]
async fn a_search_finds_by_every_field_that_the_service_asks_for() {
    let practice = practice().await;
    let task = json!({
        "resourceType": "Task", "id": "t1", "status": "requested", "intent": "order",
        "identifier": [{ "system": SYSTEM, "value": "t1" }],
        "focus": { "reference": "ServiceRequest/r1" },
        "for": { "reference": "Patient/tai-chi" },
        "owner": { "reference": "Organization/wellbridge" },
    });
    practice.put(task);
    practice.put(request("r1", "active"));
    practice.put(request("r2", "revoked"));
    let cases = [
        ("ServiceRequest?category=http://snomed.info/sct|871731000000106", vec!["r1", "r2"]),
        ("ServiceRequest?category=871731000000106&status=active", vec!["r1"]),
        ("ServiceRequest?category=http://loinc.org|871731000000106", vec![]),
        ("ServiceRequest?_id=r2,r1", vec!["r1", "r2"]),
        ("ServiceRequest?subject=Patient/tai-chi&status=active,revoked", vec!["r1", "r2"]),
        ("ServiceRequest?patient=somebody-else", vec![]),
        ("Task?owner=Organization/wellbridge", vec!["t1"]),
        ("Task?owner=wellbridge&status:not=completed", vec!["t1"]),
        ("Task?focus=ServiceRequest/r1", vec!["t1"]),
        ("Task?focus=ServiceRequest/r2", vec![]),
        ("Task?patient=tai-chi", vec!["t1"]),
        ("Task?identifier=https://wellbridge.example/filing|t1", vec!["t1"]),
        ("Task?identifier=|t1", vec![]),
        ("Task?part-of:missing=true", vec!["t1"]),
    ];
    for (query, expected) in cases {
        let (status, _, bundle) = ask(Client::new().get(format!("{}/{query}", practice.base_url()))).await;
        assert_eq!(
            (status, ids(&bundle, "match")),
            (200, expected.iter().map(ToString::to_string).collect()),
            "{query}"
        );
        assert_eq!(bundle["total"], expected.len(), "{query}");
        let (kind, form) = query.split_once('?').unwrap();
        let post = Client::new()
            .post(format!("{}/{kind}/_search", practice.base_url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        assert_eq!(ids(&ask(post).await.2, "match"), ids(&bundle, "match"), "POST {query}");
    }
    let (status, _, _) = ask(Client::new().get(format!("{}/Task?postcode=LS1", practice.base_url()))).await;
    assert_eq!(status, 400, "a parameter that R4 does not know is refused");
}

#[tokio::test]
async fn a_cursor_in_time_finds_what_changed_since_and_nothing_twice() {
    let clock = Clock::fixed(at("2026-11-24T09:00:00Z"));
    let practice = PretendPractice::start(clock.clone()).await.unwrap();
    for (id, wait) in [("a", 0), ("b", 500), ("c", 500), ("d", 0)] {
        clock.advance(jiff::SignedDuration::from_millis(wait));
        practice.put(request(id, "active"));
    }
    // a 09:00:00.000 · b .500 · c 09:00:01.000 · d 01.001: the clock stood still, the record did not.
    let cases = [
        ("ge2026-11-24T09:00:00Z", vec!["a", "b", "c", "d"]),
        ("gt2026-11-24T09:00:00Z", vec!["c", "d"]),
        ("gt2026-11-24T09:00:00.500Z", vec!["c", "d"]),
        ("ge2026-11-24T09:00:01.001Z", vec!["d"]),
        ("lt2026-11-24T09:00:01Z", vec!["a", "b"]),
        ("ge2026-11-24", vec!["a", "b", "c", "d"]),
        ("gt2026-11-24", vec![]),
    ];
    for (test, expected) in cases {
        let url = format!("{}/ServiceRequest?_sort=_lastUpdated&_lastUpdated={test}", practice.base_url());
        assert_eq!(ids(&ask(Client::new().get(url)).await.2, "match"), expected, "{test}");
    }
}

#[tokio::test]
async fn what_a_match_refers_to_comes_with_it_once() {
    let practice = practice().await;
    practice.put(json!({ "resourceType": "Patient", "id": "tai-chi" }));
    practice.put(json!({ "resourceType": "PractitionerRole", "id": "dr-okafor",
        "practitioner": { "reference": "Practitioner/okafor" } }));
    practice.put(json!({ "resourceType": "Practitioner", "id": "okafor" }));
    practice.put(request("r1", "active"));
    practice.put(request("r2", "active"));
    practice.put(json!({ "resourceType": "Task", "id": "t1", "focus": { "reference": "ServiceRequest/r1" } }));
    let get = |query: &str| ask(Client::new().get(format!("{}/{query}", practice.base_url())));
    let (_, _, both) = get("ServiceRequest?_include=ServiceRequest:subject&_include=ServiceRequest:requester").await;
    assert_eq!(ids(&both, "include"), ["tai-chi", "dr-okafor"]);
    let far = "Task?_include=Task:focus&_include:iterate=ServiceRequest:requester&_include:iterate=PractitionerRole:practitioner";
    assert_eq!(ids(&get(far).await.2, "include"), ["r1", "dr-okafor", "okafor"]);
    let (_, _, near) = get("Task?_include=Task:focus&_include=ServiceRequest:requester").await;
    assert_eq!(ids(&near, "include"), ["r1"], "without :iterate only matches are looked into");
}

#[tokio::test]
async fn pages_hold_still_while_others_write() {
    let practice = practice().await;
    for n in 0..5 {
        practice.put(request(&format!("r{n}"), "active"));
    }
    let mut url = format!("{}/ServiceRequest?_sort=_lastUpdated&_count=2", practice.base_url());
    let mut seen = Vec::new();
    loop {
        let (_, _, page) = ask(Client::new().get(&url)).await;
        assert_eq!(page["total"], 5);
        seen.extend(ids(&page, "match"));
        practice.put(request("r0", "revoked"));
        practice.put(request(&format!("new-{}", seen.len()), "active"));
        let links = page["link"].as_array().unwrap().clone();
        let Some(next) = links.iter().find(|link| link["relation"] == "next") else { break };
        url = next["url"].as_str().unwrap().to_owned();
        assert!(url.starts_with(practice.base_url()));
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4"]);
    assert_eq!(ask(Client::new().get(format!("{}/ServiceRequest?_page=old-2", practice.base_url()))).await.0, 410);
}

fn transaction(entries: &[Value]) -> Value {
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

fn post_entry(full_url: &str, resource: &Value, identifier: &str) -> Value {
    let kind = resource["resourceType"].as_str().unwrap();
    let condition = format!("identifier={SYSTEM}|{identifier}");
    json!({ "fullUrl": full_url, "resource": resource,
        "request": { "method": "POST", "url": kind, "ifNoneExist": condition } })
}

#[tokio::test]
async fn a_transaction_writes_everything_once_and_joins_it_up() {
    let practice = practice().await;
    let uuid = "urn:uuid:0193a8e4-0000-7000-8000-000000000001";
    let provenance =
        json!({ "resourceType": "Provenance", "target": [{ "reference": uuid }], "recorded": "2026-11-24" });
    let bundle = transaction(&[
        post_entry(uuid, &observation("f1"), "f1"),
        json!({ "resource": provenance, "request": { "method": "POST", "url": "Provenance" } }),
    ]);
    let send = || ask(fhir(Client::new().post(practice.base_url()), &bundle));
    let (status, _, answer) = send().await;
    assert_eq!((status, &answer["type"]), (200, &json!("transaction-response")));
    let response = &answer["entry"][0]["response"];
    assert_eq!((&response["status"], &response["etag"]), (&json!("201 Created"), &json!("W/\"1\"")));
    let made = practice.all("Observation").remove(0);
    let reference = format!("Observation/{}", made["id"].as_str().unwrap());
    assert!(response["location"].as_str().unwrap().contains(&reference));
    assert_eq!(practice.all("Provenance")[0]["target"][0]["reference"], reference.as_str());

    let (_, _, again) = send().await;
    assert_eq!(again["entry"][0]["response"]["status"], "200 OK");
    assert_eq!(practice.all("Observation").len(), 1);
}

#[tokio::test]
async fn a_transaction_with_one_bad_entry_writes_nothing() {
    let practice = practice().await;
    practice.put(request("r1", "active"));
    practice.put(request("r1", "active"));
    let stale = json!({ "resource": request("r1", "completed"),
        "request": { "method": "PUT", "url": "ServiceRequest/r1", "ifMatch": "W/\"1\"" } });
    let wrong_kind = json!({ "resource": request("r1", "completed"), "request": { "method": "POST", "url": "Task" } });
    for (bad, expected) in [(stale, 412), (wrong_kind, 400), (json!({ "resource": observation("f2") }), 400)] {
        let bundle = transaction(&[post_entry("urn:uuid:1", &observation("f1"), "f1"), bad]);
        let (status, _, outcome) = ask(fhir(Client::new().post(practice.base_url()), &bundle)).await;
        assert_eq!((status, &outcome["resourceType"]), (expected, &json!("OperationOutcome")));
        assert!(practice.all("Observation").is_empty());
    }
}

#[tokio::test]
async fn faults_strike_as_often_as_they_were_asked_for_and_where() {
    let practice = practice().await;
    practice.fail_next(1, Method::GET, "/Task", Fault::too_many_requests(7));
    practice.fail_next(1, Method::GET, "/Task", Fault::Html);
    practice.fail_next(1, Method::GET, "/Task", Fault::TruncatedJson);
    practice.fail_next(1, Method::GET, "/Task", Fault::edit(|bundle| bundle["total"] = json!(9)));
    let get = |kind: &str| Client::new().get(format!("{}/{kind}", practice.base_url())).send();
    assert_eq!(get("ServiceRequest").await.unwrap().status(), 200, "another path is left alone");
    let busy = get("Task").await.unwrap();
    assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    let page = get("Task").await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(serde_json::from_str::<Value>(&get("Task").await.unwrap().text().await.unwrap()).is_err());
    assert_eq!(get("Task").await.unwrap().json::<Value>().await.unwrap()["total"], 9);
    assert_eq!(get("Task").await.unwrap().json::<Value>().await.unwrap()["total"], 0);
}

#[tokio::test]
async fn a_lost_answer_may_or_may_not_have_been_a_write() {
    let practice = practice().await;
    let send = |client: Client| {
        let post = client.post(format!("{}/Observation", practice.base_url()));
        fhir(post, &observation("f1")).send()
    };
    for (fault, written) in
        [(Fault::DropBefore, 0), (Fault::DropAfter, 1), (Fault::HangBefore, 1), (Fault::HangAfter, 2)]
    {
        practice.fail_next(1, Method::POST, "/Observation", fault.clone());
        let impatient = Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
        assert!(send(impatient).await.is_err(), "{fault:?}");
        let reached = |p: &PretendPractice| (p.all("Observation").len() == written).then_some(());
        assert!(practice.wait_for(Duration::from_secs(10), reached).await.is_some(), "{fault:?}");
    }
    assert_eq!(send(Client::new()).await.unwrap().status(), 201);
    assert_eq!(practice.asked().last().unwrap().status, Some(201));
}

#[tokio::test]
async fn a_practice_with_a_token_lets_nobody_else_in() {
    let clock = Clock::fixed(at("2026-11-24T09:00:00Z"));
    let practice = PretendPractice::start_with_bearer(clock, "open-sesame").await.unwrap();
    let url = format!("{}/Task", practice.base_url());
    assert_eq!(ask(Client::new().get(&url)).await.0, 401);
    assert_eq!(ask(Client::new().get(&url).bearer_auth("wrong")).await.0, 401);
    assert_eq!(ask(Client::new().get(&url).bearer_auth("open-sesame")).await.0, 200);
}

#[tokio::test]
async fn who_waits_for_a_change_is_woken_by_it() {
    let practice = practice().await;
    let waiting = practice.clone();
    let seen =
        tokio::spawn(
            async move { waiting.wait_for(Duration::from_secs(10), |p| p.resource("ServiceRequest", "r1")).await },
        );
    let put = Client::new().put(format!("{}/ServiceRequest/r1", practice.base_url()));
    assert_eq!(ask(fhir(put, &request("r1", "active"))).await.0, 201);
    assert_eq!(seen.await.unwrap().unwrap()["status"], "active");
    let deeds: Vec<Deed> = practice.writes().iter().map(|write| write.deed).collect();
    assert_eq!(deeds, [Deed::Created]);
}
