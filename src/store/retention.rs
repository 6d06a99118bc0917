//! Erasing personal data when a programme's retention has passed. The ledger stays: it holds none.
//!
//! What was erased stays erased. A practice may touch its request years later (a tick, a new system that saves
//! everything again): the ledger notes which version it saw, and no word or name of it is kept a second time.

use jiff::Timestamp;

use super::raw::TEXTS;
use super::rows::{key, ms};
use super::sql::query;
use super::{Standing, Store, StoreError, TakenIn, Tx};
use crate::referral::content::RequestStatus;
use crate::referral::episode::Facts;
use crate::referral::event::Event;
use crate::referral::{ProgrammeId, ReferralId, Source};

const PAST_RETENTION: &str = "select r.id from referral r where r.programme_id = $1
    and r.state in ('closed', 'withdrawn') and r.changed < $2
    and (exists (select 1 from referral_content c where c.referral_id = r.id)
      or exists (select 1 from raw_input i where i.referral_id = r.id)
      or exists (select 1 from note n where n.referral_id = r.id)
      or exists (select 1 from filing_result f where f.referral_id = r.id and f.refusal is not null))
    order by r.changed limit $3";
const ERASED: &str = "select count(*) from referral r where r.id = $1 and r.state in ('closed', 'withdrawn')
    and not exists (select 1 from referral_content c where c.referral_id = r.id)
    and not exists (select 1 from raw_input i where i.referral_id = r.id)";
const ERASE: [&str; 7] = [
    // The texts it came in, but for those that another referral came in as well.
    "delete from raw_body where hash in (select hash from raw_input where referral_id = $1)
     and not exists (select 1 from raw_input i where i.hash = raw_body.hash and i.referral_id <> $1)",
    "delete from raw_input where referral_id = $1",
    "delete from referral_content where referral_id = $1",
    "delete from note where referral_id = $1",
    "delete from score where referral_id = $1",
    "delete from match_result where referral_id = $1",
    // The practice system's own words may name the person; the references written say nothing.
    "update filing_result set refusal = null where referral_id = $1",
];

impl Store {
    /// Closed and withdrawn referrals of a programme that last changed before `before` and still have personal data.
    pub async fn past_retention(
        &self,
        programme: &ProgrammeId,
        before: Timestamp,
        most: i64,
    ) -> Result<Vec<ReferralId>, StoreError> {
        let ids: Vec<String> =
            query(PAST_RETENTION).bind(programme.as_str()).bind(ms(before)).bind(most).scalars(self.pool()).await?;
        ids.iter().map(|id| key("a referral", id)).collect()
    }
}

impl Tx {
    /// Erases everything personal about these referrals, but for one that was taken up again meanwhile.
    pub async fn erase(&mut self, referrals: &[ReferralId]) -> Result<(), StoreError> {
        if referrals.is_empty() {
            return Ok(());
        }
        // A text that somebody is just about to refer to again must not go.
        self.alone(TEXTS).await?;
        for id in referrals {
            if self.standing(*id).await?.is_some_and(|now| now.episode.is_open()) {
                continue;
            }
            for table in ERASE {
                query(table).bind(id.to_string()).execute(&mut self.inner).await?;
            }
        }
        Ok(())
    }

    /// Whether a referral is over and nothing of what its practice said is kept any more. (One that is held because it
    /// could not be read has no content either; what it came in is kept.)
    pub(super) async fn is_erased(&mut self, id: ReferralId) -> Result<bool, StoreError> {
        let n: i64 = query(ERASED).bind(id.to_string()).scalar(&mut self.inner).await?;
        Ok(n > 0)
    }

    /// A practice touched a referral that is erased. Each version is noted once and nothing it says is kept. Where the
    /// practice asks again a person is told, and reads it there: what it had said before is not here to be compared
    /// with. `status` is none for a version that cannot be read; `explanation` says why.
    pub(super) async fn touch_erased(
        &mut self,
        known: &Standing,
        source: &Source,
        status: Option<RequestStatus>,
        explanation: Option<&str>,
        facts: Facts,
        now: Timestamp,
    ) -> Result<TakenIn, StoreError> {
        let id = known.episode.id;
        if known.source.version == source.version {
            self.read_at(id, source, None, now).await?;
            return Ok(TakenIn::Same);
        }
        self.set_input(id, source, explanation, None, now).await?;
        match status {
            // It is over already: there is nothing to take back.
            Some(status) if status.is_withdrawn() => Ok(TakenIn::Same),
            Some(RequestStatus::Active) => {
                self.record(id, &Event::SentAgain { facts }, None, now, now).await?;
                Ok(TakenIn::Changed(id))
            }
            _ => self.changed(id, facts, now).await,
        }
    }
}
