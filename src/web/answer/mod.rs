//! A partner's link: the page behind the one address in a mail, from first sight to the last word.
//!
//! The token in the path is all a partner needs to answer and to report; it acts for one offer. Who the person is stays
//! behind a one-time code on top of it ([`code`], [`person`]). GET shows and moves nothing; every form posts, records
//! in one transaction and redirects. A form carries a number of its own, so that sending it twice is sending it once.
//!
//! - [`page`]: what the link shows now, by where the offer stands;
//! - [`reply`]: yes, no, a question;
//! - [`code`], [`person`]: the one-time code, and who the person is;
//! - [`tell`]: how it goes, and worries.

mod code;
#[cfg(test)]
mod expiry_tests;
#[cfg(test)]
mod kept_tests;
mod page;
mod person;
#[cfg(test)]
mod person_tests;
mod reply;
mod tell;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::response::Redirect;
use axum::routing::{get, post};
use serde::Serialize;

use super::posted::Posted;
use super::visitor::{self, sha256};
use super::{App, PageError};
use crate::partner::token::AnswerToken;
use crate::random;
use crate::referral::episode::Offer;
use crate::referral::event::{Event, PartnerSaid};
use crate::referral::{NoteId, Ons4, Score};
use crate::settings::Programme;
use crate::store::{Appended, NewNote, Standing, StoreError, TokenRow};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/answer/{token}", get(page::show))
        .route("/answer/{token}/yes", post(reply::yes))
        .route("/answer/{token}/no", get(reply::ask_why).post(reply::no))
        .route("/answer/{token}/question", get(reply::ask_question).post(reply::question))
        .route("/answer/{token}/code", get(code::enter).post(code::send))
        .route("/answer/{token}/open", post(code::open))
        .route("/answer/{token}/person", get(person::show))
        .route("/answer/{token}/tell/{what}", get(tell::form).post(tell::told))
}

/// A link that was found and has not expired. Holds the token: no `Debug`.
pub(super) struct Link {
    token: String,
    hash: String,
    row: TokenRow,
}

impl FromRequestParts<App> for Link {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageError> {
        let path = RawPathParams::from_request_parts(parts, app).await;
        let token =
            path.ok().and_then(|path| path.iter().find(|(name, _)| *name == "token").map(|(_, v)| v.to_owned()));
        let hash = token.as_deref().and_then(AnswerToken::parse).map(|token| token.hash());
        let (Some(token), Some(hash)) = (token, hash) else {
            visitor::admit(app, parts).await.map_err(|busy| busy.meanwhile(not_taken(None)))?;
            return Err(PageError::LinkUnknown);
        };
        // Whoever guesses is counted as well, and turned away in the end.
        let Some(row) = app.service.store.token(&hash).await? else {
            visitor::admit(app, parts).await.map_err(|busy| busy.meanwhile(not_taken(None)))?;
            return Err(PageError::LinkUnknown);
        };
        let expired = row.expires <= app.now();
        let programme = app.service.programme(&row.programme).filter(|_| !expired);
        visitor::admit_to_link(app, parts, &hash).await.map_err(|busy| busy.meanwhile(not_taken(programme)))?;
        if expired {
            return Err(PageError::LinkUnknown);
        }
        Ok(Self { token, hash, row })
    }
}

/// What a partner reads who has to wait. A safety matter is not to wait with her.
fn not_taken(programme: Option<&Programme>) -> [String; 2] {
    let sent = "If you have just sent us something, it was not taken: go back then and send it once more.";
    [sent.to_owned(), ring(programme)]
}

fn ring(programme: Option<&Programme>) -> String {
    let whom = match programme {
        Some(programme) => format!("{}, {}", programme.name, programme.phone),
        None => "the coordinator whose number is in the mail you received".to_owned(),
    };
    format!("A worry about somebody’s safety does not wait: ring {whom}. If somebody is in danger now, ring 999.")
}

impl Link {
    /// The address of one of its pages; empty is the first one.
    fn path(&self, page: &str) -> String {
        if page.is_empty() { format!("/answer/{}", self.token) } else { format!("/answer/{}/{page}", self.token) }
    }

    fn to(&self, page: &str) -> Redirect {
        Redirect::to(&self.path(page))
    }

    /// What every form of this link must bring back.
    fn form_token(&self) -> String {
        sha256(&format!("form:{}", self.token))
    }

    fn check(&self, posted: &Posted) -> Result<(), PageError> {
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(
            posted.get("form").as_bytes(),
            self.form_token().as_bytes(),
        );
        same.map_err(|_| PageError::Forbidden)
    }
}

/// Everything a page of a link is made from. Holds no personal data.
struct Case<'a> {
    standing: Standing,
    offer: Offer,
    programme: &'a Programme,
}

impl<'a> Case<'a> {
    async fn load(app: &'a App, link: &Link) -> Result<Self, PageError> {
        let standing = app.service.store.standing(link.row.referral).await?.ok_or(PageError::LinkUnknown)?;
        let offer = standing.episode.offer(link.row.offer).cloned().ok_or(PageError::LinkUnknown)?;
        let programme = app.service.programme(&link.row.programme).ok_or(PageError::LinkUnknown)?;
        Ok(Self { standing, offer, programme })
    }

    fn frame(&self, link: &Link) -> Frame {
        Frame {
            programme: self.programme.name.to_string(),
            phone: self.programme.phone.to_string(),
            link: link.path(""),
            form: link.form_token(),
            once: random::uuid().simple().to_string(),
            reference: self.offer.id.reference(),
        }
    }
}

/// What every page of a link shows.
#[derive(Serialize)]
struct Frame {
    programme: String,
    phone: String,
    link: String,
    form: String,
    once: String,
    reference: String,
}

/// What a partner reports in one form.
struct Report {
    said: PartnerSaid,
    /// (kind, words), the main one first.
    words: Vec<(&'static str, String)>,
    /// (`before` or `after`, scores).
    scores: Option<(&'static str, Ons4)>,
    /// The partner is worried about somebody's safety.
    risk: bool,
}

impl Report {
    fn new(said: PartnerSaid) -> Self {
        Self { said, words: Vec::new(), scores: None, risk: false }
    }

    /// Takes words along where there are any.
    fn with(mut self, kind: &'static str, words: Option<String>) -> Self {
        self.words.extend(words.map(|words| (kind, words)));
        self
    }

    /// A worry that was written or ticked on the form, if there is one: a report of its own.
    fn worry(posted: &Posted) -> Option<Self> {
        let words = posted.words("worry");
        let risk = words.is_some() || posted.ticked("worried");
        risk.then(|| Self { risk, ..Self::new(PartnerSaid::Asked).with("risk", words) })
    }

    /// The scores in words, for a person to read where they have no other place to go.
    fn scores_in_words(&self) -> Option<String> {
        let (moment, scores) = self.scores?;
        let number = |score: Score| u8::from(score);
        Some(format!(
            "Scores, {moment}: satisfied {}, worthwhile {}, happy {}, anxious {}.",
            number(scores.satisfied),
            number(scores.worthwhile),
            number(scores.happy),
            number(scores.anxious)
        ))
    }
}

/// Records a worry before anything else on its form is looked at: a field left empty elsewhere must not cost it. True
/// where there was one, which the page then says.
async fn record_worry(app: &App, link: &Link, posted: &Posted) -> Result<bool, PageError> {
    let Some(worry) = Report::worry(posted) else { return Ok(false) };
    record(app, link, posted, worry).await?;
    Ok(true)
}

/// Records what the partner said, with its words, in one transaction; sent twice it changes nothing. What is no longer
/// possible changes nothing either, and the page that follows shows how things stand; but its words reach the
/// coordinator all the same.
async fn record(app: &App, link: &Link, posted: &Posted, mut report: Report) -> Result<(), PageError> {
    if write(app, link, posted, &report).await? {
        return Ok(());
    }
    let scores = report.scores_in_words();
    report = Report { said: PartnerSaid::Asked, scores: None, ..report.with("reason", scores) };
    if !report.words.is_empty() {
        // Where it was only sent twice, its number is known and nothing is written.
        write(app, link, posted, &report).await?;
    }
    Ok(())
}

/// One try at [`record`]; false where nothing was written.
async fn write(app: &App, link: &Link, posted: &Posted, report: &Report) -> Result<bool, PageError> {
    let now = app.now();
    let mut tx = app.service.store.begin().await?;
    let mut first = None;
    for (kind, words) in &report.words {
        let id = NoteId::from_uuid(random::uuid());
        let (referral, programme) = (link.row.referral, &link.row.programme);
        let offer = Some(link.row.offer);
        tx.put_note(&NewNote { id, referral, programme, offer, kind, author: "partner", words }, now).await?;
        first.get_or_insert(id);
    }
    if let Some((moment, scores)) = report.scores {
        tx.put_scores(link.row.referral, &link.row.programme, link.row.offer, moment, scores, now).await?;
    }
    let event = Event::Partner { offer: link.row.offer, said: report.said, note: first, risk: report.risk };
    // A form's own number; one that was tampered with is only worth less to its sender.
    let once: String = posted.get("once").chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let what = if report.risk { "worry" } else { "form" };
    let effect = (!once.is_empty()).then(|| format!("{what}:{}:{once}", link.row.offer));
    match tx.record(link.row.referral, &event, effect.as_deref(), now, now).await {
        Ok(Appended::Now(..)) => tx.commit().await.map(|()| true).map_err(Into::into),
        Ok(Appended::Already) | Err(StoreError::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
