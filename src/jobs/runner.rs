//! The one adapter from an [`Effect`] to River's worker: it turns an [`EffectError`] into "again later", "give up and tell
//! a person", or "it may have happened", and sees to it that what fails is told of, once.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use riverqueue::{Job, WorkContext, WorkError, WorkOutcome, Worker, WorkerTimeout};

use super::{Attempt, Effect, JobError, chain, edge, edge_failed, pace};
use crate::crash_point;
use crate::effect::EffectError;
use crate::service::Wellbridge;
use crate::store::{Edge, StoreError, Whose};

/// The attempt from which a job that cannot say what is wrong is told of.
pub(super) const TELLING: i32 = 3;

/// Works the jobs of one kind.
pub(super) struct Runner<A> {
    service: Arc<Wellbridge>,
    args: PhantomData<fn() -> A>,
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
    pub(super) fn new(service: &Arc<Wellbridge>) -> Self {
        Self { service: Arc::clone(service), args: PhantomData }
    }

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
