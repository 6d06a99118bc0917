//! A PostgreSQL database for one test, where `WELLBRIDGE_TEST_POSTGRES` names a server on which databases may be made
//! (`tests/run` starts one): a copy of one that was brought up to date once, dropped when the test
//! is done (or, where the process ends at once, left to whoever ends the server).

use std::str::FromStr as _;
use std::sync::mpsc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use wellbridge::random;
use wellbridge::store::Store;

/// Whoever holds this lock makes the template, or copies it: PostgreSQL copies no database that somebody is looking into.
const LOCK: &str = "select pg_advisory_lock(776656)";

/// Gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// With the schema of this version; `None` where no server is named.
    pub(crate) async fn new() -> Option<Self> {
        let (database, mut holder) = Self::beside_others().await?;
        // Several processes of tests may share a server; each makes its own template, since the schema may differ.
        let template = format!("wb_template_{}", std::process::id());
        let known = sqlx::query_scalar::<_, i64>("select count(*) from pg_database where datname = $1");
        if known.bind(&template).fetch_one(&mut holder).await.unwrap() == 0 {
            holder.execute(AssertSqlSafe(format!("create database {template}"))).await.unwrap();
            Store::open_postgres(&at(&database.server, &template)).await.unwrap().close().await;
        }
        let copy = format!("create database {} template {template}", database.name);
        holder.execute(AssertSqlSafe(copy)).await.unwrap();
        holder.close().await.unwrap();
        Some(database)
    }

    /// With nothing in it; `None` where no server is named.
    pub(crate) async fn empty() -> Option<Self> {
        let (database, mut holder) = Self::beside_others().await?;
        holder.execute(AssertSqlSafe(format!("create database {}", database.name))).await.unwrap();
        holder.close().await.unwrap();
        Some(database)
    }

    async fn beside_others() -> Option<(Self, PgConnection)> {
        let Ok(server) = std::env::var("WELLBRIDGE_TEST_POSTGRES") else {
            eprintln!("WELLBRIDGE_TEST_POSTGRES is not set: PostgreSQL is left out (tests/run starts one)");
            return None;
        };
        let mut holder = connect(&server).await;
        holder.execute(LOCK).await.unwrap();
        Some((Self { server, name: format!("wb_{}", random::uuid().simple()) }, holder))
    }

    /// Its address, as the settings take it.
    pub(crate) fn url(&self) -> String {
        at(&self.server, &self.name)
    }
}

/// As long as a drop may hold up the story that it ends.
const A_WHILE: Duration = Duration::from_secs(1);

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("drop database if exists {} with (force)", self.name);
        let server = self.server.clone();
        let (done, told) = mpsc::channel();
        // A drop is not asynchronous, and the test's own runtime may be the one that runs it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let dropped =
                runtime.block_on(async { connect(&server).await.execute(AssertSqlSafe(drop)).await.map(|_| ()) });
            let _ = done.send(dropped.is_ok());
        });
        // PostgreSQL drops nothing before every connection that is being opened is open: stories that are told side by side
        // by one task would wait for it, and it for them, until the server loses patience with their connections.
        if told.recv_timeout(A_WHILE) == Ok(false) {
            eprintln!("{} was left behind on the server", self.name);
        }
    }
}

/// Which test server it is, and whether it is one at all, is for whoever named it to know.
async fn connect(url: &str) -> PgConnection {
    PgConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

/// The address of another database on the same server.
fn at(server: &str, name: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(name);
    url.into()
}
