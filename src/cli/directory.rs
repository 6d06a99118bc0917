//! `wellbridge directory sync`: read the feeds now, page by page, beside a service that may be running.

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{Outcome, output, store_beside};
use crate::clock::Clock;
use crate::directory::SyncVerdict;
use crate::jobs::sync;
use crate::settings::Settings;

/// The directory of services.
#[derive(Debug, Subcommand)]
pub(super) enum Directory {
    /// Read every feed (or one) now; a feed that fails or is strangely empty keeps its last good copy.
    #[command(
        after_help = "Example:\n  wellbridge directory sync --feed council\n\nExit code 1 where a feed kept its last good copy."
    )]
    Sync {
        /// Only this feed.
        #[arg(long)]
        feed: Option<String>,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
}

impl Directory {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<Outcome> {
        let Self::Sync { feed, json } = self;
        if let Some(name) = &feed {
            let known = settings.feeds.keys().cloned().collect::<Vec<_>>().join(", ");
            settings.feeds.get(name).with_context(|| format!("there is no feed {name}; the settings name: {known}"))?;
        }
        let store = store_beside(&settings).await?;
        let mut outcome = Outcome::Well;
        let mut results = Vec::new();
        for (id, settings) in settings.feeds.iter().filter(|(id, _)| feed.as_ref().is_none_or(|only| only == *id)) {
            let bar = output::bar(0, "reading pages");
            let done = sync::whole(&store, settings, Clock::System.now(), |page, pages| {
                bar.set_length(pages);
                bar.set_position(page);
            })
            .await;
            bar.finish_and_clear();
            let (good, said) = match done {
                Ok((services, bad, SyncVerdict::Replace)) => {
                    (true, format!("{services} services read, {bad} could not be read"))
                }
                Ok((_, _, SyncVerdict::Keep(why))) => (false, format!("the last good copy was kept: {why}")),
                Err(error) => (false, format!("the last good copy was kept: {}", crate::jobs::chain(&error))),
            };
            if !good {
                outcome = Outcome::NotWell;
            }
            if !json {
                output::say(&format!("{} {id}: {said}", output::mark(good, if good { "read" } else { "kept" })));
            }
            results.push(json!({"feed": id, "replaced": good, "said": said}));
        }
        if json {
            output::say_json(&results)?;
        }
        Ok(outcome)
    }
}
