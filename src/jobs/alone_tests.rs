//! What a job decides in its transaction is decided on what stands there, not on what was committed before it.

use super::leave::{self, Leave};
use super::*;
use crate::store::{MailState, NewMail};
use crate::web::testing::{World, leeds, referral, start};

fn attempt() -> Attempt {
    Attempt { job: 1, number: 3, now: start() }
}

#[tokio::test]
async fn two_jobs_about_one_referral_that_are_given_up_wake_the_duty_address_once_until_somebody_looks() {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let waiting = async || world.service.store.open_alerts(None).await.unwrap().len();
    let before = waiting().await;
    let give_up = async || {
        let mut tx = world.service.store.begin().await.unwrap();
        tell_given_up(&mut tx, &"leeds".into(), id, start()).await.unwrap();
        tell_given_up(&mut tx, &"leeds".into(), id, start()).await.unwrap();
        tx.commit().await.unwrap();
    };
    give_up().await;
    assert_eq!(waiting().await, before + 1);
    world.get(&format!("/desk/referral/{id}"), &leeds()).await;
    give_up().await;
    assert_eq!(waiting().await, 1, "what fails after she looked is news");
}

#[tokio::test]
async fn one_trouble_of_a_practice_met_by_two_kinds_of_job_is_told_once() {
    let world = World::new().await;
    let whose = Whose::Practice("leeds".into(), "burton-croft".into());
    let mut tx = world.service.store.begin().await.unwrap();
    for kind in ["keep_task", "file_record"] {
        let edge = Edge::Job(kind.into(), whose.clone());
        edge_failed(&mut tx, &world.service, &edge, "it wants another key", start()).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(world.service.store.failing_edges().await.unwrap().len(), 2);
    assert_eq!(world.service.store.open_alerts(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_that_another_attempt_has_sent_or_may_have_sent_leaves_no_second_time_unsaid() {
    let world = World::new().await;
    let leeds = "leeds".into();
    let new = |id| NewMail { id, programme: &leeds, referral: None, offer: None, kind: "code", ordinal: 1 };
    let mut tx = world.service.store.begin().await.unwrap();
    tx.ask_for_mail(&new("sent"), start()).await.unwrap();
    tx.settle_mail("sent", MailState::Sent, Some("250 taken"), start()).await.unwrap();
    assert_eq!(leave::begin(&mut tx, &new("sent"), attempt()).await.unwrap(), Leave::Sent);
    tx.ask_for_mail(&new("perhaps"), start()).await.unwrap();
    tx.mail_leaves("perhaps", start()).await.unwrap();
    // No job is running under this number: this attempt does not send it, and what it found is written down.
    leave::begin(&mut tx, &new("perhaps"), attempt()).await.unwrap_err();
    leave::taken(&mut tx, "perhaps", "250 taken", false, attempt()).await.unwrap();
    tx.commit().await.unwrap();
    let said = world.service.store.mail("perhaps").await.unwrap().unwrap().answer.unwrap();
    assert!(said.contains("there may be two copies"), "{said}");
}
