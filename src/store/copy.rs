//! From the file to the server: `wellbridge db copy`.
//!
//! Everything moves in one transaction of the target, table by table, and is read back and compared (how many rows, and a
//! sum over each row's SHA-256) before it is committed: the target holds all of it or nothing. The source is held still
//! meanwhile. River's jobs move too, those that are done excepted: an offer's deadline is a job that waits.

use std::collections::BTreeMap;
use std::path::Path;

use aws_lc_rs::digest;
use futures_util::{Stream, TryStreamExt as _};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments as _, AssertSqlSafe, PgConnection, SqliteConnection};

use super::sql::{Arg, On, Row, Transaction, query};
use super::{Store, StoreError};

/// Our tables and their columns, by the target's own account: the two schemas are one text.
const COLUMNS: &str = "select cast(c.table_name as text) as name,
    string_agg(cast(c.column_name as text), ',' order by c.ordinal_position) as columns,
    string_agg(cast(c.data_type as text), ',' order by c.ordinal_position) as types
    from information_schema.columns c where c.table_schema = current_schema()
    and c.table_name not like 'river\\_%' and c.table_name not in ('_sqlx_migrations', 'replica', 'lease')
    group by c.table_name order by c.table_name";
/// Rows sent in one statement.
const BATCH: usize = 500;

const JOBS: &str =
    "select kind, json(args) as args, case state when 'running' then 'available' else state end as state,
    attempt, max_attempts, priority, queue, strftime('%Y-%m-%d %H:%M:%f', created_at) as created_at,
    strftime('%Y-%m-%d %H:%M:%f', scheduled_at) as scheduled_at, json(metadata) as metadata, json(tags) as tags,
    json(coalesce(errors, '[]')) as errors, unique_key, unique_states from river_job
    where state in ('available', 'pending', 'retryable', 'running', 'scheduled') order by id";
/// The same on PostgreSQL: times with a zone, JSON as jsonb, a bit for each state.
const PUT_JOB: &str = "insert into river_job (kind, args, state, attempt, max_attempts, priority, queue, created_at,
    scheduled_at, metadata, tags, errors, unique_key, unique_states)
    values ($1, cast($2 as jsonb), cast($3 as river_job_state), $4, $5, $6, $7, cast($8 || '+00' as timestamptz),
    cast($9 || '+00' as timestamptz), cast($10 as jsonb),
    array(select jsonb_array_elements_text(cast($11 as jsonb))), array(select jsonb_array_elements(cast($12 as jsonb))),
    $13, cast(cast($14 as integer) as bit(8)))";
const COUNT_JOBS: &str = "select count(*) from river_job";

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Each table, with how many rows it has and the sum over them, as both databases give it.
    pub tables: Vec<CopiedTable>,
    /// Jobs that wait.
    pub jobs: u64,
}

/// One table that was moved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CopiedTable {
    /// Its name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The sum of the rows' SHA-256, in hexadecimal; the order of the rows does not matter.
    pub hash: String,
}

/// Moves the SQLite database in `file` to the PostgreSQL database at `url`, in which nothing may be yet. `each` is told of
/// every table: how many are done, of how many.
pub async fn copy(file: &Path, url: &str, mut each: impl FnMut(u64, u64)) -> Result<Copied, StoreError> {
    let source = Store::hold(file).await?;
    let target = Store::open_postgres(url).await?;
    let (mut from, mut to) = (source.begin().await?, target.begin().await?);
    let (Transaction::Sqlite(read), Transaction::Postgres(write)) = (&mut from.inner, &mut to.inner) else {
        return Err(StoreError::NotEmpty);
    };
    let tables = tables(write).await?;
    for table in &tables {
        if digest(sqlx::query(table.all()).fetch(&mut **write).map_ok(Row::Postgres), table).await?.0 > 0 {
            return Err(StoreError::NotEmpty);
        }
    }
    if query(COUNT_JOBS).scalar::<i64>(On::Postgres(write)).await? > 0 {
        return Err(StoreError::NotEmpty);
    }
    let (mut copied, steps) = (Copied::default(), tables.len() as u64 + 1);
    for (done, table) in (1..).zip(&tables) {
        let sent = send(read, write, table).await?;
        let arrived = digest(sqlx::query(table.all()).fetch(&mut **write).map_ok(Row::Postgres), table).await?;
        if sent != arrived {
            return Err(StoreError::NotTheSame(table.name.clone()));
        }
        copied.tables.push(CopiedTable { table: table.name.clone(), rows: sent.0, hash: format!("{:032x}", sent.1) });
        each(done, steps);
    }
    copied.jobs = jobs(read, write).await?;
    to.commit().await?;
    each(steps, steps);
    drop(from);
    target.close().await;
    source.close().await;
    Ok(copied)
}

async fn tables(to: &mut PgConnection) -> Result<Vec<Table>, StoreError> {
    let rows = query(COLUMNS).fetch_all(On::Postgres(to)).await?;
    let kinds = |types: String| types.split(',').map(Kind::of).collect::<Option<_>>();
    let table =
        |row: &Row| Some(Table { name: row.get("name"), columns: row.get("columns"), kinds: kinds(row.get("types"))? });
    let tables: Option<Vec<Table>> = rows.iter().map(table).collect();
    tables.ok_or_else(|| StoreError::NotTheSame("a column of a new kind".to_owned()))
}

/// What a column holds.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Int,
    Bytes,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "bigint" => Some(Self::Int),
            "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// A table as both have it.
struct Table {
    name: String,
    columns: String,
    kinds: Vec<Kind>,
}

impl Table {
    /// Every row. Names come from the schema, never from outside.
    fn all(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(format!("select {} from {}", self.columns, self.name))
    }

    /// Many rows at once, a list for each column.
    fn put(&self) -> AssertSqlSafe<String> {
        let list = |(n, kind): (usize, &Kind)| match kind {
            Kind::Text => format!("cast(${n} as text[])"),
            Kind::Int => format!("cast(${n} as bigint[])"),
            Kind::Bytes => format!("cast(${n} as bytea[])"),
        };
        let lists: Vec<String> = (1..).zip(&self.kinds).map(list).collect();
        AssertSqlSafe(format!(
            "insert into {} ({}) select * from unnest({})",
            self.name,
            self.columns,
            lists.join(", ")
        ))
    }

    fn cells(&self, row: &Row) -> Result<Vec<Arg>, StoreError> {
        let cell = |(at, kind): (usize, &Kind)| match kind {
            Kind::Text => row.value(at).map(Arg::Text),
            Kind::Int => row.value(at).map(Arg::Int),
            Kind::Bytes => row.value(at).map(Arg::Bytes),
        };
        Ok(self.kinds.iter().enumerate().map(cell).collect::<Result<_, _>>()?)
    }
}

/// How many rows, and the sum of their hashes.
type Digest = (u64, u128);

fn add(so_far: Digest, row: &[Arg]) -> Digest {
    let mut hash = digest::Context::new(&digest::SHA256);
    for cell in row {
        let number;
        let (tag, bytes) = match cell {
            Arg::Text(None) | Arg::Int(None) | Arg::Bytes(None) => (0, &[][..]),
            Arg::Text(Some(text)) => (1, text.as_bytes()),
            Arg::Int(Some(n)) => {
                number = n.to_be_bytes();
                (2, &number[..])
            }
            Arg::Bytes(Some(bytes)) => (3, bytes.as_slice()),
        };
        hash.update(&[tag]);
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    }
    let half = hash.finish().as_ref().iter().take(16).fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
    (so_far.0 + 1, so_far.1.wrapping_add(half))
}

async fn digest(
    mut rows: impl Stream<Item = Result<Row, sqlx::Error>> + Unpin,
    table: &Table,
) -> Result<Digest, StoreError> {
    let mut sum = (0, 0);
    while let Some(row) = rows.try_next().await? {
        sum = add(sum, &table.cells(&row)?);
    }
    Ok(sum)
}

async fn send(from: &mut SqliteConnection, to: &mut PgConnection, table: &Table) -> Result<Digest, StoreError> {
    let (mut sum, mut batch) = ((0, 0), Vec::with_capacity(BATCH));
    let mut rows = sqlx::query(table.all()).fetch(from).map_ok(Row::Sqlite);
    while let Some(row) = rows.try_next().await? {
        let cells = table.cells(&row)?;
        sum = add(sum, &cells);
        batch.push(cells);
        if batch.len() == BATCH {
            put(to, table, std::mem::take(&mut batch)).await?;
        }
    }
    put(to, table, batch).await?;
    Ok(sum)
}

async fn put(to: &mut PgConnection, table: &Table, batch: Vec<Vec<Arg>>) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let (mut texts, mut numbers, mut bytes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (at, cell) in batch.into_iter().flat_map(|row| row.into_iter().enumerate()) {
        match cell {
            Arg::Text(text) => texts.entry(at).or_insert_with(Vec::new).push(text),
            Arg::Int(number) => numbers.entry(at).or_insert_with(Vec::new).push(number),
            Arg::Bytes(some) => bytes.entry(at).or_insert_with(Vec::new).push(some),
        }
    }
    let mut all = PgArguments::default();
    for (at, kind) in table.kinds.iter().enumerate() {
        let added = match kind {
            Kind::Text => all.add(texts.remove(&at).unwrap_or_default()),
            Kind::Int => all.add(numbers.remove(&at).unwrap_or_default()),
            Kind::Bytes => all.add(bytes.remove(&at).unwrap_or_default()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    sqlx::query_with(table.put(), all).execute(to).await?;
    Ok(())
}

/// Jobs are few: those that wait.
async fn jobs(from: &mut SqliteConnection, to: &mut PgConnection) -> Result<u64, StoreError> {
    let rows = query(JOBS).fetch_all(On::Sqlite(from)).await?;
    for row in &rows {
        let text = |column| row.get::<String>(column);
        let number = |column| row.get::<i64>(column);
        let put = query(PUT_JOB).bind(text("kind")).bind(text("args")).bind(text("state")).bind(number("attempt"));
        let put = put.bind(number("max_attempts")).bind(number("priority")).bind(text("queue"));
        let put = put.bind(text("created_at")).bind(text("scheduled_at")).bind(text("metadata")).bind(text("tags"));
        let put = put.bind(text("errors")).bind(Arg::Bytes(row.get("unique_key")));
        put.bind(row.get::<Option<i64>>("unique_states")).execute(On::Postgres(to)).await?;
    }
    Ok(rows.len() as u64)
}
