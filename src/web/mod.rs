//! Pages over HTTP: one router for partners, coordinators and the machines that watch the service.
//!
//! Server-rendered, no JavaScript, one style sheet. A page is made in the same shape everywhere: a handler reads what
//! it needs, builds a small typed context, and [`pages::render`] fills a template; a form posts, something is recorded
//! in one transaction, and the answer is a redirect. [`guard`] stands round everything: headers, logs, panics.
//!
//! - [`answer`]: a partner's link, from first sight to the last word;
//! - [`crate::desk`]: the coordinator's worklist, merged in under `/desk`;
//! - [`health`]: `/healthz`, `/readyz`, `/metrics`.

pub mod answer;
pub mod cookie;
pub mod error;
pub mod guard;
mod health;
pub mod pages;
pub mod posted;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod visitor;
pub mod when;

use std::future::{Future, IntoFuture as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use crate::referral::NeedCode;
use crate::service::Wellbridge;
pub use error::PageError;

/// The largest form that is read: a page of words in any script.
const BODY_LIMIT: usize = 64 * 1024;
/// The longest a page may take; reading a practice's system again is the slowest thing a page does.
const PAGE_TIMEOUT: Duration = Duration::from_secs(20);

/// Passwords that are looked at side by side.
const HASHES_AT_ONCE: usize = 2;

/// What every handler is given.
#[derive(Clone)]
pub struct App {
    /// The service.
    pub service: Arc<Wellbridge>,
    /// Pages are reached over https: cookies are `__Host-` and Secure.
    pub secure: bool,
    salt: Arc<[u8; 32]>,
    /// When a write to the store was last seen to work, in seconds since 1970; 0 is never.
    wrote: Arc<AtomicI64>,
    /// Turns at hashing a password: many at once would take the memory that everything else needs.
    pub(crate) hashing: Arc<Semaphore>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Wraps the service for handlers.
    pub fn new(service: Arc<Wellbridge>) -> Self {
        let secure = service.settings.web.public_url.scheme() == "https";
        Self {
            service,
            secure,
            salt: Arc::new(crate::random::secret_bytes()),
            wrote: Arc::default(),
            hashing: Arc::new(Semaphore::new(HASHES_AT_ONCE)),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.service.clock.now()
    }
}

/// All pages.
pub fn router(service: Arc<Wellbridge>) -> Router {
    router_with(App::new(service), Router::new().route("/", get(landing)))
}

/// All pages, and `more` (which brings its own `/`) behind the same guard: the demo.
pub fn router_with(app: App, more: Router<App>) -> Router {
    let mut csrf = CsrfLayer::new();
    let origin = app.service.settings.web.public_url.origin().ascii_serialization();
    match csrf.clone().add_trusted_origin(&origin) {
        Ok(trusting) => csrf = trusting,
        // Forms then work only where the proxy hands on the Host header as it came.
        Err(error) => tracing::warn!(%error, "the public address cannot be used to check where forms come from"),
    }
    let csrf = csrf.with_rejection_response(|_| PageError::Forbidden.into_response());
    Router::new()
        .merge(more)
        .merge(health::routes())
        .route("/static/wellbridge.css", get(style_sheet))
        .merge(answer::routes())
        .nest("/desk", crate::desk::routes())
        .route("/desk/", get(|| async { Redirect::permanent("/desk") }))
        .fallback(|| async { PageError::NotFound })
        .method_not_allowed_fallback(|| async { PageError::NotFound })
        .layer(csrf)
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, PAGE_TIMEOUT))
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

/// Serves the pages until `shutdown`, then lets requests that are under way finish.
pub async fn serve(
    listener: tokio::net::TcpListener,
    service: Arc<Wellbridge>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve_router(listener, router(service), shutdown).await
}

/// The same for a router that was put together elsewhere.
pub async fn serve_router(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    serve_until(listener, router, shutdown, PAGE_TIMEOUT).await
}

/// Serves until `shutdown`, and not longer than `grace` after it: a visitor who never finishes a request (or only holds
/// a connection open) must not keep the service from ending.
async fn serve_until(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
    grace: Duration,
) -> std::io::Result<()> {
    let pages = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopping = CancellationToken::new();
    let stop = stopping.clone();
    let served = axum::serve(listener, pages).with_graceful_shutdown(async move {
        shutdown.await;
        stop.cancel();
    });
    let time_is_up = async {
        stopping.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = served.into_future() => result,
        () = time_is_up => {
            tracing::warn!("a visitor's connection was still open at the end and was cut");
            Ok(())
        }
    }
}

/// The kind of help, as a partner reads it before acceptance: neutral, and true of everybody who might be sent.
pub fn kind_of_help(app: &App, need: &NeedCode) -> String {
    capitalised(app.service.matcher.kind_of_help(need))
}

/// A need as a coordinator reads it.
pub fn need_words(need: &NeedCode) -> String {
    if need.as_str() == crate::referral::episode::UNREAD {
        return "Not read yet".to_owned();
    }
    capitalised(&need.as_str().replace(['-', '_'], " "))
}

fn capitalised(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

async fn landing() -> Result<Html<String>, PageError> {
    pages::render("landing.html", ())
}

async fn style_sheet() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=86400")];
    (headers, pages::STYLE_SHEET).into_response()
}
