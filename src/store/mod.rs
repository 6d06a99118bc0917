//! Where everything is kept: the ledger, personal data apart from it, and River's jobs in the same database.
//!
//! SQLite, one file, is the embedded default; PostgreSQL is what several replicas share. Both stand behind two types:
//! [`Store`] reads and begins; [`Tx`] is one write transaction and the only way to change anything: events, jobs and
//! their completion go through it together. SQL is written so that both dialects agree (`$1`, times as epoch
//! milliseconds, flags 0/1, JSON as text); see [`sql`] and `migrations/`.
//!
//! SQLite runs one write transaction at a time. PostgreSQL runs many, READ COMMITTED, from several processes: what is
//! read in order to be written is locked by the reading ([`Tx::standing`], [`Tx::code`], [`Tx::mail`]), and what is not
//! there yet is kept apart by [`Tx::alone`].
//!
//! No network call is ever made while a [`Tx`] is open.

mod accounts;
mod alerts;
mod backup;
mod copy;
mod edge;
mod feeds;
mod intake;
mod ledger;
mod mails;
mod offers;
mod partners;
mod postgres;
mod practices;
pub mod queue;
mod rate;
mod raw;
mod referrals;
mod retention;
mod rows;
pub(crate) mod sql;
mod sqlite;
mod verify;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use riverqueue::{Client, ClientBuilder, InsertOpts, JobArgs};

pub use accounts::{Account, AccountSession};
pub use alerts::{AlertRow, FailingEdge};
pub use copy::{Copied, CopiedTable, copy};
pub use edge::{Edge, SETTLED_AFTER, Whose};
pub use feeds::FeedRow;
pub use intake::TakenIn;
pub use ledger::{Appended, Recorded, Standing};
pub use mails::{MailRow, MailState, NewMail, code_mail_id, offer_mail_id};
pub use offers::{CodeRow, TokenRow};
pub use partners::{Confirmation, Partner};
pub use practices::Cursor;
pub use referrals::{ListFilter, NewNote, NoteRow, ReferralRow, Which};
pub use verify::Verified;

use crate::crash_point;
use crate::random;
use crate::referral::lifecycle::Refusal;
use sql::{Pool, Transaction, query};

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory or the database file cannot be used.
    #[error("cannot use {path}: {why}")]
    Directory {
        /// Which path.
        path: PathBuf,
        /// What the operating system said, and what to do.
        why: String,
    },
    /// Another Wellbridge has the data directory.
    #[error("{0} is in use by another wellbridge process: stop it first (a copy of a running SQLite file loses data)")]
    Locked(PathBuf),
    /// The database has not been brought up to date yet.
    #[error("the database was written by an older version of wellbridge: start the service of this version first")]
    Older,
    /// A database that should be empty is not.
    #[error("the PostgreSQL database holds something already: name an empty one")]
    NotEmpty,
    /// What was moved is not what was there.
    #[error("{0} did not arrive as it was: nothing was moved")]
    NotTheSame(String),
    /// The database said no.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A migration could not be applied.
    #[error("the database could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The job queue said no.
    #[error("the job queue failed")]
    Queue(#[from] Box<riverqueue::Error>),
    /// What was read is not what this version writes.
    #[error("{what} of {id} cannot be read by this version of wellbridge: {why}")]
    Unreadable {
        /// What sort of row.
        what: &'static str,
        /// Which.
        id: String,
        /// What is wrong with it, without its content.
        why: String,
    },
    /// The lifecycle refused the event.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No such referral.
    #[error("there is no such referral")]
    NotFound,
}

impl From<riverqueue::Error> for StoreError {
    fn from(error: riverqueue::Error) -> Self {
        Self::Queue(Box::new(error))
    }
}

/// Longer than any queue of writers is; a job that meets it is tried again.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/migrations");
const APPLIED: &str = "select version from _sqlx_migrations order by version";

/// The database, open.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    /// The one that works jobs as well, from when it does until the store is closed.
    client: Arc<RwLock<Option<Client>>>,
    insert_only: Client,
    /// How other replicas know this process.
    replica: String,
    /// Held as long as any clone of the store lives: one process a data directory.
    lock: Option<Arc<File>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    fn over(pool: Pool, lock: Option<Arc<File>>) -> Result<Self, StoreError> {
        let insert_only = builder(&pool).allow_unregistered_job_kinds().build()?;
        let replica = random::uuid().simple().to_string();
        Ok(Self { pool, client: Arc::default(), insert_only, replica, lock })
    }

    /// Begins the one kind of write transaction there is.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pool {
            Pool::Sqlite(doors) => Transaction::Sqlite(riverqueue::database::begin_sqlite_write(&doors.write).await?),
            Pool::Postgres(doors) => Transaction::Postgres(riverqueue::database::begin_postgres(&doors.write).await?),
        };
        Ok(Tx { inner, client: self.client() })
    }

    /// Answers a trivial question, about the queue's own table: `readyz`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        query("select 1 from river_job limit 1").execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The beginning of River's client for this database, by the name of this replica.
    pub(crate) fn client_builder(&self) -> ClientBuilder {
        builder(&self.pool).id(&self.replica)
    }

    /// Makes `client`, which works jobs as well, the one that inserts them: it then wakes at once.
    pub(crate) fn use_client(&self, client: Client) {
        // A second call would mean two sets of workers in one process; the first stays.
        self.client.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(client);
    }

    /// River's client.
    pub(crate) fn client(&self) -> Client {
        let working = self.client.read().unwrap_or_else(PoisonError::into_inner);
        working.as_ref().unwrap_or(&self.insert_only).clone()
    }

    /// Makes every job that is due at `now` (by a clock that was moved) available at once: the demo's "next day", and
    /// tests. With the machine's clock it changes nothing that River would not do by itself.
    pub async fn bring_forward(&self, now: Timestamp) -> Result<u64, StoreError> {
        let text = self.pool.either(BRING_FORWARD_SQLITE, BRING_FORWARD_POSTGRES);
        Ok(query(text).bind(now.to_string()).execute(&self.pool).await?)
    }

    /// How many jobs are there to be run now or running (not those scheduled for later): none means drained.
    pub async fn jobs_waiting(&self) -> Result<i64, StoreError> {
        Ok(query(self.pool.either(JOBS_WAITING_SQLITE, JOBS_WAITING_POSTGRES)).scalar(&self.pool).await?)
    }

    /// Closes every connection and gives the data directory back; what was committed is on disk.
    pub async fn close(&self) {
        self.pool.close().await;
        // Its workers hold the service, and the service this store: none of them would ever be freed.
        let working = self.client.write().unwrap_or_else(PoisonError::into_inner).take();
        drop(working);
        if let Some(lock) = &self.lock {
            // It ends with the process at the latest.
            let _ = lock.unlock();
        }
    }
}

fn builder(pool: &Pool) -> ClientBuilder {
    match pool {
        Pool::Sqlite(doors) => Client::builder(doors.write.clone()),
        Pool::Postgres(doors) => Client::builder(doors.write.clone()),
    }
}

const IS_RUNNING: &str = "select count(*) from river_job where id = $1 and state = 'running'";
// River's own table has times as text on SQLite and as timestamps on PostgreSQL.
const JOBS_WAITING_SQLITE: &str = "select count(*) from river_job where state in ('available', 'running', 'pending')
    or (state = 'retryable' and datetime(scheduled_at) <= datetime('now', '+1 second'))";
const JOBS_WAITING_POSTGRES: &str = "select count(*) from river_job where state in ('available', 'running', 'pending')
    or (state = 'retryable' and scheduled_at <= now() + interval '1 second')";
const BRING_FORWARD_SQLITE: &str = "update river_job set state = 'available', scheduled_at = datetime('now', 'subsec')
    where state in ('scheduled', 'retryable') and datetime(scheduled_at) <= datetime($1)";
const BRING_FORWARD_POSTGRES: &str = "update river_job set state = 'available', scheduled_at = now()
    where state in ('scheduled', 'retryable') and scheduled_at <= cast($1 as timestamptz)";

/// One write transaction. Dropped without [`Tx::commit`], nothing of it happened.
pub struct Tx {
    inner: Transaction,
    client: Client,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        crash_point::step("before:commit").await?;
        self.inner.commit().await?;
        crash_point::step("after:commit").await
    }

    /// Queues a job: it exists if and only if this transaction commits.
    pub async fn enqueue<A: JobArgs>(&mut self, args: A, opts: InsertOpts) -> Result<i64, StoreError> {
        let insert = self.client.insert(args).opts(opts);
        let inserted = match &mut self.inner {
            Transaction::Sqlite(tx) => insert.tx(tx).await?,
            Transaction::Postgres(tx) => insert.tx(tx).await?,
        };
        Ok(inserted.id())
    }

    /// Completes the running job `id` with this transaction; another attempt having won is an error, and then the whole
    /// transaction must be dropped.
    pub async fn complete(&mut self, id: i64) -> Result<(), StoreError> {
        let complete = self.client.jobs().complete(id);
        match &mut self.inner {
            Transaction::Sqlite(tx) => complete.tx(tx).await?,
            Transaction::Postgres(tx) => complete.tx(tx).await?,
        };
        Ok(())
    }

    /// Waits until no other transaction does `what`, and keeps it to this one until it ends: for what has no row yet that
    /// could be locked. What is read after it is as the others left it. SQLite's writers wait for each other anyway.
    async fn alone(&mut self, what: &str) -> Result<(), StoreError> {
        if let Transaction::Postgres(_) = self.inner {
            query(ALONE).bind(what).execute(&mut self.inner).await?;
        }
        Ok(())
    }

    /// Does `what` beside others that do it in this way too, and never beside one that does it alone.
    async fn beside_others(&mut self, what: &str) -> Result<(), StoreError> {
        if let Transaction::Postgres(_) = self.inner {
            query(BESIDE_OTHERS).bind(what).execute(&mut self.inner).await?;
        }
        Ok(())
    }

    /// Whether the job `id` is still being worked; false where another attempt has completed it.
    pub async fn is_running(&mut self, id: i64) -> Result<bool, StoreError> {
        let running: i64 = query(IS_RUNNING).bind(id).scalar(&mut self.inner).await?;
        Ok(running > 0)
    }
}

const ALONE: &str = "select pg_advisory_xact_lock(hashtextextended($1, 0))";
const BESIDE_OTHERS: &str = "select pg_advisory_xact_lock_shared(hashtextextended($1, 0))";
