//! One referral: safe contact, the GP's words with what was read in them, each need and who could help, and on the right
//! what happened. Opening it writes down who looked, stops its alerts and has the practice read again; nothing else.

use axum::extract::{Query, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};

use super::marks::{Quote, Stretch, mark};
use super::session::Hers;
use super::timeline;
use super::words::{self, Tone};
use crate::matching::Match;
use crate::referral::content::{Consent, ContactSystem, Reason, ReasonFrom};
use crate::referral::episode::{Attention, AttentionKind, Episode, Hold};
use crate::referral::{Patient, Referral, SafeContact, ServiceId, Sharing};
use crate::store::queue::{self, ReadAgain};
use crate::store::{NoteRow, Partner};
use crate::web::pages::{self, fill};
use crate::web::when::{When, when};
use crate::web::{App, PageError, need_words};

#[derive(Deserialize)]
pub(super) struct After {
    /// What the form that led here did, one of [`flash`]'s words.
    done: Option<String>,
}

/// GET.
pub(super) async fn show(
    State(app): State<App>,
    Hers { who, standing }: Hers,
    Query(after): Query<After>,
) -> Result<Html<String>, PageError> {
    let (id, now) = (standing.episode.id, app.now());
    let store = &app.service.store;
    let content = store.content(id).await?;
    let mut tx = store.begin().await?;
    tx.audit(&standing.episode.programme, Some(id), who.user().as_str(), "opened the referral", now).await?;
    tx.open_alerts_of(id, who.user(), now).await?;
    if standing.episode.is_open() && content.is_some() {
        // What she sees is what was read last; the practice is asked now, so that what she does next is done on more.
        tx.enqueue(ReadAgain { referral: id }, queue::once()).await?;
    }
    tx.commit().await?;
    let matched = store.matched(id).await?;
    let notes = store.notes(id).await?;
    let partners = store.partners(&standing.episode.programme).await?;
    let view =
        View { app: &app, episode: &standing.episode, matched: matched.as_ref(), notes: &notes, partners: &partners };
    let title = content.as_ref().and_then(|c| c.patient.name.clone()).unwrap_or_else(|| "Name not known".to_owned());
    pages::render(
        "desk/referral.html",
        fill! {
            frame => who.frame(),
            id => id.to_string(),
            title,
            flash => after.done.as_deref().and_then(flash),
            state => words::state(standing.episode.state()),
            received => when(standing.received, now),
            practice => app.service.practice(&standing.episode.practice).map(|p| p.name.to_string()),
            explanation => standing.explanation,
            stopped => standing.episode.facts.hold == Some(Hold::NotActive),
            matters => view.matters(store.then_and_now(id).await?.as_ref()),
            contact => content.as_ref().map(|c| contact(&app.service.matcher.safe_contact(c), &standing.episode)),
            person => content.as_ref().map(|c| person(&c.patient, &standing.episode, app.service.clock.today())),
            referral => content.as_ref().map(|c| view.words(c, now)),
            safety => matched.as_ref().map(safety),
            needs => standing.episode.needs.iter().map(|need| view.need(need)).collect::<Vec<_>>(),
            scores => scores(with_baseline(store.scores(id).await?, content.as_ref())),
            timeline => timeline::build(&app, &standing, &notes).await?,
            filings => timeline::filings(&app, &standing).await?,
            looked => store.audits(id).await?.into_iter().rev().take(12)
                .map(|(user, what, at)| (user, what, when(at, now))).collect::<Vec<_>>(),
        },
    )
}

/// What a form that led here did, in words.
fn flash(done: &str) -> Option<&'static str> {
    Some(match done {
        "asked" => "The partner is being asked by mail.",
        "decided" => "Done.",
        "settled" => "Settled.",
        "filing" => "It will be written again.",
        "set-aside" => "It is left out of the record and waits for nobody.",
        "in-error" => "It is taken back as an error. You decide about the need afresh.",
        "same-person" => "It is the same person. What had waited goes on.",
        "confirmed" => "The partner’s address and agreement are confirmed.",
        "moved-on" => "Nothing was changed: the referral had moved on. This is how it stands now.",
        "forbidden" => "Nothing was sent: this referral may not be sent to anybody as it stands.",
        _ => return None,
    })
}

/// The safety matters that were read, each kind once, with all the words that show it.
fn safety(matched: &Match) -> Vec<(&'static str, Vec<&str>)> {
    let mut all: Vec<(&'static str, Vec<&str>)> = Vec::new();
    for finding in &matched.safety {
        let (name, quote) = (words::safety(finding.kind), finding.evidence.quote.as_str());
        let known = all.iter().position(|(kind, _)| *kind == name).unwrap_or_else(|| {
            all.push((name, Vec::new()));
            all.len() - 1
        });
        if !quote.is_empty() && !all[known].1.contains(&quote) {
            all[known].1.push(quote);
        }
    }
    all
}

/// Safe contact, as it stands on top.
#[derive(Serialize)]
struct Contact {
    rule: &'static str,
    heading: &'static str,
    words: String,
}

fn contact(said: &SafeContact, episode: &Episode) -> Contact {
    let prohibited = episode.facts.contact_prohibited;
    let (rule, heading, words) = match said {
        SafeContact::Prohibited => ("prohibited", "Nobody may contact this person", "You arrange how."),
        _ if prohibited => ("prohibited", "Nobody may contact this person", "You arrange how."),
        SafeContact::Only(how) => ("only", "Contact only like this", how.as_str()),
        SafeContact::Unclear(words) => ("unclear", "Read before any contact", words.as_str()),
        SafeContact::Open => ("open", "No rule about contact was given", ""),
    };
    Contact { rule, heading, words: words.to_owned() }
}

/// The four scores before and after.
type Moments = (Option<crate::referral::Ons4>, Option<crate::referral::Ons4>);

/// A line of a summary list.
type Pair = (&'static str, String);

fn person(patient: &Patient, episode: &Episode, today: jiff::civil::Date) -> Vec<Pair> {
    let mut list: Vec<Pair> = Vec::new();
    let mut put = |label, value: Option<String>| list.extend(value.filter(|v| !v.is_empty()).map(|v| (label, v)));
    let born = patient.birth_date.map(|b| b.strftime("%-d %B %Y").to_string());
    let born = born.or_else(|| patient.birth_year.map(|y| y.to_string()));
    put("Born", born.map(|b| patient.age_on(today).map_or(b.clone(), |age| format!("{b} ({age})"))));
    put("NHS number", patient.nhs_number.as_ref().map(crate::referral::NhsNumber::spaced));
    let languages: Vec<&str> = patient.languages.iter().map(|l| l.name.as_str()).collect();
    put("Speaks", Some(languages.join(", ")));
    put("Interpreter", patient.interpreter.map(|yes| if yes { "needed".to_owned() } else { "not needed".to_owned() }));
    for point in patient.contacts.iter().filter(|_| !episode.facts.contact_prohibited) {
        let label = if point.system == ContactSystem::Email { "Email" } else { "Telephone" };
        let kind = point.kind.as_deref().map_or_else(String::new, |k| format!(" ({k})"));
        put(label, Some(format!("{}{kind}", point.value)));
    }
    let address =
        patient.address.as_ref().filter(|_| !patient.whereabouts_are_closed() && !episode.facts.contact_prohibited);
    put(
        "Lives at",
        address.map(|a| {
            a.lines.iter().cloned().chain(a.city.clone()).chain(a.postcode.clone()).collect::<Vec<_>>().join(", ")
        }),
    );
    let closed = match () {
        () if patient.restricted => Some("Restricted: where the person lives is not shown"),
        () if patient.deceased => Some("The person has died: where they lived is not shown"),
        () if patient.left_practice => Some("No longer registered at the practice: the address may be an old one"),
        () => None,
    };
    put("Record", closed.map(str::to_owned));
    list
}

/// Who somebody is, and nothing else about them.
fn identity(patient: &Patient) -> Vec<Pair> {
    let or = |value: Option<String>| value.unwrap_or_else(|| "not given".to_owned());
    let born = patient.birth_date.map(|b| b.strftime("%-d %B %Y").to_string());
    vec![
        ("Name", or(patient.name.clone())),
        ("NHS number", or(patient.nhs_number.as_ref().map(crate::referral::NhsNumber::spaced))),
        ("Born", or(born.or_else(|| patient.birth_year.map(|y| y.to_string())))),
    ]
}

/// What the practice measured stands for "before" until a partner has asked.
fn with_baseline((before, after): Moments, content: Option<&Referral>) -> Moments {
    (before.or_else(|| content.and_then(|c| c.baseline)), after)
}

fn scores((before, after): Moments) -> Vec<(&'static str, Option<u8>, Option<u8>)> {
    if before.is_none() && after.is_none() {
        return Vec::new();
    }
    let both = |of: fn(crate::referral::Ons4) -> crate::referral::Score| {
        (before.map(|s| of(s).into()), after.map(|s| of(s).into()))
    };
    [
        ("Satisfied with life", both(|s| s.satisfied)),
        ("Things are worthwhile", both(|s| s.worthwhile)),
        ("Happy yesterday", both(|s| s.happy)),
        ("Anxious yesterday (low is good)", both(|s| s.anxious)),
    ]
    .into_iter()
    .map(|(label, (b, a))| (label, b, a))
    .collect()
}

/// Something to look at, with its words.
#[derive(Serialize)]
struct Matter {
    key: String,
    tag: &'static str,
    tone: Tone,
    line: &'static str,
    words: Option<String>,
    from: Option<String>,
    since: When,
    can_settle: bool,
    /// Where it is uncertain who the person is: who was taken on, and who the practice names now.
    who: Option<(Vec<Pair>, Vec<Pair>)>,
}

/// Where it stood, its code, its words.
type Said = (&'static str, Option<String>, Vec<Stretch>);

/// The GP's words.
#[derive(Serialize)]
struct Words {
    requester: Option<String>,
    phone: Option<String>,
    authored: Option<When>,
    reasons: Vec<Said>,
    /// What else came with them in words or codes.
    beside: Vec<Said>,
    /// What came with them and could not be read.
    unread: Vec<String>,
    /// What was read in them, for whoever cannot hover: (words, rule).
    read: Vec<(String, String)>,
    consent: &'static str,
    sharing: &'static str,
    urgent: bool,
}

/// Everything the views of a page are made from.
pub(super) struct View<'a> {
    pub(super) app: &'a App,
    pub(super) episode: &'a Episode,
    pub(super) matched: Option<&'a Match>,
    pub(super) notes: &'a [NoteRow],
    pub(super) partners: &'a [Partner],
}

impl View<'_> {
    fn matters(&self, then_and_now: Option<&(Patient, Patient)>) -> Vec<Matter> {
        let mut all: Vec<_> = self.episode.attention.iter().collect();
        all.sort_by_key(|a| (a.kind, a.since));
        all.into_iter()
            .map(|matter| {
                let (tag, line) = words::attention(matter.kind);
                let offer = matter.offer.and_then(|id| self.episode.offer(id));
                let in_question = matter.kind == AttentionKind::AnotherPerson && self.episode.is_open();
                let who = then_and_now.filter(|_| matter.kind == AttentionKind::AnotherPerson);
                Matter {
                    key: matter_key(matter),
                    tag,
                    tone: if words::is_safety(matter.kind) { Tone::Safety } else { Tone::Waits },
                    line,
                    words: matter.note.and_then(|id| self.notes.iter().find(|n| n.id == id)).map(|n| n.words.clone()),
                    from: offer.map(|o| service_name(self.app, &o.service)),
                    since: when(matter.since, self.app.now()),
                    can_settle: matter.kind != AttentionKind::FilingRefused && !in_question,
                    who: who.map(|(then, now)| (identity(then), identity(now))),
                }
            })
            .collect()
    }

    fn words(&self, content: &Referral, now: jiff::Timestamp) -> Words {
        let needs = self.matched.iter().flat_map(|m| &m.needs);
        let mut quotes: Vec<Quote<'_>> = needs
            .flat_map(|need| need.shown_by.iter().map(move |e| (need, e)))
            .map(|(need, e)| Quote {
                words: &e.quote,
                rule: format!("Read as {}: {}", need_words(&need.need).to_lowercase(), e.rule),
                safety: false,
            })
            .collect();
        quotes.extend(self.matched.iter().flat_map(|m| &m.safety).map(|f| Quote {
            words: &f.evidence.quote,
            rule: format!("{}: {}", words::safety(f.kind), f.evidence.rule),
            safety: true,
        }));
        let said = |reason: &Reason| {
            let from = match reason.from {
                ReasonFrom::ReasonCode => "Reason",
                ReasonFrom::Condition => "From the record",
                ReasonFrom::Note => "Note",
                ReasonFrom::Instruction => "To whoever helps",
                ReasonFrom::Beside => "Came with it",
            };
            (from, reason.code.as_ref().map(|c| c.as_str().to_owned()), mark(&reason.text, &quotes))
        };
        Words {
            requester: content.requester.as_ref().map(|r| r.name.clone()),
            phone: content.requester.as_ref().and_then(|r| r.phone.clone()),
            authored: content.authored.map(|at| when(at, now)),
            reasons: content.reasons.iter().map(said).collect(),
            beside: content.beside.iter().map(said).collect(),
            unread: content.unread.iter().map(ToString::to_string).collect(),
            read: quotes.iter().map(|q| (q.words.to_owned(), q.rule.clone())).filter(|(w, _)| !w.is_empty()).collect(),
            consent: match content.consent {
                Consent::Given => "The person agreed",
                Consent::Declined => "The person said no",
                Consent::NotRecorded => "No agreement is recorded",
                Consent::Unreadable => "A record of consent is named that the practice’s system does not give",
            },
            sharing: match content.sharing {
                Sharing::Full => "Codes, scores and words may go back to the GP",
                Sharing::CodesOnly => "Only codes may go back to the GP",
                Sharing::Nothing => "Nothing may go back to the GP",
            },
            urgent: content.priority > crate::referral::content::Priority::Routine,
        }
    }
}

/// A service as the directory names it.
pub(super) fn service_name(app: &App, id: &ServiceId) -> String {
    app.service.directory().get(id).map_or_else(|| format!("a service no longer listed ({id})"), |s| s.name.clone())
}

/// What a form calls the one matter it is about: no other matter of the referral has the same.
pub(super) fn matter_key(matter: &Attention) -> String {
    let kind = serde_json::to_string(&matter.kind).unwrap_or_default();
    let about = matter.offer.map(|o| o.to_string()).unwrap_or_default();
    let words = matter.note.map(|n| n.to_string()).unwrap_or_default();
    format!("{}.{}.{about}.{words}", kind.trim_matches('"'), matter.since.as_millisecond())
}
