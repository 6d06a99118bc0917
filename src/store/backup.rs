//! A whole copy of the SQLite database while the service runs: `wellbridge db backup`.
//!
//! SQLite writes what one moment saw into a new file (`vacuum into`), whatever is written meanwhile; the copy is looked at
//! before it is said to be one. PostgreSQL has tools of its own for this.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::sql::{Pool, query};
use super::{Store, StoreError};

const COPY: &str = "vacuum into $1";
const IS_SOUND: &str = "select integrity_check from pragma_integrity_check limit 1";

impl Store {
    /// Copies the database into `file`, which must not be there, readable by this account alone; answers how many
    /// referrals the copy holds.
    pub async fn back_up(&self, file: &Path) -> Result<u64, StoreError> {
        let failed = |why: String| StoreError::Directory { path: file.to_owned(), why };
        let Pool::Sqlite(doors) = &self.pool else {
            return Err(failed("this is for SQLite: use pg_dump for a PostgreSQL database".to_owned()));
        };
        let name = file.to_str().ok_or_else(|| failed("its name is no text".to_owned()))?;
        // An empty file of ours first: SQLite would make one that others may read.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        let made = made.map_err(|why| failed(why.to_string()))?;
        // It only reads: nobody who writes waits for it.
        sqlx::query(COPY).bind(name).execute(&doors.read).await?;
        made.sync_all().map_err(|why| failed(why.to_string()))?;
        let copy = Self::look(file).await?;
        let said: String = query(IS_SOUND).scalar(copy.pool()).await?;
        let referrals = copy.received().await?;
        copy.close().await;
        if said == "ok" { Ok(referrals) } else { Err(failed(format!("the copy is not sound: {said}"))) }
    }
}
