//! The partner's answer: yes, no with a reason, or a question first.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;

use super::{Case, Link, Report, record, record_worry, ring};
use crate::referral::episode::Reason;
use crate::referral::event::PartnerSaid;
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::visitor::knock;
use crate::web::{App, PageError};

/// The reasons a partner may give for a no: (value, words, reason), codes of `dos-rejected-reasons-bars` that truly fit.
const WHY_NOT: [(&str, &str, Reason); 5] = [
    ("22", "We have no room at the moment", Reason::Capacity),
    ("24", "This is not something we do", Reason::ServiceDeclined),
    ("40", "We cannot take people in this situation (age, area or another rule of ours)", Reason::NotEligible),
    ("42", "It is too far away", Reason::Distance),
    ("99", "Another reason", Reason::Other),
];

const HOUR: i64 = 60 * 60;
/// Nobody who means it asks more.
const QUESTIONS_AN_HOUR: u32 = 10;

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    words: &'static str,
    chosen: bool,
}

/// "Yes, we can help." A yes that comes too late is shown to the coordinator, and the page says so.
pub(super) async fn yes(State(app): State<App>, link: Link, posted: Posted) -> Result<Redirect, PageError> {
    link.check(&posted)?;
    record(&app, &link, &posted, Report::new(PartnerSaid::Accepted)).await?;
    Ok(link.to(""))
}

/// "No, not this time": why?
pub(super) async fn ask_why(State(app): State<App>, link: Link) -> Result<Html<String>, PageError> {
    let case = Case::load(&app, &link).await?;
    why_page(&link, &case, "", "", None, false)
}

/// Takes the no. A chosen reason is words enough, but "another" needs some.
pub(super) async fn no(State(app): State<App>, link: Link, posted: Posted) -> Result<Response, PageError> {
    link.check(&posted)?;
    let worried = record_worry(&app, &link, &posted).await?;
    let case = Case::load(&app, &link).await?;
    let words = posted.words("words");
    let chosen = WHY_NOT.iter().find(|(value, ..)| *value == posted.get("reason"));
    let problem = match (chosen, &words) {
        (None, _) => Some(("reason-22", "Choose a reason")),
        (Some((.., Reason::Other)), None) => Some(("words", "Write the reason in a few words")),
        _ => None,
    };
    let (Some((_, label, reason)), None) = (chosen, problem) else {
        let page = why_page(&link, &case, posted.get("reason"), posted.get("words"), problem, worried)?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let words = words.unwrap_or_else(|| (*label).to_owned());
    let report = Report::new(PartnerSaid::Rejected(*reason)).with("reason", Some(words));
    record(&app, &link, &posted, report).await?;
    Ok(link.to("").into_response())
}

fn why_page(
    link: &Link,
    case: &Case<'_>,
    reason: &str,
    words: &str,
    problem: Option<(&'static str, &'static str)>,
    worried: bool,
) -> Result<Html<String>, PageError> {
    let choices: Vec<Choice> =
        WHY_NOT.iter().map(|&(value, words, _)| Choice { value, words, chosen: value == reason }).collect();
    pages::render("answer/no.html", fill! { frame => case.frame(link), choices, words, problem, worried })
}

/// "Ask a question."
pub(super) async fn ask_question(State(app): State<App>, link: Link) -> Result<Html<String>, PageError> {
    let case = Case::load(&app, &link).await?;
    pages::render("answer/question.html", fill! { frame => case.frame(&link), problem => None::<()> })
}

/// Takes the question to the coordinator.
pub(super) async fn question(State(app): State<App>, link: Link, posted: Posted) -> Result<Response, PageError> {
    link.check(&posted)?;
    let worried = record_worry(&app, &link, &posted).await?;
    let case = Case::load(&app, &link).await?;
    let words = posted.words("words");
    if words.is_none() && !worried {
        let problem = ("words", "Write your question");
        let page = pages::render("answer/question.html", fill! { frame => case.frame(&link), problem })?;
        return Ok((axum::http::StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    if words.is_some() {
        // Each is a mail to the duty address; a worry is never held up.
        let worry = if worried {
            "Your worry about somebody’s safety has reached us all the same. Only the question was not taken."
        } else {
            "The question was not taken. A worry about somebody’s safety still is, also on the page you come from."
        };
        let meanwhile = || [worry.to_owned(), ring(Some(case.programme))];
        let knocked = knock(&app, &format!("question:{}", link.hash), HOUR, QUESTIONS_AN_HOUR).await;
        knocked.map_err(|busy| busy.meanwhile(meanwhile()))?;
        record(&app, &link, &posted, Report::new(PartnerSaid::Asked).with("question", words)).await?;
    }
    Ok(link.to("").into_response())
}
