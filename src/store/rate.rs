//! How often something was done in a window of time: the one table of limits, counted by one statement each, so that they
//! hold across replicas. A replica that dies takes nothing with it: the next window begins at nought for all.
//!
//! A door is what a visitor knocks on (a link, an account), or what we go to ourselves (a partner's mailbox, a practice's
//! system). Its name holds a hash or an id, never personal data. Windows are those of the clock: this minute, this hour.

use jiff::Timestamp;

use super::rows::ms;
use super::sql::query;
use super::{Store, StoreError, Tx};
use crate::referral::{PracticeId, ReferralId};

const KNOCK: &str = "insert into rate (door, period, knocks) values ($1, $2, 1)
    on conflict (door, period) do update set knocks = rate.knocks + 1 returning knocks";
/// The same at the practice of a referral.
const KNOCK_FOR: &str = "insert into rate (door, period, knocks)
    select 'practice:' || practice_id, $2, 1 from referral where id = $1
    on conflict (door, period) do update set knocks = rate.knocks + 1 returning door, knocks";
const FORGET: &str = "update rate set knocks = knocks - 1 where door = $1 and period = $2 and knocks > 0";
const SWEEP: &str = "delete from rate where period < $1";

const DAY: i64 = 86_400_000;
const PRACTICE: &str = "practice:";

/// When the window began that `now` lies in, each `seconds` long.
fn window(seconds: i64, now: Timestamp) -> i64 {
    ms(now) / (seconds * 1000) * (seconds * 1000)
}

impl Tx {
    /// Counts a knock on a door in the window that `now` lies in (`seconds` long); answers the count so far.
    pub async fn knock(&mut self, door: &str, seconds: i64, now: Timestamp) -> Result<i64, StoreError> {
        Ok(query(KNOCK).bind(door).bind(window(seconds, now)).scalar(&mut self.inner).await?)
    }

    /// Forgets windows that have passed.
    pub(super) async fn sweep_rate(&mut self, now: Timestamp) -> Result<(), StoreError> {
        query(SWEEP).bind(ms(now) - DAY).execute(&mut self.inner).await?;
        Ok(())
    }
}

impl Store {
    /// [`Tx::knock`] in a transaction of its own.
    pub async fn knock(&self, door: &str, seconds: i64, now: Timestamp) -> Result<i64, StoreError> {
        Ok(self.knock_at_each(&[door], seconds, now).await?[0])
    }

    /// The same at several doors in one transaction; answers the counts in their order.
    pub async fn knock_at_each<const N: usize>(
        &self,
        doors: &[&str; N],
        seconds: i64,
        now: Timestamp,
    ) -> Result<[i64; N], StoreError> {
        let mut tx = self.begin().await?;
        let mut knocks = [0; N];
        for (door, knocks) in doors.iter().zip(&mut knocks) {
            *knocks = tx.knock(door, seconds, now).await?;
        }
        tx.commit().await?;
        Ok(knocks)
    }

    /// Counts a visit to a practice's system.
    pub async fn visit(&self, practice: &PracticeId, seconds: i64, now: Timestamp) -> Result<i64, StoreError> {
        self.knock(&format!("{PRACTICE}{practice}"), seconds, now).await
    }

    /// Counts a visit to the practice of a referral; answers which, and the count so far. None for a referral that is not
    /// there.
    pub async fn visit_for(
        &self,
        referral: ReferralId,
        seconds: i64,
        now: Timestamp,
    ) -> Result<Option<(PracticeId, i64)>, StoreError> {
        let mut tx = self.begin().await?;
        let visit = query(KNOCK_FOR).bind(referral.to_string()).bind(window(seconds, now));
        let row = visit.fetch_optional(&mut tx.inner).await?;
        tx.commit().await?;
        Ok(row.map(|row| {
            let door: String = row.get("door");
            (PracticeId::new(door.trim_start_matches(PRACTICE)), row.get("knocks"))
        }))
    }

    /// Takes one knock of [`Self::knock`] back: whoever it was had the key.
    pub async fn forget_knock(&self, door: &str, seconds: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        query(FORGET).bind(door).bind(window(seconds, now)).execute(&mut tx.inner).await?;
        tx.commit().await
    }
}
