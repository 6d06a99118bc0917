//! The store that several replicas share: PostgreSQL 15 or newer.
//!
//! There is no lock on a data directory here and nothing is put back at start: other replicas are alive. Instead each
//! replica says every few seconds that it lives; what one was doing that stopped saying so is given to the others
//! ([`Store::release_jobs_of_the_dead`]). Migrations run under an advisory lock, so that replicas may start together.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres};

use super::sql::{Doors, On, Pool, query};
use super::{APPLIED, MIGRATIONS, Store, StoreError, TURN_TIMEOUT};
use crate::settings::web::is_loopback_host;

/// Connections of one replica that write. River listens on one and needs a few for itself.
const WRITERS: u32 = 12;
/// Those that read beside them.
const READERS: u32 = 8;
/// A connection that lay still for so long is asked whether it lives before it is used: the server may have been started
/// again. One that has just been used need not be.
const STILL: Duration = Duration::from_secs(1);
/// Our statements and River's together; the usual 100 would throw out what is used again at once.
const STATEMENTS: usize = 400;

/// What each connection is told: the isolation the store is written for, whatever the server's usual one; nobody waits
/// for ever on a row; and a replica that stands still in a transaction does not keep others from its rows.
const SESSION: &str = "set default_transaction_isolation = 'read committed'; set lock_timeout = '10s';
    set idle_in_transaction_session_timeout = '30s'; set timezone = 'UTC'";

/// "Wellbridge" as a number: who holds this lock brings the schema up to date.
const MIGRATION_LOCK: i64 = 0x57_65_6c_6c_62_72_67;
const LOCK: &str = "select pg_advisory_lock($1)";

const HAS_SCHEMA: &str =
    "select count(*) from pg_tables where schemaname = current_schema() and tablename = '_sqlx_migrations'";

const SEEN: &str = "with before as (select seen from replica where id = $1)
    insert into replica (id, seen) values ($1, cast(extract(epoch from clock_timestamp()) * 1000 as bigint))
    on conflict (id) do update set seen = excluded.seen returning seen - coalesce((select seen from before), 0)";
const RELEASE: &str = "update river_job set state = 'available' where state = 'running'
    and attempted_by[array_upper(attempted_by, 1)] in (select id from replica
      where seen < cast(extract(epoch from clock_timestamp()) * 1000 as bigint) - $1)";
const FORGET: &str =
    "delete from replica where seen < cast(extract(epoch from clock_timestamp()) * 1000 as bigint) - 86400000";

impl Store {
    /// Opens a database that other replicas may be using, and brings its schema up to date.
    pub async fn open_postgres(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        migrate(&options).await?;
        Self::over(Pool::Postgres(doors(options).await?), None)
    }

    /// Opens it for a command, beside services that may be running: makes the schema where there is none, and changes
    /// none that is there.
    pub async fn beside_postgres(url: &str) -> Result<Self, StoreError> {
        match Self::look_postgres(url).await? {
            Some(store) => Ok(store),
            None => Self::open_postgres(url).await,
        }
    }

    /// Opens a database and changes nothing in it; none where nobody has used it yet. Its schema must be this version's
    /// or a later one's, which keeps what this one knows.
    pub async fn look_postgres(url: &str) -> Result<Option<Self>, StoreError> {
        let pool = Pool::Postgres(doors(options(url)?).await?);
        if query(HAS_SCHEMA).scalar::<i64>(&pool).await? == 0 {
            pool.close().await;
            return Ok(None);
        }
        let applied: Vec<i64> = query(APPLIED).scalars(&pool).await?;
        match MIGRATIONS.iter().find(|migration| !applied.contains(&migration.version)) {
            Some(_) => Err(StoreError::Older),
            None => Ok(Some(Self::over(pool, None)?)),
        }
    }

    /// Tells the other replicas that this one lives; answers for how long they had not heard of it (for the first time:
    /// very long). By the database's clock, which is the same for all.
    pub async fn say_alive(&self) -> Result<Duration, StoreError> {
        let silence: i64 = query(SEEN).bind(&self.replica).scalar(&self.pool).await?;
        query(FORGET).execute(&self.pool).await?;
        Ok(Duration::from_millis(silence.unsigned_abs()))
    }

    /// Makes available what replicas were doing that were not heard of for so long; answers how many jobs. Only for a
    /// caller that was itself heard of all the while: after an outage of the database nobody is dead.
    pub async fn release_jobs_of_the_dead(&self, silent: Duration) -> Result<u64, StoreError> {
        let silent = i64::try_from(silent.as_millis()).unwrap_or(i64::MAX);
        Ok(query(RELEASE).bind(silent).execute(&self.pool).await?)
    }

    /// Whether other processes may share this store.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.pool, Pool::Postgres(_))
    }

    /// Whether [`Store::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.pool {
            Pool::Sqlite(doors) => doors.write.is_closed(),
            Pool::Postgres(doors) => doors.write.is_closed(),
        }
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url)?;
    let is_here = options.get_socket().is_some() || is_loopback_host(options.get_host());
    // A link over a network is encrypted and checked unless the address itself says otherwise.
    let options = if is_here || url.contains("sslmode=") { options } else { options.ssl_mode(PgSslMode::VerifyFull) };
    Ok(options.application_name("wellbridge").statement_cache_capacity(STATEMENTS))
}

async fn doors(options: PgConnectOptions) -> Result<Doors<Postgres>, StoreError> {
    let pool = || {
        PgPoolOptions::new()
            .acquire_timeout(TURN_TIMEOUT)
            .test_before_acquire(false)
            .before_acquire(|connection, last| {
                Box::pin(async move {
                    if last.idle_for > STILL {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SESSION).await.map(drop) }))
    };
    let write = pool().max_connections(WRITERS).connect_with(options.clone()).await?;
    Ok(Doors { write, read: pool().max_connections(READERS).connect_lazy_with(options) })
}

/// Brings the schema up to date: ours and River's, by one replica at a time.
async fn migrate(options: &PgConnectOptions) -> Result<(), StoreError> {
    // A connection of its own: closing it gives the lock back, whatever happens on the way.
    let mut holder = options.clone().connect().await?;
    query(LOCK).bind(MIGRATION_LOCK).execute(On::Postgres(&mut holder)).await?;
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options.clone()).await?;
    // A database that a newer replica has brought up to date serves this one too: its migrations only add.
    let mut ours = Migrator::with_migrations(MIGRATIONS.iter().cloned().collect());
    ours.set_ignore_missing(true);
    ours.run(&pool).await?;
    riverqueue::migrate::PostgresMigrator::new(pool.clone()).migrate_up().await.map_err(|error| {
        StoreError::Unreadable { what: "the job queue's schema", id: "river".into(), why: error.to_string() }
    })?;
    pool.close().await;
    holder.close().await?;
    Ok(())
}
