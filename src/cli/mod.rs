//! The command line: what people and programs can ask of the binary.
//!
//! Every command is thin: it reads settings, opens what it needs and calls the domain or a door of the library. `--json`
//! where a program may read the answer; progress bars and colours only on a terminal.

mod check;
mod db;
mod demo;
mod directory;
mod ledger;
mod matching;
mod output;
mod referrals;
mod serve;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::settings::{Database, LoadFrom, Settings};
use crate::store::Store;

const AFTER_HELP: &str = "\
Examples:
  wellbridge demo                             see the whole road on pretend data
  wellbridge check                            look at every setting and every connection before you start
  wellbridge serve --config /etc/wellbridge.toml
  wellbridge referrals list --state held

Exit codes:
  0  done, and all is well (also where nobody reads on: `| head`)
  1  done, but something is not well (a check failed, a referral cannot be read, the ledger disagrees, …)
  2  not done: wrong arguments, unusable settings, a file or server that cannot be reached

Settings come from a file and from variables such as WELLBRIDGE__MAIL__HOST; README has them all in a table.
Wellbridge is not for urgent messages.";

/// Social-prescribing referrals from a GP's clinical system to local charities, and what came of them back to the record.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    /// The settings file (default: wellbridge.toml in the working directory, where there is one).
    #[arg(long, global = true, value_name = "FILE", env = "WELLBRIDGE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: poll practices, ask partners, keep records, serve the pages.
    #[command(
        after_help = "Example:\n  wellbridge serve --config /etc/wellbridge.toml\n\nIt runs until SIGTERM or Ctrl-C. Exit code 2 where it cannot start, or cannot go on."
    )]
    Serve,
    /// Show the whole road on pretend data: a practice, a mailbox, a directory and the service, all in this process.
    Demo(demo::Demo),
    /// Look at settings, templates, mappings and every connection; one line each.
    Check(check::Check),
    /// Match one referral (a FHIR Bundle) against a directory file and say why.
    Match(matching::MatchOne),
    /// Match a folder of referrals and write one JSON line each, for scoring.
    Evaluate(matching::Evaluate),
    /// The directory of services.
    #[command(subcommand)]
    Directory(directory::Directory),
    /// Referrals and where they stand.
    #[command(subcommand)]
    Referrals(referrals::Referrals),
    /// The database: a copy of it, and the way from SQLite to PostgreSQL.
    #[command(subcommand)]
    Db(db::Db),
    /// The ledger.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Coordinators' accounts.
    #[command(subcommand)]
    User(user::User),
    /// Print a completion script for your shell.
    #[command(
        after_help = "Example:\n  wellbridge completions bash > ~/.local/share/bash-completion/completions/wellbridge"
    )]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Well,
    NotWell,
}

/// Runs the command line and answers the exit code.
pub fn run(cli: Cli) -> ExitCode {
    quiet_panics();
    // One TLS provider in the process, installed before anything connects; a second installation is impossible here.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(why) => {
            output::complain(&format!("cannot start: {why}"));
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(dispatch(cli)) {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::NotWell) => ExitCode::from(1),
        Err(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// A panic says where, never with what: its message might hold what somebody's text broke.
fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tracing::error!(panic.place = %place, "a bug in wellbridge: please report the place");
        output::complain(&format!("a bug in wellbridge at {place}: please report the place"));
    }));
}

async fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let config = cli.config;
    match cli.command {
        Command::Serve => serve::run(settings(config)?).await,
        Command::Demo(demo) => demo.run().await,
        Command::Check(check) => check.run(config).await,
        Command::Match(one) => one.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Directory(directory) => directory.run(settings(config)?).await,
        Command::Referrals(referrals) => referrals.run(settings(config)?).await,
        Command::Db(db) => db.run(config).await,
        Command::Ledger(ledger) => ledger.run(settings(config)?).await,
        Command::User(user) => user.run(settings(config)?).await,
        Command::Completions { shell } => {
            // By way of memory: it panics where what it writes to has been closed.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wellbridge", &mut script);
            output::say(String::from_utf8_lossy(&script).trim_end());
            Ok(Outcome::Well)
        }
    }
}

fn settings(config: Option<PathBuf>) -> anyhow::Result<Settings> {
    Ok(Settings::load(&LoadFrom::process(config))?)
}

/// The store, beside a service that may be running.
async fn store_beside(settings: &Settings) -> anyhow::Result<Store> {
    Ok(match &settings.database {
        Database::Sqlite(file) => Store::open_beside(&settings.data_dir, file).await?,
        Database::Postgres(url) => Store::beside_postgres(url.expose()).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command that does something has an example, whoever adds it.
    #[test]
    fn every_command_gives_an_example() {
        fn without(command: &clap::Command, path: &str, found: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let example = command.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
            if !command.has_subcommands() && !example {
                found.push(path.clone());
            }
            command.get_subcommands().for_each(|inner| without(inner, &path, found));
        }
        let mut found = Vec::new();
        without(&Cli::command(), "", &mut found);
        assert!(found.is_empty(), "{found:?}");
    }
}
