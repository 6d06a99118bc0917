//! Dealing with what lies before her: a matter she has seen to, who the person is, a filing that the record refused.

use axum::extract::Query;
use axum::response::{Html, Response};
use serde::Deserialize;

use super::act::{Deed, Form, problem};
use super::referral::matter_key;
use super::session::Hers;
use super::words;
use crate::referral::FilingId;
use crate::referral::episode::{AttentionKind, FilingStatus};
use crate::referral::event::Event;
use crate::store::Standing;
use crate::web::PageError;

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
pub(super) async fn settle(deed: Deed) -> Result<Response, PageError> {
    // The very matter that was on her page: one that came meanwhile was read by nobody.
    let seen = deed.standing.episode.attention.iter().find(|a| matter_key(a) == deed.posted.get("matter"));
    let Some(matter) = seen.filter(|a| MATTERS.contains(&a.kind)) else {
        return Ok(deed.back("moved-on"));
    };
    let event = Event::AttentionSettled {
        kind: matter.kind,
        offer: matter.offer,
        note: matter.note,
        since: Some(matter.since),
        by: deed.by(),
    };
    deed.record(deed.app.service.store.begin().await?, &event, "settled").await
}

/// POST: a refused filing is queued again.
pub(super) async fn file_again(deed: Deed) -> Result<Response, PageError> {
    let filing = deed.posted.get("filing").parse().map_err(|_| PageError::BadForm)?;
    let event = Event::FilingRequeued { filing, by: deed.by() };
    deed.record(deed.app.service.store.begin().await?, &event, "filing").await
}

/// POST: the new details are right, it is the same person. Only of the change that was on her page.
pub(super) async fn same_person(deed: Deed) -> Result<Response, PageError> {
    let seen = deed.standing.episode.person_in_question().filter(|a| matter_key(a) == deed.posted.get("matter"));
    let Some(matter) = seen else { return Ok(deed.back("moved-on")) };
    let mut tx = deed.app.service.store.begin().await?;
    let appended = tx.same_person(deed.id(), deed.by(), matter.since, deed.app.now()).await;
    deed.finish(tx, appended, "same-person").await
}

#[derive(Deserialize)]
pub(super) struct About {
    filing: String,
}

/// GET: why a refused filing need not be in the record.
pub(super) async fn aside_form(
    Hers { who, standing }: Hers,
    Query(about): Query<About>,
) -> Result<Html<String>, PageError> {
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
pub(super) async fn set_aside(deed: Deed) -> Result<Response, PageError> {
    let Ok((form, filing)) = aside(&deed.standing, deed.posted.get("filing")) else {
        return Ok(deed.back("moved-on"));
    };
    if deed.posted.words("words").is_none() {
        return deed.again(&form, &problem("words", "Write a few words: why it need not be there"));
    }
    let mut tx = deed.app.service.store.begin().await?;
    let note = deed.keep_words(&mut tx, "set-aside", None).await?;
    let event = Event::FilingSetAside { filing, by: deed.by(), note };
    deed.record(tx, &event, "set-aside").await
}
