//! Fetching what requests refer to: a batch for each type, never one request for each referral.
//!
//! Two sorts of things are fetched. Without the *essential* (the request, its patient) there is no referral, so a
//! transient failure is an error of the page and the whole page is read again. The *welcome* (who asked, conditions,
//! consents) may be something that this system does not offer; then it is done without. A system that asks to wait, or
//! shuts the door, is an error either way: a consent that could not be read is not a consent that is not there. So is a
//! patient's list of consents that comes in part; one that a request points to and nobody gives is `intake`'s to say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::beside::{leads, tells};
use super::bundle::{self, SearchPage};
use super::client::{Answer, Client, Fault};
use super::intake::references;
use super::json;
use super::resolver::{Known, Resource, Target};
use crate::effect::EffectError;
use crate::referral::NhsNumber;

/// Requests under way at one time to one practice.
const AT_ONCE: usize = 4;
/// Values in one search.
const BATCH: usize = 50;
/// Pages read of what belongs to one person.
const MOST_PAGES: usize = 20;
/// What may be fetched because a request refers to it.
const FOLLOWED: &[&str] = &[
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Condition",
    "Observation",
    "Consent",
    "QuestionnaireResponse",
    "AllergyIntolerance",
    "CarePlan",
    "ClinicalImpression",
    "Communication",
    "Composition",
    "DiagnosticReport",
    "DocumentReference",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "List",
    "MedicationRequest",
    "MedicationStatement",
    "Procedure",
    "RiskAssessment",
];

/// What to search for: type → parameter → values.
type Wanted = BTreeMap<(String, &'static str), BTreeSet<String>>;

/// Fetches into one [`Known`].
pub(super) struct Fetch<'a> {
    pub(super) client: &'a Client,
}

impl Fetch<'_> {
    /// Everything that these requests refer to and intake reads. Most of it in one round of searches side by side; a
    /// second for who stands behind what came and for patients named by an identifier, a third for the consents that a
    /// request names and its patient's own list did not hold. A round that has nothing to ask costs nothing.
    pub(super) async fn around(&self, known: &mut Known, requests: &[Arc<Resource>]) -> Result<(), EffectError> {
        let of_patients = consents(known, requests);
        let mut wanted = Wanted::new();
        for request in requests.iter().map(|r| &r.value) {
            for reference in references(request).filter(|r| !is_consent(&known.target(r))) {
                let fallback = std::ptr::eq(reference, &raw const request["subject"]).then_some("Patient");
                want(&mut wanted, known, reference, fallback);
            }
        }
        for led in known.all("Task").flat_map(|task| leads(&task.value)) {
            want(&mut wanted, known, led, None);
        }
        let by_patient = |keys: &BTreeSet<String>| (("Consent".to_owned(), "patient"), keys.clone());
        wanted.extend([by_patient(&of_patients)]);
        self.gather(known, wanted).await?;
        let mut wanted = behind(known);
        wanted.extend([by_patient(&consents(known, requests).difference(&of_patients).cloned().collect())]);
        self.gather(known, wanted).await?;
        let mut wanted = Wanted::new();
        for request in requests.iter().map(|r| &r.value) {
            for reference in references(request).filter(|r| is_consent(&known.target(r))) {
                want(&mut wanted, known, reference, None);
            }
        }
        self.gather(known, wanted).await
    }

    /// The requests that these Tasks are about.
    pub(super) async fn focuses(&self, known: &mut Known, tasks: &[Arc<Resource>]) -> Result<(), EffectError> {
        let mut wanted = Wanted::new();
        for task in tasks {
            if let Target::Local(kind, id) = known.target(&task.value["focus"])
                && kind == "ServiceRequest"
                && known.key(&format!("{kind}/{id}")).is_none()
            {
                wanted.entry((kind, "_id")).or_default().insert(id);
            }
        }
        self.gather(known, wanted).await
    }

    /// Every Task about these requests (`ServiceRequest/id`).
    pub(super) async fn tasks(&self, known: &mut Known, requests: BTreeSet<String>) -> Result<(), EffectError> {
        self.gather(known, Wanted::from([(("Task".to_owned(), "focus"), requests)])).await
    }

    /// Those of these requests that changed since then (`ge…`, as FHIR searches by it).
    pub(super) async fn changed(
        &self,
        ids: impl Iterator<Item = &str>,
        since: &str,
    ) -> Result<Vec<Arc<Resource>>, EffectError> {
        let asked: BTreeSet<&str> = ids.collect();
        let each: Vec<&str> = asked.iter().copied().collect();
        let ask = Ask {
            client: self.client.clone(),
            kind: "ServiceRequest".to_owned(),
            param: "_id",
            since: Some(since.to_owned()),
        };
        let under_way: Vec<_> = each.chunks(BATCH).map(|ids| ask.clone().pages(ids.join(","))).collect();
        let found: Vec<Vec<Arc<Resource>>> = stream::iter(under_way).buffer_unordered(AT_ONCE).try_collect().await?;
        // A server that does not heed `_id` brings no strangers.
        let wanted = |r: &Arc<Resource>| json::text(&r.value["id"]).is_some_and(|id| asked.contains(id));
        Ok(found.into_iter().flatten().filter(wanted).collect())
    }

    async fn gather(&self, known: &mut Known, wanted: Wanted) -> Result<(), EffectError> {
        let mut under_way = Vec::new();
        for ((kind, param), values) in wanted {
            let values: Vec<String> = values.into_iter().collect();
            for chunk in values.chunks(BATCH) {
                let ask = Ask { client: self.client.clone(), kind: kind.clone(), param, since: None };
                under_way.push(ask.batch(chunk.to_vec()));
            }
        }
        let found: Vec<Vec<Arc<Resource>>> = stream::iter(under_way).buffer_unordered(AT_ONCE).try_collect().await?;
        for resource in found.into_iter().flatten() {
            known.add(None, resource);
        }
        Ok(())
    }
}

/// One type, asked for by one parameter. Owned, so that several can be under way at once.
#[derive(Clone)]
struct Ask {
    client: Client,
    kind: String,
    param: &'static str,
    /// Only what changed since then.
    since: Option<String>,
}

impl Ask {
    async fn batch(self, values: Vec<String>) -> Result<Vec<Arc<Resource>>, EffectError> {
        let together = values.join(",");
        let first = match self.first_page(&together).await {
            Ok(answer) => bundle::read(&answer.raw).map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match first {
            Ok(first) => {
                let so_far = self.found(&first);
                // Never more pages than asking for each would take.
                match self.to_the_end(first, &together, values.len().max(MOST_PAGES)).await {
                    Ok((found, Whole::Yes)) => Ok(found),
                    Err(error @ EffectError::RetryAfter { after: Some(_), .. }) => Err(error),
                    // It came in part: ask for each, so that nobody seems to be missing who is not.
                    Ok((_, Whole::No)) | Err(_) => {
                        let mut found = self.singly(values).await?;
                        found.extend(so_far);
                        Ok(found)
                    }
                }
            }
            Err(Fault::Effect(error @ (EffectError::RetryAfter { .. } | EffectError::NeedsPerson { .. }))) => {
                Err(error)
            }
            // What tells of the person's troubles is asked for one by one before it counts as not given.
            Err(_) if self.param == "_id" && (is_essential(&self.kind) || tells(&self.kind)) => {
                self.singly(values).await
            }
            Err(Fault::Changed(_)) => Err(unread()),
            // Not offered here.
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn singly(&self, values: Vec<String>) -> Result<Vec<Arc<Resource>>, EffectError> {
        let each: Vec<_> = values.into_iter().map(|value| self.clone().one(value)).collect();
        let found: Vec<Vec<Arc<Resource>>> = stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn one(self, value: String) -> Result<Vec<Arc<Resource>>, EffectError> {
        if self.param != "_id" {
            return self.every_page(&value).await;
        }
        match self.client.read(&self.kind, &value).await {
            // A resource that is no JSON is as good as not there: its request is held, the page goes on.
            Ok(answer) => {
                let value = answer.value().ok();
                Ok(value.map(|value| Arc::new(Resource { raw: answer.raw, value })).into_iter().collect())
            }
            Err(Fault::Effect(error @ (EffectError::RetryAfter { .. } | EffectError::NeedsPerson { .. }))) => {
                Err(error)
            }
            Err(_) => Ok(Vec::new()),
        }
    }

    async fn pages(self, value: String) -> Result<Vec<Arc<Resource>>, EffectError> {
        self.every_page(&value).await
    }

    /// All that one value finds: the consent that says no may lie on the second page.
    async fn every_page(&self, value: &str) -> Result<Vec<Arc<Resource>>, EffectError> {
        let first = bundle::read(&self.first_page(value).await?.raw)?;
        match self.to_the_end(first, value, MOST_PAGES).await? {
            (_, Whole::No) if self.kind == "Consent" => Err(unread()),
            (found, _) => Ok(found),
        }
    }

    /// A first page and those behind it. Pages that moved while they were read (one came twice, so another may not have
    /// come at all) are no whole list.
    async fn to_the_end(
        &self,
        mut page: SearchPage,
        value: &str,
        most: usize,
    ) -> Result<(Vec<Arc<Resource>>, Whole), EffectError> {
        let mut found = self.found(&page);
        let mut total = page.total;
        for _ in 0..most {
            let Some(next) = page.next.as_deref().filter(|next| !names_a_person(next, value)) else { break };
            page = bundle::read(&self.client.page(self.client.link(next)?).await?.raw)?;
            found.extend(self.found(&page));
            total = total.max(page.total);
        }
        let mut names = BTreeSet::new();
        let each_once = found.iter().filter_map(|r| json::key(&r.value)).all(|name| names.insert(name));
        let all = page.next.is_none() && total.is_none_or(|total| total <= found.len() as u64);
        Ok((found, if all && each_once { Whole::Yes } else { Whole::No }))
    }

    async fn first_page(&self, value: &str) -> Result<Answer, Fault> {
        let mut form = vec![(self.param, value), ("_count", "200")];
        form.extend(self.since.as_deref().map(|since| ("_lastUpdated", since)));
        self.client.search(&self.kind, &form).await
    }

    fn found(&self, page: &SearchPage) -> Vec<Arc<Resource>> {
        let ours = |r: &Arc<Resource>| json::kind(&r.value) == self.kind;
        page.entries.iter().filter_map(|e| e.resource.clone()).filter(ours).collect()
    }
}

/// What should be there was not given whole: an error of the page, so that nobody's "no" is overlooked.
fn unread() -> EffectError {
    EffectError::retry("the practice's system did not give all that belongs to a request")
}

/// Whether a search gave all it found.
#[derive(Clone, Copy)]
enum Whole {
    Yes,
    No,
}

fn is_essential(kind: &str) -> bool {
    matches!(kind, "Patient" | "ServiceRequest")
}

fn want(wanted: &mut Wanted, known: &Known, reference: &Value, fallback: Option<&str>) {
    let target = known.target(reference);
    if known.find(&target).is_some() {
        return;
    }
    match target {
        Target::Local(kind, id) if FOLLOWED.contains(&kind.as_str()) => {
            wanted.entry((kind, "_id")).or_default().insert(id);
        }
        Target::Logical(kind, system, value) => {
            let kind = kind.or_else(|| fallback.map(str::to_owned)).filter(|k| FOLLOWED.contains(&k.as_str()));
            if let Some(kind) = kind {
                wanted.entry((kind, "identifier")).or_default().insert(format!(
                    "{}|{}",
                    escaped(&system),
                    escaped(&value)
                ));
            }
        }
        _ => {}
    }
}

/// Whether a next page's address holds an NHS number that was asked for: then it stays unread.
fn names_a_person(next: &str, value: &str) -> bool {
    value.split([',', '/', '|']).any(|part| NhsNumber::parse(part).is_ok() && next.contains(part))
}

/// A token's parts may hold what separates tokens.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$")
}

/// Who stands behind a role, the patient's practice, and what an attachment leads on to.
fn behind(known: &Known) -> Wanted {
    let mut wanted = Wanted::new();
    let attached = FOLLOWED.iter().filter(|kind| tells(kind)).flat_map(|kind| known.all(kind));
    for led in attached.flat_map(|resource| leads(&resource.value)) {
        want(&mut wanted, known, led, None);
    }
    for role in known.all("PractitionerRole") {
        for part in ["practitioner", "organization"] {
            want(&mut wanted, known, &role.value[part], None);
        }
    }
    for patient in known.all("Patient") {
        let places = json::list(&patient.value["generalPractitioner"]).chain([&patient.value["managingOrganization"]]);
        for place in places.filter(|p| matches!(known.target(p), Target::Local(kind, _) if kind == "Organization")) {
            want(&mut wanted, known, place, None);
        }
    }
    wanted
}

/// The patients whose every consent is asked for: the one attached to a request may have been overtaken by a later no.
/// A patient's address is known before the patient is; one named by an identifier has none until it was found.
fn consents(known: &Known, requests: &[Arc<Resource>]) -> BTreeSet<String> {
    let patient = |request: &Arc<Resource>| match known.target(&request.value["subject"]) {
        Target::Local(kind, id) => (kind == "Patient").then(|| format!("{kind}/{id}")),
        _ => known
            .follow(&request.value["subject"], &request.value)
            .and_then(json::key)
            .filter(|key| known.key(key).is_some()),
    };
    requests.iter().filter_map(patient).collect()
}

fn is_consent(target: &Target) -> bool {
    match target {
        Target::Local(kind, _) | Target::Logical(Some(kind), ..) => kind == "Consent",
        _ => false,
    }
}
