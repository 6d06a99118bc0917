//! The reader against a feed on loopback, its faults among them.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Redirect},
    routing::get,
};
use serde_json::json;

use super::*;

async fn feed(router: Router) -> Feed {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/api/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().nest("/api", router)).await });
    Feed::new(base.parse().unwrap(), Duration::from_secs(2)).unwrap()
}

#[derive(serde::Deserialize)]
struct Page {
    page: u32,
    per_page: u32,
}

fn directory() -> Router {
    let list = |Query(at): Query<Page>| async move {
        assert_eq!(at.per_page, 50);
        let contents =
            if at.page == 1 { json!([{"id": "a"}, {"id": "gone"}, {"name": "x"}]) } else { json!([{"id": "b"}]) };
        Json(json!({"total_items": 4, "total_pages": 2, "page_number": at.page, "size": 2, "contents": contents}))
    };
    let one = |Path(id): Path<String>| async move {
        match id.as_str() {
            "gone" => StatusCode::NOT_FOUND.into_response(),
            "b" => Json(json!({"id": "b"})).into_response(),
            id => Json(json!({"id": id, "name": "Shed", "description": "<p>Tea</p>"})).into_response(),
        }
    };
    Router::new().route("/services", get(list)).route("/services/{id}", get(one))
}

#[tokio::test]
async fn a_directory_is_read_a_page_and_a_service_at_a_time() {
    let feed = feed(directory()).await;
    let first = feed.page(1).await.unwrap();
    assert_eq!((first.services.len(), first.without_id, first.total_pages), (2, 1, 2));
    let read = feed.services(&first.services).await.unwrap();
    assert_eq!(read.len(), 1, "a service that is gone is left out");
    assert_eq!(read[0].as_ref().unwrap().description, "Tea");
    let bad = feed.service(&"b".into()).await.unwrap().unwrap_err();
    assert_eq!(bad.id.as_deref(), Some("b"));
}

#[tokio::test]
async fn every_fault_says_what_to_do() {
    type Right = fn(&EffectError) -> bool;
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")]) };
    let cases: [(Router, Right); 6] = [
        (
            Router::new().route("/services", get(busy)),
            |e| matches!(e, EffectError::RetryAfter { after: Some(t), .. } if t.as_secs() == 7),
        ),
        (Router::new().route("/services", get(|| async { StatusCode::BAD_GATEWAY })), |e| {
            matches!(e, EffectError::RetryAfter { .. })
        }),
        (Router::new().route("/services", get(|| async { "<html>soon back</html>" })), |e| {
            matches!(e, EffectError::RetryAfter { .. })
        }),
        (Router::new().route("/services", get(|| async { Json(json!({"content": []})) })), |e| {
            matches!(e, EffectError::NeedsPerson { .. })
        }),
        (Router::new().route("/services", get(|| async { Redirect::to("http://127.0.0.2:9/services") })), |e| {
            matches!(e, EffectError::NeedsPerson { .. })
        }),
        (Router::new().route("/services", get(|| async { vec![b' '; LARGEST_BODY + 1] })), |e| {
            matches!(e, EffectError::NeedsPerson { .. })
        }),
    ];
    for (n, (router, right)) in cases.into_iter().enumerate() {
        let error = feed(router).await.page(1).await.unwrap_err();
        assert!(right(&error), "case {n}: {error:?}");
    }
}

/// The head of an answer, and then a byte now and again, or nothing at all.
#[tokio::test]
async fn a_server_that_hangs_or_drips_is_left_in_time() {
    use tokio::io::AsyncWriteExt as _;
    for bytes in [0, 1_000] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            for _ in 0..bytes {
                let _ = client.write_all(b" ").await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        });
        let feed = Feed::new(base.parse().unwrap(), Duration::from_millis(300)).unwrap();
        let error = feed.page(1).await.unwrap_err();
        assert!(matches!(error, EffectError::RetryAfter { .. }), "{bytes}: {error:?}");
    }
}
