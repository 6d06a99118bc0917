//! Where everything is kept: the ledger, personal data apart from it, and River's jobs in the same database.
//!
//! SQLite, one file, is the embedded default; the PostgreSQL adapter comes behind the same two types. [`Store`] reads
//! and begins; [`Tx`] is one write transaction and the only way to change anything: events, jobs and their completion
//! go through it together. SQL is written so that both dialects agree (`$1`, times as epoch milliseconds, flags 0/1,
//! JSON as text); see `migrations/`.
//!
//! No network call is ever made while a [`Tx`] is open.

mod accounts;
mod alerts;
mod edge;
mod feeds;
mod ledger;
mod mails;
mod offers;
mod partners;
mod practices;
pub mod queue;
mod referrals;
mod retention;
mod rows;
mod verify;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use riverqueue::{Client, InsertOpts, JobArgs};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use accounts::{Account, AccountSession};
pub use alerts::AlertRow;
pub use edge::{Edge, Whose};
pub use feeds::FeedRow;
pub use ledger::{Appended, Recorded, Standing};
pub use mails::{MailRow, MailState, NewMail, code_mail_id, offer_mail_id};
pub use offers::{CodeRow, TokenRow};
pub use partners::{Confirmation, Partner};
pub use practices::Cursor;
pub use referrals::{ListFilter, NewNote, NoteRow, ReferralRow, TakenIn};
pub use verify::Verified;

use crate::referral::lifecycle::Refusal;

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

/// The database file in a data directory.
const FILE_NAME: &str = "wellbridge.sqlite";

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("src/store/migrations");
const APPLIED: &str = "select version from _sqlx_migrations order by version";

/// The database, open.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    client: Arc<OnceLock<Client>>,
    insert_only: Client,
    /// SQLite lets one write at a time; whoever waits for a turn waits here, without a connection. Were the waiting ones
    /// to hold every connection, the one that writes could not read beside its transaction, and all would wait in vain.
    turn: Arc<Semaphore>,
    /// Held as long as any clone of the store lives: one process a data directory.
    lock: Option<Arc<File>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database of a data directory, alone: takes the lock, brings the schema up to date, and puts jobs that
    /// were running when the last process died back to available.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        Self::open_file(data_dir, &data_dir.join(FILE_NAME)).await
    }

    /// The same with the database in a file of another name or place.
    pub async fn open_file(data_dir: &Path, file: &Path) -> Result<Self, StoreError> {
        let lock = lock(data_dir)?;
        let store = Self::connect(file, Some(Arc::new(lock))).await?;
        sqlx::query(RELEASE_RUNNING_JOBS).execute(&store.pool).await?;
        sqlx::query(RELEASE_LEADERSHIP).execute(&store.pool).await?;
        Ok(store)
    }

    /// Opens the database beside a service that may be running: for commands that look, or queue something. It works no
    /// jobs and puts none back; the database keeps the two apart. The schema is brought up to date only where nobody
    /// runs; under a running service it must be this version's.
    pub async fn open_beside(data_dir: &Path, file: &Path) -> Result<Self, StoreError> {
        match lock(data_dir) {
            Ok(_alone) => Self::connect(file, None).await,
            Err(StoreError::Locked(_)) => Self::look(file).await,
            Err(error) => Err(error),
        }
    }

    /// Opens a database that is there, and changes nothing in it: its schema must be this version's.
    pub async fn look(file: &Path) -> Result<Self, StoreError> {
        let pool = pool(file, false).await?;
        let applied: Vec<i64> = sqlx::query_scalar(APPLIED).fetch_all(&pool).await?;
        let known: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        if applied != known {
            let why = "it was written by another version of wellbridge: run the same version as the service does";
            return Err(StoreError::Directory { path: file.to_owned(), why: why.to_owned() });
        }
        Self::over(pool, None)
    }

    async fn connect(file: &Path, lock: Option<Arc<File>>) -> Result<Self, StoreError> {
        let failed =
            |path: &Path, why: std::io::Error| StoreError::Directory { path: path.to_owned(), why: why.to_string() };
        if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            private_dir(dir).map_err(|why| failed(dir, why))?;
        }
        private_file(file).map_err(|why| failed(file, why))?;
        let pool = pool(file, true).await?;
        MIGRATIONS.run(&pool).await?;
        riverqueue::migrate::SqliteMigrator::new(pool.clone()).migrate_up().await.map_err(|error| {
            StoreError::Unreadable { what: "the job queue's schema", id: "river".into(), why: error.to_string() }
        })?;
        Self::over(pool, lock)
    }

    fn over(pool: SqlitePool, lock: Option<Arc<File>>) -> Result<Self, StoreError> {
        let insert_only = Client::builder(pool.clone()).allow_unregistered_job_kinds().build()?;
        Ok(Self { pool, client: Arc::new(OnceLock::new()), insert_only, turn: Arc::new(Semaphore::new(1)), lock })
    }

    /// Begins the one kind of write transaction there is.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turn).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let inner = riverqueue::database::begin_sqlite_write(&self.pool).await?;
        Ok(Tx { inner, client: self.client().clone(), _turn: turn })
    }

    /// Answers a trivial question: `readyz`.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// The pool, for River.
    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Makes `client`, which works jobs as well, the one that inserts them: it then wakes at once.
    pub(crate) fn use_client(&self, client: Client) {
        // A second call would mean two sets of workers in one process; the first stays.
        let _ = self.client.set(client);
    }

    /// River's client.
    pub(crate) fn client(&self) -> &Client {
        self.client.get().unwrap_or(&self.insert_only)
    }

    /// Makes every job that is due at `now` (by a clock that was moved) available at once: the demo's "next day", and
    /// tests. With the machine's clock it changes nothing that River would not do by itself.
    pub async fn bring_forward(&self, now: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(BRING_FORWARD).bind(now.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }

    /// How many jobs are there to be run now or running (not those scheduled for later): none means drained.
    pub async fn jobs_waiting(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(JOBS_WAITING).fetch_one(&self.pool).await?)
    }

    /// Closes every connection and gives the data directory back; what was committed is on disk.
    pub async fn close(&self) {
        self.pool.close().await;
        if let Some(lock) = &self.lock {
            // It ends with the process at the latest.
            let _ = lock.unlock();
        }
    }
}

/// River's leader moves due jobs into the queue; one that died would be waited for, for 15 seconds. Under the lock there
/// is no other.
const RELEASE_LEADERSHIP: &str = "delete from river_leader";
const RELEASE_RUNNING_JOBS: &str = "update river_job set state = 'available' where state = 'running'";
const IS_RUNNING: &str = "select count(*) from river_job where id = $1 and state = 'running'";
const JOBS_WAITING: &str = "select count(*) from river_job where state in ('available', 'running', 'pending')
    or (state = 'retryable' and datetime(scheduled_at) <= datetime('now', '+1 second'))";
const BRING_FORWARD: &str = "update river_job set state = 'available', scheduled_at = datetime('now', 'subsec')
    where state in ('scheduled', 'retryable') and datetime(scheduled_at) <= datetime($1)";

/// One write transaction. Dropped without [`Tx::commit`], nothing of it happened.
pub struct Tx {
    inner: Transaction<'static, Sqlite>,
    client: Client,
    /// Given back after `inner` is.
    _turn: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    /// Makes it so.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }

    /// Queues a job: it exists if and only if this transaction commits.
    pub async fn enqueue<A: JobArgs>(&mut self, args: A, opts: InsertOpts) -> Result<i64, StoreError> {
        let inserted = self.client.insert(args).opts(opts).tx(&mut self.inner).await?;
        Ok(inserted.id())
    }

    /// Completes the running job `id` with this transaction; another attempt having won is an error, and then the whole
    /// transaction must be dropped.
    pub async fn complete(&mut self, id: i64) -> Result<(), StoreError> {
        self.client.jobs().complete(id).tx(&mut self.inner).await?;
        Ok(())
    }

    /// Whether the job `id` is still being worked; false where another attempt has completed it.
    pub async fn is_running(&mut self, id: i64) -> Result<bool, StoreError> {
        let running: i64 = sqlx::query_scalar(IS_RUNNING).bind(id).fetch_one(&mut *self.inner).await?;
        Ok(running > 0)
    }
}

async fn pool(file: &Path, may_make: bool) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(may_make)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true);
    Ok(SqlitePoolOptions::new().max_connections(8).connect_with(options).await?)
}

/// Makes a directory that other accounts of the machine cannot look into; one that is there keeps its mode.
fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Makes the database file, for this account alone, where it is not there yet (SQLite's side files take its mode).
fn private_file(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().create(true).append(true).mode(0o600).open(file).map(drop)
}

/// Takes the data directory for this process alone.
fn lock(data_dir: &Path) -> Result<File, StoreError> {
    let failed = |why: std::io::Error| StoreError::Directory {
        path: data_dir.to_owned(),
        why: format!("{why}; name another with `data_dir` or WELLBRIDGE__DATA_DIR"),
    };
    private_dir(data_dir).map_err(failed)?;
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).open(data_dir.join("lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked(data_dir.to_owned())),
        Err(std::fs::TryLockError::Error(why)) => Err(failed(why)),
    }
}
