//! A referral as a GP writes it: a patient, her agreement, a request, and a Task where the practice sends one.
//!
//! It goes in over the FHIR server's own door, resource by resource, so that the same story can be told on any server.

use serde_json::{Value, json};

use super::record::Record;

/// Who we are on the practice's server.
pub(crate) const OUR_CODE: (&str, &str) = ("https://fhir.nhs.uk/Id/ods-organization-code", "X0001");
const SNOMED: &str = "http://snomed.info/sct";

/// A referral to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) family: &'static str,
    pub(crate) given: &'static str,
    pub(crate) nhs_number: &'static str,
    pub(crate) born: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) postcode: &'static str,
    pub(crate) street: &'static str,
    pub(crate) words: &'static str,
    consent: Option<&'static str>,
    sharing: Option<&'static str>,
    prohibited: bool,
    task: bool,
    baseline: Option<[u8; 4]>,
}

/// What a story became on the practice's server.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) patient: String,
    pub(crate) consent: Option<String>,
    pub(crate) request: String,
    pub(crate) task: Option<String>,
}

impl Story {
    /// A widow who would love a visitor; agreed, and everything may go back to her GP.
    pub(crate) fn lonely() -> Self {
        Self {
            family: "Barraclough",
            given: "Alison",
            nhs_number: "9990300127",
            born: "1942-01-06",
            phone: "0113 496 0771",
            postcode: "LS15 7DJ",
            street: "45 Specimen Street",
            words: "Widowed six years, lives alone and is very lonely. Says the telly is her only company. \
                    Would love a regular visitor for a chat. Agrees to this referral.",
            consent: Some("permit"),
            sharing: Some("full"),
            prohibited: false,
            task: false,
            baseline: Some([4, 5, 3, 6]),
        }
    }

    /// The same by another person.
    pub(crate) fn lonely_too() -> Self {
        Self {
            family: "Ogunleye",
            given: "Samuel",
            nhs_number: "9990300003",
            born: "1938-07-19",
            phone: "0113 496 0772",
            postcode: "LS5 3BB",
            street: "7 Example Terrace",
            words: "Lives alone since his wife died, lonely. Would like a regular visitor.",
            ..Self::lonely()
        }
    }

    /// Words that a person must see at once.
    pub(crate) fn unsafe_at_home() -> Self {
        Self {
            words: "Lonely. Tells me that her husband hits her and she is afraid to go home. Would like a regular visitor.",
            ..Self::lonely()
        }
    }

    /// Nobody may contact the person.
    pub(crate) fn nobody_may_contact(self) -> Self {
        Self { prohibited: true, ..self }
    }

    /// What may go back to the GP: `full`, `codes-only`, `nothing`; nothing said at all for none.
    pub(crate) fn sharing(self, sharing: Option<&'static str>) -> Self {
        Self { sharing, ..self }
    }

    /// Without any record of an agreement.
    pub(crate) fn without_consent(self) -> Self {
        Self { consent: None, ..self }
    }

    /// Without the practice's own wellbeing scores.
    pub(crate) fn without_scores(self) -> Self {
        Self { baseline: None, ..self }
    }

    /// With a Task of the practice's own, owned by us.
    pub(crate) fn with_task(self) -> Self {
        Self { task: true, ..self }
    }

    /// With another NHS number.
    pub(crate) fn nhs_number(self, nhs_number: &'static str) -> Self {
        Self { nhs_number, ..self }
    }

    /// Puts it into the practice's record.
    pub(crate) async fn send(&self, record: &Record) -> Sent {
        let patient = record.create(&self.patient()).await;
        let about = format!("Patient/{patient}");
        let consent = match self.consent {
            Some(decision) => Some(record.create(&consent(&about, decision)).await),
            None => None,
        };
        let mut supporting: Vec<String> = consent.iter().map(|id| format!("Consent/{id}")).collect();
        if let Some(scores) = self.baseline {
            supporting.push(format!("Observation/{}", record.create(&baseline(&about, scores)).await));
        }
        let request = record.create(&self.request(&about, &supporting)).await;
        let task = if self.task {
            let ours = record.our_organisation().await;
            Some(record.create(&task(&about, &request, &ours)).await)
        } else {
            None
        };
        Sent { patient, consent, request, task }
    }

    fn patient(&self) -> Value {
        json!({
            "resourceType": "Patient",
            "identifier": [{ "system": "https://fhir.nhs.uk/Id/nhs-number", "value": self.nhs_number }],
            "active": true,
            "name": [{ "use": "official", "family": self.family, "given": [self.given] }],
            "telecom": [{ "system": "phone", "use": "home", "value": self.phone }],
            "gender": if self.given == "Samuel" { "male" } else { "female" },
            "birthDate": self.born,
            "address": [{ "use": "home", "line": [self.street], "city": "Leeds", "postalCode": self.postcode }],
        })
    }

    fn request(&self, patient: &str, supporting: &[String]) -> Value {
        let social_prescribing = json!({ "coding": [{ "system": SNOMED, "code": "871731000000106" }] });
        let mut request = json!({
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "priority": "routine",
            "category": [social_prescribing],
            "code": social_prescribing,
            "subject": { "reference": patient },
            "authoredOn": "2026-11-20T14:43:00Z",
            "reasonCode": [{ "coding": [{ "system": SNOMED, "code": "267076002" }], "text": "Feeling lonely" }],
            "note": [{ "text": self.words }],
        });
        if !supporting.is_empty() {
            request["supportingInfo"] = supporting.iter().map(|r| json!({ "reference": r })).collect();
        }
        let mut details = Vec::new();
        if self.prohibited {
            let system = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes";
            details.push(json!({ "coding": [{ "system": system, "code": "contacting-subject-prohibited" }] }));
        }
        if let Some(sharing) = self.sharing {
            let system = "https://wellbridge.example/fhir/CodeSystem/sharing";
            details.push(json!({ "coding": [{ "system": system, "code": sharing }] }));
        }
        if !details.is_empty() {
            request["orderDetail"] = json!(details);
        }
        request
    }

    /// Everything by which this person could be told: nothing of it may stand in a log, a subject, a URL or a metric.
    pub(crate) fn identifiers(&self) -> Vec<String> {
        let spaced = |n: &str| format!("{} {} {}", &n[..3], &n[3..6], &n[6..]);
        let mut all: Vec<String> =
            [self.family, self.given, self.nhs_number, self.born, self.phone, self.postcode, self.street]
                .map(str::to_owned)
                .to_vec();
        all.push(spaced(self.nhs_number));
        all.push(self.phone.replace(' ', ""));
        all.push(self.postcode.replace(' ', ""));
        all.push(self.born.replace('-', ""));
        // Pieces of what the GP wrote, three words long.
        let words: Vec<&str> = self.words.split_whitespace().collect();
        all.extend(words.chunks_exact(3).map(|three| three.join(" ")));
        all
    }
}

/// A Consent as the practice records it: `permit` or `deny`.
pub(crate) fn consent(patient: &str, decision: &str) -> Value {
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": { "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy" }] },
        "category": [{
            "coding": [{ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IDSCL" }],
            "text": "Consent to refer to social prescribing",
        }],
        "patient": { "reference": patient },
        "dateTime": "2026-11-20T14:40:00Z",
        "policyRule": { "text": "Practice policy on referring" },
        "provision": { "type": decision },
    })
}

fn task(patient: &str, request: &str, owner: &str) -> Value {
    json!({
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "priority": "routine",
        "code": { "coding": [{ "system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill" }] },
        "focus": { "reference": format!("ServiceRequest/{request}") },
        "for": { "reference": patient },
        "authoredOn": "2026-11-20T14:44:00Z",
        "owner": { "reference": owner },
        "businessStatus": { "coding": [{ "system": "https://burton-croft.example/steps", "code": "with-reception" }] },
        "note": [{ "text": "Please ring the surgery when done." }],
        "extension": [{ "url": "https://burton-croft.example/colour", "valueString": "green" }],
    })
}

fn baseline(patient: &str, [satisfied, worthwhile, happy, anxious]: [u8; 4]) -> Value {
    let system = "https://wellbridge.example/fhir/CodeSystem/ons4";
    let component = |code: &str, score: u8| json!({ "code": { "coding": [{ "system": system, "code": code }] }, "valueInteger": score });
    json!({
        "resourceType": "Observation",
        "status": "final",
        "code": { "coding": [{ "system": system, "code": "ons4" }], "text": "Personal wellbeing (ONS4)" },
        "subject": { "reference": patient },
        "effectiveDateTime": "2026-11-20T14:40:00Z",
        "component": [
            component("satisfied", satisfied),
            component("worthwhile", worthwhile),
            component("happy", happy),
            component("anxious", anxious),
        ],
    })
}
