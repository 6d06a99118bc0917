//! What is tried for its whole time and does not come right: a person is told once, by mail and on the desk, and nothing
//! is lost for it.

use axum::http::Method;
use jiff::SignedDuration;
use wellbridge::demo::practice::Fault;
use wellbridge::referral::episode::{Hold, NeedState, OfferStatus};
use wellbridge::referral::event::{Alert, Event, Place, Placed};
use wellbridge::store::AlertRow;

use super::directory::{Council, many};
use crate::support::story::{Sent, Story};
use crate::support::world::{DUTY, Plan, World};

/// Longer than the horizon of our own work, of reading and of a day.
const A_DAY: SignedDuration = SignedDuration::from_hours(25);

/// A few tries pass, and the time for them does not.
async fn some_tries(world: &World) {
    for _ in 0..3 {
        world.advance(SignedDuration::from_mins(10)).await;
    }
}

/// The mails by which the duty address was told of something given up about this referral, for each alert.
async fn told_of(world: &World, sent: &Sent) -> Vec<usize> {
    let alerts = world.service.store.alerts_of(world.id(sent).await).await.unwrap();
    alerts.iter().filter(|alert| alert.kind == Alert::GivenUp).map(|alert| mails(world, alert)).collect()
}

/// The same about no single referral.
async fn told_in_general(world: &World) -> Vec<usize> {
    let alerts = world.service.store.open_alerts(None).await.unwrap();
    let given_up = alerts.iter().filter(|alert| alert.kind == Alert::GivenUp && alert.referral.is_none());
    given_up.map(|alert| mails(world, alert)).collect()
}

fn mails(world: &World, alert: &AlertRow) -> usize {
    let id = format!("{}.alert.", alert.id.uuid().simple());
    let theirs = world.mail.mails_to(DUTY);
    theirs.iter().filter(|mail| mail.message_id.as_deref().is_some_and(|theirs| theirs.starts_with(&id))).count()
}

/// A coordinator finds it on her desk, with the way to the referral.
async fn it_stands_on_the_desk(world: &World, sent: &Sent) {
    let jo = world.coordinator().await;
    // Slashes are escaped in the page's links.
    let link = format!("{}\">Something was tried again and again, and given up", world.id(sent).await);
    assert!(jo.desk.says(&link), "{}", jo.desk.html);
    jo.opens(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_that_no_directory_came_for_goes_to_a_person_who_can_release_it() {
    let (council, base) = Council::open(many()).await;
    *council.down.lock().unwrap() = true;
    let plan = Plan::usual().set("directory.feeds.city.kind", "http").set("directory.feeds.city.url", base);
    let world = plan.open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    some_tries(&world).await;
    assert_eq!((world.state(&sent).await, told_of(&world, &sent).await), ("received", vec![]), "there is time yet");
    world.advance(A_DAY).await;
    assert_eq!(world.episode(&sent).await.hold(), Some(Hold::NeedUnclear), "a held referral, for a person");
    assert_eq!(told_of(&world, &sent).await, [1], "once");
    it_stands_on_the_desk(&world, &sent).await;
    world.advance(A_DAY).await;
    assert_eq!(told_of(&world, &sent).await, [1], "and no second time");
    // The directory is there again, and somebody lets the matcher look once more.
    *council.down.lock().unwrap() = false;
    world.advance(A_DAY).await;
    assert!(world.mails_to_partners().is_empty(), "what was given to a person waits for that person");
    let id = world.id(&sent).await.to_string();
    let released = world.at_the_terminal(&["referrals", "release", &id]).await;
    assert_eq!(released.code, Some(0), "{released:?}");
    world.offer_mail(&world.open_offer(&sent).await);
    assert_eq!(world.mails_to_partners().len(), 1);
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_need_whose_matching_is_given_up_waits_for_a_person_beside_one_that_was_offered() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = world.open_offer(&sent).await;
    let needs = vec![Placed { need: "addiction".into(), place: Place::Hold(Hold::NoService) }];
    let (id, now) = (world.id(&sent).await, world.clock.now());
    let mut tx = world.service.store.begin().await.unwrap();
    tx.record(id, &Event::Matched { needs, safety: false }, None, now, now).await.unwrap();
    tx.commit().await.unwrap();
    world.takes_no_more("match_result", "%").await;
    let again = |request: &mut serde_json::Value| request["note"][0]["text"] = "Lonely. Would like a visitor.".into();
    world.record.change("ServiceRequest", &sent.request, again).await;
    world.poll().await;
    some_tries(&world).await;
    assert_eq!(told_of(&world, &sent).await, [] as [usize; 0], "there is time yet");
    world.advance(A_DAY).await;
    world.takes_again("match_result").await;
    assert_eq!(told_of(&world, &sent).await, [1]);
    let episode = world.episode(&sent).await;
    let waits = episode.need(&"addiction".into()).map(|need| need.state.clone());
    assert_eq!(waits, Some(NeedState::Held(Hold::NeedUnclear)), "it is not lost: {:?}", episode.needs);
    assert_eq!(world.open_offer(&sent).await.id, offer.id, "and who was asked is still asked");
    it_stands_on_the_desk(&world, &sent).await;
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_cannot_be_chased_is_told_and_can_still_be_answered() {
    let reminder = "%\"reminded\"%";
    let deadline = "%\"lapsed\"%";
    for (what, days) in [(reminder, 3), (deadline, 5)] {
        let world = Plan::usual().open().await;
        let sent = world.gp_sends(&Story::lonely()).await;
        let offer = world.open_offer(&sent).await;
        world.takes_no_more("event", what).await;
        world.advance_working_days(days).await;
        world.advance(A_DAY).await;
        assert_eq!(told_of(&world, &sent).await, [1], "{what}");
        world.takes_again("event").await;
        it_stands_on_the_desk(&world, &sent).await;
        assert_eq!(world.open_offer(&sent).await.id, offer.id, "{what}: nobody else was asked meanwhile");
        world.partner(&offer).accepts().await;
        assert_eq!(world.open_offer(&sent).await.status, OfferStatus::Accepted, "{what}");
        world.nobody_was_mailed_twice();
        world.ends_well().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hourly_look_that_fails_for_a_day_is_told_and_the_hours_go_on() {
    let world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely().without_consent()).await;
    world.past_the_store("alter table account_session rename to lost").await;
    world.advance(SignedDuration::from_hours(1)).await;
    some_tries(&world).await;
    assert_eq!(told_in_general(&world).await, [] as [usize; 0], "there is time yet");
    world.advance(A_DAY).await;
    assert_eq!(told_in_general(&world).await, [1]);
    world.past_the_store("alter table lost rename to account_session").await;
    let jo = world.coordinator().await;
    assert!(jo.desk.says("given up"), "{}", jo.desk.html);
    // Nobody had to start anything again: who waits too long is seen by the next hours.
    world.advance_working_days(4).await;
    let alerts = world.service.store.alerts_of(world.id(&sent).await).await.unwrap();
    let waits: Vec<usize> =
        alerts.iter().filter(|alert| alert.kind == Alert::WaitsTooLong).map(|alert| mails(&world, alert)).collect();
    assert_eq!(waits, [1], "{alerts:?}");
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

/// The service polls no more than once a month, so that only the daily reading looks at the practice.
fn read_daily_only() -> Plan {
    Plan::usual().set("practices.burton-croft.poll_every", "30 days").set("programmes.leeds.waiting_too_long", 60)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_that_cannot_be_read_again_for_a_day_is_told_and_read_when_it_can_be() {
    let world = read_daily_only().open().await;
    let sent = world.gp_sends(&Story::lonely().without_consent()).await;
    // The poll that every start begins with has been, also where the queue took its time.
    world.advance(SignedDuration::from_secs(1)).await;
    world.record.change("Patient", &sent.patient, |patient| patient["deceasedBoolean"] = true.into()).await;
    let request = format!("/ServiceRequest/{}", sent.request);
    world.pretend().fail_next(100_000, Method::GET, &request, Fault::status(503));
    for _ in 0..3 {
        world.advance(A_DAY).await;
    }
    assert_eq!(told_of(&world, &sent).await, [1], "once, though it is asked for every day");
    it_stands_on_the_desk(&world, &sent).await;
    assert_eq!(world.episode(&sent).await.facts.hold, Some(Hold::ConsentMissing), "what was known stands");
    world.pretend().heal();
    world.advance(A_DAY).await;
    assert_eq!(world.episode(&sent).await.facts.hold, Some(Hold::Deceased), "the day after it is read");
    assert_eq!(told_of(&world, &sent).await, [1]);
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_that_is_down_is_told_once_and_not_for_each_referral_that_cannot_be_read_again() {
    let world = Plan::usual().set("programmes.leeds.waiting_too_long", 60).open().await;
    let one = world.gp_sends(&Story::lonely().without_consent()).await;
    let other = world.gp_sends(&Story::lonely_too().without_consent()).await;
    let before = world.mail.mails_to(DUTY).len();
    world.pretend().fail_next(100_000, Method::GET, "", Fault::status(503));
    world.pretend().fail_next(100_000, Method::POST, "", Fault::status(503));
    some_tries(&world).await;
    for _ in 0..3 {
        world.advance(A_DAY).await;
    }
    assert_eq!((told_of(&world, &one).await, told_of(&world, &other).await), (vec![], vec![]));
    assert_eq!(world.mail.mails_to(DUTY).len(), before + 1, "the practice's system fails: said once");
    world.nobody_was_mailed_twice();
    world.ends_well().await;
}
