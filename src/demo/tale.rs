//! What came of a referral, in words: the road it travelled, where it stands, and what the practice's record says now.
//!
//! The table of `demo --once` and the demo's pages both read a referral through this; it looks at the ledger and at the
//! pretend practice's record, and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::DemoError;
use super::practice::PretendPractice;
use super::stage::Stage;
use crate::desk::words;
use crate::referral::episode::{Actor, Episode, NeedState, OfferStatus, UNREAD};
use crate::referral::event::{Event, OfferMail, PartnerSaid, Place};
use crate::referral::{NeedCode, OfferId, ReferralId};
use crate::store::{ListFilter, Recorded, ReferralRow};
use crate::web::need_words;

/// One referral as it stands.
#[derive(Clone, Debug)]
pub struct Tale {
    /// Ours.
    pub id: ReferralId,
    /// Its request at the practice: a story's id.
    pub request: String,
    /// The practice.
    pub practice: String,
    /// As the practice names the person; none where that cannot be read.
    pub name: Option<String>,
    /// The needs, the main one first.
    pub needs: Vec<String>,
    /// The road travelled: "offered → declined (no room at the moment) → offered → accepted".
    pub road: String,
    /// Where it stands, in words.
    pub state: String,
    /// Mails about it that left us.
    pub mails: usize,
    /// What the record says, in words.
    pub record: String,
    /// Where it stands, whole.
    pub episode: Episode,
}

impl Stage {
    /// Every referral, in the order in which they came.
    pub async fn tales(&self) -> Result<Vec<Tale>, DemoError> {
        let mut rows = self.service.store.list(&ListFilter::default()).await?;
        rows.sort_by_key(|row| row.id);
        let mut tales = Vec::with_capacity(rows.len());
        for row in rows {
            tales.push(self.tale_of(row).await?);
        }
        Ok(tales)
    }

    /// The referral made of this request of a practice; none where it has not come yet.
    pub async fn tale(&self, practice: &str, request: &str) -> Result<Option<Tale>, DemoError> {
        let rows = self.service.store.list(&ListFilter::default()).await?;
        match rows.into_iter().find(|row| row.practice.as_str() == practice && row.request == request) {
            Some(row) => Ok(Some(self.tale_of(row).await?)),
            None => Ok(None),
        }
    }

    async fn tale_of(&self, row: ReferralRow) -> Result<Tale, DemoError> {
        let events = self.service.store.events(row.id).await?;
        let mails = self.service.store.mails(row.id).await?;
        let practice = row.practice.to_string();
        let record = self.practice(&practice).map(|p| record(p, &row.request)).unwrap_or_default();
        Ok(Tale {
            id: row.id,
            name: row.content.and_then(|content| content.patient.name),
            needs: row.episode.needs.iter().map(|need| need.code.to_string()).collect(),
            road: road(&row.episode, &events),
            state: state(&row.episode),
            mails: mails.iter().filter(|mail| mail.state == "sent").count(),
            record,
            request: row.request,
            practice,
            episode: row.episode,
        })
    }
}

/// Where it stands: one phrase a need.
fn state(episode: &Episode) -> String {
    let one = |state: &NeedState| match state {
        NeedState::Received => "being read".to_owned(),
        NeedState::Held(why) => format!("held ({})", lower(words::hold(*why).0)),
        NeedState::Proposed(_) => "to approve".to_owned(),
        NeedState::Offered(offer) => match episode.offer(*offer).map(|o| (o.status, o.booked)) {
            Some((OfferStatus::Accepted, true)) => "first date agreed".to_owned(),
            Some((OfferStatus::Accepted, false)) => "partner said yes".to_owned(),
            Some((OfferStatus::OnHold, _)) => "paused".to_owned(),
            _ => "partner asked".to_owned(),
        },
        NeedState::Supported(_) => "supported".to_owned(),
        NeedState::Closed(_) => "closed".to_owned(),
        NeedState::Withdrawn => "withdrawn".to_owned(),
    };
    each(episode.needs.iter().map(|need| (need.code.clone(), one(&need.state))))
}

/// The road travelled: one line a need, its steps in order.
fn road(episode: &Episode, events: &[Recorded]) -> String {
    let mut roads = Roads { steps: Vec::new(), of_offer: BTreeMap::new() };
    roads.of_offer = episode.offers.iter().map(|offer| (offer.id, offer.need.clone())).collect();
    for recorded in events {
        roads.take(&recorded.event);
    }
    let matched = episode.needs.iter().any(|need| need.code.as_str() != UNREAD);
    let lines = roads.steps.into_iter().filter(|(need, _)| !matched || need.as_str() != UNREAD);
    each(lines.map(|(need, steps)| (need, steps.join(" → "))))
}

struct Roads {
    steps: Vec<(NeedCode, Vec<String>)>,
    of_offer: BTreeMap<OfferId, NeedCode>,
}

impl Roads {
    fn of(&mut self, need: &NeedCode) -> &mut Vec<String> {
        let at = self.steps.iter().position(|(known, _)| known == need).unwrap_or_else(|| {
            self.steps.push((need.clone(), Vec::new()));
            self.steps.len() - 1
        });
        &mut self.steps[at].1
    }

    fn step(&mut self, need: &NeedCode, step: impl Into<String>) {
        let (steps, step) = (self.of(need), step.into());
        if steps.last() != Some(&step) {
            steps.push(step);
        }
    }

    fn offer_step(&mut self, offer: OfferId, step: impl Into<String>) {
        if let Some(need) = self.of_offer.get(&offer).cloned() {
            self.step(&need, step);
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Received { facts, .. } => {
                if let Some(why) = facts.hold {
                    self.step(&NeedCode::from(UNREAD), format!("held ({})", lower(words::hold(why).0)));
                }
            }
            Event::Matched { needs, .. } => {
                for placed in needs {
                    match &placed.place {
                        Place::Propose(_) => self.step(&placed.need, "proposed"),
                        Place::Hold(why) => self.step(&placed.need, format!("held ({})", lower(words::hold(*why).0))),
                    }
                }
            }
            Event::Offered { need, by, .. } => {
                let steps = self.of(need);
                // A proposal that somebody acted on is told by what was done.
                let proposed = steps.pop_if(|last| last == "proposed").is_some();
                let done = match by {
                    Actor::Coordinator(_) if proposed => "approved by the coordinator → offered",
                    Actor::Coordinator(_) => "offered by the coordinator",
                    _ => "offered",
                };
                steps.push(done.to_owned());
            }
            Event::Undeliverable { offer, mail: OfferMail::Offer } => self.offer_step(*offer, "undeliverable"),
            Event::Reminded { offer } => self.offer_step(*offer, "reminded"),
            Event::Lapsed { offer } => self.offer_step(*offer, "unanswered"),
            Event::Partner { offer, said, .. } => {
                if let Some(step) = said_step(*said) {
                    self.offer_step(*offer, step);
                }
            }
            Event::Decided { need, decision, .. } => self.step(need, lower(words::decision(*decision))),
            Event::Withdrawn { .. } => {
                for (_, steps) in &mut self.steps {
                    steps.push("withdrawn".to_owned());
                }
            }
            _ => {}
        }
    }
}

fn said_step(said: PartnerSaid) -> Option<String> {
    Some(match said {
        PartnerSaid::Accepted => "accepted".to_owned(),
        PartnerSaid::Rejected(why) => format!("declined ({})", words::reason(why)),
        PartnerSaid::Booked => "first date".to_owned(),
        PartnerSaid::Started => "started".to_owned(),
        PartnerSaid::OnHold => "paused".to_owned(),
        PartnerSaid::Finished => "finished".to_owned(),
        PartnerSaid::Failed(why) => format!("could not help ({})", words::reason(why)),
        PartnerSaid::Asked | PartnerSaid::DidNotAttend => return None,
    })
}

/// One need needs no name beside it; several do.
fn each(lines: impl Iterator<Item = (NeedCode, String)>) -> String {
    let lines: Vec<(NeedCode, String)> = lines.collect();
    match lines.as_slice() {
        [(_, only)] => only.clone(),
        many => many.iter().map(|(need, line)| format!("{}: {line}", need_words(need))).collect::<Vec<_>>().join("; "),
    }
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    // "NHS number wrong" keeps its capitals.
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => words.to_owned(),
    }
}

/// What a practice's record says of a request, in one line.
fn record(practice: &PretendPractice, request: &str) -> String {
    let about = About::of(practice, request);
    let mut said = Vec::new();
    if let Some(task) = about.task() {
        let status = task["status"].as_str().unwrap_or("?");
        let business = task["businessStatus"]["coding"][0]["code"].as_str();
        said.push(business.map_or_else(|| format!("Task {status}"), |code| format!("Task {status} {code}")));
    }
    match about.documents.len() {
        0 => {}
        1 => said.push("1 letter".to_owned()),
        many => said.push(format!("{many} letters")),
    }
    let scores: Vec<String> = about.scores().map(|(when, [a, b, c, d])| format!("{when} {a}/{b}/{c}/{d}")).collect();
    if !scores.is_empty() {
        said.push(format!("scores {}", scores.join(", ")));
    }
    if !about.procedures.is_empty() {
        said.push("referral coded".to_owned());
    }
    said.join(" · ")
}

/// Everything in a practice's record that belongs to one request.
#[derive(Debug)]
pub struct About {
    /// The request itself.
    pub request: Option<Value>,
    /// Coordination Tasks; one, if all is well.
    pub tasks: Vec<Value>,
    /// Messages back to the GP.
    pub documents: Vec<Value>,
    /// Wellbeing scores and coded observations.
    pub observations: Vec<Value>,
    /// Referral to social prescribing, coded.
    pub procedures: Vec<Value>,
}

impl About {
    /// Gathers it.
    pub fn of(practice: &PretendPractice, request: &str) -> Self {
        let reference = Value::from(format!("ServiceRequest/{request}"));
        let refers = |value: &Value| value["reference"] == reference;
        let any = |list: &Value| list.as_array().is_some_and(|all| all.iter().any(refers));
        let of = |kind: &str, fits: &dyn Fn(&Value) -> bool| -> Vec<Value> {
            practice.all(kind).into_iter().filter(|resource| fits(resource)).collect()
        };
        Self {
            request: practice.resource("ServiceRequest", request),
            tasks: of("Task", &|task| refers(&task["focus"])),
            documents: of("DocumentReference", &|document| any(&document["context"]["related"])),
            observations: of("Observation", &|observation| any(&observation["basedOn"])),
            procedures: of("Procedure", &|procedure| any(&procedure["basedOn"])),
        }
    }

    /// The coordination Task.
    pub fn task(&self) -> Option<&Value> {
        self.tasks.first()
    }

    /// Wellbeing scores with their moment, before first.
    pub fn scores(&self) -> impl Iterator<Item = (&'static str, [u64; 4])> {
        let read = |observation: &Value| {
            let numbers = observation["component"].as_array()?;
            let mut scores = [0; 4];
            for (at, score) in scores.iter_mut().enumerate() {
                *score = numbers.get(at)?["valueInteger"].as_u64()?;
            }
            let after = observation["note"][0]["text"].as_str().is_some_and(|words| words.starts_with("After"));
            Some((if after { "after" } else { "before" }, scores))
        };
        let mut scores: Vec<(&'static str, [u64; 4])> = self.observations.iter().filter_map(read).collect();
        scores.sort_by_key(|(when, _)| *when == "after");
        scores.into_iter()
    }
}
