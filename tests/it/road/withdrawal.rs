//! The practice takes a referral back: one cancellation for each open offer, and silence from then on.

use std::time::Duration;

use jiff::SignedDuration;
use wellbridge::demo::mail_catcher::MailFault;
use wellbridge::jobs;
use wellbridge::referral::PracticeId;
use wellbridge::referral::episode::{Cause, OfferStatus};

use super::on_both;
use crate::support::city::{PARTNERS, mailbox};
use crate::support::peers::PATIENCE;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_sends_one_cancellation_and_nothing_afterwards() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let offer = world.open_offer(&sent).await;
        let partner = World::partner_of(&offer);
        let answering = world.partner(&offer);
        world.gp_withdraws(&sent).await;
        assert_eq!(world.state(&sent).await, "withdrawn");
        assert_eq!(world.episode(&sent).await.offers[0].status, OfferStatus::Cancelled(Cause::Withdrawn));
        assert_eq!(world.mails_to_partner(&partner).len(), 2, "the offer, and that it is not needed any more");
        assert_eq!(world.record.all("Task").await[0]["status"], "cancelled");
        let all = world.mail.mails().len();
        answering.accepts_if_asked().await;
        world.advance_working_days(10).await;
        assert_eq!(world.mail.mails().len(), all, "nothing is sent afterwards");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_after_acceptance_is_told_once_and_nothing_is_shown_any_more() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely().with_task()).await;
        let offer = world.open_offer(&sent).await;
        let partner = world.partner(&offer);
        partner.accepts().await;
        assert!(partner.opens_the_person().await.says("Barraclough"));
        let before = world.mails_to_partner(&partner.name).len();
        world.gp_withdraws(&sent).await;
        assert_eq!(world.mails_to_partner(&partner.name).len(), before + 1);
        let page = partner.browser.open(&format!("{}/person", partner.link)).await;
        assert!(!page.says("Barraclough") && !page.says("0113 496 0771"), "{}", page.html);
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_withdrawn_before_we_ever_knew_it_is_nothing() {
    on_both(Plan::usual, async |world: World| {
        let sent = Story::lonely().send(&world.record).await;
        world.record.change("ServiceRequest", &sent.request, |request| request["status"] = "revoked".into()).await;
        world.poll().await;
        assert_eq!(world.find(&sent).await, None);
        assert!(world.mail.mails().is_empty());
        assert!(world.record.all("Task").await.is_empty());
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_mail_has_not_left_yet_never_leaves() {
    let world = Plan::usual().open().await;
    for partner in PARTNERS {
        world.mail.fail_next(1, &mailbox(partner), MailFault::AtRecipient(450));
    }
    let sent = world.gp_sends(&Story::lonely()).await;
    world.gp_withdraws(&sent).await;
    world.advance(SignedDuration::from_hours(5)).await;
    assert!(world.mail.mails().is_empty(), "nobody was told, so nobody is told that it is over");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_while_the_mail_is_in_flight_is_followed_by_one_cancellation() {
    let world = Plan::usual().open().await;
    for partner in PARTNERS {
        world.mail.fail_next(1, &mailbox(partner), MailFault::Slow(Duration::from_secs(2)));
    }
    let sent = Story::lonely().send(&world.record).await;
    let practice = PracticeId::new("burton-croft");
    jobs::poll_now(&world.service.store, &practice).await.unwrap();
    // The mail is there, but the server has not said so yet.
    let mail = world.mail.wait_for(PATIENCE, |_| true).await.unwrap();
    assert!(!world.episode(&sent).await.offers[0].mailed);
    world.record.change("ServiceRequest", &sent.request, |request| request["status"] = "revoked".into()).await;
    world.poll().await;
    assert_eq!(world.state(&sent).await, "withdrawn");
    let mails = world.mail.mails_to(&mail.envelope_to[0]);
    assert_eq!(mails.len(), 2, "the offer, then that it is not needed");
    world.advance_working_days(10).await;
    assert_eq!(world.mails_to_partners().len(), 2);
    world.ends_well().await;
}
