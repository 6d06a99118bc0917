//! What a partner wrote is never lost, and what it may not see is not guessed.

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::tests::{accepted, asked, open};
use crate::referral::ReferralId;
use crate::referral::content::SafeContact;
use crate::referral::episode::{Actor, AttentionKind, NeedState};
use crate::referral::event::{Alert, Event};
use crate::web::testing::{World, referral};

/// The words of the matters of one kind.
async fn matters(world: &World, id: ReferralId, kind: AttentionKind) -> Vec<String> {
    let notes = world.service.store.notes(id).await.unwrap();
    let words = |id| notes.iter().find(|n| Some(n.id) == id).map_or_else(String::new, |n| n.words.clone());
    let episode = world.episode(id).await;
    episode.attention.iter().filter(|a| a.kind == kind).map(|a| words(a.note)).collect()
}

#[tokio::test]
async fn a_worry_is_kept_when_something_else_on_its_form_is_missing() {
    let (world, id, _, link) = accepted().await;
    let form = format!("{link}/tell/finished");
    let fields = [("helped", "Tea"), ("happy", "7"), ("worry", "Her son takes her money")];
    let seen = world.fill_in(&form, &form, &fields, "").await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.body.contains("has been told of your worry"), "{}", seen.body);
    assert_eq!(matters(&world, id, AttentionKind::Risk).await, ["Her son takes her money"]);
    // Put right, the report is taken, and the worry is not told a second time.
    world.fill_in(&form, &form, &[("tried", "Tea on Tuesdays")], "").await;
    assert!(matches!(world.episode(id).await.needs[0].state, NeedState::Closed(_)));
    assert_eq!(matters(&world, id, AttentionKind::Risk).await.len(), 1);
}

#[tokio::test]
async fn a_no_without_its_reason_keeps_the_worry_and_please_ring_us_is_enough_of_a_question() {
    let (world, id, _, link) = asked().await;
    let (no, ask) = (format!("{link}/no"), format!("{link}/question"));
    let seen = world.fill_in(&no, &no, &[("worry", "I know this family")], "").await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(matters(&world, id, AttentionKind::Risk).await, ["I know this family"]);
    let seen = world.fill_in(&ask, &ask, &[("worried", "yes")], "").await;
    assert_eq!(seen.location(), link, "{}", seen.body);
    assert_eq!(matters(&world, id, AttentionKind::Risk).await.len(), 2);
    assert!(matters(&world, id, AttentionKind::Question).await.is_empty());
}

#[tokio::test]
async fn a_form_comes_back_with_all_that_was_filled_in_and_says_which_field_is_wrong() {
    let (world, _, _, link) = accepted().await;
    let finished = format!("{link}/tell/finished");
    let scores = [("satisfied", "3"), ("worthwhile", "4"), ("happy", "2"), ("anxious", "8")];
    let seen = world.fill_in(&finished, &finished, &scores, "").await.body;
    assert_eq!(seen.matches(" checked").count(), 4, "{seen}");
    assert!(seen.contains("aria-invalid=\"true\" aria-describedby=\"problem\"") && seen.contains("id=\"problem\""));
    let could_not = format!("{link}/tell/could-not");
    let seen = world.fill_in(&could_not, &could_not, &[("why", "26")], "").await.body;
    assert!(seen.contains("value=\"26\" checked"), "{seen}");
}

#[tokio::test]
async fn words_that_come_too_late_reach_the_coordinator_all_the_same() {
    let (world, id, _, link) = accepted().await;
    let form = format!("{link}/tell/finished");
    let token = world.get(&form, "").await.field("form");
    world.happens(id, Event::Withdrawn { by: Actor::Practice }).await;
    let fields = [("form", token.as_str()), ("once", "abc1"), ("tried", "Tea on Tuesdays"), ("satisfied", "3")];
    let all = [&fields[..], &[("worthwhile", "4"), ("happy", "2"), ("anxious", "8")]].concat();
    for _ in 0..2 {
        assert_eq!(world.post(&form, &all, "").await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(matters(&world, id, AttentionKind::Question).await, ["Tea on Tuesdays"], "once, however often sent");
    let notes = world.service.store.notes(id).await.unwrap();
    assert!(notes.iter().any(|n| n.words.contains("anxious 8")), "the numbers are not lost either");
}

#[tokio::test]
async fn codes_are_not_guessed_however_long_the_link_lives() {
    let (world, id, offer, link) = accepted().await;
    let token = world.get(&link, "").await.field("form");
    let form = ("form", token.as_str());
    for hour in 0..4 {
        world.service.clock.advance(SignedDuration::from_hours(1));
        world.post(&format!("{link}/code"), &[form], "").await;
        let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
        let wrong = if code.digits() == "000000" { "000001" } else { "000000" };
        for _ in 0..5 {
            let seen = world.post(&format!("{link}/open"), &[form, ("code", wrong)], "").await;
            assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{hour}");
        }
    }
    world.service.clock.advance(SignedDuration::from_hours(1));
    world.post(&format!("{link}/code"), &[form], "").await;
    assert!(world.get(&format!("{link}/code"), "").await.body.contains("Please ring us"));
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let seen = world.post(&format!("{link}/open"), &[form, ("code", code.digits())], "").await;
    assert_eq!((seen.status, seen.cookie()), (StatusCode::UNPROCESSABLE_ENTITY, String::new()));
    let alerts = world.service.store.alerts_of(id).await.unwrap();
    assert_eq!(alerts.iter().filter(|a| a.kind == Alert::GivenUp).count(), 1, "a person is told, once");
}

#[tokio::test]
async fn never_ring_the_landline_said_after_the_yes_reaches_the_coordinator_before_the_partner_rings() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    let mut changed = referral();
    changed.source.version = "2".to_owned();
    changed.safe_contact = SafeContact::Only("never ring the landline".to_owned());
    *world.practice.holds.lock().unwrap() = Some(changed);
    let seen = world.get(&format!("{link}/person"), &cookie).await;
    assert!(seen.body.contains("Please ring us before you go on"), "{}", seen.body);
    assert_eq!(matters(&world, id, AttentionKind::ChangedAfterAcceptance).await.len(), 1);
    let alerts = world.service.store.alerts_of(id).await.unwrap();
    assert_eq!(alerts.iter().filter(|a| a.kind == Alert::ChangedAfterAcceptance).count(), 1);
}

#[tokio::test]
async fn when_the_offer_ends_the_session_ends_with_it() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    let secret = cookie.split_once('=').unwrap().1;
    let hash = crate::web::visitor::sha256(secret);
    let now = world.service.clock.now();
    assert!(world.service.store.partner_session(&hash, offer, now).await.unwrap());
    world.happens(id, Event::Withdrawn { by: Actor::Practice }).await;
    assert!(!world.service.store.partner_session(&hash, offer, now).await.unwrap());
}
