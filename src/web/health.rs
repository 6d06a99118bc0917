//! For the machines that watch the service: alive, ready, and counts without personal data.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{App, PageError};
use crate::referral::episode::ReferralState;
use crate::store::StoreError;

const HOUR: i64 = 60 * 60;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// A write that was seen to work so many seconds ago still speaks for the disk: asking often costs little.
const STILL_GOOD: i64 = 10;
/// The longest that a write may take before we call the store unready.
const WRITE: Duration = Duration::from_secs(5);

/// Ready is: the store can be read and written, and the queue's table is there. (Where jobs or pages end, the process
/// ends: see `cli::serve`.)
async fn ready(State(app): State<App>) -> Response {
    match tokio::time::timeout(WRITE, can_write(&app)).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => unready(&crate::jobs::chain(&error)),
        Err(_) => unready("a write takes too long"),
    }
}

fn unready(why: &str) -> Response {
    tracing::error!(error = why, "the store does not answer");
    (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be written to\n").into_response()
}

async fn can_write(app: &App) -> Result<(), StoreError> {
    let now = app.now();
    app.service.store.ping().await?;
    if now.as_second() - app.wrote.load(Ordering::Relaxed) < STILL_GOOD {
        return Ok(());
    }
    app.service.store.knock("readyz", HOUR, now).await?;
    app.wrote.store(now.as_second(), Ordering::Relaxed);
    Ok(())
}

/// Prometheus text format 0.0.4, read from the store at the moment of asking: nothing to lose at a restart.
async fn metrics(State(app): State<App>) -> Result<Response, PageError> {
    let store = &app.service.store;
    let counts = store.counts().await?;
    let received = store.received().await?;
    let alerts = store.open_alerts(None).await?.len();
    let failing = store.failing_edges().await?.len();
    let jobs = store.jobs_waiting().await?;
    let mut text = String::new();
    let mut family = |name: &str, help: &str, lines: &[(String, u64)]| {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in lines {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let states: Vec<(String, u64)> = ReferralState::ALL
        .iter()
        .map(|s| (format!("{{state=\"{}\"}}", s.as_str()), counts.get(s.as_str()).copied().unwrap_or(0)))
        .collect();
    family("wellbridge_referrals", "Referrals by the state they stand in.", &states);
    family(
        "wellbridge_referrals_received_total",
        "Referrals ever received, counted in the ledger; the sum over states must be the same.",
        &[(String::new(), received)],
    );
    family("wellbridge_alerts_open", "Alerts nobody has opened.", &[(String::new(), alerts as u64)]);
    family(
        "wellbridge_edges_failing",
        "Practices, feeds and mail servers that fail now, and bank holidays that run out.",
        &[(String::new(), failing as u64)],
    );
    family("wellbridge_jobs_waiting", "Jobs to be run now or running.", &[(String::new(), jobs.unsigned_abs())]);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
