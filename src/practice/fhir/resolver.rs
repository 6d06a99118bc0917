//! One resolver for every reference: relative, contained, logical, `urn:uuid` within a Bundle, and absolute only under
//! the practice's own base.
//!
//! [`Known`] holds the resources of one poll page, one re-read or one Bundle file; nothing outlives it, so nothing
//! grows stale. Looking up is pure; fetching what is missing, a batch for each type, is `fetch`'s work.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::client::reference_in;
use super::json;

/// A resource and the JSON it came as.
#[derive(Debug)]
pub(super) struct Resource {
    /// As it came, byte for byte.
    pub(super) raw: String,
    /// Read.
    pub(super) value: Value,
}

/// Where a reference points.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Target {
    /// `Type/id` on the practice's own system.
    Local(String, String),
    /// `#id` inside the same resource.
    Contained(String),
    /// An entry of the same Bundle, by its `fullUrl`.
    FullUrl(String),
    /// An identifier, no address: type where given, system, value.
    Logical(Option<String>, String, String),
    /// Somewhere else: not followed.
    Foreign,
    /// Nothing that can be followed (a display at most).
    Nowhere,
}

/// The resources at hand.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_key: HashMap<String, Arc<Resource>>,
    by_full_url: HashMap<String, Arc<Resource>>,
    base: Option<Url>,
}

impl Known {
    /// For a practice's system at `base`; `None` for a Bundle that stands alone.
    pub(super) fn new(base: Option<Url>) -> Self {
        Self { base, ..Self::default() }
    }

    /// Takes a resource in; the first under a name stays.
    pub(super) fn add(&mut self, full_url: Option<&str>, resource: Arc<Resource>) {
        if let Some(key) = json::key(&resource.value) {
            self.by_key.entry(key).or_insert_with(|| Arc::clone(&resource));
        }
        if let Some(url) = full_url {
            self.by_full_url.entry(url.to_owned()).or_insert(resource);
        }
    }

    /// The resource `Type/id`.
    pub(super) fn key(&self, key: &str) -> Option<&Arc<Resource>> {
        self.by_key.get(key)
    }

    /// Every resource of a type.
    pub(super) fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Arc<Resource>> {
        let keyless = self.by_full_url.values().filter(|r| json::key(&r.value).is_none());
        self.by_key.values().chain(keyless).filter(move |r| json::kind(&r.value) == kind)
    }

    /// Every Task whose focus is this request.
    pub(super) fn tasks_about<'a>(&'a self, request: &'a Value) -> impl Iterator<Item = &'a Arc<Resource>> {
        let key = json::key(request);
        let is_it = move |found: &Value| if key.is_some() { json::key(found) == key } else { found == request };
        self.all("Task").filter(move |task| match self.target(&task.value["focus"]) {
            Target::Contained(_) => false,
            // The request may be one that was read by itself.
            Target::Local(kind, id) => Some(format!("{kind}/{id}")) == json::key(request),
            other => self.find(&other).is_some_and(|found| is_it(&found.value)),
        })
    }

    /// Where `reference` (a FHIR Reference) points.
    pub(super) fn target(&self, reference: &Value) -> Target {
        let Some(text) = json::text(&reference["reference"]) else {
            let identifier = &reference["identifier"];
            let kind = json::text(&reference["type"]).map(str::to_owned);
            return match (json::text(&identifier["system"]), json::text(&identifier["value"])) {
                (Some(system), Some(value)) => Target::Logical(kind, system.to_owned(), value.to_owned()),
                _ => Target::Nowhere,
            };
        };
        if let Some(id) = text.strip_prefix('#') {
            return Target::Contained(id.to_owned());
        }
        if !text.contains("://") && !text.starts_with("urn:") {
            return Self::local(text);
        }
        let local = self.base.as_ref().filter(|b| text.starts_with(b.as_str())).and_then(|b| reference_in(text, b));
        match local {
            Some(key) => Self::local(&key),
            // What lies in the same Bundle needs no request.
            None if text.starts_with("urn:") || self.by_full_url.contains_key(text) => Target::FullUrl(text.to_owned()),
            None => Target::Foreign,
        }
    }

    fn local(text: &str) -> Target {
        let mut parts = text.split('/');
        match (parts.next(), parts.next()) {
            (Some(kind), Some(id)) if kind.starts_with(|c: char| c.is_ascii_uppercase()) && !id.is_empty() => {
                Target::Local(kind.to_owned(), id.to_owned())
            }
            _ => Target::Nowhere,
        }
    }

    /// The resource behind `reference`, which stands in `container`.
    pub(super) fn follow<'a>(&'a self, reference: &Value, container: &'a Value) -> Option<&'a Value> {
        match self.target(reference) {
            Target::Contained(id) => json::list(&container["contained"]).find(|r| r["id"] == id.as_str()),
            other => self.find(&other).map(|r| &r.value),
        }
    }

    /// The resource at a target that is not contained.
    pub(super) fn find(&self, target: &Target) -> Option<&Arc<Resource>> {
        match target {
            Target::Local(kind, id) => self.by_key.get(&format!("{kind}/{id}")),
            Target::FullUrl(url) => self.by_full_url.get(url).or_else(|| {
                // Some senders drop the fullUrl and keep the id.
                let id = url.rsplit(':').next()?;
                self.by_key.values().find(|r| r.value["id"] == id)
            }),
            Target::Logical(kind, system, value) => {
                let named = |r: &Resource| {
                    kind.as_deref().is_none_or(|k| json::kind(&r.value) == k)
                        && json::list(&r.value["identifier"])
                            .any(|i| i["system"] == system.as_str() && i["value"] == value.as_str())
                };
                // An identifier that two resources carry names neither.
                let mut found = self.by_key.values().filter(|r| named(r));
                found.next().filter(|_| found.next().is_none())
            }
            Target::Contained(_) | Target::Foreign | Target::Nowhere => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let mut known = Known::new(Some(Url::parse("https://fhir.surgery.example/r4/").unwrap()));
        for (url, value) in [
            (
                None,
                json!({"resourceType": "Patient", "id": "p1",
                "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990300127"}]}),
            ),
            (Some("urn:uuid:1"), json!({"resourceType": "Organization", "id": "o1"})),
        ] {
            known.add(url, Arc::new(Resource { raw: value.to_string(), value }));
        }
        known
    }

    #[test]
    fn every_kind_of_reference_is_followed_or_refused() {
        let known = known();
        let container = json!({"contained": [{"resourceType": "Patient", "id": "inside"}]});
        for (reference, id) in [
            (json!({"reference": "Patient/p1"}), Some("p1")),
            (json!({"reference": "Patient/p1/_history/3"}), Some("p1")),
            (json!({"reference": "https://fhir.surgery.example/r4/Patient/p1"}), Some("p1")),
            (json!({"reference": "#inside"}), Some("inside")),
            (json!({"reference": "urn:uuid:1"}), Some("o1")),
            (json!({"identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990300127"}}), Some("p1")),
            (
                json!({"type": "Organization",
                "identifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990300127"}}),
                None,
            ),
            (json!({"reference": "https://fhir.elsewhere.example/r4/Patient/p1"}), None),
            (json!({"reference": "https://fhir.surgery.example.evil.example/r4/Patient/p1"}), None),
            (json!({"reference": "Patient/p2"}), None),
            (json!({"display": "Alison"}), None),
        ] {
            let found = known.follow(&reference, &container).and_then(|r| r["id"].as_str());
            assert_eq!(found, id, "{reference}");
        }
        assert_eq!(
            known.target(&json!({"reference": "https://fhir.elsewhere.example/r4/Patient/p1"})),
            Target::Foreign
        );
    }

    #[test]
    fn what_only_looks_like_the_practices_own_base_is_foreign_or_nowhere() {
        let known = known();
        for reference in [
            "http://fhir.surgery.example/r4/Patient/p1",
            "HTTP://fhir.surgery.example/r4/Patient/p1",
            "ftp://fhir.surgery.example/r4/Patient/p1",
            "https://fhir.surgery.example:8443/r4/Patient/p1",
            "https://fhir.surgery.example/r4x/Patient/p1",
            "https://fhir.surgery.example/r4",
            "https://fhir.surgery.example/Patient/p1",
            "https://fhir.surgery.example/r4/../Patient/p1",
            "https://fhir.surgery.example/r4/%2e%2e/Patient/p1",
            "https://fhir.surgery.example/r4/../../r5/Patient/p1",
            "https://fhir.surgery.example@evil.example/r4/Patient/p1",
            "https://fhir.surgery.example/r4@evil.example/Patient/p1",
            "https://x:y@fhir.surgery.example/r4/Patient/p1",
            "https://evil.example/https://fhir.surgery.example/r4/Patient/p1",
            "https://evil.example/?https://fhir.surgery.example/r4/Patient/p1",
            "//evil.example/r4/Patient/p1",
            "/r4/Patient/p1",
            "../Patient/p1",
        ] {
            let target = known.target(&json!({"reference": reference}));
            assert!(matches!(target, Target::Foreign | Target::Nowhere), "{reference}: {target:?}");
            assert!(known.find(&target).is_none(), "{reference}");
        }
    }
}
