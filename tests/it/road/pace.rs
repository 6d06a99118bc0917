//! Limits that replicas share: what comes too much waits for its turn, and nobody is troubled with it.

use jiff::SignedDuration;

use crate::support::city;
use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// Nothing failed: nobody was told, nothing is said to fail, and no attempt of these jobs was counted twice.
async fn nothing_failed(world: &World, kind: &str) {
    assert_eq!(world.service.store.open_alerts(None).await.unwrap(), []);
    assert_eq!(world.service.store.failing_edges().await.unwrap(), []);
    assert_eq!(world.failures_of(kind).await, 0, "waiting is no failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_is_asked_no_more_often_in_an_hour_than_it_may_be_and_the_others_wait() {
    let mut world =
        Plan::usual().set("limits.offers_per_hour", 2).feed(vec![city::befriending("kirkstall")]).open().await;
    if world.is_shared() {
        world.another_replica().await;
    }
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(Story::lonely().send(&world.record).await);
    }
    world.poll().await;
    let mut asked = vec![world.mails_to_partners().len()];
    for _ in 0..2 {
        world.advance(SignedDuration::from_hours(1)).await;
        asked.push(world.mails_to_partners().len());
    }
    assert_eq!(asked, [2, 4, 5]);
    nothing_failed(&world, "send_offer_mail").await;
    world.nobody_was_mailed_twice();
    // What tells a partner something never waits, however often it was asked in this hour.
    for one in &sent {
        world.gp_withdraws(one).await;
    }
    assert_eq!(world.mails_to_partners().len(), 10, "each gets its cancellation");
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practices_system_is_gone_to_no_more_often_in_a_minute_than_it_may_be() {
    let mut world = Plan::usual().set("practices.burton-croft.visits_per_minute", 1).open().await;
    if world.is_shared() {
        world.another_replica().await;
    }
    let sent = world.gp_sends(&Story::lonely()).await;
    assert!(world.find(&sent).await.is_some(), "the poll was this minute's visit");
    assert_eq!(world.mails_to_partners().len(), 0, "the look before the offer waits");
    let mut minutes = 0;
    while world.mails_to_partners().is_empty() {
        minutes += 1;
        assert!(minutes < 30, "it never comes to its turn");
        world.advance(SignedDuration::from_mins(1)).await;
    }
    nothing_failed(&world, "poll_practice").await;
    nothing_failed(&world, "send_offer_mail").await;
    world.ends_well().await;
}
