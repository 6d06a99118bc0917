//! The worklist: what waits for a person and why, safety first, then what must be looked at, then the longest waiting.

use axum::extract::{Query, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};

use super::session::SignedIn;
use super::words::{self, Tone};
use crate::referral::episode::{Hold, NeedState, ReferralState};
use crate::store::{AlertRow, Edge, ListFilter, ReferralRow, Which};
use crate::web::pages::{self, fill};
use crate::web::when::{When, when};
use crate::web::{App, PageError, need_words};

#[derive(Deserialize)]
pub(super) struct Asked {
    show: Option<String>,
}

/// One person.
#[derive(Serialize)]
struct Row {
    href: String,
    initials: String,
    age: String,
    tag: &'static str,
    tone: Tone,
    line: String,
    need: String,
    since: When,
    programme: String,
    practice: String,
    #[serde(skip)]
    press: u8,
    #[serde(skip)]
    waiting_since: jiff::Timestamp,
}

/// One thing the duty address was told of and nobody has opened.
#[derive(Serialize)]
struct AlertLine {
    what: &'static str,
    since: When,
    href: Option<String>,
    safety: bool,
}

/// GET: opens alerts about no single referral (a failing system); moves nothing else.
pub(super) async fn show(
    State(app): State<App>,
    who: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, PageError> {
    let all_open = asked.show.as_deref() == Some("open");
    let (mut rows, mut alerts) = (Vec::new(), Vec::new());
    let now = app.now();
    for programme in &who.account.programmes {
        let which = if all_open { Which::Open } else { Which::Waiting };
        let filter = ListFilter { programme: Some(programme.clone()), which, ..ListFilter::default() };
        for row in app.service.store.list(&filter).await? {
            if row.episode.is_open() || !row.episode.attention.is_empty() {
                rows.push(worklist_row(&app, &row));
            }
        }
        alerts.extend(app.service.store.open_alerts(Some(programme)).await?);
        if alerts.iter().any(|a| a.referral.is_none()) {
            let mut tx = app.service.store.begin().await?;
            tx.open_general_alerts(programme, who.user(), now).await?;
            tx.commit().await?;
        }
    }
    rows.sort_by_key(|row| (row.press, row.waiting_since));
    alerts.sort_by_key(|alert| (!alert.kind.escalates(), alert.raised));
    let alerts: Vec<AlertLine> = alerts.iter().map(|alert| alert_line(&app, alert)).collect();
    let failing: Vec<(String, When, String)> = app
        .service
        .store
        .failing_edges()
        .await?
        .into_iter()
        .filter(|(edge, ..)| app.service.concerned_by(edge).iter().any(|id| who.account.programmes.contains(id)))
        .map(|(edge, at, why)| (edge_name(&app, &edge), when(at, now), why))
        .collect();
    pages::render("desk/worklist.html", fill! { frame => who.frame(), rows, alerts, failing, all_open })
}

/// What is failing, as a coordinator calls it.
fn edge_name(app: &App, edge: &Edge) -> String {
    let what = match edge {
        Edge::Practice(..) => "the system".to_owned(),
        Edge::Mail => "the mail server".to_owned(),
        Edge::Feed(_) => "the directory".to_owned(),
        Edge::BankHolidays => "the list of bank holidays".to_owned(),
        Edge::Job(kind, _) | Edge::Stuck(kind, _) => job_name(kind).to_owned(),
    };
    let practice = edge.practice().map(|id| app.service.practice(id).map_or(id.to_string(), |p| p.name.to_string()));
    match practice.or_else(|| edge.feed().map(str::to_owned)) {
        Some(whose) => format!("{what} ({whose})"),
        None => what,
    }
}

/// What a job of this kind does.
fn job_name(kind: &str) -> &'static str {
    match kind {
        "poll_practice" => "reading what is new",
        "read_again" => "reading referrals again",
        "match_referral" => "finding services",
        "send_offer_mail" => "mail to partners",
        "send_code" => "mailing a partner’s code",
        "chase_offer" => "reminders and deadlines",
        "keep_task" => "telling the practice where referrals stand",
        "file_record" => "writing to the record",
        "send_alert" => "telling the duty address",
        "sync_directory" => "reading the directory",
        _ => "the hourly round",
    }
}

fn alert_line(app: &App, alert: &AlertRow) -> AlertLine {
    AlertLine {
        what: words::alert(alert.kind),
        since: when(alert.raised, app.now()),
        href: alert.referral.map(|id| format!("/desk/referral/{id}")),
        safety: alert.kind.escalates(),
    }
}

fn worklist_row(app: &App, row: &ReferralRow) -> Row {
    let (tag, tone, line, press) = why(app, row);
    let since = row.episode.attention.iter().map(|a| a.since).min().unwrap_or(row.since);
    let programme = app.service.programme(&row.programme).map_or(row.programme.to_string(), |p| p.name.to_string());
    let practice = app.service.practice(&row.practice).map_or(row.practice.to_string(), |p| p.name.to_string());
    Row {
        href: format!("/desk/referral/{}", row.id),
        initials: row.content.as_ref().map_or_else(|| "?".to_owned(), |c| c.patient.initials()),
        age: age_band(row, app.service.clock.today()),
        tag,
        tone,
        line,
        need: need_words(&row.need.as_str().into()),
        since: when(since, app.now()),
        programme,
        practice,
        press,
        waiting_since: since,
    }
}

/// Why a row waits: the most pressing matter of all it has. 0 is safety, 1 waits, 2 is under way.
fn why(app: &App, row: &ReferralRow) -> (&'static str, Tone, String, u8) {
    let matter = row.episode.attention.iter().map(|a| a.kind).min();
    if let Some(kind) = matter.filter(|kind| words::is_safety(*kind)) {
        let (tag, line) = words::attention(kind);
        return (tag, Tone::Safety, line.to_owned(), 0);
    }
    if row.hold == Some(Hold::Safety) {
        let (tag, line) = words::hold(Hold::Safety);
        return (tag, Tone::Safety, line.to_owned(), 0);
    }
    if row.episode.is_open() && (row.episode.facts.urgent || row.hold == Some(Hold::Urgent)) {
        let (tag, line) = words::hold(Hold::Urgent);
        return (tag, Tone::Safety, line.to_owned(), 0);
    }
    if let Some(kind) = matter {
        let (tag, line) = words::attention(kind);
        return (tag, Tone::Waits, line.to_owned(), 1);
    }
    if let Some(why) = row.hold {
        let (tag, line) = words::hold(why);
        return (tag, Tone::Waits, row.explanation.clone().unwrap_or_else(|| line.to_owned()), 1);
    }
    let state = row.episode.state();
    let (tag, tone) = words::state(state);
    let shown = row.episode.needs.iter().find(|n| n.code.as_str() == row.need).map(|n| &n.state);
    let name = |id| app.service.directory().get(id).map_or_else(|| "a service".to_owned(), |s| s.name.clone());
    let line = match shown {
        Some(NeedState::Proposed(service)) => format!("Shall we ask {}?", name(service)),
        Some(NeedState::Offered(offer)) => {
            let offer = row.episode.offer(*offer);
            offer.map_or_else(String::new, |o| format!("{}: {}", name(&o.service), words::offer(o.status)))
        }
        Some(state) => words::need(state).1.to_owned(),
        None => String::new(),
    };
    (tag, tone, line, if state == ReferralState::Proposed { 1 } else { 2 })
}

/// "80s": enough to tell rows apart on a screen that others may see.
fn age_band(row: &ReferralRow, today: jiff::civil::Date) -> String {
    match row.content.as_ref().and_then(|c| c.patient.age_on(today)) {
        None => "age unknown".to_owned(),
        Some(age) if age < 18 => "under 18".to_owned(),
        Some(age) => format!("{}s", age / 10 * 10),
    }
}
