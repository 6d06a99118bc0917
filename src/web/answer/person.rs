//! Who the person is: shown after acceptance, behind the one-time code, and only after the practice's record was read
//! again at this very moment.
//!
//! Safe contact comes first. What cannot be checked is not shown; what has come up since is a coordinator's matter
//! first. Every showing is an event.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use super::code::is_open;
use super::{Case, Link, page};
use crate::practice::Input;
use crate::random;
use crate::referral::content::ContactSystem;
use crate::referral::episode::{AttentionKind, Episode, Facts, OfferStatus};
use crate::referral::event::Event;
use crate::referral::facts::facts;
use crate::referral::lifecycle::forbids_showing;
use crate::referral::{Referral, ReferralId, SafeContact};
use crate::store::{StoreError, Tx};
use crate::web::pages::{self, fill};
use crate::web::{App, PageError, kind_of_help};

/// How long the practice's system may take before we say "try again".
const READ_TIMEOUT: Duration = Duration::from_secs(12);

/// GET with an open session. The practice is read again first and what changed is taken in, as a poll would: it may move
/// the referral, and that is meant (nothing is shown on old knowledge). HEAD, and a browser without a session, learn nothing and record nothing.
pub(super) async fn show(
    State(app): State<App>,
    link: Link,
    headers: HeaderMap,
    method: Method,
) -> Result<Response, PageError> {
    if method == Method::HEAD || !is_open(&app, &link, &headers).await? {
        return Ok(link.to("").into_response());
    }
    let case = Case::load(&app, &link).await?;
    if !is_taken(&case.standing.episode, &link) {
        return Ok(link.to("").into_response());
    }
    let input = read_again(&app, &case).await?;
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let shown = take_in(&mut tx, &app, &case, input).await?;
    let fresh = tx.standing(link.row.referral).await?.ok_or(PageError::LinkUnknown)?;
    if !is_taken(&fresh.episode, &link) {
        tx.commit().await?;
        return Ok(link.to("").into_response());
    }
    let Some(referral) = shown.filter(|_| nothing_came_up(&fresh.episode, &link)) else {
        tx.commit().await?;
        let heading = "Please ring us before you go on";
        let text = format!(
            "Something has changed at the surgery since you said yes, and one of us has to look at it first. We have \
             been told. {}, {}.",
            case.programme.name, case.programme.phone
        );
        return Ok(pages::render("message.html", fill! { heading, text })?.into_response());
    };
    tx.record(link.row.referral, &Event::IdentityViewed { offer: link.row.offer }, None, now, now).await?;
    tx.commit().await?;
    Ok(person_page(&app, &link, &case, &referral, fresh.episode.facts).await?.into_response())
}

fn is_taken(episode: &Episode, link: &Link) -> bool {
    let status = episode.offer(link.row.offer).map(|o| o.status);
    matches!(status, Some(OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold))
}

/// No change since acceptance waits for a coordinator, least of all one in who the person is.
fn nothing_came_up(episode: &Episode, link: &Link) -> bool {
    if episode.person_in_question().is_some() {
        return false;
    }
    let came_up = |kind| kind == AttentionKind::ChangedAfterAcceptance;
    !episode.attention.iter().any(|a| came_up(a.kind) && a.offer == Some(link.row.offer))
}

async fn read_again(app: &App, case: &Case<'_>) -> Result<Input, PageError> {
    let practice = app.service.practices.get(&case.standing.source.practice).ok_or(PageError::PracticeUnreachable)?;
    match tokio::time::timeout(READ_TIMEOUT, practice.read(&case.standing.source)).await {
        Ok(Ok(input)) => Ok(input),
        Ok(Err(error)) => {
            tracing::warn!(referral.id = %case.standing.episode.id, %error, "the practice could not be read again");
            Err(PageError::PracticeUnreachable)
        }
        Err(_) => Err(PageError::PracticeUnreachable),
    }
}

/// Takes in what was read, as a poll would; answers the referral where it may be shown.
async fn take_in(tx: &mut Tx, app: &App, case: &Case<'_>, input: Input) -> Result<Option<Referral>, StoreError> {
    let new_id = ReferralId::from_uuid(random::uuid());
    let (programme, now) = (&case.programme.id, app.now());
    match input {
        Input::Unreadable(unreadable, raw) => {
            tx.take_in_unreadable(new_id, programme, &unreadable, &raw, now).await?;
            Ok(None)
        }
        Input::Readable(referral, raw) => {
            let found = facts(&referral, case.programme.consent);
            tx.take_in(new_id, programme, &referral, found, &raw, now).await?;
            Ok((!forbids(found, case.standing.episode.facts)).then_some(*referral))
        }
    }
}

/// A hold under which nobody is shown who the person is (the lifecycle's own rule), or one that was not there when the
/// coordinator decided.
fn forbids(found: Facts, known: Facts) -> bool {
    found.hold.is_some_and(|why| forbids_showing(why) || found.hold != known.hold)
}

/// The minimum to make contact.
#[derive(Serialize)]
struct Person {
    name: String,
    age: Option<u8>,
    languages: Vec<String>,
    interpreter: bool,
    phones: Vec<(String, Option<String>)>,
    emails: Vec<String>,
    address: Option<Vec<String>>,
}

/// Safe contact, as it stands on top.
#[derive(Serialize)]
struct Contact {
    /// `prohibited`, `only`, `unclear`, `open`.
    rule: &'static str,
    words: String,
}

async fn person_page(
    app: &App,
    link: &Link,
    case: &Case<'_>,
    referral: &Referral,
    facts: Facts,
) -> Result<Html<String>, PageError> {
    let prohibited = facts.contact_prohibited || referral.safe_contact == SafeContact::Prohibited;
    let contact = match app.service.matcher.safe_contact(referral) {
        _ if prohibited => Contact { rule: "prohibited", words: String::new() },
        SafeContact::Only(words) => Contact { rule: "only", words },
        SafeContact::Unclear(words) => Contact { rule: "unclear", words },
        SafeContact::Open | SafeContact::Prohibited => Contact { rule: "open", words: String::new() },
    };
    pages::render(
        "answer/person.html",
        fill! {
            frame => case.frame(link),
            help => kind_of_help(app, &case.offer.need),
            service => page::service_name(app, case).await?,
            contact,
            person => person(referral, prohibited, app.service.clock.today()),
        },
    )
}

fn person(referral: &Referral, prohibited: bool, today: jiff::civil::Date) -> Person {
    let patient = &referral.patient;
    let reachable = patient.contacts.iter().filter(|_| !prohibited);
    let mut phones = Vec::new();
    let mut emails = Vec::new();
    for point in reachable {
        match point.system {
            ContactSystem::Phone | ContactSystem::Sms => phones.push((point.value.clone(), point.kind.clone())),
            ContactSystem::Email => emails.push(point.value.clone()),
            ContactSystem::Other => {}
        }
    }
    // A letter is asked for only where there is no other way, and never where the record is restricted.
    let by_letter = !prohibited && !patient.whereabouts_are_closed() && phones.is_empty() && emails.is_empty();
    let address = patient
        .address
        .as_ref()
        .filter(|_| by_letter)
        .map(|a| a.lines.iter().cloned().chain(a.city.clone()).chain(a.postcode.clone()).collect());
    Person {
        name: patient.name.clone().unwrap_or_else(|| "The record gives no name".to_owned()),
        age: patient.age_on(today),
        languages: patient.languages.iter().map(|l| l.name.clone()).collect(),
        interpreter: patient.interpreter == Some(true),
        phones,
        emails,
        address,
    }
}
