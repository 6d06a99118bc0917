//! Which search parameters the pretend practice knows (FHIR R4's own names), and how to read their values from JSON.
//!
//! A parameter that is not in the table is refused with 400, as a strict server does: an adapter that asks for what
//! R4 does not define should hear of it here and not in a surgery.

use serde_json::Value;

/// How a parameter compares (R4, Search, section 3.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Token,
    Reference,
    Text,
    Date,
}

/// One search parameter of one kind of resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    pub(super) compare: Compare,
    /// Dotted field names; lists on the way are looked into.
    pub(super) path: &'static str,
}

const fn parameter(kind: &'static str, name: &'static str, compare: Compare, path: &'static str) -> Parameter {
    Parameter { kind, name, compare, path }
}

use Compare::{Date, Reference, Text, Token};

/// All of them, by kind.
pub(super) const PARAMETERS: &[Parameter] = &[
    parameter("CarePlan", "category", Token, "category"),
    parameter("CarePlan", "identifier", Token, "identifier"),
    parameter("CarePlan", "patient", Reference, "subject"),
    parameter("CarePlan", "status", Token, "status"),
    parameter("CarePlan", "subject", Reference, "subject"),
    parameter("Condition", "category", Token, "category"),
    parameter("Condition", "clinical-status", Token, "clinicalStatus"),
    parameter("Condition", "code", Token, "code"),
    parameter("Condition", "identifier", Token, "identifier"),
    parameter("Condition", "patient", Reference, "subject"),
    parameter("Condition", "subject", Reference, "subject"),
    parameter("Consent", "category", Token, "category"),
    parameter("Consent", "date", Date, "dateTime"),
    parameter("Consent", "identifier", Token, "identifier"),
    parameter("Consent", "patient", Reference, "patient"),
    parameter("Consent", "status", Token, "status"),
    parameter("DocumentReference", "category", Token, "category"),
    parameter("DocumentReference", "date", Date, "date"),
    parameter("DocumentReference", "identifier", Token, "identifier"),
    parameter("DocumentReference", "patient", Reference, "subject"),
    parameter("DocumentReference", "related", Reference, "context.related"),
    parameter("DocumentReference", "status", Token, "status"),
    parameter("DocumentReference", "subject", Reference, "subject"),
    parameter("DocumentReference", "type", Token, "type"),
    parameter("Encounter", "identifier", Token, "identifier"),
    parameter("Encounter", "patient", Reference, "subject"),
    parameter("Encounter", "subject", Reference, "subject"),
    parameter("Location", "identifier", Token, "identifier"),
    parameter("Location", "name", Text, "name"),
    parameter("Observation", "based-on", Reference, "basedOn"),
    parameter("Observation", "category", Token, "category"),
    parameter("Observation", "code", Token, "code"),
    parameter("Observation", "date", Date, "effectiveDateTime"),
    parameter("Observation", "identifier", Token, "identifier"),
    parameter("Observation", "patient", Reference, "subject"),
    parameter("Observation", "status", Token, "status"),
    parameter("Observation", "subject", Reference, "subject"),
    parameter("Organization", "identifier", Token, "identifier"),
    parameter("Organization", "name", Text, "name"),
    parameter("Patient", "birthdate", Date, "birthDate"),
    parameter("Patient", "family", Text, "name.family"),
    parameter("Patient", "general-practitioner", Reference, "generalPractitioner"),
    parameter("Patient", "given", Text, "name.given"),
    parameter("Patient", "identifier", Token, "identifier"),
    parameter("Patient", "organization", Reference, "managingOrganization"),
    parameter("Practitioner", "family", Text, "name.family"),
    parameter("Practitioner", "identifier", Token, "identifier"),
    parameter("PractitionerRole", "identifier", Token, "identifier"),
    parameter("PractitionerRole", "organization", Reference, "organization"),
    parameter("PractitionerRole", "practitioner", Reference, "practitioner"),
    parameter("Procedure", "based-on", Reference, "basedOn"),
    parameter("Procedure", "category", Token, "category"),
    parameter("Procedure", "code", Token, "code"),
    parameter("Procedure", "identifier", Token, "identifier"),
    parameter("Procedure", "patient", Reference, "subject"),
    parameter("Procedure", "status", Token, "status"),
    parameter("Procedure", "subject", Reference, "subject"),
    parameter("Provenance", "agent", Reference, "agent.who"),
    parameter("Provenance", "patient", Reference, "target"),
    parameter("Provenance", "target", Reference, "target"),
    parameter("RelatedPerson", "identifier", Token, "identifier"),
    parameter("RelatedPerson", "patient", Reference, "patient"),
    parameter("ServiceRequest", "authored", Date, "authoredOn"),
    parameter("ServiceRequest", "based-on", Reference, "basedOn"),
    parameter("ServiceRequest", "category", Token, "category"),
    parameter("ServiceRequest", "code", Token, "code"),
    parameter("ServiceRequest", "encounter", Reference, "encounter"),
    parameter("ServiceRequest", "identifier", Token, "identifier"),
    parameter("ServiceRequest", "intent", Token, "intent"),
    parameter("ServiceRequest", "patient", Reference, "subject"),
    parameter("ServiceRequest", "performer", Reference, "performer"),
    parameter("ServiceRequest", "priority", Token, "priority"),
    parameter("ServiceRequest", "requester", Reference, "requester"),
    parameter("ServiceRequest", "status", Token, "status"),
    parameter("ServiceRequest", "subject", Reference, "subject"),
    parameter("Task", "authored-on", Date, "authoredOn"),
    parameter("Task", "based-on", Reference, "basedOn"),
    parameter("Task", "business-status", Token, "businessStatus"),
    parameter("Task", "code", Token, "code"),
    parameter("Task", "focus", Reference, "focus"),
    parameter("Task", "identifier", Token, "identifier"),
    parameter("Task", "intent", Token, "intent"),
    parameter("Task", "modified", Date, "lastModified"),
    parameter("Task", "owner", Reference, "owner"),
    parameter("Task", "part-of", Reference, "partOf"),
    parameter("Task", "patient", Reference, "for"),
    parameter("Task", "performer", Token, "performerType"),
    parameter("Task", "priority", Token, "priority"),
    parameter("Task", "requester", Reference, "requester"),
    parameter("Task", "status", Token, "status"),
    parameter("Task", "subject", Reference, "for"),
];

/// Parameters of every kind of resource.
const OF_EVERY_KIND: &[Parameter] =
    &[parameter("", "_security", Token, "meta.security"), parameter("", "_tag", Token, "meta.tag")];

/// The kinds of resource kept, in order.
pub(super) fn kinds() -> Vec<&'static str> {
    let mut kinds: Vec<&str> = PARAMETERS.iter().map(|p| p.kind).collect();
    kinds.dedup();
    kinds
}

/// The parameter of this name; `_id`, `_lastUpdated` and the like are the search's own.
pub(super) fn find(kind: &str, name: &str) -> Option<&'static Parameter> {
    let own = PARAMETERS.iter().find(|p| p.kind == kind && p.name == name);
    own.or_else(|| OF_EVERY_KIND.iter().find(|p| p.name == name))
}

/// Everything that lies at a dotted path, lists opened.
pub(super) fn values<'a>(resource: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut here = vec![resource];
    for field in path.split('.') {
        here = here.into_iter().filter_map(|value| value.get(field)).flat_map(opened).collect();
    }
    here
}

fn opened(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |list| list.iter().collect())
}

/// The `(system, code)` pairs in a value; a plain `code` has no system of its own, so any asked for fits.
pub(super) fn tokens(value: &Value) -> Vec<(Option<&str>, String)> {
    match value {
        Value::String(code) => vec![(None, code.clone())],
        Value::Bool(flag) => vec![(None, flag.to_string())],
        Value::Object(fields) => {
            if let Some(codings) = fields.get("coding").and_then(Value::as_array) {
                return codings.iter().flat_map(tokens).collect();
            }
            let code = fields.get("code").or_else(|| fields.get("value")).and_then(Value::as_str);
            let system = fields.get("system").and_then(Value::as_str).unwrap_or_default();
            code.map(|code| (Some(system), code.to_owned())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
