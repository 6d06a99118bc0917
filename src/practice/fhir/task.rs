//! The one coordination Task: kept true at every coarse step, so that a GP who looks sees where the referral stands.
//!
//! The practice's Task is edited as JSON and written back only if it is still the version that was read (`If-Match`);
//! where the practice sent none, ours is created once (`If-None-Exist`). Nothing is written where nothing would change.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{Answer, Fault};
use super::compose::{claim_profile, episode_value, identified};
use super::intake::{version, version_id};
use super::owner::Whose;
use super::request::{ended_by_us, taken_back, task_state};
use super::resolver::{Known, Resource};
use super::{FhirPractice, bundle, faithful, json, typed};
use crate::effect::EffectError;
use crate::practice::{CoarseStep, TaskStanding, TaskWritten};
use crate::referral::content::TaskState;
use crate::referral::episode::Closed;
use crate::referral::{Sharing, Source};

/// `BSeR` business status; displays as its code system gives them.
const BUSINESS: &str = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS";
/// Attempts against somebody else who writes at the same time.
const ATTEMPTS: u8 = 3;

/// A Task as it was just read.
struct Read {
    /// As it came.
    raw: String,
    value: Value,
    /// For `If-Match`.
    etag: Option<String>,
}

impl FhirPractice {
    /// See [`crate::practice::PracticeSystem::keep_task`].
    pub(super) async fn keep(&self, standing: &TaskStanding) -> Result<TaskWritten, EffectError> {
        let written = self.keep_written(standing).await?;
        // Where the Task is the practice's own again, so is the request.
        if self.settings.complete_request
            && !written.left_alone
            && let Some(status) = request_status(standing.step)
        {
            self.close_request(&standing.source, status).await?;
        }
        Ok(written)
    }

    async fn keep_written(&self, standing: &TaskStanding) -> Result<TaskWritten, EffectError> {
        let mut id = standing.source.task.clone();
        let mut first = standing.first.as_deref().and_then(|text| as_taken_in(text, &standing.source));
        for _ in 0..ATTEMPTS {
            let request = if id.is_none() { first.take() } else { None };
            let read = if request.is_none() { self.read_task(&standing.source, id.as_deref()).await? } else { None };
            let Some(read) = read else {
                let request = match request {
                    Some(request) => request,
                    None => self.request(&standing.source).await?,
                };
                let read = self.create_task(standing, &request).await?;
                let task_id = id_of(&read.value)?;
                let mut wanted = read.value.clone();
                if !self.bring_up_to(&mut wanted, standing) {
                    let left_alone = is_left_alone(&read.value, standing.step);
                    let version = version_id(&read.value).filter(|_| !left_alone);
                    return Ok(TaskWritten { id: task_id, version, left_alone });
                }
                // There was one already, made by an earlier attempt: it is brought up to date like any other.
                id = Some(task_id);
                continue;
            };
            let task_id = id_of(&read.value)?;
            if taken_back(&read.value) && !ends(standing.step) {
                return Err(EffectError::retry(
                    "the practice took its Task back: the withdrawal is read before the Task is written",
                ));
            }
            if is_left_alone(&read.value, standing.step) || self.is_given_away(&read.value).await? {
                return Ok(TaskWritten { id: task_id, version: None, left_alone: true });
            }
            let mut wanted = read.value.clone();
            if !self.bring_up_to(&mut wanted, standing) {
                return Ok(TaskWritten { id: task_id, version: None, left_alone: false });
            }
            let body = faithful::edited(&read.raw, &read.value, &wanted);
            match self.client.update("Task", &task_id, body, read.etag.as_deref()).await {
                Ok(answer) => {
                    // Where somebody may have changed the Task since we last saw it, our write must not pass for an
                    // echo: the next poll would pass their change over.
                    let unseen = standing.seen != version_id(&read.value);
                    let version = if unseen { None } else { version_of(&answer) };
                    return Ok(TaskWritten { id: task_id, version, left_alone: false });
                }
                Err(Fault::Changed(_)) => id = Some(task_id),
                Err(Fault::Missing) => id = None,
                Err(Fault::Effect(error)) => return Err(error),
            }
        }
        Err(EffectError::retry("somebody else keeps changing the Task; tried three times"))
    }

    /// Whether its owner is somebody else by now; what nobody's name stands on is ours by how we came to it.
    async fn is_given_away(&self, task: &Value) -> Result<bool, EffectError> {
        if self.settings.organization.is_some() {
            self.owner().await?;
        }
        let known = Known::new(Some(self.client.base().clone()));
        Ok(self.us().whose(&known, task) == Whose::Anothers)
    }

    /// Edits the Task so that it says where the referral stands, and marks one that we end as ended by us; whether
    /// anything changed.
    fn bring_up_to(&self, task: &mut Value, standing: &TaskStanding) -> bool {
        let changed = bring_up_to(task, standing);
        if changed && is_over(task) {
            let value = ended_by_us(&standing.source.request, json::text(&task["status"]).unwrap_or_default());
            let mut all: Vec<Value> = json::list(&task["identifier"]).cloned().collect();
            if !all.iter().any(|identifier| identifier["value"] == value.as_str()) {
                all.push(json!({"system": self.mappings.write.episode, "value": value}));
                task["identifier"] = Value::Array(all);
            }
        }
        changed
    }

    async fn read_task(&self, source: &Source, id: Option<&str>) -> Result<Option<Read>, EffectError> {
        if let Some(id) = id {
            return match self.client.read("Task", id).await {
                Ok(answer) => Ok(Some(read_of(&answer)?)),
                Err(Fault::Missing) => Ok(None),
                Err(other) => Err(other.into()),
            };
        }
        let token = format!("{}|{}", self.mappings.write.episode, own_value(source));
        let answer = self.client.search("Task", &[("identifier", &token)]).await?;
        let found = bundle::read(&answer.raw)?
            .entries
            .into_iter()
            .filter_map(|e| e.resource)
            .find(|r| json::kind(&r.value) == "Task");
        Ok(found.map(|task| Read { raw: task.raw.clone(), etag: weak_etag(&task.value), value: task.value.clone() }))
    }

    async fn create_task(&self, standing: &TaskStanding, request: &Value) -> Result<Read, EffectError> {
        let at = standing.since.to_string();
        let mut task = json!({
            "resourceType": "Task",
            "identifier": [{"system": self.mappings.write.episode, "value": own_value(&standing.source)}],
            "status": "received",
            "intent": "order",
            "code": {"coding": [{
                "system": "http://hl7.org/fhir/CodeSystem/task-code",
                "code": "fulfill",
                "display": "Fulfill the focal request",
            }]},
            "focus": {"reference": format!("ServiceRequest/{}", standing.source.request)},
            "for": self.subject(request)?,
            "authoredOn": at,
            "lastModified": at,
            "owner": self.author().await?,
        });
        if let Some(requester) = json::text(&request["requester"]["reference"]).filter(|r| !r.starts_with('#')) {
            task["requester"] = json!({"reference": requester});
        }
        claim_profile(&self.mappings, &mut task);
        self.bring_up_to(&mut task, standing);
        typed::check(&task)?;
        let unless = identified(&self.mappings.write.episode, &own_value(&standing.source));
        match self.client.create("Task", &task, &unless).await {
            Ok(answer) if json::kind(&answer.value().unwrap_or(Value::Null)) == "Task" => read_of(&answer),
            // A server that sends no body says where it lies.
            Ok(answer) => {
                let id = answer.location.as_deref().and_then(|l| l.strip_prefix("Task/")).ok_or_else(nameless)?;
                read_of(&self.client.read("Task", id).await?)
            }
            Err(Fault::Changed(words)) => Err(EffectError::give_up(
                "the practice's system holds several Tasks under one identifier of ours",
                words,
            )),
            Err(other) => Err(other.into()),
        }
    }

    /// Completes or revokes the practice's own request, where the settings allow it.
    async fn close_request(&self, source: &Source, status: &str) -> Result<(), EffectError> {
        for _ in 0..ATTEMPTS {
            let answer = self.client.read("ServiceRequest", &source.request).await?;
            let Read { raw, value, etag } = read_of(&answer)?;
            if !matches!(json::text(&value["status"]), Some("active" | "on-hold")) {
                return Ok(());
            }
            let mut wanted = value.clone();
            wanted["status"] = status.into();
            let body = faithful::edited(&raw, &value, &wanted);
            match self.client.update("ServiceRequest", &source.request, body, etag.as_deref()).await {
                Ok(_) => return Ok(()),
                Err(Fault::Changed(_)) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EffectError::retry("somebody else keeps changing the request; tried three times"))
    }
}

/// The request as it was taken in, where that is still the version we know.
fn as_taken_in(text: &str, source: &Source) -> Option<Value> {
    let request = Resource { raw: text.to_owned(), value: serde_json::from_str(text).ok()? };
    let is_it = json::kind(&request.value) == "ServiceRequest" && version(&request) == source.version;
    is_it.then_some(request.value)
}

/// Our Task's identifier for a request.
fn own_value(source: &Source) -> String {
    episode_value(&source.request, "task")
}

fn id_of(task: &Value) -> Result<String, EffectError> {
    json::text(&task["id"]).map(str::to_owned).ok_or_else(nameless)
}

fn nameless() -> EffectError {
    EffectError::OutcomeUnknown { why: "the practice's system does not say which id the Task has".to_owned() }
}

fn read_of(answer: &Answer) -> Result<Read, EffectError> {
    let value = answer.value()?;
    let etag = answer.etag.clone().or_else(|| weak_etag(&value));
    Ok(Read { raw: answer.raw.clone(), value, etag })
}

fn weak_etag(resource: &Value) -> Option<String> {
    version_id(resource).map(|v| format!("W/\"{v}\""))
}

/// The version just written: from the body, else from the `ETag`.
fn version_of(answer: &Answer) -> Option<String> {
    let of_body = serde_json::from_str::<Value>(&answer.raw).ok().and_then(|v| version_id(&v));
    of_body.or_else(|| Some(answer.etag.as_deref()?.trim_start_matches("W/").trim_matches('"').to_owned()))
}

/// Edits the Task so that it says where the referral stands; whether anything changed.
fn bring_up_to(task: &mut Value, standing: &TaskStanding) -> bool {
    if is_left_alone(task, standing.step) {
        return false;
    }
    let before = task.clone();
    let wanted = said(standing.step, task);
    task["status"] = wanted.status.into();
    if let Some((code, display)) = wanted.business {
        set_business(task, code, display);
    }
    if let Some(reason) = wanted.reason.filter(|_| standing.sharing != Sharing::Nothing) {
        task["statusReason"] = json!({"text": reason});
    }
    add_outputs(task, &standing.outputs);
    if *task == before {
        return false;
    }
    let stepped = ["status", "businessStatus"].iter().any(|said| task[*said] != before[*said]);
    let at = if stepped { standing.since } else { standing.changed };
    task["lastModified"] = latest(&task["lastModified"], at).to_string().into();
    true
}

fn is_over(task: &Value) -> bool {
    matches!(json::text(&task["status"]), Some("completed" | "rejected" | "failed" | "cancelled" | "entered-in-error"))
}

/// What the practice ended is over (R4: these are final states), and so is what we ended otherwise. What it paused goes on
/// saying so until the referral ends.
fn is_left_alone(task: &Value, step: CoarseStep) -> bool {
    match task_state(task) {
        TaskState::Paused => !ends(step),
        TaskState::EndedByUs => task["status"] != said(step, task).status,
        _ => is_over(task),
    }
}

fn latest(written: &Value, since: Timestamp) -> Timestamp {
    json::moment(written).map_or(since, |w| w.max(since))
}

/// Replaces the `BSeR` coding and leaves any other coding alone.
fn set_business(task: &mut Value, code: &str, display: &str) {
    let coding = json!({"system": BUSINESS, "code": code, "display": display});
    let mut codings: Vec<Value> = json::list(&task["businessStatus"]["coding"]).cloned().collect();
    match codings.iter_mut().find(|c| c["system"] == BUSINESS) {
        Some(ours) if ours["code"] == code => return,
        Some(ours) => *ours = coding,
        None => codings.push(coding),
    }
    if !task["businessStatus"].is_object() {
        task["businessStatus"] = json!({});
    }
    task["businessStatus"]["coding"] = Value::Array(codings);
}

fn add_outputs(task: &mut Value, outputs: &[String]) {
    let there: Vec<String> = json::list(&task["output"])
        .filter_map(|o| json::text(&o["valueReference"]["reference"]))
        .map(str::to_owned)
        .collect();
    // Provenance is about the outputs; it is none.
    let fresh: Vec<Value> = outputs
        .iter()
        .filter(|o| !there.contains(o) && !o.starts_with("Provenance/"))
        .map(|o| json!({"type": {"text": output_words(o)}, "valueReference": {"reference": o}}))
        .collect();
    if fresh.is_empty() {
        return;
    }
    let mut all: Vec<Value> = json::list(&task["output"]).cloned().collect();
    all.extend(fresh);
    task["output"] = Value::Array(all);
}

fn output_words(reference: &str) -> &'static str {
    match reference.split('/').next() {
        Some("DocumentReference") => "Message to the GP practice",
        Some("Procedure") => "Coded referral",
        _ => "Observation",
    }
}

/// What a Task says at a step.
struct Said {
    status: &'static str,
    business: Option<(&'static str, &'static str)>,
    reason: Option<&'static str>,
}

const ACCEPTED: Option<(&str, &str)> = Some(("3.0", "Service Request Accepted"));
const DECLINED: Option<(&str, &str)> = Some(("4.0", "Service Request Declined"));
const SCHEDULED: Option<(&str, &str)> = Some(("5.1.1", "Service Request Event Scheduled"));
const UNATTENDED: Option<(&str, &str)> = Some(("5.1.2", "Scheduled Service Request Event Unattended"));
const CANCELLING: Option<(&str, &str)> = Some(("5.2", "Service Request Cancellation Requested"));
const CANCELLED: Option<(&str, &str)> = Some(("6.0", "Service Request Fulfillment Cancelled"));
const COMPLETED: Option<(&str, &str)> = Some(("7.0", "Service Request Fulfillment Completed"));

fn said(step: CoarseStep, task: &Value) -> Said {
    let of = |status, business, reason| Said { status, business, reason };
    match step {
        // Nothing is promised yet, so no business status.
        CoarseStep::Received => of("received", None, None),
        CoarseStep::Seeking => of("accepted", ACCEPTED, None),
        // A booked date stays said; a missed one is past.
        CoarseStep::Supported if is_scheduled(task) => of("in-progress", None, None),
        CoarseStep::Arranging | CoarseStep::Supported => of("in-progress", ACCEPTED, None),
        CoarseStep::Booked => of("in-progress", SCHEDULED, None),
        CoarseStep::DidNotAttend => of("in-progress", UNATTENDED, None),
        CoarseStep::Closed(how) => closed(how),
        CoarseStep::Withdrawing => of("in-progress", CANCELLING, None),
        CoarseStep::Withdrawn => of("cancelled", CANCELLED, Some("The referral was taken back.")),
    }
}

fn is_scheduled(task: &Value) -> bool {
    json::codings(&task["businessStatus"]).any(|(system, code)| system == BUSINESS && code == "5.1.1")
}

fn closed(how: Closed) -> Said {
    let (status, business, reason) = match how {
        Closed::Finished => ("completed", COMPLETED, "Support was given and has finished."),
        Closed::MetByCoordinator => ("completed", COMPLETED, "The Wellbeing Coordinator met the need."),
        Closed::NoService => ("failed", CANCELLED, "No suitable service could be found."),
        Closed::PersonDeclined => ("cancelled", CANCELLED, "The person declined this help."),
        Closed::DeclinedSocialPrescribing => ("rejected", DECLINED, "The person declined social prescribing."),
        Closed::Unreachable => ("failed", CANCELLED, "The person could not be reached."),
        Closed::NotForUs => ("rejected", DECLINED, "Not a matter for social prescribing."),
        Closed::Other => ("failed", CANCELLED, "The referral was closed for another reason."),
    };
    Said { status, business, reason: Some(reason) }
}

fn ends(step: CoarseStep) -> bool {
    matches!(step, CoarseStep::Closed(_) | CoarseStep::Withdrawing | CoarseStep::Withdrawn)
}

/// What becomes of the practice's own request, where the settings allow it.
fn request_status(step: CoarseStep) -> Option<&'static str> {
    match step {
        CoarseStep::Closed(Closed::Finished | Closed::MetByCoordinator) => Some("completed"),
        CoarseStep::Closed(Closed::PersonDeclined | Closed::DeclinedSocialPrescribing | Closed::NotForUs) => {
            Some("revoked")
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
