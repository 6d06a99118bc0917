//! Several replicas of the service on one PostgreSQL database: each thing is done once, whoever does it.

use std::collections::BTreeMap;

use crate::support::story::Story;
use crate::support::world::Plan;

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_do_each_thing_once() {
    let mut world = Plan::usual().open().await;
    if !world.is_shared() {
        return world.ends_well().await;
    }
    world.another_replica().await;
    world.another_replica().await;
    let mut sent = Vec::new();
    for _ in 0..8 {
        sent.push(Story::lonely().send(&world.record).await);
    }
    world.poll().await;
    for one in &sent {
        assert_eq!(world.state(one).await, "offered");
        let offer = world.open_offer(one).await;
        world.partner(&offer).accepts().await;
        world.partner(&offer).tells("started", &[]).await;
        assert_eq!(world.state(one).await, "supported");
    }
    let mut copies = BTreeMap::new();
    for mail in world.mails_to_partners() {
        *copies.entry(mail.message_id.clone()).or_insert(0) += 1;
    }
    assert!(copies.len() >= 8 && copies.values().all(|n| *n == 1), "{copies:?}");
    assert_eq!(world.record.all("Task").await.len(), 8, "one coordination Task for each referral");
    world.ends_well().await;
}
