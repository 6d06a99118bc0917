//! The practice takes a referral back: one cancellation for each open offer, and silence from then on.

use std::time::Duration;

use axum::http::Method;
use jiff::SignedDuration;
use wellbridge::demo::mail_catcher::MailFault;
use wellbridge::demo::practice::Fault;
use wellbridge::jobs;
use wellbridge::referral::PracticeId;
use wellbridge::referral::episode::{AttentionKind, Cause, OfferStatus};

use super::on_both;
use crate::support::city::{PARTNERS, mailbox};
use crate::support::peers::PATIENCE;
use crate::support::story::{Sent, Story};
use crate::support::world::{DUTY, Plan, SECOND_DUTY, World};

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

/// What lies before the coordinator, and the mails that the duty address got.
async fn looked_at(world: &World, sent: &Sent) -> (Vec<AttentionKind>, usize) {
    let matters = world.episode(sent).await.attention.iter().map(|a| a.kind).collect();
    (matters, world.mail.mails_to(DUTY).len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_taken_up_again_after_its_withdrawal_is_told_to_a_person() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        world.gp_withdraws(&sent).await;
        let (_, before) = looked_at(&world, &sent).await;
        world.record.change("ServiceRequest", &sent.request, |request| request["status"] = "active".into()).await;
        world.poll().await;
        assert_eq!(world.state(&sent).await, "withdrawn", "a new request is a new referral");
        assert_eq!(looked_at(&world, &sent).await, (vec![AttentionKind::SentAgain], before + 1));
        world.poll().await;
        assert_eq!(looked_at(&world, &sent).await.1, before + 1, "told of once");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_words_in_a_closed_request_are_read_by_a_person_and_a_new_telephone_number_is_not() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        partner.tells("finished", &[("tried", "One visit.")]).await;
        let (_, before) = looked_at(&world, &sent).await;
        world
            .record
            .change("Patient", &sent.patient, |patient| patient["telecom"][0]["value"] = "0113 496 0799".into())
            .await;
        world.poll().await;
        world.advance(SignedDuration::from_hours(1)).await;
        assert_eq!(looked_at(&world, &sent).await, (vec![], before));
        let worse = |request: &mut serde_json::Value| {
            request["note"][0]["text"] = "Worse again. Says that she is afraid of her son.".into();
        };
        world.record.change("ServiceRequest", &sent.request, worse).await;
        world.poll().await;
        assert_eq!(looked_at(&world, &sent).await, (vec![AttentionKind::SentAgain], before + 1));
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_of_contact_after_the_yes_is_told_to_a_person() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        world.partner(&world.open_offer(&sent).await).accepts().await;
        let (_, before) = looked_at(&world, &sent).await;
        let rule = |request: &mut serde_json::Value| {
            let words = format!("{} Contact by mobile only, never ring the landline.", Story::lonely().words);
            request["note"][0]["text"] = words.into();
        };
        world.record.change("ServiceRequest", &sent.request, rule).await;
        world.poll().await;
        assert_eq!(looked_at(&world, &sent).await, (vec![AttentionKind::ChangedAfterAcceptance], before + 1));
        world.ends_well().await;
    })
    .await;
}

/// A request without the social-prescribing code: only its Task says that it is ours.
async fn sent_by_task_alone(world: &World) -> Sent {
    let sent = Story::lonely().with_task().send(&world.record).await;
    let without_code = |request: &mut serde_json::Value| {
        request["code"] = serde_json::json!({ "text": "Help with being alone" });
        request.as_object_mut().unwrap().remove("category");
    };
    world.record.change("ServiceRequest", &sent.request, without_code).await;
    world.poll().await;
    assert_eq!(world.state(&sent).await, "offered");
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_only_its_task_shows_is_withdrawn_at_the_next_poll_though_the_task_is_not_touched() {
    on_both(Plan::usual, async |world: World| {
        let sent = sent_by_task_alone(&world).await;
        let partner = World::partner_of(&world.open_offer(&sent).await);
        world.gp_withdraws(&sent).await;
        assert_eq!(world.state(&sent).await, "withdrawn");
        assert_eq!(world.mails_to_partner(&partner).len(), 2, "the offer, and that it is not needed any more");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_to_be_asked_by_id_does_not_stop_the_poll() {
    for fault in [Fault::status(400), Fault::status(403), Fault::status(500), Fault::Html] {
        let world = Plan::usual().open().await;
        let sent = sent_by_task_alone(&world).await;
        world.pretend().fail_next(100_000, Method::POST, "/ServiceRequest/_search", fault.clone());
        world.gp_withdraws(&sent).await;
        let other = world.gp_sends(&Story::lonely_too()).await;
        assert_eq!(world.state(&other).await, "offered", "{fault:?}: the poll goes on");
        assert_eq!(world.service.store.failing_edges().await.unwrap(), [], "{fault:?}");
        // The daily reading sees it at the latest.
        world.advance(SignedDuration::from_hours(26)).await;
        assert_eq!(world.state(&sent).await, "withdrawn", "{fault:?}");
        world.ends_well().await;
    }
}

/// The notice did not arrive, and whoever was to get it knows who the person is: somebody has to ring.
async fn somebody_has_to_ring(world: World, sent: &Sent, told_before: usize) {
    assert_eq!(world.state(sent).await, "withdrawn");
    let (matters, told) = looked_at(&world, sent).await;
    assert_eq!(matters, [AttentionKind::CancellationUndelivered]);
    assert_eq!(told, told_before + 1, "the duty address is told at once");
    let mail = world.mail.mails_to(DUTY).pop().unwrap();
    let text = mail.text.unwrap();
    assert!(text.contains("could not be told") && text.contains("Please ring them"), "{text}");
    assert!(Story::lonely().identifiers().iter().all(|secret| !text.contains(secret)), "{text}");
    assert!(world.mail.mails_to(SECOND_DUTY).is_empty());
    world.advance(SignedDuration::from_mins(31)).await;
    assert_eq!(world.mail.mails_to(DUTY).len(), told_before + 2, "and again until somebody looks");
    let jo = world.coordinator().await;
    let id = world.id(sent).await.to_string();
    let row = jo.desk.html.split("<li").find(|row| row.contains(&id) && row.contains("Not told"));
    assert!(row.is_some(), "{}", jo.desk.html);
    let page = jo.opens(sent).await;
    assert!(page.says("could not be told that it is over. Ring them."), "{}", page.html);
    world.advance_working_days(2).await;
    assert_eq!(world.mail.mails_to(DUTY).len(), told_before + 2, "she has opened it");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_bounces_from_who_knows_the_person_is_a_matter_for_a_telephone() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    assert!(partner.opens_the_person().await.says("Barraclough"));
    let (mailbox, told) = (mailbox(&partner.name), world.mail.mails_to(DUTY).len());
    let before = world.mail.mails_to(&mailbox).len();
    world.mail.fail_next(1, &mailbox, MailFault::AtRecipient(550));
    world.gp_withdraws(&sent).await;
    assert_eq!(world.mail.mails_to(&mailbox).len(), before);
    somebody_has_to_ring(world, &sent, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_is_it_lost_where_the_address_was_known_to_be_dead_before() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    assert!(partner.opens_the_person().await.says("Barraclough"));
    // A colleague asks for a code of her own, and that mail bounces.
    let mailbox = mailbox(&partner.name);
    world.clock.advance(SignedDuration::from_mins(5));
    world.mail.fail_next(1, &mailbox, MailFault::AtRecipient(550));
    world.partner(&offer).opens_the_person().await;
    let known = world.service.store.partner(&"leeds".into(), &offer.partner).await.unwrap().unwrap();
    assert!(known.bad.is_some(), "the address is marked");
    world.coordinator().await.opens(&sent).await;
    let (told, before) = (world.mail.mails_to(DUTY).len(), world.mail.mails_to(&mailbox).len());
    world.gp_withdraws(&sent).await;
    assert_eq!(world.mail.mails_to(&mailbox).len(), before, "nothing goes to a dead address");
    somebody_has_to_ring(world, &sent, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_bounces_from_who_never_saw_the_person_wakes_nobody() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let partner = world.partner(&world.open_offer(&sent).await);
    partner.accepts().await;
    let (_, told) = looked_at(&world, &sent).await;
    world.mail.fail_next(1, &mailbox(&partner.name), MailFault::AtRecipient(550));
    world.gp_withdraws(&sent).await;
    assert_eq!(looked_at(&world, &sent).await, (vec![], told));
    world.ends_well().await;
}
