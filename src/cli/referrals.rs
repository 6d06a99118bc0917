//! `wellbridge referrals`: where each stands, without identity; sending a refused filing again; letting a held one go on.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;

use super::{Outcome, output, store_beside};
use crate::clock::{Clock, london};
use crate::desk::words;
use crate::jobs;
use crate::referral::episode::{Actor, FilingStatus, NeedState};
use crate::referral::event::{Decision, Event};
use crate::referral::{PracticeId, ReferralId, UserId};
use crate::settings::Settings;
use crate::store::{ListFilter, ReferralRow, Store, Which};

/// Referrals and where they stand.
#[derive(Debug, Subcommand)]
pub(super) enum Referrals {
    /// One line a referral: where it stands, why, since when. No names.
    #[command(
        after_help = "Examples:\n  wellbridge referrals list --state held\n  wellbridge referrals list --waiting --json"
    )]
    List {
        /// Only those in this state: held, proposed, received, offered, supported, closed, withdrawn.
        #[arg(long, value_parser = ["held", "proposed", "received", "offered", "supported", "closed", "withdrawn"])]
        state: Option<String>,
        /// Only those that wait for a person.
        #[arg(long)]
        waiting: bool,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
    /// Have a running service look for new referrals at once, beside its regular polls.
    #[command(
        after_help = "Examples:\n  wellbridge referrals poll\n  wellbridge referrals poll --practice burton-croft"
    )]
    Poll {
        /// Only at this practice.
        #[arg(long)]
        practice: Option<String>,
    },
    /// Everything that happened to one referral. No names and no words.
    #[command(after_help = "Example:\n  wellbridge referrals show 0193a8e4-7c1 --json")]
    Show {
        /// Its id, or the beginning of it.
        id: String,
        /// For a program to read.
        #[arg(long)]
        json: bool,
    },
    /// Queue filings that the practice's system refused once more.
    #[command(
        after_help = "Example:\n  wellbridge referrals resend 0193a8e4-7c1\n\nWhat is in the record already is not written twice."
    )]
    Resend {
        /// Its id, or the beginning of it.
        id: String,
        /// For a program to read: how many were queued.
        #[arg(long)]
        json: bool,
    },
    /// Let the matcher look again at a held referral.
    #[command(
        after_help = "Example:\n  wellbridge referrals release 0193a8e4-7c1\n\nNo rule is overridden: what still holds it holds it again."
    )]
    Release {
        /// Its id, or the beginning of it.
        id: String,
        /// For a program to read: how many needs were released.
        #[arg(long)]
        json: bool,
    },
}

impl Referrals {
    pub(super) async fn run(self, settings: Settings) -> anyhow::Result<Outcome> {
        let store = store_beside(&settings).await?;
        match self {
            Self::Poll { practice } => poll(&store, &settings, practice).await,
            Self::List { state, waiting, json } => list(&store, state, waiting, json).await,
            Self::Show { id, json } => show(&store, find(&store, &id).await?, json).await,
            Self::Resend { id, json } => resend(&store, find(&store, &id).await?, json).await,
            Self::Release { id, json } => release(&store, find(&store, &id).await?, json).await,
        }
    }
}

async fn find(store: &Store, id: &str) -> anyhow::Result<ReferralId> {
    if let Ok(id) = id.parse() {
        return Ok(id);
    }
    let rows = store.list(&ListFilter::default()).await?;
    let ids: Vec<ReferralId> = rows.iter().map(|r| r.id).filter(|known| known.to_string().starts_with(id)).collect();
    match ids.as_slice() {
        [one] => Ok(*one),
        [] => bail!("no referral's id begins with {id}: `wellbridge referrals list` shows them"),
        many => bail!("{} referrals' ids begin with {id}: write more of it", many.len()),
    }
}

async fn list(store: &Store, state: Option<String>, waiting: bool, json: bool) -> anyhow::Result<Outcome> {
    let which = if waiting { Which::Waiting } else { Which::All };
    let rows = store.list(&ListFilter { state, which, ..ListFilter::default() }).await?;
    if json {
        let rows: Vec<_> = rows.iter().map(row_json).collect();
        output::say_json(&rows)?;
        return Ok(Outcome::Well);
    }
    let lines = rows.iter().map(|row| {
        let why =
            row.explanation.clone().or_else(|| row.hold.map(|why| words::hold(why).1.to_owned())).unwrap_or_default();
        [
            row.id.to_string(),
            row.state.clone(),
            row.need.clone(),
            row.since.to_zoned(london()).strftime("%-d %b %H:%M").to_string(),
            row.practice.to_string(),
            row.programme.to_string(),
            why,
        ]
    });
    output::say(&output::table(["referral", "state", "need", "since", "practice", "programme", "why"], lines));
    output::say(&format!("{} referrals", rows.len()));
    Ok(Outcome::Well)
}

fn row_json(row: &ReferralRow) -> serde_json::Value {
    json!({
        "id": row.id, "programme": row.programme, "practice": row.practice, "state": row.state, "hold": row.hold,
        "need": row.need, "since": row.since, "received": row.received, "attention": row.attention,
        "explanation": row.explanation,
    })
}

async fn show(store: &Store, id: ReferralId, json: bool) -> anyhow::Result<Outcome> {
    let standing = store.standing(id).await?.context("there is no such referral")?;
    let events = store.events(id).await?;
    let mails = store.mails(id).await?;
    let filings = store.filing_results(id).await?;
    if json {
        let events: Vec<_> =
            events.iter().map(|e| json!({"seq": e.seq, "occurred": e.occurred, "event": e.event})).collect();
        let mails: Vec<_> = mails
            .iter()
            .map(|m| json!({"id": m.id, "kind": m.kind, "state": m.state, "attempts": m.attempts, "asked": m.asked}))
            .collect();
        let filings: Vec<_> = filings
            .iter()
            .map(|(id, outputs, refusal)| json!({"id": id, "outputs": outputs, "refused": refusal.is_some()}))
            .collect();
        output::say_json(&json!({
            "episode": standing.episode, "explanation": standing.explanation, "events": events, "mails": mails,
            "filings": filings,
        }))?;
        return Ok(Outcome::Well);
    }
    output::say(&format!("{id}  {}  received {}", standing.episode.state().as_str(), standing.received));
    if let Some(why) = &standing.explanation {
        output::say(&format!("  {why}"));
    }
    for need in &standing.episode.needs {
        output::say(&format!("  {}: {}", need.code, words::need(&need.state).1));
    }
    output::say(&output::table(
        ["when", "what happened"],
        events
            .iter()
            .map(|e| [e.occurred.to_zoned(london()).strftime("%-d %b %H:%M:%S").to_string(), words::event(&e.event).0]),
    ));
    let lines = mails.iter().map(|m| [m.kind.clone(), m.state.clone(), m.attempts.to_string(), m.id.clone()]);
    output::say(&output::table(["mail", "state", "tries", "message-id"], lines));
    Ok(Outcome::Well)
}

async fn poll(store: &Store, settings: &Settings, only: Option<String>) -> anyhow::Result<Outcome> {
    let only = only.map(PracticeId::new);
    if let Some(unknown) = only.as_ref().filter(|id| !settings.practices.contains_key(id)) {
        let known = settings.practices.keys().map(PracticeId::as_str).collect::<Vec<_>>().join(", ");
        bail!("there is no practice {unknown}; the settings name: {known}");
    }
    for practice in settings.practices.keys().filter(|id| only.as_ref().is_none_or(|only| only == *id)) {
        jobs::poll_now(store, practice).await?;
        output::say(&format!("{practice}: queued; a running service looks there now"));
    }
    Ok(Outcome::Well)
}

fn at_the_terminal() -> Actor {
    Actor::Coordinator(UserId::from("command-line"))
}

async fn resend(store: &Store, id: ReferralId, json: bool) -> anyhow::Result<Outcome> {
    let now = Clock::System.now();
    let standing = store.standing(id).await?.context("there is no such referral")?;
    let refused = standing.episode.filings.iter().filter(|f| f.status == FilingStatus::Refused);
    let mut tx = store.begin().await?;
    let mut queued = 0;
    for filing in refused {
        let event = Event::FilingRequeued { filing: filing.id, by: at_the_terminal() };
        tx.record(id, &event, None, now, now).await?;
        queued += 1;
    }
    tx.commit().await?;
    if json {
        output::say_json(&json!({"id": id, "queued": queued}))?;
        return Ok(Outcome::Well);
    }
    output::say(&match queued {
        0 => "no filing of this referral was refused: nothing to send again".to_owned(),
        n => format!("{n} filing(s) queued; a running service writes them now"),
    });
    Ok(Outcome::Well)
}

async fn release(store: &Store, id: ReferralId, json: bool) -> anyhow::Result<Outcome> {
    let now = Clock::System.now();
    let standing = store.standing(id).await?.context("there is no such referral")?;
    let held = standing.episode.needs.iter().filter(|n| matches!(n.state, NeedState::Held(_)));
    let mut tx = store.begin().await?;
    let mut released = 0;
    for need in held {
        let decision = Decision::PutBack;
        let event = Event::Decided { need: need.code.clone(), decision, by: at_the_terminal(), note: None };
        tx.record(id, &event, None, now, now).await.context("it cannot be released")?;
        released += 1;
    }
    tx.commit().await?;
    if json {
        output::say_json(&json!({"id": id, "released": released}))?;
        return Ok(Outcome::Well);
    }
    output::say(&match released {
        0 => "this referral is not held: nothing to release".to_owned(),
        n => format!("{n} need(s) go back to the matcher; a running service reads them now"),
    });
    Ok(Outcome::Well)
}
