//! Deciding about one need: close it in words, put it back for the matcher, keep it back, or support the person herself.

use axum::extract::{Path, Query, State};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::act::{Form, back, problem, put_words, record};
use super::session::SignedIn;
use super::words;
use crate::referral::NeedCode;
use crate::referral::episode::{Actor, Closed};
use crate::referral::event::{Decision, Event};
use crate::store::Standing;
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
    form(&standing, &about.need, "", "")?.show(&who, standing.episode.id, None)
}

fn form(standing: &Standing, need: &str, how: &str, words: &str) -> Result<Form, PageError> {
    let code = NeedCode::from(need);
    if standing.episode.need(&code).is_none() {
        return Err(PageError::NotFound);
    }
    let open = standing.episode.open_offer(&code).map_or_else(String::new, |o| {
        format!(" A partner has it now ({}): closing takes it back and tells them.", words::offer(o.status))
    });
    Ok(Form {
        action: "decide",
        title: "Close",
        question: "How does it end?".to_owned(),
        lead: format!("{}.{open} The GP hears of it, as far as the person agreed.", need_words(&code)),
        hidden: vec![("need", need.to_owned()), ("decision", "close".to_owned())],
        choices: CLOSINGS.iter().map(|(value, closed)| (*value, words::closed(*closed), *value == how)).collect(),
        label: "In a few words",
        hint: "What was tried, and why it ends. It may go to the GP.",
        words: words.to_owned(),
        button: "Close it",
        ..Form::default()
    })
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
    let id = standing.episode.id;
    let words = posted.words("words");
    let decision = match posted.get("decision") {
        "put-back" => Decision::PutBack,
        "keep-back" => Decision::KeepBack,
        "support" => Decision::SupportHerself,
        "close" => {
            let how = CLOSINGS.iter().find(|(value, _)| *value == posted.get("how")).map(|(_, closed)| *closed);
            let wrong = match (how, &words) {
                (None, _) => problem("how-met-by-coordinator", "Choose how it ended"),
                (_, None) => problem("words", "Write a few words: what was tried, and why it ends"),
                _ => problem("", ""),
            };
            let (Some(how), Some(_)) = (how, &words) else {
                let form = form(&standing, posted.get("need"), posted.get("how"), posted.get("words"))?;
                return form.again(&who, id, &wrong);
            };
            Decision::Close(how)
        }
        _ => return Err(PageError::BadForm),
    };
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let note = put_words(&mut tx, &who, &standing, ("close", words.as_deref()), None, now).await?;
    let by = Actor::Coordinator(who.user().clone());
    let event = Event::Decided { need: NeedCode::from(posted.get("need")), decision, by, note };
    Ok(back(id, record(tx, id, &event, now, "decided").await?).into_response())
}
