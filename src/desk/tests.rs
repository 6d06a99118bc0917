//! The desk as a coordinator, her colleague in another programme and a stranger meet it.

use axum::http::{StatusCode, header};

use super::accounts;
use crate::referral::ReferralId;
use crate::referral::episode::{AttentionKind, Closed, Hold, NeedState};
use crate::referral::event::{Alert, Event, PartnerSaid};
use crate::web::testing::{CSRF, NEED, World, leeds, referral, start};

async fn proposed() -> (World, ReferralId) {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    (world, id)
}

fn path(id: ReferralId, page: &str) -> String {
    format!("/desk/referral/{id}{page}")
}

async fn need(world: &World, id: ReferralId) -> NeedState {
    world.episode(id).await.needs[0].state.clone()
}

#[tokio::test]
async fn without_an_account_there_is_only_the_sign_in_page() {
    let (world, id) = proposed().await;
    for page in ["/desk".to_owned(), path(id, ""), "/desk/partners".to_owned()] {
        let seen = world.get(&page, "").await;
        assert_eq!((seen.status, seen.location()), (StatusCode::SEE_OTHER, "/desk/sign-in"), "{page}");
    }
    let seen = world.post(&path(id, "/decide"), &[("csrf", CSRF)], "").await;
    assert_eq!(seen.location(), "/desk/sign-in");
}

#[tokio::test]
async fn a_coordinator_signs_in_and_out() {
    let world = World::new().await;
    let programmes = vec!["leeds".into()];
    let password = "three random words";
    accounts::add(&world.service.store, &world.service.settings, "jo.k", "Jo", password, programmes, start())
        .await
        .unwrap();
    let wrong = world.post("/desk/sign-in", &[("user", "jo.k"), ("password", "three random word")], "").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = world.post("/desk/sign-in", &[("user", "nobody"), ("password", password)], "").await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    let seen = world.post("/desk/sign-in", &[("user", "Jo.K"), ("password", password)], "").await;
    let set = seen.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
    assert!(set.starts_with("__Host-wb-desk="));
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Secure"] {
        assert!(set.contains(part), "{part}");
    }
    let cookie = seen.cookie();
    let list = world.get("/desk", &cookie).await;
    assert!(list.body.contains("Nothing waits for you"));
    world.post("/desk/sign-out", &[("csrf", &list.field("csrf"))], &cookie).await;
    assert_eq!(world.get("/desk", &cookie).await.location(), "/desk/sign-in");
}

#[tokio::test]
async fn guessing_passwords_ends_after_a_few_tries() {
    let world = World::new().await;
    for _ in 0..5 {
        world.post("/desk/sign-in", &[("user", "nobody"), ("password", "x")], "").await;
    }
    let seen = world.post("/desk/sign-in", &[("user", "nobody"), ("password", "x")], "").await;
    assert_eq!(seen.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn the_worklist_shows_initials_and_why_and_safety_comes_first() {
    let (world, first) = proposed().await;
    let mut other = referral();
    other.source.request = "sr-2".to_owned();
    other.patient.name = Some("Zofia Kowalska".to_owned());
    world.service.clock.advance(jiff::SignedDuration::from_hours(1));
    let second = world.refer(other).await;
    let list = world.get("/desk", &leeds()).await;
    assert!(
        list.body.contains("A B") && list.body.contains("80s") && list.body.contains("Shall we ask Tea and Company?")
    );
    assert!(!list.body.contains("Barraclough") && !list.body.contains("Lonely"));
    let at = |page: &str, id: ReferralId| page.find(&id.to_string()).unwrap();
    assert!(at(&list.body, first) < at(&list.body, second), "the longest waiting first");
    let (_, link) = world.ask(second, "visits").await;
    let tell = format!("{link}/tell/worried");
    world.fill_in(&tell, &tell, &[("worry", "She sounded frightened")], "").await;
    let list = world.get("/desk", &leeds()).await;
    assert!(at(&list.body, second) < at(&list.body, first), "safety first");
    assert!(list.body.contains("Worry reported"));
}

#[tokio::test]
async fn opening_a_referral_writes_who_looked_and_stops_its_alerts_and_no_more() {
    let (world, id) = proposed().await;
    let mut tx = world.service.store.begin().await.unwrap();
    tx.raise(&"leeds".into(), Some(id), Alert::WaitsTooLong, start()).await.unwrap();
    tx.commit().await.unwrap();
    assert!(world.get("/desk", &leeds()).await.body.contains("A referral has waited too long"));
    let events = world.service.store.events(id).await.unwrap().len();
    let page = world.get(&path(id, ""), &leeds()).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(world.service.store.open_alerts(None).await.unwrap().is_empty());
    assert_eq!(world.service.store.audits(id).await.unwrap()[0].0, "amira");
    assert_eq!(world.service.store.events(id).await.unwrap().len(), events);
}

#[tokio::test]
async fn the_referral_page_shows_contact_first_marks_what_was_read_and_runs_no_script() {
    let (world, id) = proposed().await;
    let page = world.get(&path(id, ""), &leeds()).await.body;
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} in {page}"));
    assert!(at("mornings, let it ring for long") < at("What the GP wrote"));
    assert!(page.contains("<mark title=\"Read as befriending: lonely\">Lonely since her husband died</mark>"));
    assert!(page.contains("&lt;script&gt;alert(&#x27;gp&#x27;)") && !page.contains("<script"), "escaped");
    assert!(page.contains("&lt;script&gt;alert(1)"), "a candidate's name is text too");
    assert!(page.contains("Takes only people who live in York."));
    assert!(page.contains("Nobody has confirmed this partner"));
    assert!(page.contains("Any professional may refer by email."));
}

#[tokio::test]
async fn approving_asks_the_partner_once_and_only_a_confirmed_one() {
    let (world, id) = proposed().await;
    let fields = [("csrf", CSRF), ("need", NEED), ("service", "visits")];
    let early = world.post(&path(id, "/offer"), &fields, &leeds()).await;
    assert_eq!(early.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(early.body.contains("First confirm"));
    let confirm = [
        ("csrf", CSRF),
        ("programme", "leeds"),
        ("service", "visits"),
        ("referral", &id.to_string()),
        ("email", "jo@chapel.example"),
        ("agreement", "spoke to Jo on 1 December"),
    ];
    let seen = world.post("/desk/partner", &confirm, &leeds()).await;
    assert_eq!(seen.location(), format!("/desk/referral/{id}?done=confirmed"));
    for _ in 0..2 {
        let seen = world.post(&path(id, "/offer"), &fields, &leeds()).await;
        assert_eq!(seen.location(), format!("/desk/referral/{id}?done=asked"));
    }
    assert_eq!(world.episode(id).await.offers.len(), 1);
    assert!(world.get(&path(id, ""), &leeds()).await.body.contains("asked, no answer yet"));
}

#[tokio::test]
async fn a_mistyped_address_is_not_confirmed() {
    let world = World::new().await;
    for (email, agreement) in
        [("jo at chapel", "spoke to Jo"), ("a@b.example, c@d.example", "x"), ("jo@chapel.example", "")]
    {
        let fields =
            [("csrf", CSRF), ("programme", "leeds"), ("service", "visits"), ("email", email), ("agreement", agreement)];
        let seen = world.post("/desk/partner", &fields, &leeds()).await;
        assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
    }
    assert!(world.service.store.partners(&"leeds".into()).await.unwrap().is_empty());
}

#[tokio::test]
async fn words_to_the_partner_that_tell_who_it_is_are_sent_back() {
    let (world, id) = proposed().await;
    world.confirm("visits").await;
    let fields = [("csrf", CSRF), ("need", NEED), ("service", "visits"), ("words", "Alison likes the mornings")];
    let seen = world.post(&path(id, "/offer"), &fields, &leeds()).await;
    assert_eq!(seen.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(seen.body.contains("the person’s name") && seen.body.contains("Alison likes the mornings"));
    assert!(world.episode(id).await.offers.is_empty());
    let fields = [("csrf", CSRF), ("need", NEED), ("service", "visits"), ("words", "<b>Mornings</b> are best")];
    world.post(&path(id, "/offer"), &fields, &leeds()).await;
    let offer = world.episode(id).await.offers[0].id;
    let link = format!("/answer/{}", world.service.link_key.answer_token(offer).text());
    assert!(world.get(&link, "").await.body.contains("&lt;b&gt;Mornings&lt;&#x2f;b&gt; are best"));
}

#[tokio::test]
async fn a_form_without_the_sessions_own_token_or_from_elsewhere_changes_nothing() {
    let (world, id) = proposed().await;
    let fields = [("need", NEED), ("decision", "keep-back"), ("csrf", "guessed")];
    assert_eq!(world.post(&path(id, "/decide"), &fields, &leeds()).await.status, StatusCode::FORBIDDEN);
    let fields = [("need", NEED), ("decision", "keep-back"), ("csrf", CSRF)];
    let seen = world.post_from("https://evil.example", &path(id, "/decide"), &fields, &leeds()).await;
    assert_eq!(seen.status, StatusCode::FORBIDDEN);
    assert!(matches!(need(&world, id).await, NeedState::Proposed(_)));
}

#[tokio::test]
async fn she_keeps_back_puts_back_supports_and_closes_with_words() {
    let (world, id) = proposed().await;
    let decide = async |fields: &[(&str, &str)]| {
        let mut all = vec![("csrf", CSRF), ("need", NEED)];
        all.extend_from_slice(fields);
        world.post(&path(id, "/decide"), &all, &leeds()).await
    };
    decide(&[("decision", "keep-back")]).await;
    assert_eq!(need(&world, id).await, NeedState::Held(Hold::Coordinator));
    decide(&[("decision", "put-back")]).await;
    assert_eq!(need(&world, id).await, NeedState::Received);
    let mute = decide(&[("decision", "close"), ("how", "no-service")]).await;
    assert_eq!(mute.status, StatusCode::UNPROCESSABLE_ENTITY);
    decide(&[("decision", "support")]).await;
    decide(&[("decision", "close"), ("how", "met-by-coordinator"), ("words", "We found the choir together.")]).await;
    assert_eq!(need(&world, id).await, NeedState::Closed(Closed::MetByCoordinator));
    let again = decide(&[("decision", "close"), ("how", "other"), ("words", "twice")]).await;
    assert_eq!(again.location(), format!("/desk/referral/{id}?done=decided"));
    let page = world.get(&path(id, ""), &leeds()).await.body;
    assert!(page.contains("Closed: You met the need yourself") && page.contains("We found the choir together."));
    assert!(!page.contains("twice"));
}

#[tokio::test]
async fn a_partners_question_is_read_and_settled() {
    let (world, id) = proposed().await;
    let (_, link) = world.ask(id, "visits").await;
    let ask = format!("{link}/question");
    world.fill_in(&ask, &ask, &[("words", "<img src=x> Are there stairs?")], "").await;
    let page = world.get(&path(id, ""), &leeds()).await;
    assert!(page.body.contains("&lt;img src=x&gt; Are there stairs?") && !page.body.contains("<img"));
    let fields = [("csrf", CSRF), ("matter", &page.field("matter"))];
    world.post(&path(id, "/settle"), &fields, &leeds()).await;
    assert!(world.episode(id).await.attention.is_empty());
    world.post(&path(id, "/settle"), &fields, &leeds()).await;
}

#[tokio::test]
async fn a_refused_filing_shows_what_the_practice_said_and_can_be_sent_again() {
    let (world, id) = proposed().await;
    let (offer, link) = world.ask(id, "visits").await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    world.happens(id, Event::Partner { offer, said: PartnerSaid::Started, note: None, risk: false }).await;
    let filing = world.episode(id).await.filings[0].id;
    world.happens(id, Event::FilingRefused { filing }).await;
    let mut tx = world.service.store.begin().await.unwrap();
    tx.settle_filing(filing, id, &"leeds".into(), &[], Some("Observation.category: unknown code"), start())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let page = world.get(&path(id, ""), &leeds()).await;
    assert!(page.body.contains("Observation.category: unknown code"));
    let fields = [("csrf", CSRF), ("filing", &page.field("filing"))];
    world.post(&path(id, "/file-again"), &fields, &leeds()).await;
    assert!(!world.episode(id).await.attention.iter().any(|a| a.kind == AttentionKind::FilingRefused));
}

#[tokio::test]
async fn a_referral_without_consent_offers_no_button_to_ask_anybody() {
    let world = World::new().await;
    let mut silent = referral();
    silent.consent = crate::referral::Consent::NotRecorded;
    let id = world.refer(silent).await;
    world.confirm("visits").await;
    let page = world.get(&path(id, ""), &leeds()).await.body;
    assert!(page.contains("No consent recorded") && !page.contains("Ask this one"));
    let fields = [("csrf", CSRF), ("need", NEED), ("service", "visits")];
    let seen = world.post(&path(id, "/offer"), &fields, &leeds()).await;
    assert_eq!(seen.location(), format!("/desk/referral/{id}?done=forbidden"));
    assert!(world.episode(id).await.offers.is_empty());
}

#[tokio::test]
async fn she_finds_another_listed_service_by_its_words() {
    let (world, id) = proposed().await;
    let page = world.get(&path(id, "/find?need=befriending&q=far+friends"), &leeds()).await.body;
    assert!(page.contains("Far Friends") && !page.contains("Tea and Company"));
    let page = world.get(&path(id, "/offer?need=befriending&service=far"), &leeds()).await.body;
    assert!(page.contains("Takes only people who live in York."), "why it was left out is said again");
}

#[tokio::test]
async fn the_counts_hold_no_personal_data_and_sum_up() {
    let (world, id) = proposed().await;
    world.happens(id, Event::Withdrawn { by: crate::referral::episode::Actor::Practice }).await;
    let mut other = referral();
    other.source.request = "sr-2".to_owned();
    world.refer(other).await;
    let page = world.get("/metrics", "").await.body;
    assert!(page.contains("wellbridge_referrals_received_total 2"), "{page}");
    assert!(page.contains("wellbridge_referrals{state=\"withdrawn\"} 1"));
    assert!(page.contains("wellbridge_referrals{state=\"proposed\"} 1"));
    assert!(!page.contains("leeds") && !page.contains("Barraclough"));
    assert_eq!(world.get("/healthz", "").await.status, StatusCode::OK);
    assert_eq!(world.get("/readyz", "").await.status, StatusCode::OK);
}
