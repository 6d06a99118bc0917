//! `wellbridge check`: everything that can be looked at before the service starts, one line each.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Outcome, output, settings};
use crate::clock::Clock;
use crate::jobs::sync;
use crate::partner::templates::Templates;
use crate::service::assemble;
use crate::settings::{Database, Mode, Programme, Settings};
use crate::store::Store;

/// Look at settings, templates, mappings and every connection.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  wellbridge check --config /etc/wellbridge.toml\n\nExit code 1 where any line is not well. Sends no mail, writes nothing to a record and changes nothing in the database."
)]
pub(super) struct Check {
    /// For a program to read.
    #[arg(long)]
    json: bool,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    what: String,
    well: bool,
    said: String,
}

impl Check {
    pub(super) async fn run(self, config: Option<PathBuf>) -> anyhow::Result<Outcome> {
        let mut lines = Lines { json: self.json, lines: Vec::new() };
        match settings(config) {
            Ok(settings) => everything(&mut lines, &settings).await,
            Err(error) => lines.add("settings", Err(format!("{error:#}"))),
        }
        if self.json {
            output::say_json(&lines.lines)?;
        }
        Ok(if lines.lines.iter().all(|line| line.well) { Outcome::Well } else { Outcome::NotWell })
    }
}

/// The lines so far; each is shown as soon as it is known.
struct Lines {
    json: bool,
    lines: Vec<Line>,
}

impl Lines {
    fn add(&mut self, what: impl Into<String>, result: Result<String, String>) {
        let (well, said) = match result {
            Ok(said) => (true, said),
            Err(said) => (false, said),
        };
        let what = what.into();
        if !self.json {
            output::say(&format!("{}  {what}: {said}", output::mark(well, if well { "well" } else { "NOT " })));
        }
        self.lines.push(Line { what, well, said });
    }
}

async fn everything(lines: &mut Lines, settings: &Settings) {
    lines.add(
        "settings",
        Ok(format!(
            "{} programmes, {} practices, {} feeds",
            settings.programmes.len(),
            settings.practices.len(),
            settings.feeds.len()
        )),
    );
    for programme in settings.programmes.values() {
        lines.add(format!("programme {}", programme.id), Ok(mode_in_words(programme)));
        lines.add(format!("duty address of {}", programme.id), Ok(duty_in_words(programme)));
    }
    let known = &settings.bank_holidays;
    let until = format!("known until {}", known.covers_until());
    lines.add("bank holidays", known.running_out(Clock::System.today()).map_or(Ok(until), Err));
    lines.add("templates", templates(settings));
    lines.add("mappings", mappings(settings));
    lines.add("database", database(settings).await);
    lines.add("mail", mail(settings).await);
    match assemble::practices(settings, &Clock::System) {
        Ok(practices) => {
            for (id, system) in practices {
                lines.add(format!("practice {id}"), system.check().await.map_err(|e| e.to_string()));
            }
        }
        Err(error) => lines.add("practices", Err(error.to_string())),
    }
    for feed in settings.feeds.values() {
        let read = sync::gather(feed, 1).await;
        let said = read.map(|page| {
            format!("page 1 of {} read: {} services, {} unreadable", page.pages, page.services.len(), page.bad)
        });
        lines.add(format!("feed {}", feed.id), said.map_err(|e| e.to_string()));
    }
}

/// The choice between a coordinator and the machine, explained.
fn mode_in_words(programme: &Programme) -> String {
    match &programme.mode {
        Mode::Propose => "mode \"propose\": a coordinator approves each offer with one click".to_owned(),
        Mode::Auto { needs, signed_off_by } => {
            let needs: Vec<&str> = needs.iter().map(crate::referral::NeedCode::as_str).collect();
            format!(
                "mode \"auto\": the machine asks confirmed partners by itself for {} (signed off by {signed_off_by}); \
                 everything else, and every safety matter, waits for a coordinator",
                needs.join(", ")
            )
        }
    }
}

fn duty_in_words(programme: &Programme) -> String {
    format!(
        "{}, again after {} minutes, then {}; Wellbridge is not for urgent messages",
        programme.duty.address.as_str(),
        programme.duty.alert_again_after.as_secs() / 60,
        programme.duty.second_address.as_str()
    )
}

fn templates(settings: &Settings) -> Result<String, String> {
    let looked_at = Templates::load(settings.templates.as_deref()).and_then(|templates| templates.check());
    looked_at
        .map(|n| format!("{n} sample mails written"))
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

fn mappings(settings: &Settings) -> Result<String, String> {
    let matcher = assemble::matcher(settings.mappings.as_deref()).map_err(|e| e.to_string())?;
    assemble::known_needs(settings, &matcher).map_err(|e| e.to_string())?;
    Ok(format!("{} needs known", matcher.needs().len()))
}

async fn database(settings: &Settings) -> Result<String, String> {
    let (name, store) = match &settings.database {
        Database::Sqlite(file) if !file.exists() => {
            return Ok(format!("{} is not there yet: the first start makes it", file.display()));
        }
        Database::Sqlite(file) => (file.display().to_string(), Store::look(file).await.map(Some)),
        Database::Postgres(url) => ("the PostgreSQL server".to_owned(), Store::look_postgres(url.expose()).await),
    };
    let Some(store) = store.map_err(|e| crate::jobs::chain(&e))? else {
        return Ok(format!("{name} answers, and nothing is in the database yet: the first start fills it"));
    };
    let counts = store.counts().await.map_err(|e| crate::jobs::chain(&e))?;
    Ok(format!("{name} holds {} referrals", counts.values().sum::<u64>()))
}

async fn mail(settings: &Settings) -> Result<String, String> {
    let mailer = assemble::mailer(settings).map_err(|e| e.to_string())?;
    mailer.check().await.map_err(|e| e.effect.to_string())
}
