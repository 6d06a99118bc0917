//! `wellbridge serve`: the service, until SIGTERM or Ctrl-C.
//!
//! Shutting down is orderly: no new job is fetched, running ones get ten seconds, pages have twenty to finish what
//! they are answering, the database is closed. A second signal ends it at once. Whatever did not finish is picked up at the next start.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
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
    // A service that has lost half of itself looks well and does nothing: it ends, so that whatever started it sees.
    tokio::select! {
        () = signals.next() => {}
        ended = jobs.wait() => return Err(lost("jobs", ended.err().map(anyhow::Error::new))),
        ended = &mut pages => {
            let why = ended.map_err(anyhow::Error::new).and_then(|ended| ended.map_err(anyhow::Error::new));
            return Err(lost("pages", why.err()));
        }
    }
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
