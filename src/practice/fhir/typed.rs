//! The typed models of `fhir-sdk`, where they help: as a judge of what we are about to write.
//!
//! One non-generic function for each resource, all in this module, because each further flavour of these parsers costs
//! seconds at build. Reading goes through `json` instead: a typed model refuses much that practices really send, and
//! a typed re-serialisation would drop what it does not know.

use fhir_sdk::r4b::resources::{DocumentReference, Observation, Procedure, Provenance, Task};
use serde_json::Value;

use super::json;
use crate::effect::EffectError;

/// Says whether a resource that we made is a well-formed one of its type; a fault of ours never leaves the house.
pub(super) fn check(resource: &Value) -> Result<(), EffectError> {
    let judged = match json::kind(resource) {
        "Observation" => observation(resource.clone()),
        "DocumentReference" => document_reference(resource.clone()),
        "Procedure" => procedure(resource.clone()),
        "Provenance" => provenance(resource.clone()),
        "Task" => task(resource.clone()),
        other => Err(format!("{other} is not something that Wellbridge writes")),
    };
    judged.map_err(|fault| {
        let why = format!(
            "a {} that Wellbridge made is not well formed: a fault of ours, please report it",
            json::kind(resource)
        );
        EffectError::give_up(why, Some(fault))
    })
}

fn observation(value: Value) -> Result<(), String> {
    serde_json::from_value::<Observation>(value).map(drop).map_err(|e| e.to_string())
}

fn document_reference(value: Value) -> Result<(), String> {
    serde_json::from_value::<DocumentReference>(value).map(drop).map_err(|e| e.to_string())
}

fn procedure(value: Value) -> Result<(), String> {
    serde_json::from_value::<Procedure>(value).map(drop).map_err(|e| e.to_string())
}

fn provenance(value: Value) -> Result<(), String> {
    serde_json::from_value::<Provenance>(value).map(drop).map_err(|e| e.to_string())
}

fn task(value: Value) -> Result<(), String> {
    serde_json::from_value::<Task>(value).map(drop).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_badly_formed_resource_never_leaves_the_house() {
        let good = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}});
        assert!(check(&good).is_ok());
        for bad in [
            json!({"resourceType": "Observation", "code": {"text": "x"}}),
            json!({"resourceType": "Observation", "status": "finished", "code": {"text": "x"}}),
            json!({"resourceType": "Patient"}),
        ] {
            assert!(matches!(check(&bad), Err(EffectError::GiveUp { detail: Some(_), .. })), "{bad}");
        }
    }
}
