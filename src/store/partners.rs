//! Partners: who runs services, where they read mail, who confirmed it and when. Not directory rows; they outlive syncs.

use jiff::Timestamp;

use super::rows::{at, ms};
use super::sql::{Row, query};
use super::{Store, StoreError, Tx};
use crate::referral::{PartnerId, ProgrammeId, UserId};

/// A partner of a programme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// Ours (made from the directory's organisation at first sight).
    pub id: PartnerId,
    /// As it calls itself.
    pub name: String,
    /// Where offers go; counts only when confirmed.
    pub email: Option<String>,
    /// What was agreed, in words ("takes referrals by email, spoke to Jo on 3 Nov").
    pub agreement: Option<String>,
    /// Who confirmed address and agreement, and when.
    pub confirmed: Option<(UserId, Timestamp)>,
    /// The address bounced, since when and how.
    pub bad: Option<(Timestamp, String)>,
}

impl Partner {
    /// The address an offer may go to: confirmed, and not known to bounce.
    pub fn usable_email(&self) -> Option<&str> {
        match (&self.confirmed, &self.bad) {
            (Some(_), None) => self.email.as_deref(),
            _ => None,
        }
    }
}

/// What a coordinator confirms of a partner.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// As it calls itself.
    pub name: &'a str,
    /// Where offers go.
    pub email: &'a str,
    /// What was agreed, in words.
    pub agreement: &'a str,
    /// Who spoke to it.
    pub by: &'a UserId,
}

const GET: &str = "select id, name, email, agreement, confirmed_by, confirmed, bad_since, bad_why from partner
    where programme_id = $1 and id = $2";
const ALL: &str = "select id, name, email, agreement, confirmed_by, confirmed, bad_since, bad_why from partner
    where programme_id = $1 order by name";
const SEEN: &str = "insert into partner (programme_id, id, name, email) values ($1, $2, $3, $4) on conflict do nothing";
const CONFIRM: &str = "insert into partner (programme_id, id, name, email, agreement, confirmed_by, confirmed)
    values ($1, $2, $3, $4, $5, $6, $7) on conflict (programme_id, id) do update set name = excluded.name,
    email = excluded.email, agreement = excluded.agreement, confirmed_by = excluded.confirmed_by,
    confirmed = excluded.confirmed, bad_since = null, bad_why = null";
const BAD: &str = "update partner set bad_since = $3, bad_why = $4 where programme_id = $1 and id = $2";

impl Tx {
    /// Notes a partner at first sight, unconfirmed; one already known is left alone.
    pub async fn see_partner(
        &mut self,
        programme: &ProgrammeId,
        id: &PartnerId,
        name: &str,
        hint: Option<&str>,
    ) -> Result<(), StoreError> {
        query(SEEN).bind(programme.as_str()).bind(id.as_str()).bind(name).bind(hint).execute(&mut self.inner).await?;
        Ok(())
    }

    /// A coordinator confirmed a partner's address and agreement.
    pub async fn confirm_partner(
        &mut self,
        programme: &ProgrammeId,
        id: &PartnerId,
        confirmed: &Confirmation<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(CONFIRM)
            .bind(programme.as_str())
            .bind(id.as_str())
            .bind(confirmed.name)
            .bind(confirmed.email)
            .bind(confirmed.agreement)
            .bind(confirmed.by.as_str())
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// The mail server says that the address does not work: nothing goes there until somebody confirms it anew.
    pub async fn address_is_bad(
        &mut self,
        programme: &ProgrammeId,
        id: &PartnerId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(BAD).bind(programme.as_str()).bind(id.as_str()).bind(ms(now)).bind(why).execute(&mut self.inner).await?;
        Ok(())
    }

    /// A partner as it is within this transaction.
    pub async fn partner(&mut self, programme: &ProgrammeId, id: &PartnerId) -> Result<Option<Partner>, StoreError> {
        let row = query(GET).bind(programme.as_str()).bind(id.as_str()).fetch_optional(&mut self.inner).await?;
        Ok(row.as_ref().map(partner))
    }
}

impl Store {
    /// A partner.
    pub async fn partner(&self, programme: &ProgrammeId, id: &PartnerId) -> Result<Option<Partner>, StoreError> {
        let row = query(GET).bind(programme.as_str()).bind(id.as_str()).fetch_optional(self.pool()).await?;
        Ok(row.as_ref().map(partner))
    }

    /// All partners of a programme, by name.
    pub async fn partners(&self, programme: &ProgrammeId) -> Result<Vec<Partner>, StoreError> {
        let rows = query(ALL).bind(programme.as_str()).fetch_all(self.pool()).await?;
        Ok(rows.iter().map(partner).collect())
    }
}

fn partner(row: &Row) -> Partner {
    let confirmed = row.get::<Option<String>>("confirmed_by").zip(row.get::<Option<i64>>("confirmed"));
    let bad = row.get::<Option<i64>>("bad_since").zip(row.get::<Option<String>>("bad_why"));
    Partner {
        id: PartnerId::new(row.get::<String>("id")),
        name: row.get("name"),
        email: row.get("email"),
        agreement: row.get("agreement"),
        confirmed: confirmed.map(|(by, when)| (UserId::new(by), at(when))),
        bad: bad.map(|(since, why)| (at(since), why)),
    }
}
