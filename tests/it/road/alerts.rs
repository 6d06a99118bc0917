//! The duty address: told at once, without identity, again after half an hour, then somebody else, until it is opened; and
//! of what fails, that it fails and that it is well again.

use jiff::SignedDuration;

use axum::http::Method;
use wellbridge::demo::practice::Fault;
use wellbridge::referral::ProgrammeId;

use crate::support::proxy::Line;
use crate::support::story::Story;
use crate::support::world::{DUTY, Plan, SECOND_DUTY, World};

async fn half_an_hour(world: &World) {
    world.advance(SignedDuration::from_mins(30)).await;
}

fn told(world: &World) -> (usize, usize) {
    (world.mail.mails_to(DUTY).len(), world.mail.mails_to(SECOND_DUTY).len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safety_matter_is_told_again_and_to_the_second_address_until_somebody_opens_it() {
    let world = Plan::usual().open().await;
    let story = Story::unsafe_at_home();
    let sent = world.gp_sends(&story).await;
    assert_eq!(world.state(&sent).await, "held");
    assert!(world.mails_to_partners().is_empty(), "never sent by machine");
    assert_eq!(told(&world), (1, 0));
    let mail = world.mail.mails_to(DUTY).remove(0);
    let raw = String::from_utf8_lossy(&mail.raw).into_owned();
    for secret in story.identifiers() {
        assert!(!raw.contains(&secret), "{secret} in:\n{raw}");
    }
    assert!(mail.text.unwrap().contains("/desk"), "a link to the worklist");
    half_an_hour(&world).await;
    assert_eq!(told(&world), (2, 0), "again");
    half_an_hour(&world).await;
    assert_eq!(told(&world), (2, 1), "then the second address");
    half_an_hour(&world).await;
    assert_eq!(told(&world), (2, 2), "and again, until it is opened");
    world.coordinator().await.opens(&sent).await;
    for _ in 0..3 {
        half_an_hour(&world).await;
    }
    assert_eq!(told(&world), (2, 2), "it stops");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_duty_address_sends_the_alert_to_the_second_one_at_once() {
    let world = Plan::usual().open().await;
    world.mail.fail_next(1, DUTY, wellbridge::demo::mail_catcher::MailFault::AtRecipient(550));
    world.gp_sends(&Story::unsafe_at_home()).await;
    assert_eq!(told(&world), (0, 1));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_duty_mailbox_does_not_keep_the_second_address_waiting() {
    let world = Plan::usual().open().await;
    world.mail.fail_next(100_000, DUTY, wellbridge::demo::mail_catcher::MailFault::AtRecipient(452));
    world.gp_sends(&Story::unsafe_at_home()).await;
    for _ in 0..2 {
        half_an_hour(&world).await;
    }
    assert_eq!(told(&world), (0, 1), "an hour later, as if the first had been told");
    half_an_hour(&world).await;
    assert_eq!(told(&world), (0, 2));
    world.mail.heal();
    half_an_hour(&world).await;
    assert_eq!(told(&world).0, 1, "what waits for the first address arrives once, not once for each try");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_whose_deadline_nobody_kept_waits_too_long() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let (store, programme) = (&world.service.store, ProgrammeId::new("leeds"));
    let (long_ago, later) = (jiff::Timestamp::UNIX_EPOCH, world.clock.now() + SignedDuration::from_hours(1));
    assert_eq!(store.waiting_too_long(&programme, later, long_ago).await.unwrap(), []);
    assert_eq!(store.waiting_too_long(&programme, long_ago, later).await.unwrap(), [world.id(&sent).await]);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_for_a_person_is_told_once() {
    let world = Plan::usual().open().await;
    world.gp_sends(&Story::lonely().without_consent()).await;
    let before = told(&world).0;
    world.advance_working_days(4).await;
    assert_eq!(told(&world).0, before + 1);
    world.advance_working_days(4).await;
    assert_eq!(told(&world).0, before + 1, "once");
    world.ends_well().await;
}

/// The practice's system lets nobody in, or everybody again; and the service looks.
async fn lets_us_in(world: &World, again: Again) {
    match again {
        Again::No => world.pretend().fail_next(100_000, Method::GET, "", Fault::status(401)),
        Again::Yes => world.pretend().heal(),
    }
    world.poll().await;
    minutes(world, 1).await;
}

#[derive(Clone, Copy)]
enum Again {
    No,
    Yes,
}

async fn minutes(world: &World, minutes: i64) {
    world.advance(SignedDuration::from_mins(minutes)).await;
}

/// Mails to the duty address: that something fails, and that it is well again.
fn failing_and_well(world: &World) -> (usize, usize) {
    let mails = world.mail.mails_to(DUTY);
    let of = |kind: &str| mails.iter().filter(|mail| mail.message_id.as_ref().unwrap().contains(kind)).count();
    (of(".alert."), of(".well-again."))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_to_fail_is_told_once_and_once_more_when_it_has_been_well_for_ten_minutes() {
    let world = Plan::usual().open().await;
    lets_us_in(&world, Again::No).await;
    assert_eq!(failing_and_well(&world), (1, 0));
    for _ in 0..4 {
        half_an_hour(&world).await;
    }
    assert_eq!(failing_and_well(&world), (1, 0), "while it goes on failing nothing is said");
    lets_us_in(&world, Again::Yes).await;
    assert_eq!(failing_and_well(&world), (1, 0), "it may be for a moment");
    minutes(&world, 10).await;
    assert_eq!(failing_and_well(&world), (1, 1));
    let mail = world.mail.mails_to(DUTY).pop().unwrap();
    let text = mail.text.unwrap();
    assert!(text.contains("A practice's system is well again") && text.contains("/desk"), "{text}");
    assert!(!text.contains("Burton"), "{text}");
    half_an_hour(&world).await;
    assert_eq!(failing_and_well(&world), (1, 1), "once");
    lets_us_in(&world, Again::No).await;
    assert_eq!(failing_and_well(&world), (2, 1), "a new failing is news");
    world.pretend().heal();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_and_goes_within_minutes_is_one_failing() {
    let world = Plan::usual().open().await;
    for _ in 0..5 {
        lets_us_in(&world, Again::No).await;
        minutes(&world, 4).await;
        lets_us_in(&world, Again::Yes).await;
        minutes(&world, 4).await;
        assert_eq!(failing_and_well(&world), (1, 0));
    }
    minutes(&world, 6).await;
    assert_eq!(failing_and_well(&world), (1, 1), "ten minutes after it was last seen to fail");
    half_an_hour(&world).await;
    assert_eq!(failing_and_well(&world), (1, 1));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_mailed_that_something_is_well_whom_no_mail_told_that_it_failed() {
    let world = Plan::usual().bad_lines().open().await;
    let lines = world.lines.as_ref().unwrap();
    lines.mail.becomes(Line::Refused).await;
    lets_us_in(&world, Again::No).await;
    assert_eq!(world.service.store.open_alerts(None).await.unwrap().len(), 1);
    world.coordinator().await;
    assert_eq!(world.service.store.open_alerts(None).await.unwrap(), [], "a coordinator saw it at the desk");
    lets_us_in(&world, Again::Yes).await;
    lines.mail.becomes(Line::Good).await;
    for _ in 0..3 {
        half_an_hour(&world).await;
    }
    assert_eq!(world.service.store.failing_edges().await.unwrap(), []);
    assert_eq!(failing_and_well(&world), (0, 0));
    world.ends_well().await;
}
