//! `mappings/fhir.toml`: where a practice's FHIR says what, and under which codes Wellbridge writes.
//!
//! FHIR has several places for one fact (sharing, consent, baseline scores, no longer registered); which of them are
//! read is data, not code. The file in the repository is compiled in; an operator may give another with the same keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::json;
use crate::referral::{Consent, Sharing};

/// The system of SNOMED CT.
pub(super) const SNOMED: &str = "http://snomed.info/sct";

/// A mapping file that cannot be used; the text says where.
#[derive(Debug, thiserror::Error)]
#[error("mappings/fhir.toml: {0}")]
pub struct MappingsError(#[from] toml::de::Error);

/// The whole file, checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mappings {
    /// Which requests are ours.
    pub referral: Vec<Code>,
    /// What may return to the GP.
    pub sharing: SharingCodes,
    /// Agreement.
    pub consent: ConsentCodes,
    /// Nobody may contact the person.
    pub contact_prohibited: Vec<Code>,
    /// What is read of the person.
    pub patient: PatientPlaces,
    /// The four wellbeing questions.
    pub ons4: Ons4Codes,
    /// What we write.
    pub write: WriteCodes,
}

/// A coding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "FHIR's own word for it")]
pub struct Code {
    /// Its code system.
    pub system: String,
    /// The code.
    pub code: String,
    /// Its words, for codes that we write.
    #[serde(default)]
    pub display: Option<String>,
}

/// A coding and what it means to us.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning<T> {
    /// Its code system.
    pub system: String,
    /// The code.
    pub code: String,
    /// What it says.
    pub means: T,
}

/// Where sharing is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharingCodes {
    /// An extension of the request or of its Consent.
    pub extension: String,
    /// Codes and their meaning.
    pub code: Vec<Meaning<Sharing>>,
}

/// Where agreement is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentCodes {
    /// Words by which an unattached Consent is known to be about a referral.
    pub words: Vec<String>,
    /// Codes by which it is.
    pub about: Vec<Code>,
    /// Codes on the request itself.
    pub code: Vec<Meaning<Consent>>,
}

/// Where facts about the person are read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientPlaces {
    /// Identifier system of the NHS number.
    pub nhs_number: String,
    /// Restricting `meta.security` codes.
    pub restricting: Vec<String>,
    /// Extensions that say whether an interpreter is needed.
    pub interpreter: Vec<String>,
    /// Extensions that hold a language.
    pub communication: Vec<String>,
    /// The UK Core contact preference.
    pub contact_preference: String,
    /// Which signs of having left the practice count.
    pub left_practice: Vec<LeftSign>,
    /// Registration extensions.
    pub registration: Vec<String>,
    /// Extensions that say that a death was notified.
    #[serde(default)]
    pub death: Vec<String>,
    /// Their codes for a notice that was taken back.
    #[serde(default)]
    pub death_removed: Vec<String>,
}

/// A sign that the person is no longer registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftSign {
    /// `Patient.active` is false.
    Inactive,
    /// Every `generalPractitioner.identifier` that has a period has one that ended.
    GpPeriodEnded,
    /// A registration extension's period ended.
    ExtensionPeriodEnded,
}

/// The four questions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ons4Codes {
    /// Our local code system.
    pub system: String,
    /// The code of all four together.
    pub panel: String,
    /// Its text.
    pub panel_text: String,
    /// Low is bad.
    pub satisfied: Question,
    /// Low is bad.
    pub worthwhile: Question,
    /// Low is bad.
    pub happy: Question,
    /// Low is good.
    pub anxious: Question,
}

impl Ons4Codes {
    /// The four in the order in which they are asked.
    pub fn questions(&self) -> [&Question; 4] {
        [&self.satisfied, &self.worthwhile, &self.happy, &self.anxious]
    }
}

/// One question.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Our local code, also read as a `linkId`.
    pub code: String,
    /// The question as it is asked.
    pub text: String,
    /// Words by which others' questions are known.
    pub words: Vec<String>,
    /// Further codes, of others' systems.
    #[serde(default)]
    pub also: Vec<Code>,
}

/// What we write.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteCodes {
    /// Identifier system of one filing's resources.
    pub filing: String,
    /// Identifier system of what is written once an episode.
    pub episode: String,
    /// Identifier system of what the partner of an offer took, at whichever filing it comes.
    pub offer: String,
    /// The person took up support.
    pub referred: Code,
    /// The person declined social prescribing as a whole.
    pub declined: Code,
    /// The label of what is sensitive.
    pub sensitive: Code,
    /// Resource type → profile.
    pub profile: BTreeMap<String, String>,
}

impl Mappings {
    /// The file of the repository, compiled in.
    ///
    /// # Errors
    /// Never in a released build: a test reads it.
    pub fn builtin() -> Result<Self, MappingsError> {
        Self::parse(include_str!("../../../mappings/fhir.toml"))
    }

    /// Reads another file's text.
    pub fn parse(text: &str) -> Result<Self, MappingsError> {
        Ok(toml::from_str(text)?)
    }

    /// A referral for social prescribing by its code or category.
    pub(super) fn is_referral(&self, request: &Value) -> bool {
        let concepts = std::iter::once(&request["code"]).chain(json::list(&request["category"]));
        concepts.flat_map(json::codings).any(|(system, code)| self.referral.iter().any(|c| c.is(system, code)))
    }

    /// A code that stands for something of ours (that this is a referral, what was agreed), not for the person's troubles.
    pub(super) fn is_standard(&self, system: &str, code: &str) -> bool {
        let written = [&self.write.referred, &self.write.declined];
        let ours = self.referral.iter().chain(&self.contact_prohibited).chain(written);
        ours.into_iter().any(|c| c.is(system, code))
            || self.consent.code.iter().any(|c| c.of(system, code).is_some())
            || self.sharing.code.iter().any(|c| c.of(system, code).is_some())
    }

    /// The search value for our codes: `system|code,system|code`.
    pub(super) fn referral_search(&self) -> String {
        self.referral.iter().map(Code::token).collect::<Vec<_>>().join(",")
    }
}

impl Code {
    /// The same coding; a coding without a system matches by code where the code is unmistakable (SNOMED ids are).
    pub(super) fn is(&self, system: &str, code: &str) -> bool {
        self.code == code && (self.system == system || (system.is_empty() && self.system == SNOMED))
    }

    /// `system|code`, as a FHIR token search wants it.
    pub(super) fn token(&self) -> String {
        format!("{}|{}", self.system, self.code)
    }

    /// As FHIR writes a `CodeableConcept`.
    pub(super) fn concept(&self) -> Value {
        let mut coding = serde_json::json!({"system": self.system, "code": self.code});
        let mut concept = serde_json::json!({});
        if let Some(display) = &self.display {
            coding["display"] = display.as_str().into();
            concept["text"] = display.as_str().into();
        }
        concept["coding"] = Value::Array(vec![coding]);
        concept
    }
}

impl<T: Copy> Meaning<T> {
    /// What a coding says, if it is this one.
    pub(super) fn of(&self, system: &str, code: &str) -> Option<T> {
        (self.code == code && (self.system == system || (system.is_empty() && self.system == SNOMED)))
            .then_some(self.means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::SnomedCode;

    #[test]
    fn the_mapping_file_of_the_repository_is_read_whole() {
        let mappings = Mappings::builtin().unwrap();
        assert_eq!(mappings.referral_search(), "http://snomed.info/sct|871731000000106");
        assert_eq!(mappings.write.declined.code, "871711000000103");
    }

    #[test]
    fn every_snomed_code_in_it_keeps_its_check_digit() {
        let m = Mappings::builtin().unwrap();
        let codes = m.referral.iter().map(|c| (&c.system, &c.code));
        let consents = m.consent.code.iter().map(|c| (&c.system, &c.code));
        let written = [&m.write.referred, &m.write.declined].map(|c| (&c.system, &c.code));
        for (system, code) in codes.chain(consents).chain(written) {
            assert!(system != SNOMED || SnomedCode::parse(code).is_ok(), "{code}");
        }
    }

    #[test]
    fn a_slip_in_a_mapping_file_is_told_not_ignored() {
        let text = include_str!("../../../mappings/fhir.toml").replace("[sharing]", "[sharing]\nextention = \"x\"");
        assert!(Mappings::parse(&text).unwrap_err().to_string().contains("extention"));
    }
}
