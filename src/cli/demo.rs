//! `wellbridge demo`: see the whole road on pretend data.

use clap::Args;

use super::Outcome;

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
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: std::net::SocketAddr,
}

impl Demo {
    #[expect(clippy::unused_async, reason = "comes with the demo")]
    pub(super) async fn run(self) -> anyhow::Result<Outcome> {
        anyhow::bail!("the demo comes in the next slice (once: {}, listen: {})", self.once, self.listen)
    }
}
