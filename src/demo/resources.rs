//! A story as a practice's system holds it: FHIR R4 resources, ready to be put into the pretend practice.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::stories::{CodedReason, ConsentWord, Person, Story};

/// Who we are on both pretend practices: `system|value` of our Organization.
pub const OUR_ORGANISATION: &str = "https://fhir.nhs.uk/Id/ods-organization-code|X2699";

const SNOMED: &str = "http://snomed.info/sct";
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
const SHARING: &str = "https://wellbridge.example/fhir/CodeSystem/sharing";

/// A practice's own people and us: what is in its record before the first referral.
pub fn household(surgery: &Surgery) -> Vec<Value> {
    vec![
        json!({
            "resourceType": "Organization",
            "id": "surgery",
            "identifier": [{ "system": ODS, "value": surgery.ods }],
            "active": true,
            "name": surgery.name,
            "telecom": [{ "system": "phone", "value": surgery.phone }],
            "address": [{ "city": "Leeds", "postalCode": surgery.postcode }],
        }),
        json!({
            "resourceType": "Practitioner",
            "id": "gp",
            "name": [{
                "use": "official",
                "prefix": ["Dr"],
                "given": [surgery.gp.0],
                "family": surgery.gp.1,
                "text": format!("Dr {} {}", surgery.gp.0, surgery.gp.1),
            }],
            "telecom": [{ "system": "phone", "value": surgery.phone }],
        }),
        json!({
            "resourceType": "Organization",
            "id": "wellbridge",
            "identifier": [{ "system": ODS, "value": OUR_ORGANISATION.rsplit('|').next() }],
            "active": true,
            "name": "Wellbridge (demo)",
        }),
    ]
}

/// One of the two pretend practices.
#[derive(Debug)]
pub struct Surgery {
    /// Its name in the settings.
    pub id: &'static str,
    /// As people know it.
    pub name: &'static str,
    /// Its programme's name in the settings.
    pub programme: &'static str,
    /// Its code in the Organisation Data Service; a made-up one.
    pub ods: &'static str,
    /// Where it is.
    pub postcode: &'static str,
    /// Its telephone.
    pub phone: &'static str,
    /// Given and family name of the GP.
    pub gp: (&'static str, &'static str),
}

/// The practice whose programme lets the machine send.
pub const CHAPEL_ROW: Surgery = Surgery {
    id: "chapel-row",
    name: "Chapel Row Surgery",
    programme: "leeds-north",
    ods: "Z99901",
    postcode: "LS7 2QT",
    phone: "0113 496 0301",
    gp: ("Ruth", "Fairbank"),
};

/// The practice whose coordinator approves each offer.
pub const MILL_POND: Surgery = Surgery {
    id: "mill-pond",
    name: "Mill Pond Medical Centre",
    programme: "leeds-south",
    ods: "Z99902",
    postcode: "LS11 6ED",
    phone: "0113 496 0302",
    gp: ("Daniel", "Osei"),
};

/// Both.
pub const SURGERIES: [&Surgery; 2] = [&CHAPEL_ROW, &MILL_POND];

/// The resources of one story, the ServiceRequest (and its Task) last: a poll that comes between finds them whole.
pub fn referral(story: &Story, now: Timestamp) -> Vec<Value> {
    let id = &story.id;
    let mut resources = vec![patient(id, &story.person), consent(id, story.consent, now), request(story, now)];
    if story.by_task {
        resources.push(task(id, now));
    }
    resources
}

fn patient(id: &str, person: &Person) -> Value {
    let mut patient = json!({
        "resourceType": "Patient",
        "id": format!("{id}-patient"),
        "active": true,
        "name": [{ "use": "official", "given": [person.given], "family": person.family, "text": person.name() }],
        "telecom": [{ "system": "phone", "use": "mobile", "value": person.phone }],
        "gender": person.gender,
        "birthDate": person.born,
        "address": [{ "use": "home", "line": [person.line], "city": "Leeds", "postalCode": person.postcode }],
        "communication": [{
            "language": {
                "coding": [{ "system": "urn:ietf:bcp:47", "code": person.language.as_deref().unwrap_or("en") }],
                "text": person.language_name.as_deref().unwrap_or("English"),
            },
            "preferred": true,
        }],
        "generalPractitioner": [{ "reference": "Organization/surgery" }],
        "managingOrganization": { "reference": "Organization/surgery" },
    });
    if let Some(number) = &person.nhs_number {
        patient["identifier"] = json!([{ "system": NHS_NUMBER, "value": number }]);
    }
    if person.interpreter {
        patient["extension"] = json!([{
            "url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
            "valueBoolean": true,
        }]);
    }
    patient
}

fn consent(id: &str, word: ConsentWord, now: Timestamp) -> Value {
    let provision = match word {
        ConsentWord::Permit => "permit",
        ConsentWord::Deny => "deny",
    };
    json!({
        "resourceType": "Consent",
        "id": format!("{id}-consent"),
        "status": "active",
        "scope": { "coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/consentscope",
            "code": "patient-privacy",
        }] },
        "category": [{
            "coding": [{ "system": "http://loinc.org", "code": "59284-0", "display": "Consent Document" }],
            "text": "Consent to share referral information with a community service",
        }],
        "patient": { "reference": format!("Patient/{id}-patient") },
        "dateTime": now.to_string(),
        "organization": [{ "reference": "Organization/surgery" }],
        "policyRule": { "text": "Agreement recorded by the practice" },
        "provision": { "type": provision },
    })
}

fn request(story: &Story, now: Timestamp) -> Value {
    let id = &story.id;
    let kind = json!({ "coding": [{
        "system": SNOMED,
        "code": "871731000000106",
        "display": "Referral to social prescribing service (procedure)",
    }] });
    json!({
        "resourceType": "ServiceRequest",
        "id": id,
        "status": "active",
        "intent": "order",
        "category": [kind],
        "code": kind,
        "priority": "routine",
        "subject": { "reference": format!("Patient/{id}-patient") },
        "authoredOn": now.to_string(),
        "requester": { "reference": "Practitioner/gp" },
        "reasonCode": story.reasons.iter().map(reason).collect::<Vec<_>>(),
        "orderDetail": [{
            "coding": [{ "system": SHARING, "code": "full" }],
        }],
        "supportingInfo": [{ "reference": format!("Consent/{id}-consent") }],
        "note": [{ "authorReference": { "reference": "Practitioner/gp" }, "time": now.to_string(), "text": story.note }],
    })
}

fn reason(reason: &CodedReason) -> Value {
    match &reason.code {
        Some(code) => json!({ "coding": [{ "system": SNOMED, "code": code }], "text": reason.text }),
        None => json!({ "text": reason.text }),
    }
}

fn task(id: &str, now: Timestamp) -> Value {
    json!({
        "resourceType": "Task",
        "id": format!("{id}-task"),
        "status": "requested",
        "intent": "order",
        "focus": { "reference": format!("ServiceRequest/{id}") },
        "for": { "reference": format!("Patient/{id}-patient") },
        "authoredOn": now.to_string(),
        "requester": { "reference": "Organization/surgery" },
        "owner": { "reference": "Organization/wellbridge" },
    })
}
