//! How long things last: a link, a code, a partner's session and a coordinator's, and how often one may knock.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::tests::{accepted, asked, open};
use crate::desk::accounts;
use crate::referral::ReferralId;
use crate::referral::episode::{AttentionKind, NeedState, OfferStatus};
use crate::web::testing::{Seen, World, start};

/// A clock stands until the end of the link, but for this much.
async fn until_the_link_ends_but_for(world: &World, link: &str, left: SignedDuration) {
    let token = link.trim_start_matches("/answer/");
    let hash = crate::partner::token::AnswerToken::parse(token).unwrap().hash();
    let expires = world.service.store.token(&hash).await.unwrap().unwrap().expires;
    world.service.clock.advance(expires.duration_since(world.service.clock.now()) - left);
}

async fn events(world: &World, id: ReferralId) -> usize {
    world.service.store.events(id).await.unwrap().len()
}

#[tokio::test]
async fn a_link_that_has_expired_takes_no_answer_though_its_form_was_open() {
    for taken in [false, true] {
        let (world, id, offer, link) = if taken { accepted().await } else { asked().await };
        let token = world.get(&link, "").await.field("form");
        until_the_link_ends_but_for(&world, &link, SignedDuration::from_secs(1)).await;
        assert_eq!(world.get(&link, "").await.status, StatusCode::OK, "to the last second");
        world.service.clock.advance(SignedDuration::from_secs(1));
        let (before, jobs) = (events(&world, id).await, world.service.store.jobs_waiting().await.unwrap());
        let fields =
            [("form", token.as_str()), ("once", "abc1"), ("reason", "22"), ("tried", "Tea"), ("worry", "Her son")];
        for page in ["/yes", "/no", "/question", "/tell/started", "/tell/finished", "/tell/worried", "/code", "/open"] {
            let seen = world.post(&format!("{link}{page}"), &fields, "").await;
            assert_eq!(seen.status, StatusCode::NOT_FOUND, "{page}");
            assert!(seen.body.contains("Please ring the number in the mail"), "{page}: {}", seen.body);
        }
        for page in ["", "/no", "/question", "/code", "/person", "/tell/finished"] {
            assert_eq!(world.get(&format!("{link}{page}"), "").await.status, StatusCode::NOT_FOUND, "{page}");
        }
        assert_eq!((events(&world, id).await, world.service.store.jobs_waiting().await.unwrap()), (before, jobs));
        assert!(world.service.store.notes(id).await.unwrap().is_empty());
        let expected = if taken { OfferStatus::Accepted } else { OfferStatus::Requested };
        assert_eq!(world.episode(id).await.offer(offer).unwrap().status, expected);
    }
}

#[tokio::test]
async fn a_live_session_shows_nothing_through_a_link_that_has_expired() {
    let (world, _, offer, link) = accepted().await;
    until_the_link_ends_but_for(&world, &link, SignedDuration::from_hours(1)).await;
    let cookie = open(&world, offer, &link).await;
    let person = format!("{link}/person");
    assert!(world.get(&person, &cookie).await.body.contains("Barraclough"));
    world.service.clock.advance(SignedDuration::from_mins(61));
    let seen = world.get(&person, &cookie).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    assert!(!seen.body.contains("Barraclough"));
}

#[tokio::test]
async fn a_partners_session_lasts_two_hours() {
    let (world, id, offer, link) = accepted().await;
    let cookie = open(&world, offer, &link).await;
    let person = format!("{link}/person");
    world.service.clock.advance(SignedDuration::from_mins(119));
    assert!(world.get(&person, &cookie).await.body.contains("Barraclough"));
    let before = events(&world, id).await;
    world.service.clock.advance(SignedDuration::from_mins(1));
    let seen = world.get(&person, &cookie).await;
    assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, link.as_str()));
    assert!(!seen.body.contains("Barraclough"));
    assert_eq!(events(&world, id).await, before, "and nothing was shown to be written down");
}

#[tokio::test]
async fn a_coordinators_session_lasts_as_long_as_the_settings_say() {
    let world = World::new().await;
    let (service, password) = (&world.service, "three random words");
    accounts::add(&service.store, &service.settings, "jo", "Jo", password, vec!["leeds".into()], start())
        .await
        .unwrap();
    let cookie = world.post("/desk/sign-in", &[("user", "jo"), ("password", password)], "").await.cookie();
    let lasts = SignedDuration::try_from(service.settings.limits.session_lasts).unwrap();
    service.clock.advance(lasts - SignedDuration::from_secs(1));
    assert_eq!(world.get("/desk", &cookie).await.status, StatusCode::OK);
    service.clock.advance(SignedDuration::from_secs(1));
    for page in ["/desk", "/desk/partners"] {
        assert_eq!(world.get(page, &cookie).await.location(), "/desk/sign-in", "{page}");
    }
}

#[tokio::test]
async fn a_code_typed_in_twice_at_once_opens_one_session() {
    let (world, _, offer, link) = accepted().await;
    world.fill_in(&link, &format!("{link}/code"), &[], "").await;
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let token = world.get(&link, "").await.field("form");
    let (action, fields) = (format!("{link}/open"), [("form", token.as_str()), ("code", code.digits())]);
    let seen = join_all((0..4).map(|_| world.post(&action, &fields, ""))).await;
    let opened: Vec<String> = seen.iter().map(Seen::cookie).filter(|c| !c.is_empty()).collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert!(world.get(&format!("{link}/person"), &opened[0]).await.body.contains("Barraclough"));
}

#[tokio::test]
async fn the_link_of_an_offer_that_has_ended_opens_nothing_and_mails_no_code() {
    let declined = [("reason", "22")];
    let finished = [("tried", "Tea on Tuesdays")];
    for (page, fields) in [("no", &declined), ("tell/finished", &finished)] {
        let (world, id, offer, link) = if page == "no" { asked().await } else { accepted().await };
        let cookie = if page == "no" { String::new() } else { open(&world, offer, &link).await };
        world.fill_in(&format!("{link}/{page}"), &format!("{link}/{page}"), fields, &cookie).await;
        assert!(world.episode(id).await.offer(offer).unwrap().status.is_final(), "{page}");
        world.service.clock.advance(SignedDuration::from_mins(5));
        let (token, before) = (world.get(&link, "").await.field("form"), events(&world, id).await);
        let jobs = world.service.store.jobs_waiting().await.unwrap();
        let token =
            if token.is_empty() { world.get(&format!("{link}/question"), "").await.field("form") } else { token };
        for action in ["code", "open"] {
            let seen = world.post(&format!("{link}/{action}"), &[("form", &token), ("code", "123456")], &cookie).await;
            assert_eq!((seen.location(), seen.cookie()), (link.as_str(), String::new()), "{page} {action}");
        }
        for look in ["code", "person"] {
            let seen = world.get(&format!("{link}/{look}"), &cookie).await;
            assert_eq!(seen.location(), link, "{page} {look}");
        }
        assert_eq!(events(&world, id).await, before, "{page}: nothing was seen or done");
        assert_eq!(world.service.store.jobs_waiting().await.unwrap(), jobs, "{page}: no code is mailed");
        let again = world.post(&format!("{link}/yes"), &[("form", &token), ("once", "abc1")], &cookie).await;
        assert_eq!(again.location(), link, "{page}");
        let episode = world.episode(id).await;
        assert!(episode.offer(offer).unwrap().status.is_final(), "{page}: a yes opens it no more");
        assert!(!matches!(episode.needs[0].state, NeedState::Supported(_) | NeedState::Offered(_)), "{page}");
    }
}

#[tokio::test]
async fn whoever_tries_many_links_has_to_wait_and_nobody_else_has() {
    let world = World::new().await;
    let most = world.service.settings.limits.visitor_per_minute;
    let from = async |address: &str, n: u32| {
        let peer: SocketAddr = format!("{address}:4000").parse().unwrap();
        let request = Request::builder().uri(format!("/answer/guess-{n}")).extension(ConnectInfo(peer));
        world.request(request.body(Body::empty()).unwrap()).await
    };
    for n in 0..most {
        assert_eq!(from("203.0.113.9", n).await.status, StatusCode::NOT_FOUND, "{n}");
    }
    let seen = from("203.0.113.9", most).await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    for words in ["ring the coordinator whose number is in the mail", "999"] {
        assert!(seen.body.contains(words), "{words}: {}", seen.body);
    }
    let wait: i64 = seen.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(from("203.0.113.10", 1).await.status, StatusCode::NOT_FOUND, "another visitor");
    world.service.clock.advance(SignedDuration::from_secs(wait));
    assert_eq!(from("203.0.113.9", 1).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn when_the_questions_of_an_hour_are_used_up_a_worry_still_arrives() {
    let (world, id, _, link) = asked().await;
    let page = format!("{link}/question");
    let ask = async |fields: &[(&str, &str)]| {
        world.service.clock.advance(SignedDuration::from_mins(1));
        world.fill_in(&page, &page, fields, "").await
    };
    let matters = async |kind: AttentionKind| {
        world.episode(id).await.attention.iter().filter(|matter| matter.kind == kind).count()
    };
    for n in 0..10 {
        assert_eq!(ask(&[("words", "Is there a dog?")]).await.status, StatusCode::SEE_OTHER, "{n}");
    }
    let seen = ask(&[("words", "And a cat?")]).await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    for words in ["try again in 49 minutes", "The question was not taken", "safety still is", "does not wait"] {
        assert!(seen.body.contains(words), "{words}: {}", seen.body);
    }
    let asked = matters(AttentionKind::Question).await;
    let seen = ask(&[("words", "And a bird?"), ("worry", "She sounds frightened")]).await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(seen.body.contains("has reached us all the same. Only the question was not taken"), "{}", seen.body);
    assert_eq!(matters(AttentionKind::Risk).await, 1, "the worry on the same form is kept");
    assert_eq!(ask(&[("worried", "yes")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(matters(AttentionKind::Risk).await, 2);
    let worried = format!("{link}/tell/worried");
    assert_eq!(
        world.fill_in(&worried, &worried, &[("worry", "There was shouting")], "").await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(matters(AttentionKind::Risk).await, 3);
    assert_eq!(matters(AttentionKind::Question).await, asked, "and no question slipped through");
    let later: Timestamp = start() + SignedDuration::from_hours(1);
    world.service.clock.advance(later.duration_since(world.service.clock.now()));
    assert_eq!(ask(&[("words", "Is there a garden?")]).await.status, StatusCode::SEE_OTHER);
}
