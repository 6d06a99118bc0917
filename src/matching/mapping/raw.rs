//! The mapping files as they are written: what serde reads, field by field, before anything is checked or compiled.
//! An unknown field is an error, so that a slip of the pen is seen.

use serde::Deserialize;

use crate::matching::SafetyKind;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Needs {
    pub need: Vec<Need>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Need {
    pub code: String,
    pub label: String,
    pub kind_of_help: String,
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub snomed: Vec<String>,
    #[serde(default)]
    pub snomed_hint: Vec<String>,
    pub strong: Vec<String>,
    pub words: Vec<String>,
    pub hints: Vec<String>,
    pub services: Vec<String>,
    pub also: Vec<String>,
    pub related: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    pub want: Vec<String>,
    pub not_before: Vec<String>,
    pub not_after: Vec<String>,
    pub keep: Vec<String>,
    pub past: Vec<String>,
    pub turn: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Safety {
    pub matter: Vec<Matter>,
    pub clear: Clear,
    pub unless: Words,
    pub contact: Spared,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matter {
    pub kind: SafetyKind,
    #[serde(default)]
    pub snomed: Vec<String>,
    pub words: Vec<String>,
    #[serde(default)]
    pub plainly: Vec<String>,
    #[serde(default)]
    pub spared: Vec<String>,
    #[serde(default)]
    pub lists: bool,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clear {
    pub before: Vec<String>,
    pub after: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub words: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spared {
    pub words: Vec<String>,
    pub spared: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Services {
    pub closed: Vec<String>,
    pub closed_spared: Vec<String>,
    pub outdated: Vec<String>,
    pub outdated_spared: Vec<String>,
    pub no_email: Vec<String>,
    pub recruiting: Vec<String>,
    pub waiting: Vec<String>,
    pub stairs: Vec<String>,
    pub remote: Vec<String>,
    pub area: Area,
    pub sex: Sexes,
    pub age: Age,
    pub audience: Vec<Audience>,
    pub requirement: Vec<Requirement>,
    pub in_passing: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requirement {
    pub says: String,
    pub person: Vec<String>,
    pub service: Vec<String>,
    #[serde(default)]
    pub times: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    pub lives: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sexes {
    pub female: Sex,
    pub male: Sex,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sex {
    pub says: String,
    pub words: Vec<String>,
    pub not: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Age {
    pub older: Vec<String>,
    pub pension: Vec<String>,
    pub younger: Vec<String>,
    pub any: Vec<String>,
    pub one_of: Vec<String>,
    pub child: Vec<String>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audience {
    pub id: String,
    pub kind: String,
    #[serde(default)]
    pub strict: bool,
    pub says: String,
    pub service: Vec<String>,
    pub person: Vec<String>,
    #[serde(default)]
    pub snomed: Vec<String>,
    #[serde(default)]
    pub languages: Vec<String>,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub not: Vec<String>,
}
