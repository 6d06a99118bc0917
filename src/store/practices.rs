//! Where polling of each practice stands, who polls it, and what came of each filing.

use jiff::Timestamp;

use super::rows::{at, from_json, json, ms};
use super::sql::query;
use super::{Store, StoreError, Tx};
use crate::referral::{FilingId, PracticeId, ProgrammeId, ReferralId};

/// Where polling of a practice stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Everything changed before was read whole.
    pub since: Option<Timestamp>,
    /// When it was last polled to the end.
    pub polled: Option<Timestamp>,
}

const CURSOR: &str = "select since, polled from practice_cursor where practice_id = $1";
const MOVE: &str = "insert into practice_cursor (practice_id, since, polled) values ($1, $2, $3)
    on conflict (practice_id) do update set since = excluded.since, polled = excluded.polled";
const LEASE: &str = "insert into lease (what, job) values ($1, $2) on conflict (what) do update set job = excluded.job
    where lease.job = excluded.job
    or not exists (select 1 from river_job where id = lease.job and state = 'running')";
const SETTLE: &str = "insert into filing_result (filing_id, referral_id, programme_id, outputs, refusal, settled)
    values ($1, $2, $3, $4, $5, $6) on conflict (filing_id) do update set outputs = excluded.outputs,
    refusal = excluded.refusal, settled = excluded.settled";
const RESULTS: &str = "select filing_id, outputs, refusal from filing_result where referral_id = $1";

impl Tx {
    /// Moves a practice's cursor: every page up to `since` has been taken in.
    pub async fn move_cursor(
        &mut self,
        practice: &PracticeId,
        since: Timestamp,
        polled: Timestamp,
    ) -> Result<(), StoreError> {
        query(MOVE).bind(practice.as_str()).bind(ms(since)).bind(ms(polled)).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Takes the polling of a practice for the job `job`, for as long as that runs. False where another job has it.
    pub async fn polls_alone(&mut self, practice: &PracticeId, job: i64) -> Result<bool, StoreError> {
        let what = format!("poll:{practice}");
        // Whoever else looks at the same lease is done, so that the next statement sees which jobs run now.
        self.alone(&what).await?;
        Ok(query(LEASE).bind(what).bind(job).execute(&mut self.inner).await? == 1)
    }

    /// Keeps what came of a filing: the references written, or the practice system's own words.
    pub async fn settle_filing(
        &mut self,
        filing: FilingId,
        referral: ReferralId,
        programme: &ProgrammeId,
        outputs: &[String],
        refusal: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SETTLE)
            .bind(filing.to_string())
            .bind(referral.to_string())
            .bind(programme.as_str())
            .bind(json("outputs", &outputs)?)
            .bind(refusal)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// Where polling of a practice stands.
    pub async fn cursor(&self, practice: &PracticeId) -> Result<Cursor, StoreError> {
        let row = query(CURSOR).bind(practice.as_str()).fetch_optional(self.pool()).await?;
        Ok(row.map_or_else(Cursor::default, |row| Cursor {
            since: row.get::<Option<i64>>("since").map(at),
            polled: row.get::<Option<i64>>("polled").map(at),
        }))
    }

    /// What came of each filing of a referral: (filing, references written, refusal in the practice system's words).
    pub async fn filing_results(
        &self,
        referral: ReferralId,
    ) -> Result<Vec<(FilingId, Vec<String>, Option<String>)>, StoreError> {
        let rows = query(RESULTS).bind(referral.to_string()).fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| {
                let id: String = row.get("filing_id");
                let outputs = from_json("outputs", &id, row.get("outputs"))?;
                Ok((super::rows::key("a filing", &id)?, outputs, row.get("refusal")))
            })
            .collect()
    }
}
