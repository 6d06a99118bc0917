//! What everything that a coordinator does has in common: a page that asks one question in words, a note, an event, and
//! the way back to the referral with a word of what was done.
//!
//! Every form is a [`Deed`]: sent from her session, about a referral that she may see; it records in one transaction and
//! redirects. One that lacks something comes back as it was filled in, from the same [`Form`] that was shown first.
//! [`super::ask`], [`super::decide`] and [`super::settle`] are the things themselves.

use axum::RequestExt as _;
use axum::extract::{FromRequest, Path, Request};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;

use super::needs::CandidateView;
use super::session::{NotIn, Sent, SignedIn};
use crate::random;
use crate::referral::episode::Actor;
use crate::referral::event::Event;
use crate::referral::lifecycle::Refusal;
use crate::referral::{NoteId, OfferId, ReferralId};
use crate::store::{Appended, NewNote, Standing, StoreError, Tx};
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::{App, PageError};

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
}

/// A problem at a place of the page.
pub(super) fn problem(at: impl Into<String>, what: impl Into<String>) -> Problem {
    (at.into(), what.into())
}

/// Something that she does about a referral: a form of her session's own, about one of her programmes' referrals.
pub(super) struct Deed {
    pub(super) app: App,
    pub(super) who: SignedIn,
    pub(super) standing: Standing,
    pub(super) posted: Posted,
}

impl FromRequest<App> for Deed {
    type Rejection = NotIn;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, NotIn> {
        let Path(id) = request.extract_parts::<Path<String>>().await.map_err(|_| PageError::NotFound)?;
        let Sent { who, posted } = Sent::from_request(request, app).await?;
        let standing = who.standing(app, &id).await?;
        Ok(Self { app: app.clone(), who, standing, posted })
    }
}

impl Deed {
    /// About which referral.
    pub(super) fn id(&self) -> ReferralId {
        self.standing.episode.id
    }

    /// Who does it.
    pub(super) fn by(&self) -> Actor {
        Actor::Coordinator(self.who.user().clone())
    }

    /// To the referral, which says what was done.
    pub(super) fn back(&self, done: &str) -> Response {
        Redirect::to(&format!("/desk/referral/{}?done={done}", self.id())).into_response()
    }

    /// The form again, with what is wrong on top.
    pub(super) fn again(&self, form: &Form, problem: &Problem) -> Result<Response, PageError> {
        let page = form.show(&self.who, self.id(), Some(problem))?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    }

    /// Keeps the words of her form, if there are any, about an offer or about the referral.
    pub(super) async fn keep_words(
        &self,
        tx: &mut Tx,
        kind: &'static str,
        offer: Option<OfferId>,
    ) -> Result<Option<NoteId>, StoreError> {
        let Some(words) = self.posted.words("words") else { return Ok(None) };
        let id = NoteId::from_uuid(random::uuid());
        let (referral, programme) = (self.id(), &self.standing.episode.programme);
        let author = self.who.user().as_str();
        tx.put_note(&NewNote { id, referral, programme, offer, kind, author, words: &words }, self.app.now()).await?;
        Ok(Some(id))
    }

    /// Records an event, commits, and goes back; what had been done already is done.
    pub(super) async fn record(&self, mut tx: Tx, event: &Event, done: &'static str) -> Result<Response, PageError> {
        let now = self.app.now();
        let appended = tx.record(self.id(), event, None, now, now).await;
        self.finish(tx, appended, done).await
    }

    /// Commits what was recorded just now; where nothing was, nothing is kept.
    pub(super) async fn finish(
        &self,
        tx: Tx,
        appended: Result<Appended, StoreError>,
        done: &'static str,
    ) -> Result<Response, PageError> {
        let result = match appended {
            Ok(Appended::Now(..)) => tx.commit().await,
            Ok(Appended::Already) => Ok(()),
            Err(error) => Err(error),
        };
        self.after(result, done)
    }

    /// What the lifecycle's answer means for the page.
    pub(super) fn after(&self, result: Result<(), StoreError>, done: &'static str) -> Result<Response, PageError> {
        match result {
            Ok(()) => Ok(self.back(done)),
            Err(StoreError::Refused(Refusal::Forbidden)) => Ok(self.back("forbidden")),
            Err(StoreError::Refused(_)) => Ok(self.back("moved-on")),
            Err(error) => Err(error.into()),
        }
    }
}
