//! `wellbridge demo`: see the whole road on pretend data.

use clap::Args;

use super::{Outcome, output, serve};
use crate::demo::play::{self, Played};
use crate::demo::stage;

/// Show the whole road on pretend data.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  wellbridge demo           open the page it names and take a seat\n  wellbridge demo --once    play everything, print a table of each referral's road, exit 0 if all is as expected"
)]
pub(super) struct Demo {
    /// Play the practice, the partners and the coordinator, print the table, and end.
    #[arg(long)]
    once: bool,
    /// Where the page is served.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS", conflicts_with = "once")]
    listen: std::net::SocketAddr,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        // What the service logs would drown what the demo says; RUST_LOG brings it back.
        if std::env::var_os("RUST_LOG").is_some() {
            serve::start_logging();
        }
        if self.once { once().await } else { open(self.listen).await }
    }
}

async fn open(listen: std::net::SocketAddr) -> anyhow::Result<Outcome> {
    if !listen.ip().is_loopback() {
        anyhow::bail!(
            "the demo has no passwords worth the name, so it listens on this machine only: try 127.0.0.1:{}",
            listen.port()
        );
    }
    let mut signals = serve::StopSignals::listen()?;
    let running = stage::open(listen).await?;
    running.stage.raise_the_curtain().await?;
    output::say(&format!("The demo is at {}", running.stage.url()));
    output::say("Everything in it is pretend; the service in the middle is the real one. You can be:");
    output::say("  the GP           send a referral, and see the record fill");
    output::say("  the partner      read the mail, follow its link, answer");
    output::say(&format!(
        "  the coordinator  sign in at {}/desk as {} with the password: {}",
        running.stage.url(),
        stage::COORDINATOR,
        stage::PASSWORD
    ));
    output::say("Ctrl-C ends it and leaves nothing behind.");
    signals.next().await;
    running.close().await?;
    Ok(Outcome::Well)
}

async fn once() -> anyhow::Result<Outcome> {
    let running = stage::open(([127, 0, 0, 1], 0).into()).await?;
    let played = play::play(&running.stage).await;
    running.close().await?;
    Ok(tell(&played?))
}

/// Prints the table and what is not as expected; the outcome is that of the exit code.
fn tell(played: &Played) -> Outcome {
    let rows = played.rows.iter().map(|row| {
        let verdict = output::mark(row.as_expected, if row.as_expected { "as expected" } else { "NOT AS EXPECTED" });
        let (road, state, record) = (row.came.road.clone(), row.came.state.clone(), row.came.record.clone());
        [row.person.clone(), row.needs.clone(), road, state, row.mails.to_string(), record, verdict]
    });
    output::say(&output::table(["PERSON", "NEED", "THE ROAD", "NOW", "MAILS", "IN THE PRACTICE'S RECORD", ""], rows));
    let states: Vec<String> = played.verified.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    output::say("");
    output::say(&format!(
        "{} referrals received: {}. {} events replayed, {} mails read, {} partners confirmed by the coordinator, {:.1} s.",
        played.verified.referrals,
        states.join(", "),
        played.verified.events,
        played.mails,
        played.confirmed,
        played.took.as_secs_f32()
    ));
    if played.problems.is_empty() {
        output::say("All as expected.");
        return Outcome::Well;
    }
    output::say("Not as expected:");
    for problem in &played.problems {
        output::say(&format!("  - {problem}"));
    }
    Outcome::NotWell
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Verified;

    #[test]
    fn an_unmet_expectation_is_not_well_for_whatever_runs_the_demo() {
        let mut played = Played {
            rows: Vec::new(),
            problems: Vec::new(),
            verified: Verified::default(),
            mails: 0,
            confirmed: 0,
            took: Duration::ZERO,
        };
        assert_eq!(tell(&played), Outcome::Well);
        played.problems.push("A dog, and an operation: closed is expected, held came".to_owned());
        assert_eq!(tell(&played), Outcome::NotWell);
    }
}
