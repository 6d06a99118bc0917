//! `GET /metadata`: the pretend practice's `CapabilityStatement`, FHIR 4.0.1, made from the tables it really works by.

use serde_json::{Value, json};

use super::parameters::{Compare, PARAMETERS, kinds};

/// What the practice says it can do.
pub(super) fn statement(base: &str, date: &str) -> Value {
    let resources: Vec<Value> = kinds().into_iter().map(resource).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "software": { "name": "Pretend practice", "version": env!("CARGO_PKG_VERSION") },
        "implementation": { "description": "A pretend practice for the demo and the tests", "url": base },
        "rest": [{
            "mode": "server",
            "resource": resources,
            "interaction": [{ "code": "transaction" }],
        }],
    })
}

fn resource(kind: &str) -> Value {
    let of_every_kind = [("_id", "token"), ("_lastUpdated", "date")];
    let mut parameters: Vec<Value> =
        of_every_kind.iter().map(|(name, kind)| json!({ "name": name, "type": kind })).collect();
    let mut includes = Vec::new();
    for parameter in PARAMETERS.iter().filter(|p| p.kind == kind) {
        let compare = match parameter.compare {
            Compare::Token => "token",
            Compare::Reference => "reference",
            Compare::Text => "string",
            Compare::Date => "date",
        };
        parameters.push(json!({ "name": parameter.name, "type": compare }));
        if parameter.compare == Compare::Reference {
            includes.push(format!("{kind}:{}", parameter.name));
        }
    }
    let interactions: Vec<Value> = ["read", "vread", "search-type", "create", "update", "delete"]
        .iter()
        .map(|code| json!({ "code": code }))
        .collect();
    let mut statement = json!({
        "type": kind,
        "interaction": interactions,
        "versioning": "versioned-update",
        "readHistory": true,
        "updateCreate": true,
        "conditionalCreate": true,
        "searchParam": parameters,
    });
    if let Some(fields) = statement.as_object_mut().filter(|_| !includes.is_empty()) {
        fields.insert("searchInclude".to_owned(), json!(includes));
    }
    statement
}
