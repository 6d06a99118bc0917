//! What came with a request and could not be read. Whatever it says, nobody here knows, so a person reads it at the
//! practice before anything is sent. Holds nothing of the person: a type of resource and a reason.

use serde::{Deserialize, Serialize};

/// Something that came with the request and could not be read. It shows as a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unread {
    /// Its type in FHIR; empty where it is not known.
    pub what: String,
    /// Why not.
    pub why: WhyUnread,
}

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyUnread {
    /// What points to it leads to nothing that the practice's system gives.
    Missing,
    /// It lies on another system.
    Elsewhere,
    /// It holds a document in another form than plain words.
    Document,
    /// It is about another patient.
    AnotherPatient,
    /// It bears a FHIR `modifierExtension`.
    ChangesMeaning,
    /// Too many references lead to it.
    TooFar,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.what.is_empty() { String::new() } else { format!(" ({})", self.what) };
        let why = match self.why {
            WhyUnread::Missing => "that the practice’s system does not give us",
            WhyUnread::Elsewhere => "that lies on another system",
            WhyUnread::Document => "with a document that Wellbridge does not open",
            WhyUnread::AnotherPatient => "that is about another patient",
            WhyUnread::ChangesMeaning => {
                "that changes its own meaning in a way Wellbridge does not know (modifierExtension)"
            }
            WhyUnread::TooFar => "that lies too far behind it",
        };
        write!(f, "Something came with the request{what} {why}. Read it at the practice.")
    }
}
