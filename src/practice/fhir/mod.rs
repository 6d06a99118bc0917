//! FHIR R4 over HTTPS: the first adapter of [`super::PracticeSystem`].
mod bundle;
mod client;
mod collection;
mod consent;
mod intake;
mod requester;
mod scores;
mod codes;
mod contact;
mod contact_words;
mod json;
mod outcome;
mod patient;
mod resolver;

pub use collection::{BundleError, referral_from_bundle};
pub use codes::Mappings;
