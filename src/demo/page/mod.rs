//! The demo's pages: the road on top, with a dot for each referral, and three seats to sit in.
//!
//! They stand beside the service's own pages, behind the same guard, and use its style sheet. The one script of the whole
//! product lives here: it moves the dots. Without it everything works with a reload.

mod gp;
mod live;
mod mailbox;
mod road;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use jiff::SignedDuration;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::road::Road;
use super::DemoError;
use super::stage::{COORDINATOR, PASSWORD, Stage};
use super::tale::Tale;
use crate::referral::episode::{Hold, ReferralState};
use crate::settings::deadlines::as_people_say;
use crate::web::pages::{self, fill};
use crate::web::{self, App, PageError};

/// The demo's pages may use their own script, listen for what moves, and frame a mail.
const CONTENT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self'; img-src 'self' data:; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

type OnStage = Extension<Arc<Stage>>;

/// The service's pages and the demo's.
pub(super) fn router(stage: &Arc<Stage>, stop: CancellationToken) -> Router {
    let own = Router::new()
        .route("/", get(welcome))
        .route("/demo", get(|| async { Redirect::permanent("/") }))
        .route("/demo/gp", get(gp::show))
        .route("/demo/gp/send", post(gp::send))
        .route("/demo/gp/take-back", post(gp::take_back))
        .route("/demo/record/{practice}/{request}", get(gp::record))
        .route("/demo/partner", get(mailbox::list))
        .route("/demo/mail/{number}", get(mailbox::mail))
        .route("/demo/coordinator", get(coordinator))
        .route("/demo/day", post(day))
        .layer(middleware::map_response(with_policy))
        .route("/demo/mail/{number}/html", get(mailbox::html))
        .route("/demo/moves", get(live::moves))
        .route("/static/demo.js", get(|| async { asset("text/javascript", include_str!("demo.js")) }))
        .route("/static/demo.css", get(|| async { asset("text/css", include_str!("demo.css")) }))
        .layer(Extension(Arc::clone(stage)))
        .layer(Extension(stop));
    web::router_with(App::new(Arc::clone(&stage.service)), own)
}

async fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    response
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// What every page of the demo shows.
#[derive(Serialize)]
struct Frame {
    seat: &'static str,
    road: Road,
    today: String,
    nudge: String,
    mails: usize,
    waiting: usize,
}

impl Frame {
    async fn of(stage: &Stage, seat: &'static str) -> Result<(Self, Vec<Tale>), PageError> {
        let tales = stage.tales().await.map_err(demo_failed)?;
        let waits = |tale: &&Tale| matches!(tale.episode.state(), ReferralState::Held | ReferralState::Proposed);
        let frame = Self {
            seat,
            road: Road::of(stage, &tales),
            today: as_people_say(stage.now()),
            nudge: nudge(stage, seat, &tales),
            mails: stage.mail.mails().len(),
            waiting: tales.iter().filter(waits).count(),
        };
        Ok((frame, tales))
    }
}

/// The page that follows should show what was done already; on a busy machine it shows it a moment later by itself.
async fn soon(stage: &Stage) -> Result<(), PageError> {
    const SOON: Duration = Duration::from_secs(4);
    tokio::time::timeout(SOON, stage.settle()).await.unwrap_or(Ok(())).map_err(demo_failed)
}

fn demo_failed(error: DemoError) -> PageError {
    PageError::internal(error)
}

/// One sentence: what to try next.
fn nudge(stage: &Stage, seat: &str, tales: &[Tale]) -> String {
    let any = |state: ReferralState| tales.iter().any(|tale| tale.episode.state() == state);
    let answered =
        tales.iter().any(|t| t.episode.offers.iter().any(|o| o.booked || o.identity_seen || o.status.is_final()));
    let unsent = stage.stories.iter().any(|s| !tales.iter().any(|t| t.request == s.id));
    match seat {
        "gp" if unsent => "Send one of the stories, and watch its dot leave the surgery.",
        "gp" => "Write a referral in your own words: what does it make of them?",
        "partner" if !answered => "Open the newest mail that asks for help, follow its link, and say yes or no.",
        "partner" => "Say no to one, and see who is asked next.",
        "coordinator" if any(ReferralState::Proposed) => "Sign in and approve a proposal: its mail leaves at once.",
        "coordinator" if any(ReferralState::Held) => {
            "Sign in and read what is held: a person decides here, not a machine."
        }
        _ if !answered => "Begin as the partner: mails are waiting. Say yes to one, and its dot moves on.",
        _ if any(ReferralState::Held) => "Now be the coordinator: the red and amber dots wait for a person.",
        _ if !any(ReferralState::Closed) => {
            "As a partner, tell that support has started, then that it has finished: the record fills."
        }
        _ => "Let a day pass: whoever was asked and says nothing is reminded, and then somebody else is asked.",
    }
    .to_owned()
}

async fn welcome(Extension(stage): OnStage) -> Result<Html<String>, PageError> {
    let (frame, _) = Frame::of(&stage, "").await?;
    let services = stage.service.directory().len();
    pages::render("demo/welcome.html", fill! { frame, services })
}

#[derive(Serialize)]
struct Waiting {
    initials: String,
    title: String,
    state: String,
    desk: String,
}

async fn coordinator(Extension(stage): OnStage) -> Result<Html<String>, PageError> {
    let (frame, tales) = Frame::of(&stage, "coordinator").await?;
    let waits = |tale: &&Tale| matches!(tale.episode.state(), ReferralState::Held | ReferralState::Proposed);
    let mut tales: Vec<&Tale> = tales.iter().filter(waits).collect();
    // As on her worklist: safety first, then whoever has waited longest.
    tales.sort_by_key(|tale| tale.episode.hold() != Some(Hold::Safety));
    let waiting: Vec<Waiting> = tales
        .into_iter()
        .map(|tale| Waiting {
            initials: road::initials(&stage, tale),
            title: road::title(&stage, tale),
            state: tale.state.clone(),
            desk: format!("/desk/referral/{}", tale.id),
        })
        .collect();
    pages::render("demo/coordinator.html", fill! { frame, waiting, user => COORDINATOR, password => PASSWORD })
}

/// Lets a day pass: reminders and deadlines come.
async fn day(Extension(stage): OnStage) -> Result<Redirect, PageError> {
    stage.pass(SignedDuration::from_hours(24)).await.map_err(demo_failed)?;
    soon(&stage).await?;
    Ok(Redirect::to("/"))
}
