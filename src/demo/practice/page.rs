//! Pages of a search: the matches are fixed when it is asked, so that nothing moves between pages while others write.
//!
//! A page's `next` is an absolute URL under the base with an opaque token, as real servers give; a token whose search
//! was pushed out by newer ones answers 410, and the client asks again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::outcome::Refusal;
use super::parameters::values;
use super::search::{Query, local};
use super::store::{Found, Store};
use crate::random;

/// Searches whose later pages are kept.
const KEPT: usize = 64;

/// A search under way.
struct Running {
    query: Query,
    matches: Vec<Arc<Value>>,
    self_url: String,
}

/// The searches whose later pages may still be asked for.
#[derive(Default)]
pub(super) struct Pages {
    running: HashMap<String, Arc<Running>>,
    order: VecDeque<String>,
}

impl Pages {
    /// Runs a search and gives its first page.
    pub(super) fn first(&mut self, query: Query, self_url: String, store: &Store, base: &str) -> Value {
        let matches = query.run(store, base).into_iter().map(|standing| standing.resource).collect();
        let running = Arc::new(Running { query, matches, self_url });
        let token = (running.query.count > 0 && running.matches.len() > running.query.count).then(|| {
            let token = random::uuid().simple().to_string();
            self.running.insert(token.clone(), Arc::clone(&running));
            self.order.push_back(token.clone());
            if self.order.len() > KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.running.remove(&oldest);
            }
            token
        });
        bundle(&running, 0, token.as_deref(), store, base)
    }

    /// Gives a later page by the token of its link.
    pub(super) fn later(&self, link: &str, store: &Store, base: &str) -> Result<Value, Refusal> {
        let gone = || Refusal::new(axum::http::StatusCode::GONE, "expired", "This search is over: ask again");
        let (token, offset) = link.split_once('-').ok_or_else(gone)?;
        let offset: usize = offset.parse().map_err(|_| gone())?;
        let running = self.running.get(token).ok_or_else(gone)?;
        Ok(bundle(running, offset, Some(token), store, base))
    }
}

fn bundle(running: &Running, offset: usize, token: Option<&str>, store: &Store, base: &str) -> Value {
    let Running { query, matches, self_url } = running;
    let end = (offset + query.count).min(matches.len());
    let here = matches.get(offset..end).unwrap_or_default();
    let mut links = vec![json!({ "relation": "self", "url": self_url })];
    if let Some(token) = token.filter(|_| end < matches.len()) {
        let url = format!("{base}/{}?_page={token}-{end}", query.kind);
        links.push(json!({ "relation": "next", "url": url }));
    }
    let mut entries: Vec<Value> = here.iter().map(|resource| entry(resource, "match", base)).collect();
    entries.extend(included(query, here, store, base).iter().map(|resource| entry(resource, "include", base)));
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "searchset",
        "total": matches.len(),
        "link": links,
    });
    // An empty list is no valid FHIR.
    if let Some(fields) = bundle.as_object_mut().filter(|_| !entries.is_empty()) {
        fields.insert("entry".to_owned(), Value::Array(entries));
    }
    bundle
}

fn entry(resource: &Arc<Value>, mode: &str, base: &str) -> Value {
    let (kind, id) = key(resource);
    json!({ "fullUrl": format!("{base}/{kind}/{id}"), "resource": **resource, "search": { "mode": mode } })
}

/// What the matches of this page refer to, each once, as `_include` asked; references to elsewhere are left alone.
fn included(query: &Query, matches: &[Arc<Value>], store: &Store, base: &str) -> Vec<Arc<Value>> {
    let mut seen: BTreeSet<(String, String)> = matches.iter().map(|resource| key(resource)).collect();
    let mut found = Vec::new();
    let mut todo: VecDeque<(Arc<Value>, bool)> = matches.iter().map(|m| (Arc::clone(m), true)).collect();
    while let Some((from, is_match)) = todo.pop_front() {
        let from_kind = key(&from).0;
        for include in query.includes.iter().filter(|i| (is_match || i.iterate) && i.parameter.kind == from_kind) {
            for reference in values(&from, include.parameter.path) {
                let target = reference.get("reference").and_then(Value::as_str).and_then(|text| local(text, base));
                let Some((kind, id)) = target else { continue };
                let wanted = include.target.as_deref().is_none_or(|target| target == kind);
                if !wanted || !seen.insert((kind.to_owned(), id.to_owned())) {
                    continue;
                }
                if let Found::Here(standing) = store.read(kind, id) {
                    todo.push_back((Arc::clone(&standing.resource), false));
                    found.push(standing.resource);
                }
            }
        }
    }
    found
}

fn key(resource: &Value) -> (String, String) {
    let field = |name| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (field("resourceType"), field("id"))
}
