//! The directory over HTTP: read page by page, replaced only by something whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wellbridge::referral::episode::Hold;

use crate::support::city;
use crate::support::story::Story;
use crate::support::world::{DUTY, Plan};

/// A council's server: HSDS-UK 3.0, shallow lists.
#[derive(Clone, Default)]
pub(crate) struct Council {
    pub(crate) services: Arc<Mutex<Vec<Value>>>,
    pub(super) down: Arc<Mutex<bool>>,
}

impl Council {
    pub(crate) async fn open(services: Vec<Value>) -> (Self, String) {
        let council = Self { services: Arc::new(Mutex::new(services)), down: Arc::default() };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}/openreferral/v3", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/openreferral/v3/services", get(list))
            .route("/openreferral/v3/services/{id}", get(one))
            .with_state(council.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (council, base)
    }
}

async fn list(
    State(council): State<Council>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Result<Json<Value>, (StatusCode, [(&'static str, &'static str); 1])> {
    let number = |name: &str, usual: usize| asked.get(name).map_or(usual, |text| text.parse().unwrap());
    let (page, size) = (number("page", 1), number("per_page", 50));
    if *council.down.lock().unwrap() && page > 1 {
        // Long enough that nobody asks again by the machine's own time.
        return Err((StatusCode::BAD_GATEWAY, [("retry-after", "1800")]));
    }
    let all = council.services.lock().unwrap();
    let shallow = |s: &Value| json!({ "id": s["id"], "name": s["name"], "status": s["status"] });
    let contents: Vec<Value> = all.iter().skip((page - 1) * size).take(size).map(shallow).collect();
    Ok(Json(json!({
        "total_items": all.len(),
        "total_pages": all.len().div_ceil(size),
        "page_number": page,
        "size": contents.len(),
        "first_page": page == 1,
        "last_page": page >= all.len().div_ceil(size),
        "empty": contents.is_empty(),
        "contents": contents,
    })))
}

async fn one(State(council): State<Council>, Path(id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let all = council.services.lock().unwrap();
    all.iter().find(|s| s["id"] == id).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

/// The city's services among many others, so that the list has several pages.
pub(crate) fn many() -> Vec<Value> {
    let others = (0..120).map(|n| {
        json!({
            "id": format!("club-{n}"),
            "name": format!("Stamp Club {n}"),
            "description": "We swap stamps on Tuesdays.",
            "status": "active",
            "organization": { "id": format!("club-{n}"), "name": format!("Stamp Club {n}") },
        })
    });
    others.chain(city::feed()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_over_http_is_read_page_by_page_and_a_strangely_empty_one_keeps_the_last_good_copy() {
    let (council, base) = Council::open(many()).await;
    let plan = Plan::usual().set("directory.feeds.city.kind", "http").set("directory.feeds.city.url", base);
    let world = plan.open().await;
    let count = async || world.service.store.services().await.unwrap().len();
    assert_eq!(count().await, 124, "every page was read");
    let sent = world.gp_sends(&Story::lonely()).await;
    assert_eq!(world.state(&sent).await, "offered", "whole services were read, not the list's few words");

    council.services.lock().unwrap().truncate(3);
    world.advance(SignedDuration::from_hours(25)).await;
    assert_eq!(count().await, 124, "three where there were 124 is no directory");
    assert_eq!(world.mail.mails_to(DUTY).len(), 1, "somebody is told");

    *council.services.lock().unwrap() = many();
    council.services.lock().unwrap().remove(0);
    *council.down.lock().unwrap() = true;
    world.advance(SignedDuration::from_hours(25)).await;
    assert_eq!(count().await, 124, "half a sync changes nothing");

    *council.down.lock().unwrap() = false;
    world.advance(SignedDuration::from_hours(1)).await;
    assert_eq!(count().await, 123, "a whole one does");
    assert_eq!(world.service.store.failing_edges().await.unwrap(), []);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_directory_was_read_nobody_hears_that_there_is_no_service() {
    let (council, base) = Council::open(many()).await;
    *council.down.lock().unwrap() = true;
    let plan = Plan::usual().set("directory.feeds.city.kind", "http").set("directory.feeds.city.url", base);
    let world = plan.open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    assert_eq!(world.state(&sent).await, "received", "it waits for the directory");
    assert_eq!(world.record.all("Task").await[0]["status"], "received", "the practice sees that we have it");
    let unsafe_one = world.gp_sends(&Story::unsafe_at_home()).await;
    assert_eq!(world.state(&unsafe_one).await, "held", "a safety matter does not wait");
    *council.down.lock().unwrap() = false;
    world.advance(SignedDuration::from_mins(10)).await;
    assert_eq!(world.state(&sent).await, "offered");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_joins_the_directory_helps_who_found_none() {
    let others: Vec<Value> = many().into_iter().filter(|s| s["name"].as_str().unwrap().starts_with("Stamp")).collect();
    let (council, base) = Council::open(others).await;
    let plan = Plan::usual().set("directory.feeds.city.kind", "http").set("directory.feeds.city.url", base);
    let world = plan.open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    assert_eq!(world.episode(&sent).await.hold(), Some(Hold::NoService));
    let events = world.events(&sent).await.len();
    world.advance(SignedDuration::from_hours(25)).await;
    assert_eq!(world.events(&sent).await.len(), events, "the same directory again is no news");
    *council.services.lock().unwrap() = many();
    world.advance(SignedDuration::from_hours(25)).await;
    assert_eq!(world.state(&sent).await, "offered");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_sync_takes_nothing_from_the_services_own_that_is_half_way() {
    let (council, base) = Council::open(many()).await;
    let plan = Plan::usual().set("directory.feeds.city.kind", "http").set("directory.feeds.city.url", base);
    let world = plan.open().await;
    let count = async || world.service.store.services().await.unwrap().len();
    // The service's daily run has its first page and gets no further.
    *council.down.lock().unwrap() = true;
    world.advance(SignedDuration::from_hours(25)).await;
    assert_eq!(world.jobs_of("sync_directory", "retryable").await, 1, "it is half way");
    *council.down.lock().unwrap() = false;
    let synced = world.at_the_terminal(&["directory", "sync"]).await;
    assert!(synced.code == Some(0) && synced.out.contains("124 services read"), "{synced:?}");
    assert_eq!(world.jobs_of("sync_directory", "retryable").await, 1, "and still is");
    world.advance(SignedDuration::from_mins(31)).await;
    assert_eq!(world.jobs_of("sync_directory", "retryable").await, 0);
    assert_eq!(count().await, 124, "its own first page is there with the rest");
    world.ends_well().await;
}
