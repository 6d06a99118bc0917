//! For the machines that watch the service: alive, ready, and counts without personal data.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{App, PageError};
use crate::referral::episode::ReferralState;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(app): State<App>) -> Response {
    match app.service.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response()
        }
    }
}

/// Prometheus text format 0.0.4, read from the store at the moment of asking: nothing to lose at a restart.
async fn metrics(State(app): State<App>) -> Result<Response, PageError> {
    let store = &app.service.store;
    let counts = store.counts().await?;
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
    let sum = counts.values().sum();
    family(
        "wellbridge_referrals_received_total",
        "Referrals ever received: the sum over states.",
        &[(String::new(), sum)],
    );
    family("wellbridge_alerts_open", "Alerts nobody has opened.", &[(String::new(), alerts as u64)]);
    family(
        "wellbridge_edges_failing",
        "Practices, feeds and mail servers that fail now.",
        &[(String::new(), failing as u64)],
    );
    family("wellbridge_jobs_waiting", "Jobs to be run now or running.", &[(String::new(), jobs.unsigned_abs())]);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}
