//! A FHIR transaction: everything or nothing.
//!
//! First every entry is looked at (its condition, its `If-Match`, where it will live), then all are written under the
//! same lock. `urn:uuid` references within the Bundle become the real ones on the way (R4, section 3.1.0.11.2).

use std::collections::{HashMap, HashSet};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::interactions::{Written, checked, condition, etag_version, parse_query};
use super::outcome::Refusal;
use super::search::Query;
use super::store::{Deed, Found, Standing, Store, instant};

/// One entry, decided but not yet done.
enum Step {
    Write {
        kind: String,
        id: String,
        resource: Value,
    },
    /// `ifNoneExist` found it: nothing is written.
    Exists(Standing),
    Delete {
        kind: String,
        id: String,
    },
}

/// Runs a `transaction` Bundle and answers the `transaction-response`.
pub(super) fn run(bundle: &Value, store: &mut Store, base: &str) -> Result<Value, Refusal> {
    let kind = bundle.get("resourceType").and_then(Value::as_str);
    if kind != Some("Bundle") || bundle.get("type").and_then(Value::as_str) != Some("transaction") {
        return Err(Refusal::not_supported("Only a Bundle of type transaction can be posted here"));
    }
    let none = Vec::new();
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or(&none);
    let mut steps = Vec::with_capacity(entries.len());
    let mut places: HashMap<String, String> = HashMap::new();
    let mut targets: HashSet<String> = HashSet::new();
    let mut conditions: HashSet<String> = HashSet::new();
    for entry in entries {
        let step = decide(entry, store, base, &mut conditions)?;
        let place = place(&step);
        if !matches!(step, Step::Exists(_)) && !targets.insert(place.clone()) {
            return Err(Refusal::invalid("Two entries write the same resource"));
        }
        if let Some(url) = entry.get("fullUrl").and_then(Value::as_str) {
            places.insert(url.to_owned(), place);
        }
        steps.push(step);
    }
    let answers: Vec<Value> = steps.into_iter().map(|step| perform(step, &places, store, base)).collect();
    Ok(json!({ "resourceType": "Bundle", "type": "transaction-response", "entry": answers }))
}

fn decide(entry: &Value, store: &Store, base: &str, conditions: &mut HashSet<String>) -> Result<Step, Refusal> {
    let request = |name: &str| entry.get("request").and_then(|r| r.get(name)).and_then(Value::as_str);
    let url = request("url").ok_or_else(|| Refusal::invalid("An entry has no request.url"))?;
    let mut parts = url.split('/');
    let (kind, id, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if more.is_some() || url.contains('?') {
        return Err(Refusal::not_supported("request.url must be Type or Type/id"));
    }
    match (request("method"), id) {
        (Some("POST"), None) => {
            let resource = checked(entry.get("resource"), kind)?;
            if let Some(text) = request("ifNoneExist") {
                if !conditions.insert(format!("{kind}?{text}")) {
                    return Err(Refusal::invalid("Two entries have the same ifNoneExist"));
                }
                let query = Query::parse(kind, &parse_query(text))?;
                if let Some(existing) = condition(&query, store, base)? {
                    return Ok(Step::Exists(existing));
                }
            }
            Ok(Step::Write { kind: kind.to_owned(), id: Store::new_id(), resource })
        }
        (Some("PUT"), Some(id)) => {
            let resource = checked(entry.get("resource"), kind)?;
            if resource.get("id").and_then(Value::as_str) != Some(id) {
                return Err(Refusal::invalid("The resource's id is not the one in request.url"));
            }
            if let Some(tag) = request("ifMatch") {
                let wanted = etag_version(tag)?;
                match store.read(kind, id) {
                    Found::Here(standing) if standing.version == wanted => {}
                    _ => return Err(Refusal::version_moved_on()),
                }
            }
            Ok(Step::Write { kind: kind.to_owned(), id: id.to_owned(), resource })
        }
        (Some("DELETE"), Some(id)) => Ok(Step::Delete { kind: kind.to_owned(), id: id.to_owned() }),
        _ => Err(Refusal::not_supported("An entry must be a POST to Type, or a PUT or DELETE of Type/id")),
    }
}

/// `Type/id` of what a step is about.
fn place(step: &Step) -> String {
    match step {
        Step::Write { kind, id, .. } | Step::Delete { kind, id } => format!("{kind}/{id}"),
        Step::Exists(standing) => {
            let field = |name| standing.resource.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}/{}", field("resourceType"), field("id"))
        }
    }
}

fn perform(step: Step, places: &HashMap<String, String>, store: &mut Store, base: &str) -> Value {
    match step {
        Step::Write { kind, id, mut resource } => {
            rewrite(&mut resource, places);
            let (deed, standing) = store.write(&kind, &id, resource);
            let status = if deed == Deed::Created { "201 Created" } else { "200 OK" };
            answer(status, &Written::of(&kind, &id, &standing, base), &standing)
        }
        Step::Exists(standing) => {
            let place = place(&Step::Exists(standing.clone()));
            let (kind, id) = place.split_once('/').unwrap_or_default();
            answer("200 OK", &Written::of(kind, id, &standing, base), &standing)
        }
        Step::Delete { kind, id } => {
            store.delete(&kind, &id);
            json!({ "response": { "status": format!("{} No Content", StatusCode::NO_CONTENT.as_u16()) } })
        }
    }
}

fn answer(status: &str, written: &Written, standing: &Standing) -> Value {
    json!({
        "response": {
            "status": status,
            "location": written.location,
            "etag": written.etag,
            "lastModified": instant(standing.at),
        },
    })
}

/// Puts the real place wherever a `reference` names an entry of this Bundle.
fn rewrite(value: &mut Value, places: &HashMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                match inner {
                    Value::String(text) if name == "reference" => {
                        if let Some(place) = places.get(text.as_str()) {
                            text.clone_from(place);
                        }
                    }
                    inner => rewrite(inner, places),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| rewrite(inner, places)),
        _ => {}
    }
}
