//! What everything that a coordinator does has in common: a page that asks one question in words, a note, an event, and
//! the way back to the referral with a word of what was done.
//!
//! Every form brings the session's token, records in one transaction and redirects. A form that lacks something comes
//! back as it was filled in, from the same [`Form`] that was shown first. [`super::ask`], [`super::decide`] and
//! [`super::settle`] are the things themselves.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;

use super::needs::CandidateView;
use super::session::SignedIn;
use crate::random;
use crate::referral::event::Event;
use crate::referral::lifecycle::Refusal;
use crate::referral::{NoteId, OfferId, ReferralId};
use crate::store::{Appended, NewNote, Standing, StoreError, Tx};
use crate::web::PageError;
use crate::web::pages::{self, fill};

/// A page that asks one thing about a referral. Everything on it stays when it comes back with a problem.
#[derive(Default, Serialize)]
pub(super) struct Form {
    /// Where it is posted, under the referral.
    pub(super) action: &'static str,
    /// For the browser's tab.
    pub(super) title: &'static str,
    /// The question, as its heading.
    pub(super) question: String,
    pub(super) lead: String,
    /// What it is about: (name, value).
    pub(super) hidden: Vec<(&'static str, String)>,
    /// The service it is about, where it is about one.
    pub(super) candidate: Option<CandidateView>,
    /// Where something must be chosen: (value, words, chosen).
    pub(super) choices: Vec<(&'static str, &'static str, bool)>,
    /// The field of words: label, hint, what was filled in.
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) words: String,
    pub(super) button: &'static str,
}

/// What is wrong with a form: the place on the page, and what to do.
pub(super) type Problem = (String, String);

impl Form {
    /// The page.
    pub(super) fn show(
        &self,
        who: &SignedIn,
        id: ReferralId,
        problem: Option<&Problem>,
    ) -> Result<Html<String>, PageError> {
        pages::render("desk/form.html", fill! { frame => who.frame(), id => id.to_string(), form => self, problem })
    }

    /// The page again, with what is wrong on top.
    pub(super) fn again(&self, who: &SignedIn, id: ReferralId, problem: &Problem) -> Result<Response, PageError> {
        Ok((StatusCode::UNPROCESSABLE_ENTITY, self.show(who, id, Some(problem))?).into_response())
    }
}

/// A problem at a place of the page.
pub(super) fn problem(at: impl Into<String>, what: impl Into<String>) -> Problem {
    (at.into(), what.into())
}

/// To the referral, which says what was done.
pub(super) fn back(id: ReferralId, done: &str) -> Redirect {
    Redirect::to(&format!("/desk/referral/{id}?done={done}"))
}

/// What the lifecycle's answer means for the page.
pub(super) fn after(result: Result<(), StoreError>, done: &'static str) -> Result<&'static str, PageError> {
    match result {
        Ok(()) => Ok(done),
        Err(StoreError::Refused(Refusal::Forbidden)) => Ok("forbidden"),
        Err(StoreError::Refused(_)) => Ok("moved-on"),
        Err(error) => Err(error.into()),
    }
}

/// Keeps words that she wrote, about an offer or about the referral.
pub(super) async fn put_words(
    tx: &mut Tx,
    who: &SignedIn,
    standing: &Standing,
    (kind, words): (&'static str, Option<&str>),
    offer: Option<OfferId>,
    now: jiff::Timestamp,
) -> Result<Option<NoteId>, StoreError> {
    let Some(words) = words else { return Ok(None) };
    let id = NoteId::from_uuid(random::uuid());
    let (referral, programme) = (standing.episode.id, &standing.episode.programme);
    let author = who.user().as_str();
    tx.put_note(&NewNote { id, referral, programme, offer, kind, author, words }, now).await?;
    Ok(Some(id))
}

/// Records an event and commits; what had been done already is done.
pub(super) async fn record(
    mut tx: Tx,
    id: ReferralId,
    event: &Event,
    now: jiff::Timestamp,
    done: &'static str,
) -> Result<&'static str, PageError> {
    let appended = tx.record(id, event, None, now, now).await;
    finish(tx, appended, done).await
}

/// Commits what was recorded just now; where nothing was, nothing is kept.
pub(super) async fn finish(
    tx: Tx,
    appended: Result<Appended, StoreError>,
    done: &'static str,
) -> Result<&'static str, PageError> {
    let result = match appended {
        Ok(Appended::Now(..)) => tx.commit().await,
        Ok(Appended::Already) => Ok(()),
        Err(error) => Err(error),
    };
    after(result, done)
}
