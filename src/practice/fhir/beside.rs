//! Every word and code that came with a request, wherever it stands: read for safety and contact beside the reasons.
//!
//! A GP's system may put "suicidal thoughts" into a further display, an answer, a value, a narrative or an attached
//! resource. So nothing is picked here: the whole of the request, of its Tasks and of what they lead to is walked, but
//! for what only machines read and what names people and places. What is attached and cannot be read is said.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::answers;
use super::codes::SNOMED;
use super::consent;
use super::intake::Reader;
use super::json::{self, text};
use super::patient;
use super::request::{is_void, words};
use super::resolver::Target;
use crate::directory::plain::plain;
use crate::referral::SnomedCode;
use crate::referral::content::{Reason, ReasonFrom, Unread, WhyUnread};

/// Parts that only machines read.
const MACHINE: &str = "resourceType id meta implicitRules language identifier requisition url reference system version \
    status intent priority use linkId unit comparator mode contentType hash data valueCode valueUri valueUrl \
    valueCanonical valueOid valueUuid valueId valueBase64Binary instantiatesCanonical instantiatesUri \
    questionnaire modifierExtension contained";
/// Parts that name people and places, or lead back to where the request came from.
const AROUND: &str = "subject patient requester performer author authorReference authorString recorder asserter owner for \
    who informant source sender recipient participant custodian authenticator attester verifier name \
    telecom address contact serviceProvider generalPractitioner managingOrganization organization actor \
    location locationReference encounter context basedOn partOf replaces focus insurance specimen device \
    relevantHistory restriction";
/// What of a Task says how we left it.
const OURS: &str = "output statusReason businessStatus";
/// What of a Consent `consent` reads.
const AGREED: &str = "scope category policy policyRule provision verification sourceAttachment sourceReference";
/// Resources that tell nothing about the person's troubles.
const NAMES: &str = "Patient Practitioner PractitionerRole Organization RelatedPerson Location HealthcareService Endpoint \
    CareTeam Group Device Coverage Appointment Schedule Slot";
/// What a Task is for, in FHIR's own words.
const TASK_CODE: &str = "http://hl7.org/fhir/CodeSystem/task-code";
/// What leads on leads no further than so.
const DEEPEST: u8 = 4;

/// What came with a request beside its reasons.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) said: Vec<Reason>,
    pub(super) unread: Vec<Unread>,
    /// One of it bears a restricting label.
    pub(super) restricted: bool,
}

/// What a part of a resource is to the walk.
fn is_walked(kind: &str, part: &str) -> bool {
    let apart = match kind {
        "Task" => OURS,
        "Consent" => AGREED,
        _ => "",
    };
    ![MACHINE, AROUND, apart].iter().any(|list| is_among(list, part))
}

fn is_among(list: &str, word: &str) -> bool {
    list.split_whitespace().any(|one| one == word)
}

/// Every reference in a resource that leads to more of what came with it.
pub(super) fn leads(resource: &Value) -> Vec<&Value> {
    fn walk<'a>(kind: &str, value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| walk(kind, one, found)),
            Value::Object(_) if is_reference(value) => found.push(value),
            Value::Object(parts) => {
                parts.iter().filter(|(part, _)| is_walked(kind, part)).for_each(|(_, v)| walk(kind, v, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(json::kind(resource), resource, &mut found);
    found
}

/// Whether a resource of this type is about the person's troubles, as far as its type says.
pub(super) fn tells(kind: &str) -> bool {
    !is_among(NAMES, kind)
}

fn is_reference(value: &Value) -> bool {
    value["reference"].is_string() || (value["identifier"].is_object() && value["resourceType"].is_null())
}

impl Reader<'_> {
    /// Walks the request, its Tasks and all they lead to; what the reasons say already is not said again.
    pub(super) fn beside(&self, request: &Value, task: Option<&Value>, reasons: &[Reason]) -> Beside {
        let mut walk = Walk {
            reader: self,
            request,
            reasons,
            found: Beside::default(),
            seen: Vec::new(),
            unread: BTreeSet::new(),
        };
        walk.resource(request, request, 0);
        let mut about: Vec<&Value> = self.known.tasks_about(request).map(|t| &t.value).collect();
        about.sort_by_key(|t| text(&t["id"]));
        for task in task.into_iter().chain(about) {
            walk.resource(task, task, 0);
        }
        walk.found.unread = walk.unread.into_iter().collect();
        walk.found
    }
}

struct Walk<'a> {
    reader: &'a Reader<'a>,
    request: &'a Value,
    reasons: &'a [Reason],
    found: Beside,
    seen: Vec<&'a Value>,
    unread: BTreeSet<Unread>,
}

impl<'a> Walk<'a> {
    /// One resource, once, and what it contains; what is known to be a mistake says nothing.
    fn resource(&mut self, resource: &'a Value, container: &'a Value, depth: u8) {
        let kind = json::kind(resource);
        if is_void(resource) || !tells(kind) || self.seen.contains(&resource) {
            return;
        }
        self.seen.push(resource);
        self.found.restricted |= patient::is_restricted(resource, self.reader.mappings);
        if depth > 0 && json::is_modified(resource) {
            self.cannot_read(kind, WhyUnread::ChangesMeaning);
        }
        let at = Place { kind, container, depth };
        if let Some(parts) = resource.as_object() {
            self.parts(parts, at, "");
        }
        for inside in json::list(&resource["contained"]).filter(|r| json::kind(r) != "Consent") {
            self.resource(inside, container, depth + 1);
        }
    }

    /// The parts of an object. `asked` is what the groups around it ask, where it is part of a form.
    fn parts(&mut self, parts: &'a Map<String, Value>, at: Place<'a>, asked: &str) {
        if parts.contains_key("contentType") || parts.contains_key("data") {
            self.document(parts, at);
        }
        let form = answers::of(parts, asked);
        for line in &form.lines {
            self.say(line);
        }
        for (part, value) in parts.iter().filter(|(part, _)| is_walked(at.kind, part)) {
            match value {
                // A question that was answered with a no says nothing of the person.
                _ if form.taken.contains(&part.as_str()) => {}
                Value::String(word) if part != "code" && part != "type" => self.string(part, word, at),
                Value::String(_) => {}
                other => self.value(part, other, at, &form.asked),
            }
        }
    }

    fn value(&mut self, part: &str, value: &'a Value, at: Place<'a>, asked: &str) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| self.value(part, one, at, asked)),
            Value::String(word) => self.string(part, word, at),
            Value::Object(_) if is_reference(value) => self.reference(value, at),
            Value::Object(_) if self.is_standard(value) => {}
            Value::Object(parts) => {
                if is_elsewhere(part, value) {
                    self.cannot_read(at.kind, WhyUnread::Document);
                }
                self.code(value);
                self.parts(parts, at, asked);
            }
            _ => {}
        }
    }

    fn string(&mut self, part: &str, word: &str, at: Place<'a>) {
        if part != "div" {
            self.say(word);
        // A form's narrative repeats every question, whatever the answer; a Consent has a reader of its own.
        } else if !matches!(at.kind, "QuestionnaireResponse" | "Consent") {
            self.say(&plain(word));
        }
    }

    /// What a reference says, and what lies behind it.
    fn reference(&mut self, reference: &'a Value, at: Place<'a>) {
        let target = self.reader.known.target(reference);
        let named = match &target {
            Target::Local(kind, _) => kind.as_str(),
            _ => text(&reference["type"]).unwrap_or(""),
        };
        let behind = self.reader.known.follow(reference, at.container);
        let kind = behind.map_or(named, json::kind);
        if !tells(kind) {
            return;
        }
        if let Some(display) = text(&reference["display"]) {
            self.say(display);
        }
        match behind {
            Some(found) if std::ptr::eq(found, self.request) || is_void(found) => {}
            Some(found) if !self.reader.same_subject(found, self.request) => {
                self.cannot_read(kind, WhyUnread::AnotherPatient);
            }
            Some(_) if at.depth >= DEEPEST => self.cannot_read(kind, WhyUnread::TooFar),
            Some(found) => {
                let container = if matches!(target, Target::Contained(_)) { at.container } else { found };
                self.resource(found, container, at.depth + 1);
            }
            // One that may say no is not overlooked: `consent` holds the referral.
            None if consent::is_named_by(reference) => {}
            None if target == Target::Foreign => self.cannot_read(kind, WhyUnread::Elsewhere),
            None => self.cannot_read(kind, WhyUnread::Missing),
        }
    }

    /// A document within the resource: read where it is plain words.
    fn document(&mut self, parts: &Map<String, Value>, at: Place<'a>) {
        let kind = parts.get("contentType").and_then(text).unwrap_or("").to_ascii_lowercase();
        let data = parts.get("data").and_then(text).filter(|_| kind.starts_with("text/"));
        let words = data.and_then(|d| STANDARD.decode(d).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
        match words {
            Some(words) if kind.starts_with("text/html") => self.say(&plain(&words)),
            Some(words) => self.say(&words),
            None => self.cannot_read(at.kind, WhyUnread::Document),
        }
    }

    /// A standard code of ours, whose display says nothing of the person.
    fn is_standard(&self, coding: &Value) -> bool {
        let (system, code) = (text(&coding["system"]).unwrap_or(""), text(&coding["code"]).unwrap_or(""));
        system == TASK_CODE || self.reader.mappings.is_standard(system, code)
    }

    /// The code of a Coding, with its own display.
    fn code(&mut self, coding: &Value) {
        let system = text(&coding["system"]).unwrap_or("");
        let Some(code) = text(&coding["code"]).filter(|_| system == SNOMED || system.is_empty()) else { return };
        if let Ok(snomed) = SnomedCode::parse(code) {
            let said = text(&coding["display"]).unwrap_or(code).to_owned();
            self.keep(Reason { from: ReasonFrom::Beside, code: Some(snomed), text: said });
        }
    }

    fn say(&mut self, said: &str) {
        let said = said.trim();
        // Dates, numbers and single letters are no words.
        if said.as_bytes().windows(2).any(|w| w.iter().all(u8::is_ascii_alphabetic)) || !said.is_ascii() {
            self.keep(words(ReasonFrom::Beside, said));
        }
    }

    fn keep(&mut self, new: Reason) {
        let bare = new.code.as_ref().is_some_and(|code| code.as_str() == new.text);
        let is_said = |r: &Reason| (bare || r.text == new.text) && (new.code.is_none() || r.code == new.code);
        if !self.reasons.iter().chain(&self.found.said).any(is_said) {
            self.found.said.push(new);
        }
    }

    /// A type of resource is no personal data; what is no type is left out.
    fn cannot_read(&mut self, kind: &str, why: WhyUnread) {
        let is_type = kind.len() < 40 && kind.bytes().all(|b| b.is_ascii_alphabetic());
        let what = if is_type { kind.to_owned() } else { String::new() };
        self.unread.insert(Unread { what, why });
    }
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Place<'a> {
    kind: &'a str,
    container: &'a Value,
    depth: u8,
}

/// An Attachment, or a Media's content, with nothing of it here.
fn is_elsewhere(part: &str, value: &Value) -> bool {
    let holds = matches!(part, "attachment" | "valueAttachment" | "contentAttachment" | "presentedForm" | "content");
    holds && value["data"].is_null() && !value["url"].is_null()
}

#[cfg(test)]
#[path = "beside_tests.rs"]
mod tests;
