//! Once an hour: who waits too long, what is read again today, what may be forgotten, and whether bank holidays are known.

use jiff::{SignedDuration, Timestamp};

use super::schedule::{OWN, Schedule};
use super::{About, Attempt, Effect, JobError, edge_failed};
use crate::clock::london_date;
use crate::effect::EffectError;
use crate::referral::ReferralId;
use crate::referral::event::Alert;
use crate::service::Wellbridge;
use crate::settings::deadlines::subtract_working_days;
use crate::store::queue::{ReadAgain, Tick, due, once};
use crate::store::{Edge, StoreError, Tx};

const HOUR: i64 = 3_600_000;
/// Referrals read again in one hour: at least so many, so that a few new ones are not spread over the day.
const READ_AGAIN_AT_LEAST: i64 = 200;
/// And at most so many, so that no practice is flooded: a full day's share of 48,000 open ones.
const READ_AGAIN_AT_MOST: i64 = 2_000;
/// A backlog is erased over some hours, so that the one write transaction stays short.
const ERASE_EACH_HOUR: i64 = 500;

impl Effect for Tick {
    const SCHEDULE: Schedule = OWN;

    fn about(&self) -> About {
        About::Service
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let now = attempt.now;
        let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::UNIX_EPOCH);
        let share = share_of_an_hour(service.store.open_referrals().await?);
        let stale = service.store.to_read_again(day_ago, share).await?;
        let mut waiting = Vec::new();
        for (id, programme) in &service.settings.programmes {
            let days = programme.deadlines.waiting_too_long;
            let since = subtract_working_days(now, days, &service.settings.bank_holidays);
            let unanswered = programme.deadlines.reply_by.saturating_add(1);
            let overdue = subtract_working_days(now, unanswered, &service.settings.bank_holidays);
            for referral in service.store.waiting_too_long(id, since, overdue).await? {
                waiting.push((id, referral));
            }
        }
        let erasable = past_retention(service, now).await?;
        let mut tx = service.store.begin().await?;
        tx.erase(&erasable).await?;
        for (programme, referral) in waiting {
            tx.raise(programme, Some(referral), Alert::WaitsTooLong, now).await?;
        }
        for referral in stale {
            // Stamped as it is asked for: one that cannot be read does not keep the others from their turn.
            tx.will_be_read_again(referral, now).await?;
            tx.enqueue(ReadAgain { referral }, once()).await?;
        }
        tx.sweep_sessions(now).await?;
        tx.sweep_partner_sessions(now).await?;
        match service.settings.bank_holidays.running_out(london_date(now)) {
            Some(why) => edge_failed(&mut tx, service, &Edge::BankHolidays, &why, now).await?,
            None => drop(tx.edge_is_well(&Edge::BankHolidays, attempt.now).await?),
        }
        self.done(&mut tx, attempt).await?;
        Ok(tx.commit().await?)
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        for programme in service.settings.programmes.keys() {
            tx.raise(programme, None, Alert::GivenUp, attempt.now).await?;
        }
        self.done(&mut tx, attempt).await?;
        tx.commit().await
    }
}

/// How many of so many open referrals are read again in one hour, so that each has its turn in a day.
fn share_of_an_hour(open: i64) -> i64 {
    open.saturating_add(23).div_euclid(24).clamp(READ_AGAIN_AT_LEAST, READ_AGAIN_AT_MOST)
}

/// Referrals whose personal data has been kept as long as their programme says.
async fn past_retention(service: &Wellbridge, now: Timestamp) -> Result<Vec<ReferralId>, StoreError> {
    let mut erasable = Vec::new();
    for (id, programme) in &service.settings.programmes {
        let kept = SignedDuration::from_hours(24 * i64::from(programme.retention_days));
        let before = now.checked_sub(kept).unwrap_or(Timestamp::UNIX_EPOCH);
        erasable.extend(service.store.past_retention(id, before, ERASE_EACH_HOUR).await?);
    }
    Ok(erasable)
}

impl Tick {
    async fn done(&self, tx: &mut Tx, attempt: Attempt) -> Result<(), StoreError> {
        tx.complete(attempt.job).await?;
        queue_hour(tx, attempt.now.as_millisecond() / HOUR + 1).await
    }
}

/// Makes sure that this hour's tick is queued (or was worked).
pub(super) async fn queue(tx: &mut Tx, now: Timestamp) -> Result<(), StoreError> {
    queue_hour(tx, now.as_millisecond() / HOUR).await
}

async fn queue_hour(tx: &mut Tx, hour: i64) -> Result<(), StoreError> {
    let at = Timestamp::from_millisecond(hour * HOUR).unwrap_or(Timestamp::UNIX_EPOCH);
    let unique = riverqueue::UniqueOpts::new().with_by_args(true);
    tx.enqueue(Tick { hour }, due(at).with_unique(unique)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_referral_has_its_turn_within_a_day() {
        for open in [0, 1, 4_800, 4_801, 12_345, 48_000] {
            assert!(share_of_an_hour(open) * 24 >= open, "{open}");
        }
        assert_eq!(share_of_an_hour(0), 200);
        assert_eq!(share_of_an_hour(24_001), 1_001);
        assert_eq!(share_of_an_hour(1_000_000), 2_000, "no practice is flooded");
    }
}
