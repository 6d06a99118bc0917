//! Matching: which service could help this person, why, and whether a machine may ask it.
//!
//! Pure: `(&Referral, &Directory, today) -> Match`. No I/O, no clock, no randomness; the same input gives the same
//! answer. When in doubt, a person.

use serde::{Deserialize, Serialize};

use crate::referral::{NeedCode, ServiceId, episode::Hold};

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

/// Stand-in until the real one is merged.
#[derive(Debug)]
pub struct Matcher;

impl Matcher {
    /// Stand-in.
    pub fn kind_of_help(&self, need: &crate::referral::NeedCode) -> String {
        need.to_string()
    }
    /// Stand-in.
    pub fn match_referral(
        &self,
        _: &crate::referral::Referral,
        _: &crate::directory::Directory,
        _: jiff::civil::Date,
        _: crate::referral::facts::ConsentRule,
    ) -> Match {
        Match { decision: Decision::None, hold: None, safety: vec![], needs: vec![], offer: None }
    }
}
impl SafetyKind {
    /// Somebody may come to harm: the duty address is told at once (a missing consent only waits for a person).
    pub const fn is_urgent(self) -> bool {
        !matches!(self, Self::ConsentMissing | Self::ConsentDeclined)
    }
}
