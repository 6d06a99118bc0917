//! Asking a service, and taking back a request that should never have been made. Words to a partner are read for
//! whatever would tell who the person is before they leave; a partner that nobody confirmed is asked by nobody.

use axum::extract::{Query, State};
use axum::response::{Html, Response};
use serde::Deserialize;

use super::act::{Deed, Form, problem};
use super::identifiers;
use super::needs::candidate_view;
use super::referral::service_name;
use super::session::Hers;
use super::words;
use crate::directory::ServiceStatus;
use crate::matching::Candidate;
use crate::partner::offering::{self, Asking, OfferError};
use crate::random;
use crate::referral::episode::{NeedState, OfferStatus};
use crate::referral::event::Event;
use crate::referral::{NeedCode, NoteId, OfferId, Patient, ServiceId};
use crate::store::{NewNote, Standing};
use crate::web::{App, PageError, need_words};

#[derive(Deserialize)]
pub(super) struct Wanted {
    need: String,
    service: String,
}

/// GET: one service, and room for words to the partner.
pub(super) async fn offer_form(
    State(app): State<App>,
    Hers { who, standing }: Hers,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, PageError> {
    let form = form(&app, &standing, &wanted, "").await?;
    form.show(&who, standing.episode.id, None)
}

async fn form(app: &App, standing: &Standing, wanted: &Wanted, words: &str) -> Result<Form, PageError> {
    let (need, service) = (NeedCode::from(wanted.need.as_str()), ServiceId::from(wanted.service.as_str()));
    if standing.episode.need(&need).is_none() || app.service.directory().get(&service).is_none() {
        return Err(PageError::NotFound);
    }
    let matched = app.service.store.matched(standing.episode.id).await?;
    let read = matched.as_ref().and_then(|m| m.needs.iter().find(|n| n.need == need));
    let known = read.and_then(|n| n.candidates.iter().find(|c| c.service == service)).cloned();
    let excluded = read.and_then(|n| n.excluded.iter().find(|e| e.service == service)).map(|e| e.why.clone());
    let candidate = known.unwrap_or_else(|| Candidate {
        service: service.clone(),
        why: Vec::new(),
        careful: excluded.into_iter().collect(),
        distance_km: None,
        takes_email: true,
        machine_may: false,
    });
    let partners = app.service.store.partners(&standing.episode.programme).await?;
    Ok(Form {
        action: "offer",
        title: "Ask a service",
        question: format!("Ask {}?", service_name(app, &service)),
        lead: format!("For: {}.", need_words(&need)),
        hidden: vec![("need", wanted.need.clone()), ("service", wanted.service.clone())],
        candidate: Some(candidate_view(app, &standing.episode.programme, &partners, &candidate, None)),
        label: "Words to the partner, if you like",
        hint: "Read before they say yes, so nothing that tells who it is: no name, number, address or date of birth.",
        words: words.to_owned(),
        button: "Ask them by mail",
        ..Form::default()
    })
}

/// POST: asks.
pub(super) async fn offer(deed: Deed) -> Result<Response, PageError> {
    let Deed { app, standing, posted, .. } = &deed;
    let wanted = Wanted { need: posted.get("need").to_owned(), service: posted.get("service").to_owned() };
    let words = posted.words("words");
    let patient = app.service.store.content(deed.id()).await?.map_or_else(Patient::default, |c| c.patient);
    let told = words.as_deref().map_or_else(Vec::new, |words| identifiers::found(words, &patient));
    let wrong = if told.is_empty() {
        match ask(&deed, &wanted, words.as_deref()).await {
            Ok(done) => return Ok(deed.back(done)),
            Err(OfferError::Store(error)) => return deed.after(Err(error), "asked"),
            Err(OfferError::NotConfirmed) => problem("confirm", "First confirm this partner’s address and agreement"),
        }
    } else {
        let found = told.join(", ");
        problem("words", format!("These words would tell the partner who the person is ({found}). Write it without."))
    };
    deed.again(&form(app, standing, &wanted, posted.get("words")).await?, &wrong)
}

async fn ask(deed: &Deed, wanted: &Wanted, words: Option<&str>) -> Result<&'static str, OfferError> {
    let Deed { app, who, standing, .. } = deed;
    let (need, id) = (NeedCode::from(wanted.need.as_str()), ServiceId::from(wanted.service.as_str()));
    let directory = app.service.directory();
    let episode = &standing.episode;
    let (Some(service), Some(programme)) = (directory.get(&id), app.service.programme(&episode.programme)) else {
        return Ok("moved-on");
    };
    if service.status != ServiceStatus::Active {
        return Ok("moved-on");
    }
    // The same button pressed twice: it is being asked already.
    if let Some(NeedState::Offered(open)) = episode.need(&need).map(|n| &n.state)
        && episode.offer(*open).is_some_and(|o| o.service == id)
    {
        return Ok("asked");
    }
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let note = words.map(|_| NoteId::from_uuid(random::uuid()));
    let asking = Asking { referral: episode.id, need: &need, service, by: deed.by(), note };
    let offer = offering::offer(&mut tx, &app.service, programme, &asking, now).await?;
    if let (Some(id), Some(words)) = (note, words) {
        let author = who.user().as_str();
        let (referral, programme) = (episode.id, &episode.programme);
        let new = NewNote { id, referral, programme, offer: Some(offer), kind: "to-partner", author, words };
        tx.put_note(&new, now).await?;
    }
    tx.commit().await?;
    Ok("asked")
}

// ---- an offer made in error ------------------------------------------------------------------------------------------

#[derive(Deserialize)]
pub(super) struct About {
    offer: String,
}

/// GET: why it should never have been made.
pub(super) async fn error_form(
    State(app): State<App>,
    Hers { who, standing }: Hers,
    Query(about): Query<About>,
) -> Result<Html<String>, PageError> {
    in_error(&app, &standing, &about.offer)?.0.show(&who, standing.episode.id, None)
}

fn in_error(app: &App, standing: &Standing, offer: &str) -> Result<(Form, OfferId), PageError> {
    let id: OfferId = offer.parse().map_err(|_| PageError::NotFound)?;
    let offer = standing.episode.offer(id).filter(|o| o.status != OfferStatus::EnteredInError);
    let offer = offer.ok_or(PageError::NotFound)?;
    let told = if offer.status.is_final() {
        ""
    } else {
        " If the mail has left, they are told once that it is no longer needed."
    };
    let form = Form {
        action: "in-error",
        title: "Asked in error",
        question: format!("Was asking {} an error?", service_name(app, &offer.service)),
        lead: format!("Now: {}.{told} You decide about the need afresh.", words::offer(offer.status)),
        hidden: vec![("offer", id.to_string())],
        label: "What went wrong?",
        hint: "For the referral’s history. It goes neither to the partner nor to the GP.",
        button: "It was an error: take it back",
        ..Form::default()
    };
    Ok((form, id))
}

/// POST: takes it back as an error.
pub(super) async fn made_in_error(deed: Deed) -> Result<Response, PageError> {
    let Ok((form, offer)) = in_error(&deed.app, &deed.standing, deed.posted.get("offer")) else {
        return Ok(deed.back("moved-on"));
    };
    if deed.posted.words("words").is_none() {
        return deed.again(&form, &problem("words", "Write a few words: what went wrong"));
    }
    let mut tx = deed.app.service.store.begin().await?;
    let note = deed.keep_words(&mut tx, "in-error", Some(offer)).await?;
    let event = Event::OfferInError { offer, by: deed.by(), note };
    deed.record(tx, &event, "in-error").await
}
