//! The practice's own word on its Task: paused, over before we ever saw it, over meanwhile, or somebody else's. Whatever
//! it says, no charity is asked for it and the practice's word stands in its Task.

use jiff::SignedDuration;
use serde_json::{Value, json};
use wellbridge::referral::episode::{AttentionKind, Cause, Hold, OfferStatus};

use super::on_both;
use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

const OVER: [&str; 3] = ["completed", "failed", "rejected"];
const PAUSED: [&str; 2] = ["on-hold", "draft"];

fn sent_with_task() -> Story {
    Story::lonely().with_task()
}

async fn sets_its_task(world: &World, sent: &Sent, status: &str) {
    world.record.change("Task", sent.task.as_ref().unwrap(), |task| task["status"] = status.into()).await;
}

async fn task_of(world: &World, sent: &Sent) -> Value {
    world.record.read("Task", sent.task.as_ref().unwrap()).await
}

/// A person decides, and nothing is left that could leave.
async fn it_waits(world: &World, sent: &Sent, status: &str) {
    let episode = world.episode(sent).await;
    assert_eq!((episode.hold(), world.state(sent).await), (Some(Hold::NotActive), "held"), "{status}");
    assert!(episode.offers.iter().all(|offer| offer.status.is_final()), "{status}: {:?}", episode.offers);
    let task = task_of(world, sent).await;
    assert_eq!(task["status"], status, "the practice's word stands");
    assert_eq!(task["businessStatus"]["coding"].as_array().unwrap().len(), 1, "{status}: nothing of ours: {task}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_was_over_before_we_ever_saw_it_is_history_and_one_that_is_paused_waits() {
    on_both(Plan::usual, async |world: World| {
        for status in OVER.into_iter().chain(PAUSED) {
            let sent = sent_with_task().send(&world.record).await;
            sets_its_task(&world, &sent, status).await;
            world.poll().await;
            world.advance(SignedDuration::from_hours(26)).await;
            it_waits(&world, &sent, status).await;
        }
        assert!(world.mails_to_partners().is_empty(), "nobody is asked for what is over or paused");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_task_goes_on_when_the_practice_requests_it_again() {
    on_both(Plan::usual, async |world: World| {
        for status in PAUSED {
            let sent = sent_with_task().send(&world.record).await;
            sets_its_task(&world, &sent, status).await;
            world.poll().await;
            it_waits(&world, &sent, status).await;
            sets_its_task(&world, &sent, "requested").await;
            world.poll().await;
            assert_eq!(world.state(&sent).await, "offered", "{status}");
            assert_eq!(task_of(&world, &sent).await["status"], "accepted");
        }
        assert_eq!(world.mails_to_partners().len(), PAUSED.len());
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_practice_stopped_while_a_service_was_proposed_cannot_be_approved() {
    on_both(
        || Plan::usual().propose(),
        async |world: World| {
            for status in OVER.into_iter().chain(PAUSED) {
                let sent = world.gp_sends(&sent_with_task()).await;
                assert_eq!(world.state(&sent).await, "proposed");
                // She has the page open from before, and presses the button on it.
                let jo = world.coordinator().await;
                let page = jo.opens(&sent).await;
                sets_its_task(&world, &sent, status).await;
                jo.browser.submit(&page, "/offer", &[]).await;
                world.drain().await;
                world.poll().await;
                world.runs_on().await;
                let task = task_of(&world, &sent).await;
                assert_eq!(task["status"], status, "{task}");
                assert_eq!(world.episode(&sent).await.hold(), Some(Hold::NotActive), "{status}");
                let page = jo.opens(&sent).await;
                let why = if PAUSED.contains(&status) { "has paused its Task" } else { "has ended its Task" };
                assert!(page.says(why) && page.says("Not active at the practice"), "{}", page.html);
                assert!(page.form("/offer").is_none(), "{}", page.html);
            }
            assert!(world.mails_to_partners().is_empty());
            world.ends_well().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_ends_while_a_partner_is_asked_takes_the_offer_back_with_one_notice() {
    on_both(Plan::usual, async |world: World| {
        for status in OVER {
            let sent = world.gp_sends(&sent_with_task()).await;
            let partner = World::partner_of(&world.open_offer(&sent).await);
            let before = world.mails_to_partner(&partner).len();
            sets_its_task(&world, &sent, status).await;
            world.poll().await;
            assert_eq!(world.episode(&sent).await.offers[0].status, OfferStatus::Cancelled(Cause::Superseded));
            assert_eq!(world.mails_to_partner(&partner).len(), before + 1, "that it is not needed");
            let all = world.mails_to_partners().len();
            world.advance_working_days(4).await;
            assert_eq!(world.mails_to_partners().len(), all, "and nobody else is asked");
            assert_eq!(task_of(&world, &sent).await["status"], status);
        }
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_paused_after_the_yes_is_a_coordinators_matter_and_is_kept_true_again_afterwards() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&sent_with_task()).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        sets_its_task(&world, &sent, "on-hold").await;
        world.poll().await;
        let episode = world.episode(&sent).await;
        assert_eq!(episode.offers[0].status, OfferStatus::Accepted, "nobody takes the support away");
        assert_eq!(episode.attention[0].kind, AttentionKind::ChangedAfterAcceptance);
        // What happens meanwhile does not overwrite the practice's word.
        partner.tells("started", &[("satisfied", "4"), ("worthwhile", "5"), ("happy", "3"), ("anxious", "6")]).await;
        assert_eq!(task_of(&world, &sent).await["status"], "on-hold");
        sets_its_task(&world, &sent, "ready").await;
        world.poll().await;
        assert_eq!(task_of(&world, &sent).await["status"], "in-progress");
        partner.tells("finished", &[("tried", "Visits.")]).await;
        assert_eq!(task_of(&world, &sent).await["status"], "completed");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_meets_a_stopped_task_before_any_poll_reads_it_first_and_leaves_it() {
    on_both(Plan::usual, async |world: World| {
        for status in ["completed", "on-hold"] {
            let sent = world.gp_sends(&sent_with_task()).await;
            let partner = world.partner(&world.open_offer(&sent).await);
            sets_its_task(&world, &sent, status).await;
            partner.accepts().await;
            world.advance(SignedDuration::from_mins(1)).await;
            let episode = world.episode(&sent).await;
            assert_eq!(episode.facts.hold, Some(Hold::NotActive), "{status}");
            assert_eq!(episode.attention[0].kind, AttentionKind::ChangedAfterAcceptance, "{status}");
            assert_eq!(task_of(&world, &sent).await["status"], status);
            assert_eq!(world.jobs_of("keep_task", "retryable").await, 0, "{status}");
        }
        world.ends_well().await;
    })
    .await;
}

/// Helped, with a Task of the practice's and with one of ours; the practice's requests stay active.
async fn two_are_helped(world: &World) -> [Sent; 2] {
    let mut helped = Vec::new();
    for story in [sent_with_task(), Story::lonely_too()] {
        let sent = world.gp_sends(&story).await;
        let partner = world.partner(&world.open_offer(&sent).await);
        partner.accepts().await;
        partner.tells("finished", &[("tried", "Visits.")]).await;
        assert_eq!(world.state(&sent).await, "closed");
        assert_eq!(world.record.read("ServiceRequest", &sent.request).await["status"], "active");
        helped.push(sent);
    }
    helped.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_end_of_a_task_is_no_news_to_who_wrote_it() {
    on_both(Plan::usual, async |world: World| {
        let helped = two_are_helped(&world).await;
        let mut events = Vec::new();
        for sent in &helped {
            events.push(world.events(sent).await);
        }
        world.poll().await;
        world.advance(SignedDuration::from_hours(26)).await;
        for (sent, before) in helped.iter().zip(events) {
            assert_eq!(world.events(sent).await, before);
        }
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_lost_database_nobody_is_asked_again_for_whom_we_helped_already() {
    let mut world = Plan::usual().open().await;
    if world.is_shared() {
        return; // The file is what this test loses; what is read then is the same on both.
    }
    let helped = two_are_helped(&world).await;
    let tasks = world.record.all("Task").await;
    let mails = world.mails_to_partners().len();
    world.loses_its_database().await;
    world.poll().await;
    world.advance(SignedDuration::from_hours(26)).await;
    for sent in &helped {
        assert_eq!(world.episode(sent).await.hold(), Some(Hold::NotActive));
        let page = world.coordinator().await.opens(sent).await;
        assert!(page.says("Wellbridge ended this once before"), "{}", page.html);
    }
    assert_eq!(world.mails_to_partners().len(), mails);
    assert_eq!(world.record.all("Task").await, tasks, "nor is anything written into the Tasks");
    let new = world.gp_sends(&Story::lonely().nhs_number("9990301506")).await;
    assert_eq!(world.state(&new).await, "offered", "a new one goes its way");
    world.ends_well().await;
}

/// The practice gives its Task to another organisation.
async fn gives_away(world: &World, task: &str) {
    let other = world.record.create(&json!({ "resourceType": "Organization", "name": "Another charity" })).await;
    let owner = json!({ "reference": format!("Organization/{other}") });
    world.record.change("Task", task, |task| task["owner"] = owner).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_given_to_another_organisation_stops_us_and_is_not_written_into_until_it_is_ours_again() {
    on_both(
        || Plan::usual().propose(),
        async |world: World| {
            let sent = world.gp_sends(&sent_with_task()).await;
            let id = sent.task.clone().unwrap();
            let ours = task_of(&world, &sent).await;
            gives_away(&world, &id).await;
            let theirs = task_of(&world, &sent).await;
            // Before any poll could see it: the last look before the mail does.
            let jo = world.coordinator().await;
            jo.approves(&sent).await;
            world.advance(SignedDuration::from_mins(1)).await;
            assert!(world.mails_to_partners().is_empty());
            assert_eq!(world.episode(&sent).await.hold(), Some(Hold::NotActive));
            let page = jo.opens(&sent).await;
            assert!(page.says("has given its Task to somebody else"), "{}", page.html);
            world.poll().await;
            world.advance(SignedDuration::from_hours(26)).await;
            assert_eq!(task_of(&world, &sent).await, theirs, "nothing is written into it");
            assert_eq!(world.record.all("Task").await.len(), 1, "nor is another one made");
            world.record.change("Task", &id, |task| task["owner"] = ours["owner"].clone()).await;
            world.poll().await;
            assert_eq!(world.state(&sent).await, "proposed", "it goes on");
            world.ends_well().await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_our_own_making_can_be_given_away_too_and_one_without_an_owner_goes_on() {
    on_both(Plan::usual, async |world: World| {
        let (kept, given) = (world.gp_sends(&Story::lonely()).await, world.gp_sends(&Story::lonely_too()).await);
        let about = |sent: &Sent| format!("ServiceRequest/{}", sent.request);
        let tasks = world.record.all("Task").await;
        let of = |sent: &Sent| {
            let found = tasks.iter().find(|task| task["focus"]["reference"] == about(sent).as_str()).unwrap();
            found["id"].as_str().unwrap().to_owned()
        };
        let no_owner = |task: &mut Value| drop(task.as_object_mut().unwrap().remove("owner"));
        world.record.change("Task", &of(&kept), no_owner).await;
        gives_away(&world, &of(&given)).await;
        for sent in [&kept, &given] {
            world.partner(&world.open_offer(sent).await).accepts().await;
        }
        world.advance(SignedDuration::from_mins(1)).await;
        assert_eq!(world.record.read("Task", &of(&kept)).await["status"], "in-progress");
        assert_eq!(world.record.read("Task", &of(&given)).await["status"], "accepted", "as it was given away");
        assert_eq!(world.episode(&kept).await.facts.hold, None);
        assert_eq!(world.episode(&given).await.facts.hold, Some(Hold::NotActive));
        world.ends_well().await;
    })
    .await;
}
