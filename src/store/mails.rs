//! Every mail that was asked for, by the left part of its Message-ID: asked, sent, perhaps sent twice, failed.
//!
//! A mail is one (offer, kind, ordinal); asking twice is one row. `unknown` says what SMTP cannot promise: the
//! connection was lost after the last byte, and a second copy with the same Message-ID may follow.

use jiff::Timestamp;

use super::rows::{at, key, ms};
use super::sql::{Row, query};
use super::{Store, StoreError, Tx};
use crate::referral::episode::Episode;
use crate::referral::event::OfferMail;
use crate::referral::{OfferId, ProgrammeId, ReferralId};

/// Where a mail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// To be sent.
    Asked,
    /// Being handed to the mail server just now. Found so by a later attempt, it may have left.
    Leaving,
    /// The mail server took it.
    Sent,
    /// It may have been sent: being tried again with the same Message-ID.
    Unknown,
    /// It cannot be delivered, or was given up.
    Failed,
    /// No longer true when its turn came: never sent.
    Dropped,
}

impl MailState {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Leaving => "leaving",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

/// A mail to be asked for.
#[derive(Clone, Debug)]
pub struct NewMail<'a> {
    /// Stable: made of (offer, kind, ordinal); the left part of its `Message-ID`.
    pub id: &'a str,
    /// Whose.
    pub programme: &'a ProgrammeId,
    /// About which referral.
    pub referral: Option<ReferralId>,
    /// About which offer.
    pub offer: Option<OfferId>,
    /// The template's folder.
    pub kind: &'a str,
    /// Which of its kind.
    pub ordinal: i64,
}

/// A mail as the ledger of mails has it.
#[derive(Clone, Debug)]
pub struct MailRow {
    /// The left part of its `Message-ID`.
    pub id: String,
    /// About which offer.
    pub offer: Option<OfferId>,
    /// The template's folder.
    pub kind: String,
    /// `asked`, `leaving`, `sent`, `unknown`, `failed`, `dropped`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it came to its state.
    pub settled: Option<Timestamp>,
    /// What the mail server said.
    pub answer: Option<String>,
}

const ASK: &str = "insert into mail (id, programme_id, referral_id, offer_id, kind, ordinal, state, attempts, asked)
    values ($1, $2, $3, $4, $5, $6, 'asked', 0, $7) on conflict do nothing";
const SETTLE: &str = "update mail set state = $2, attempts = attempts + 1, settled = $3, answer = $4 where id = $1";
const LEAVES: &str = "update mail set state = 'leaving', settled = $2 where id = $1
    and state in ('asked', 'unknown')";
const BY_REFERRAL: &str = "select id, offer_id, kind, state, attempts, asked, settled, answer from mail
    where referral_id = $1 order by asked, id";
const BY_ID: &str = "select id, offer_id, kind, state, attempts, asked, settled, answer from mail where id = $1";
const BY_ID_LOCKED: &str =
    "select id, offer_id, kind, state, attempts, asked, settled, answer from mail where id = $1 for update";

/// The left part of the Message-ID of a mail about an offer: the same whenever it is made.
pub fn offer_mail_id(offer: OfferId, mail: OfferMail) -> String {
    format!("{}.{}.1", offer.uuid().simple(), mail.as_str())
}

/// The same of a mail with a one-time code; each code of an offer has its own ordinal.
pub fn code_mail_id(offer: OfferId, ordinal: i64) -> String {
    format!("{}.code.{ordinal}", offer.uuid().simple())
}

impl Tx {
    pub(super) async fn ask_for_offer_mail(
        &mut self,
        episode: &Episode,
        offer: OfferId,
        mail: OfferMail,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let new = NewMail {
            id: &offer_mail_id(offer, mail),
            programme: &episode.programme,
            referral: Some(episode.id),
            offer: Some(offer),
            kind: mail.as_str(),
            ordinal: 1,
        };
        self.ask_for_mail(&new, now).await
    }

    /// Writes down that a mail is to be sent; twice is once.
    pub async fn ask_for_mail(&mut self, mail: &NewMail<'_>, now: Timestamp) -> Result<(), StoreError> {
        query(ASK)
            .bind(mail.id)
            .bind(mail.programme.as_str())
            .bind(mail.referral.map(|r| r.to_string()))
            .bind(mail.offer.map(|o| o.to_string()))
            .bind(mail.kind)
            .bind(mail.ordinal)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Writes down that it is being handed over now, before a byte of it leaves: an attempt that ends without a word
    /// (the process died, the time ran out, somebody stopped the service) is then known to have come so far. False where
    /// another attempt hands it over just now, or has sent it, dropped it or given it up: then it must not leave.
    pub async fn mail_leaves(&mut self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(query(LEAVES).bind(id).bind(ms(now)).execute(&mut self.inner).await? > 0)
    }

    /// One mail, which nobody else writes about until this transaction ends.
    pub async fn mail(&mut self, id: &str) -> Result<Option<MailRow>, StoreError> {
        let row = query(self.inner.either(BY_ID, BY_ID_LOCKED)).bind(id).fetch_optional(&mut self.inner).await?;
        row.as_ref().map(mail_row).transpose()
    }

    /// Writes down what came of an attempt to send it.
    pub async fn settle_mail(
        &mut self,
        id: &str,
        state: MailState,
        answer: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SETTLE).bind(id).bind(state.as_str()).bind(ms(now)).bind(answer).execute(&mut self.inner).await?;
        Ok(())
    }
}

impl Store {
    /// The mails about a referral, oldest first.
    pub async fn mails(&self, referral: ReferralId) -> Result<Vec<MailRow>, StoreError> {
        let rows = query(BY_REFERRAL).bind(referral.to_string()).fetch_all(self.pool()).await?;
        rows.iter().map(mail_row).collect()
    }

    /// One mail; none where it was never asked for.
    pub async fn mail(&self, id: &str) -> Result<Option<MailRow>, StoreError> {
        let row = query(BY_ID).bind(id).fetch_optional(self.pool()).await?;
        row.as_ref().map(mail_row).transpose()
    }
}

fn mail_row(row: &Row) -> Result<MailRow, StoreError> {
    Ok(MailRow {
        id: row.get("id"),
        offer: row.get::<Option<String>>("offer_id").map(|o| key("an offer", &o)).transpose()?,
        kind: row.get("kind"),
        state: row.get("state"),
        attempts: row.get("attempts"),
        asked: at(row.get("asked")),
        settled: row.get::<Option<i64>>("settled").map(at),
        answer: row.get("answer"),
    })
}
