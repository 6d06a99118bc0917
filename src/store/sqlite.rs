//! The embedded default: one SQLite file, one process, a lock on its directory.
//!
//! Nobody else can be alive under the lock, so jobs that were running when the last process died go back to available at
//! once. Every write goes through `begin immediate`, one at a time.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Sqlite;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::sql::{Doors, Pool, query};
use super::{APPLIED, MIGRATIONS, Store, StoreError, TURN_TIMEOUT};

/// The database file in a data directory.
const FILE_NAME: &str = "wellbridge.sqlite";
/// Connections that read, beside the one that writes.
const READERS: u32 = 7;
/// River's leader moves due jobs into the queue; one that died would be waited for, for 15 seconds. Under the lock there
/// is no other.
const RELEASE_LEADERSHIP: &str = "delete from river_leader";
const RELEASE_RUNNING_JOBS: &str = "update river_job set state = 'available' where state = 'running'";

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
        query(RELEASE_RUNNING_JOBS).execute(&store.pool).await?;
        query(RELEASE_LEADERSHIP).execute(&store.pool).await?;
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

    /// Opens a database that is there and changes nothing in it, alone: no service runs on it meanwhile.
    pub(super) async fn hold(file: &Path) -> Result<Self, StoreError> {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let lock = lock(dir)?;
        Ok(Self { lock: Some(Arc::new(lock)), ..Self::look(file).await? })
    }

    /// Opens a database that is there, and changes nothing in it: its schema must be this version's.
    pub async fn look(file: &Path) -> Result<Self, StoreError> {
        let pool = Pool::Sqlite(doors(file, false).await?);
        let applied: Vec<i64> = query(APPLIED).scalars(&pool).await?;
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
        let doors = doors(file, true).await?;
        MIGRATIONS.run(&doors.write).await?;
        riverqueue::migrate::SqliteMigrator::new(doors.write.clone()).migrate_up().await.map_err(|error| {
            StoreError::Unreadable { what: "the job queue's schema", id: "river".into(), why: error.to_string() }
        })?;
        Self::over(Pool::Sqlite(doors), lock)
    }
}

async fn doors(file: &Path, may_make: bool) -> Result<Doors<Sqlite>, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(may_make)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true);
    // A file does not go away as a server does: a connection need not be asked whether it lives.
    let pool = || SqlitePoolOptions::new().test_before_acquire(false).acquire_timeout(TURN_TIMEOUT);
    let write = pool().max_connections(1).connect_with(options.clone()).await?;
    Ok(Doors { write, read: pool().max_connections(READERS).connect_lazy_with(options) })
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
