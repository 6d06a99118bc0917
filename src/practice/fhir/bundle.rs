//! One search page: its entries one by one with their raw JSON, its total, where the next page is.
//!
//! A page is read as raw values so that one bad entry cannot cost it. A page that is no searchset Bundle is a fault of
//! the practice's system and an error of the page.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use super::resolver::Resource;
use crate::effect::EffectError;

/// A page of a search.
#[derive(Debug)]
pub(super) struct SearchPage {
    /// In order.
    pub(super) entries: Vec<Entry>,
    /// `Bundle.total`.
    pub(super) total: Option<u64>,
    /// `Bundle.link[next]`, not yet checked.
    pub(super) next: Option<String>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// `fullUrl`.
    pub(super) full_url: Option<String>,
    /// The resource; none where the entry holds none that can be read.
    pub(super) resource: Option<Arc<Resource>>,
    /// The entry as it came.
    pub(super) raw: String,
    /// `search.mode`, where the server says it.
    mode: Option<String>,
}

/// What an entry is to a search for one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Found by the search.
    Match,
    /// Came along.
    Include,
    /// The server's remarks.
    Remark,
}

impl Entry {
    /// Servers that send no `search.mode` are common: there the searched type counts as a match.
    pub(super) fn role(&self, searched: &str) -> Role {
        let kind = self.resource.as_ref().map_or("", |r| json::kind(&r.value));
        match self.mode.as_deref() {
            Some("match") => Role::Match,
            Some("include") => Role::Include,
            Some("outcome") => Role::Remark,
            _ if kind == "OperationOutcome" => Role::Remark,
            _ if kind.is_empty() || kind == searched => Role::Match,
            _ => Role::Include,
        }
    }
}

#[derive(Deserialize)]
struct RawBundle<'a> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    /// Some write it as text; an odd total is no reason to lose a page.
    total: Option<serde_json::Value>,
    link: Option<Vec<Link>>,
    #[serde(borrow)]
    entry: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    relation: String,
    #[serde(default)]
    url: String,
}

#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(rename = "fullUrl")]
    full_url: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    search: Option<Search>,
}

#[derive(Deserialize)]
struct Search {
    mode: Option<String>,
}

/// Reads a Bundle's text.
pub(super) fn read(text: &str) -> Result<SearchPage, EffectError> {
    let fault = |what: &str| EffectError::retry(format!("the practice's system answered a search with {what}"));
    let bundle: RawBundle<'_> = serde_json::from_str(text).map_err(|_| fault("something that is not a FHIR Bundle"))?;
    if bundle.resource_type != "Bundle" {
        return Err(fault("a resource that is not a Bundle"));
    }
    let total = bundle.total.and_then(|t| t.as_u64().or_else(|| t.as_str()?.parse().ok()));
    let next =
        bundle.link.unwrap_or_default().into_iter().find(|l| l.relation == "next" && !l.url.is_empty()).map(|l| l.url);
    Ok(SearchPage { entries: bundle.entry.unwrap_or_default().into_iter().map(entry).collect(), total, next })
}

fn entry(raw: &RawValue) -> Entry {
    let text = raw.get();
    let read: Option<RawEntry<'_>> = serde_json::from_str(text).ok();
    let (full_url, resource, mode) = match read {
        Some(e) => (e.full_url, e.resource, e.search.and_then(|s| s.mode)),
        None => (None, None, None),
    };
    let resource = resource.and_then(|r| {
        let value = serde_json::from_str::<serde_json::Value>(r.get()).ok().filter(serde_json::Value::is_object)?;
        Some(Arc::new(Resource { raw: r.get().to_owned(), value }))
    });
    Entry { full_url, resource, raw: text.to_owned(), mode }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_one_by_one_and_a_bad_one_stays_visible() {
        let page = read(
            r#"{"resourceType":"Bundle","type":"searchset","total":3,"link":[{"relation":"self","url":"a"},
            {"relation":"next","url":"b"}],"entry":[
            {"fullUrl":"x","resource":{"resourceType":"Task","id":"1"},"search":{"mode":"match"}},
            {"resource":"a string"}, 7, {"resource":{"resourceType":"OperationOutcome"}},
            {"resource":{"resourceType":"ServiceRequest","id":"2"}},{"resource":{"resourceType":"Patient","id":"3"}}]}"#,
        )
        .unwrap();
        assert_eq!((page.total, page.next.as_deref()), (Some(3), Some("b")));
        let roles: Vec<Role> = page.entries.iter().map(|e| e.role("ServiceRequest")).collect();
        assert_eq!(roles, [Role::Match, Role::Match, Role::Match, Role::Remark, Role::Match, Role::Include]);
        assert!(page.entries[1].resource.is_none() && page.entries[2].resource.is_none());
        assert_eq!(page.entries[2].raw, "7");
    }

    #[test]
    fn an_odd_total_or_an_empty_page_costs_nothing() {
        for (text, total) in [
            (r#"{"resourceType":"Bundle","total":"12"}"#, Some(12)),
            (r#"{"resourceType":"Bundle","total":-1,"entry":null,"link":null}"#, None),
        ] {
            let page = read(text).unwrap();
            assert_eq!((page.total, page.entries.len()), (total, 0), "{text}");
        }
    }

    #[test]
    fn a_page_that_is_no_bundle_is_an_error() {
        for text in ["", "<html>", "[]", r#"{"resourceType":"Patient"}"#, r#"{"resourceType":"Bundle","entry":7}"#] {
            assert!(matches!(read(text), Err(EffectError::RetryAfter { .. })), "{text}");
        }
    }
}
