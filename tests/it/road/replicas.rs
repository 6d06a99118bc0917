//! Several replicas of the service on one PostgreSQL database: each thing is done once, whoever does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jiff::Timestamp;
use tokio::sync::watch;
use wellbridge::effect::EffectError;
use wellbridge::jobs;
use wellbridge::practice::{
    ClinicalFiling, Input, LastRead, Page, PollFrom, PracticeSystem, Receipt, TaskStanding, TaskWritten,
};
use wellbridge::referral::Source;
use wellbridge::store::ListFilter;

use crate::support::peers::PATIENCE;
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

/// A practice's system behind a door, at which a poll stands until it is opened. Counts who is in there.
struct Door {
    system: Arc<dyn PracticeSystem>,
    seen: Arc<Seen>,
}

/// What was seen at the door, whichever replica came.
struct Seen {
    is_open: watch::Sender<bool>,
    now: AtomicUsize,
    most: AtomicUsize,
    ever: AtomicUsize,
}

impl Seen {
    fn before(plan: Plan) -> (Arc<Self>, Plan) {
        let zero = AtomicUsize::default;
        let seen = Arc::new(Self { is_open: watch::Sender::new(true), now: zero(), most: zero(), ever: zero() });
        let kept = Arc::clone(&seen);
        let plan = plan.prepared(move |service| {
            for system in service.practices.values_mut() {
                *system = Arc::new(Door { system: Arc::clone(system), seen: Arc::clone(&kept) });
            }
        });
        (seen, plan)
    }

    /// Waits until so many polls have come in all.
    async fn have_come(&self, polls: usize) {
        until(async || self.ever.load(SeqCst) >= polls).await;
    }
}

/// In the door as long as it lives, also where its poll is broken off.
struct Inside<'a>(&'a Seen);

impl<'a> Inside<'a> {
    fn of(seen: &'a Seen) -> Self {
        let now = seen.now.fetch_add(1, SeqCst) + 1;
        seen.most.fetch_max(now, SeqCst);
        seen.ever.fetch_add(1, SeqCst);
        Self(seen)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[async_trait::async_trait]
impl PracticeSystem for Door {
    async fn poll(&self, from: &PollFrom, known: &dyn LastRead) -> Result<Page, EffectError> {
        let _inside = Inside::of(&self.seen);
        self.seen.is_open.subscribe().wait_for(|open| *open).await.unwrap();
        self.system.poll(from, known).await
    }

    async fn changed(
        &self,
        open: &[Source],
        since: Timestamp,
        known: &dyn LastRead,
    ) -> Result<Vec<Input>, EffectError> {
        self.system.changed(open, since, known).await
    }

    async fn read(&self, source: &Source) -> Result<Input, EffectError> {
        self.system.read(source).await
    }

    async fn file(&self, filing: &ClinicalFiling) -> Result<Receipt, EffectError> {
        self.system.file(filing).await
    }

    async fn keep_task(&self, standing: &TaskStanding) -> Result<TaskWritten, EffectError> {
        self.system.keep_task(standing).await
    }

    async fn check(&self) -> Result<String, EffectError> {
        self.system.check().await
    }
}

/// Waits until it is so.
async fn until(so: impl AsyncFn() -> bool) {
    let waited = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.expect("it does not come so far");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_is_polled_by_one_at_a_time_whoever_asks_and_wherever() {
    let (seen, plan) = Seen::before(Plan::usual());
    let mut world = plan.open().await;
    if world.is_shared() {
        world.another_replica().await;
    }
    let practice = "burton-croft".into();
    seen.is_open.send_replace(false);
    let before = world.jobs_of("poll_practice", "completed").await;
    jobs::poll_now(&world.service.store, &practice).await.unwrap();
    let come = seen.ever.load(SeqCst);
    seen.have_come(come.max(1)).await;
    // The regular poll comes due meanwhile, and finds that it must wait; so it goes on to ask.
    world.clock.advance(SignedDuration::from_mins(6));
    world.service.store.bring_forward(world.clock.now()).await.unwrap();
    until(async || world.waited("poll_practice").await >= 2).await;
    assert_eq!(seen.now.load(SeqCst), 1, "one is in there");
    seen.is_open.send_replace(true);
    until(async || world.jobs_of("poll_practice", "completed").await >= before + 2).await;
    world.drain().await;
    assert_eq!(seen.most.load(SeqCst), 1, "never two at one time");
    assert_eq!(world.failures_of("poll_practice").await, 0, "waiting is no failure");
    assert_eq!(world.service.store.open_alerts(None).await.unwrap(), []);
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_whose_replica_dies_is_gone_on_with_by_another_within_half_a_minute() {
    let (seen, plan) = Seen::before(Plan::usual());
    let mut world = plan.open().await;
    if !world.is_shared() {
        return world.ends_well().await;
    }
    let sent = Story::lonely().send(&world.record).await;
    seen.is_open.send_replace(false);
    jobs::poll_now(&world.service.store, &"burton-croft".into()).await.unwrap();
    seen.have_come(1).await;
    let other = world.another_replica().await;
    let died = Instant::now();
    world.dies().await;
    assert_eq!(seen.now.load(SeqCst), 0, "the dead one is no longer in there");
    seen.is_open.send_replace(true);
    let taken_in = async || {
        let rows = other.store.list(&ListFilter::default()).await.unwrap();
        rows.iter().any(|row| row.request == sent.request)
    };
    until(taken_in).await;
    assert!(died.elapsed() < Duration::from_secs(30), "{:?}", died.elapsed());
    assert_eq!(seen.most.load(SeqCst), 1, "never two at one time");
    world.rises().await;
    world.ends_well().await;
}
