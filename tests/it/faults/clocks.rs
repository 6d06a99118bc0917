//! A practice's server whose clock is set: what it stamps with another time than it is must be found all the same.

use jiff::SignedDuration;
use wellbridge::clock::Clock;

use super::{failing, told};
use crate::support::story::Story;
use crate::support::world::{Plan, World};

/// Time passes for us and for them.
async fn passes(world: &World, theirs: &Clock, minutes: i64) {
    theirs.advance(SignedDuration::from_mins(minutes));
    world.advance(SignedDuration::from_mins(minutes)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_set_loses_no_referral() {
    for hours in [-30, -1, 1, 30] {
        let theirs = Clock::fixed(Clock::System.now() + SignedDuration::from_hours(2));
        // Between two polls lies more time than a poll looks back.
        let plan = Plan::usual().set("practices.burton-croft.overlap", "1 min").practice_clock(&theirs);
        let world = plan.open().await;
        passes(&world, &theirs, 10).await;
        let before = world.gp_sends(&Story::lonely()).await;
        theirs.advance(SignedDuration::from_hours(hours));
        let after = Story::lonely_too().send(&world.record).await;
        for _ in 0..3 {
            passes(&world, &theirs, 10).await;
        }
        for sent in [&before, &after] {
            assert_eq!(world.state(sent).await, "offered", "{hours} hours");
        }
        // And back again.
        theirs.advance(SignedDuration::from_hours(-hours));
        let last = Story::lonely().send(&world.record).await;
        for _ in 0..3 {
            passes(&world, &theirs, 10).await;
        }
        assert_eq!(world.state(&last).await, "offered", "{hours} hours, and back");
        assert_eq!((told(&world).await, failing(&world).await), ((0, 0), 0), "{hours} hours: nobody need know");
        assert_eq!(world.record.all("Task").await.len(), 3, "{hours} hours");
        world.nobody_was_mailed_twice();
        world.ends().await;
    }
}
