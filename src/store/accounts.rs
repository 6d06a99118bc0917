//! Coordinators' accounts and sessions, and who looked at what.

use jiff::Timestamp;

use super::rows::{at, from_json, json, ms};
use super::sql::{Row, query};
use super::{Store, StoreError, Tx};
use crate::random;
use crate::referral::{ProgrammeId, ReferralId, UserId};

/// A coordinator's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What she signs in with.
    pub id: UserId,
    /// As she is called.
    pub name: String,
    /// Argon2id, PHC string.
    pub password: String,
    /// The programmes she belongs to; she sees nothing of others.
    pub programmes: Vec<ProgrammeId>,
}

/// A signed-in session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSession {
    /// Whose.
    pub account: Account,
    /// Must come back with every form.
    pub csrf: String,
}

const PUT: &str = "insert into account (id, name, password, programmes, created) values ($1, $2, $3, $4, $5)
    on conflict (id) do update set name = excluded.name, password = excluded.password, programmes = excluded.programmes";
const GET: &str = "select id, name, password, programmes from account where id = $1";
const PUT_SESSION: &str = "insert into account_session (hash, account_id, csrf, expires) values ($1, $2, $3, $4)";
const SESSION: &str = "select a.id, a.name, a.password, a.programmes, s.csrf from account_session s
    join account a on a.id = s.account_id where s.hash = $1 and s.expires > $2";
const END_SESSION: &str = "delete from account_session where hash = $1";
const END_ALL: &str = "delete from account_session where account_id = $1";
const SWEEP: &str = "delete from account_session where expires < $1";
const AUDIT: &str = "insert into audit (id, programme_id, referral_id, who, what, at) values ($1, $2, $3, $4, $5, $6)";
const AUDITS: &str = "select who, what, at from audit where referral_id = $1 order by at, id";

impl Tx {
    /// Adds an account, or changes it; its sessions end.
    pub async fn put_account(&mut self, account: &Account, now: Timestamp) -> Result<(), StoreError> {
        query(PUT)
            .bind(account.id.as_str())
            .bind(&account.name)
            .bind(&account.password)
            .bind(json("programmes", &account.programmes)?)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        query(END_ALL).bind(account.id.as_str()).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Opens a session.
    pub async fn open_session(
        &mut self,
        hash: &str,
        account: &UserId,
        csrf: &str,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        query(PUT_SESSION)
            .bind(hash)
            .bind(account.as_str())
            .bind(csrf)
            .bind(ms(expires))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Signs out.
    pub async fn end_session(&mut self, hash: &str) -> Result<(), StoreError> {
        query(END_SESSION).bind(hash).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Forgets sessions that have ended and windows that have passed.
    pub async fn sweep_sessions(&mut self, now: Timestamp) -> Result<(), StoreError> {
        query(SWEEP).bind(ms(now)).execute(&mut self.inner).await?;
        self.sweep_rate(now).await
    }

    /// Writes down that somebody looked at something.
    pub async fn audit(
        &mut self,
        programme: &ProgrammeId,
        referral: Option<ReferralId>,
        who: &str,
        what: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(AUDIT)
            .bind(random::uuid().to_string())
            .bind(programme.as_str())
            .bind(referral.map(|r| r.to_string()))
            .bind(who)
            .bind(what)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// An account.
    pub async fn account(&self, id: &UserId) -> Result<Option<Account>, StoreError> {
        let row = query(GET).bind(id.as_str()).fetch_optional(self.pool()).await?;
        row.as_ref().map(account).transpose()
    }

    /// The live session with this hash.
    pub async fn session(&self, hash: &str, now: Timestamp) -> Result<Option<AccountSession>, StoreError> {
        let row = query(SESSION).bind(hash).bind(ms(now)).fetch_optional(self.pool()).await?;
        row.map(|row| Ok(AccountSession { account: account(&row)?, csrf: row.get("csrf") })).transpose()
    }

    /// Who looked at a referral: (who, what, when), oldest first.
    pub async fn audits(&self, referral: ReferralId) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
        let rows = query(AUDITS).bind(referral.to_string()).fetch_all(self.pool()).await?;
        Ok(rows.iter().map(|r| (r.get("who"), r.get("what"), at(r.get("at")))).collect())
    }
}

fn account(row: &Row) -> Result<Account, StoreError> {
    let id: String = row.get("id");
    Ok(Account {
        programmes: from_json("an account", &id, row.get("programmes"))?,
        id: UserId::new(id),
        name: row.get("name"),
        password: row.get("password"),
    })
}
