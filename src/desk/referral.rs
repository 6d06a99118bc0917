//! One referral: safe contact, the GP's words with what was read in them, each need and who could help, and on the right
//! what happened. Opening it writes down who looked and stops its alerts; nothing else.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use serde::{Deserialize, Serialize};

use super::marks::{Quote, Stretch, mark};
use super::session::SignedIn;
use super::timeline;
use super::words::{self, Tone};
use crate::matching::{Candidate, Match, NeedMatch, Reasoned};
use crate::partner::offering::partner_of;
use crate::referral::content::{Consent, ContactSystem, ReasonFrom};
use crate::referral::episode::{AttentionKind, Episode, Need, NeedState, Offer, OfferStatus};
use crate::referral::lifecycle::forbids_everybody;
use crate::referral::{Patient, ProgrammeId, Referral, SafeContact, ServiceId, Sharing};
use crate::store::{NoteRow, Partner};
use crate::web::pages::{self, fill};
use crate::web::when::{When, day, when};
use crate::web::{App, PageError, need_words};

/// Candidates shown at once; the others are in a `details`.
const FIRST: usize = 5;

#[derive(Deserialize)]
pub(super) struct After {
    /// What the form that led here did, one of [`flash`]'s words.
    done: Option<String>,
}

/// GET.
pub(super) async fn show(
    State(app): State<App>,
    who: SignedIn,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Html<String>, PageError> {
    let standing = who.standing(&app, &id).await?;
    let (id, now) = (standing.episode.id, app.now());
    let mut tx = app.service.store.begin().await?;
    tx.audit(&standing.episode.programme, Some(id), who.user().as_str(), "opened the referral", now).await?;
    tx.open_alerts_of(id, who.user(), now).await?;
    tx.commit().await?;
    let store = &app.service.store;
    let content = store.content(id).await?;
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
            matters => view.matters(),
            contact => content.as_ref().map(|c| contact(c, &standing.episode)),
            person => content.as_ref().map(|c| person(&c.patient, &standing.episode, app.service.clock.today())),
            referral => content.as_ref().map(|c| view.words(c, now)),
            safety => matched.iter().flat_map(|m| &m.safety)
                .map(|f| (words::safety(f.kind), f.evidence.quote.clone())).collect::<Vec<_>>(),
            needs => standing.episode.needs.iter().map(|need| view.need(need)).collect::<Vec<_>>(),
            scores => scores(store.scores(id).await?),
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
        "confirmed" => "The partner’s address and agreement are confirmed.",
        "moved-on" => "Nothing was changed: the referral had moved on. This is how it stands now.",
        "forbidden" => "Nothing was sent: this referral may not be sent to anybody as it stands.",
        _ => return None,
    })
}

/// Safe contact, as it stands on top.
#[derive(Serialize)]
struct Contact {
    rule: &'static str,
    heading: &'static str,
    words: String,
}

fn contact(referral: &Referral, episode: &Episode) -> Contact {
    let prohibited = episode.facts.contact_prohibited;
    let (rule, heading, words) = match &referral.safe_contact {
        SafeContact::Prohibited => ("prohibited", "Nobody may contact this person", "You arrange how."),
        _ if prohibited => ("prohibited", "Nobody may contact this person", "You arrange how."),
        SafeContact::Only(how) => ("only", "Contact only like this", how.as_str()),
        SafeContact::Unclear(words) => ("unclear", "Read before any contact", words.as_str()),
        SafeContact::Open => ("open", "No rule about contact was given", ""),
    };
    Contact { rule, heading, words: words.to_owned() }
}

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
    let address = patient.address.as_ref().filter(|_| !patient.restricted && !episode.facts.contact_prohibited);
    put(
        "Lives at",
        address.map(|a| {
            a.lines.iter().cloned().chain(a.city.clone()).chain(a.postcode.clone()).collect::<Vec<_>>().join(", ")
        }),
    );
    if patient.restricted {
        put("Record", Some("Restricted: where the person lives is not shown".to_owned()));
    }
    list
}

fn scores(
    (before, after): (Option<crate::referral::Ons4>, Option<crate::referral::Ons4>),
) -> Vec<(&'static str, Option<u8>, Option<u8>)> {
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
    kind: String,
    offer: Option<String>,
    tag: &'static str,
    tone: Tone,
    line: &'static str,
    words: Option<String>,
    from: Option<String>,
    since: When,
    can_settle: bool,
}

/// The GP's words.
#[derive(Serialize)]
struct Words {
    requester: Option<String>,
    phone: Option<String>,
    authored: Option<When>,
    reasons: Vec<(&'static str, Option<String>, Vec<Stretch>)>,
    consent: &'static str,
    sharing: &'static str,
    urgent: bool,
}

/// One need as the page shows it.
#[derive(Serialize)]
struct NeedView {
    code: String,
    name: String,
    tag: &'static str,
    tone: Tone,
    line: &'static str,
    since: When,
    open: bool,
    /// The service that would be asked, where one is proposed.
    proposed: Option<CandidateView>,
    offers: Vec<OfferView>,
    candidates: Vec<CandidateView>,
    more: Vec<CandidateView>,
    excluded: Vec<(String, String, Option<String>)>,
    may_offer: bool,
    may_put_back: bool,
    may_keep_back: bool,
    may_support: bool,
}

/// One offer as the page shows it.
#[derive(Serialize)]
struct OfferView {
    service: String,
    partner: Option<String>,
    reference: String,
    says: String,
    reply_by: Option<When>,
    made: When,
    booked: bool,
}

/// One candidate as the page shows it.
#[derive(Serialize)]
pub(super) struct CandidateView {
    service: String,
    name: String,
    organisation: String,
    partner: String,
    why: Vec<Reasoned>,
    careful: Vec<Reasoned>,
    how: Option<String>,
    distance: Option<String>,
    listed: bool,
    tried: Option<&'static str>,
    /// `confirmed`, `bad`, `unconfirmed`.
    confirmation: &'static str,
    confirmation_line: String,
    takes_email: bool,
}

/// Everything the views of a page are made from.
struct View<'a> {
    app: &'a App,
    episode: &'a Episode,
    matched: Option<&'a Match>,
    notes: &'a [NoteRow],
    partners: &'a [Partner],
}

impl View<'_> {
    fn matters(&self) -> Vec<Matter> {
        let mut all: Vec<_> = self.episode.attention.iter().collect();
        all.sort_by_key(|a| (a.kind, a.since));
        all.into_iter()
            .map(|matter| {
                let (tag, line) = words::attention(matter.kind);
                let offer = matter.offer.and_then(|id| self.episode.offer(id));
                Matter {
                    kind: kind_word(matter.kind),
                    offer: matter.offer.map(|o| o.to_string()),
                    tag,
                    tone: if words::is_safety(matter.kind) { Tone::Safety } else { Tone::Waits },
                    line,
                    words: matter.note.and_then(|id| self.notes.iter().find(|n| n.id == id)).map(|n| n.words.clone()),
                    from: offer.map(|o| self.service_name(&o.service)),
                    since: when(matter.since, self.app.now()),
                    can_settle: matter.kind != AttentionKind::FilingRefused,
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
        let reasons = content
            .reasons
            .iter()
            .map(|reason| {
                let from = match reason.from {
                    ReasonFrom::ReasonCode => "Reason",
                    ReasonFrom::Condition => "From the record",
                    ReasonFrom::Note => "Note",
                    ReasonFrom::Instruction => "To whoever helps",
                };
                (from, reason.code.as_ref().map(|c| c.as_str().to_owned()), mark(&reason.text, &quotes))
            })
            .collect();
        Words {
            requester: content.requester.as_ref().map(|r| r.name.clone()),
            phone: content.requester.as_ref().and_then(|r| r.phone.clone()),
            authored: content.authored.map(|at| when(at, now)),
            reasons,
            consent: match content.consent {
                Consent::Given => "The person agreed",
                Consent::Declined => "The person said no",
                Consent::NotRecorded => "No agreement is recorded",
            },
            sharing: match content.sharing {
                Sharing::Full => "Codes, scores and words may go back to the GP",
                Sharing::CodesOnly => "Only codes may go back to the GP",
                Sharing::Nothing => "Nothing may go back to the GP",
            },
            urgent: content.priority > crate::referral::content::Priority::Routine,
        }
    }

    fn need(&self, need: &Need) -> NeedView {
        let (tag, line, tone) = words::need(&need.state);
        let read = self.matched.and_then(|m| m.needs.iter().find(|n| n.need == need.code));
        let all: Vec<CandidateView> =
            read.iter().flat_map(|n| &n.candidates).map(|c| self.candidate(c, &need.code)).collect();
        let proposed =
            if let NeedState::Proposed(id) = &need.state { Some(self.proposed(id, read, &need.code)) } else { None };
        let (mut candidates, mut more) = (Vec::new(), Vec::new());
        for candidate in all {
            if proposed.as_ref().is_some_and(|p| p.service == candidate.service) {
                continue;
            }
            if candidates.len() < FIRST { candidates.push(candidate) } else { more.push(candidate) }
        }
        let excluded = read
            .iter()
            .flat_map(|n| &n.excluded)
            .map(|e| (self.service_name(&e.service), e.why.sentence.clone(), e.why.quote.clone()));
        let excluded = excluded.collect();
        let taken = self.episode.open_offer(&need.code).is_some_and(|o| o.status != OfferStatus::Requested);
        let open = !need.state.is_final();
        let forbidden = self.episode.facts.hold.is_some_and(forbids_everybody);
        let waits = matches!(need.state, NeedState::Held(_) | NeedState::Proposed(_));
        NeedView {
            code: need.code.to_string(),
            name: need_words(&need.code),
            tag,
            tone,
            line,
            since: when(need.since, self.app.now()),
            open,
            proposed,
            offers: self.episode.offers.iter().filter(|o| o.need == need.code).map(|o| self.offer(o)).collect(),
            candidates,
            more,
            excluded,
            may_offer: waits && !forbidden,
            may_put_back: open && !taken && need.state != NeedState::Received,
            may_keep_back: open && !taken && need.state != NeedState::Held(crate::referral::episode::Hold::Coordinator),
            may_support: open && !taken && !matches!(need.state, NeedState::Supported(_)),
        }
    }

    fn proposed(&self, id: &ServiceId, read: Option<&NeedMatch>, need: &crate::referral::NeedCode) -> CandidateView {
        let known = read.and_then(|n| n.candidates.iter().find(|c| c.service == *id));
        let bare = || Candidate {
            service: id.clone(),
            why: Vec::new(),
            careful: Vec::new(),
            distance_km: None,
            takes_email: true,
        };
        self.candidate(&known.cloned().unwrap_or_else(bare), need)
    }

    fn candidate(&self, candidate: &Candidate, need: &crate::referral::NeedCode) -> CandidateView {
        candidate_view(
            self.app,
            &self.episode.programme,
            self.partners,
            candidate,
            self.tried(&candidate.service, need),
        )
    }

    fn tried(&self, service: &ServiceId, need: &crate::referral::NeedCode) -> Option<&'static str> {
        let last = self.episode.offers.iter().rfind(|o| o.service == *service && o.need == *need);
        last.map(|o| words::offer(o.status))
    }

    fn offer(&self, offer: &Offer) -> OfferView {
        let says = match offer.status {
            OfferStatus::Rejected(why) | OfferStatus::Failed(why) => {
                format!("{}: {}", words::offer(offer.status), words::reason(why))
            }
            status => words::offer(status).to_owned(),
        };
        OfferView {
            service: self.service_name(&offer.service),
            partner: self.partners.iter().find(|p| p.id == offer.partner).map(|p| p.name.clone()),
            reference: offer.id.reference(),
            says,
            reply_by: (offer.status == OfferStatus::Requested).then(|| day(offer.reply_by, self.app.now())),
            made: when(offer.made, self.app.now()),
            booked: offer.booked,
        }
    }

    fn service_name(&self, id: &ServiceId) -> String {
        service_name(self.app, id)
    }
}

/// A service as the directory names it.
pub(super) fn service_name(app: &App, id: &ServiceId) -> String {
    app.service.directory().get(id).map_or_else(|| format!("a service no longer listed ({id})"), |s| s.name.clone())
}

/// The kebab-case word of a matter, as forms carry it.
pub(super) fn kind_word(kind: AttentionKind) -> String {
    serde_json::to_string(&kind).unwrap_or_default().trim_matches('"').to_owned()
}

/// A candidate with what is known of its partner.
pub(super) fn candidate_view(
    app: &App,
    programme: &ProgrammeId,
    partners: &[Partner],
    candidate: &Candidate,
    tried: Option<&'static str>,
) -> CandidateView {
    let directory = app.service.directory();
    let service = directory.get(&candidate.service);
    let partner_id = service.map(partner_of);
    let known = partner_id.as_ref().and_then(|id| partners.iter().find(|p| p.id == *id));
    let (confirmation, confirmation_line) = confirmation(app, known);
    let back = service.map(|s| s.organisation.name.clone()).unwrap_or_default();
    CandidateView {
        service: candidate.service.to_string(),
        name: service_name(app, &candidate.service),
        organisation: back,
        partner: url::form_urlencoded::Serializer::new(String::new())
            .append_pair("programme", programme.as_str())
            .append_pair("service", candidate.service.as_str())
            .finish(),
        why: candidate.why.clone(),
        careful: candidate.careful.clone(),
        how: service.and_then(|s| s.application_process.clone()).map(|how| how.chars().take(400).collect()),
        distance: candidate
            .distance_km
            .map(|km| if km < 1.0 { "less than 1 km away".to_owned() } else { format!("{km:.0} km away") }),
        listed: service.is_some(),
        tried,
        confirmation,
        confirmation_line,
        takes_email: candidate.takes_email,
    }
}

fn confirmation(app: &App, partner: Option<&Partner>) -> (&'static str, String) {
    match partner {
        Some(Partner { bad: Some((since, _)), .. }) => {
            ("bad", format!("Mail to this partner has come back since {}.", when(*since, app.now()).say))
        }
        Some(Partner { confirmed: Some((by, at)), .. }) => {
            ("confirmed", format!("Address and agreement confirmed by {by}, {}.", when(*at, app.now()).say))
        }
        _ => ("unconfirmed", "Nobody has confirmed this partner’s address and agreement yet.".to_owned()),
    }
}
