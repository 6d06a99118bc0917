//! What a coordinator decides: ask a service, close, put back, keep back, support the person herself, settle a matter,
//! write a refused filing again. Every form brings the session's token, records in one transaction and redirects.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::needs::candidate_view;
use super::referral::matter_key;
use super::session::SignedIn;
use super::{identifiers, words};
use crate::directory::ServiceStatus;
use crate::matching::Candidate;
use crate::partner::offering::{self, Asking, OfferError};
use crate::random;
use crate::referral::episode::{Actor, AttentionKind, Closed, NeedState};
use crate::referral::event::{Decision, Event};
use crate::referral::lifecycle::Refusal;
use crate::referral::{NeedCode, NoteId, Patient, ReferralId, ServiceId};
use crate::store::{NewNote, Standing, StoreError, Tx};
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::{App, PageError, need_words};

/// Why a coordinator may close: those that are hers to choose.
const CLOSINGS: [(&str, Closed); 7] = [
    ("met-by-coordinator", Closed::MetByCoordinator),
    ("no-service", Closed::NoService),
    ("person-declined", Closed::PersonDeclined),
    ("declined-social-prescribing", Closed::DeclinedSocialPrescribing),
    ("unreachable", Closed::Unreachable),
    ("not-for-us", Closed::NotForUs),
    ("other", Closed::Other),
];

const MATTERS: [AttentionKind; 5] = [
    AttentionKind::Risk,
    AttentionKind::CancellationUndelivered,
    AttentionKind::ChangedAfterAcceptance,
    AttentionKind::Question,
    AttentionKind::LateYes,
];

fn back(id: ReferralId, done: &str) -> Redirect {
    Redirect::to(&format!("/desk/referral/{id}?done={done}"))
}

/// What the lifecycle's answer means for the page.
fn after(result: Result<(), StoreError>, done: &'static str) -> Result<&'static str, PageError> {
    match result {
        Ok(()) => Ok(done),
        Err(StoreError::Refused(Refusal::Forbidden)) => Ok("forbidden"),
        Err(StoreError::Refused(_)) => Ok("moved-on"),
        Err(error) => Err(error.into()),
    }
}

// ---- asking a service ------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
pub(super) struct Wanted {
    need: String,
    service: String,
}

/// GET: one service, and room for words to the partner.
pub(super) async fn offer_form(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Html<String>, PageError> {
    let standing = who.standing(&app, &id).await?;
    offer_page(&app, &who, &standing, &wanted, "", &[], None).await
}

async fn offer_page(
    app: &App,
    who: &SignedIn,
    standing: &Standing,
    wanted: &Wanted,
    words: &str,
    told: &[&str],
    problem: Option<&str>,
) -> Result<Html<String>, PageError> {
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
    });
    let partners = app.service.store.partners(&standing.episode.programme).await?;
    let candidate = candidate_view(app, &standing.episode.programme, &partners, &candidate, None);
    pages::render(
        "desk/offer.html",
        fill! {
            frame => who.frame(),
            id => standing.episode.id.to_string(),
            need => wanted.need,
            need_name => need_words(&need),
            candidate,
            words,
            told,
            problem,
        },
    )
}

/// POST: asks.
pub(super) async fn offer(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    let wanted = Wanted { need: posted.get("need").to_owned(), service: posted.get("service").to_owned() };
    let words = posted.words("words");
    let patient = app.service.store.content(standing.episode.id).await?.map_or_else(Patient::default, |c| c.patient);
    let told = words.as_deref().map_or_else(Vec::new, |words| identifiers::found(words, &patient));
    let problem = (!told.is_empty()).then_some("These words would tell the partner who the person is");
    if problem.is_none() {
        match ask(&app, &who, &standing, &wanted, words.as_deref()).await {
            Ok(done) => return Ok(back(standing.episode.id, done).into_response()),
            Err(OfferError::NotConfirmed) => {}
            Err(OfferError::Store(error)) => {
                return Ok(back(standing.episode.id, after(Err(error), "asked")?).into_response());
            }
        }
    }
    let problem = problem.unwrap_or("First confirm this partner’s address and agreement");
    let page = offer_page(&app, &who, &standing, &wanted, posted.get("words"), &told, Some(problem)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn ask(
    app: &App,
    who: &SignedIn,
    standing: &Standing,
    wanted: &Wanted,
    words: Option<&str>,
) -> Result<&'static str, OfferError> {
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
    let by = Actor::Coordinator(who.user().clone());
    let asking = Asking { referral: episode.id, need: &need, service, by, note };
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

// ---- deciding --------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
pub(super) struct About {
    need: String,
}

/// GET: closing one need.
pub(super) async fn decide_form(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    Query(about): Query<About>,
) -> Result<Html<String>, PageError> {
    let standing = who.standing(&app, &id).await?;
    close_page(&who, &standing, &about.need, "", "", None)
}

fn close_page(
    who: &SignedIn,
    standing: &Standing,
    need: &str,
    how: &str,
    words: &str,
    problem: Option<(&str, &str)>,
) -> Result<Html<String>, PageError> {
    let code = NeedCode::from(need);
    if standing.episode.need(&code).is_none() {
        return Err(PageError::NotFound);
    }
    let choices: Vec<_> =
        CLOSINGS.iter().map(|(value, closed)| (*value, words::closed(*closed), *value == how)).collect();
    let open = standing.episode.open_offer(&code).map(|o| words::offer(o.status));
    pages::render(
        "desk/decide.html",
        fill! {
            frame => who.frame(),
            id => standing.episode.id.to_string(),
            need,
            need_name => need_words(&code),
            choices,
            words,
            open,
            problem,
        },
    )
}

/// POST: closes, puts back, keeps back, or takes it on herself.
pub(super) async fn decide(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    posted: Posted,
) -> Result<Response, PageError> {
    who.check(&posted)?;
    let standing = who.standing(&app, &id).await?;
    let words = posted.words("words");
    let decision = match posted.get("decision") {
        "put-back" => Decision::PutBack,
        "keep-back" => Decision::KeepBack,
        "support" => Decision::SupportHerself,
        "close" => {
            let how = CLOSINGS.iter().find(|(value, _)| *value == posted.get("how")).map(|(_, closed)| *closed);
            let problem = match (how, &words) {
                (None, _) => Some(("how-met-by-coordinator", "Choose how it ended")),
                (_, None) => Some(("words", "Write a few words: what was tried, and why it ends")),
                _ => None,
            };
            let (Some(how), None) = (how, problem) else {
                let (need, how, words) = (posted.get("need"), posted.get("how"), posted.get("words"));
                let page = close_page(&who, &standing, need, how, words, problem)?;
                return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
            };
            Decision::Close(how)
        }
        _ => return Err(PageError::BadForm),
    };
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let note = put_words(&mut tx, &who, &standing, words.as_deref(), now).await?;
    let by = Actor::Coordinator(who.user().clone());
    let event = Event::Decided { need: NeedCode::from(posted.get("need")), decision, by, note };
    let done = record(tx, standing.episode.id, &event, now, "decided").await?;
    Ok(back(standing.episode.id, done).into_response())
}

async fn put_words(
    tx: &mut Tx,
    who: &SignedIn,
    standing: &Standing,
    words: Option<&str>,
    now: jiff::Timestamp,
) -> Result<Option<NoteId>, StoreError> {
    let Some(words) = words else { return Ok(None) };
    let id = NoteId::from_uuid(random::uuid());
    let (referral, programme) = (standing.episode.id, &standing.episode.programme);
    let author = who.user().as_str();
    tx.put_note(&NewNote { id, referral, programme, offer: None, kind: "close", author, words }, now).await?;
    Ok(Some(id))
}

/// Records an event and commits; what had been done already is done.
async fn record(
    mut tx: Tx,
    id: ReferralId,
    event: &Event,
    now: jiff::Timestamp,
    done: &'static str,
) -> Result<&'static str, PageError> {
    let result = match tx.record(id, event, None, now, now).await {
        Ok(crate::store::Appended::Now(..)) => tx.commit().await,
        Ok(crate::store::Appended::Already) => Ok(()),
        Err(error) => Err(error),
    };
    after(result, done)
}

// ---- matters and filings ---------------------------------------------------------------------------------------------

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
