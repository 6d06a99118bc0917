//! FHIR R4 over HTTPS: the first adapter of [`super::PracticeSystem`].
//!
//! ```text
//! client ─▶ bundle, resolver, fetch ─▶ poll ─▶ intake (patient, consent, contact, scores, requester) ─▶ Referral
//! task, record (compose) ─▶ typed ─▶ client
//! ```
//! No FHIR type leaves this module. Reading is lenient (`json`), writing is checked (`typed`), and what somebody else
//! wrote is edited as JSON, never re-serialised through a typed model.

mod answers;
mod beside;
mod bundle;
mod client;
mod codes;
mod collection;
mod compose;
mod consent;
mod contact;
mod faithful;
mod fetch;
mod intake;
mod json;
mod outcome;
mod owner;
mod patient;
mod poll;
mod record;
mod request;
mod requester;
mod resolver;
mod scores;
mod status;
mod stray;
mod tally;
mod task;
mod typed;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OnceCell;
use url::Url;

pub use self::client::{Auth, Authorise, Limits};
use self::client::{Client, Fault};
pub use self::codes::{Mappings, MappingsError};
pub use self::collection::{BundleError, referral_from_bundle};
use self::intake::Reader;
use self::owner::Us;
use self::resolver::Known;
use super::{ClinicalFiling, Input, LastRead, Page, PollFrom, PracticeSystem, Receipt, TaskStanding, TaskWritten};
use crate::clock::Clock;
use crate::effect::EffectError;
use crate::referral::{PracticeId, Source};

/// One practice's FHIR server, as its settings describe it.
#[derive(Clone, Debug)]
pub struct FhirSettings {
    /// The practice, as named in configuration.
    pub practice: PracticeId,
    /// Where its FHIR R4 server is, such as `https://fhir.surgery.example/r4`.
    pub base: Url,
    /// Who we are on that server, to find the Tasks it gives us; none where only bare `ServiceRequests` come.
    pub organization: Option<OurOrganization>,
    /// Allow plain http to another machine. Only for networks that encrypt underneath.
    pub plain_http: bool,
    /// The practice codes 871731000000106 itself: we do not.
    pub practice_codes_itself: bool,
    /// Complete or revoke the practice's own `ServiceRequest` when the referral closes.
    pub complete_request: bool,
    /// Bounds of each request.
    pub limits: Limits,
    /// Entries asked for in one page.
    pub page_size: u16,
    /// Pages of one search after which paging counts as endless.
    pub max_pages: u32,
}

impl FhirSettings {
    /// The defaults for a practice at `base`.
    pub fn new(practice: PracticeId, base: Url) -> Self {
        Self {
            practice,
            base,
            organization: None,
            plain_http: false,
            practice_codes_itself: false,
            complete_request: false,
            limits: Limits::default(),
            page_size: 50,
            max_pages: 400,
        }
    }
}

/// Who we are on the practice's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OurOrganization {
    /// Its `Organization.id`.
    Id(String),
    /// Its identifier, looked up once.
    Identifier {
        /// Such as `https://fhir.nhs.uk/Id/ods-organization-code`.
        system: String,
        /// Such as our ODS code.
        value: String,
    },
}

impl OurOrganization {
    fn is(&self, by_system: &str, by_value: &str) -> bool {
        matches!(self, Self::Identifier { system, value } if system == by_system && value == by_value)
    }
}

/// A practice's FHIR R4 server.
#[derive(Debug)]
pub struct FhirPractice {
    settings: FhirSettings,
    mappings: Arc<Mappings>,
    clock: Clock,
    client: Client,
    /// `Organization/<id>`, once known.
    owner: OnceCell<String>,
}

impl FhirPractice {
    /// Makes the adapter; asks nothing of the server yet.
    ///
    /// # Errors
    /// A base that may not be used (plain http elsewhere, a password in it).
    pub fn new(
        settings: FhirSettings,
        auth: Arc<dyn Authorise>,
        mappings: Arc<Mappings>,
        clock: Clock,
    ) -> Result<Self, EffectError> {
        let client = Client::open(&settings.base, auth, clock.clone(), settings.limits, settings.plain_http)?;
        Ok(Self { settings, mappings, clock, client, owner: OnceCell::new() })
    }

    fn reader<'a>(&'a self, known: &'a Known) -> Reader<'a> {
        Reader {
            practice: &self.settings.practice,
            mappings: &self.mappings,
            known,
            us: self.us(),
            now: self.clock.now(),
        }
    }

    /// Who we are there, as far as that is known by now.
    fn us(&self) -> Us<'_> {
        Us { organization: self.settings.organization.as_ref(), key: self.owner.get().map(String::as_str) }
    }

    /// Our Organization on this server; looked up once and kept, a failure is not kept.
    async fn owner(&self) -> Result<String, EffectError> {
        let found = self.owner.get_or_try_init(|| async {
            match &self.settings.organization {
                Some(OurOrganization::Id(id)) => Ok(format!("Organization/{id}")),
                Some(OurOrganization::Identifier { system, value }) => self.look_up(system, value).await,
                None => Err(EffectError::NeedsPerson {
                    why: "the settings do not say who we are on the practice's system".into(),
                }),
            }
        });
        found.await.cloned()
    }

    async fn look_up(&self, system: &str, value: &str) -> Result<String, EffectError> {
        let answer = self.client.search("Organization", &[("identifier", &format!("{system}|{value}"))]).await?;
        let found = bundle::read(&answer.raw)?;
        let keys: Vec<String> = found
            .entries
            .iter()
            .filter_map(|e| e.resource.as_ref())
            .filter(|r| json::kind(&r.value) == "Organization")
            .filter_map(|r| json::key(&r.value))
            .collect();
        match keys.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(EffectError::NeedsPerson {
                why: format!(
                    "the practice's system has no Organization with the identifier {system}|{value}: \
                              ask for it to be entered, or set our organisation's id"
                ),
            }),
            _ => Err(EffectError::NeedsPerson {
                why: format!(
                    "the practice's system has several Organizations with the identifier {system}|{value}: \
                              set our organisation's id"
                ),
            }),
        }
    }

    async fn introduce(&self) -> Result<String, EffectError> {
        let statement = match self.client.page(self.client.query("metadata", &[])?).await {
            // Some answer every path with something: only a CapabilityStatement counts.
            Ok(answer) => answer.value().ok().filter(|s| json::kind(s) == "CapabilityStatement"),
            Err(Fault::Missing | Fault::Effect(EffectError::GiveUp { .. })) => None,
            Err(other) => return Err(other.into()),
        };
        let named = match statement {
            Some(statement) => introduction(&statement)?,
            None => "a FHIR server without /metadata, so its version is not known".to_owned(),
        };
        // /metadata is often open to all: whether we are let in shows in a search.
        let pairs = [("code", self.mappings.referral_search()), ("_count", "1".to_owned())];
        let answer = self.client.page(self.client.query("ServiceRequest", &pairs)?).await?;
        bundle::read(&answer.raw)?;
        if self.settings.organization.is_some() {
            let owner = self.owner().await?;
            return Ok(format!("{named}; lets us search; we are {owner} there"));
        }
        Ok(format!("{named}; lets us search; no organisation of ours is set, so Tasks are not polled"))
    }
}

#[async_trait::async_trait]
impl PracticeSystem for FhirPractice {
    async fn poll(&self, from: &PollFrom, known: &dyn LastRead) -> Result<Page, EffectError> {
        self.page(from, known).await
    }

    async fn changed(
        &self,
        open: &[Source],
        since: Timestamp,
        known: &dyn LastRead,
    ) -> Result<Vec<Input>, EffectError> {
        self.changed_of(open, since, known).await
    }

    async fn read(&self, source: &Source) -> Result<Input, EffectError> {
        self.reread(source).await
    }

    async fn file(&self, filing: &ClinicalFiling) -> Result<Receipt, EffectError> {
        self.file_moment(filing).await
    }

    async fn keep_task(&self, standing: &TaskStanding) -> Result<TaskWritten, EffectError> {
        self.keep(standing).await
    }

    async fn check(&self) -> Result<String, EffectError> {
        self.introduce().await
    }
}

/// How a server names itself, if it speaks R4.
fn introduction(statement: &Value) -> Result<String, EffectError> {
    let version = json::text(&statement["fhirVersion"]).unwrap_or("");
    if !version.starts_with("4.0") {
        let what = if version.is_empty() { "no FHIR version".to_owned() } else { format!("FHIR {version}") };
        return Err(EffectError::NeedsPerson {
            why: format!("the practice's system says {what} in /metadata; Wellbridge speaks FHIR R4 (4.0.1)"),
        });
    }
    let software = &statement["software"];
    let name = json::text(&software["name"]).or_else(|| json::text(&statement["implementation"]["description"]));
    let release = json::text(&software["version"]).map(|v| format!(" {v}")).unwrap_or_default();
    Ok(format!("FHIR {version}, {}{release}", name.unwrap_or("a server that does not name itself")))
}

#[cfg(test)]
mod tests;
