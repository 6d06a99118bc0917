//! `wellbridge user add`: an account for a Wellbeing Coordinator. The password is typed twice or read from a pipe, never
//! an argument (arguments are seen by everybody on the machine).

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::{Outcome, output, store_beside};
use crate::clock::Clock;
use crate::desk::accounts;
use crate::referral::ProgrammeId;
use crate::settings::Settings;

/// Coordinators' accounts.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add an account, or change its name, programmes and password; its sessions end.
    #[command(
        after_help = "Examples:\n  wellbridge user add amina --name 'Amina Rahman' --programme leeds\n  pass show wellbridge/amina | wellbridge user add amina --name 'Amina Rahman' --programme leeds"
    )]
    Add {
        /// What she signs in with.
        id: String,
        /// As she is called.
        #[arg(long)]
        name: String,
        /// A programme she belongs to; she sees nothing of others. May be given more than once.
        #[arg(long = "programme", required = true)]
        programmes: Vec<String>,
    },
}

impl User {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<Outcome> {
        let Self::Add { id, name, programmes } = self;
        let programmes: Vec<ProgrammeId> = programmes.into_iter().map(ProgrammeId::new).collect();
        let password = read_password()?;
        let store = store_beside(&settings).await?;
        accounts::add(&store, &settings, &id, &name, &password, programmes, Clock::System.now()).await?;
        output::say(&format!("{id} can sign in at {}desk", settings.web.public_url));
        Ok(Outcome::Well)
    }
}

fn read_password() -> anyhow::Result<String> {
    if std::io::stdin().is_terminal() {
        let first = typed("Password (12 characters or more): ")?;
        if first != typed("Once more: ")? {
            bail!("the two passwords differ: nothing was changed");
        }
        return Ok(first);
    }
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("no password could be read from standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Reads a line without showing it.
fn typed(prompt: &str) -> anyhow::Result<String> {
    let terminal = console::Term::stderr();
    terminal.write_str(prompt)?;
    terminal.read_secure_line().context("no password could be read from the terminal")
}
