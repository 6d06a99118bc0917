//! What is wrong with the settings, said to the person who can put it right.
//!
//! Every problem names its key, where the value stands and what to do; all of them are listed at once, so that nobody
//! starts the service five times to find five slips. A secret's value is never shown.

use std::{cell::RefCell, fmt};

/// Settings that cannot be used: everything that is wrong, in the order of the sections.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.as_text())]
pub struct SettingsError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

impl SettingsError {
    pub(super) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }

    fn as_text(&self) -> String {
        let count = self.problems.len();
        let head = if count == 1 {
            "The settings cannot be used. One thing to put right:".to_owned()
        } else {
            format!("The settings cannot be used. {count} things to put right:")
        };
        self.problems.iter().fold(head, |text, problem| format!("{text}\n  - {problem}"))
    }
}

/// One thing to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key's whole path, `programmes.leeds.mode`; empty where a whole file is meant.
    pub key: String,
    /// The file or variable it stands in; none where nothing was said.
    pub place: Option<String>,
    /// What is wrong and what to do, in a sentence or two.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), self.place.as_deref()) {
            ("", None) => write!(f, "{}", self.what),
            ("", Some(place)) => write!(f, "{place}: {}", self.what),
            (key, None) => write!(f, "{key}: {}", self.what),
            (key, Some(place)) => write!(f, "{key} (in {place}): {}", self.what),
        }
    }
}

/// The list that the sections add to while they are read.
#[derive(Debug, Default)]
pub(super) struct Problems {
    noted: RefCell<Vec<Problem>>,
    /// Every key that was read, for the test that all are documented.
    #[cfg(test)]
    keys: RefCell<std::collections::BTreeSet<String>>,
}

impl Problems {
    pub(super) fn add(&self, key: impl Into<String>, place: Option<&str>, what: impl Into<String>) {
        self.noted.borrow_mut().push(Problem { key: key.into(), place: place.map(str::to_owned), what: what.into() });
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.noted.into_inner()
    }

    #[cfg(test)]
    pub(super) fn note_keys(&self, keys: &std::collections::BTreeSet<String>) {
        self.keys.borrow_mut().extend(keys.iter().cloned());
    }

    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<String> {
        self.keys.borrow().iter().cloned().collect()
    }
}
