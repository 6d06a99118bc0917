//! Read one referral again: daily while it is open, and before anything is sent or shown.

use std::time::Duration;

use super::poll::take_in_one;
use super::schedule::{READ, Schedule};
use super::{About, Attempt, Effect, JobError, Place, nothing_to_do, tell_given_up};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::Input;
use crate::referral::ReferralId;
use crate::service::Wellbridge;
use crate::store::queue::ReadAgain;
use crate::store::{Edge, Standing, StoreError};

impl Effect for ReadAgain {
    const SCHEDULE: Schedule = READ;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_secs(30)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    fn place(&self) -> Place {
        Place::Practice
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        match read_again(service, self.referral).await {
            Ok(_) => {}
            // An entry that never had an id to be read by: what is known of it stays, and it already waits for a person.
            Err(JobError::Effect(EffectError::GiveUp { .. }))
                if service.store.content(self.referral).await?.is_none() => {}
            Err(error) => return Err(error),
        }
        nothing_to_do(service, attempt).await
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        if let Some(standing) = tx.standing(self.referral).await? {
            // The poll of the same practice tells people that its system fails, once and not once for each referral.
            let told =
                |edge: &Edge| matches!(edge, Edge::Practice(_, practice) if *practice == standing.source.practice);
            if !tx.failing_edges().await?.iter().any(|(edge, ..)| told(edge)) {
                tell_given_up(&mut tx, &standing.episode.programme, self.referral, attempt.now).await?;
            }
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

/// A referral as it was just read.
pub(crate) struct ReadNow {
    /// Where it stands since.
    pub(crate) standing: Standing,
    /// Its request as it came, where it came.
    pub(crate) request: Option<String>,
}

/// Reads a referral's request, patient and consent as the record stands now, takes in what changed, and answers where
/// it stands then. A practice that cannot be reached is an error: nothing may be sent or shown on old knowledge.
pub(crate) async fn read_again(service: &Wellbridge, referral: ReferralId) -> Result<ReadNow, JobError> {
    let standing = service.store.standing(referral).await?.ok_or(StoreError::NotFound)?;
    let system = service.practices.get(&standing.source.practice);
    let programme = service.programme(&standing.episode.programme);
    let (Some(system), Some(programme)) = (system, programme) else {
        let why =
            "the referral's practice or programme is no longer in the settings: put it back, or close its referrals";
        return Err(EffectError::NeedsPerson { why: why.into() }.into());
    };
    crash_point::step("before:read").await?;
    let input = system.read(&standing.source).await?;
    crash_point::step("after:read").await?;
    let now = service.clock.now();
    let mut tx = service.store.begin().await?;
    take_in_one(&mut tx, programme, &input, now).await?;
    let standing = tx.standing(referral).await?.ok_or(StoreError::NotFound)?;
    tx.commit().await?;
    let (Input::Readable(_, raw) | Input::Unreadable(_, raw)) = input;
    Ok(ReadNow { standing, request: raw.documents.into_iter().next() })
}
