//! What lets a partner in: the link of an offer, its one-time code, the session behind the code. Hashes only.

use jiff::Timestamp;

use super::rows::{at, key, ms};
use super::sql::query;
use super::{Store, StoreError, Tx};
use crate::referral::{OfferId, ProgrammeId, ReferralId};

/// A link that was found by the hash of its token.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// The one offer it acts for.
    pub offer: OfferId,
    /// Of which referral.
    pub referral: ReferralId,
    /// Whose.
    pub programme: ProgrammeId,
    /// Not valid from then on.
    pub expires: Timestamp,
    /// Wrong one-time codes in all its life.
    pub code_misses: i64,
}

/// The live one-time code of an offer.
#[derive(Clone, Debug)]
pub struct CodeRow {
    /// Its salted hash.
    pub hash: String,
    /// Which code of this offer it is, from 1.
    pub ordinal: i64,
    /// Not valid from then on.
    pub expires: Timestamp,
    /// How often a wrong one was tried against it.
    pub attempts: i64,
}

const PUT_TOKEN: &str = "insert into answer_token (hash, offer_id, referral_id, programme_id, expires)
    values ($1, $2, $3, $4, $5) on conflict do nothing";
const TOKEN: &str =
    "select offer_id, referral_id, programme_id, expires, code_misses from answer_token where hash = $1";
const PUT_CODE: &str = "insert into one_time_code (offer_id, programme_id, hash, ordinal, expires, attempts)
    values ($1, $2, $3, $4, $5, 0) on conflict (offer_id) do update set hash = excluded.hash,
    ordinal = excluded.ordinal, expires = excluded.expires, attempts = 0";
const CODE: &str = "select hash, ordinal, expires, attempts from one_time_code where offer_id = $1";
/// Tries at one code are made one after the other, also where each comes to another replica.
const CODE_LOCKED: &str = "select hash, ordinal, expires, attempts from one_time_code where offer_id = $1 for update";
const MISSED: &str = "update one_time_code set attempts = attempts + 1 where offer_id = $1";
const MISSED_EVER: &str =
    "update answer_token set code_misses = code_misses + 1 where offer_id = $1 returning code_misses";
const USE_CODE: &str = "delete from one_time_code where offer_id = $1 and hash = $2";
const PUT_SESSION: &str = "insert into partner_session (hash, offer_id, programme_id, expires) values ($1, $2, $3, $4)";
const SESSION: &str = "select count(*) from partner_session where hash = $1 and offer_id = $2 and expires > $3";
const END_SESSIONS: &str = "delete from partner_session where offer_id = $1";
const SWEEP_SESSIONS: &str = "delete from partner_session where expires < $1";

impl Tx {
    /// Keeps the hash of an offer's link.
    pub async fn put_token(
        &mut self,
        hash: &str,
        offer: OfferId,
        referral: ReferralId,
        programme: &ProgrammeId,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        query(PUT_TOKEN)
            .bind(hash)
            .bind(offer.to_string())
            .bind(referral.to_string())
            .bind(programme.as_str())
            .bind(ms(expires))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Replaces the live code of an offer; an older one is worth nothing from now on.
    pub async fn put_code(
        &mut self,
        offer: OfferId,
        programme: &ProgrammeId,
        hash: &str,
        ordinal: i64,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        query(PUT_CODE)
            .bind(offer.to_string())
            .bind(programme.as_str())
            .bind(hash)
            .bind(ordinal)
            .bind(ms(expires))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// The live code of an offer, in this transaction.
    pub async fn code(&mut self, offer: OfferId) -> Result<Option<CodeRow>, StoreError> {
        let text = self.inner.either(CODE, CODE_LOCKED);
        let row = query(text).bind(offer.to_string()).fetch_optional(&mut self.inner).await?;
        Ok(row.map(|row| CodeRow {
            hash: row.get("hash"),
            ordinal: row.get("ordinal"),
            expires: at(row.get("expires")),
            attempts: row.get("attempts"),
        }))
    }

    /// Counts a wrong code; answers how many there were in the life of the offer's link.
    pub async fn code_missed(&mut self, offer: OfferId) -> Result<i64, StoreError> {
        query(MISSED).bind(offer.to_string()).execute(&mut self.inner).await?;
        let ever = query(MISSED_EVER).bind(offer.to_string()).maybe_scalar(&mut self.inner).await?;
        Ok(ever.unwrap_or(0))
    }

    /// Uses a code up and opens a session; false where it had been used before.
    pub async fn open_partner_session(
        &mut self,
        offer: OfferId,
        programme: &ProgrammeId,
        code_hash: &str,
        session_hash: &str,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let used = query(USE_CODE).bind(offer.to_string()).bind(code_hash).execute(&mut self.inner).await?;
        if used != 1 {
            return Ok(false);
        }
        query(PUT_SESSION)
            .bind(session_hash)
            .bind(offer.to_string())
            .bind(programme.as_str())
            .bind(ms(expires))
            .execute(&mut self.inner)
            .await?;
        Ok(true)
    }

    /// Ends every session of an offer (it was taken back).
    pub async fn end_partner_sessions(&mut self, offer: OfferId) -> Result<(), StoreError> {
        query(END_SESSIONS).bind(offer.to_string()).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Forgets sessions that have ended.
    pub async fn sweep_partner_sessions(&mut self, now: Timestamp) -> Result<(), StoreError> {
        query(SWEEP_SESSIONS).bind(ms(now)).execute(&mut self.inner).await?;
        Ok(())
    }
}

impl Store {
    /// The offer a link acts for, by the hash of its token; also where it has expired.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenRow>, StoreError> {
        let Some(row) = query(TOKEN).bind(hash).fetch_optional(self.pool()).await? else { return Ok(None) };
        Ok(Some(TokenRow {
            offer: key("an offer", row.get("offer_id"))?,
            referral: key("a referral", row.get("referral_id"))?,
            programme: ProgrammeId::new(row.get::<String>("programme_id")),
            expires: at(row.get("expires")),
            code_misses: row.get("code_misses"),
        }))
    }

    /// Whether a session (by its hash) opens this offer now.
    pub async fn partner_session(&self, hash: &str, offer: OfferId, now: Timestamp) -> Result<bool, StoreError> {
        let n: i64 = query(SESSION).bind(hash).bind(offer.to_string()).bind(ms(now)).scalar(self.pool()).await?;
        Ok(n > 0)
    }
}
