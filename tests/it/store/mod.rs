//! What every store must promise, one suite for all of them: [`contract!`] names each promise once, and each store runs
//! them all. A promise takes a [`Place`]: the store as the service sees it, and a back door beside it to plant faults.

mod feeds;
pub(crate) mod fixtures;
mod intake;
mod ledger;
mod personal;
mod retention;
pub(crate) mod sqlite;

use wellbridge::store::Store;

/// A store of its own for one test, and a way round it.
pub(crate) struct Place {
    /// As the service has it.
    pub(crate) store: Store,
    /// Straight to the tables.
    pub(crate) back_door: BackDoor,
}

/// Statements past the store: to look at tables, and to plant what must be found.
pub(crate) struct BackDoor(sqlx::SqlitePool);

impl BackDoor {
    /// Runs one statement; how many rows it touched.
    pub(crate) async fn run(&self, sql: &'static str) -> u64 {
        sqlx::query(sql).execute(&self.0).await.unwrap().rows_affected()
    }

    /// The one number a query answers.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.0).await.unwrap()
    }

    /// Every table there is.
    pub(crate) async fn tables(&self) -> Vec<String> {
        sqlx::query_scalar("select name from sqlite_master where type = 'table'").fetch_all(&self.0).await.unwrap()
    }

    /// Everything that stands in a table, as text.
    pub(crate) async fn dump(&self, table: &str) -> String {
        use sqlx::{Row as _, TypeInfo as _, ValueRef as _};
        let all = sqlx::AssertSqlSafe(format!("select * from {table}"));
        let mut text = String::new();
        for row in sqlx::query(all).fetch_all(&self.0).await.unwrap() {
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
        }
        text
    }

    /// The one text a query answers.
    pub(crate) async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql).fetch_one(&self.0).await.unwrap()
    }
}

/// Every promise, as a test of the store whose places `$open` makes.
macro_rules! contract {
    ($open:path: $($module:ident :: $promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let place = $open().await;
                super::$module::$promise(&place).await;
            }
        )+
    };
}
pub(crate) use contract;
