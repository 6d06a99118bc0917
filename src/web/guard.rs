//! What stands round every page: a request id, one line in the log, security headers, and a net for panics.
//!
//! A path may hold a partner's token, so that logs name the route's pattern and never the path.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;

use super::{App, PageError};
use crate::random;

/// Nothing from elsewhere, no script, no inline style, no framing.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware. A page that needs another content policy (the demo) sets the header itself and keeps it.
pub async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = random::uuid().simple().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let started = Instant::now();
    let page = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = page.unwrap_or_else(|_| PageError::internal("a handler panicked").into_response());
    if let Some(words) = in_our_words(&response) {
        let status = response.status();
        response = words.into_response();
        *response.status_mut() = status;
    }
    tracing::info!(
        request.id = id,
        http.method = %method,
        http.route = route,
        http.status = response.status().as_u16(),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "a page was asked for"
    );
    protect(&app, &mut response);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// What the layers and extractors below answer in their own terse words, or none, is said in ours.
fn in_our_words(response: &Response) -> Option<PageError> {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let terse = kind.is_none_or(|kind| kind.starts_with("text/plain"));
    match status {
        StatusCode::GATEWAY_TIMEOUT => Some(PageError::internal("a page took too long")),
        StatusCode::PAYLOAD_TOO_LARGE if terse => Some(PageError::TooLong),
        _ if status.is_client_error() && terse => Some(PageError::BadForm),
        _ => None,
    }
}

fn protect(app: &App, response: &mut Response) {
    let headers = response.headers_mut();
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    if app.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
