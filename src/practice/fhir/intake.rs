//! A `ServiceRequest` and what it refers to, read as the domain's [`Referral`] — or as [`Unreadable`], with a reason
//! that a practice manager understands. Pure: what could be fetched is already in [`Known`].
//!
//! Stands between the poll (which fetched) and the ledger (which stores). Nothing is lost here: whatever was sent to us
//! becomes an input of one sort or the other.

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde_json::Value;

use super::beside::leads;
use super::codes::Mappings;
use super::consent::{self, Found};
use super::json::{self, text};
use super::owner::{Us, Whose};
use super::request::{is_void, notes, priority, reason, status, task_state, words};
use super::resolver::{Known, Resource, Target};
use super::{contact, patient, requester, scores};
use crate::directory::words::as_seen;
use crate::practice::{Input, RawFhir, Unreadable};
use crate::referral::content::{Priority, Reason, ReasonFrom, TaskState};
use crate::referral::episode::Hold;
use crate::referral::{Consent, Patient, PracticeId, Referral, SafeContact, Source};

/// What reading needs beside the request itself.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) practice: &'a PracticeId,
    pub(super) mappings: &'a Mappings,
    pub(super) known: &'a Known,
    pub(super) us: Us<'a>,
    pub(super) now: Timestamp,
}

/// Why a request is no referral yet.
pub(super) struct Refusal(Hold, String);

pub(super) fn refuse<T>(hold: Hold, explanation: &str) -> Result<T, Refusal> {
    Err(Refusal(hold, explanation.to_owned()))
}

impl Reader<'_> {
    /// Reads one request with its Task, where there is one.
    pub(super) fn input(&self, full_url: Option<&str>, request: &Resource, task: Option<&Resource>) -> Input {
        let raw = self.raw(request, task);
        let source = self.source(full_url, request, task);
        match self.referral(source.clone(), &request.value, task.map(|t| &t.value)) {
            Ok(referral) => Input::Readable(Box::new(referral), raw),
            Err(Refusal(hold, explanation)) => Input::Unreadable(Unreadable { source, hold, explanation }, raw),
        }
    }

    fn source(&self, full_url: Option<&str>, request: &Resource, task: Option<&Resource>) -> Source {
        let id = text(&request.value["id"]).or(full_url);
        Source {
            practice: self.practice.clone(),
            request: id.map_or_else(|| hash(&request.raw), str::to_owned),
            task: task.and_then(|t| text(&t.value["id"])).map(str::to_owned),
            version: version(request),
        }
    }

    fn raw(&self, request: &Resource, task: Option<&Resource>) -> RawFhir {
        let mut documents = vec![request.raw.clone()];
        documents.extend(task.map(|t| t.raw.clone()));
        let person = self.known.find(&self.known.target(&request.value["subject"]));
        let led = leads(&request.value).into_iter().chain(task.into_iter().flat_map(|t| leads(&t.value)));
        let others = references(&request.value).chain(led).filter_map(|r| self.known.find(&self.known.target(r)));
        let consents = self.known.all("Consent").filter(|c| self.is_of_subject(&c.value, &request.value));
        for document in person.into_iter().chain(others).chain(consents) {
            if !documents.contains(&document.raw) {
                documents.push(document.raw.clone());
            }
        }
        let task_version = task.and_then(|t| version_id(&t.value));
        RawFhir { documents, task_version, elsewhere: self.elsewhere(&request.value) }
    }

    /// The Tasks about a request that are somebody else's.
    fn elsewhere(&self, request: &Value) -> Vec<String> {
        let tasks = self.known.tasks_about(request).map(|task| &task.value);
        let others = tasks.filter(|task| self.us.whose(self.known, task) == Whose::Anothers);
        others.filter_map(|task| text(&task["id"])).map(str::to_owned).collect()
    }

    fn referral(&self, source: Source, request: &Value, task: Option<&Value>) -> Result<Referral, Refusal> {
        let status = status(request, task)?;
        let record = self.subject(request, task);
        let (record, person) = match record.and_then(|r| Ok((Some(r), self.patient(r)?))) {
            Ok(read) => read,
            // A withdrawal must never wait for a patient who cannot be read any more.
            Err(_) if status.is_withdrawn() => (None, Patient::default()),
            Err(refusal) => return Err(refusal),
        };
        let mut person = person;
        let consents = self.consents(request);
        let reasons = self.reasons(request, task);
        let beside = self.beside(request, task, &reasons);
        if beside.restricted {
            person.restricted = true;
            person.address = None;
        }
        let practice = requester::practice(request, record, self.known);
        Ok(Referral {
            source,
            status,
            task: task.map_or(TaskState::Open, task_state),
            authored: json::moment(&request["authoredOn"]),
            priority: priority(request).max(task.map_or(Priority::Routine, priority)),
            requester: requester::requester(request, &practice, self.known, self.now),
            practice_name: practice.name,
            consent: self.consent(request, &consents),
            safe_contact: self.safe_contact(request, reasons.iter().chain(&beside.said), record, &person),
            reasons,
            beside: beside.said,
            unread: beside.unread,
            sharing: consent::sharing(request, &consents, self.mappings),
            baseline: scores::baseline(self.supporting(request), &self.mappings.ons4),
            patient: person,
        })
    }

    /// The patient's record, or why there is none.
    fn subject<'s>(&'s self, request: &'s Value, task: Option<&Value>) -> Result<&'s Value, Refusal> {
        let subject = &request["subject"];
        let target = self.known.target(subject);
        if target == Target::Nowhere {
            return refuse(
                Hold::NoSubject,
                "The request names no patient (subject is missing). Add the patient and send it again.",
            );
        }
        if let Target::Local(kind, _) = &target
            && kind != "Patient"
        {
            return refuse(
                Hold::UnreadableRequest,
                "The request is about a group or a thing, not a patient. Send one request for each patient.",
            );
        }
        if let Some(task_for) = task.map(|t| self.known.target(&t["for"]))
            && are_two_people(&task_for, &target)
        {
            return refuse(
                Hold::UnreadableRequest,
                "The Task and its request name two different patients. Find out which is right before anything is \
                    sent.",
            );
        }
        if target == Target::Foreign {
            return refuse(
                Hold::PatientUnreadable,
                "The patient's record lies on another system than the practice's own, and Wellbridge does not go \
                    there.",
            );
        }
        match self.known.follow(subject, request) {
            Some(found) if json::kind(found) == "Patient" => Ok(found),
            Some(_) => {
                refuse(Hold::PatientUnreadable, "What the request names as its patient is not a patient's record.")
            }
            None => refuse(
                Hold::PatientUnreadable,
                "The practice's system does not give the patient's record (deleted, merged, or not open to \
                 Wellbridge). Check the patient on the request.",
            ),
        }
    }

    fn patient(&self, record: &Value) -> Result<Patient, Refusal> {
        if patient::is_replaced(record) {
            return refuse(
                Hold::PatientUnreadable,
                "The patient's record was replaced by another one (they were merged). Send the request for the record \
                 that stands.",
            );
        }
        if json::is_modified(record) {
            return refuse(
                Hold::PatientUnreadable,
                "The patient's record holds something that changes its meaning in a way Wellbridge does not know \
                 (modifierExtension). Look at it, and correct the record or refer in another way.",
            );
        }
        patient::read(record, self.mappings, self.now).or_else(|patient::BadNhsNumber| {
            refuse(
                Hold::BadNhsNumber,
                "The patient's NHS number cannot be right: it needs ten digits of which the last is a check digit, \
                 and only one number. It may be somebody else's. Correct it on the patient's record.",
            )
        })
    }

    fn reasons(&self, request: &Value, task: Option<&Value>) -> Vec<Reason> {
        let mut reasons: Vec<Reason> =
            json::list(&request["reasonCode"]).filter_map(|c| reason(ReasonFrom::ReasonCode, c, None)).collect();
        let known = json::list(&request["reasonReference"]).flat_map(|r| self.behind(r, request, |_| true));
        // What merely goes with the request gives its words; of codes, only those of conditions are reasons.
        let beside = json::list(&request["supportingInfo"])
            .filter(|reference| !consent::is_named_by(reference))
            .flat_map(|r| self.behind(r, request, |found| json::kind(found) == "Condition"));
        for reason in known.chain(beside) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons.extend(notes(request, ReasonFrom::Note));
        let instruction = text(&request["patientInstruction"]).map(|t| words(ReasonFrom::Instruction, t));
        reasons.extend(instruction);
        reasons.extend(
            json::list(&request["orderDetail"])
                .filter_map(|d| text(&d["text"]))
                .map(|t| words(ReasonFrom::Instruction, t)),
        );
        if let Some(task) = task {
            reasons.extend(json::list(&task["reasonCode"]).filter_map(|c| reason(ReasonFrom::ReasonCode, c, None)));
            reasons.extend(text(&task["description"]).map(|t| words(ReasonFrom::Note, t)));
            reasons.extend(notes(task, ReasonFrom::Note));
        }
        reasons
    }

    /// What a reference and the resource behind it say: its concept where that counts, the reference's own words where
    /// they are others, and the notes. What is known to be a mistake, or somebody else's, says nothing.
    fn behind(&self, reference: &Value, request: &Value, counts: impl Fn(&Value) -> bool) -> Vec<Reason> {
        let found = self.known.follow(reference, request).filter(|r| !is_void(r) && self.same_subject(r, request));
        let concept = found.filter(|r| counts(r)).map_or(&Value::Null, |r| &r["code"]);
        let coded = reason(ReasonFrom::Condition, concept, text(&reference["display"]));
        let display = text(&reference["display"]).filter(|d| coded.as_ref().is_none_or(|c| c.text != *d));
        let displayed = display.map(|d| words(ReasonFrom::Condition, d));
        let noted = found.into_iter().flat_map(|r| notes(r, ReasonFrom::Condition));
        coded.into_iter().chain(displayed).chain(noted).collect()
    }

    /// The rule about contact, out of every word that came with the request (a condition's note may hold it) and the
    /// preference on the record.
    fn safe_contact<'s>(
        &self,
        request: &Value,
        said: impl Iterator<Item = &'s Reason>,
        record: Option<&Value>,
        person: &Patient,
    ) -> SafeContact {
        // The code alone is unmistakable, so it counts under any system.
        let coded = json::list(&request["orderDetail"])
            .flat_map(json::codings)
            .any(|(_, code)| self.mappings.contact_prohibited.iter().any(|c| c.code == code));
        if coded {
            return SafeContact::Prohibited;
        }
        let seen: Vec<_> = said.flat_map(|r| as_seen(&r.text)).collect();
        let written: Vec<&str> = seen.iter().map(AsRef::as_ref).collect();
        let preference = record.and_then(|r| patient::contact_preference(r, self.mappings));
        contact::read_with_preference(&written, person.gender, preference)
    }

    fn consent(&self, request: &Value, found: &[Found<'_>]) -> Consent {
        match consent::decide(request, found, self.mappings, self.now) {
            Consent::Declined => Consent::Declined,
            // It may be the one that says no.
            _ if self.has_unread_consent(request) => Consent::Unreadable,
            decision => decision,
        }
    }

    fn has_unread_consent(&self, request: &Value) -> bool {
        json::list(&request["supportingInfo"])
            .any(|reference| consent::is_named_by(reference) && self.known.follow(reference, request).is_none())
    }

    fn consents<'s>(&'s self, request: &'s Value) -> Vec<Found<'s>> {
        let attached: Vec<&Value> = self
            .supporting(request)
            .chain(json::list(&request["contained"]))
            .filter(|r| json::kind(r) == "Consent" && self.same_subject(r, request))
            .collect();
        let mut found: Vec<Found<'_>> = attached.iter().map(|resource| Found { resource, attached: true }).collect();
        let others = self.known.all("Consent").map(|r| &r.value).filter(|c| self.is_of_subject(c, request));
        found.extend(others.filter(|c| !attached.contains(c)).map(|resource| Found { resource, attached: false }));
        found
    }

    fn supporting<'s>(&'s self, request: &'s Value) -> impl Iterator<Item = &'s Value> {
        json::list(&request["supportingInfo"])
            .filter_map(|reference| self.known.follow(reference, request))
            .filter(|r| self.same_subject(r, request))
    }

    /// Not about somebody else; a resource that names nobody is taken as the request's.
    pub(super) fn same_subject(&self, resource: &Value, request: &Value) -> bool {
        let about = [&resource["patient"], &resource["subject"]].into_iter().find(|r| r.is_object());
        about.is_none_or(|a| self.known.target(a) == Target::Nowhere || self.one_person(a, resource, request))
    }

    fn is_of_subject(&self, resource: &Value, request: &Value) -> bool {
        self.one_person(&resource["patient"], resource, request)
    }

    fn one_person(&self, about: &Value, container: &Value, request: &Value) -> bool {
        let subject = &request["subject"];
        if self.known.target(about) == self.known.target(subject) && self.known.target(about) != Target::Nowhere {
            return true;
        }
        let (a, b) = (self.known.follow(about, container), self.known.follow(subject, request));
        a.is_some() && a == b
    }
}

/// Surely two: two addresses on one system, or two identifiers of one kind. Anything else may be one person, said twice.
fn are_two_people(a: &Target, b: &Target) -> bool {
    match (a, b) {
        (Target::Local(..), Target::Local(..)) | (Target::FullUrl(_), Target::FullUrl(_)) => a != b,
        (Target::Logical(_, system, value), Target::Logical(_, other, another)) => system == other && value != another,
        _ => false,
    }
}

/// Every reference of a request that intake follows, the subject first.
pub(super) fn references(request: &Value) -> impl Iterator<Item = &Value> {
    [&request["subject"], &request["requester"]]
        .into_iter()
        .filter(|r| r.is_object())
        .chain(json::list(&request["reasonReference"]))
        .chain(json::list(&request["supportingInfo"]))
}

/// `meta.versionId`, else the hash of the content.
pub(super) fn version(resource: &Resource) -> String {
    version_id(&resource.value).unwrap_or_else(|| hash(&resource.raw))
}

pub(super) fn version_id(resource: &Value) -> Option<String> {
    text(&resource["meta"]["versionId"]).map(str::to_owned)
}

/// 128 bits of SHA-256, in hex (`poll::is_hash` knows it again).
pub(super) fn hash(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let half = digest.as_ref().iter().take(16).fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    format!("sha256-{half:032x}")
}

#[cfg(test)]
#[path = "intake_odd_tests.rs"]
mod odd_tests;
#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
