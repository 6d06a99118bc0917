//! The mappings: what an operator may edit (`mappings/*.toml`), checked and compiled once into phrase sets.
//!
//! The files that come with Wellbridge are compiled in; an operator may give others. Every mistake is named with its
//! file and the entry it stands in, before a single referral is read.

mod compile;
mod raw;

use std::collections::HashMap;

use super::{
    SafetyKind,
    words::{PhraseError, Phrases},
};
use crate::{
    directory::words::Term,
    referral::{NeedCode, SnomedCode},
};

/// The texts of the mapping files.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'s> {
    /// `needs.toml`.
    pub needs: &'s str,
    /// `reading.toml`.
    pub reading: &'s str,
    /// `safety.toml`.
    pub safety: &'s str,
    /// `services.toml`.
    pub services: &'s str,
}

impl Default for Sources<'static> {
    fn default() -> Self {
        Self {
            needs: include_str!("../../mappings/needs.toml"),
            reading: include_str!("../../mappings/reading.toml"),
            safety: include_str!("../../mappings/safety.toml"),
            services: include_str!("../../mappings/services.toml"),
        }
    }
}

/// A mapping file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Not TOML, or an unknown or missing field; the message names line and column.
    #[error("{file}: {message}")]
    Toml {
        /// Which file.
        file: &'static str,
        /// What the TOML reader says.
        message: String,
    },
    /// A phrase that cannot be read.
    #[error("{file}, {entry}: {error}")]
    Phrase {
        /// Which file.
        file: &'static str,
        /// Which entry.
        entry: String,
        /// What is wrong with it.
        error: PhraseError,
    },
    /// A SNOMED CT id that fails its check digit.
    #[error("{file}, {entry}: {code} is not a SNOMED CT id")]
    Snomed {
        /// Which file.
        file: &'static str,
        /// Which entry.
        entry: String,
        /// The text.
        code: String,
    },
    /// A name that no entry has, or that two have.
    #[error("{file}, {entry}: {name:?} is unknown or stands twice")]
    Name {
        /// Which file.
        file: &'static str,
        /// Which entry.
        entry: String,
        /// The name.
        name: String,
    },
}

/// A kind of help.
#[derive(Clone, Debug)]
pub struct NeedDef {
    /// Its name.
    pub code: NeedCode,
    /// As a coordinator reads it.
    pub label: String,
    /// As a partner reads it; reveals nothing sensitive.
    pub kind_of_help: String,
    /// What comes of it is filed apart, under a restricting label.
    pub sensitive: bool,
    /// Needs whose services are a second choice.
    pub(super) related: Vec<usize>,
    /// Words to look its services up by, with weights.
    pub(super) query: Vec<(Term, f32)>,
}

/// What a phrase says about a need, or a code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    pub need: usize,
    pub weight: f32,
    pub strength: Strength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    Hint,
    Word,
    Strong,
}

/// One circumstance services may be for.
#[derive(Clone, Debug)]
pub(super) struct Audience {
    pub kind: String,
    pub strict: bool,
    pub says: String,
    pub needs: Vec<usize>,
    pub snomed: Vec<SnomedCode>,
    pub languages: Vec<String>,
}

/// One kind of safety matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matter {
    pub kind: SafetyKind,
    /// Nothing around it clears it.
    pub plainly: bool,
    /// "no a, b or c" clears the whole list.
    pub lists: bool,
}

/// All mappings, compiled.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    pub needs: Vec<NeedDef>,
    pub snomed: HashMap<SnomedCode, Vec<Mark>>,
    pub asked: Phrases<Mark>,
    pub offered: Phrases<Mark>,
    pub reading: Reading,
    pub safety: Safety,
    pub services: Services,
    pub audiences: Vec<Audience>,
    pub audience_service: Phrases<usize>,
    pub audience_person: Phrases<usize>,
    pub audience_open: Phrases<usize>,
    pub requirements: Vec<Requirement>,
}

/// What a person may need of any service.
#[derive(Clone, Debug)]
pub(super) struct Requirement {
    pub says: String,
    pub person: Phrases<()>,
    pub service: Phrases<()>,
    /// Parts of a service's times that show it.
    pub times: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub want: Phrases<()>,
    pub not_before: Phrases<()>,
    pub not_after: Phrases<()>,
    pub keep: Phrases<()>,
    pub past: Phrases<()>,
    pub turn: Phrases<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Safety {
    pub matters: Phrases<Matter>,
    pub snomed: HashMap<SnomedCode, SafetyKind>,
    pub spared: Phrases<SafetyKind>,
    pub before: Phrases<()>,
    pub after: Phrases<()>,
    pub unless: Phrases<()>,
    pub contact: Phrases<()>,
    pub contact_spared: Phrases<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Services {
    pub closed: Phrases<()>,
    pub closed_spared: Phrases<()>,
    pub outdated: Phrases<()>,
    pub outdated_spared: Phrases<()>,
    pub no_email: Phrases<()>,
    pub waiting: Phrases<()>,
    pub stairs: Phrases<()>,
    pub remote: Phrases<()>,
    pub lives: Phrases<()>,
    pub female: Sex,
    pub male: Sex,
    pub older: Phrases<()>,
    pub pension: Phrases<()>,
    pub recruiting: Phrases<()>,
    pub in_passing: Phrases<()>,
    pub younger: Phrases<()>,
    pub any_age: Phrases<()>,
    pub one_of: Phrases<()>,
    pub child: Phrases<()>,
}

#[derive(Clone, Debug)]
pub(super) struct Sex {
    pub words: Phrases<()>,
    pub not: Phrases<()>,
    pub says: String,
}
