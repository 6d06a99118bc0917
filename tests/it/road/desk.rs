//! The coordinator's hand on the road: nothing goes out before she has looked, where the programme says so.

use wellbridge::referral::episode::{Actor, FilingStatus, Hold, NeedState, OfferStatus};

use super::on_both;
use crate::support::city;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_coordinator_approves_with_one_click() {
    on_both(
        || Plan::usual().propose(),
        async |world: World| {
            let sent = world.gp_sends(&Story::lonely()).await;
            assert_eq!(world.state(&sent).await, "proposed");
            assert!(world.mails_to_partners().is_empty(), "nothing leaves before");
            world.coordinator().await.approves(&sent).await;
            let offer = world.open_offer(&sent).await;
            assert!(matches!(offer.by, Actor::Coordinator(_)));
            world.partner(&offer).accepts().await;
            assert!(world.partner(&offer).opens_the_person().await.says("Barraclough"));
            world.ends_well().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_that_nobody_confirmed_is_asked_by_nobody() {
    let world = Plan::usual().nobody_confirmed().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let NeedState::Proposed(service) = world.episode(&sent).await.needs[0].state.clone() else {
        panic!("{:?}", world.episode(&sent).await);
    };
    let partner = service.as_str().trim_end_matches("-befriending").to_owned();
    let jo = world.coordinator().await;
    assert!(jo.opens(&sent).await.form("/offer").is_none(), "nor can she ask them before");
    assert!(world.mails_to_partners().is_empty(), "a directory's address is a hint, no more");
    let page = jo.browser.open(&format!("/desk/partner?programme=leeds&service={service}")).await;
    let filled =
        [("email", city::mailbox(&partner)), ("agreement", "Takes referrals by email, spoke to Ann.".to_owned())];
    let filled: Vec<(&str, &str)> = filled.iter().map(|(name, value)| (*name, value.as_str())).collect();
    jo.browser.submit(&page, "/partner", &filled).await;
    jo.approves(&sent).await;
    world.offer_mail(&world.open_offer(&sent).await);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_may_contact_the_person_the_partner_is_shown_no_way_to() {
    on_both(Plan::usual, async |world: World| {
        let story = Story::lonely().nobody_may_contact();
        let sent = world.gp_sends(&story).await;
        let need = world.episode(&sent).await.needs[0].clone();
        assert_eq!(need.state, NeedState::Held(Hold::ContactProhibited));
        world.coordinator().await.asks(&sent, need.code.as_str(), "kirkstall").await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        let page = partner.opens_the_person().await;
        assert!(page.says("Barraclough"), "{}", page.html);
        for secret in [story.phone, story.postcode, story.street] {
            assert!(!page.says(secret), "{secret}");
        }
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filing_is_sent_again_from_the_desk() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let fault = wellbridge::demo::practice::Fault::status(422);
    world.pretend().fail_next(1, axum::http::Method::POST, "/", fault);
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    partner.tells("started", &[]).await;
    let jo = world.coordinator().await;
    let page = jo.opens(&sent).await;
    assert!(page.says("A fault that was asked for"), "the practice system's own words are shown");
    jo.browser.submit(&page, "/file-again", &[]).await;
    world.drain().await;
    let episode = world.episode(&sent).await;
    assert_eq!((episode.filings[0].status, episode.attention.len()), (FilingStatus::Filed, 0));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_filing_is_set_aside_in_words_and_waits_for_nobody() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let fault = wellbridge::demo::practice::Fault::status(422);
    world.pretend().fail_next(1, axum::http::Method::POST, "/", fault);
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    partner.tells("started", &[]).await;
    let jo = world.coordinator().await;
    assert!(jo.browser.open("/desk").await.says("Not in the record"));
    let filing = world.episode(&sent).await.filings[0].id;
    let place = format!("/desk/referral/{}/set-aside?filing={filing}", world.id(&sent).await);
    assert!(jo.opens(&sent).await.html.contains(&place), "a way there");
    let page = jo.browser.open(&place).await;
    let silent = jo.browser.submit(&page, "/set-aside", &[]).await;
    assert_eq!(silent.status.as_u16(), 422, "not without a reason");
    let done = jo.browser.submit(&silent, "/set-aside", &[("words", "The surgery typed it in itself.")]).await;
    assert!(done.says("waits for nobody") && done.says("The surgery typed it in itself."), "{}", done.html);
    assert!(jo.browser.open("/desk").await.says("Nothing waits for you"));
    world.drain().await;
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::SetAside);
    assert!(world.record.all("Procedure").await.is_empty());
    // She may think again.
    jo.browser.submit(&jo.opens(&sent).await, "/file-again", &[]).await;
    world.drain().await;
    assert_eq!(world.episode(&sent).await.filings[0].status, FilingStatus::Filed);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_made_in_error_is_taken_back_with_one_notice_and_the_need_is_hers() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    assert!(partner.opens_the_person().await.says("Barraclough"));
    let jo = world.coordinator().await;
    let place = format!("/desk/referral/{}/in-error?offer={}", world.id(&sent).await, offer.id);
    assert!(jo.opens(&sent).await.html.replace("&#x2f;", "/").contains(&place), "a way there");
    let page = jo.browser.open(&place).await;
    let silent = jo.browser.submit(&page, "/in-error", &[]).await;
    assert_eq!(silent.status.as_u16(), 422, "not without a reason");
    let words = "That was meant for the referral before.";
    for _ in 0..2 {
        let done = jo.browser.submit(&silent, "/in-error", &[("words", words)]).await;
        assert!(done.says(words), "{}", done.html);
        world.drain().await;
    }
    let notices = world.mails_to_partner(&partner.name);
    let notices = notices.iter().filter(|m| m.message_id.as_deref().is_some_and(|id| id.contains(".cancellation.")));
    assert_eq!(notices.count(), 1);
    let episode = world.episode(&sent).await;
    assert_eq!(episode.offers[0].status, OfferStatus::EnteredInError);
    assert_eq!(episode.needs[0].state, NeedState::Held(Hold::Coordinator));
    let page = partner.browser.open(&format!("{}/person", partner.link)).await;
    assert!(!page.says("Barraclough") && !page.says(words), "{}", page.html);
    world.ends_well().await;
}
