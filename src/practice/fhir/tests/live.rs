//! The road of two referrals on a real FHIR R4 server, where one is given in `WELLBRIDGE_FHIR_BASE`.

use super::*;
use crate::practice::Taken;
use crate::referral::{Consent, OfferId, Ons4, Score};

/// A few words to a server that is not ours to script.
struct Server {
    base: String,
    http: reqwest::Client,
}

impl Server {
    /// Creates a resource and gives its id.
    async fn create(&self, resource: Value) -> String {
        let url = format!("{}/{}", self.base, resource["resourceType"].as_str().unwrap());
        let request = self.http.post(url).header("content-type", "application/fhir+json").body(resource.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{resource}");
        answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// A request without an id or version of its own.
    async fn request(&self, patient: &str) -> String {
        let mut resource = request("", patient);
        resource.as_object_mut().unwrap().retain(|key, _| key != "id" && key != "meta");
        self.create(resource).await
    }
}

fn taken(n: u8) -> Taken {
    let score = Score::try_from(n).unwrap();
    let offer = OfferId::from_uuid(uuid::Uuid::from_u128(7));
    let scores = Ons4 { satisfied: score, worthwhile: score, happy: score, anxious: score };
    Taken { offer, at: "2026-11-24T09:00:00Z".parse().unwrap(), scores }
}

async fn polled(practice: &FhirPractice) -> Vec<(String, Option<String>, Consent)> {
    let (inputs, _) = poll::whole_poll(practice).await.unwrap();
    let readable = inputs.into_iter().filter_map(|input| match input {
        Input::Readable(r, _) => Some((r.source.request, r.source.task, r.consent)),
        Input::Unreadable(..) => None,
    });
    readable.collect()
}

/// Files, keeps the Task true and closes one referral, each step twice.
async fn travel(practice: &FhirPractice, request: &str) {
    let source = Source { practice: "beckside".into(), request: request.into(), task: None, version: String::new() };
    let Input::Readable(referral, _) = practice.read(&source).await.unwrap() else { panic!() };
    let mut filing = record::filing(Sharing::Full);
    filing.id = FilingId::from_uuid(crate::random::uuid());
    filing.source = referral.source.clone();
    (filing.before, filing.after, filing.message.risks) = (Some(taken(3)), Some(taken(7)), Some("A fall".into()));
    let Receipt::Filed(first) = practice.file(&filing).await.unwrap() else { panic!() };
    assert_eq!(first.len(), 6);
    assert_eq!(practice.file(&filing).await.unwrap(), Receipt::Filed(first.clone()), "filing twice files once");

    let mut standing = record::standing(CoarseStep::Seeking);
    (standing.source, standing.outputs, standing.seen) = (referral.source.clone(), Vec::new(), None);
    let written = practice.keep_task(&standing).await.unwrap();
    assert_eq!(
        practice.keep_task(&standing).await.unwrap(),
        TaskWritten { id: written.id.clone(), version: None, left_alone: false }
    );
    (standing.step, standing.outputs) = (CoarseStep::Closed(Closed::Finished), first);
    assert!(practice.keep_task(&standing).await.unwrap().version.is_some());

    let Input::Readable(after, raw) = practice.read(&referral.source).await.unwrap() else { panic!() };
    assert_eq!((after.source.task.as_deref(), after.status), (Some(written.id.as_str()), RequestStatus::Completed));
    assert!(raw.documents[1].contains("DocumentReference/"), "the Task names what was filed");
}

#[tokio::test]
async fn a_referral_is_polled_filed_and_closed_once_on_a_real_server() {
    let Ok(base) = std::env::var("WELLBRIDGE_FHIR_BASE") else {
        println!("WELLBRIDGE_FHIR_BASE is not set: no real FHIR server was asked");
        return;
    };
    let server = Server { base: base.clone(), http: reqwest::Client::new() };
    let us = server.create(json!({"resourceType": "Organization", "name": "Wellbridge"})).await;
    let mut person = patient("");
    person.as_object_mut().unwrap().remove("id");
    let person = server.create(person).await;
    let about = json!({"reference": format!("Patient/{person}")});
    let (untasked, tasked) = (server.request(&person).await, server.request(&person).await);
    let task = json!({"resourceType": "Task", "status": "requested", "intent": "order",
        "owner": {"reference": format!("Organization/{us}")},
        "focus": {"reference": format!("ServiceRequest/{tasked}")}});
    let task = server.create(task).await;
    let consent = json!({"resourceType": "Consent", "status": "active", "dateTime": "2026-11-20", "patient": about,
        "scope": {"text": "Sharing"}, "policyRule": {"text": "Agreement recorded by the practice"},
        "category": [{"text": "Referral to a community service"}], "provision": {"type": "permit"}});
    server.create(consent).await;

    let mut settings = FhirSettings::new("beckside".into(), base.parse().unwrap());
    (settings.organization, settings.complete_request) = (Some(OurOrganization::Id(us)), true);
    let mappings = Arc::new(Mappings::builtin().unwrap());
    let practice = FhirPractice::new(settings, Arc::new(Auth::None), mappings, Clock::System).unwrap();
    println!("{}", practice.check().await.unwrap());
    let found = polled(&practice).await;
    for (request, expected) in [(&untasked, None), (&tasked, Some(task))] {
        let of_it: Vec<_> = found.iter().filter(|(r, ..)| r == request).collect();
        assert!(!of_it.is_empty(), "{request} was not found");
        assert!(of_it.iter().all(|(_, task, consent)| *task == expected && *consent == Consent::Given), "{of_it:?}");
        travel(&practice, request).await;
    }
}
