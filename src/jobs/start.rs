//! Starting the queue: which kinds of job are worked and for how long, and what must be waiting from the first moment on.

use std::sync::Arc;
use std::time::Duration;

use riverqueue::{Client, MaintenanceConfig, QueueConfig, Retention, RunHandle, Workers};

use super::runner::Runner;
use super::{Effect, edge, poll, replica, sync, tick};
use crate::crash_point;
use crate::service::Wellbridge;
use crate::store::StoreError;
use crate::store::queue::{
    ChaseOffer, FileRecord, KeepTask, MatchReferral, PollPractice, ReadAgain, SendAlert, SendCode, SendOfferMail,
    SyncDirectory, Tick,
};

/// Jobs worked side by side; the mail server and each practice have caps of their own.
const WORKERS: usize = 16;
/// A running job older than this is taken to be dead; see [`rescue_after`].
const RESCUE_AFTER: Duration = Duration::from_secs(150);
/// How long the queue may take until its jobs are being worked.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Why jobs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// River said no.
    #[error("the job queue could not be started")]
    Queue(#[from] Box<riverqueue::Error>),
    /// Its tables do not let jobs be worked; it would try for ever, and nobody would see.
    #[error("the job queue was not ready after {} s: is the database whole, and no other program at work in it?", READY_WITHIN.as_secs())]
    NotReady,
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<riverqueue::Error> for StartError {
    fn from(error: riverqueue::Error) -> Self {
        Self::Queue(Box::new(error))
    }
}

/// Starts working jobs, and answers when they are being worked. Ticks that must not be missed are queued first, each
/// under the key of its period.
pub async fn start(service: &Arc<Wellbridge>) -> Result<RunHandle, StartError> {
    let client = client(service, Kinds::all(service)?)?;
    service.store.use_client(client.clone());
    queue_first_ticks(service).await?;
    replica::live(service.store.clone());
    ready(client.start()?, READY_WITHIN).await
}

/// Waits until the queue can be worked; else it is stopped and says why.
pub(super) async fn ready(mut running: RunHandle, within: Duration) -> Result<RunHandle, StartError> {
    match tokio::time::timeout(within, running.wait_ready()).await {
        Ok(Ok(())) => Ok(running),
        // It stopped by itself: its ending says more than that it stopped.
        Ok(Err(stopped)) => Err(running.wait().await.err().unwrap_or(stopped).into()),
        Err(_) => Err(StartError::NotReady),
    }
}

/// River's client, which works these jobs.
pub(super) fn client(service: &Wellbridge, kinds: Kinds) -> Result<Client, riverqueue::Error> {
    let rescue_after = rescue_after(&kinds);
    service
        .store
        .client_builder()
        .workers(kinds.workers)
        .queue("default", QueueConfig::new(WORKERS).with_fetch_poll_interval(Duration::from_millis(250)))
        .fetch_cooldown(Duration::from_millis(10))
        .fetch_only_known_kinds(true)
        .job_timeout(Duration::from_secs(15))
        .default_max_attempts(i32::from(i16::MAX))
        .soft_stop_timeout(Duration::from_secs(10))
        .maintenance(
            MaintenanceConfig::default()
                .with_rescue_after(rescue_after)
                .with_scheduler_interval(Duration::from_secs(1))
                .with_discarded_job_retention(Retention::Keep),
        )
        .build()
}

/// Always more than the longest job's time plus 10 s (DESIGN, "Storage and scale"): a live attempt is never rescued.
pub(super) fn rescue_after(kinds: &Kinds) -> Duration {
    if let Some(shortened) = crash_point::rescue_after() {
        return shortened;
    }
    let longest = kinds.timeouts.iter().map(|(_, timeout)| *timeout).max().unwrap_or_default();
    RESCUE_AFTER.max(longest + Duration::from_secs(15))
}

async fn queue_first_ticks(service: &Wellbridge) -> Result<(), StoreError> {
    let now = service.clock.now();
    let (failing, feeds) = (service.store.failing_edges().await?, service.store.feeds().await?);
    let mut tx = service.store.begin().await?;
    edge::forget_gone(&mut tx, service, &failing, now).await?;
    for practice in service.settings.practices.keys() {
        poll::queue_tick(&mut tx, service, practice, now).await?;
    }
    tick::queue(&mut tx, now).await?;
    for feed in service.settings.feeds.values() {
        let synced = feeds.iter().find(|known| known.id == feed.id).and_then(|known| known.synced);
        sync::queue_first(&mut tx, feed, synced, now).await?;
    }
    tx.commit().await
}

/// The kinds of job that are worked.
pub(super) struct Kinds {
    workers: Workers,
    /// How long one attempt of each may take.
    pub(super) timeouts: Vec<(&'static str, Duration)>,
}

impl Kinds {
    pub(super) fn none() -> Self {
        Self { workers: Workers::new(), timeouts: Vec::new() }
    }

    pub(super) fn all(service: &Arc<Wellbridge>) -> Result<Self, riverqueue::Error> {
        let kinds = Self::none().and::<PollPractice>(service)?.and::<ReadAgain>(service)?;
        let kinds = kinds.and::<MatchReferral>(service)?.and::<SendOfferMail>(service)?.and::<SendCode>(service)?;
        let kinds = kinds.and::<ChaseOffer>(service)?.and::<KeepTask>(service)?.and::<FileRecord>(service)?;
        kinds.and::<SendAlert>(service)?.and::<SyncDirectory>(service)?.and::<Tick>(service)
    }

    pub(super) fn and<A: Effect>(mut self, service: &Arc<Wellbridge>) -> Result<Self, riverqueue::Error> {
        self.workers.add(Runner::<A>::new(service))?;
        self.timeouts.push((A::KIND, A::timeout(service)));
        Ok(self)
    }
}
