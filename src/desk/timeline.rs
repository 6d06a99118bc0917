//! What happened to a referral, newest first: events, with the words that belong to them, and mails; and what was
//! written to the record.

use jiff::Timestamp;
use serde::Serialize;

use super::referral::service_name;
use super::words::{self, Tone};
use crate::referral::episode::FilingStatus;
use crate::referral::event::Event;
use crate::referral::{NoteId, OfferId};
use crate::store::{NoteRow, Standing};
use crate::web::when::{When, when};
use crate::web::{App, PageError};

/// One entry.
#[derive(Serialize)]
pub(super) struct Entry {
    at: When,
    what: String,
    by: Option<String>,
    about: Option<String>,
    words: Vec<(&'static str, String)>,
    mail: bool,
    #[serde(skip)]
    order: (Timestamp, i64),
}

/// Everything, newest first.
pub(super) async fn build(app: &App, standing: &Standing, notes: &[NoteRow]) -> Result<Vec<Entry>, PageError> {
    let now = app.now();
    let id = standing.episode.id;
    let about = |offer: Option<OfferId>| {
        offer.and_then(|id| standing.episode.offer(id)).map(|offer| service_name(app, &offer.service))
    };
    let mut entries = Vec::new();
    for recorded in app.service.store.events(id).await? {
        // The mails below say more of what was sent.
        if matches!(recorded.event, Event::Mailed { .. }) {
            continue;
        }
        let (what, by) = words::event(&recorded.event);
        let (offer, note) = belongs(&recorded.event);
        entries.push(Entry {
            at: when(recorded.occurred, now),
            what,
            by,
            about: about(offer),
            words: words_of(notes, note, recorded.recorded),
            mail: false,
            order: (recorded.occurred, recorded.seq),
        });
    }
    for mail in app.service.store.mails(id).await? {
        let at = mail.settled.unwrap_or(mail.asked);
        let tries = if mail.attempts > 1 { format!(", {} tries", mail.attempts) } else { String::new() };
        entries.push(Entry {
            at: when(at, now),
            what: format!("{}: {}{tries}", words::mail_kind(&mail.kind), words::mail_state(&mail.state)),
            by: None,
            about: about(mail.offer),
            // What a server says to a mail that it took interests nobody.
            words: mail
                .answer
                .filter(|_| mail.state != "sent")
                .map(|answer| ("The mail server", answer))
                .into_iter()
                .collect(),
            mail: true,
            order: (at, 0),
        });
    }
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.order));
    Ok(entries)
}

/// Which offer an event is about, and the note it names.
fn belongs(event: &Event) -> (Option<OfferId>, Option<NoteId>) {
    match event {
        Event::Offered { offer, note, .. }
        | Event::Partner { offer, note, .. }
        | Event::OfferInError { offer, note, .. } => (Some(*offer), *note),
        Event::Mailed { offer, .. }
        | Event::Undeliverable { offer, .. }
        | Event::Reminded { offer }
        | Event::Lapsed { offer }
        | Event::IdentityViewed { offer } => (Some(*offer), None),
        Event::Decided { note, .. } | Event::FilingSetAside { note, .. } => (None, *note),
        Event::AttentionSettled { offer, .. } => (*offer, None),
        _ => (None, None),
    }
}

/// The words of an event: the note it names, and those written with it by the same hand (a report has several).
fn words_of(notes: &[NoteRow], named: Option<NoteId>, recorded: Timestamp) -> Vec<(&'static str, String)> {
    let Some(main) = named.and_then(|id| notes.iter().find(|n| n.id == id)) else { return Vec::new() };
    let together = notes.iter().filter(|n| {
        n.id == main.id
            || (n.offer == main.offer && n.author == main.author && n.written == recorded && n.kind != "to-partner")
    });
    together.map(|n| (words::note_kind(&n.kind), n.words.clone())).collect()
}

/// One filing.
#[derive(Serialize)]
pub(super) struct FilingView {
    id: String,
    what: &'static str,
    state: &'static str,
    tone: Tone,
    refusal: Option<String>,
    written: Vec<String>,
    /// It may be sent again.
    refused: bool,
    /// It was set aside.
    aside: bool,
}

/// What is owed to the record and what came of it.
pub(super) async fn filings(app: &App, standing: &Standing) -> Result<Vec<FilingView>, PageError> {
    let results = app.service.store.filing_results(standing.episode.id).await?;
    let views = standing.episode.filings.iter().map(|filing| {
        let result = results.iter().find(|(id, ..)| *id == filing.id);
        let (state, tone) = words::filing(filing.status);
        let aside = filing.status == FilingStatus::SetAside;
        let refused = filing.status == FilingStatus::Refused || aside;
        FilingView {
            id: filing.id.to_string(),
            what: words::moment(filing.moment),
            state,
            tone,
            refusal: result.and_then(|(.., refusal)| refusal.clone()).filter(|_| refused),
            written: result.map(|(_, outputs, _)| outputs.clone()).unwrap_or_default(),
            refused,
            aside,
        }
    });
    Ok(views.collect())
}
