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
#[cfg(test)]
mod scratch {
    use super::*;
    use crate::referral::content::*;
    use crate::referral::*;
    #[test]
    fn scratch_match() {
        let m = crate::matching::Matcher::built_in().unwrap();
        let feed = include_str!("../../config/demo/services-feed.json");
        let services = crate::directory::feed::from_json(feed).unwrap().services;
        let d = crate::directory::Directory::new(services);
        let file = std::fs::read_to_string(std::env::var("SCRATCH").unwrap()).unwrap();
        for s in toml::from_str::<File>(&file).unwrap().story {
            let p = &s.person;
            let r = Referral {
                source: Source {
                    practice: PracticeId::new("x"),
                    request: s.id.clone(),
                    task: None,
                    version: "1".into(),
                },
                status: RequestStatus::Active,
                authored: None,
                priority: Priority::Routine,
                patient: Patient {
                    nhs_number: None,
                    name: Some(p.name()),
                    birth_date: p.born.parse().ok(),
                    gender: Some(if p.gender == "male" { Gender::Male } else { Gender::Female }),
                    address: Some(Address {
                        lines: vec![p.line.clone()],
                        city: Some("Leeds".into()),
                        postcode: Some(p.postcode.clone()),
                    }),
                    interpreter: Some(p.interpreter),
                    languages: p
                        .language
                        .iter()
                        .map(|t| Language { tag: Some(t.clone()), name: p.language_name.clone().unwrap() })
                        .collect(),
                    ..Patient::default()
                },
                practice_name: None,
                requester: None,
                reasons: s
                    .reasons
                    .iter()
                    .map(|r| Reason {
                        from: ReasonFrom::ReasonCode,
                        code: r.code.as_ref().and_then(|c| SnomedCode::parse(c).ok()),
                        text: r.text.clone(),
                    })
                    .chain([Reason { from: ReasonFrom::Note, code: None, text: s.note.clone() }])
                    .collect(),
                consent: if s.consent == ConsentWord::Deny { Consent::Declined } else { Consent::Given },
                safe_contact: SafeContact::Open,
                sharing: Sharing::Full,
                baseline: None,
            };
            let f = m.match_referral(&r, &d, "2026-11-24".parse().unwrap());
            println!(
                "== {} {:?} hold {:?} safety {:?}",
                s.id,
                f.decision,
                f.hold,
                f.safety.iter().map(|x| (x.kind, x.evidence.quote.clone())).collect::<Vec<_>>()
            );
            for n in &f.needs {
                println!("   {} {:?}", n.need, n.shown_by.iter().map(|e| e.quote.clone()).collect::<Vec<_>>());
                for c in n.candidates.iter().take(5) {
                    let sv = d.get(&c.service).unwrap();
                    println!(
                        "      {} | {} | {:?} email {} org {}",
                        sv.name,
                        sv.organisation.name,
                        c.distance_km,
                        c.takes_email,
                        c.careful.iter().map(|x| x.sentence.clone()).collect::<Vec<_>>().join(" / ")
                    );
                }
            }
        }
    }
}
