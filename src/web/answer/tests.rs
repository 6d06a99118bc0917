//! A partner's link as a partner, a mail scanner and a stranger meet it; what is behind its code is in `person_tests`.

use axum::http::StatusCode;
use jiff::SignedDuration;

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
    for _ in 0..30 {
        assert_eq!(world.get(&link, "").await.status, StatusCode::OK);
    }
    let seen = world.get(&link, "").await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    let phone = world.service.programme(&"leeds".into()).unwrap().phone.to_string();
    for words in ["try again in a minute", "it was not taken", &phone, "does not wait", "999"] {
        assert!(seen.body.contains(words), "{words}: {}", seen.body);
    }
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
