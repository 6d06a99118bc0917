//! Statements past the store: to look at tables, and to plant what must be found.

use sqlx::{AssertSqlSafe, PgPool, Row as _, SqlitePool, TypeInfo as _, ValueRef as _};

/// Straight to the tables.
pub(crate) enum BackDoor {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// One text, on whichever it is.
macro_rules! on_either {
    ($door:expr, $pool:ident => $work:expr) => {
        match $door {
            BackDoor::Sqlite($pool) => $work,
            BackDoor::Postgres($pool) => $work,
        }
    };
}

impl BackDoor {
    /// Runs one statement; how many rows it touched.
    pub(crate) async fn run(&self, sql: &'static str) -> u64 {
        on_either!(self, pool => sqlx::query(sql).execute(pool).await.unwrap().rows_affected())
    }

    /// The one number a query answers.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        on_either!(self, pool => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap())
    }

    /// The texts a query answers.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        on_either!(self, pool => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap())
    }

    /// Every table there is.
    pub(crate) async fn tables(&self) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => "select name from sqlite_master where type = 'table'",
            Self::Postgres(_) => "select cast(tablename as text) from pg_tables where schemaname = current_schema()",
        })
        .await
    }

    /// Everything that stands in a table, as text.
    pub(crate) async fn dump(&self, table: &str) -> String {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query(AssertSqlSafe(format!("select * from {table}"))).fetch_all(pool).await.unwrap();
                rows.iter().map(sqlite_row).collect()
            }
            Self::Postgres(pool) => {
                let all = AssertSqlSafe(format!("select cast(t as text) from {table} t"));
                sqlx::query_scalar::<_, String>(all).fetch_all(pool).await.unwrap().join("\n")
            }
        }
    }
}

fn sqlite_row(row: &sqlx::sqlite::SqliteRow) -> String {
    let mut text = String::new();
    for column in 0..row.len() {
        let kind = row.try_get_raw(column).unwrap().type_info().name().to_owned();
        match kind.as_str() {
            "TEXT" => text += &row.get::<String, _>(column),
            "BLOB" => text += &String::from_utf8_lossy(&row.get::<Vec<u8>, _>(column)),
            "INTEGER" => text += &row.get::<i64, _>(column).to_string(),
            _ => {}
        }
        text.push('\n');
    }
    text
}
