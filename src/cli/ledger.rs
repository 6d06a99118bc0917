//! `wellbridge ledger`: does what is stored follow from what happened?

use clap::Subcommand;

use super::{Outcome, output, store_beside};
use crate::settings::Settings;

/// The ledger.
#[derive(Debug, Subcommand)]
pub(super) enum Ledger {
    /// Replay every event and compare with what is stored; referrals received must be the sum over states.
    #[command(after_help = "Example:\n  wellbridge ledger verify --json\n\nExit code 1 where anything disagrees.")]
    Verify {
        /// Only so many referrals, evenly among all: for a look at a large ledger.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        sample: Option<u32>,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
}

impl Ledger {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<Outcome> {
        let Self::Verify { sample, json } = self;
        let most = sample.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let store = store_beside(&settings).await?;
        let bar = output::bar(0, "replaying");
        let found = store
            .verify_some(most, |done, total| {
                bar.set_length(total);
                bar.set_position(done);
            })
            .await?;
        bar.finish_and_clear();
        if json {
            output::say_json(&found)?;
        } else {
            output::say(&format!("{} referrals looked at, {} events replayed", found.referrals, found.events));
            for (state, count) in &found.states {
                output::say(&format!("  {state:<10} {count}"));
            }
            for problem in &found.problems {
                output::say(&format!("{} {problem}", output::mark(false, "disagrees:")));
            }
            if found.problems.is_empty() {
                output::say(&output::mark(true, "the ledger agrees with itself"));
            }
        }
        Ok(if found.problems.is_empty() { Outcome::Well } else { Outcome::NotWell })
    }
}
