//! What partners do: say yes, say no, say nothing, say yes too late.

use wellbridge::referral::episode::{Cause, Hold, NeedState, OfferStatus};
use wellbridge::referral::event::Event;

use super::on_both;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

#[tokio::test(flavor = "multi_thread")]
async fn silence_gets_one_reminder_then_the_next_service_is_asked() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let first = world.open_offer(&sent).await;
        world.offer_mail(&first);
        let partner = World::partner_of(&first);
        world.advance_working_days(3).await;
        assert_eq!(world.mails_to_partner(&partner).len(), 2, "the offer and its one reminder");
        assert_eq!(world.open_offer(&sent).await.id, first.id);
        world.advance_working_days(2).await;
        let second = world.open_offer(&sent).await;
        assert_ne!(second.partner, first.partner, "another partner is asked");
        world.offer_mail(&second);
        let episode = world.episode(&sent).await;
        assert_eq!(episode.offers[0].status, OfferStatus::Cancelled(Cause::Unanswered));
        assert_eq!(world.mails_to_partner(&partner).len(), 2, "nothing more goes to the one who said nothing");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_so_many_tries_a_person_decides() {
    let world = Plan::usual().set("programmes.leeds.max_tries", 2).open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.advance_working_days(11).await;
    let episode = world.episode(&sent).await;
    assert_eq!(episode.offers.len(), 2, "{:?}", episode.offers);
    assert_eq!(episode.needs[0].state, NeedState::Held(Hold::TriesExhausted));
    let offered = world.events(&sent).await.iter().filter(|e| matches!(e, Event::Offered { .. })).count();
    assert_eq!(offered, 2);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_goes_to_the_next_service_at_once() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let first = world.open_offer(&sent).await;
        world.partner(&first).declines("22", "Our volunteers are all taken until spring.").await;
        let second = world.open_offer(&sent).await;
        assert_ne!(second.partner, first.partner);
        world.offer_mail(&second);
        world.partner(&second).accepts().await;
        assert_eq!(world.open_offer(&sent).await.status, OfferStatus::Accepted);
        assert_eq!(world.mails_to_partner(&World::partner_of(&first)).len(), 1, "a no needs no further mail");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_yes_is_passed_on_and_the_partner_told_kindly() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let first = world.open_offer(&sent).await;
    let late = world.partner(&first);
    world.advance_working_days(5).await;
    let second = world.open_offer(&sent).await;
    let before = world.mails_to_partner(&late.name).len();
    late.accepts().await;
    let episode = world.episode(&sent).await;
    assert_eq!(world.open_offer(&sent).await.id, second.id, "the second partner's offer stands");
    assert_eq!(episode.offers[0].status, OfferStatus::Cancelled(Cause::Unanswered), "no offer is opened again");
    assert_eq!(episode.attention.len(), 1, "the coordinator sees it");
    assert_eq!(world.mails_to_partner(&late.name).len(), before + 1, "told once");
    late.accepts_if_asked().await;
    assert_eq!(world.mails_to_partner(&late.name).len(), before + 1, "also where she says it twice");
    assert!(!late.browser.open(&late.link).await.says("Barraclough"));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_the_link_answers_nothing() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    let before = world.events(&sent).await;
    // A mail scanner opens everything that it finds in a mail.
    let html = world.offer_mail(&offer).html.unwrap();
    for link in html.split('"').filter(|piece| piece.starts_with("http") && piece.contains("/answer/")) {
        let page = partner.browser.open(&link.replace("&#x2f;", "/")).await;
        assert!(page.status.is_success(), "{link}");
    }
    assert_eq!(world.events(&sent).await, before);
    world.ends_well().await;
}
