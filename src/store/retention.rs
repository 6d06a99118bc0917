//! Erasing personal data when a programme's retention has passed. The ledger stays: it holds none.

use jiff::Timestamp;

use super::raw::TEXTS;
use super::rows::{key, ms};
use super::sql::query;
use super::{Store, StoreError, Tx};
use crate::referral::{ProgrammeId, ReferralId};

const PAST_RETENTION: &str = "select r.id from referral r where r.programme_id = $1
    and r.state in ('closed', 'withdrawn') and r.changed < $2
    and (exists (select 1 from referral_content c where c.referral_id = r.id)
      or exists (select 1 from raw_input i where i.referral_id = r.id)
      or exists (select 1 from note n where n.referral_id = r.id)) order by r.changed limit $3";
const ERASE: [&str; 6] = [
    "delete from referral_content where referral_id = $1",
    "delete from raw_input where referral_id = $1",
    "delete from note where referral_id = $1",
    "delete from score where referral_id = $1",
    "delete from match_result where referral_id = $1",
    // The practice system's own words may name the person; the references written say nothing.
    "update filing_result set refusal = null where referral_id = $1",
];
const ERASE_ORPHANS: &str =
    "delete from raw_body where not exists (select 1 from raw_input i where i.hash = raw_body.hash)";

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
        query(ERASE_ORPHANS).execute(&mut self.inner).await?;
        Ok(())
    }
}
