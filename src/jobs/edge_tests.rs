//! Who hears of a failing job, and when it is over: real jobs on the real queue, with work that goes as it is told.

use std::time::Duration;

use jiff::SignedDuration;
use riverqueue::{InsertOpts, JobArgs, RunHandle};
use serde::{Deserialize, Serialize};

use super::start::{Kinds, client};
use super::*;
use crate::clock::Clock;
use crate::referral::PracticeId;
use crate::referral::event::Alert;
use crate::store::queue::Tick;
use crate::store::sql::query;
use crate::web::testing::{CSRF, World, leeds, start};
use crate::web::visitor::sha256;

/// Long enough for any wait of the schedules below, in the queue's own time.
const LATER: SignedDuration = SignedDuration::from_hours(1);

/// A job of one practice that is well, or says that only a person can help.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "trial")]
struct Trial {
    practice: PracticeId,
    trouble: Option<String>,
}

impl Effect for Trial {
    const SCHEDULE: Schedule =
        Schedule { waits: &[Duration::from_mins(30)], horizon: Duration::from_hours(24 * 365 * 100) };

    fn about(&self) -> About {
        About::Practice(self.practice.clone())
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        match &self.trouble {
            Some(why) => Err(EffectError::NeedsPerson { why: why.clone() }.into()),
            None => nothing_to_do(service, attempt).await,
        }
    }

    async fn give_up(&self, _: &Wellbridge, _: Attempt, _: &EffectError) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A job of one practice that never comes to an end by itself.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "hanging")]
struct Hanging {
    practice: PracticeId,
}

impl Effect for Hanging {
    const SCHEDULE: Schedule = Schedule { waits: &[Duration::from_mins(30)], horizon: Duration::from_hours(4) };

    fn timeout(_: &Wellbridge) -> Duration {
        Duration::from_millis(20)
    }

    fn about(&self) -> About {
        About::Practice(self.practice.clone())
    }

    async fn run(&self, _: &Wellbridge, _: Attempt) -> Result<(), JobError> {
        std::future::pending().await
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        tx.raise(&"leeds".into(), None, Alert::GivenUp, attempt.now).await?;
        tx.commit().await
    }
}

/// A service that works these kinds of job and no other.
async fn working() -> (World, RunHandle) {
    let world = World::new().await;
    // The queue keeps the machine's time.
    world.service.clock.advance(Clock::System.now().duration_since(start()));
    let kinds = Kinds::none().and::<Trial>(&world.service).unwrap().and::<Hanging>(&world.service).unwrap();
    let kinds = kinds.and::<Tick>(&world.service).unwrap();
    let client = client(&world.service, kinds).unwrap();
    (world, client.start().unwrap())
}

/// Waits until nothing of this kind is left to be done now.
async fn drain<A: Effect>(world: &World) {
    let left = "select count(*) from river_job where kind = $1 and state in ('available', 'running')";
    let drained = async {
        while query(left).bind(A::KIND).scalar::<i64>(world.service.store.pool()).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), drained).await.expect("the queue does not drain");
}

async fn enqueue<A: Effect>(world: &World, job: A) {
    let mut tx = world.service.store.begin().await.unwrap();
    tx.enqueue(job, InsertOpts::default()).await.unwrap();
    tx.commit().await.unwrap();
    drain::<A>(world).await;
}

/// A job for a practice goes well, or needs a person.
async fn tried(world: &World, practice: &str, trouble: Option<&str>) {
    enqueue(world, Trial { practice: practice.into(), trouble: trouble.map(str::to_owned) }).await;
}

/// What waits to be tried again is tried.
async fn again<A: Effect>(world: &World) {
    world.service.clock.advance(LATER);
    world.service.store.bring_forward(world.service.clock.now()).await.unwrap();
    drain::<A>(world).await;
}

/// How often Leeds and York were told that something is failing.
async fn told(world: &World) -> (usize, usize) {
    let alerts = world.service.store.open_alerts(None).await.unwrap();
    let of = |id: &str| alerts.iter().filter(|a| a.kind == Alert::EdgeFailing && a.programme.as_str() == id).count();
    (of("leeds"), of("york"))
}

/// Waits until something is failing of these practices and of no other: a success is noted just after it.
async fn failing(world: &World, practices: &[&str]) {
    let mut seen = Vec::new();
    let looked = async {
        loop {
            let failing = world.service.store.failing_edges().await.unwrap();
            seen = failing.iter().map(|(edge, ..)| edge.practice().unwrap().to_string()).collect();
            if seen == practices {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), looked).await;
    assert!(in_time.is_ok(), "{seen:?} instead of {practices:?}");
}

const KEY: Option<&str> = Some("the practice's system wants another key");

#[tokio::test(flavor = "multi_thread")]
async fn each_practices_failing_is_told_once_and_ends_with_its_own_success_only() {
    let (world, _jobs) = working().await;
    tried(&world, "burton-croft", KEY).await;
    assert_eq!(told(&world).await, (1, 0), "its own programme, nobody else");
    tried(&world, "burton-croft", KEY).await;
    again::<Trial>(&world).await;
    assert_eq!(told(&world).await, (1, 0), "once, however many fail and however often");
    tried(&world, "minster", KEY).await;
    assert_eq!(told(&world).await, (1, 1), "another practice's failing is news, whoever else fails");
    tried(&world, "minster", None).await;
    // Its success says nothing of the other's.
    failing(&world, &["burton-croft"]).await;
    tried(&world, "burton-croft", None).await;
    // Any success ends it, also another job's at its first try.
    failing(&world, &[]).await;
    tried(&world, "burton-croft", KEY).await;
    assert_eq!(told(&world).await, (1, 1), "well for a moment only: the same failing still");
    tried(&world, "burton-croft", None).await;
    failing(&world, &[]).await;
    world.service.clock.advance(SignedDuration::from_mins(10));
    tried(&world, "burton-croft", KEY).await;
    assert_eq!(told(&world).await, (2, 1), "a new failing is told anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_that_goes_on_failing_among_others_that_do_well_is_told_once() {
    let (world, _jobs) = working().await;
    tried(&world, "burton-croft", KEY).await;
    for _ in 0..3 {
        tried(&world, "burton-croft", None).await;
        failing(&world, &[]).await;
        again::<Trial>(&world).await;
    }
    assert_eq!(told(&world).await, (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_time_runs_out_is_told_from_the_third_time_on_and_given_up_at_its_horizon() {
    let (world, _jobs) = working().await;
    enqueue(&world, Hanging { practice: "burton-croft".into() }).await;
    again::<Hanging>(&world).await;
    assert_eq!(told(&world).await, (0, 0), "twice may be chance");
    again::<Hanging>(&world).await;
    assert_eq!(told(&world).await, (1, 0), "the third time its programme is told");
    failing(&world, &["burton-croft"]).await;
    again::<Hanging>(&world).await;
    assert_eq!(told(&world).await, (1, 0), "once");
    let given_up = async || {
        let alerts = world.service.store.open_alerts(None).await.unwrap();
        alerts.iter().filter(|a| a.kind == Alert::GivenUp).count()
    };
    assert_eq!(given_up().await, 0, "within its horizon it is tried again");
    for _ in 0..3 {
        again::<Hanging>(&world).await;
    }
    assert_eq!(given_up().await, 1, "after it a person is told, and it is tried no more");
    let state = query("select state from river_job where kind = 'hanging'");
    assert_eq!(state.scalar::<String>(world.service.store.pool()).await.unwrap(), "discarded");
}

#[tokio::test(flavor = "multi_thread")]
async fn bank_holidays_that_run_out_stand_in_the_worklist_until_a_newer_list_is_there() {
    let (world, _jobs) = working().await;
    let hour = async |on: &str, hour: i64| {
        let on: Timestamp = on.parse().unwrap();
        world.service.clock.advance(on.duration_since(world.service.clock.now()));
        enqueue(&world, Tick { hour }).await;
    };
    let worklist = async || {
        // Her session of that day was swept away years later.
        let hash = sha256(leeds().split_once('=').unwrap().1);
        let mut tx = world.service.store.begin().await.unwrap();
        tx.open_session(&hash, &"amira".into(), CSRF, start() + LATER).await.unwrap();
        tx.commit().await.unwrap();
        world.service.clock.advance(start().duration_since(world.service.clock.now()));
        world.get("/desk", &leeds()).await.body
    };
    hour("2028-09-30T10:00:00Z", 1).await;
    assert_eq!(told(&world).await, (0, 0), "there is time");
    hour("2028-10-05T10:00:00Z", 2).await;
    hour("2028-10-05T11:00:00Z", 3).await;
    assert_eq!(told(&world).await, (1, 1), "every programme counts with them, and is told once");
    let page = worklist().await;
    assert!(page.contains("the list of bank holidays. known only until 2028-12-31: name a newer file"), "{page}");
    // As it would be with a newer list.
    hour("2028-06-05T10:00:00Z", 4).await;
    let page = worklist().await;
    assert!(page.contains("What waits for you") && !page.contains("the list of bank holidays"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_that_the_settings_no_longer_know_is_not_said_to_fail_for_ever() {
    let world = World::new().await;
    let practice = |programme: &str, practice: &str| Edge::Practice(programme.into(), practice.into());
    let stays = [practice("york", "minster"), Edge::Mail, Edge::Feed("city".to_owned())];
    let goes = [
        practice("leeds", "closed-surgery"),
        practice("leeds", "minster"), // It moved to York.
        Edge::Feed("county".to_owned()),
        Edge::Stuck("poll_practice".to_owned(), Whose::Practice("leeds".into(), "closed-surgery".into())),
    ];
    let mut tx = world.service.store.begin().await.unwrap();
    for edge in stays.iter().chain(&goes) {
        tx.edge_fails(edge, "it does not answer", start()).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut jobs = super::start(&world.service).await.unwrap();
    jobs.stop().await.unwrap();
    let failing = world.service.store.failing_edges().await.unwrap();
    for edge in &goes {
        assert!(failing.iter().all(|(fails, ..)| fails != edge), "{edge:?}");
    }
    assert!(failing.iter().any(|(fails, ..)| *fails == stays[0]), "{failing:?}");
}
