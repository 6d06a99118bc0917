//! The pretend practice's record: every version of every resource, in memory, as the JSON it came as.
//!
//! Nothing here knows HTTP. A write never fails: whatever may refuse one (a version that moved on, two matches for a
//! condition) was looked at before, under the same lock, so a transaction needs no rollback.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::parameters::values;
use crate::clock::Clock;
use crate::random;

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deed {
    /// A resource that was not there before.
    Created,
    /// A further version.
    Updated,
    /// Taken away: a read answers 410 from now on.
    Deleted,
}

/// One write, kept for ever: what a test counts when it asks "was this written once?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What it did.
    pub deed: Deed,
    /// `Task`, `Observation`, …
    pub kind: String,
    /// The resource's id.
    pub id: String,
    /// The version it made, from 1.
    pub version: u64,
    /// `system|value` of every identifier the resource carried.
    pub identifiers: Vec<String>,
    /// When, by the practice's own (strictly increasing) clock.
    pub at: Timestamp,
}

/// A resource as it stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) resource: Arc<Value>,
    pub(super) version: u64,
    pub(super) at: Timestamp,
}

/// What is found under an id.
pub(super) enum Found {
    Here(Standing),
    Gone,
    Nothing,
}

#[derive(Clone)]
struct Version {
    /// `None` marks the deletion.
    resource: Option<Arc<Value>>,
    at: Timestamp,
}

/// All of it.
pub(super) struct Store {
    clock: Clock,
    /// The last moment given out, so that no two versions share one.
    last: Timestamp,
    started: Timestamp,
    records: BTreeMap<String, BTreeMap<String, Vec<Version>>>,
    /// kind → identifier value, tag, or last part of a reference → ids that ever carried it: where a search by one of
    /// them starts looking.
    by_value: HashMap<String, HashMap<String, BTreeSet<String>>>,
    journal: Vec<Write>,
}

impl Store {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            started: clock.now(),
            clock,
            last: Timestamp::MIN,
            records: BTreeMap::new(),
            by_value: HashMap::new(),
            journal: Vec::new(),
        }
    }

    /// When the practice opened.
    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn read(&self, kind: &str, id: &str) -> Found {
        let Some(versions) = self.records.get(kind).and_then(|of_kind| of_kind.get(id)) else {
            return Found::Nothing;
        };
        standing(versions).map_or(Found::Gone, Found::Here)
    }

    /// One version of the past, counted from 1.
    pub(super) fn read_version(&self, kind: &str, id: &str, version: u64) -> Found {
        let at = usize::try_from(version).ok().and_then(|n| n.checked_sub(1));
        let entry = self.records.get(kind).and_then(|of_kind| of_kind.get(id)).zip(at);
        match entry.and_then(|(versions, at)| versions.get(at)) {
            None => Found::Nothing,
            Some(Version { resource: None, .. }) => Found::Gone,
            Some(Version { resource: Some(resource), at }) => {
                Found::Here(Standing { resource: Arc::clone(resource), version, at: *at })
            }
        }
    }

    /// Everything of one kind that is not deleted, by id.
    pub(super) fn all(&self, kind: &str) -> impl Iterator<Item = Standing> {
        self.records.get(kind).into_iter().flat_map(|of_kind| of_kind.values().filter_map(|v| standing(v)))
    }

    /// How many of one kind there ever were.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.records.get(kind).map_or(0, BTreeMap::len)
    }

    /// Those of one kind with these ids.
    pub(super) fn with_ids<'a>(&self, kind: &str, ids: impl Iterator<Item = &'a str>) -> Vec<Standing> {
        let ids: BTreeSet<&str> = ids.collect();
        ids.into_iter()
            .filter_map(|id| match self.read(kind, id) {
                Found::Here(standing) => Some(standing),
                Found::Gone | Found::Nothing => None,
            })
            .collect()
    }

    /// Those of one kind that may carry one of these identifier values, tags or references; the caller still checks.
    pub(super) fn with_values<'a>(&self, kind: &str, values: impl Iterator<Item = &'a str>) -> Vec<Standing> {
        let Some(of_kind) = self.by_value.get(kind) else { return Vec::new() };
        self.with_ids(kind, values.filter_map(|value| of_kind.get(last_part(value))).flatten().map(String::as_str))
    }

    /// Writes the next version, with `id` and `meta.versionId`/`meta.lastUpdated` set by us as FHIR asks.
    pub(super) fn write(&mut self, kind: &str, id: &str, mut resource: Value) -> (Deed, Standing) {
        let at = self.next_moment();
        let versions = self.records.entry(kind.to_owned()).or_default().entry(id.to_owned()).or_default();
        let deed = if standing(versions).is_some() { Deed::Updated } else { Deed::Created };
        let version = versions.len() as u64 + 1;
        stamp(&mut resource, id, version, at);
        let identifiers = identifiers(&resource);
        let resource = Arc::new(resource);
        versions.push(Version { resource: Some(Arc::clone(&resource)), at });
        let index = self.by_value.entry(kind.to_owned()).or_default();
        let own = identifiers.iter().map(|identifier| identifier.split_once('|').map_or("", |(_, value)| value));
        let tags = values(&resource, "meta.tag.code").into_iter().filter_map(Value::as_str);
        for value in own.chain(tags).chain(references(&resource)) {
            index.entry(last_part(value).to_owned()).or_default().insert(id.to_owned());
        }
        self.journal.push(Write { deed, kind: kind.to_owned(), id: id.to_owned(), version, identifiers, at });
        (deed, Standing { resource, version, at })
    }

    /// Marks a resource as deleted; one that is not there stays so.
    pub(super) fn delete(&mut self, kind: &str, id: &str) {
        let Found::Here(before) = self.read(kind, id) else { return };
        let at = self.next_moment();
        if let Some(versions) = self.records.get_mut(kind).and_then(|of_kind| of_kind.get_mut(id)) {
            versions.push(Version { resource: None, at });
        }
        self.journal.push(Write {
            deed: Deed::Deleted,
            kind: kind.to_owned(),
            id: id.to_owned(),
            version: before.version + 1,
            identifiers: identifiers(&before.resource),
            at,
        });
    }

    /// An id nobody has.
    pub(super) fn new_id() -> String {
        random::uuid().to_string()
    }

    pub(super) fn journal(&self) -> &[Write] {
        &self.journal
    }

    /// Now, but always later than the last time it was asked: a `_lastUpdated` cursor can tell any two writes apart.
    fn next_moment(&mut self) -> Timestamp {
        let now = self.clock.now();
        let after_last = self.last.saturating_add(SignedDuration::from_millis(1)).unwrap_or(now);
        // A clock that was set back is followed, as servers do; to one that stands still each write adds a millisecond.
        let set_back = self.last.duration_since(now) > SignedDuration::from_mins(1);
        let moment = if set_back { now } else { now.max(after_last) };
        // FHIR instants are written to the millisecond: what is compared must be what was written.
        self.last = Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment);
        self.last
    }
}

fn standing(versions: &[Version]) -> Option<Standing> {
    let last = versions.last()?;
    let resource = Arc::clone(last.resource.as_ref()?);
    Some(Standing { resource, version: versions.len() as u64, at: last.at })
}

/// `Type/id`, an absolute URL or a version of either → `id`; anything else as it is.
fn last_part(value: &str) -> &str {
    let plain = value.split_once("/_history/").map_or(value, |(before, _)| before);
    plain.rsplit_once('/').map_or(plain, |(_, last)| last)
}

/// Every `reference` in a resource, wherever it stands.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(fields) => {
            let own = fields.get("reference").and_then(Value::as_str);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn stamp(resource: &mut Value, id: &str, version: u64, at: Timestamp) {
    let Some(fields) = resource.as_object_mut() else { return };
    fields.insert("id".to_owned(), json!(id));
    let meta = fields.entry("meta").or_insert_with(|| json!({}));
    if let Some(meta) = meta.as_object_mut() {
        meta.insert("versionId".to_owned(), json!(version.to_string()));
        meta.insert("lastUpdated".to_owned(), json!(instant(at)));
    }
}

/// A FHIR `instant`, to the millisecond.
pub(super) fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `system|value` of each identifier; a single `identifier` (Bundle's, say) counts too.
fn identifiers(resource: &Value) -> Vec<String> {
    let found = match resource.get("identifier") {
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    found
        .into_iter()
        .filter_map(|identifier| {
            let value = identifier.get("value")?.as_str()?;
            let system = identifier.get("system").and_then(Value::as_str).unwrap_or_default();
            Some(format!("{system}|{value}"))
        })
        .collect()
}
