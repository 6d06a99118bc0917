//! `wellbridge serve`: the service, until SIGTERM or Ctrl-C.
//!
//! Shutting down is orderly: no new job is fetched, running ones get ten seconds, pages have twenty to finish what
//! they are answering, the database is closed. A second signal ends it at once. Whatever did not finish is picked up at the next start.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Outcome, output};
use crate::clock::Clock;
use crate::service::assemble;
use crate::settings::Settings;
use crate::{jobs, web};

pub(super) async fn run(settings: Settings) -> anyhow::Result<Outcome> {
    start_logging();
    let listen = settings.web.listen;
    let service = Arc::new(assemble::service(settings, Clock::System).await?);
    if let Some(why) = service.settings.bank_holidays.running_out(service.clock.today()) {
        tracing::warn!("the bank holidays run out, and deadlines would be counted without them: {why}");
    }
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: is another program there? Set web.listen or WELLBRIDGE__WEB__LISTEN")
    })?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    // Heard from before anybody is told that the service is ready.
    let mut signals = StopSignals::listen()?;
    let mut jobs = jobs::start(&service).await?;
    tracing::info!(web.listen = %address, "wellbridge is ready");
    output::say(&format!("wellbridge is ready on http://{address}"));
    let mut pages = tokio::spawn(web::serve(listener, Arc::clone(&service), stop.clone().cancelled_owned()));
    until_told(signals.next(), jobs.wait(), &mut pages).await?;
    tracing::info!("wellbridge is stopping");
    stop.cancel();
    let orderly = async {
        let (stopped, served) = tokio::join!(jobs.stop(), pages);
        served.context("the pages ended badly")??;
        service.store.close().await;
        stopped.context("the jobs ended badly")?;
        Ok(Outcome::Well)
    };
    tokio::select! {
        ended = orderly => ended,
        () = signals.next() => {
            tracing::warn!("wellbridge was told twice to stop and stops at once");
            // Whatever was running is put back at the next start; waiting for a stuck job here would be no ending.
            std::process::exit(2)
        }
    }
}

/// Waits to be told to stop. A service that has lost half of itself looks well and does nothing: it ends with an error,
/// so that whatever started it sees.
async fn until_told(
    told: impl Future<Output = ()>,
    jobs: impl Future<Output = Result<(), riverqueue::Error>>,
    pages: &mut JoinHandle<std::io::Result<()>>,
) -> anyhow::Result<()> {
    tokio::select! {
        () = told => Ok(()),
        ended = jobs => Err(lost("jobs", ended.err().map(anyhow::Error::new))),
        ended = pages => {
            let why = ended.map_err(anyhow::Error::new).and_then(|ended| ended.map_err(anyhow::Error::new));
            Err(lost("pages", why.err()))
        }
    }
}

fn lost(what: &str, why: Option<anyhow::Error>) -> anyhow::Error {
    let lost = format!("the {what} ended by themselves: start wellbridge again");
    match why {
        Some(why) => why.context(lost),
        None => anyhow::anyhow!(lost),
    }
}

/// Structured lines on standard error: JSON where a program reads them, plain on a terminal. `RUST_LOG` chooses.
pub(super) fn start_logging() {
    use std::io::IsTerminal as _;
    use tracing_subscriber::EnvFilter;
    // HTTP and SQL libraries would write addresses, and addresses may hold identifiers.
    let quiet = "info,fhir_sdk=warn,hyper=warn,reqwest=warn,sqlx=warn,lettre=warn,h2=warn,rustls=warn";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process (tests) keeps the first.
    let _ = if std::io::stderr().is_terminal() { lines.try_init() } else { lines.json().try_init() };
}

/// SIGTERM and Ctrl-C.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From now on they end the process in order, not at once.
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn pages_that_end_by_themselves_end_the_service_with_an_error() {
        let failed = || std::io::Error::other("no more sockets");
        let ends: [(JoinHandle<std::io::Result<()>>, &str); 3] = [
            (tokio::spawn(async { Ok(()) }), "the pages ended"),
            (tokio::spawn(async move { Err(failed()) }), "no more sockets"),
            (tokio::spawn(async { panic!("a bug") }), "panicked"),
        ];
        for (mut pages, why) in ends {
            let ended = until_told(pending(), pending(), &mut pages).await.unwrap_err();
            let words = format!("{ended:#}");
            assert!(words.starts_with("the pages ended by themselves") && words.contains(why), "{words}");
        }
    }

    #[tokio::test]
    async fn jobs_that_end_by_themselves_end_the_service_with_an_error_and_a_signal_does_not() {
        let mut pages = tokio::spawn(pending());
        let ended = until_told(pending(), async { Ok(()) }, &mut pages).await.unwrap_err();
        assert!(ended.to_string().starts_with("the jobs ended by themselves"), "{ended}");
        until_told(async {}, pending(), &mut pages).await.unwrap();
        pages.abort();
    }
}
