//! What comes with a request beside its reasons: whatever is said there, and whatever cannot be read, no machine passes.

use serde_json::{Value, json};
use wellbridge::referral::episode::Hold;

use crate::support::story::{Sent, Story};
use crate::support::world::{Plan, World};

const SAID: &str = "Her husband hits her. She has thoughts of ending her life.";

/// A referral that a machine would send, changed before it is read for the first time.
async fn sent_with(change: impl AsyncFnOnce(&World, &Sent)) -> (World, Sent) {
    let world = Plan::usual().open().await;
    let sent = Story::lonely().with_task().send(&world.record).await;
    change(&world, &sent).await;
    world.poll().await;
    (world, sent)
}

async fn attach(world: &World, sent: &Sent, mut resource: Value) {
    resource["subject"] = json!({"reference": format!("Patient/{}", sent.patient)});
    let kind = resource["resourceType"].as_str().unwrap().to_owned();
    let id = world.record.create(&resource).await;
    refer_to(world, sent, json!({"reference": format!("{kind}/{id}")})).await;
}

async fn refer_to(world: &World, sent: &Sent, reference: Value) {
    let add = |request: &mut Value| request["supportingInfo"].as_array_mut().unwrap().push(reference);
    world.record.change("ServiceRequest", &sent.request, add).await;
}

fn observed(value: Value) -> Value {
    let mut observed = json!({"resourceType": "Observation", "status": "final", "code": {"text": "Social history"}});
    observed["valueString"] = value;
    observed
}

async fn stays(what: &str, (world, sent): (World, Sent), hold: Hold) {
    assert_eq!(world.episode(&sent).await.hold(), Some(hold), "{what}");
    assert!(world.mails_to_partners().is_empty(), "{what}");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_risk_said_anywhere_in_what_came_with_a_request_leaves_by_no_machine() {
    let answers = json!({"resourceType": "QuestionnaireResponse", "id": "q1", "status": "completed",
        "item": [{"linkId": "1", "text": "Anything else?", "answer": [{"valueString": SAID}]}]});
    let attached = observed(SAID.into());
    let story = sent_with(async |world: &World, sent: &Sent| attach(world, sent, attached).await);
    stays("an observation", story.await, Hold::Safety).await;
    let story = sent_with(async |world: &World, sent: &Sent| {
        world.record.change("ServiceRequest", &sent.request, |r| r["contained"] = json!([answers])).await;
        refer_to(world, sent, json!({"reference": "#q1"})).await;
    });
    stays("a form's answer", story.await, Hold::Safety).await;
    let coded = json!([{"text": "Lonely", "coding": [{"system": "http://snomed.info/sct", "code": "6471006"}]}]);
    let story = sent_with(async |world: &World, sent: &Sent| {
        world.record.change("ServiceRequest", &sent.request, |r| r["reasonCode"] = coded).await;
    });
    stays("a code beside a text", story.await, Hold::Safety).await;
    let story = sent_with(async |world: &World, sent: &Sent| {
        let input = json!([{"type": {"text": "Notes"}, "valueString": SAID}]);
        world.record.change("Task", sent.task.as_deref().unwrap(), |t| t["input"] = input).await;
    });
    stays("a task's input", story.await, Hold::Safety).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attached_and_cannot_be_read_waits_for_a_person_who_may_send_it() {
    let letter = json!({"resourceType": "DocumentReference", "status": "current",
        "content": [{"attachment": {"contentType": "application/pdf", "url": "Binary/b1"}}]});
    let (world, sent) = sent_with(async |world: &World, sent: &Sent| attach(world, sent, letter).await).await;
    assert_eq!(world.episode(&sent).await.hold(), Some(Hold::NotAllRead));
    assert!(world.mails_to_partners().is_empty());
    let page = world.coordinator().await.opens(&sent).await;
    assert!(page.says("(DocumentReference) with a document that Wellbridge does not open"), "{}", page.html);
    world.ends_well().await;

    let story = sent_with(async |world: &World, sent: &Sent| {
        refer_to(world, sent, json!({"reference": "Condition/nothere"})).await;
    });
    stays("a reference that leads nowhere", story.await, Hold::NotAllRead).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_attachment_goes_on_by_machine_and_our_own_task_is_no_news() {
    let world = Plan::usual().open().await;
    let sent = Story::lonely().send(&world.record).await;
    attach(&world, &sent, observed("Likes brass bands and dominoes.".into())).await;
    world.poll().await;
    assert_eq!(world.state(&sent).await, "offered");
    for _ in 0..2 {
        world.poll().await;
    }
    assert_eq!((world.episode(&sent).await.inputs, world.mails_to_partners().len()), (1, 1));
    world.ends_well().await;
}
