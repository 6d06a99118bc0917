//! The referrals that are measured with: one patient, her agreement and a request each, put straight into the pretend
//! practice's record. Shared by `cargo bench --bench road` and the fast peers of `tests/measure`.

use serde_json::{Value, json};
use wellbridge::demo::practice::PretendPractice;

fn coded(system: &str, code: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code }] })
}

/// Puts one referral into the practice's record; gives the ids of the patient and the request.
pub(crate) fn refer(practice: &PretendPractice, number: usize) -> (String, String) {
    let patient = practice.put(json!({
        "resourceType": "Patient",
        "active": true,
        "name": [{ "family": format!("Example{number}"), "given": ["Alison"] }],
        "telecom": [{ "system": "phone", "value": "0113 496 0771" }],
        "gender": "female",
        "birthDate": "1942-01-06",
        "address": [{ "city": "Leeds", "postalCode": "LS15 7DJ" }],
    }));
    let consent = practice.put(json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IDSCL")],
        "patient": { "reference": format!("Patient/{patient}") },
        "policyRule": { "text": "Practice policy on referring" },
        "provision": { "type": "permit" },
    }));
    let request = practice.put(json!({
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": coded("http://snomed.info/sct", "871731000000106"),
        "subject": { "reference": format!("Patient/{patient}") },
        "reasonCode": [coded("http://snomed.info/sct", "267076002")],
        "orderDetail": [coded("https://wellbridge.example/fhir/CodeSystem/sharing", "full")],
        "supportingInfo": [{ "reference": format!("Consent/{consent}") }],
        "note": [{ "text": "Lives alone and is very lonely. Would love a regular visitor for a chat." }],
    }));
    (patient, request)
}

/// Who the Wellbeing Coordinators are on the practice's server.
pub(crate) fn organisation() -> Value {
    let ours = json!([{ "system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "X0001" }]);
    json!({ "resourceType": "Organization", "active": true, "identifier": ours, "name": "Wellbeing Coordinators" })
}
