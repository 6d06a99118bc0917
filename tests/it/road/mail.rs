//! The mail server's bad days, as a charity and the duty address see them.

use jiff::SignedDuration;
use wellbridge::demo::mail_catcher::MailFault;
use wellbridge::referral::ProgrammeId;
use wellbridge::referral::episode::Hold;
use wellbridge::referral::event::{Alert, Event, OfferMail};
use wellbridge::store::offer_mail_id;

use crate::support::city::{PARTNERS, mailbox};
use crate::support::peers::Aiosmtpd;
use crate::support::story::Story;
use crate::support::world::{DUTY, Plan, World};

/// Every partner's mailbox meets this fault once.
fn everywhere(world: &World, fault: &MailFault) {
    for partner in PARTNERS {
        world.mail.fail_next(1, &mailbox(partner), fault.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_mailbox_is_marked_bad_and_the_next_service_is_asked() {
    let world = Plan::usual().open().await;
    everywhere(&world, &MailFault::AtRecipient(550));
    let sent = world.gp_sends(&Story::lonely()).await;
    let episode = world.episode(&sent).await;
    let bad = world.service.store.partners(&episode.programme).await.unwrap();
    assert!(bad.iter().filter(|p| p.bad.is_some()).count() >= 1, "{bad:?}");
    // Three tries, each at another dead mailbox.
    assert_eq!(episode.offers.len(), 3, "{:?}", episode.offers);
    assert!(world.mails_to_partners().is_empty());
    assert_eq!(world.state(&sent).await, "held");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_after_the_final_dot_may_mean_two_copies_of_one_mail() {
    let world = Plan::usual().open().await;
    everywhere(&world, &MailFault::LostKept);
    let sent = world.gp_sends(&Story::lonely()).await;
    let events = world.events(&sent).await;
    assert!(
        events.iter().any(|e| matches!(e, Event::Mailed { mail: OfferMail::Offer, outcome_unknown: true, .. })),
        "the ledger says that nobody knows: {events:?}"
    );
    world.advance(SignedDuration::from_mins(2)).await;
    let mails = world.mails_to_partners();
    assert_eq!(mails.len(), 2);
    assert!(mails[0].message_id.is_some() && mails[0].message_id == mails[1].message_id, "the same Message-ID");
    world.advance(SignedDuration::from_hours(3)).await;
    assert_eq!(world.mails_to_partners().len(), 2, "and no third");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn safety_words_written_while_the_mail_waits_keep_it_back() {
    let world = Plan::usual().open().await;
    everywhere(&world, &MailFault::AtRecipient(450));
    let sent = world.gp_sends(&Story::lonely()).await;
    world.open_offer(&sent).await;
    let words = "Her husband hits her and she is afraid to go home. Lonely, would like a visitor.";
    world.record.change("ServiceRequest", &sent.request, |r| r["note"][0]["text"] = words.into()).await;
    // Nobody polled: the mail's own last look finds it.
    world.advance(SignedDuration::from_secs(20)).await;
    assert!(world.mails_to_partners().is_empty(), "nothing leaves by machine");
    assert_eq!(world.state(&sent).await, "held");
    assert_eq!(world.episode(&sent).await.hold(), Some(Hold::Safety));
    assert_eq!(world.mail.mails_to(DUTY).len(), 1, "a person is told at once");
    world.advance(SignedDuration::from_mins(10)).await;
    assert!(world.mails_to_partners().is_empty());
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_about_contact_written_while_the_mail_waits_keep_it_back() {
    let world = Plan::usual().open().await;
    everywhere(&world, &MailFault::AtRecipient(450));
    let sent = world.gp_sends(&Story::lonely()).await;
    let words = "Lonely, would like a visitor. Please do not ring the landline, he listens in.";
    world.record.change("ServiceRequest", &sent.request, |r| r["note"][0]["text"] = words.into()).await;
    world.advance(SignedDuration::from_mins(2)).await;
    assert!(world.mails_to_partners().is_empty());
    assert_eq!(world.state(&sent).await, "held");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_leaving_when_the_service_stopped_may_have_left() {
    let world = Plan::usual().open().await;
    everywhere(&world, &MailFault::AtRecipient(450));
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let mut tx = world.service.store.begin().await.unwrap();
    tx.mail_leaves(&offer_mail_id(offer.id, OfferMail::Offer), world.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    world.gp_withdraws(&sent).await;
    world.advance(SignedDuration::from_mins(2)).await;
    let mails = world.mails_to_partner(&World::partner_of(&offer));
    assert_eq!(mails.len(), 1, "whoever may have the offer is told that it was taken back");
    assert!(
        mails[0].message_id.as_deref().is_some_and(|id| id.contains(".cancellation.")),
        "{:?}",
        mails[0].message_id
    );
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_waited_does_not_leave_after_a_withdrawal() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    world.mail.fail_next(2, &mailbox(&World::partner_of(&offer)), MailFault::AtRecipient(450));
    partner.opens_the_person().await;
    world.gp_withdraws(&sent).await;
    world.advance(SignedDuration::from_mins(2)).await;
    let mails = world.mails_to_partner(&World::partner_of(&offer));
    let codes = mails.iter().filter(|m| m.message_id.as_deref().is_some_and(|id| id.contains(".code."))).count();
    assert_eq!(codes, 0, "there is nothing to open any more");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_cannot_be_delivered_is_told_to_a_person() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    world.mail.fail_next(1, &mailbox(&World::partner_of(&offer)), MailFault::AtRecipient(550));
    partner.opens_the_person().await;
    let known = world.service.store.partner(&ProgrammeId::new("leeds"), &offer.partner).await.unwrap().unwrap();
    assert!(known.bad.is_some(), "the address is marked");
    assert_eq!(world.mail.mails_to(DUTY).len(), 1);
    world.ends_well().await;
}

/// A world whose mail goes to aiosmtpd with STARTTLS under this certificate; `None` where it is not installed.
async fn under_certificate(certificate: &str) -> Option<(World, Aiosmtpd)> {
    let peer = Aiosmtpd::start(&["--tls", "starttls", "--certificate", certificate]).await?;
    let plan = Plan::usual()
        .set("mail.host", "localhost")
        .set("mail.port", i64::from(peer.port()))
        .set("mail.tls", "required")
        .set("mail.tls_ca_file", peer.authority_file().to_str().unwrap());
    Some((plan.open().await, peer))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_mail_leaves_under_a_bad_certificate_and_a_person_is_told() {
    for certificate in ["self-signed", "expired", "wrong-name"] {
        let Some((world, peer)) = under_certificate(certificate).await else { return };
        let sent = world.gp_sends(&Story::lonely()).await;
        world.advance(SignedDuration::from_mins(10)).await;
        assert!(peer.mails().is_empty(), "{certificate}");
        assert!(!world.open_offer(&sent).await.mailed, "{certificate}: and nobody says that it was");
        let alerts = world.service.store.open_alerts(None).await.unwrap();
        let failing = alerts.iter().filter(|alert| alert.kind == Alert::EdgeFailing).count();
        assert_eq!(failing, 1, "{certificate}: it stands on the desk, once: {alerts:?}");
        world.ends_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_good_certificate_the_mail_leaves() {
    let Some((world, peer)) = under_certificate("good").await else { return };
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    assert!(offer.mailed);
    let mail = peer.wait_for_mail_to(&mailbox(&World::partner_of(&offer))).await.unwrap();
    assert_eq!(mail.from, "referrals@leeds.example", "the sending account");
    world.ends_well().await;
}
