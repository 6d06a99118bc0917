//! What is filed at a clinical moment, as FHIR: pure, from the domain's filing to the entries of one transaction.
//!
//! Sharing decides what may be in it: `Full` is codes, scores and words; `CodesOnly` is codes; `Nothing` is nothing.
//! What is sensitive (risks, or the whole message where the help itself is) lies in a document of its own under a
//! restricting label. At most seven entries, each conditional on an identifier of ours, so that filing twice files
//! once.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::codes::{Code, Mappings, Question};
use super::intake;
use crate::practice::{ClinicalFiling, Taken};
use crate::referral::episode::{Closed, Moment};
use crate::referral::{NhsNumber, Ons4, Score, Sharing};

/// What the filing is about, as references that any resource on the server may hold.
pub(super) struct About<'a> {
    pub(super) mappings: &'a Mappings,
    /// The patient.
    pub(super) subject: Value,
    /// `ServiceRequest/…`.
    pub(super) request: Value,
    /// Us.
    pub(super) author: Value,
    /// The practice codes the referral itself.
    pub(super) practice_codes_itself: bool,
}

/// One conditional entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// What is written.
    pub(super) resource: Value,
    /// Unless this search finds one: `identifier=…`, encoded.
    pub(super) unless: String,
}

/// The identifier of what is written once an episode. An id that is an NHS number is hashed: identifiers of ours travel
/// in headers (`If-None-Exist`), where no identity may stand.
pub(super) fn episode_value(request: &str, part: &str) -> String {
    if NhsNumber::parse(request).is_ok() {
        return format!("{}.{part}", intake::hash(request));
    }
    format!("{request}.{part}")
}

/// `identifier=system|value`, encoded as a query.
pub(super) fn identified(system: &str, value: &str) -> String {
    condition("identifier", system, value)
}

fn condition(param: &str, system: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(param, &format!("{system}|{value}")).finish()
}

/// The entries of a filing, the Provenance last; none where nothing may be filed.
pub(super) fn entries(filing: &ClinicalFiling, about: &About<'_>) -> Vec<Entry> {
    let mut entries = Vec::new();
    match filing.sharing {
        Sharing::Nothing => return entries,
        Sharing::CodesOnly => {}
        Sharing::Full => {
            entries.extend(about.scores(filing.before, "before", "Before support"));
            entries.extend(about.scores(filing.after, "after", "After support"));
            entries.extend(about.documents(filing));
        }
    }
    if filing.person_accepted && !filing.already_coded && !about.practice_codes_itself {
        entries.push(about.referred(filing));
    }
    if filing.moment == Moment::Closed(Closed::DeclinedSocialPrescribing) {
        entries.push(about.declined(filing));
    }
    if !entries.is_empty() {
        let provenance = about.provenance(filing, entries.len());
        entries.push(provenance);
    }
    entries
}

/// The transaction Bundle of these entries.
pub(super) fn transaction(filing: &ClinicalFiling, entries: &[Entry]) -> Value {
    let entry: Vec<Value> = entries
        .iter()
        .enumerate()
        .map(|(place, entry)| {
            json!({
                "fullUrl": full_url(filing, place),
                "resource": entry.resource,
                "request": {"method": "POST", "url": entry.resource["resourceType"], "ifNoneExist": entry.unless},
            })
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entry})
}

/// A name for an entry within its Bundle: the same at every retry.
fn full_url(filing: &ClinicalFiling, place: usize) -> String {
    format!("urn:uuid:{}", Uuid::from_u128(filing.id.uuid().as_u128() ^ (place as u128 + 1)))
}

impl About<'_> {
    fn entry(&self, mut resource: Value, system: &str, value: &str) -> Entry {
        resource["identifier"] = json!([{"system": system, "value": value}]);
        self.claim_profile(&mut resource);
        Entry { resource, unless: identified(system, value) }
    }

    /// Claims the UK Core profile of the type, where there is one.
    fn claim_profile(&self, resource: &mut Value) {
        claim_profile(self.mappings, resource);
    }

    fn of_filing(&self, filing: &ClinicalFiling, resource: Value, part: &str) -> Entry {
        self.entry(resource, &self.mappings.write.filing, &format!("{}.{part}", filing.id))
    }

    fn of_episode(&self, filing: &ClinicalFiling, resource: Value, part: &str) -> Entry {
        self.entry(resource, &self.mappings.write.episode, &episode_value(&filing.source.request, part))
    }

    /// One Observation with four components, under an identifier of the offer, the moment and the time it was taken: both
    /// filings of an offer bring what was taken before, and it is written once.
    fn scores(&self, taken: Option<Taken>, when: &str, words: &str) -> Option<Entry> {
        let Taken { offer, at, scores } = taken?;
        let value = format!("{offer}.{when}.{}", at.as_millisecond());
        let codes = &self.mappings.ons4;
        let at = at.to_string();
        let resource = json!({
            "resourceType": "Observation",
            "basedOn": [self.request],
            "status": "final",
            "category": [{"coding": [{
                "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                "code": "survey",
                "display": "Survey",
            }]}],
            "code": local_concept(&codes.system, &codes.panel, &codes.panel_text),
            "subject": self.subject,
            "effectiveDateTime": at,
            "issued": at,
            "performer": [self.author],
            "note": [{"text": words}],
            "component": self.components(scores),
        });
        Some(self.entry(resource, &self.mappings.write.offer, &value))
    }

    fn components(&self, scores: Ons4) -> Vec<Value> {
        let component = |question: &Question, score: Score| {
            let system = &self.mappings.ons4.system;
            json!({
                "code": local_concept(system, &question.code, &question.text),
                "valueInteger": u8::from(score),
            })
        };
        let answers = [scores.satisfied, scores.worthwhile, scores.happy, scores.anxious];
        self.mappings.ons4.questions().into_iter().zip(answers).map(|(q, s)| component(q, s)).collect()
    }

    /// The message back, and what is sensitive apart from it.
    fn documents(&self, filing: &ClinicalFiling) -> Vec<Entry> {
        let message = &filing.message;
        let sensitive = if message.sensitive { Some(&self.mappings.write.sensitive) } else { None };
        let general =
            message_text(filing).map(|text| self.of_filing(filing, self.document(filing, &text, sensitive), "message"));
        let risks = message.risks.as_deref().map(str::trim).filter(|r| !r.is_empty());
        // Both filings of an offer bring a risk that was known at the first: the same words are written once an episode.
        let risks = risks.map(|risks| {
            let text = format!("{TITLE}\n\nRisks\n{risks}\n");
            let document = self.document(filing, &text, Some(&self.mappings.write.sensitive));
            self.of_episode(filing, document, &format!("risks.{}", intake::hash(risks)))
        });
        general.into_iter().chain(risks).collect()
    }

    fn document(&self, filing: &ClinicalFiling, text: &str, label: Option<&Code>) -> Value {
        let at = filing.occurred.to_string();
        let mut resource = json!({
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "type": {"text": TITLE},
            "subject": self.subject,
            "date": at,
            "author": [self.author],
            "description": TITLE,
            "content": [{"attachment": {
                "contentType": "text/plain; charset=utf-8",
                "language": "en-GB",
                "data": STANDARD.encode(text),
                "title": TITLE,
                "creation": at,
            }}],
            "context": {"related": [self.request]},
        });
        if let Some(label) = label {
            let coding = json!({"system": label.system, "code": label.code, "display": label.display});
            resource["meta"] = json!({"security": [coding]});
            resource["securityLabel"] = json!([{"coding": [coding]}]);
        }
        resource
    }

    /// 871731000000106, once an episode.
    fn referred(&self, filing: &ClinicalFiling) -> Entry {
        let resource = json!({
            "resourceType": "Procedure",
            "basedOn": [self.request],
            "status": "completed",
            "code": self.mappings.write.referred.concept(),
            "subject": self.subject,
            "performedDateTime": filing.occurred.to_string(),
        });
        self.of_episode(filing, resource, "referred")
    }

    /// 871711000000103, once an episode.
    fn declined(&self, filing: &ClinicalFiling) -> Entry {
        let resource = json!({
            "resourceType": "Observation",
            "basedOn": [self.request],
            "status": "final",
            "code": self.mappings.write.declined.concept(),
            "subject": self.subject,
            "effectiveDateTime": filing.occurred.to_string(),
            "performer": [self.author],
        });
        self.of_episode(filing, resource, "declined")
    }

    /// Who wrote it and from what. Provenance has no identifier in R4, so its condition is a tag.
    fn provenance(&self, filing: &ClinicalFiling, targets: usize) -> Entry {
        let target: Vec<Value> = (0..targets).map(|place| json!({"reference": full_url(filing, place)})).collect();
        let (system, code) = (&self.mappings.write.filing, filing.id.to_string());
        let mut resource = json!({
            "resourceType": "Provenance",
            "meta": {"tag": [{"system": system, "code": code}]},
            "target": target,
            "occurredDateTime": filing.occurred.to_string(),
            "recorded": filing.occurred.to_string(),
            "agent": [{
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "code": "author", "display": "Author"}]},
                "who": self.author,
            }],
            "entity": [{"role": "source", "what": self.request}],
        });
        self.claim_profile(&mut resource);
        Entry { resource, unless: condition("_tag", system, &code) }
    }
}

/// A code of our own system, always with its text: nobody else can look it up.
fn local_concept(system: &str, code: &str, text: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": text}], "text": text})
}

/// Claims the UK Core profile of the type, where there is one.
pub(super) fn claim_profile(mappings: &Mappings, resource: &mut Value) {
    let kind = resource["resourceType"].as_str().unwrap_or("");
    if let Some(profile) = mappings.write.profile.get(kind) {
        resource["meta"]["profile"] = json!([profile]);
    }
}

const TITLE: &str = "Social prescribing: message to the GP practice";

/// The message in plain text under PRSB headings; none where there is nothing to say.
fn message_text(filing: &ClinicalFiling) -> Option<String> {
    let message = &filing.message;
    let lines = [
        ("Service", &message.service),
        ("What was tried", &message.tried),
        ("What helped", &message.helped),
        ("What did not help", &message.did_not_help),
        ("How it ended", &message.outcome),
    ];
    let care: Vec<String> = lines
        .into_iter()
        .filter_map(|(label, words)| Some((label, words.as_deref()?.trim())))
        .filter(|(_, words)| !words.is_empty())
        .map(|(label, words)| format!("{label}: {words}"))
        .collect();
    let scores: Vec<String> = [("Before support", filing.before), ("After support", filing.after)]
        .into_iter()
        .filter_map(|(when, scores)| Some(format!("{when}: {}", score_line(scores?.scores))))
        .collect();
    if care.is_empty() && scores.is_empty() {
        return None;
    }
    let mut parts = vec![format!("{TITLE}\n")];
    for (heading, lines) in [("Services and care", care), ("Assessments (ONS4 wellbeing, 0 to 10)", scores)] {
        if !lines.is_empty() {
            parts.push(format!("\n{heading}\n{}\n", lines.join("\n")));
        }
    }
    Some(parts.concat())
}

fn score_line(scores: Ons4) -> String {
    let [satisfied, worthwhile, happy, anxious] =
        [scores.satisfied, scores.worthwhile, scores.happy, scores.anxious].map(u8::from);
    format!("satisfied {satisfied}, worthwhile {worthwhile}, happy {happy}, anxious {anxious}")
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
