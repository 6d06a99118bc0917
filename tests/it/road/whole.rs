//! From the GP's request to the scores in the record.

use serde_json::{Value, json};
use wellbridge::referral::event::Event;

use super::on_both;
use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

const BEFORE: [(&str, &str); 4] = [("satisfied", "4"), ("worthwhile", "5"), ("happy", "3"), ("anxious", "6")];
const FINISHED: [(&str, &str); 7] = [
    ("tried", "Six visits with Maggie, mostly the garden."),
    ("helped", "A regular day."),
    ("did-not-help", "The lunch club was too loud."),
    ("satisfied", "7"),
    ("worthwhile", "8"),
    ("happy", "7"),
    ("anxious", "2"),
];

/// The partner takes it, sees who it is, starts, and finishes.
async fn travels(world: &World, sent: &Sent) {
    let offer = world.open_offer(sent).await;
    let partner = world.partner(&offer);
    partner.accepts().await;
    assert!(partner.opens_the_person().await.says("Barraclough"));
    partner.tells("booked", &[]).await;
    partner.tells("started", &BEFORE).await;
    assert_eq!(world.state(sent).await, "supported");
    partner.tells("finished", &FINISHED).await;
    assert_eq!(world.state(sent).await, "closed");
}

/// The scores of the Observations that we wrote, by their note.
fn scores(observations: &[Value], when: &str) -> Vec<i64> {
    let ours: Vec<&Value> = observations.iter().filter(|o| o["note"][0]["text"] == when).collect();
    assert_eq!(ours.len(), 1, "one Observation {when}: {observations:?}");
    ours[0]["component"].as_array().unwrap().iter().map(|c| c["valueInteger"].as_i64().unwrap()).collect()
}

/// The words of every `DocumentReference`.
fn documents(all: &[Value]) -> String {
    use base64::Engine as _;
    let data = all.iter().filter_map(|d| d["content"][0]["attachment"]["data"].as_str());
    data.map(|d| String::from_utf8(base64::engine::general_purpose::STANDARD.decode(d).unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_travels_the_whole_road_and_its_scores_are_in_the_record() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely()).await;
        travels(&world, &sent).await;
        let observations = world.record.all("Observation").await;
        assert_eq!(scores(&observations, "Before support"), [4, 5, 3, 6]);
        assert_eq!(scores(&observations, "After support"), [7, 8, 7, 2]);
        let told = documents(&world.record.all("DocumentReference").await);
        for words in ["Six visits with Maggie", "A regular day", "The lunch club was too loud"] {
            assert!(told.contains(words), "{words} is missing in:\n{told}");
        }
        let procedures = world.record.all("Procedure").await;
        assert_eq!(procedures.len(), 1, "coded once an episode");
        assert_eq!(procedures[0]["code"]["coding"][0]["code"], "871731000000106");
        let tasks = world.record.all("Task").await;
        assert_eq!(tasks.len(), 1, "the one coordination Task");
        assert_eq!(
            (&tasks[0]["status"], tasks[0]["focus"]["reference"].as_str()),
            (&json!("completed"), Some(format!("ServiceRequest/{}", sent.request).as_str()))
        );
        assert!(tasks[0]["output"].as_array().unwrap().len() >= 3, "{}", tasks[0]["output"]);
        assert_eq!(world.record.read("ServiceRequest", &sent.request).await["status"], "active", "the practice's own");
        let seen = world.events(&sent).await.iter().filter(|e| matches!(e, Event::IdentityViewed { .. })).count();
        assert_eq!(seen, 1, "every view is an event");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_wrote_ourselves_is_not_news() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely().with_task()).await;
        travels(&world, &sent).await;
        let (events, mails) = (world.events(&sent).await, world.mail.mails().len());
        let task = world.record.read("Task", sent.task.as_ref().unwrap()).await;
        for _ in 0..3 {
            world.poll().await;
        }
        assert_eq!(world.events(&sent).await, events);
        assert_eq!(world.mail.mails().len(), mails);
        assert_eq!(world.record.read("Task", sent.task.as_ref().unwrap()).await, task, "and the Task is left alone");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_practices_task_is_kept_true_and_what_is_theirs_stays_theirs() {
    on_both(Plan::usual, async |world: World| {
        let sent = world.gp_sends(&Story::lonely().with_task()).await;
        travels(&world, &sent).await;
        assert_eq!(world.record.all("Task").await.len(), 1, "no second Task beside theirs");
        let task = world.record.read("Task", sent.task.as_ref().unwrap()).await;
        assert_eq!(task["status"], "completed");
        assert_eq!(task["note"][0]["text"], "Please ring the surgery when done.");
        assert_eq!(task["extension"][0]["valueString"], "green");
        let business: Vec<&str> = task["businessStatus"]["coding"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|coding| coding["code"].as_str())
            .collect();
        assert!(business.contains(&"with-reception") && business.contains(&"7.0"), "{business:?}");
        world.ends_well().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_chooses_what_returns_to_the_gp() {
    for (sharing, codes, words) in
        [(Some("nothing"), 0, 0), (Some("codes-only"), 1, 0), (None, 1, 0), (Some("full"), 1, 1)]
    {
        on_both(Plan::usual, async |world: World| {
            let baselines = 1;
            let sent = world.gp_sends(&Story::lonely().sharing(sharing)).await;
            travels(&world, &sent).await;
            assert_eq!(world.record.all("Procedure").await.len(), codes, "{sharing:?}");
            let documents = world.record.all("DocumentReference").await.len();
            let observations = world.record.all("Observation").await.len() - baselines;
            assert_eq!((documents > 0, observations > 0), (words > 0, words > 0), "{sharing:?}");
            let task = world.record.all("Task").await.remove(0);
            assert_eq!(task["status"], "completed", "{sharing:?}");
            if sharing == Some("nothing") {
                assert!(task.get("output").is_none() && task.get("statusReason").is_none(), "{task}");
            }
            world.ends_well().await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_the_road_changes_nothing() {
    let mut world = Plan::usual().open().await;
    let sent = world.gp_sends(&Story::lonely()).await;
    world.restart().await;
    world.poll().await;
    travels(&world, &sent).await;
    let offers =
        world.mails_to_partners().iter().filter(|m| m.message_id.as_deref().unwrap_or("").contains(".offer.")).count();
    assert_eq!(offers, 1, "one mail for one offer");
    world.restart().await;
    world.poll().await;
    assert_eq!(world.record.all("DocumentReference").await.len(), 2, "started and closed, once each");
    world.ends_well().await;
}
