//! What a practice tells us: the person, the reasons, consent, how they may be reached.
//!
//! This is the domain's reading of a FHIR ServiceRequest and what it refers to; `practice::fhir` makes it, `matching`
//! and the pages read it. All of it is personal data: it is stored in a table of its own, apart from events, and can
//! be erased. Nothing here knows FHIR.

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use super::codes::{NhsNumber, SnomedCode};
use super::ids::PracticeId;
pub use super::unread::{Unread, WhyUnread};

/// One referral as the practice wrote it, at one version of its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referral {
    /// Which request of which practice this is.
    pub source: Source,
    /// Where the practice's own request stands.
    pub status: RequestStatus,
    /// Where the practice's Task about it stands, where that says more.
    #[serde(default)]
    pub task: TaskState,
    /// When the practice wrote it.
    pub authored: Option<Timestamp>,
    /// How soon it matters to the practice.
    pub priority: Priority,
    /// The person.
    pub patient: Patient,
    /// The practice as it names itself.
    pub practice_name: Option<String>,
    /// Who asked.
    pub requester: Option<Requester>,
    /// Why: codes with their text, referenced conditions, the words of the note, in the order they were written.
    pub reasons: Vec<Reason>,
    /// Every other word and code that came with the request (further displays, values, answers, narratives, what is
    /// attached): read for safety and for contact, never for what is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Reason>,
    /// What came with the request and could not be read: it may say anything, so no machine sends past it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// What the record says about agreeing to this.
    pub consent: Consent,
    /// How the person may be contacted.
    pub safe_contact: SafeContact,
    /// What may go back to the GP; absent means codes only.
    pub sharing: Sharing,
    /// Wellbeing scores taken before the referral, where the practice sent them.
    pub baseline: Option<Ons4>,
}

impl Referral {
    /// The words of the reasons as one text, in order, one reason a line: what a careful reader would read.
    pub fn words(&self) -> String {
        self.reasons.iter().map(|r| r.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Every word that came with the request: the reasons, and what stood beside them.
    pub fn everything_said(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().chain(&self.beside)
    }
}

/// A referral is (practice, request id); each version of it is an input.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The practice whose system holds the request.
    pub practice: PracticeId,
    /// `ServiceRequest.id` on that system.
    pub request: String,
    /// `Task.id` of the coordination Task, where the practice sent one.
    pub task: Option<String>,
    /// `meta.versionId`, or the hash of the content where the system keeps no versions.
    pub version: String,
}

/// `ServiceRequest.status` (FHIR R4 request-status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestStatus {
    /// Not yet meant to be acted on.
    Draft,
    /// To be acted on.
    Active,
    /// Paused by the practice.
    OnHold,
    /// Taken back by the practice.
    Revoked,
    /// Done, in the practice's view.
    Completed,
    /// Should never have been.
    EnteredInError,
    /// The practice's system does not know.
    Unknown,
}

impl RequestStatus {
    /// Taken back: everything stops.
    pub const fn is_withdrawn(self) -> bool {
        matches!(self, Self::Revoked | Self::EnteredInError)
    }
}

/// Where the coordination Task about a request stands, where that says more than the request itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// To be worked on; or there is none.
    #[default]
    Open,
    /// A draft, or on hold: the practice's word.
    Paused,
    /// Completed, failed or rejected by the practice.
    Ended,
    /// Ours until the practice gave it to somebody else.
    GivenAway,
    /// Ended by us, from this database or an earlier one.
    EndedByUs,
}

/// `ServiceRequest.priority` (FHIR R4 request-priority).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// Normal.
    #[default]
    Routine,
    /// Sooner than routine.
    Urgent,
    /// As soon as possible.
    Asap,
    /// At once. Wellbridge is not for urgent messages: a person is told.
    Stat,
}

/// The person the referral is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Patient {
    /// Optional: an asylum seeker may have none.
    pub nhs_number: Option<NhsNumber>,
    /// Whole name as it should be written.
    pub name: Option<String>,
    /// Date of birth; a year or month alone is kept in `birth_year`.
    pub birth_date: Option<Date>,
    /// Year of birth where no whole date is known.
    pub birth_year: Option<i16>,
    /// Administrative gender (FHIR R4).
    pub gender: Option<Gender>,
    /// Where they live now; none when restricted.
    pub address: Option<Address>,
    /// Telephones and emails, as the practice keeps them.
    pub contacts: Vec<ContactPoint>,
    /// Preferred language first.
    pub languages: Vec<Language>,
    /// Whether an interpreter is needed, where the record says so.
    pub interpreter: Option<bool>,
    /// Dead: nothing is sent.
    pub deceased: bool,
    /// Any restricting `meta.security` label (PDS R, V, REDACTED): nothing about where they live is shown or matched on.
    pub restricted: bool,
    /// No longer registered with the practice.
    pub left_practice: bool,
}

impl Patient {
    /// Age in whole years on a day; from the year alone where that is all we know (then it may be one too many).
    pub fn age_on(&self, day: Date) -> Option<u8> {
        let years = match (self.birth_date, self.birth_year) {
            (Some(born), _) => {
                let had_birthday = (day.month(), day.day()) >= (born.month(), born.day());
                i32::from(day.year()) - i32::from(born.year()) - i32::from(!had_birthday)
            }
            (None, Some(year)) => i32::from(day.year()) - i32::from(year),
            (None, None) => return None,
        };
        u8::try_from(years).ok()
    }

    /// Whether `now` can only be the same person: NHS numbers decide where both are known; else nothing that is known of
    /// both may differ, and something must agree.
    pub fn is_same_person(&self, now: &Self) -> bool {
        if let (Some(then), Some(now)) = (&self.nhs_number, &now.nhs_number) {
            return then == now;
        }
        let name = |p: &Self| p.name.as_deref().map(str::to_lowercase);
        let year = |p: &Self| p.birth_date.map(Date::year).or(p.birth_year);
        let compared = [
            name(self).zip(name(now)).map(|(a, b)| a == b),
            self.birth_date.zip(now.birth_date).map(|(a, b)| a == b),
            year(self).zip(year(now)).map(|(a, b)| a == b),
        ];
        let nothing_known = self.nhs_number.is_none() && name(self).is_none() && year(self).is_none();
        !compared.contains(&Some(false)) && (nothing_known || compared.contains(&Some(true)))
    }

    /// Who the person is, and nothing else about them.
    #[must_use]
    pub fn identity(&self) -> Self {
        Self {
            nhs_number: self.nhs_number.clone(),
            name: self.name.clone(),
            birth_date: self.birth_date,
            birth_year: self.birth_year,
            ..Self::default()
        }
    }

    /// Where the person lives is neither shown nor matched on: the record is restricted, or what it says of a home is no
    /// longer so (deceased, no longer registered).
    pub const fn whereabouts_are_closed(&self) -> bool {
        self.restricted || self.deceased || self.left_practice
    }

    /// `A B` for Alison Barraclough: enough to tell rows apart on a screen that others may see.
    pub fn initials(&self) -> String {
        let name = self.name.as_deref().unwrap_or("");
        let letters: Vec<String> =
            name.split_whitespace().filter_map(|w| w.chars().next()).map(|c| c.to_uppercase().collect()).collect();
        match letters.as_slice() {
            [] => "?".to_owned(),
            [only] => only.clone(),
            [first, .., last] => format!("{first} {last}"),
        }
    }
}

/// Administrative gender (FHIR R4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Gender {
    Female,
    Male,
    Other,
    Unknown,
}

/// A postal address in the United Kingdom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// House and street, a line each.
    pub lines: Vec<String>,
    /// Town or city.
    pub city: Option<String>,
    /// Postcode as written.
    pub postcode: Option<String>,
}

/// One way to reach somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactPoint {
    /// Telephone, text, email.
    pub system: ContactSystem,
    /// The number or address.
    pub value: String,
    /// `home`, `mobile`, `work`, where the record says so.
    pub kind: Option<String>,
}

/// What sort of contact point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ContactSystem {
    Phone,
    Sms,
    Email,
    Other,
}

/// A language the person speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Language {
    /// BCP 47 tag (`ti`, `bfi`), where given.
    pub tag: Option<String>,
    /// As people say it: Tigrinya.
    pub name: String,
}

/// Who made the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// As they sign.
    pub name: String,
    /// How to ring them back about this referral.
    pub phone: Option<String>,
}

/// One reason for the referral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Where it stood in the request.
    pub from: ReasonFrom,
    /// Its SNOMED code, where one was given and its check digit holds.
    pub code: Option<SnomedCode>,
    /// Its words; for a code its text or display.
    pub text: String,
}

/// Where a reason stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReasonFrom {
    /// `ServiceRequest.reasonCode`.
    ReasonCode,
    /// A Condition or Observation behind `reasonReference`.
    Condition,
    /// `ServiceRequest.note`.
    Note,
    /// `ServiceRequest.patientInstruction` or other words for the receiver.
    Instruction,
    /// Anywhere else in the request, its Task, or what came with them.
    Beside,
}

/// What the record says about the person's agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// A Consent resource or a consent code says yes.
    Given,
    /// One says no.
    Declined,
    /// Nothing was recorded; whether that suffices is the practice's agreement (`by-referral`).
    NotRecorded,
    /// The request points to a Consent that cannot be read: it may say no, so nothing leaves under any policy.
    Unreadable,
}

/// How the person may be contacted. Travels first, before anything else about them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule", content = "words")]
pub enum SafeContact {
    /// Nobody contacts the person, the partner included; a person arranges how (Gravity `contacting-subject-prohibited`).
    Prohibited,
    /// Only so: "mobile only, 9 to 12".
    Only(String),
    /// Words about contact that cannot be read with certainty: a person reads them and sends.
    Unclear(String),
    /// No rule was given.
    Open,
}

/// What the person agreed may go back to the GP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Codes, scores and words.
    Full,
    /// Codes and states, no words and no scores.
    #[default]
    CodesOnly,
    /// Nothing but the state of the Task.
    Nothing,
}

/// The four ONS personal wellbeing questions, each 0 to 10 (Office for National Statistics, ONS4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ons4 {
    /// "Overall, how satisfied are you with your life nowadays?"
    pub satisfied: Score,
    /// "… the things you do in your life are worthwhile?"
    pub worthwhile: Score,
    /// "… how happy did you feel yesterday?"
    pub happy: Score,
    /// "… how anxious did you feel yesterday?" Here low is good.
    pub anxious: Score,
}

/// A whole number from 0 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Score(u8);

/// Not a whole number from 0 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a wellbeing score is a whole number from 0 to 10")]
pub struct ScoreError;

impl TryFrom<u8> for Score {
    type Error = ScoreError;
    fn try_from(value: u8) -> Result<Self, ScoreError> {
        if value <= 10 { Ok(Self(value)) } else { Err(ScoreError) }
    }
}

impl From<Score> for u8 {
    fn from(score: Score) -> Self {
        score.0
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_birthday_counts_on_the_day_itself() {
        let patient = Patient { birth_date: Some(date(1942, 1, 6)), ..Patient::default() };
        assert_eq!(patient.age_on(date(2026, 1, 5)), Some(83));
        assert_eq!(patient.age_on(date(2026, 1, 6)), Some(84));
    }

    #[test]
    fn a_birth_date_in_the_future_gives_no_age() {
        let patient = Patient { birth_date: Some(date(2030, 1, 1)), ..Patient::default() };
        assert_eq!(patient.age_on(date(2026, 1, 1)), None);
    }
}
