//! What a link shows now, by where its offer stands. Before acceptance: the kind of help, access needs, the date, a
//! reference and what the coordinator chose to write; no age, no postcode, none of the GP's words.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Html;

use super::code::is_open;
use super::{Case, Link};
use crate::referral::episode::{Actor, Cause, OfferStatus};
use crate::store::NoteRow;
use crate::web::pages::{self, fill};
use crate::web::when::day;
use crate::web::{App, PageError, kind_of_help};

/// GET (and HEAD): reads only.
pub(super) async fn show(State(app): State<App>, link: Link, headers: HeaderMap) -> Result<Html<String>, PageError> {
    let case = Case::load(&app, &link).await?;
    match case.offer.status {
        OfferStatus::Requested => asked(&app, &link, &case).await,
        OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold => {
            taken(&app, &link, &case, &headers).await
        }
        _ => over(&link, &case),
    }
}

async fn asked(app: &App, link: &Link, case: &Case<'_>) -> Result<Html<String>, PageError> {
    let content = app.service.store.content(link.row.referral).await?;
    let languages = content.as_ref().filter(|c| c.patient.interpreter == Some(true));
    let interpreter = languages.map(|c| c.patient.languages.first().map_or_else(String::new, |l| l.name.clone()));
    let notes = app.service.store.notes(link.row.referral).await?;
    pages::render(
        "answer/asked.html",
        fill! {
            frame => case.frame(link),
            help => kind_of_help(app, &case.offer.need),
            service => service_name(app, case).await?,
            reply_by => day(case.offer.reply_by, app.now()),
            interpreter,
            note => note_to_partner(&notes, case),
            chosen_by_person => matches!(case.offer.by, Actor::Coordinator(_)),
            asked_something => asked_something(&notes, case),
        },
    )
}

async fn taken(app: &App, link: &Link, case: &Case<'_>, headers: &HeaderMap) -> Result<Html<String>, PageError> {
    let notes = app.service.store.notes(link.row.referral).await?;
    pages::render(
        "answer/taken.html",
        fill! {
            frame => case.frame(link),
            help => kind_of_help(app, &case.offer.need),
            service => service_name(app, case).await?,
            note => note_to_partner(&notes, case),
            status => match case.offer.status {
                OfferStatus::InProgress => "started",
                OfferStatus::OnHold => "on-hold",
                _ => "accepted",
            },
            open => is_open(app, link, headers).await?,
            booked => case.offer.booked,
            seen => case.offer.identity_seen,
            asked_something => asked_something(&notes, case),
        },
    )
}

fn over(link: &Link, case: &Case<'_>) -> Result<Html<String>, PageError> {
    let (kind, still) = match case.offer.status {
        OfferStatus::Cancelled(_) if case.offer.late_yes => ("passed-on", false),
        OfferStatus::Cancelled(Cause::Unanswered | Cause::Undeliverable) => ("too-late", true),
        OfferStatus::Cancelled(Cause::Superseded | Cause::Withdrawn) | OfferStatus::EnteredInError => {
            ("not-needed", false)
        }
        OfferStatus::Rejected(_) => ("said-no", false),
        OfferStatus::Failed(_) => ("could-not", false),
        _ => ("finished", false),
    };
    pages::render("answer/over.html", fill! { frame => case.frame(link), kind, still })
}

/// The service as the directory names it, or the partner's name where it has left the directory.
pub(super) async fn service_name(app: &App, case: &Case<'_>) -> Result<String, PageError> {
    if let Some(service) = app.service.directory().get(&case.offer.service) {
        return Ok(service.name.clone());
    }
    let partner = app.service.store.partner(&case.programme.id, &case.offer.partner).await?;
    Ok(partner.map_or_else(|| "your service".to_owned(), |p| p.name))
}

fn note_to_partner(notes: &[NoteRow], case: &Case<'_>) -> Option<String> {
    let of_offer = notes.iter().rfind(|n| n.kind == "to-partner" && n.offer == Some(case.offer.id));
    of_offer.map(|n| n.words.clone())
}

fn asked_something(notes: &[NoteRow], case: &Case<'_>) -> bool {
    notes.iter().any(|n| n.kind == "question" && n.offer == Some(case.offer.id))
}
