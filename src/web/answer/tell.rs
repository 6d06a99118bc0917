//! How it goes, one thing a page: a first date, did not come, started, paused, finished, could not help, worried.
//!
//! These need the link alone: they show nothing about the person, and a report that is easy is a report that comes.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use super::{Case, Link, Report, record, record_worry};
use crate::referral::episode::Reason;
use crate::referral::event::PartnerSaid;
use crate::web::pages::{self, fill};
use crate::web::posted::Posted;
use crate::web::{App, PageError};

/// One kind of report: what its page asks.
#[derive(Clone, Copy, Serialize)]
struct Form {
    what: &'static str,
    heading: &'static str,
    lead: &'static str,
    button: &'static str,
    /// Fields of words: (name, label, required).
    words: &'static [(&'static str, &'static str, bool)],
    /// The moment of the four scores, where they are asked for.
    scores: Option<&'static str>,
    reasons: bool,
}

const FORMS: [Form; 7] = [
    Form {
        what: "booked",
        heading: "You have agreed a first date",
        lead: "Tell us as soon as you and the person have a date. You need not say which.",
        button: "Yes, a first date is agreed",
        words: &[],
        scores: None,
        reasons: false,
    },
    Form {
        what: "did-not-come",
        heading: "The person did not come",
        lead: "It happens. Please try once more, as you would with anybody else.",
        button: "The person did not come",
        words: &[],
        scores: None,
        reasons: false,
    },
    Form {
        what: "started",
        heading: "Support has started",
        lead: "The person has taken up what you offer.",
        button: "Support has started",
        words: &[],
        scores: Some("before"),
        reasons: false,
    },
    Form {
        what: "on-hold",
        heading: "Pause this for now",
        lead: "For example: you rang three times and will try again, or the person is in hospital.",
        button: "Pause it",
        words: &[("reason", "Why is it paused?", true)],
        scores: None,
        reasons: false,
    },
    Form {
        what: "finished",
        heading: "Support has finished",
        lead: "A line or two is plenty. What did not help is as useful as what did.",
        button: "Support has finished",
        words: &[
            ("tried", "What did you do together?", true),
            ("helped", "What helped?", false),
            ("did-not-help", "What did not help?", false),
        ],
        scores: Some("after"),
        reasons: false,
    },
    Form {
        what: "could-not",
        heading: "You could not help in the end",
        lead: "Thank you for trying. We will look for another way.",
        button: "We could not help",
        words: &[("reason", "What happened?", true)],
        scores: None,
        reasons: true,
    },
    Form {
        what: "worried",
        heading: "You are worried about somebody’s safety",
        lead: "If somebody is in danger now, ring 999. What you write here is read by a Wellbeing Coordinator, not at once.",
        button: "Tell the coordinator",
        words: &[("worry", "What worries you?", true)],
        scores: None,
        reasons: false,
    },
];

/// Why support could not be given: (value, words, reason).
const WHY_NOT: [(&str, &str, Reason); 3] = [
    ("26", "The person chose something else", Reason::PatientChoice),
    ("unreachable", "We could not reach the person", Reason::Unreachable),
    ("99", "Another reason", Reason::Other),
];

/// The four ONS4 questions, as asked.
const ONS4: [(&str, &str); 4] = [
    ("satisfied", "Overall, how satisfied are you with your life nowadays?"),
    ("worthwhile", "Overall, to what extent do you feel that the things you do in your life are worthwhile?"),
    ("happy", "Overall, how happy did you feel yesterday?"),
    (
        "anxious",
        "On a scale where 0 is “not at all anxious” and 10 is “completely anxious”, how anxious did you feel yesterday?",
    ),
];

fn find(what: &str) -> Result<Form, PageError> {
    FORMS.into_iter().find(|form| form.what == what).ok_or(PageError::NotFound)
}

/// GET: the form.
pub(super) async fn form(
    State(app): State<App>,
    link: Link,
    Path((_, what)): Path<(String, String)>,
) -> Result<Html<String>, PageError> {
    let form = find(&what)?;
    let case = Case::load(&app, &link).await?;
    form_page(&link, &case, form, &Filled::default())
}

/// POST: what was told.
pub(super) async fn told(
    State(app): State<App>,
    link: Link,
    Path((_, what)): Path<(String, String)>,
    posted: Posted,
) -> Result<Response, PageError> {
    link.check(&posted)?;
    let form = find(&what)?;
    let worried = record_worry(&app, &link, &posted).await?;
    if worried && form.what == "worried" {
        return Ok(link.to("").into_response());
    }
    let case = Case::load(&app, &link).await?;
    let refuse = |problem: (&'static str, &'static str)| {
        let page = form_page(&link, &case, form, &Filled { posted: Some(&posted), problem: Some(problem), worried })?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    for (name, _, required) in form.words {
        if *required && posted.words(name).is_none() {
            return refuse((name, "Write a few words"));
        }
    }
    let Ok(scores) = posted.ons4() else {
        return refuse(("satisfied", "Give all four numbers from 0 to 10, or none"));
    };
    let reason = WHY_NOT.iter().find(|(value, ..)| *value == posted.get("why")).map(|(.., reason)| *reason);
    let said = match (form.what, reason) {
        ("booked", _) => PartnerSaid::Booked,
        ("did-not-come", _) => PartnerSaid::DidNotAttend,
        ("started", _) => PartnerSaid::Started,
        ("on-hold", _) => PartnerSaid::OnHold,
        ("finished", _) => PartnerSaid::Finished,
        ("could-not", Some(reason)) => PartnerSaid::Failed(reason),
        ("could-not", None) => return refuse(("why-26", "Choose what happened")),
        _ => PartnerSaid::Asked,
    };
    let mut report = Report::new(said);
    for (name, ..) in form.words {
        report = report.with(name, posted.words(name));
    }
    report.scores = form.scores.zip(scores);
    record(&app, &link, &posted, report).await?;
    Ok(link.to("").into_response())
}

/// What a form comes back with when something in it is missing: everything that was filled in.
#[derive(Default)]
struct Filled<'a> {
    posted: Option<&'a Posted>,
    problem: Option<(&'static str, &'static str)>,
    /// The worry on it was recorded already.
    worried: bool,
}

fn form_page(link: &Link, case: &Case<'_>, form: Form, filled: &Filled<'_>) -> Result<Html<String>, PageError> {
    let value = |name: &str| filled.posted.map_or("", |posted| posted.get(name));
    let words: Vec<_> = form.words.iter().map(|(name, label, required)| (name, label, required, value(name))).collect();
    let reasons: Vec<_> = WHY_NOT.iter().map(|&(code, words, _)| (code, words, value("why") == code)).collect();
    let questions: Vec<_> = ONS4.iter().map(|&(name, asked)| (name, asked, value(name))).collect();
    let (problem, worried) = (filled.problem, filled.worried);
    pages::render(
        "answer/tell.html",
        fill! { frame => case.frame(link), form, words, reasons, questions, problem, worried },
    )
}
