//! The practice's record as anybody with a FHIR client sees it: plain HTTP and JSON, nothing of ours.
//!
//! Where a scenario makes the practice's server fail, its own staff write past the server, by hand.

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wellbridge::demo::practice::PretendPractice;

use super::story::OUR_CODE;

/// A FHIR R4 server's record.
#[derive(Debug)]
pub(crate) struct Record {
    base: String,
    client: Client,
    ours: OnceCell<String>,
    /// Whose staff write past the server.
    hand: Option<PretendPractice>,
}

impl Record {
    /// The record behind this base, with our own Organization in it.
    pub(crate) async fn open(base: &str) -> Self {
        let record = Self { base: base.to_owned(), client: Client::new(), ours: OnceCell::new(), hand: None };
        record.our_organisation().await;
        record
    }

    /// The same record in the hands of the practice's own staff: no fault of its server meets them.
    pub(crate) fn by_hand(&self, practice: PretendPractice) -> Self {
        Self { base: self.base.clone(), client: self.client.clone(), ours: self.ours.clone(), hand: Some(practice) }
    }

    /// `Organization/…`: who we are there.
    pub(crate) async fn our_organisation(&self) -> String {
        let (system, value) = OUR_CODE;
        let ours = json!({
            "resourceType": "Organization",
            "active": true,
            "identifier": [{ "system": system, "value": value }],
            "name": "Leeds Wellbeing Coordinators",
        });
        self.ours.get_or_init(|| async { format!("Organization/{}", self.create(&ours).await) }).await.clone()
    }

    /// Creates a resource and gives its id.
    pub(crate) async fn create(&self, resource: &Value) -> String {
        if let Some(practice) = &self.hand {
            return practice.put(resource.clone());
        }
        let kind = resource["resourceType"].as_str().unwrap();
        let answer = self.send(Method::POST, kind, resource, None).await;
        answer["id"].as_str().unwrap_or_else(|| panic!("{kind} was refused: {answer}")).to_owned()
    }

    /// A resource as it stands.
    pub(crate) async fn read(&self, kind: &str, id: &str) -> Value {
        if let Some(practice) = &self.hand {
            return practice.resource(kind, id).unwrap_or_default();
        }
        json_of(self.client.get(format!("{}/{kind}/{id}", self.base)).send().await.unwrap()).await
    }

    /// Everything of a kind that stands now.
    pub(crate) async fn all(&self, kind: &str) -> Vec<Value> {
        let url = format!("{}/{kind}?_count=200", self.base);
        let bundle = json_of(self.client.get(url).send().await.unwrap()).await;
        bundle["entry"].as_array().into_iter().flatten().map(|entry| entry["resource"].clone()).collect()
    }

    /// Changes a resource as the practice's staff would, with `If-Match`.
    pub(crate) async fn change(&self, kind: &str, id: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut resource = self.read(kind, id).await;
        let version = resource["meta"]["versionId"].as_str().unwrap().to_owned();
        change(&mut resource);
        if let Some(practice) = &self.hand {
            practice.put(resource.clone());
            return resource;
        }
        let answer = self.send(Method::PUT, &format!("{kind}/{id}"), &resource, Some(&version)).await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    async fn send(&self, method: Method, path: &str, resource: &Value, version: Option<&str>) -> Value {
        let mut request = self.client.request(method, format!("{}/{path}", self.base));
        if let Some(version) = version {
            request = request.header("if-match", format!("W/\"{version}\""));
        }
        let request = request.header("content-type", "application/fhir+json").body(resource.to_string());
        json_of(request.send().await.unwrap()).await
    }
}

async fn json_of(response: Response) -> Value {
    let text = response.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}
