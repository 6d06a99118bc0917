//! Jobs: every effect on the world, one file each, worked by River.
//!
//! A job checks the state again when it runs, acts with a stable key, and records the outcome, its own completion and
//! whatever comes next in one transaction. [`Effect`] is what a job implements; [`Runner`] is the one adapter to River:
//! it turns an [`EffectError`] into "again later", "give up and tell a person", or "it may have happened".

mod alert;
mod chase;
mod code;
mod matching;
mod offer_mail;
mod poll;
mod read_again;
mod record;
mod replica;
pub mod schedule;
pub(crate) mod sync;
mod task;
mod tick;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use riverqueue::{
    Job, JobArgs, MaintenanceConfig, QueueConfig, Retention, RunHandle, WorkContext, WorkError, WorkOutcome, Worker,
    WorkerTimeout, Workers,
};

pub use poll::poll_now;

use crate::effect::EffectError;
use crate::referral::ProgrammeId;
use crate::service::Wellbridge;
use crate::store::queue::{
    ChaseOffer, FileRecord, KeepTask, MatchReferral, PollPractice, ReadAgain, SendAlert, SendCode, SendOfferMail,
    SyncDirectory, Tick,
};
use crate::store::{StoreError, Tx};
use schedule::Schedule;

/// Jobs worked side by side; the mail server and each practice have caps of their own.
const WORKERS: usize = 16;
/// A running job older than this is taken to be dead; see [`rescue_after`].
const RESCUE_AFTER: Duration = Duration::from_secs(150);

/// The mail server, as an edge that may be failing: one for every kind of mail.
const MAIL_EDGE: &str = "mail";

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The outside effect did not succeed.
    #[error(transparent)]
    Effect(#[from] EffectError),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One attempt at a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The job's row, completed in the transaction that records its outcome.
    pub(crate) job: i64,
    /// From 1.
    pub(crate) number: i32,
    /// When this attempt began.
    pub(crate) now: Timestamp,
}

/// What a job does.
pub(crate) trait Effect: JobArgs + Clone + std::fmt::Debug {
    /// When it is tried again, and when a person is told.
    const SCHEDULE: Schedule;

    /// How long one attempt may take.
    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_secs(15)
    }

    /// What is said to fail when only a person can help; none where the job tells of it itself.
    fn edge() -> Option<String> {
        Some(format!("job:{}", Self::KIND))
    }

    /// What is said to fail when the job itself could not say what is wrong.
    fn stuck_edge(&self) -> String {
        format!("stuck:{}", Self::KIND)
    }

    /// The programmes that such a job matters to.
    fn told<'s>(&self, service: &'s Wellbridge) -> Vec<&'s ProgrammeId> {
        service.settings.programmes.keys().collect()
    }

    /// Does it. Ends with one transaction that records the outcome and completes `attempt.job`.
    fn run(&self, service: &Wellbridge, attempt: Attempt) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Its horizon has passed, or it said that trying again cannot help: records that and tells a person.
    fn give_up(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        error: &EffectError,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The adapter from an [`Effect`] to River's worker.
struct Runner<A> {
    service: Arc<Wellbridge>,
    args: std::marker::PhantomData<fn() -> A>,
}

impl<A: Effect> Worker<A> for Runner<A> {
    type Error = JobError;

    fn next_retry(&self, job: &Job<A>, error: &WorkError, _now: Timestamp) -> Option<Duration> {
        let wait = A::SCHEDULE.wait(job.row.attempt);
        match error.downcast_ref::<JobError>() {
            Some(JobError::Effect(EffectError::RetryAfter { after: Some(after), .. })) => Some(wait.max(*after)),
            _ => Some(wait),
        }
    }

    fn timeout(&self, _job: &Job<A>) -> WorkerTimeout {
        WorkerTimeout::After(A::timeout(&self.service))
    }

    async fn work(&self, context: WorkContext, job: Job<A>) -> Result<WorkOutcome, JobError> {
        let now = self.service.clock.now();
        let attempt = Attempt { job: job.row.id, number: job.row.attempt, now };
        let began = tokio::time::Instant::now();
        let cancelled = context.cancellation_token().cancelled();
        let result = tokio::select! {
            result = job.args.run(&self.service, attempt) => result,
            () = cancelled => {
                let why = "the attempt took too long and was broken off";
                // A service that is being stopped breaks off as well: that is nothing to tell.
                if began.elapsed() + Duration::from_secs(1) >= A::timeout(&self.service) {
                    self.stuck(&job, attempt, why).await?;
                }
                Err(EffectError::OutcomeUnknown { why: why.into() }.into())
            }
        };
        match result {
            Ok(()) => {
                if attempt.number > 1 {
                    self.well_again(&job).await?;
                }
                Ok(WorkOutcome::Complete)
            }
            // Another attempt won: whatever this one did was dropped with its transaction.
            Err(JobError::Store(StoreError::Queue(error))) if is_not_running(&error) => Ok(WorkOutcome::Complete),
            Err(JobError::Effect(error)) => self.after_failure(&job, attempt, error).await,
            Err(JobError::Store(error)) => {
                tracing::warn!(job.kind = A::KIND, job.id = attempt.job, error = %chain(&error), "a job met the store's refusal");
                let why = "the database did not let it through: the log says why".to_owned();
                self.stuck(&job, attempt, &why).await?;
                self.after_failure(&job, attempt, EffectError::RetryAfter { after: None, why }).await
            }
        }
    }
}

impl<A: Effect> Runner<A> {
    async fn after_failure(&self, job: &Job<A>, attempt: Attempt, error: EffectError) -> Result<WorkOutcome, JobError> {
        // Counted from its first failure: a reminder that was queued days ago is not old when its day comes.
        let since = job.row.errors.first().map_or(attempt.now, |first| first.at);
        let age = Duration::try_from(attempt.now.duration_since(since)).unwrap_or_default();
        let over = age > A::SCHEDULE.horizon;
        if over || matches!(error, EffectError::GiveUp { .. }) {
            tracing::warn!(job.kind = A::KIND, job.id = attempt.job, error = %error, "a job was given up; a person is told");
            return match job.args.give_up(&self.service, attempt, &error).await {
                Ok(()) => Ok(WorkOutcome::Discard),
                Err(StoreError::Queue(e)) if is_not_running(&e) => Ok(WorkOutcome::Complete),
                Err(error) => Err(error.into()),
            };
        }
        if let EffectError::NeedsPerson { why } = &error {
            self.needs_person(why, attempt.now).await?;
        }
        tracing::info!(job.kind = A::KIND, job.id = attempt.job, attempt = attempt.number, error = %error, "a job will be tried again");
        Err(error.into())
    }

    /// Only a person can put it right: each programme's duty address is told, once, while the job goes on trying.
    async fn needs_person(&self, why: &str, now: Timestamp) -> Result<(), StoreError> {
        let Some(edge) = A::edge() else { return Ok(()) };
        let mut tx = self.service.store.begin().await?;
        edge_failed(&mut tx, &edge, why, self.service.settings.programmes.keys(), now).await?;
        tx.commit().await
    }

    /// A job that could not say itself what is wrong: its time ran out, or the store refused. Once may be chance; from
    /// the third attempt on somebody is told, once, while it goes on trying.
    async fn stuck(&self, job: &Job<A>, attempt: Attempt, why: &str) -> Result<(), StoreError> {
        if attempt.number < 3 {
            return Ok(());
        }
        let mut tx = self.service.store.begin().await?;
        let told = job.args.told(&self.service);
        edge_failed(&mut tx, &job.args.stuck_edge(), why, told, attempt.now).await?;
        tx.commit().await
    }

    async fn well_again(&self, job: &Job<A>) -> Result<(), StoreError> {
        let mut tx = self.service.store.begin().await?;
        tx.edge_is_well(&job.args.stuck_edge()).await?;
        if let Some(edge) = A::edge() {
            tx.edge_is_well(&edge).await?;
        }
        tx.commit().await
    }
}

fn is_not_running(error: &riverqueue::Error) -> bool {
    matches!(error, riverqueue::Error::JobNotRunning { .. })
}

/// An error with its sources, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Why jobs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// River said no.
    #[error("the job queue could not be started")]
    Queue(#[from] Box<riverqueue::Error>),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<riverqueue::Error> for StartError {
    fn from(error: riverqueue::Error) -> Self {
        Self::Queue(Box::new(error))
    }
}

/// Starts working jobs. Ticks that must not be missed are queued first, each under the key of its period.
pub async fn start(service: &Arc<Wellbridge>) -> Result<RunHandle, StartError> {
    let client = service
        .store
        .client_builder()
        .workers(workers(service)?)
        .queue("default", QueueConfig::new(WORKERS).with_fetch_poll_interval(Duration::from_millis(250)))
        .fetch_cooldown(Duration::from_millis(10))
        .fetch_only_known_kinds(true)
        .job_timeout(Duration::from_secs(15))
        .default_max_attempts(i32::from(i16::MAX))
        .soft_stop_timeout(Duration::from_secs(10))
        .maintenance(
            MaintenanceConfig::default()
                .with_rescue_after(rescue_after(service))
                .with_scheduler_interval(Duration::from_secs(1))
                .with_discarded_job_retention(Retention::Keep),
        )
        .build()?;
    service.store.use_client(client.clone());
    queue_first_ticks(service).await?;
    replica::live(service.store.clone());
    Ok(client.start()?)
}

/// Always more than the longest job's time plus 10 s (DESIGN, "Storage and scale"): a live attempt is never rescued.
fn rescue_after(service: &Wellbridge) -> Duration {
    RESCUE_AFTER.max(mail_timeout(service) + Duration::from_secs(15))
}

/// A mail may wait long for the answer after its final dot; the job waits a little longer.
pub(crate) fn mail_timeout(service: &Wellbridge) -> Duration {
    service.settings.mail.longest_send() + Duration::from_secs(10)
}

async fn queue_first_ticks(service: &Wellbridge) -> Result<(), StoreError> {
    let now = service.clock.now();
    let mut tx = service.store.begin().await?;
    for practice in service.settings.practices.keys() {
        poll::queue_tick(&mut tx, service, practice, now).await?;
    }
    tick::queue(&mut tx, now).await?;
    for feed in service.settings.feeds.keys() {
        sync::queue_if_never_synced(&mut tx, service, feed, now).await?;
    }
    tx.commit().await
}

fn workers(service: &Arc<Wellbridge>) -> Result<Workers, riverqueue::Error> {
    let mut workers = Workers::new();
    add::<PollPractice>(&mut workers, service)?;
    add::<ReadAgain>(&mut workers, service)?;
    add::<MatchReferral>(&mut workers, service)?;
    add::<SendOfferMail>(&mut workers, service)?;
    add::<SendCode>(&mut workers, service)?;
    add::<ChaseOffer>(&mut workers, service)?;
    add::<KeepTask>(&mut workers, service)?;
    add::<FileRecord>(&mut workers, service)?;
    add::<SendAlert>(&mut workers, service)?;
    add::<SyncDirectory>(&mut workers, service)?;
    add::<Tick>(&mut workers, service)?;
    Ok(workers)
}

fn add<A: Effect>(workers: &mut Workers, service: &Arc<Wellbridge>) -> Result<(), riverqueue::Error> {
    workers.add(Runner::<A> { service: Arc::clone(service), args: std::marker::PhantomData })?;
    Ok(())
}

/// Ends a job that has nothing to do any more.
pub(crate) async fn nothing_to_do(service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
    let mut tx = service.store.begin().await?;
    tx.complete(attempt.job).await?;
    Ok(tx.commit().await?)
}

/// Too short to wake somebody for: a server that was busy or away for less than a minute.
pub(crate) fn is_blip(error: &EffectError, attempt: Attempt) -> bool {
    matches!(error, EffectError::RetryAfter { .. }) && attempt.number < 3
}

/// An edge failed: the first time, each programme it matters to is told.
pub(crate) async fn edge_failed(
    tx: &mut Tx,
    edge: &str,
    why: &str,
    programmes: impl IntoIterator<Item = &ProgrammeId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if tx.edge_fails(edge, why, now).await? {
        for programme in programmes {
            tx.raise(programme, None, crate::referral::event::Alert::EdgeFailing, now).await?;
        }
    }
    Ok(())
}
