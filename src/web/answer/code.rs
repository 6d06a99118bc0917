//! The one-time code that stands before who the person is: mailed to the partner's confirmed address, six digits, used
//! once, worth nothing after a few wrong tries or a quarter of an hour.
//!
//! The code is a function of (link key, offer, ordinal), so that the job that mails it needs no plaintext in the store.
//! Its ordinal is the second it was asked for: it grows, and asking twice in a moment is asking once.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use riverqueue::InsertOpts;

use super::{Case, Link, ring};
use crate::partner::address::EmailAddress;
use crate::referral::OfferId;
use crate::referral::episode::OfferStatus;
use crate::referral::event::Alert;
use crate::store::code_mail_id;
use crate::store::queue::SendCode;
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::visitor::knock;
use crate::web::{App, PageError, cookie};

/// How long a partner may look before a new code is needed.
const SESSION_SECONDS: u32 = 2 * 60 * 60;
/// A second asking within so many seconds is the first one, clicked twice.
const CLICKED_TWICE: i64 = 20;
/// Wrong codes in the life of a link, after which it takes no more: six digits must not be guessed in half a year.
const MISSES_EVER: i64 = 20;
/// What the page says from then on.
const LOCKED: &str =
    "Wrong codes were tried too often with this link. Please ring us, and we will help you from there.";
const HOUR: i64 = 60 * 60;

/// The name of the cookie: one for each offer, so that two referrals can be open side by side.
pub(super) fn cookie_name(offer: OfferId) -> String {
    format!("wb-{}", offer.reference().to_lowercase())
}

/// Whether this browser has opened this offer.
pub(super) async fn is_open(app: &App, link: &Link, headers: &axum::http::HeaderMap) -> Result<bool, PageError> {
    match cookie::read(app, headers, &cookie_name(link.row.offer)) {
        Some(hash) => Ok(app.service.store.partner_session(&hash, link.row.offer, app.now()).await?),
        None => Ok(false),
    }
}

fn may_look(case: &Case<'_>) -> bool {
    matches!(case.offer.status, OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold)
}

/// POST: mails a code to the confirmed address.
pub(super) async fn send(State(app): State<App>, link: Link, posted: Posted) -> Result<Redirect, PageError> {
    link.check(&posted)?;
    let case = Case::load(&app, &link).await?;
    if !may_look(&case) {
        return Ok(link.to(""));
    }
    if link.row.code_misses >= MISSES_EVER {
        return Ok(link.to("code"));
    }
    let now = app.now();
    let limits = &app.service.settings.limits;
    let mut ordinal = now.as_second();
    // A code is used once: one that was mailed and used within this very second is not given out again.
    while app.service.store.mail(&code_mail_id(link.row.offer, ordinal)).await?.is_some() {
        ordinal += 1;
    }
    let mut tx = app.service.store.begin().await?;
    if tx.code(link.row.offer).await?.is_some_and(|live| ordinal - live.ordinal < CLICKED_TWICE) {
        return Ok(link.to("code"));
    }
    drop(tx);
    let knocked = knock(&app, &format!("code:{}", link.hash), HOUR, limits.codes_per_hour).await;
    knocked.map_err(|busy| busy.meanwhile([ring(Some(case.programme))]))?;
    let code = app.service.link_key.one_time_code(link.row.offer, ordinal);
    let hash = app.service.link_key.code_hash(link.row.offer, ordinal, code.digits());
    let lasts = SignedDuration::try_from(limits.code_lasts).map_err(PageError::internal)?;
    tx = app.service.store.begin().await?;
    tx.put_code(link.row.offer, &link.row.programme, &hash, ordinal, now + lasts).await?;
    let job = SendCode { referral: link.row.referral, offer: link.row.offer, ordinal };
    tx.enqueue(job, InsertOpts::default()).await?;
    tx.commit().await?;
    Ok(link.to("code"))
}

/// GET: where the code is typed in.
pub(super) async fn enter(State(app): State<App>, link: Link) -> Result<Response, PageError> {
    let case = Case::load(&app, &link).await?;
    if !may_look(&case) {
        return Ok(link.to("").into_response());
    }
    let problem = (link.row.code_misses >= MISSES_EVER).then_some(LOCKED);
    Ok(code_page(&app, &link, &case, problem).await?.into_response())
}

/// POST: a right code opens a session; a wrong one is counted.
pub(super) async fn open(State(app): State<App>, link: Link, posted: Posted) -> Result<Response, PageError> {
    link.check(&posted)?;
    let case = Case::load(&app, &link).await?;
    if !may_look(&case) {
        return Ok(link.to("").into_response());
    }
    if link.row.code_misses >= MISSES_EVER {
        let page = code_page(&app, &link, &case, Some(LOCKED)).await?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let now = app.now();
    let typed: String = posted.get("code").chars().filter(char::is_ascii_digit).take(12).collect();
    let mut tx = app.service.store.begin().await?;
    let live = tx.code(link.row.offer).await?;
    let tries = i64::from(app.service.settings.limits.code_tries);
    let Some(live) = live.filter(|live| live.expires > now && live.attempts < tries) else {
        let problem = "That code can no longer be used. Ask for a new one.";
        let page = code_page(&app, &link, &case, Some(problem)).await?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let hash = app.service.link_key.code_hash(link.row.offer, live.ordinal, &typed);
    if aws_lc_rs::constant_time::verify_slices_are_equal(hash.as_bytes(), live.hash.as_bytes()).is_err() {
        let ever = tx.code_missed(link.row.offer).await?;
        if ever == MISSES_EVER {
            // Somebody guesses, or somebody needs help: a person finds out which.
            tx.raise(&link.row.programme, Some(link.row.referral), Alert::GivenUp, now).await?;
        }
        tx.commit().await?;
        let left = tries - live.attempts - 1;
        let problem = if ever >= MISSES_EVER {
            LOCKED
        } else if left > 0 {
            "That is not the code in the mail."
        } else {
            "That was wrong too often. Ask for a new code."
        };
        let page = code_page(&app, &link, &case, Some(problem)).await?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let (secret, session) = cookie::new_secret();
    let until = now + SignedDuration::from_secs(i64::from(SESSION_SECONDS));
    if !tx.open_partner_session(link.row.offer, &link.row.programme, &live.hash, &session, until).await? {
        return Ok(link.to("code").into_response());
    }
    tx.commit().await?;
    let mut response = link.to("person").into_response();
    if let Some(value) = cookie::set(&app, &cookie_name(link.row.offer), &secret, u64::from(SESSION_SECONDS)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    Ok(response)
}

async fn code_page(
    app: &App,
    link: &Link,
    case: &Case<'_>,
    problem: Option<&'static str>,
) -> Result<Html<String>, PageError> {
    let partner = app.service.store.partner(&case.programme.id, &case.offer.partner).await?;
    let address = partner.as_ref().and_then(|p| p.usable_email()).and_then(|e| e.parse::<EmailAddress>().ok());
    let minutes = app.service.settings.limits.code_lasts.as_secs() / 60;
    let address = address.map(|a| hint(&a));
    pages::render("answer/code.html", fill! { frame => case.frame(link), problem, address, minutes })
}

/// Enough of an address to know which mailbox to look in: `j…@charity.example`.
fn hint(address: &EmailAddress) -> String {
    let first: String = address.as_str().chars().take(1).collect();
    // A word joiner, so that a phone does not break the line after the dots.
    format!("{first}…\u{2060}@{}", address.domain())
}
