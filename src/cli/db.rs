//! `wellbridge db`: a copy of the SQLite database while the service runs, and the way from SQLite to PostgreSQL.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;

use super::{Outcome, output, settings, store_beside};
use crate::store;

/// The database.
#[derive(Debug, Subcommand)]
pub(super) enum Db {
    /// Write a whole copy of the SQLite database into a new file, also while the service runs.
    #[command(
        after_help = "Example:\n  wellbridge db backup /var/backups/wellbridge/wellbridge.sqlite\n\nThe copy holds personal data. Keep the file `link-key` of the data directory with it. For PostgreSQL use pg_dump."
    )]
    Backup {
        /// The new file; it must not be there yet.
        file: PathBuf,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
    /// Move everything from a SQLite database to an empty PostgreSQL one; compares every row before it is done.
    #[command(
        after_help = "Example:\n  wellbridge db copy --from-sqlite /var/lib/wellbridge/wellbridge.sqlite --to \"$(cat database-url)\"\n\nStop the service first, and start it on PostgreSQL only. The file stays as it is. Put `link-key` of the old data\ndirectory into the new ones, so that links already mailed go on working."
    )]
    Copy {
        /// The file to move from.
        #[arg(long, value_name = "FILE")]
        from_sqlite: PathBuf,
        /// Where to: `postgres://user:password@host:5432/name`. Better by the variable: arguments are seen by everybody.
        #[arg(long, value_name = "URL", env = "WELLBRIDGE__DATABASE__URL", hide_env_values = true)]
        to: String,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
}

/// What `db backup --json` says.
#[derive(Serialize)]
struct BackedUp {
    file: PathBuf,
    referrals: u64,
}

impl Db {
    pub(super) async fn run(self, config: Option<PathBuf>) -> anyhow::Result<Outcome> {
        match self {
            Self::Backup { file, json } => {
                let settings = settings(config)?;
                let referrals = store_beside(&settings).await?.back_up(&file).await?;
                if json {
                    output::say_json(&BackedUp { file, referrals })?;
                } else {
                    let key = settings.data_dir.join("link-key");
                    output::say(&format!("{} holds {referrals} referrals", file.display()));
                    output::say(&format!("keep {} with it: without that key no mailed link works", key.display()));
                }
            }
            Self::Copy { from_sqlite, to, json } => {
                let bar = output::bar(0, "moving");
                let copied = store::copy(&from_sqlite, &to, |done, all| {
                    bar.set_length(all);
                    bar.set_position(done);
                });
                let copied = copied.await.context("nothing was moved")?;
                bar.finish_and_clear();
                if json {
                    output::say_json(&copied)?;
                } else {
                    let rows = copied.tables.iter().map(|t| [t.table.clone(), t.rows.to_string(), t.hash.clone()]);
                    output::say(&output::table(["table", "rows", "the same here and there"], rows));
                    output::say(&format!("{} jobs that wait were moved too", copied.jobs));
                }
            }
        }
        Ok(Outcome::Well)
    }
}
