//! Dealing with what lies before her: a matter she has seen to, who the person is, a filing that the record refused.

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::act::{Form, back, finish, problem, put_words, record};
use super::referral::matter_key;
use super::session::SignedIn;
use super::words;
use crate::referral::FilingId;
use crate::referral::episode::{Actor, AttentionKind, FilingStatus};
use crate::referral::event::Event;
use crate::store::Standing;
use crate::web::posted::Posted;
use crate::web::{App, PageError};

const MATTERS: [AttentionKind; 7] = [
    AttentionKind::Risk,
    AttentionKind::CancellationUndelivered,
    AttentionKind::AnotherPerson,
    AttentionKind::ChangedAfterAcceptance,
    AttentionKind::Question,
    AttentionKind::LateYes,
    AttentionKind::SentAgain,
];

/// POST: a question was answered, a risk was dealt with, a late yes was looked at.
pub(super) async fn settle(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    // The very matter that was on her page: one that came meanwhile was read by nobody.
    let seen = standing.episode.attention.iter().find(|a| matter_key(a) == posted.get("matter"));
    let Some(matter) = seen.filter(|a| MATTERS.contains(&a.kind)) else {
        return Ok(back(standing.episode.id, "moved-on"));
    };
    let event = Event::AttentionSettled {
        kind: matter.kind,
        offer: matter.offer,
        note: matter.note,
        since: Some(matter.since),
        by: Actor::Coordinator(who.user().clone()),
    };
    let tx = app.service.store.begin().await?;
    let done = record(tx, standing.episode.id, &event, app.now(), "settled").await?;
    Ok(back(standing.episode.id, done))
}

/// POST: a refused filing is queued again.
pub(super) async fn file_again(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    let filing = posted.get("filing").parse().map_err(|_| PageError::BadForm)?;
    let event = Event::FilingRequeued { filing, by: Actor::Coordinator(who.user().clone()) };
    let tx = app.service.store.begin().await?;
    let done = record(tx, standing.episode.id, &event, app.now(), "filing").await?;
    Ok(back(standing.episode.id, done))
}

/// POST: the new details are right, it is the same person. Only of the change that was on her page.
pub(super) async fn same_person(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Redirect, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    let id = standing.episode.id;
    let seen = standing.episode.person_in_question().filter(|matter| matter_key(matter) == posted.get("matter"));
    let Some(matter) = seen else { return Ok(back(id, "moved-on")) };
    let by = Actor::Coordinator(who.user().clone());
    let mut tx = app.service.store.begin().await?;
    let appended = tx.same_person(id, by, matter.since, app.now()).await;
    Ok(back(id, finish(tx, appended, "same-person").await?))
}

#[derive(Deserialize)]
pub(super) struct About {
    filing: String,
}

/// GET: why a refused filing need not be in the record.
pub(super) async fn aside_form(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    Query(about): Query<About>,
) -> Result<Html<String>, PageError> {
    let standing = who.standing(&app, &id).await?;
    aside(&standing, &about.filing)?.0.show(&who, standing.episode.id, None)
}

fn aside(standing: &Standing, filing: &str) -> Result<(Form, FilingId), PageError> {
    let id: FilingId = filing.parse().map_err(|_| PageError::NotFound)?;
    let filing = standing.episode.filings.iter().find(|f| f.id == id && f.status == FilingStatus::Refused);
    let filing = filing.ok_or(PageError::NotFound)?;
    let form = Form {
        action: "set-aside",
        title: "Set aside",
        question: "Leave it out of the record?".to_owned(),
        lead: format!(
            "“{}” was refused by the practice’s system. Set aside, it waits for nobody. You can still send it later.",
            words::moment(filing.moment)
        ),
        hidden: vec![("filing", id.to_string())],
        label: "Why need it not be in the record?",
        hint: "For example: the practice has written it down itself.",
        button: "Set it aside",
        ..Form::default()
    };
    Ok((form, id))
}

/// POST: sets a refused filing aside.
pub(super) async fn set_aside(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    let id = standing.episode.id;
    let words = posted.words("words");
    let Ok((form, filing)) = aside(&standing, posted.get("filing")) else {
        return Ok(back(id, "moved-on").into_response());
    };
    if words.is_none() {
        return form.again(&who, id, &problem("words", "Write a few words: why it need not be there"));
    }
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let note = put_words(&mut tx, &who, &standing, ("set-aside", words.as_deref()), None, now).await?;
    let event = Event::FilingSetAside { filing, by: Actor::Coordinator(who.user().clone()), note };
    Ok(back(id, record(tx, id, &event, now, "set-aside").await?).into_response())
}
