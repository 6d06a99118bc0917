//! Jobs: every effect on the world, one file each, worked by River.
//!
//! A job checks the state again when it runs, acts with a stable key, and records the outcome, its own completion and
//! whatever comes next in one transaction. [`Effect`] is what a job implements; [`Runner`] is the one adapter to River:
//! it turns an [`EffectError`] into "again later", "give up and tell a person", or "it may have happened".

mod alert;
mod chase;
mod code;
mod edge;
mod leave;
mod matching;
mod offer_mail;
mod pace;
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
    Client, Job, JobArgs, MaintenanceConfig, QueueConfig, Retention, RunHandle, WorkContext, WorkError, WorkOutcome,
    Worker, WorkerTimeout, Workers,
};

pub(crate) use edge::{About, edge_failed};
pub use poll::poll_now;

use crate::crash_point;
use crate::effect::EffectError;
use crate::referral::event::Alert;
use crate::referral::{ProgrammeId, ReferralId};
use crate::service::Wellbridge;
use crate::store::queue::{
    ChaseOffer, FileRecord, KeepTask, MatchReferral, PollPractice, ReadAgain, SendAlert, SendCode, SendOfferMail,
    SyncDirectory, Tick,
};
use crate::store::{Edge, StoreError, Tx, Whose};
use pace::Place;
use schedule::Schedule;

/// Jobs worked side by side; the mail server and each practice have caps of their own.
const WORKERS: usize = 16;
/// A running job older than this is taken to be dead; see [`rescue_after`].
const RESCUE_AFTER: Duration = Duration::from_secs(150);
/// How long the queue may take until its jobs are being worked.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The attempt from which a job that cannot say what is wrong is told of.
const TELLING: i32 = 3;

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The outside effect did not succeed.
    #[error(transparent)]
    Effect(#[from] EffectError),
    /// The store did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not its turn yet: tried again after so long. Nothing failed, and nobody is told.
    #[error("it is not its turn yet")]
    Wait(Duration),
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

    /// What it is about: whose trouble it is when it fails.
    fn about(&self) -> About;

    /// Where it goes: a practice's system may not be gone to as often as we like.
    fn place(&self) -> Place {
        Place::Elsewhere
    }

    /// What is said to fail when it answers that only a person can help. A job that tells of it itself, under a name of
    /// its own, answers that it is to be tried again.
    fn edge(whose: Whose) -> Edge {
        Edge::Job(Self::KIND.to_owned(), whose)
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
        let (place, token) = (&self.service.settings.data_dir, context.cancellation_token());
        let run = crash_point::attempt(place, A::KIND, attempt.number, token, || async {
            pace::keep(&self.service, &job.args, attempt).await?;
            job.args.run(&self.service, attempt).await
        });
        let result = tokio::select! {
            result = run => result,
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
                if let Err(error) = self.well_again(&job).await {
                    // The job is done and recorded; the next success says it again.
                    tracing::warn!(job.kind = A::KIND, error = %chain(&error), "a success could not be noted");
                }
                Ok(WorkOutcome::Complete)
            }
            // Another attempt won: whatever this one did was dropped with its transaction. It must not say `Complete`:
            // River would believe it of the attempt that lives, whose own outcome would then be lost.
            Err(JobError::Store(StoreError::Queue(error))) if is_not_running(&error) => {
                Err(StoreError::Queue(error).into())
            }
            Err(JobError::Effect(error)) => self.after_failure(&job, attempt, error).await,
            Err(JobError::Wait(after)) => Ok(WorkOutcome::Snooze(after)),
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
                Err(error) => Err(error.into()),
            };
        }
        if let EffectError::NeedsPerson { why } = &error {
            self.needs_person(job, why, attempt.now).await?;
        }
        tracing::info!(job.kind = A::KIND, job.id = attempt.job, attempt = attempt.number, error = %error, "a job will be tried again");
        Err(error.into())
    }

    /// Only a person can put it right: whom it concerns is told, once, while the job goes on trying.
    async fn needs_person(&self, job: &Job<A>, why: &str, now: Timestamp) -> Result<(), StoreError> {
        if said_before(job, why, 1) {
            return Ok(());
        }
        let edge = A::edge(self.whose(job).await);
        let mut tx = self.service.store.begin().await?;
        edge_failed(&mut tx, &self.service, &edge, why, now).await?;
        tx.commit().await
    }

    /// A job that could not say itself what is wrong: its time ran out, or the store refused. Once may be chance; from
    /// the third attempt on somebody is told, once, while it goes on trying.
    async fn stuck(&self, job: &Job<A>, attempt: Attempt, why: &str) -> Result<(), StoreError> {
        if attempt.number < TELLING || said_before(job, why, TELLING) {
            return Ok(());
        }
        let edge = Edge::Stuck(A::KIND.to_owned(), self.whose(job).await);
        let mut tx = self.service.store.begin().await?;
        edge_failed(&mut tx, &self.service, &edge, why, attempt.now).await?;
        tx.commit().await
    }

    /// Any success of this kind for the same practice ends what was said to fail.
    async fn well_again(&self, job: &Job<A>) -> Result<(), StoreError> {
        let mut failing = self.service.store.failing_edges().await?;
        failing.retain(|(edge, ..)| edge.is_of(A::KIND));
        if failing.is_empty() {
            return Ok(());
        }
        let done = self.whose(job).await;
        failing.retain(|(edge, ..)| edge.ends_with(&done));
        if failing.is_empty() {
            return Ok(());
        }
        let mut tx = self.service.store.begin().await?;
        for (edge, ..) in &failing {
            tx.edge_is_well(edge, self.service.clock.now()).await?;
        }
        tx.commit().await
    }

    /// Whose job it is; where even that cannot be read, everybody's.
    async fn whose(&self, job: &Job<A>) -> Whose {
        edge::whose(&self.service, job.args.about()).await.unwrap_or(Whose::Everybody)
    }
}

/// A job says a thing once in its life: others of its kind that succeed meanwhile do not make it news again.
fn said_before<A: Effect>(job: &Job<A>, why: &str, from: i32) -> bool {
    job.row.errors.iter().any(|before| before.attempt >= from && before.error == why)
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
async fn ready(mut running: RunHandle, within: Duration) -> Result<RunHandle, StartError> {
    match tokio::time::timeout(within, running.wait_ready()).await {
        Ok(Ok(())) => Ok(running),
        // It stopped by itself: its ending says more than that it stopped.
        Ok(Err(stopped)) => Err(running.wait().await.err().unwrap_or(stopped).into()),
        Err(_) => Err(StartError::NotReady),
    }
}

/// River's client, which works these jobs.
fn client(service: &Wellbridge, kinds: Kinds) -> Result<Client, riverqueue::Error> {
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
fn rescue_after(kinds: &Kinds) -> Duration {
    if let Some(shortened) = crash_point::rescue_after() {
        return shortened;
    }
    let longest = kinds.timeouts.iter().map(|(_, timeout)| *timeout).max().unwrap_or_default();
    RESCUE_AFTER.max(longest + Duration::from_secs(15))
}

/// A mail may wait long for the answer after its final dot; the job waits a little longer.
pub(crate) fn mail_timeout(service: &Wellbridge) -> Duration {
    service.settings.mail.longest_send() + Duration::from_secs(10)
}

async fn queue_first_ticks(service: &Wellbridge) -> Result<(), StoreError> {
    let now = service.clock.now();
    let mut tx = service.store.begin().await?;
    edge::forget_gone(&mut tx, service, now).await?;
    for practice in service.settings.practices.keys() {
        poll::queue_tick(&mut tx, service, practice, now).await?;
    }
    tick::queue(&mut tx, now).await?;
    for feed in service.settings.feeds.keys() {
        sync::queue_if_never_synced(&mut tx, service, feed, now).await?;
    }
    tx.commit().await
}

/// The kinds of job that are worked.
struct Kinds {
    workers: Workers,
    /// How long one attempt of each may take.
    timeouts: Vec<(&'static str, Duration)>,
}

impl Kinds {
    fn none() -> Self {
        Self { workers: Workers::new(), timeouts: Vec::new() }
    }

    fn all(service: &Arc<Wellbridge>) -> Result<Self, riverqueue::Error> {
        let kinds = Self::none().and::<PollPractice>(service)?.and::<ReadAgain>(service)?;
        let kinds = kinds.and::<MatchReferral>(service)?.and::<SendOfferMail>(service)?.and::<SendCode>(service)?;
        let kinds = kinds.and::<ChaseOffer>(service)?.and::<KeepTask>(service)?.and::<FileRecord>(service)?;
        kinds.and::<SendAlert>(service)?.and::<SyncDirectory>(service)?.and::<Tick>(service)
    }

    fn and<A: Effect>(mut self, service: &Arc<Wellbridge>) -> Result<Self, riverqueue::Error> {
        self.workers.add(Runner::<A> { service: Arc::clone(service), args: std::marker::PhantomData })?;
        self.timeouts.push((A::KIND, A::timeout(service)));
        Ok(self)
    }
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

/// Something about a referral was given up: a person is told, and not once more for each further job about the same
/// referral while nobody has opened it.
pub(crate) async fn tell_given_up(
    service: &Wellbridge,
    tx: &mut Tx,
    programme: &ProgrammeId,
    referral: ReferralId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let alerts = service.store.alerts_of(referral).await?;
    if !alerts.iter().any(|alert| alert.kind == Alert::GivenUp && alert.opened.is_none()) {
        tx.raise(programme, Some(referral), Alert::GivenUp, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod queue_tests;
