//! Behind the code: how it is mailed and used, who the person is then, and what is looked at before anything is shown.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use jiff::SignedDuration;

use super::tests::{accepted, open};
use crate::referral::content::{RequestStatus, SafeContact};
use crate::referral::episode::{Actor, AttentionKind};
use crate::referral::event::Event;
use crate::web::testing::{World, referral};

#[tokio::test]
async fn after_the_code_safe_contact_comes_first_and_every_view_is_an_event() {
    let (world, id, offer, link) = accepted().await;
    assert!(!world.get(&format!("{link}/person"), "").await.body.contains("Barraclough"));
    let cookie = open(&world, offer, &link).await;
    let page = world.get(&format!("{link}/person"), &cookie).await;
    let at = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("{text} in {}", page.body));
    assert!(at("mornings, let it ring for long") < at("Alison Barraclough"));
    assert!(page.body.contains("0113 496 0123") && page.body.contains("84"));
    for hidden in ["LS6", "Chapel Lane", "husband", "999 030 0127", "9990300127"] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
    world.get(&format!("{link}/person"), &cookie).await;
    world.head(&format!("{link}/person"), &cookie).await;
    let events = world.service.store.events(id).await.unwrap();
    assert_eq!(events.iter().filter(|e| matches!(e.event, Event::IdentityViewed { .. })).count(), 2);
}

#[tokio::test]
async fn a_code_is_used_once_and_wrong_ones_are_counted() {
    let (world, _, offer, link) = accepted().await;
    let (page, action) = (format!("{link}/code"), format!("{link}/open"));
    open(&world, offer, &link).await;
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let again = world.fill_in(&page, &action, &[("code", code.digits())], "").await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    // A new code; five wrong tries, and then the right one is worth nothing either.
    world.service.clock.advance(SignedDuration::from_mins(1));
    world.fill_in(&link, &format!("{link}/code"), &[], "").await;
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let wrong = if code.digits() == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let seen = world.fill_in(&page, &action, &[("code", wrong)], "").await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(seen.cookie(), "");
    }
    let late = world.fill_in(&page, &action, &[("code", code.digits())], "").await;
    assert!(late.body.contains("can no longer be used"), "{}", late.body);
    assert_eq!(late.cookie(), "");
}

#[tokio::test]
async fn a_code_does_not_outlive_its_quarter_of_an_hour() {
    let (world, _, offer, link) = accepted().await;
    world.fill_in(&link, &format!("{link}/code"), &[], "").await;
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    world.service.clock.advance(SignedDuration::from_mins(16));
    let (page, action) = (format!("{link}/code"), format!("{link}/open"));
    let seen = world.fill_in(&page, &action, &[("code", code.digits())], "").await;
    assert!(seen.body.contains("can no longer be used"));
}

#[tokio::test]
async fn only_so_many_codes_are_mailed_in_an_hour_and_two_clicks_are_one() {
    let (world, _, _, link) = accepted().await;
    let action = format!("{link}/code");
    let waiting = world.service.store.jobs_waiting().await.unwrap();
    for _ in 0..2 {
        world.fill_in(&link, &action, &[], "").await;
    }
    assert_eq!(world.service.store.jobs_waiting().await.unwrap(), waiting + 1);
    for _ in 0..4 {
        world.service.clock.advance(SignedDuration::from_mins(2));
        assert_eq!(world.fill_in(&link, &action, &[], "").await.status, StatusCode::SEE_OTHER);
    }
    world.service.clock.advance(SignedDuration::from_mins(2));
    let seen = world.fill_in(&link, &action, &[], "").await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(seen.headers.contains_key("retry-after"));
    assert!(seen.body.contains("try again in 50 minutes") && seen.body.contains("does not wait"), "{}", seen.body);
}

#[tokio::test]
async fn where_nobody_may_make_contact_no_way_to_make_it_is_shown() {
    let world = World::new().await;
    let mut prohibited = referral();
    prohibited.safe_contact = SafeContact::Prohibited;
    prohibited.patient.contacts.push(crate::referral::content::ContactPoint {
        system: crate::referral::content::ContactSystem::Email,
        value: "alison@mail.example".to_owned(),
        kind: None,
    });
    let id = world.refer(prohibited).await;
    let (offer, link) = world.ask(id, "visits").await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    let cookie = open(&world, offer, &link).await;
    let page = world.get(&format!("{link}/person"), &cookie).await;
    assert!(page.body.contains("Please do not contact this person"));
    assert!(page.body.contains("A coordinator arranges how"));
    for hidden in ["0113 496 0123", "alison@mail.example", "Chapel Lane", "LS6"] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn a_restricted_record_tells_nothing_of_where_the_person_lives_even_without_a_telephone() {
    let world = World::new().await;
    let mut restricted = referral();
    restricted.patient.restricted = true;
    restricted.patient.contacts.clear();
    let id = world.refer(restricted).await;
    let (offer, link) = world.ask(id, "visits").await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    let cookie = open(&world, offer, &link).await;
    let page = world.get(&format!("{link}/person"), &cookie).await;
    assert!(page.body.contains("Alison Barraclough"), "{}", page.body);
    for hidden in ["Chapel Lane", "LS6", "Burton Croft"] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn what_the_practice_changed_a_moment_ago_is_seen_before_anything_is_shown() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    let person = format!("{link}/person");
    // The person takes consent back; the version is the same, as where a system keeps none for the consent.
    world.practice.holds.lock().unwrap().as_mut().unwrap().consent = crate::referral::Consent::Declined;
    let page = world.get(&person, &cookie).await;
    assert!(page.body.contains("Please ring us"), "{}", page.body);
    assert!(!page.body.contains("Barraclough"));
    // Restricted, in a new version: it waits for a coordinator, also at the second look.
    let mut changed = referral();
    changed.patient.restricted = true;
    changed.source.version = "2".to_owned();
    *world.practice.holds.lock().unwrap() = Some(changed);
    for _ in 0..2 {
        assert!(!world.get(&person, &cookie).await.body.contains("Barraclough"));
    }
    let matters = world.episode(id).await.attention;
    assert!(matters.iter().any(|a| a.kind == AttentionKind::ChangedAfterAcceptance));
    // Withdrawn: no longer needed.
    let mut gone = referral();
    gone.status = RequestStatus::Revoked;
    gone.source.version = "3".to_owned();
    *world.practice.holds.lock().unwrap() = Some(gone);
    let page = world.get(&person, &cookie).await;
    assert_eq!(page.location(), link);
    assert!(world.get(&link, &cookie).await.body.contains("No longer needed"));
    assert!(!world.episode(id).await.offer(offer).unwrap().identity_seen);
}

#[tokio::test]
async fn what_a_coordinator_settled_after_the_practice_paused_its_request_opens_the_page_again() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    let person = format!("{link}/person");
    let mut paused = referral();
    paused.status = RequestStatus::OnHold;
    paused.source.version = "2".to_owned();
    *world.practice.holds.lock().unwrap() = Some(paused);
    for _ in 0..2 {
        let page = world.get(&person, &cookie).await;
        assert!(page.body.contains("Please ring us") && !page.body.contains("Barraclough"), "{}", page.body);
    }
    let by = Actor::Coordinator("amira".into());
    let kind = AttentionKind::ChangedAfterAcceptance;
    world.happens(id, Event::AttentionSettled { kind, offer: Some(offer), note: None, since: None, by }).await;
    let page = world.get(&person, &cookie).await;
    assert!(page.body.contains("Alison Barraclough"), "{}", page.body);
    // What nobody can settle stays shut.
    world.practice.holds.lock().unwrap().as_mut().unwrap().patient.deceased = true;
    assert!(!world.get(&person, &cookie).await.body.contains("Barraclough"));
}

#[tokio::test]
async fn words_about_contact_that_only_the_matcher_reads_stand_above_the_telephone_on_both_pages() {
    let world = World::new().await;
    let mut quiet = referral();
    quiet.safe_contact = SafeContact::Open;
    let words = "Nothing in writing, and be discreet on the doorstep";
    quiet.reasons.push(crate::referral::content::Reason {
        from: crate::referral::content::ReasonFrom::Condition,
        code: None,
        text: format!("{words}."),
    });
    let id = world.refer(quiet).await;
    let desk = world.get(&format!("/desk/referral/{id}"), &crate::web::testing::leeds()).await.body;
    let at = |page: &str, text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in {page}"));
    assert!(!desk.contains("No rule about contact"), "{desk}");
    assert!(at(&desk, "Read before any contact") < at(&desk, words));
    assert!(at(&desk, words) < at(&desk, "What the GP wrote"));
    let (offer, link) = world.ask(id, "visits").await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    let cookie = open(&world, offer, &link).await;
    let page = world.get(&format!("{link}/person"), &cookie).await.body;
    assert!(!page.contains("No special rule"), "{page}");
    assert!(at(&page, "Read this before any contact") < at(&page, words));
    assert!(at(&page, words) < at(&page, "0113 496 0123"));
}

#[tokio::test]
async fn while_the_practice_cannot_be_asked_nothing_is_shown() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    world.practice.down.store(true, Ordering::SeqCst);
    let page = world.get(&format!("{link}/person"), &cookie).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("try again") && !page.body.contains("Barraclough"));
    assert!(!world.episode(id).await.offer(offer).unwrap().identity_seen);
}
