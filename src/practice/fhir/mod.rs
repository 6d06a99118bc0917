//! FHIR R4 over HTTPS: the first adapter of [`super::PracticeSystem`].
mod bundle;
mod client;
mod codes;
mod contact;
mod contact_words;
mod json;
mod outcome;
mod patient;
mod resolver;
