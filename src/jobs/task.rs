//! Keep the coordination Task true: a reconciler that writes where the referral stands when it runs.

use std::time::Duration;

use super::read_again::read_again;
use super::schedule::{RECORD, Schedule};
use super::{About, Attempt, Effect, JobError, Place, chain, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{CoarseStep, TaskStanding};
use crate::referral::ReferralId;
use crate::referral::content::TaskState;
use crate::referral::episode::{Closed, Episode, NeedState, OfferStatus, ReferralState};
use crate::referral::event::Alert;
use crate::service::Wellbridge;
use crate::store::queue::{KeepTask, once};
use crate::store::{Standing, StoreError};

impl Effect for KeepTask {
    const SCHEDULE: Schedule = RECORD;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(1)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    fn place(&self) -> Place {
        Place::Practice
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(standing) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        // What could not be read as a referral has no request that a Task could be about.
        let content = service.store.content(self.referral).await?;
        let (Some(system), Some(content)) = (service.practices.get(&standing.source.practice), content) else {
            return nothing_to_do(service, attempt).await;
        };
        let outputs = service.store.filing_results(self.referral).await?;
        let outputs = outputs.into_iter().flat_map(|(_, outputs, _)| outputs).collect();
        let step = coarse_step(&standing.episode);
        let since = service.store.so_since(self.referral, |episode| coarse_step(episode) == step).await?;
        let first = self.first(service, &standing, attempt).await?;
        let said = TaskStanding {
            source: standing.source.clone(),
            step,
            outputs,
            since: since.unwrap_or(standing.changed),
            changed: standing.changed,
            sharing: standing.episode.facts.sharing,
            seen: standing.task_version.clone(),
            first,
        };
        crash_point::step("before:task").await?;
        let written = system.keep_task(&said).await?;
        crash_point::step("after:task").await?;
        if written.left_alone && content.task == TaskState::Open && standing.episode.is_open() {
            read_again(service, self.referral).await?;
            let why = "the practice paused its Task, ended it or gave it away: that is read before anything is written";
            return Err(EffectError::retry(why).into());
        }
        let mut tx = service.store.begin().await?;
        let moved = tx.standing(self.referral).await?.is_some_and(|now| now.seq != standing.seq);
        tx.set_task(self.referral, &written.id, written.version.as_deref()).await?;
        tx.complete(attempt.job).await?;
        // It moved while this was being written: whoever moved it took this job for the one that would say so.
        if moved {
            tx.enqueue(self.clone(), once()).await?;
        }
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

impl KeepTask {
    /// The request as it was taken in, where no earlier try can have left a Task of ours: this is the first attempt, and
    /// no earlier job was given up. (One that waits or runs is the same job: see `store::queue::once`.)
    async fn first(
        &self,
        service: &Wellbridge,
        standing: &Standing,
        attempt: Attempt,
    ) -> Result<Option<String>, StoreError> {
        if attempt.number > 1 || standing.source.task.is_some() {
            return Ok(None);
        }
        let alerts = service.store.alerts_of(self.referral).await?;
        if alerts.iter().any(|alert| alert.kind == Alert::GivenUp) {
            return Ok(None);
        }
        Ok(service.store.raw(self.referral).await?.into_iter().next())
    }
}

/// A job that has the Task written when it is done could not do its work: meanwhile the Task says what is true. Not at
/// every later attempt, which may go on for days.
pub(super) async fn meanwhile(service: &Wellbridge, referral: ReferralId, attempt: Attempt) {
    const AT_MOST: i32 = 3;
    if attempt.number > AT_MOST {
        return;
    }
    let queued = async {
        let mut tx = service.store.begin().await?;
        tx.enqueue(KeepTask { referral }, once()).await?;
        tx.commit().await
    };
    if let Err(error) = queued.await {
        tracing::warn!(referral.id = %referral, error = %chain(&error), "the Task could not be queued; the next attempt does it");
    }
}

/// What a practice sees of where a referral stands: the furthest that any need has come, while one is open.
fn coarse_step(episode: &Episode) -> CoarseStep {
    match episode.state() {
        ReferralState::Withdrawn if episode.offers.iter().any(|o| o.notice_owed) => return CoarseStep::Withdrawing,
        _ if !episode.is_open() => return how_it_ended(episode),
        _ => {}
    }
    let supported = episode.needs.iter().any(|n| matches!(n.state, NeedState::Supported(_)));
    let taken = episode.offers.iter().filter(|o| matches!(o.status, OfferStatus::Accepted | OfferStatus::OnHold));
    // Of several partners the one that has come furthest.
    match taken.map(|o| (o.booked, o.missed)).max() {
        _ if supported => CoarseStep::Supported,
        Some((true, _)) => CoarseStep::Booked,
        Some((false, true)) => CoarseStep::DidNotAttend,
        Some((false, false)) => CoarseStep::Arranging,
        None if episode.is_only_received() => CoarseStep::Received,
        None => CoarseStep::Seeking,
    }
}

/// How a referral that is over ended. What was given stands before what was not; else an ending is said only where
/// every need ended so: no single one speaks for the rest, and a no speaks for the whole referral or is not said.
fn how_it_ended(episode: &Episode) -> CoarseStep {
    let ends: Option<Vec<Closed>> =
        episode.needs.iter().map(|n| if let NeedState::Closed(how) = n.state { Some(how) } else { None }).collect();
    let any = |how| episode.needs.iter().any(|n| n.state == NeedState::Closed(how));
    let refused = |how: &Closed| matches!(how, Closed::PersonDeclined | Closed::DeclinedSocialPrescribing);
    match ends {
        _ if any(Closed::Finished) => CoarseStep::Closed(Closed::Finished),
        _ if any(Closed::MetByCoordinator) => CoarseStep::Closed(Closed::MetByCoordinator),
        None => CoarseStep::Withdrawn,
        Some(ends) if any(Closed::DeclinedSocialPrescribing) && ends.iter().all(refused) => {
            CoarseStep::Closed(Closed::DeclinedSocialPrescribing)
        }
        Some(ends) => match ends.split_first() {
            Some((first, rest)) if rest.iter().all(|how| how == first) => CoarseStep::Closed(*first),
            _ => CoarseStep::Closed(Closed::Other),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::episode::{Actor, Cause, Facts, Need, Offer};
    use crate::referral::lifecycle;
    use jiff::Timestamp;

    fn with(states: &[NeedState]) -> Episode {
        let id = crate::referral::ReferralId::from_uuid(uuid::Uuid::from_u128(1));
        let start = Timestamp::UNIX_EPOCH;
        let (mut episode, _) = lifecycle::start(id, &"beech-lane".into(), &"leeds".into(), Facts::default(), start);
        let need = |(n, state): (usize, &NeedState)| Need {
            code: format!("need-{n}").as_str().into(),
            state: state.clone(),
            since: start,
            by_person: false,
        };
        episode.needs = states.iter().enumerate().map(need).collect();
        episode
    }

    /// One offer, in progress of being arranged.
    fn arranging() -> Episode {
        let mut episode = with(&[NeedState::Received]);
        let id = crate::referral::OfferId::from_uuid(uuid::Uuid::from_u128(2));
        episode.offers.push(Offer {
            id,
            need: "need-0".into(),
            service: "tea-club".into(),
            partner: "tea-trust".into(),
            by: Actor::Machine,
            status: OfferStatus::Accepted,
            made: Timestamp::UNIX_EPOCH,
            reply_by: Timestamp::UNIX_EPOCH,
            mailed: true,
            reminded: false,
            booked: false,
            missed: false,
            notice_owed: false,
            identity_seen: false,
            late_yes: false,
        });
        episode.needs[0].state = NeedState::Offered(id);
        episode
    }

    #[test]
    fn a_date_a_missed_date_and_the_next_are_each_told() {
        let mut episode = arranging();
        assert_eq!(coarse_step(&episode), CoarseStep::Arranging);
        episode.offers[0].missed = true;
        assert_eq!(coarse_step(&episode), CoarseStep::DidNotAttend);
        (episode.offers[0].booked, episode.offers[0].missed) = (true, false);
        assert_eq!(coarse_step(&episode), CoarseStep::Booked);
    }

    #[test]
    fn a_withdrawal_is_under_way_until_the_partner_was_told() {
        let mut episode = arranging();
        episode.needs[0].state = NeedState::Withdrawn;
        episode.offers[0].status = OfferStatus::Cancelled(Cause::Withdrawn);
        episode.offers[0].notice_owed = true;
        assert_eq!(coarse_step(&episode), CoarseStep::Withdrawing);
        episode.offers[0].notice_owed = false;
        assert_eq!(coarse_step(&episode), CoarseStep::Withdrawn);
    }

    #[test]
    fn no_single_need_speaks_for_the_whole_referral() {
        use Closed::{
            DeclinedSocialPrescribing, Finished, MetByCoordinator, NoService, NotForUs, Other, PersonDeclined,
            Unreachable,
        };
        let table: &[(&[Closed], Closed)] = &[
            (&[DeclinedSocialPrescribing], DeclinedSocialPrescribing),
            (&[PersonDeclined, DeclinedSocialPrescribing], DeclinedSocialPrescribing),
            (&[NoService, DeclinedSocialPrescribing], Other),
            (&[PersonDeclined, Finished], Finished),
            (&[NotForUs, MetByCoordinator], MetByCoordinator),
            (&[MetByCoordinator, Finished], Finished),
            (&[NotForUs, NotForUs], NotForUs),
            (&[NotForUs, Unreachable], Other),
            (&[PersonDeclined, NotForUs], Other),
            (&[PersonDeclined, Other], Other),
            (&[Other, NoService], Other),
            (&[NoService, NoService], NoService),
        ];
        for (ends, step) in table {
            let states: Vec<NeedState> = ends.iter().map(|how| NeedState::Closed(*how)).collect();
            assert_eq!(coarse_step(&with(&states)), CoarseStep::Closed(*step), "{ends:?}");
        }
        let rest_withdrawn = [NeedState::Closed(NoService), NeedState::Withdrawn];
        assert_eq!(coarse_step(&with(&rest_withdrawn)), CoarseStep::Withdrawn);
    }
}
