//! Deciding about one need: close it in words, put it back for the matcher, keep it back, or support the person herself.

use axum::extract::Query;
use axum::response::{Html, Response};
use serde::Deserialize;

use super::act::{Deed, Form, problem};
use super::session::Hers;
use super::words;
use crate::referral::NeedCode;
use crate::referral::episode::Closed;
use crate::referral::event::{Decision, Event};
use crate::store::Standing;
use crate::web::{PageError, need_words};

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
    Hers { who, standing }: Hers,
    Query(about): Query<About>,
) -> Result<Html<String>, PageError> {
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
pub(super) async fn decide(deed: Deed) -> Result<Response, PageError> {
    let posted = &deed.posted;
    let decision = match posted.get("decision") {
        "put-back" => Decision::PutBack,
        "keep-back" => Decision::KeepBack,
        "support" => Decision::SupportHerself,
        "close" => {
            let how = CLOSINGS.iter().find(|(value, _)| *value == posted.get("how")).map(|(_, closed)| *closed);
            let words = posted.words("words");
            let wrong = match (how, &words) {
                (None, _) => problem("how-met-by-coordinator", "Choose how it ended"),
                (_, None) => problem("words", "Write a few words: what was tried, and why it ends"),
                _ => problem("", ""),
            };
            let (Some(how), Some(_)) = (how, &words) else {
                let form = form(&deed.standing, posted.get("need"), posted.get("how"), posted.get("words"))?;
                return deed.again(&form, &wrong);
            };
            Decision::Close(how)
        }
        _ => return Err(PageError::BadForm),
    };
    let mut tx = deed.app.service.store.begin().await?;
    let note = deed.keep_words(&mut tx, "close", None).await?;
    let event = Event::Decided { need: NeedCode::from(posted.get("need")), decision, by: deed.by(), note };
    deed.record(tx, &event, "decided").await
}
