//! Matching: which service could help this person, why, and whether a machine may ask it.
//!
//! Pure: `(&Referral, &Directory, today) -> Match`. No I/O, no clock, no randomness; the same input gives the same
//! answer. When in doubt, a person.

mod ages;
mod area;
mod decide;
pub mod evaluate;
mod gates;
mod identity;
mod mapping;
mod needs;
mod person;
pub mod places;
mod rank;
mod safety;
pub mod words;

use std::collections::HashSet;
use std::sync::Arc;

use std::path::Path;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use crate::referral::facts::ConsentPolicy;
pub use mapping::{MappingError, NeedDef, Sources};

use crate::{
    directory::{
        Directory,
        words::{Term, term},
    },
    referral::{NeedCode, Referral, SafeContact, ServiceId, episode::Hold},
};

#[cfg(test)]
mod tests;

/// Reads referrals against a directory. Made once, when the mappings are loaded; shared by everybody.
///
/// A clone shares everything with it.
#[derive(Clone, Debug)]
pub struct Matcher {
    mapping: Arc<mapping::Mapping>,
    places: Arc<places::Places>,
    stop_words: Arc<HashSet<Term>>,
    consent: ConsentPolicy,
}

impl Matcher {
    /// Loads and checks mappings; the consent policy is `Recorded`.
    pub fn new(sources: &Sources<'_>) -> Result<Self, MappingError> {
        const STOP: &str = "the and for with that this they she her his him has had have was were are but not would like \
            from any all who you our what when where how can could will get got one two been being into out about over \
            some than then them there their its also very too just only says said wants want help please someone \
            somebody something anyone people person patient gentleman lady man woman consent consents consented given \
            agrees agreed referral referred refer happy share details pass week weeks day days time years year old ago \
            good well needs need after before since more most other others because which while your for may";
        Ok(Self {
            mapping: Arc::new(mapping::Mapping::load(sources)?),
            places: Arc::new(places::Places::great_britain()),
            stop_words: Arc::new(STOP.split_whitespace().map(term).collect()),
            consent: ConsentPolicy::Recorded,
        })
    }

    /// With the mappings of a folder, file by file; those that it does not hold are the compiled-in ones.
    pub fn load(folder: Option<&Path>) -> Result<Self, LoadError> {
        let Some(folder) = folder else { return Ok(Self::built_in()?) };
        let built_in = Sources::default();
        let [needs, reading, safety, services] = [
            ("needs.toml", built_in.needs),
            ("reading.toml", built_in.reading),
            ("safety.toml", built_in.safety),
            ("services.toml", built_in.services),
        ]
        .map(|(file, usual)| match std::fs::read_to_string(folder.join(file)) {
            Ok(text) => Ok(text),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(usual.to_owned()),
            Err(why) => Err(LoadError::File { file, why }),
        });
        let (needs, reading, safety, services) = (needs?, reading?, safety?, services?);
        Ok(Self::new(&Sources { needs: &needs, reading: &reading, safety: &safety, services: &services })?)
    }

    /// What a partner may read of a need: neutral words that reveal nothing sensitive.
    pub fn kind_of_help(&self, need: &NeedCode) -> &str {
        self.need(need).map_or("support in the community", |n| n.kind_of_help.as_str())
    }

    /// What a coordinator reads of a need.
    pub fn label<'m>(&'m self, need: &'m NeedCode) -> &'m str {
        self.need(need).map_or(need.as_str(), |n| n.label.as_str())
    }

    /// With the mappings that come with Wellbridge.
    pub fn built_in() -> Result<Self, MappingError> {
        Self::new(&Sources::default())
    }

    /// The same under another consent policy.
    #[must_use]
    pub fn with_consent(mut self, policy: ConsentPolicy) -> Self {
        self.consent = policy;
        self
    }

    /// Every kind of help the mappings know.
    pub fn needs(&self) -> &[NeedDef] {
        &self.mapping.needs
    }

    /// The kind of help with this code.
    pub fn need(&self, code: &NeedCode) -> Option<&NeedDef> {
        self.mapping.needs.iter().find(|n| n.code == *code)
    }

    /// How the person may be contacted: the rule that intake read, or, where it found none, the words that
    /// `safety.toml` says a person must read first. What holds a referral and what pages show is this one answer.
    pub fn safe_contact(&self, referral: &Referral) -> SafeContact {
        let unclear = || safety::contact_words(&self.mapping, referral).map(|e| SafeContact::Unclear(e.quote));
        match &referral.safe_contact {
            SafeContact::Open => unclear().unwrap_or(SafeContact::Open),
            rule => rule.clone(),
        }
    }

    /// Reads one referral against one directory, as of `today`.
    pub fn match_referral(&self, referral: &Referral, directory: &Directory, today: Date) -> Match {
        decide::decide(self, referral, directory, today)
    }
}

/// Why mappings could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// One of the files cannot be read.
    #[error("{file} cannot be read: {why}")]
    File {
        /// Which.
        file: &'static str,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// What it says cannot be used.
    #[error(transparent)]
    Mapping(#[from] MappingError),
}

/// What was read from one referral against one directory on one day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// What should happen now.
    pub decision: Decision,
    /// Why a person is needed, where `decision` is not `Auto`.
    pub hold: Option<Hold>,
    /// Safety matters and missing consent that were read, each with the words that show it.
    pub safety: Vec<Finding>,
    /// The needs, the main one first, each with its own ranked list. Empty when no need could be read.
    pub needs: Vec<NeedMatch>,
    /// The service that would be emailed now; only where `decision` is `Auto`.
    pub offer: Option<ServiceId>,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Clear enough for a machine, where the programme allows it.
    Auto,
    /// A person decides.
    Person,
    /// A clear need and no suitable service.
    None,
}

/// One need and who could help with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedMatch {
    /// The need.
    pub need: NeedCode,
    /// The words and codes that show it.
    pub shown_by: Vec<Evidence>,
    /// Services that could help, best first.
    pub candidates: Vec<Candidate>,
    /// Services that fit the topic but must not be used for this person, with why.
    pub excluded: Vec<Excluded>,
}

/// Words of the referral (or of a service) and the rule that read them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The very words, as they stand in the source.
    pub quote: String,
    /// Which rule of `mappings/` read them, by name.
    pub rule: String,
}

/// A service that could help.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The service.
    pub service: ServiceId,
    /// Why, in sentences a coordinator can check, each with the words that earned it.
    pub why: Vec<Reasoned>,
    /// What to be careful about (an unknown age limit, a waiting list, an entry nobody checked for a year).
    pub careful: Vec<Reasoned>,
    /// Straight-line distance in kilometres, where both ends are known.
    pub distance_km: Option<f64>,
    /// Whether a referral by email is taken, as far as the directory says.
    pub takes_email: bool,
    /// A machine may ask it for this need: it takes email, is for this very need, is nearly as good as the best, and
    /// nothing speaks against it. Results stored before this was written down say no.
    #[serde(default)]
    pub machine_may: bool,
}

/// A service not to be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The service.
    pub service: ServiceId,
    /// Why not.
    pub why: Reasoned,
}

/// A sentence and the words behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoned {
    /// For a person to read.
    pub sentence: String,
    /// The words that earned it, where there are any.
    pub quote: Option<String>,
}

/// A safety matter that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of matter.
    pub kind: SafetyKind,
    /// The words that show it (empty for a missing consent).
    pub evidence: Evidence,
}

/// Safety matters that are never sent by machine (DESIGN, "People and their safety come first", 1 and 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum SafetyKind {
    DomesticAbuse,
    Safeguarding,
    SuicideSelfHarm,
    UrgentSymptom,
    Contradiction,
    WrongPatient,
    ConsentMissing,
    ConsentDeclined,
}

impl Decision {
    /// As written for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Person => "person",
            Self::None => "none",
        }
    }
}

impl SafetyKind {
    /// Somebody may come to harm: the duty address is told at once (a missing consent only waits for a person).
    pub const fn is_urgent(self) -> bool {
        !matches!(self, Self::ConsentMissing | Self::ConsentDeclined)
    }
}
