//! Keep the coordination Task true: a reconciler that writes where the referral stands when it runs.

use std::time::Duration;

use super::schedule::{RECORD, Schedule};
use super::{Attempt, Effect, JobError, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{CoarseStep, TaskStanding};
use crate::referral::episode::{Closed, Episode, NeedState, OfferStatus};
use crate::referral::event::Alert;
use crate::service::Wellbridge;
use crate::store::queue::KeepTask;
use crate::store::{Standing, StoreError};

impl Effect for KeepTask {
    const SCHEDULE: Schedule = RECORD;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(standing) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        // What could not be read as a referral has no request that a Task could be about.
        let readable = service.store.content(self.referral).await?.is_some();
        let (Some(system), true) = (service.practices.get(&standing.source.practice), readable) else {
            return nothing_to_do(service, attempt).await;
        };
        let outputs = service.store.filing_results(self.referral).await?;
        let outputs = outputs.into_iter().flat_map(|(_, outputs, _)| outputs).collect();
        crash_point::reached("before:task");
        let written = system.keep_task(&task_standing(&standing, outputs)).await?;
        crash_point::reached("after:task");
        let mut tx = service.store.begin().await?;
        tx.set_task(self.referral, &written.id, written.version.as_deref()).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let standing = service.store.standing(self.referral).await?;
        let mut tx = service.store.begin().await?;
        if let Some(standing) = standing {
            tx.raise(&standing.episode.programme, Some(self.referral), Alert::GivenUp, attempt.now).await?;
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

fn task_standing(standing: &Standing, outputs: Vec<String>) -> TaskStanding {
    TaskStanding {
        source: standing.source.clone(),
        step: coarse_step(&standing.episode),
        outputs,
        since: standing.changed,
        sharing: standing.episode.facts.sharing,
        seen: standing.task_version.clone(),
    }
}

/// What a practice sees of where a referral stands: the furthest that any need has come, while one is open.
fn coarse_step(episode: &Episode) -> CoarseStep {
    if !episode.is_open() {
        let closed = episode.needs.iter().find_map(|n| match n.state {
            NeedState::Closed(Closed::Finished) => Some(Closed::Finished),
            _ => None,
        });
        let any = episode.needs.iter().find_map(|n| match n.state {
            NeedState::Closed(how) => Some(how),
            _ => None,
        });
        return closed.or(any).map_or(CoarseStep::Withdrawn, CoarseStep::Closed);
    }
    let supported = episode.needs.iter().any(|n| matches!(n.state, NeedState::Supported(_)));
    let taken = episode.offers.iter().filter(|o| matches!(o.status, OfferStatus::Accepted | OfferStatus::OnHold));
    match taken.map(|o| o.booked).max() {
        _ if supported => CoarseStep::Supported,
        Some(true) => CoarseStep::Booked,
        Some(false) => CoarseStep::Arranging,
        None if episode.needs.iter().all(|n| n.state == NeedState::Received) && episode.offers.is_empty() => {
            CoarseStep::Received
        }
        None => CoarseStep::Seeking,
    }
}
