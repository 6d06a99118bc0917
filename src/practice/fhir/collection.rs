//! A referral in one file: a `collection` Bundle, for `wellbridge match` and `evaluate`.
//!
//! Read by the same code as a poll; references are followed within the Bundle only.

use std::sync::Arc;

use jiff::Timestamp;

use super::bundle;
use super::codes::Mappings;
use super::intake::Reader;
use super::json;
use super::owner::Us;
use super::resolver::Known;
use crate::practice::Input;
use crate::referral::PracticeId;

/// A file that is no referral Bundle.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BundleError {
    /// Not JSON, or not a Bundle.
    #[error("not a FHIR Bundle in JSON")]
    NotABundle,
    /// A Bundle without a request.
    #[error("the Bundle holds no ServiceRequest")]
    NoRequest,
}

/// Reads the Bundle's referral: its social-prescribing request, else its only or first request. `now` decides which
/// periods (of consent, names, addresses) are over.
pub fn referral_from_bundle(
    text: &str,
    practice: &PracticeId,
    mappings: &Mappings,
    now: Timestamp,
) -> Result<Input, BundleError> {
    let entries = bundle::read(text).map_err(|_| BundleError::NotABundle)?.entries;
    let mut known = Known::new(None);
    for entry in &entries {
        if let Some(resource) = &entry.resource {
            known.add(entry.full_url.as_deref(), Arc::clone(resource));
        }
    }
    let of_kind = |kind: &'static str| {
        entries.iter().filter_map(move |e| {
            let resource = e.resource.as_ref().filter(|r| json::kind(&r.value) == kind)?;
            Some((e.full_url.as_deref(), resource))
        })
    };
    let (full_url, request) = of_kind("ServiceRequest")
        .find(|(_, r)| mappings.is_referral(&r.value))
        .or_else(|| of_kind("ServiceRequest").next())
        .ok_or(BundleError::NoRequest)?;
    let task = of_kind("Task")
        .map(|(_, task)| task)
        .find(|t| known.follow(&t.value["focus"], &t.value).is_some_and(|focus| *focus == request.value));
    let reader = Reader { practice, mappings, known: &known, us: Us::default(), now };
    Ok(reader.input(full_url, request, task.map(AsRef::as_ref)))
}
