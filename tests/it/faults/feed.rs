//! A directory feed on its bad days: the last good copy stays, referrals are matched on it, and somebody is told.

use jiff::SignedDuration;
use serde_json::json;

use super::Told::{AfterThree, AtOnce};
use super::{Told, failing, the_edge_is_well, told, tries_again_and_again};
use crate::road::directory::{Council, many};
use crate::support::proxy::{Line, Proxy};
use crate::support::story::Story;
use crate::support::world::Plan;

fn json_that_says(body: &serde_json::Value) -> Line {
    Line::answers("200 OK", "content-type: application/json\r\n", &body.to_string())
}

fn status(line: &str, headers: &str) -> Line {
    Line::answers(line, headers, "Not now.")
}

fn rows() -> Vec<(&'static str, Line, Told)> {
    let html = "<!doctype html><title>Sign in</title>";
    let endless = json!({ "total_items": 9, "total_pages": 20_000, "page_number": 1, "size": 1, "contents": [] });
    let empty = json!({ "total_items": 0, "total_pages": 0, "page_number": 1, "size": 0, "contents": [] });
    let half = &many()[0].to_string()[..40];
    vec![
        ("connection refused", Line::Refused, AfterThree),
        ("reset at once", Line::CutAfter(0), AfterThree),
        ("reset in the middle of an answer", Line::CutAfter(300), AfterThree),
        ("401", status("401 Unauthorized", ""), AtOnce),
        ("409", status("409 Conflict", ""), AtOnce),
        ("422", status("422 Unprocessable Content", ""), AtOnce),
        ("429 with Retry-After", status("429 Too Many Requests", "retry-after: 120\r\n"), AfterThree),
        ("500", status("500 Internal Server Error", ""), AfterThree),
        ("503 with Retry-After", status("503 Service Unavailable", "retry-after: 120\r\n"), AfterThree),
        ("a sign-in page with 200", Line::answers("200 OK", "content-type: text/html\r\n", html), AfterThree),
        ("half an answer", Line::answers("200 OK", "content-type: application/json\r\n", half), AfterThree),
        ("100 MB in one answer", Line::floods("application/json"), AtOnce),
        ("pages without end", json_that_says(&endless), AtOnce),
        ("an empty directory", json_that_says(&empty), AtOnce),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_fails_keeps_the_last_good_copy_and_is_told_once() {
    let mut rows = rows();
    let second_half = rows.split_off(rows.len() / 2);
    for rows in [rows, second_half] {
        let (council, base) = Council::open(many()).await;
        let there = base.split('/').nth(2).unwrap().parse().unwrap();
        let line = Proxy::before(there);
        let plan = Plan::usual().set("directory.sync_every", "30 min").set("directory.feeds.city.kind", "http");
        let world = plan.set("directory.feeds.city.url", line.base_for(&base)).open().await;
        let count = async || world.service.store.services().await.unwrap().len();
        for (n, (name, is, when)) in rows.into_iter().enumerate() {
            assert_eq!(count().await, 124 - n);
            let told_before = told(&world).await;
            line.becomes(is).await;
            world.advance(SignedDuration::from_mins(31)).await;
            let first = usize::from(when == AtOnce);
            assert_eq!(told(&world).await.0 - told_before.0, first, "{name}: after the first try");
            tries_again_and_again(&world).await;
            assert_eq!((count().await, failing(&world).await), (124 - n, 1), "{name}: the last good copy");
            let sent = world.gp_sends(&Story::lonely()).await;
            assert_eq!(world.state(&sent).await, "offered", "{name}: it is matched on that");
            // One club that is gone shows that the next whole reading is taken.
            council.services.lock().unwrap().remove(0);
            line.becomes(Line::Good).await;
            the_edge_is_well(&world).await;
            assert_eq!((count().await, failing(&world).await), (123 - n, 0), "{name}: well again");
            let now = told(&world).await;
            assert_eq!((now.0 - told_before.0, now.1 - told_before.1), (1, 1), "{name}: told once");
            world.offer_mail(&world.open_offer(&sent).await);
        }
        world.ends_well().await;
    }
}
