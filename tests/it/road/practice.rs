//! A practice system's bad days: what it says wrongly, late, twice or not at all, and what people notice of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};
use wellbridge::demo::practice::Fault;
use wellbridge::referral::episode::{Actor, FilingStatus, Hold};
use wellbridge::referral::event::Event;
use wellbridge::referral::{PracticeId, UserId};
use wellbridge::store::ListFilter;

use super::on_both;
use crate::support::story::{Sent, Story};
use crate::support::world::{DUTY, Plan, World};

/// When the cursor was moved last.
async fn cursor(world: &World) -> Option<jiff::Timestamp> {
    world.service.store.cursor(&PracticeId::new("burton-croft")).await.unwrap().polled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_entry_never_costs_a_page_and_is_held_once() {
    on_both(Plan::usual, async |world: World| {
        // The check digit is wrong: perhaps somebody else's number.
        let bad = Story::lonely_too().nhs_number("9990300128").send(&world.record).await;
        let good = world.gp_sends(&Story::lonely()).await;
        assert_eq!(world.state(&good).await, "offered");
        assert_eq!(world.episode(&bad).await.hold(), Some(Hold::BadNhsNumber));
        let explained = world.service.store.standing(world.id(&bad).await).await.unwrap().unwrap().explanation.unwrap();
        assert!(explained.contains("NHS number") && !explained.contains("9990300128"), "{explained}");
        for _ in 0..3 {
            world.poll().await;
        }
        let all = world.service.store.list(&ListFilter::default()).await.unwrap();
        assert_eq!(all.len(), 2, "once");
        // Put right at the practice, it goes on by itself.
        world.record.change("Patient", &bad.patient, |p| p["identifier"][0]["value"] = "9990300003".into()).await;
        world
            .record
            .change("ServiceRequest", &bad.request, |r| {
                r["note"][0]["text"] = "Lonely. Would like a regular visitor.".into();
            })
            .await;
        world.poll().await;
        assert_eq!(world.state(&bad).await, "offered");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_another_shape_are_held_once_each_and_the_rest_goes_on() {
    let world = Plan::usual().open().await;
    let code = json!({ "coding": [{ "system": "http://snomed.info/sct", "code": "871731000000106" }] });
    let request = |subject: Value| {
        let mut request =
            json!({ "resourceType": "ServiceRequest", "status": "active", "intent": "order", "code": code });
        request["subject"] = subject;
        request
    };
    world.pretend().put(request(Value::Null));
    world.pretend().put(request(json!({ "reference": "Patient/nobody" })));
    world.pretend().put(request(json!({ "reference": "https://elsewhere.example/fhir/Patient/1" })));
    world.pretend().put(request(json!("Mrs Barraclough")));
    let stray = |bundle: &mut Value| {
        let entries = bundle["entry"].as_array_mut().unwrap();
        entries.push(json!({ "fullUrl": "urn:uuid:0193a8e4-0000-7000-8000-000000000001", "resource": { "resourceType": "Basic" }, "search": { "mode": "match" } }));
        entries.push(json!({ "resource": 7, "search": { "mode": "match" } }));
        entries.push(json!("nonsense"));
    };
    world.pretend().fail_next(8, Method::GET, "/ServiceRequest", Fault::edit(stray));
    let good = world.gp_sends(&Story::lonely()).await;
    assert_eq!(world.state(&good).await, "offered");
    let held = async || {
        let rows = world.service.store.list(&ListFilter::default()).await.unwrap();
        rows.into_iter().filter(|row| row.hold.is_some() && row.explanation.is_some()).count()
    };
    let once = held().await;
    assert_eq!(once, 7, "four requests and three entries");
    for _ in 0..3 {
        world.poll().await;
    }
    assert_eq!(held().await, once, "once each");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_too_long_for_one_job_goes_on_in_the_next() {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    let world = Plan::usual().open().await;
    world.poll().await;
    let before = cursor(&world).await;
    let sent = Story::lonely().send(&world.record).await;
    let base = world.pretend().base_url().to_owned();
    let long = Fault::edit(move |bundle| {
        let page = PAGE.fetch_add(1, Ordering::SeqCst) + 1;
        if page < 70 {
            let url = format!("{base}/ServiceRequest?_count={page}");
            bundle["link"] = json!([{ "relation": "next", "url": url }]);
        }
    });
    world.pretend().fail_next(70, Method::GET, "/ServiceRequest", long);
    world.clock.advance(SignedDuration::from_secs(5));
    let jobs = world.jobs_of("poll_practice", "completed").await;
    world.poll().await;
    assert_eq!(world.state(&sent).await, "offered");
    assert!(cursor(&world).await > before, "it came to its end");
    assert_eq!(world.service.store.failing_edges().await.unwrap(), []);
    assert!(world.jobs_of("poll_practice", "completed").await >= jobs + 3, "no job read more than its share");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cursor_goes_by_the_practices_clock_where_that_is_behind() {
    let world = Plan::usual().open().await;
    world.poll().await;
    let cursor = world.service.store.cursor(&PracticeId::new("burton-croft")).await.unwrap();
    let behind = cursor.polled.unwrap().duration_since(cursor.since.unwrap());
    assert!(
        behind > SignedDuration::from_mins(110),
        "the story's clock is two hours ahead of the server's: {behind:?}"
    );
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_a_busy_server_asks_for_is_kept() {
    let world = Plan::usual().open().await;
    let sent = Story::lonely().send(&world.record).await;
    world.pretend().fail_next(1, Method::GET, "/ServiceRequest", Fault::too_many_requests(1800));
    world.poll().await;
    let wait = world.next_try("poll_practice").await;
    assert!((1700..=1800).contains(&wait.as_secs()), "{wait:?}");
    world.advance(SignedDuration::from_mins(31)).await;
    assert_eq!(world.state(&sent).await, "offered");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_change_in_between_is_read_again_and_kept() {
    for status in [409, 412] {
        let world = Plan::usual().open().await;
        world.pretend().fail_next(2, Method::PUT, "/Task", Fault::status(status));
        let sent = world.gp_sends(&Story::lonely().with_task()).await;
        world.advance(SignedDuration::from_mins(3)).await;
        let task = world.record.read("Task", sent.task.as_ref().unwrap()).await;
        assert_eq!(
            (task["status"].as_str(), task["extension"][0]["valueString"].as_str()),
            (Some("accepted"), Some("green"))
        );
        world.ends_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_after_the_write_makes_no_second_task() {
    for fault in [Fault::DropAfter, Fault::TruncatedJson] {
        let world = Plan::usual().open().await;
        world.pretend().fail_next(1, Method::POST, "/Task", fault.clone());
        world.gp_sends(&Story::lonely()).await;
        world.advance(SignedDuration::from_mins(3)).await;
        assert_eq!(world.record.all("Task").await.len(), 1, "{fault:?}");
        world.ends_well().await;
    }
}

/// The partner takes it and tells that support has started, which is the first thing for the record.
async fn support_starts(world: &World, sent: &Sent) {
    let partner = world.partner(&world.open_offer(sent).await);
    partner.accepts().await;
    partner.tells("started", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filing_is_seen_and_can_be_sent_again() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.pretend().fail_next(1, Method::POST, "/", Fault::status(422));
    support_starts(&world, &sent).await;
    let episode = world.episode(&sent).await;
    assert_eq!(episode.filings[0].status, FilingStatus::Refused);
    assert_eq!(episode.attention.len(), 1, "it stands in the worklist");
    assert_eq!(world.mail.mails_to(DUTY).len(), 1, "and the duty address knows");
    let results = world.service.store.filing_results(episode.id).await.unwrap();
    assert!(results[0].2.as_deref().is_some_and(|words| words.contains("A fault that was asked for")), "{results:?}");
    let by = Actor::Coordinator(UserId::new("jo"));
    let event = Event::FilingRequeued { filing: episode.filings[0].id, by };
    let now = world.clock.now();
    let mut tx = world.service.store.begin().await.unwrap();
    tx.record(episode.id, &event, None, now, now).await.unwrap();
    tx.commit().await.unwrap();
    world.drain().await;
    let episode = world.episode(&sent).await;
    assert_eq!((episode.filings[0].status, episode.attention.len()), (FilingStatus::Filed, 0));
    assert_eq!(world.record.all("DocumentReference").await.len(), 1);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_that_is_down_for_a_day_loses_nothing() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.pretend().fail_next(100_000, Method::POST, "/", Fault::status(503));
    support_starts(&world, &sent).await;
    for _ in 0..12 {
        world.advance(SignedDuration::from_hours(2)).await;
    }
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Queued);
    world.pretend().heal();
    world.advance(SignedDuration::from_hours(3)).await;
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Filed);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_task_says_when_its_step_began_however_late_it_can_be_written() {
    let world = Plan::usual().open().await;
    world.pretend().fail_next(100_000, Method::PUT, "/Task", Fault::status(503));
    let sent = world.gp_sends(&Story::lonely().with_task()).await;
    let asked = world.clock.now();
    world.advance(SignedDuration::from_mins(20)).await;
    world.partner(&world.open_offer(&sent).await).declines("22", "No room before Easter.").await;
    assert_eq!(world.state(&sent).await, "offered", "another is asked: the same step");
    world.pretend().heal();
    world.advance(SignedDuration::from_hours(3)).await;
    let task = world.record.read("Task", sent.task.as_ref().unwrap()).await;
    let modified: jiff::Timestamp = task["lastModified"].as_str().unwrap().parse().unwrap();
    assert_eq!((task["status"].as_str(), modified.as_second()), (Some("accepted"), asked.as_second()));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_a_busy_server_asks_of_a_filing_is_kept() {
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        let world = Plan::usual().open().await;
        let sent = world.gp_sends(&Story::lonely()).await;
        world.pretend().fail_next(1, Method::POST, "/", Fault::Status(status, Some(1800)));
        support_starts(&world, &sent).await;
        assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Queued, "{status}");
        let wait = world.next_try("file_record").await;
        assert!((1700..=1800).contains(&wait.as_secs()), "{status}: {wait:?}");
        world.advance(SignedDuration::from_mins(31)).await;
        assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Filed, "{status}");
        assert_eq!(world.record.all("Procedure").await.len(), 1, "{status}");
        world.ends_well().await;
    }
}

/// What a practice is asked from a referral's arrival to the message in the record, its share of the polls included:
/// practices pay for every call. Two readings before something is sent and before something is filed are four calls
/// each (request, Task, patient, consents); the Task is made and brought to two further steps; one transaction.
const CALLS_AT_MOST: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn a_referrals_whole_road_costs_its_practice_fifteen_calls_at_most() {
    const MANY: usize = 20;
    let world = Plan::usual().open().await;
    let mut all = Vec::new();
    for _ in 0..MANY {
        all.push(Story::lonely().without_scores().send(&world.record).await);
    }
    let by_the_gp = world.pretend().calls();
    world.poll().await;
    for sent in &all {
        support_starts(&world, sent).await;
        assert_eq!(world.episode(sent).await.filings[0].status, FilingStatus::Filed);
    }
    // Everything still lies in the time that a poll looks back over, and nothing of it is news.
    world.poll().await;
    let asked = |(call, n): (&(String, String), &usize)| {
        let ours = n - by_the_gp.get(call).copied().unwrap_or_default();
        (ours > 0).then(|| (format!("{} {}", call.0, call.1), ours))
    };
    let calls: Vec<(String, usize)> = world.pretend().calls().iter().filter_map(asked).collect();
    println!("{MANY} referrals: {calls:?}");
    let total: usize = calls.iter().map(|(_, n)| n).sum();
    assert!(total <= CALLS_AT_MOST * MANY, "{total} calls for {MANY} referrals: {calls:?}");
    let tasks = world.record.all("Task").await;
    assert!(tasks.len() == MANY && tasks.iter().all(|task| task["status"] == "in-progress"), "{tasks:?}");
    world.ends_well().await;
}
