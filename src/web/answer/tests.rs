//! A partner's link as a partner, a mail scanner and a stranger meet it.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use jiff::SignedDuration;

use crate::referral::content::{RequestStatus, SafeContact};
use crate::referral::episode::{Actor, AttentionKind, Cause, NeedState, OfferStatus, Reason};
use crate::referral::event::Event;
use crate::referral::{OfferId, ReferralId};
use crate::web::testing::{World, referral};

pub(super) async fn asked() -> (World, ReferralId, OfferId, String) {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (offer, link) = world.ask(id, "visits").await;
    (world, id, offer, link)
}

pub(super) async fn accepted() -> (World, ReferralId, OfferId, String) {
    let (world, id, offer, link) = asked().await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    (world, id, offer, link)
}

/// Asks for a code and types it in; answers the session cookie.
pub(super) async fn open(world: &World, offer: OfferId, link: &str) -> String {
    world.fill_in(link, &format!("{link}/code"), &[], "").await;
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let opened = world.fill_in(&format!("{link}/code"), &format!("{link}/open"), &[("code", code.digits())], "").await;
    assert_eq!(opened.location(), format!("{link}/person"), "{}", opened.body);
    opened.cookie()
}

async fn status(world: &World, id: ReferralId, offer: OfferId) -> OfferStatus {
    world.episode(id).await.offer(offer).unwrap().status
}

#[tokio::test]
async fn looking_at_a_link_changes_nothing_however_often_and_by_whom() {
    let (world, id, _, link) = asked().await;
    let before = world.service.store.events(id).await.unwrap().len();
    for page in ["", "/no", "/question", "/code", "/person", "/tell/finished", "/tell/worried"] {
        world.get(&format!("{link}{page}"), "").await;
        world.head(&format!("{link}{page}"), "").await;
    }
    assert_eq!(world.service.store.events(id).await.unwrap().len(), before);
    assert!(world.service.store.audits(id).await.unwrap().is_empty());
    assert!(world.service.store.notes(id).await.unwrap().is_empty());
    // Actions are not to be had by GET at all.
    assert_eq!(world.get(&format!("{link}/yes"), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn before_a_yes_the_page_tells_nothing_about_who_it_is() {
    let (world, _, offer, link) = asked().await;
    let page = world.get(&link, "").await;
    assert_eq!(page.status, StatusCode::OK);
    for told in ["egular friendly contact", "Tea and Company", "Tue 8 December", &offer.reference(), "0113 496 0100"] {
        assert!(page.body.contains(told), "{told}");
    }
    for hidden in ["Alison", "Barraclough", ">84<", "LS6", "Chapel Lane", "husband", "9990300127", "Burton Croft"] {
        assert!(!page.body.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn every_page_is_neither_cached_nor_framed_nor_scripted() {
    let (world, _, _, link) = asked().await;
    for path in [link.as_str(), "/", "/desk/sign-in", "/nowhere", "/answer/nonsense"] {
        let page = world.get(path, "").await;
        let header = |name: &str| page.headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert!(header("content-security-policy").contains("default-src 'none'; style-src 'self'"), "{path}");
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(header("strict-transport-security").contains("max-age"), "{path}");
        assert!(!page.body.contains("<script") && !page.body.contains("style=\""), "{path}");
    }
}

#[tokio::test]
async fn a_link_that_is_unknown_and_one_that_has_expired_look_the_same() {
    let (world, _, _, link) = asked().await;
    let other = world.service.link_key.answer_token(OfferId::from_uuid(crate::random::uuid()));
    let unknown = world.get(&format!("/answer/{}", other.text()), "").await;
    let nonsense = world.get("/answer/nonsense", "").await;
    world.service.clock.advance(SignedDuration::from_hours(24 * 181));
    let expired = world.get(&link, "").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!((expired.status, &expired.body), (unknown.status, &unknown.body));
    assert_eq!((nonsense.status, &nonsense.body), (unknown.status, &unknown.body));
}

#[tokio::test]
async fn a_yes_takes_the_offer_and_twice_is_once() {
    let (world, id, offer, link) = asked().await;
    let form = world.get(&link, "").await;
    let fields = [("form", form.field("form")), ("once", form.field("once"))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for _ in 0..2 {
        let seen = world.post(&format!("{link}/yes"), &fields, "").await;
        assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, link.as_str()));
    }
    assert_eq!(status(&world, id, offer).await, OfferStatus::Accepted);
    assert!(world.get(&link, "").await.body.contains("Thank you for saying yes"));
    let yes = world.service.store.events(id).await.unwrap();
    assert_eq!(yes.iter().filter(|e| matches!(e.event, Event::Partner { .. })).count(), 1);
}

#[tokio::test]
async fn a_question_sent_twice_by_a_nervous_click_is_one_question() {
    let (world, id, _, link) = asked().await;
    let form = world.get(&format!("{link}/question"), "").await;
    let fields = [("form", form.field("form")), ("once", form.field("once")), ("words", "Is there a dog?".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for _ in 0..2 {
        world.post(&format!("{link}/question"), &fields, "").await;
    }
    assert_eq!(world.episode(id).await.attention.len(), 1);
    assert_eq!(world.service.store.notes(id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_no_needs_a_reason_and_another_reason_needs_words() {
    let (world, id, offer, link) = asked().await;
    let (page, action) = (format!("{link}/no"), format!("{link}/no"));
    for fields in [&[][..], &[("reason", "99")][..], &[("reason", "27")][..]] {
        let seen = world.fill_in(&page, &action, fields, "").await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
        assert!(seen.body.contains("There is a problem"));
    }
    assert_eq!(status(&world, id, offer).await, OfferStatus::Requested);
    world.fill_in(&page, &action, &[("reason", "22")], "").await;
    assert_eq!(status(&world, id, offer).await, OfferStatus::Rejected(Reason::Capacity));
    assert!(world.get(&link, "").await.body.contains("we ask somebody else"));
}

#[tokio::test]
async fn a_form_from_another_site_or_without_its_token_is_refused() {
    let (world, id, offer, link) = asked().await;
    let form = world.get(&link, "").await;
    let token = form.field("form");
    let elsewhere = world.post_from("https://evil.example", &format!("{link}/yes"), &[("form", &token)], "").await;
    assert_eq!(elsewhere.status, StatusCode::FORBIDDEN);
    let without = world.post(&format!("{link}/yes"), &[], "").await;
    assert_eq!(without.status, StatusCode::FORBIDDEN);
    assert_eq!(status(&world, id, offer).await, OfferStatus::Requested);
}

#[tokio::test]
async fn the_link_of_one_offer_cannot_act_for_another() {
    let (world, id, first, link) = accepted().await;
    let mut other = referral();
    other.source.request = "sr-2".to_owned();
    let other_id = world.refer(other).await;
    let (second, other_link) = world.ask(other_id, "visits").await;
    *world.practice.holds.lock().unwrap() = Some(referral());
    let cookie = open(&world, first, &link).await;
    // The form token of one link is worth nothing on the other, and neither is the session.
    let token = world.get(&link, "").await.field("form");
    assert_eq!(world.post(&format!("{other_link}/yes"), &[("form", &token)], "").await.status, StatusCode::FORBIDDEN);
    world.fill_in(&other_link, &format!("{other_link}/yes"), &[], "").await;
    let peek = world.get(&format!("{other_link}/person"), &cookie).await;
    assert_eq!((peek.status, peek.location()), (StatusCode::SEE_OTHER, other_link.as_str()));
    assert_eq!(status(&world, id, first).await, OfferStatus::Accepted);
    assert!(!world.episode(other_id).await.offer(second).unwrap().identity_seen);
}

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

#[tokio::test]
async fn a_report_keeps_its_words_and_scores_and_a_worry_always_arrives() {
    let (world, id, offer, link) = accepted().await;
    let form = |what: &str| format!("{link}/tell/{what}");
    world.fill_in(&form("booked"), &form("booked"), &[], "").await;
    assert!(world.episode(id).await.offer(offer).unwrap().booked);
    let scores = [("satisfied", "3"), ("worthwhile", "4"), ("happy", "2"), ("anxious", "8")];
    world.fill_in(&form("started"), &form("started"), &scores, "").await;
    assert_eq!(status(&world, id, offer).await, OfferStatus::InProgress);
    let half = world.fill_in(&form("finished"), &form("finished"), &[("tried", "Tea"), ("happy", "7")], "").await;
    assert_eq!(half.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(half.body.contains("Tea"), "what was typed is kept");
    let words = [("tried", "Tea on Tuesdays"), ("helped", "Singing"), ("did-not-help", "Bingo"), ("worry", "Her son")];
    world.fill_in(&form("finished"), &form("finished"), &words, "").await;
    let kinds: Vec<String> = world.service.store.notes(id).await.unwrap().into_iter().map(|n| n.kind).collect();
    for kind in ["tried", "helped", "did-not-help", "risk"] {
        assert!(kinds.iter().any(|k| k == kind), "{kind}");
    }
    let episode = world.episode(id).await;
    assert!(matches!(episode.needs[0].state, NeedState::Closed(_)));
    assert!(episode.attention.iter().any(|a| a.kind == AttentionKind::Risk));
    assert!(world.service.store.scores(id).await.unwrap().0.is_some());
    // Also when all is over.
    world.fill_in(&form("worried"), &form("worried"), &[("worry", "She rang me crying")], "").await;
    let questions = world.episode(id).await.attention.iter().filter(|a| a.kind == AttentionKind::Question).count();
    assert_eq!(questions, 0, "a worry is not counted as a question besides");
    let risks = world.episode(id).await.attention.iter().filter(|a| a.kind == AttentionKind::Risk).count();
    assert_eq!(risks, 2);
}

#[tokio::test]
async fn a_late_yes_is_passed_on_and_a_withdrawn_one_thanked() {
    let (world, id, offer, link) = asked().await;
    world.happens(id, Event::Lapsed { offer }).await;
    assert!(world.get(&link, "").await.body.contains("The date has passed"));
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    assert!(world.get(&link, "").await.body.contains("your yes was passed on"));
    assert!(world.episode(id).await.attention.iter().any(|a| a.kind == AttentionKind::LateYes));

    let (world, id, offer, link) = asked().await;
    let token = world.get(&link, "").await.field("form");
    world.happens(id, Event::Withdrawn { by: Actor::Practice }).await;
    let seen = world.post(&format!("{link}/yes"), &[("form", &token)], "").await;
    assert_eq!(seen.status, StatusCode::SEE_OTHER);
    assert!(world.get(&link, "").await.body.contains("No longer needed, thank you"));
    assert_eq!(status(&world, id, offer).await, OfferStatus::Cancelled(Cause::Withdrawn));
}

#[tokio::test]
async fn a_link_asked_for_too_often_has_to_wait() {
    let (world, _, _, link) = asked().await;
    let mut last = StatusCode::OK;
    for _ in 0..31 {
        last = world.get(&link, "").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    world.service.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(world.get(&link, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_a_directory_says_is_shown_as_text() {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (_, link) = world.ask(id, "hostile").await;
    let page = world.get(&link, "").await;
    assert!(page.body.contains("&lt;script&gt;alert(1)") && !page.body.contains("<script"), "{}", page.body);
}
