//! Jobs: every effect on the world, one file each, worked by River.
//!
//! A job checks the state again when it runs, acts with a stable key, and records the outcome, its own completion and
//! whatever comes next in one transaction. [`Effect`] is what a job implements; [`runner`] is the one adapter to River,
//! and [`start`](mod@start) starts it.

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
mod runner;
pub mod schedule;
mod start;
pub(crate) mod sync;
mod task;
mod tick;

use std::time::Duration;

use jiff::Timestamp;
use riverqueue::JobArgs;

pub(crate) use edge::{About, edge_failed};
pub use poll::poll_now;
pub use start::{StartError, start};

use crate::effect::EffectError;
use crate::referral::event::Alert;
use crate::referral::{ProgrammeId, ReferralId};
use crate::service::Wellbridge;
use crate::store::{Edge, StoreError, Tx, Whose};
use pace::Place;
use schedule::Schedule;

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

/// A mail may wait long for the answer after its final dot; the job waits a little longer.
pub(crate) fn mail_timeout(service: &Wellbridge) -> Duration {
    service.settings.mail.longest_send() + Duration::from_secs(10)
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
    tx: &mut Tx,
    programme: &ProgrammeId,
    referral: ReferralId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let alerts = tx.alerts_of(referral).await?;
    if !alerts.iter().any(|alert| alert.kind == Alert::GivenUp && alert.opened.is_none()) {
        tx.raise(programme, Some(referral), Alert::GivenUp, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod alone_tests;
#[cfg(test)]
mod edge_tests;
#[cfg(test)]
mod queue_tests;
