//! Signing in and out. Failed tries are counted for each account and each visitor, whether or not the account exists.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{StatusCode, header, request::Parts};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::SignedDuration;

use super::accounts;
use super::session::{COOKIE, Sent, SignedIn};
use crate::random;
use crate::referral::UserId;
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::visitor::{self, hex, sha256};
use crate::web::{App, PageError, cookie};

/// Failed sign-ins to one account are counted over this long.
const QUARTER: i64 = 15 * 60;
/// The longest wait for a turn at the hash, which costs 19 MB and tens of milliseconds.
const TURN: Duration = Duration::from_secs(8);
/// "Try again in so many seconds" to whoever got no turn.
const BUSY: i64 = 10;

fn page(user: &str, problem: Option<&str>) -> Result<Html<String>, PageError> {
    pages::render("desk/sign-in.html", fill! { user, problem })
}

/// GET: the form; somebody who is in already goes to her worklist.
pub(super) async fn form(State(app): State<App>, request: Request) -> Result<Response, PageError> {
    let (mut parts, _) = request.into_parts();
    if SignedIn::from_request_parts(&mut parts, &app).await.is_ok() {
        return Ok(Redirect::to("/desk").into_response());
    }
    Ok(page("", None)?.into_response())
}

/// A visitor who has not knocked too often.
pub(super) struct Visitor;

impl axum::extract::FromRequestParts<App> for Visitor {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        visitor::admit(app, parts).await.map(|()| Self)
    }
}

/// POST: name and password.
pub(super) async fn sign_in(State(app): State<App>, _: Visitor, posted: Posted) -> Result<Response, PageError> {
    let user = posted.get("user").to_lowercase();
    // The password is taken as it was typed: `get` would cut the spaces round it.
    let password = posted.raw("password").to_owned();
    let door = format!("sign-in:{}", sha256(&user));
    let came = app.now();
    // Counted before the password is looked at: a hundred tries at once are a hundred tries.
    visitor::knock(&app, &door, QUARTER, app.service.settings.limits.sign_in_tries).await?;
    let account = app.service.store.account(&UserId::new(user.clone())).await?;
    let turn = tokio::time::timeout(TURN, Arc::clone(&app.hashing).acquire_owned()).await;
    let turn = turn.map_err(|_| PageError::too_many(BUSY))?.map_err(PageError::internal)?;
    let checked = tokio::task::spawn_blocking(move || {
        // Given back when the work is done, also where nobody waits for it any more.
        let _turn = turn;
        let right = accounts::verify(account.as_ref(), &password);
        account.filter(|_| right)
    });
    let Some(account) = checked.await.map_err(PageError::internal)? else {
        let page = page(&user, Some("The name or the password is not right."))?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    app.service.store.forget_knock(&door, QUARTER, came).await?;
    let (secret, hash) = cookie::new_secret();
    let csrf = hex(&random::secret_bytes());
    let lasts = app.service.settings.limits.session_lasts;
    let until = app.now() + SignedDuration::try_from(lasts).map_err(PageError::internal)?;
    let mut tx = app.service.store.begin().await?;
    tx.open_session(&hash, &account.id, &csrf, until).await?;
    tx.commit().await?;
    Ok(with_cookie(&app, &secret, lasts.as_secs()))
}

/// POST: ends this session.
pub(super) async fn sign_out(State(app): State<App>, sent: Sent) -> Result<Response, PageError> {
    let mut tx = app.service.store.begin().await?;
    tx.end_session(&sent.who.session).await?;
    tx.commit().await?;
    Ok(with_cookie(&app, "", 0))
}

fn with_cookie(app: &App, secret: &str, seconds: u64) -> Response {
    let mut response = Redirect::to("/desk").into_response();
    if let Some(value) = cookie::set(app, COOKIE, secret, seconds) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}
