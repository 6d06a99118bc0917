//! The partner's seat: every mail as it was received, and its real links.

use axum::extract::{Extension, Path};
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;

use super::{Frame, OnStage};
use crate::demo::mail_catcher::CaughtMail;
use crate::demo::stage::Stage;
use crate::web::PageError;
use crate::web::pages::{self, fill};
use crate::web::when::{When, when};

/// A mail as it came is shown with its own inline style, and nothing else of its own.
const MAIL_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; form-action 'none'";

#[derive(Serialize)]
struct Row {
    number: u64,
    to: String,
    subject: String,
    at: When,
    kind: &'static str,
    tone: &'static str,
}

#[derive(Serialize)]
struct Links {
    words: &'static str,
    to: String,
}

/// What kind of mail it is, by its Message-ID.
fn kind(mail: &CaughtMail) -> (&'static str, &'static str) {
    match mail.message_id.as_deref().and_then(|id| id.split('.').nth(1)).unwrap_or_default() {
        "offer" => ("Asks for help", "going"),
        "reminder" => ("Reminder", "waits"),
        "cancellation" => ("No longer needed", "done"),
        "passed-on" => ("Passed on", "done"),
        "code" => ("Code", "going"),
        "alert" => ("To the duty address", "safety"),
        _ => ("Mail", "going"),
    }
}

/// GET: the mailbox, newest first.
pub(super) async fn list(Extension(stage): OnStage) -> Result<Html<String>, PageError> {
    let (frame, _) = Frame::of(&stage, "partner").await?;
    let now = stage.now();
    let mails: Vec<Row> = stage
        .mail
        .mails()
        .into_iter()
        .rev()
        .map(|mail| {
            let (kind, tone) = kind(&mail);
            let at = when(mail.received, now);
            Row { number: mail.number, to: mail.envelope_to.join(", "), subject: mail.subject, at, kind, tone }
        })
        .collect();
    pages::render("demo/partner.html", fill! { frame, mails })
}

/// GET: one mail.
pub(super) async fn mail(Extension(stage): OnStage, Path(number): Path<u64>) -> Result<Html<String>, PageError> {
    let (frame, _) = Frame::of(&stage, "partner").await?;
    let mail = find(&stage, number)?;
    let (kind, tone) = kind(&mail);
    let links = links(&stage, &mail);
    pages::render(
        "demo/mail.html",
        fill! {
            frame,
            number,
            kind,
            tone,
            at => when(mail.received, stage.now()),
            from => mail.from.join(", "),
            to => mail.envelope_to.join(", "),
            subject => mail.subject,
            message_id => mail.message_id,
            text => mail.text,
            has_html => mail.html.is_some(),
            links,
        },
    )
}

/// GET: the HTML part, for a frame without rights; its links open a tab of their own.
pub(super) async fn html(Extension(stage): OnStage, Path(number): Path<u64>) -> Result<Response, PageError> {
    let html = find(&stage, number)?.html.ok_or(PageError::NotFound)?;
    let page = html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    Ok(([(header::CONTENT_SECURITY_POLICY, MAIL_POLICY)], Html(page)).into_response())
}

fn find(stage: &Stage, number: u64) -> Result<CaughtMail, PageError> {
    stage.mail.mails().into_iter().find(|mail| mail.number == number).ok_or(PageError::NotFound)
}

/// The links that stand in a mail, as buttons beside it.
fn links(stage: &Stage, mail: &CaughtMail) -> Vec<Links> {
    let text = mail.text.as_deref().unwrap_or_default();
    let start = format!("{}/", stage.url());
    let found = text.split_whitespace().filter(|word| word.starts_with(&start));
    let mut links: Vec<Links> = Vec::new();
    for to in found {
        let words = match to {
            _ if to.contains("/desk") => "Open the worklist",
            _ if to.ends_with("/no") => "No, not this time",
            _ => "Yes, we can help",
        };
        if !links.iter().any(|known| known.to == to) {
            links.push(Links { words, to: to.to_owned() });
        }
    }
    links
}
