//! How often a practice's system is gone to and a partner is asked, by all replicas together.
//!
//! Each visit and each offer is counted in the window of the clock that it falls in (`store::rate`), one statement each. One
//! too many waits: its count says how many wait before it, so that each comes back once, when its turn is likely. Waiting
//! is not failing: it is no attempt, it is told nobody, and it ends no job's horizon.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::{About, Attempt, Effect, JobError};
use crate::referral::{PartnerId, PracticeId};
use crate::service::Wellbridge;
use crate::store::{StoreError, Tx};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
/// Nobody waits longer than so many windows before it asks again: counts may hold tries that were not needed.
const FURTHEST: i64 = 24;

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the system of its referral's practice.
    Practice,
    /// Anywhere else, or nowhere.
    Elsewhere,
}

/// Counts the visit of a job that goes to its referral's practice; an error where it must wait. Nothing is counted where no
/// practice has a limit.
pub(super) async fn keep<A: Effect>(service: &Wellbridge, job: &A, attempt: Attempt) -> Result<(), JobError> {
    let (Place::Practice, About::Referral(referral)) = (job.place(), job.about()) else { return Ok(()) };
    if service.settings.practices.keys().all(|id| most_visits(service, id).is_none()) {
        return Ok(());
    }
    let visit = service.store.visit_for(referral, MINUTE, attempt.now).await?;
    let visit = visit.and_then(|(practice, visits)| Some((visits, most_visits(service, &practice)?)));
    in_turn(visit.and_then(|(visits, most)| wait(visits, most, MINUTE, attempt.now)))
}

/// Counts a visit to this practice; an error where it must wait.
pub(super) async fn at_practice(service: &Wellbridge, id: &PracticeId, attempt: Attempt) -> Result<(), JobError> {
    let Some(most) = most_visits(service, id) else { return Ok(()) };
    let visits = service.store.visit(id, MINUTE, attempt.now).await?;
    in_turn(wait(visits, most, MINUTE, attempt.now))
}

fn most_visits(service: &Wellbridge, id: &PracticeId) -> Option<NonZeroU32> {
    service.practice(id).and_then(|practice| practice.fhir.visits_per_minute)
}

fn in_turn(wait: Option<Duration>) -> Result<(), JobError> {
    wait.map_or(Ok(()), |wait| Err(JobError::Wait(wait)))
}

/// Counts an offer or reminder to a partner, whatever the programme; how long it must wait, where it must.
pub(super) async fn too_many_offers(
    tx: &mut Tx,
    service: &Wellbridge,
    partner: &PartnerId,
    attempt: Attempt,
) -> Result<Option<Duration>, StoreError> {
    let Some(most) = NonZeroU32::new(service.settings.limits.offers_per_hour) else { return Ok(None) };
    let offers = tx.knock(&format!("offers:{partner}"), HOUR, attempt.now).await?;
    Ok(wait(offers, most, HOUR, attempt.now))
}

/// How long the one that was counted as `count` waits where `most` may go in each window of `seconds`: as many windows as
/// those before it fill, and within its own window spread out.
fn wait(count: i64, most: NonZeroU32, seconds: i64, now: Timestamp) -> Option<Duration> {
    let most = i64::from(most.get());
    let before = count - most - 1;
    if before < 0 {
        return None;
    }
    let window = seconds * 1000;
    let rest = window - now.as_millisecond().rem_euclid(window);
    let wait = rest + (before / most).min(FURTHEST) * window + before % most * window / most;
    Some(Duration::from_millis(wait.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_too_many_waits_for_the_window_that_has_room_for_it() {
        let now = Timestamp::from_second(600 + 45).unwrap();
        let two = NonZeroU32::new(2).unwrap();
        let waits = |count| wait(count, two, MINUTE, now).map(|wait| wait.as_secs());
        assert_eq!([1, 2].map(waits), [None, None], "two may go");
        assert_eq!([3, 4].map(waits), [Some(15), Some(45)], "the next two in the next minute, one after the other");
        assert_eq!([5, 6].map(waits), [Some(75), Some(105)], "two more in the minute after");
        assert_eq!(waits(1_000_000), Some(15 + 24 * 60 + 30), "nobody waits for ever for others that may not come");
    }
}
