//! One SQL text, run on either database: the thin layer under every query of this store.
//!
//! A [`Query`] holds a text and its arguments in the four kinds of value that our columns have (text, whole number, bytes,
//! null); it runs on a [`Pool`] or within a [`Transaction`], and gives [`Row`]s that are read by column name. Statements
//! stay prepared and cached by sqlx, which knows them by their text. Where the dialects differ, [`Pool::either`] chooses
//! between two texts that stand side by side with the reason. `sqlx::Any` would lose types and notifications.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{
    Arguments as _, Database, Decode, Encode, Error, IntoArguments, PgConnection, Postgres, Row as _, Sqlite,
    SqliteConnection, Type,
};

/// Connections to the one database or the other.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    /// One file.
    Sqlite(Doors<Sqlite>),
    /// A server, shared with other replicas.
    Postgres(Doors<Postgres>),
}

/// Two pools, so that whoever holds a write transaction can always read beside it, however many wait to write.
#[derive(Debug)]
pub(crate) struct Doors<DB: Database> {
    /// For transactions, for every statement that changes something, and for River. On SQLite it is one connection: its
    /// writers stand in one fair line here. Were there several, each would try again and again at the file's lock, which
    /// favours whoever comes by chance; River's claiming of jobs lost that game for seconds.
    pub(super) write: sqlx::Pool<DB>,
    /// For reading.
    pub(super) read: sqlx::Pool<DB>,
}

impl<DB: Database> Clone for Doors<DB> {
    fn clone(&self) -> Self {
        Self { write: self.write.clone(), read: self.read.clone() }
    }
}

impl<DB: Database> Doors<DB> {
    async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

impl Pool {
    /// The text for this database, where one text cannot serve both.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    /// Closes every connection.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(doors) => doors.close().await,
            Self::Postgres(doors) => doors.close().await,
        }
    }
}

/// A write transaction on either.
pub(super) enum Transaction {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// The text for this database, where one text cannot serve both.
    pub(super) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }
}

/// What a query runs on.
pub(crate) enum On<'c> {
    /// Any connection to the file.
    SqlitePool(&'c Doors<Sqlite>),
    /// Any connection to the server.
    PostgresPool(&'c Doors<Postgres>),
    /// This connection, within its transaction.
    Sqlite(&'c mut SqliteConnection),
    /// This connection, within its transaction.
    Postgres(&'c mut PgConnection),
}

impl<'c> From<&'c Pool> for On<'c> {
    fn from(pool: &'c Pool) -> Self {
        match pool {
            Pool::Sqlite(doors) => Self::SqlitePool(doors),
            Pool::Postgres(doors) => Self::PostgresPool(doors),
        }
    }
}

impl<'c> From<&'c mut Transaction> for On<'c> {
    fn from(tx: &'c mut Transaction) -> Self {
        match tx {
            Transaction::Sqlite(tx) => Self::Sqlite(tx),
            Transaction::Postgres(tx) => Self::Postgres(tx),
        }
    }
}

/// One argument.
#[derive(Clone, Debug)]
pub(crate) enum Arg {
    /// A text, or null.
    Text(Option<String>),
    /// A number, a time in milliseconds or a flag; or null.
    Int(Option<i64>),
    /// Bytes, or null.
    Bytes(Option<Vec<u8>>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        // PostgreSQL keeps no NUL in a text, and nobody who wrote to a charity meant one.
        Self::Text(Some(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }))
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        if text.contains('\0') { text.as_str().into() } else { Self::Text(Some(text)) }
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Vec<u8>> for Arg {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<i64>> for Arg {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

/// A text and its arguments `$1`, `$2`, …
#[derive(Debug)]
pub(crate) struct Query {
    text: &'static str,
    args: Vec<Arg>,
}

/// A query of this text.
pub(crate) fn query(text: &'static str) -> Query {
    Query { text, args: Vec::new() }
}

impl Query {
    /// The next argument.
    pub(crate) fn bind(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Runs it; answers how many rows it changed.
    pub(crate) async fn execute<'c>(self, on: impl Into<On<'c>>) -> Result<u64, Error> {
        Ok(match on.into() {
            On::SqlitePool(on) => self.of::<Sqlite>()?.execute(&on.write).await?.rows_affected(),
            On::Sqlite(on) => self.of::<Sqlite>()?.execute(on).await?.rows_affected(),
            On::PostgresPool(on) => self.of::<Postgres>()?.execute(&on.write).await?.rows_affected(),
            On::Postgres(on) => self.of::<Postgres>()?.execute(on).await?.rows_affected(),
        })
    }

    /// Every row.
    pub(crate) async fn fetch_all<'c>(self, on: impl Into<On<'c>>) -> Result<Vec<Row>, Error> {
        Ok(match on.into() {
            On::SqlitePool(on) => rows(self.of::<Sqlite>()?.fetch_all(&on.read).await?, Row::Sqlite),
            On::Sqlite(on) => rows(self.of::<Sqlite>()?.fetch_all(on).await?, Row::Sqlite),
            On::PostgresPool(on) => rows(self.of::<Postgres>()?.fetch_all(&on.read).await?, Row::Postgres),
            On::Postgres(on) => rows(self.of::<Postgres>()?.fetch_all(on).await?, Row::Postgres),
        })
    }

    /// The row of a query that finds one at most.
    pub(crate) async fn fetch_optional<'c>(self, on: impl Into<On<'c>>) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    /// The one value of a query that finds exactly one.
    pub(crate) async fn scalar<'c, T: OwnedValue>(self, on: impl Into<On<'c>>) -> Result<T, Error> {
        self.fetch_optional(on).await?.ok_or(Error::RowNotFound)?.value(0)
    }

    /// The one value of a query that finds one at most.
    pub(crate) async fn maybe_scalar<'c, T: OwnedValue>(self, on: impl Into<On<'c>>) -> Result<Option<T>, Error> {
        self.fetch_optional(on).await?.map(|row| row.value(0)).transpose()
    }

    /// The first column of every row.
    pub(crate) async fn scalars<'c, T: OwnedValue>(self, on: impl Into<On<'c>>) -> Result<Vec<T>, Error> {
        self.fetch_all(on).await?.iter().map(|row| row.value(0)).collect()
    }

    /// Ready to run on a database, with the arguments as it takes them.
    fn of<D: Database>(self) -> Result<sqlx::query::Query<'static, D, D::Arguments>, Error>
    where
        D::Arguments: IntoArguments<D>,
        Option<String>: for<'q> Encode<'q, D> + Type<D>,
        Option<i64>: for<'q> Encode<'q, D> + Type<D>,
        Option<Vec<u8>>: for<'q> Encode<'q, D> + Type<D>,
    {
        let mut all = D::Arguments::default();
        for arg in self.args {
            let added = match arg {
                Arg::Text(text) => all.add(text),
                Arg::Int(number) => all.add(number),
                Arg::Bytes(bytes) => all.add(bytes),
            };
            added.map_err(Error::Encode)?;
        }
        Ok(sqlx::query_with(self.text, all))
    }
}

fn rows<R>(of: Vec<R>, row: fn(R) -> Row) -> Vec<Row> {
    of.into_iter().map(row).collect()
}

/// A value that a column of either database gives.
pub(crate) trait Value<'r>: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres> {}

impl<'r, T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>> Value<'r> for T {}

/// One that outlives its row.
pub(crate) trait OwnedValue: for<'r> Value<'r> {}

impl<T: for<'r> Value<'r>> OwnedValue for T {}

/// A row of either.
pub(crate) enum Row {
    /// Of the file.
    Sqlite(SqliteRow),
    /// Of the server.
    Postgres(PgRow),
}

impl Row {
    /// The value of a column that the query names and that has this type in our schema.
    pub(super) fn get<'r, T: Value<'r>>(&'r self, column: &str) -> T {
        match self {
            Self::Sqlite(row) => row.get(column),
            Self::Postgres(row) => row.get(column),
        }
    }

    /// The value of a column by its place, from 0.
    pub(super) fn value<T: OwnedValue>(&self, at: usize) -> Result<T, Error> {
        match self {
            Self::Sqlite(row) => row.try_get(at),
            Self::Postgres(row) => row.try_get(at),
        }
    }
}
