//! Filing at a clinical moment: one transaction, every entry's answer read, what was written handed back.
//!
//! The record is written here and in `task` only. Every entry is conditional on an identifier of ours, so a lost answer
//! is no disaster: the same filing again finds what the first one wrote.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Fault, reference_in};
use super::compose::{self, About, Entry};
use super::resolver::{Known, Target};
use super::{FhirPractice, bundle, json, outcome, typed};
use crate::effect::EffectError;
use crate::practice::{ClinicalFiling, Receipt};
use crate::referral::{Sharing, Source};

impl FhirPractice {
    /// See [`crate::practice::PracticeSystem::file`].
    pub(super) async fn file_moment(&self, filing: &ClinicalFiling) -> Result<Receipt, EffectError> {
        if filing.sharing == Sharing::Nothing {
            return Ok(Receipt::Filed(Vec::new()));
        }
        let request = match &filing.request {
            Some(text) => serde_json::from_str(text)
                .map_err(|_| EffectError::give_up("the practice's request is not FHIR JSON", None))?,
            None => self.request(&filing.source).await?,
        };
        let about = About {
            mappings: &self.mappings,
            subject: self.subject(&request)?,
            request: json!({"reference": format!("ServiceRequest/{}", filing.source.request)}),
            author: self.author().await?,
            practice_codes_itself: self.settings.practice_codes_itself,
        };
        let entries = compose::entries(filing, &about);
        if entries.is_empty() {
            return Ok(Receipt::Filed(Vec::new()));
        }
        for entry in &entries {
            typed::check(&entry.resource)?;
        }
        let answer = match self.client.transaction(&compose::transaction(filing, &entries)).await {
            Ok(answer) => answer,
            Err(Fault::Changed(words)) => return Err(conflict(words)),
            Err(other) => return Err(other.into()),
        };
        let answered: Value = serde_json::from_str(&answer.raw).map_err(|_| unknown("no FHIR JSON"))?;
        let references = self.references(&entries, &answered, answer.wait).await?;
        Ok(Receipt::Filed(references))
    }

    /// The practice's request as it stands now.
    pub(super) async fn request(&self, source: &Source) -> Result<Value, EffectError> {
        match self.client.read("ServiceRequest", &source.request).await {
            Ok(answer) => answer.value(),
            Err(Fault::Missing) => {
                Err(EffectError::give_up("the practice's system does not have the request any more", None))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// The request's patient as a reference that other resources may hold.
    pub(super) fn subject(&self, request: &Value) -> Result<Value, EffectError> {
        let known = Known::new(Some(self.client.base().clone()));
        match known.target(&request["subject"]) {
            Target::Local(kind, id) => Ok(json!({"reference": format!("{kind}/{id}")})),
            Target::Logical(_, system, value) => {
                Ok(json!({"type": "Patient", "identifier": {"system": system, "value": value}}))
            }
            _ => {
                Err(EffectError::give_up("the request names no patient in whose record something could be filed", None))
            }
        }
    }

    /// Us, as the author of what we write.
    pub(super) async fn author(&self) -> Result<Value, EffectError> {
        if self.settings.organization.is_none() {
            return Ok(json!({"display": "Wellbridge"}));
        }
        Ok(json!({"reference": self.owner().await?, "display": "Wellbridge"}))
    }

    async fn references(
        &self,
        entries: &[Entry],
        answered: &Value,
        wait: Option<Duration>,
    ) -> Result<Vec<String>, EffectError> {
        if json::kind(answered) != "Bundle" {
            return Err(unknown("no Bundle"));
        }
        let answers: Vec<&Value> = json::list(&answered["entry"]).collect();
        if answers.len() != entries.len() {
            return Err(unknown("another number of entries"));
        }
        for answer in &answers {
            accepted(answer, wait)?;
        }
        let mut references = Vec::new();
        for (entry, answer) in entries.iter().zip(answers) {
            match self.reference(answer) {
                Some(reference) => references.push(reference),
                None => references.extend(self.look_for(entry).await),
            }
        }
        Ok(references)
    }

    fn reference(&self, answer: &Value) -> Option<String> {
        let location = json::text(&answer["response"]["location"]).and_then(|l| reference_in(l, self.client.base()));
        location.or_else(|| json::key(&answer["resource"]))
    }

    /// Some servers do not say where the one that was there already lies. Not finding it costs an output, no more.
    async fn look_for(&self, entry: &Entry) -> Option<String> {
        let identifier = json::list(&entry.resource["identifier"]).next()?;
        let token = format!("{}|{}", json::text(&identifier["system"])?, json::text(&identifier["value"])?);
        let kind = json::kind(&entry.resource);
        let answer = self.client.search(kind, &[("identifier", &token)]).await.ok()?;
        let found = bundle::read(&answer.raw).ok()?;
        found
            .entries
            .iter()
            .filter_map(|e| e.resource.as_ref())
            .find(|r| json::kind(&r.value) == kind)
            .and_then(|r| json::key(&r.value))
    }
}

/// An entry's own status; one refused entry refuses the filing, whatever the rest says. `wait` is the `Retry-After` of
/// the whole answer: an entry has no headers of its own.
fn accepted(answer: &Value, wait: Option<Duration>) -> Result<(), EffectError> {
    let status = json::text(&answer["response"]["status"]).unwrap_or("");
    let words = || outcome::words(&answer["response"]["outcome"]).or_else(|| outcome::words(&answer["resource"]));
    match status.get(..3).and_then(|s| s.parse::<u16>().ok()) {
        Some(200..=299) => Ok(()),
        Some(409 | 412) => Err(conflict(words())),
        Some(408 | 425 | 429 | 500..=599) => Err(EffectError::RetryAfter {
            after: wait,
            why: format!("the practice's system could not file one entry ({status:.3})"),
        }),
        Some(401 | 403) if words().is_none() => Err(EffectError::NeedsPerson {
            why: format!(
                "the practice's system does not let Wellbridge file one kind of entry ({status:.3}): look at what \
                    the token may do"
            ),
        }),
        Some(code) => Err(EffectError::give_up(
            format!("the practice's system refused one entry of the filing ({code})"),
            words(),
        )),
        None => Err(unknown("an entry without a status")),
    }
}

/// A conflict in a transaction is either somebody writing at the same moment or two things under our identifier; trying
/// again settles the first, and the job's horizon tells a person of the second.
fn conflict(words: Option<String>) -> EffectError {
    match words {
        Some(words) if words.to_lowercase().contains("multiple") => EffectError::give_up(
            "the practice's system holds several entries under one identifier of ours",
            Some(words),
        ),
        _ => EffectError::retry("somebody else wrote to the same record at the same time"),
    }
}

fn unknown(what: &str) -> EffectError {
    EffectError::OutcomeUnknown {
        why: format!("the practice's system answered a filing with {what}; it may or may not have been written"),
    }
}
