//! The queue as it is set up: what it keeps, when it takes an attempt for dead, and what happens where it cannot start.

use std::time::Duration;

use super::chain;
use super::start::{Kinds, client, ready, rescue_after, start};
use crate::store::sql::query;
use crate::web::testing::World;

#[tokio::test]
async fn no_attempt_that_may_still_live_is_taken_for_dead() {
    for world in [World::new().await, World::with_slow_mail().await] {
        let kinds = Kinds::all(&world.service).unwrap();
        let after = rescue_after(&kinds);
        assert_eq!(kinds.timeouts.len(), 11, "every kind of job: {:?}", kinds.timeouts);
        for (kind, timeout) in &kinds.timeouts {
            assert!(after >= *timeout + Duration::from_secs(10), "{kind} has {timeout:?}, rescued after {after:?}");
        }
        let mail = kinds.timeouts.iter().find(|(kind, _)| *kind == "send_offer_mail").unwrap().1;
        assert!(mail > world.service.settings.mail.longest_send(), "{mail:?}");
    }
}

#[tokio::test]
async fn what_was_discarded_is_kept_for_whoever_asks_and_what_is_done_goes() {
    const OLD: &str = "insert into river_job (kind, state, created_at, scheduled_at, finalized_at)
        select 'tick', $1, long_ago, long_ago, long_ago from (select datetime('now', '-3 years') as long_ago)";
    const LEFT: &str = "select state from river_job where finalized_at < datetime('now', '-2 years')";
    let world = World::new().await;
    let pool = world.service.store.pool();
    for state in ["completed", "discarded"] {
        query(OLD).bind(state).execute(pool).await.unwrap();
    }
    let left = async || query(LEFT).scalars::<String>(pool).await.unwrap();
    assert_eq!(left().await.len(), 2);
    let mut running = client(&world.service, Kinds::all(&world.service).unwrap()).unwrap().start().unwrap();
    // The queue sweeps by itself, a second after its start; what it removed is gone, and then what it kept is kept.
    let swept = async {
        while left().await.len() == 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), swept).await.expect("nothing is ever swept");
    assert_eq!(left().await, ["discarded"]);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn jobs_that_cannot_be_worked_are_no_start() {
    let world = World::new().await;
    start(&world.service).await.unwrap().stop().await.unwrap();
    query("drop table river_queue").execute(world.service.store.pool()).await.unwrap();
    let running = client(&world.service, Kinds::all(&world.service).unwrap()).unwrap().start().unwrap();
    let Err(error) = ready(running, Duration::from_secs(1)).await else { panic!("it says that it is ready") };
    let words = chain(&error);
    assert!(words.contains("queue") && !words.contains("river_job"), "{words}");
}
