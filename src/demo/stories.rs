//! The demo's stories: sample referrals, what the people of `demo --once` do about each, and what must come of it.
//!
//! They stand in `config/demo/stories.toml`, compiled in, so that somebody who does not write Rust can read them as what
//! they are: short stories with an expected end.

use serde::Deserialize;

const STORIES: &str = include_str!("../../config/demo/stories.toml");

/// One sample referral.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// Its name in the play; also the id of its ServiceRequest.
    pub id: String,
    /// What it is about, in a few words.
    pub title: String,
    /// Which of the two pretend practices sends it.
    pub practice: String,
    /// It is there when the demo's page opens; the others are the visitor's to send.
    pub on_stage: bool,
    /// The practice asks with a Task owned by us, instead of a bare ServiceRequest.
    #[serde(default)]
    pub by_task: bool,
    /// What the people of the play do about it.
    pub plays: Plot,
    /// The person.
    pub person: Person,
    /// Coded reasons.
    #[serde(default)]
    pub reasons: Vec<CodedReason>,
    /// The GP's words.
    pub note: String,
    /// What the record says about agreeing.
    #[serde(default)]
    pub consent: ConsentWord,
    /// Wellbeing scores when support starts (satisfied, worthwhile, happy, anxious).
    pub before: Option<[u8; 4]>,
    /// The same when it has finished.
    pub after: Option<[u8; 4]>,
    /// What must have come of it when the play is over.
    #[serde(default)]
    pub expect: Expected,
}

/// What the people of the play do about a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plot {
    /// Nobody does anything: it waits for a person, and rightly so.
    None,
    /// The first partner says yes, supports the person, and tells how it went.
    ToTheEnd,
    /// The first partner has no room; the second says yes and support starts.
    DeclinedThenAccepted,
    /// The first partner says nothing until the deadline has passed; the second says yes.
    UnansweredThenAccepted,
    /// The first partner says yes and books a first date.
    AcceptedAndBooked,
    /// The practice takes the request back after the first partner was asked.
    Withdrawn,
    /// The coordinator reads it, and supports the person herself.
    ReadByAPerson,
    /// The coordinator approves (and confirms the partner where nobody has yet); the partner says yes and support starts.
    Approved,
    /// The coordinator sees another need behind the words and asks another service; support is given and finished.
    AnotherWay,
}

/// Who a story is about. All made up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Given name.
    pub given: String,
    /// Family name.
    pub family: String,
    /// Date of birth, `1954-05-02`.
    pub born: String,
    /// FHIR's administrative gender.
    pub gender: String,
    /// In the range that is never given out (999…); one story's is wrong on purpose.
    pub nhs_number: Option<String>,
    /// House and street.
    pub line: String,
    /// Postcode in Leeds.
    pub postcode: String,
    /// In the range kept for drama (0113 496 0…).
    pub phone: String,
    /// BCP 47; English where nothing is said.
    pub language: Option<String>,
    /// As people call it.
    pub language_name: Option<String>,
    /// Needs an interpreter.
    #[serde(default)]
    pub interpreter: bool,
}

impl Person {
    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// A coded reason.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodedReason {
    /// SNOMED CT, where there is one.
    pub code: Option<String>,
    /// Its words.
    pub text: String,
}

/// What the Consent resource says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentWord {
    /// Yes.
    #[default]
    Permit,
    /// No.
    Deny,
}

/// What must have come of a story, word for word as the table says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expected {
    /// The road travelled.
    pub road: String,
    /// Where it stands.
    pub state: String,
    /// What the practice's record says.
    pub record: String,
}

#[derive(Deserialize)]
struct File {
    story: Vec<Story>,
}

/// All stories, in the order in which they are told.
pub fn stories() -> Result<Vec<Story>, toml::de::Error> {
    Ok(toml::from_str::<File>(STORIES)?.story)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::NhsNumber;

    #[test]
    fn every_story_is_about_somebody_who_does_not_exist() {
        let all = stories().unwrap();
        assert!(all.len() >= 12, "a dozen at least");
        for story in &all {
            let person = &story.person;
            assert!(person.phone.starts_with("0113 496 0"), "{}: not a number kept for drama", story.id);
            assert!(person.postcode.starts_with("LS"), "{}", story.id);
            if let Some(number) = &person.nhs_number {
                assert!(number.starts_with("999"), "{}: a number that might be somebody's", story.id);
                assert_eq!(NhsNumber::parse(number).is_ok(), story.id != "typing-slip", "{}", story.id);
            }
        }
    }

    #[test]
    fn no_two_stories_share_a_name_or_a_number() {
        let all = stories().unwrap();
        for what in [|s: &Story| s.id.clone(), |s: &Story| s.person.phone.clone()] {
            let mut seen: Vec<String> = all.iter().map(what).collect();
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), all.len());
        }
    }
}
