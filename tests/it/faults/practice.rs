//! The practice's system: read by polls, read again before a mail leaves, written to.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{Method, StatusCode};
use jiff::SignedDuration;
use serde_json::json;
use wellbridge::demo::practice::Fault;
use wellbridge::referral::PracticeId;
use wellbridge::referral::episode::{AttentionKind, FilingStatus, Hold};

use super::Told::{AfterThree, AtOnce, Nobody};
use super::{Told, failing, hasty, the_edge_is_well, told, tries_again_and_again};
use crate::support::proxy::Line;
use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

/// What the practice's system does.
enum Does {
    /// The line to it is so.
    Line(Line),
    /// It answers so.
    Answers(Fault),
}

use Does::{Answers, Line as On};

impl Does {
    async fn begins(&self, world: &World, method: Method, path: &str) {
        match self {
            Self::Line(line) => world.lines.as_ref().unwrap().practice.becomes(line.clone()).await,
            Self::Answers(fault) => world.pretend().fail_next(100_000, method, path, fault.clone()),
        }
    }

    async fn ends(&self, world: &World) {
        match self {
            Self::Line(_) => world.lines.as_ref().unwrap().practice.becomes(Line::Good).await,
            Self::Answers(_) => world.pretend().heal(),
        }
    }
}

fn status(code: u16) -> Does {
    Answers(Fault::status(code))
}

/// Two minutes' wait is asked for.
fn asks_to_wait(code: u16) -> Does {
    Answers(Fault::Status(StatusCode::from_u16(code).unwrap(), Some(120)))
}

/// `next` after `next`, never the same twice in a row.
fn endless(base: &str) -> Does {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    let base = base.to_owned();
    Answers(Fault::edit(move |bundle| {
        let url = format!("{base}/ServiceRequest?_count={}", PAGE.fetch_add(1, Ordering::SeqCst) % 150 + 1);
        bundle["link"] = json!([{ "relation": "next", "url": url }]);
    }))
}

fn elsewhere() -> Does {
    let next = "https://elsewhere.example/fhir/Task?_page=2";
    Answers(Fault::edit(move |bundle| bundle["link"] = json!([{ "relation": "next", "url": next }])))
}

fn xml() -> Line {
    Line::answers("200 OK", "content-type: application/fhir+xml\r\n", "<Bundle xmlns=\"http://hl7.org/fhir\"/>")
}

/// What a poll may meet, and when somebody is told. Whatever it is, the cursor stays and nothing is skipped.
fn polls(base: &str) -> Vec<(&'static str, Does, Told)> {
    vec![
        ("connection refused", On(Line::Refused), AfterThree),
        ("reset at once", On(Line::CutAfter(0)), AfterThree),
        ("reset in the middle of an answer", On(Line::CutAfter(300)), AfterThree),
        ("no answer", On(Line::Silent), AfterThree),
        ("an answer byte by byte", On(Line::Dripping), AfterThree),
        ("100 MB in one answer", On(Line::floods("application/fhir+json")), AfterThree),
        ("XML instead of JSON", On(xml()), AfterThree),
        ("a sign-in page with 200", Answers(Fault::Html), AfterThree),
        ("half an answer", Answers(Fault::TruncatedJson), AfterThree),
        ("401", status(401), AtOnce),
        ("403", status(403), AtOnce),
        ("409", status(409), AfterThree),
        ("412", status(412), AfterThree),
        ("422", status(422), AtOnce),
        ("429 with Retry-After", asks_to_wait(429), AfterThree),
        ("500", status(500), AfterThree),
        ("503 with Retry-After", asks_to_wait(503), AfterThree),
        ("pages without end", endless(base), AfterThree),
        ("a next page on another host", elsewhere(), AtOnce),
    ]
}

/// When the cursor was moved last.
async fn cursor(world: &World) -> Option<jiff::Timestamp> {
    world.service.store.cursor(&PracticeId::new("burton-croft")).await.unwrap().polled
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_that_fails_is_told_once_and_skips_nothing() {
    let world = Plan::usual().bad_lines().prepared(hasty).open().await;
    world.poll().await;
    let base = world.lines.as_ref().unwrap().practice.base_for(world.pretend().base_url());
    for (name, does, when) in polls(&base) {
        let (before, told_before) = (cursor(&world).await, told(&world).await);
        let sent = Story::lonely().send(&world.record).await;
        does.begins(&world, Method::GET, "/ServiceRequest").await;
        world.poll().await;
        let first = usize::from(when == AtOnce);
        assert_eq!(told(&world).await.0 - told_before.0, first, "{name}: after the first try");
        tries_again_and_again(&world).await;
        assert_eq!(cursor(&world).await, before, "{name}: the cursor stays");
        let edges = world.service.store.failing_edges().await.unwrap();
        assert_eq!(edges.len(), 1, "{name}: {edges:?}");
        does.ends(&world).await;
        the_edge_is_well(&world).await;
        assert_eq!(world.state(&sent).await, "offered", "{name}: nothing is skipped");
        world.offer_mail(&world.open_offer(&sent).await);
        assert!(cursor(&world).await > before, "{name}: it goes on");
        assert_eq!(failing(&world).await, 0, "{name}: well again");
        let now = told(&world).await;
        assert_eq!((now.0 - told_before.0, now.1 - told_before.1), (1, 1), "{name}: told once");
    }
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

/// What the last look before an offer leaves may meet. Whatever it is, no mail leaves on old knowledge, and nobody
/// takes it for the partner's failing.
fn looks() -> Vec<(&'static str, Does, Told)> {
    vec![
        ("connection cut", Answers(Fault::DropBefore), Nobody),
        ("no answer", Answers(Fault::HangBefore), Nobody),
        ("a sign-in page with 200", Answers(Fault::Html), Nobody),
        ("half an answer", Answers(Fault::TruncatedJson), Nobody),
        ("401", status(401), AtOnce),
        ("403", status(403), AtOnce),
        ("409", status(409), Nobody),
        ("412", status(412), Nobody),
        ("429 with Retry-After", asks_to_wait(429), Nobody),
        ("500", status(500), Nobody),
        ("503 with Retry-After", asks_to_wait(503), Nobody),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_last_look_fails_waits_for_the_practice_and_leaves_once() {
    let world = Plan::usual().prepared(hasty).open().await;
    for (name, does, when) in looks() {
        let told_before = told(&world).await;
        let sent = Story::lonely().send(&world.record).await;
        does.begins(&world, Method::GET, &format!("/ServiceRequest/{}", sent.request)).await;
        world.poll().await;
        let offer = world.open_offer(&sent).await;
        tries_again_and_again(&world).await;
        assert_eq!(world.copies_of(&offer).len(), 0, "{name}: nothing leaves");
        assert_eq!(world.open_offer(&sent).await.id, offer.id, "{name}: and nobody else is asked for it");
        does.ends(&world).await;
        the_edge_is_well(&world).await;
        world.offer_mail(&offer);
        assert!(world.open_offer(&sent).await.mailed, "{name}");
        assert_eq!(failing(&world).await, 0, "{name}: well again");
        let now = told(&world).await;
        assert_eq!(
            (now.0 - told_before.0, now.1 - told_before.1),
            (usize::from(when == AtOnce), usize::from(when == AtOnce)),
            "{name}"
        );
    }
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_practice_refuses_to_give_is_held_for_a_person_and_goes_on_when_it_is_given() {
    for code in [404, 410, 422, 501] {
        let world = Plan::usual().prepared(hasty).open().await;
        let sent = Story::lonely().send(&world.record).await;
        status(code).begins(&world, Method::GET, &format!("/ServiceRequest/{}", sent.request)).await;
        world.poll().await;
        assert_eq!(world.episode(&sent).await.hold(), Some(Hold::UnreadableRequest), "{code}");
        assert!(world.mails_to_partners().is_empty(), "{code}: nothing leaves on old knowledge");
        world.pretend().heal();
        the_edge_is_well(&world).await;
        world.offer_mail(&world.open_offer(&sent).await);
        assert_eq!(world.mails_to_partners().len(), 1, "{code}");
        assert_eq!(failing(&world).await, 0, "{code}");
        world.ends().await;
    }
}

/// What becomes of a filing meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    /// It is tried again until it is in the record.
    Waits,
    /// It is refused: a person is told at once, and may send it again.
    Refused,
}

use Meanwhile::{Refused, Waits};

fn filings() -> Vec<(&'static str, Does, Meanwhile, Told)> {
    vec![
        ("cut before it is written", Answers(Fault::DropBefore), Waits, Nobody),
        ("cut after it is written", Answers(Fault::DropAfter), Waits, Nobody),
        ("no answer, not written", Answers(Fault::HangBefore), Waits, Nobody),
        ("no answer, written", Answers(Fault::HangAfter), Waits, Nobody),
        ("half an answer, written", Answers(Fault::TruncatedJson), Waits, Nobody),
        ("a sign-in page with 200", Answers(Fault::Html), Waits, Nobody),
        ("401", status(401), Waits, AtOnce),
        ("403 with words", status(403), Refused, Nobody),
        ("409", status(409), Waits, Nobody),
        ("412", status(412), Waits, Nobody),
        ("422", status(422), Refused, Nobody),
        ("429 with Retry-After", asks_to_wait(429), Waits, Nobody),
        ("500", status(500), Waits, Nobody),
        ("503 with Retry-After", asks_to_wait(503), Waits, Nobody),
    ]
}

/// The partner takes it and tells that support has started, which is the first thing for the record.
async fn support_starts(world: &World, sent: &Sent) {
    let partner = world.partner(&world.open_offer(sent).await);
    partner.accepts().await;
    partner.tells("started", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filing_comes_into_the_record_once_whatever_the_practice_answers() {
    let world = Plan::usual().prepared(hasty).open().await;
    for (n, (name, does, meanwhile, when)) in filings().into_iter().enumerate() {
        let told_before = told(&world).await;
        let sent = world.gp_sends(&Story::lonely()).await;
        does.begins(&world, Method::POST, "/").await;
        support_starts(&world, &sent).await;
        let refused = world.episode(&sent).await.attention.iter().any(|a| a.kind == AttentionKind::FilingRefused);
        assert_eq!(refused, meanwhile == Refused, "{name}: a person is told at once where trying again cannot help");
        tries_again_and_again(&world).await;
        let stands = world.episode(&sent).await.filings[0].status;
        let expected = if meanwhile == Refused { FilingStatus::Refused } else { FilingStatus::Queued };
        assert_eq!(stands, expected, "{name}");
        does.ends(&world).await;
        if meanwhile == Refused {
            let jo = world.coordinator().await;
            let page = jo.opens(&sent).await;
            jo.browser.submit(&page, "/file-again", &[]).await;
            world.drain().await;
        }
        the_edge_is_well(&world).await;
        let episode = world.episode(&sent).await;
        assert_eq!((episode.filings[0].status, episode.attention), (FilingStatus::Filed, vec![]), "{name}");
        assert_eq!(world.record.all("Procedure").await.len(), n + 1, "{name}: once");
        assert_eq!(world.record.all("DocumentReference").await.len(), n + 1, "{name}: once");
        assert_eq!(failing(&world).await, 0, "{name}: well again");
        // (A coordinator who came has opened what was told before.)
        let again = if meanwhile == Refused { 0 } else { told(&world).await.0 - told_before.0 };
        assert_eq!(again, usize::from(when == AtOnce), "{name}");
    }
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_that_is_away_keeps_everything_waiting_and_is_told_once() {
    for line in [Line::Refused, Line::CutAfter(300), Line::Silent] {
        let world = Plan::usual().bad_lines().prepared(hasty).open().await;
        let sent = world.gp_sends(&Story::lonely()).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        world.lines.as_ref().unwrap().practice.becomes(line.clone()).await;
        partner.tells("started", &[]).await;
        tries_again_and_again(&world).await;
        world.advance(SignedDuration::from_hours(12)).await;
        assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Queued, "{line:?}");
        assert_eq!((told(&world).await, failing(&world).await), ((1, 1), 1), "{line:?}: for everything");
        world.lines.as_ref().unwrap().practice.becomes(Line::Good).await;
        the_edge_is_well(&world).await;
        assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Filed, "{line:?}");
        assert_eq!(world.record.all("DocumentReference").await.len(), 1, "{line:?}");
        assert_eq!((told(&world).await, failing(&world).await), ((1, 1), 0), "{line:?}");
        world.nobody_was_mailed_twice();
        world.ends().await;
    }
}
