//! The parts of a `ServiceRequest` that stand by themselves: where it stands, how urgent it is, why it was made.

use serde_json::Value;

use super::codes::SNOMED;
use super::compose::episode_value;
use super::intake::{Refusal, refuse};
use super::json::{self, text};
use crate::referral::SnomedCode;
use crate::referral::content::{Priority, Reason, ReasonFrom, RequestStatus, TaskState};
use crate::referral::episode::Hold;

/// The practice's own statement; its Task's cancellation takes the referral back too, unless it was ours.
pub(super) fn status(request: &Value, task: Option<&Value>) -> Result<RequestStatus, Refusal> {
    if json::kind(request) != "ServiceRequest" {
        return refuse(
            Hold::UnreadableRequest,
            "What was sent is not a request (ServiceRequest). Send it again as one.",
        );
    }
    let own = match text(&request["status"]) {
        Some("draft") => RequestStatus::Draft,
        Some("active") => RequestStatus::Active,
        Some("on-hold") => RequestStatus::OnHold,
        Some("revoked") => RequestStatus::Revoked,
        Some("completed") => RequestStatus::Completed,
        Some("entered-in-error") => RequestStatus::EnteredInError,
        Some("unknown") => RequestStatus::Unknown,
        _ => {
            return refuse(
                Hold::UnreadableRequest,
                "The request does not say where it stands (its status is missing or not one that FHIR knows). \
                 Set it to active and send it again.",
            );
        }
    };
    if own.is_withdrawn() || task.is_some_and(taken_back) {
        return Ok(if own == RequestStatus::EnteredInError { own } else { RequestStatus::Revoked });
    }
    must_be_an_order(request, task)?;
    Ok(own)
}

/// A wish, a plan or one of several choices is not yet to be carried out; what changes the meaning of a request, we
/// cannot act on unless we know it.
fn must_be_an_order(request: &Value, task: Option<&Value>) -> Result<(), Refusal> {
    if json::yes(&request["doNotPerform"]) {
        return refuse(
            Hold::UnreadableRequest,
            "The request says that it must not be carried out (doNotPerform). If a referral is wanted, send one \
                without it.",
        );
    }
    let intent = text(&request["intent"]).unwrap_or("");
    if !matches!(intent, "order" | "original-order" | "reflex-order" | "filler-order" | "instance-order") {
        return refuse(
            Hold::UnreadableRequest,
            "The request is not an order (its intent is missing, or says a proposal, a plan, a directive or an option). \
                If the referral is decided, send it with the intent order.",
        );
    }
    if json::is_modified(request) || task.is_some_and(json::is_modified) {
        return refuse(
            Hold::UnreadableRequest,
            "The request or its Task holds something that changes its meaning in a way Wellbridge does not know \
                (modifierExtension). Say it in words and send it again without.",
        );
    }
    Ok(())
}

/// The practice cancelled its Task, or asked to cancel (`BSeR` 5.2). One that we cancelled bears our mark, whatever
/// business status either of us gave it.
pub(super) fn taken_back(task: &Value) -> bool {
    match text(&task["status"]) {
        Some("entered-in-error") => true,
        Some("cancelled") => !is_ended_by_us(task),
        Some("completed" | "rejected" | "failed") => false,
        _ => json::codings(&task["businessStatus"]).any(|(_, code)| code == "5.2"),
    }
}

/// Where the Task stands, where that says more than the request: a pause, or an end that takes nothing back. One that we
/// ended bears our mark.
pub(super) fn task_state(task: &Value) -> TaskState {
    match text(&task["status"]) {
        Some("draft" | "on-hold") => TaskState::Paused,
        Some("completed" | "rejected" | "failed" | "cancelled") if is_ended_by_us(task) => TaskState::EndedByUs,
        Some("completed" | "rejected" | "failed") => TaskState::Ended,
        _ => TaskState::Open,
    }
}

/// The value of the identifier that we put on a Task when we end it ourselves. It names the end: one that the practice
/// gives the Task afterwards is the practice's.
pub(super) fn ended_by_us(request: &str, status: &str) -> String {
    episode_value(request, &format!("ended-{status}"))
}

fn is_ended_by_us(task: &Value) -> bool {
    let focus = text(&task["focus"]["reference"]).and_then(|focus| focus.rsplit('/').next());
    let Some((focus, status)) = focus.zip(text(&task["status"])) else { return false };
    let mark = ended_by_us(focus, status);
    json::list(&task["identifier"]).any(|identifier| identifier["value"] == mark.as_str())
}

pub(super) fn priority(resource: &Value) -> Priority {
    match text(&resource["priority"]) {
        Some("urgent") => Priority::Urgent,
        Some("asap") => Priority::Asap,
        Some("stat") => Priority::Stat,
        _ => Priority::Routine,
    }
}

/// A concept as a reason; a SNOMED id with a slip is dropped and its text kept.
pub(super) fn reason(from: ReasonFrom, concept: &Value, display: Option<&str>) -> Option<Reason> {
    let code = json::codings(concept)
        .filter(|(system, _)| *system == SNOMED || system.is_empty())
        .find_map(|(_, code)| SnomedCode::parse(code).ok());
    let said = json::words(concept).or(display).map(str::to_owned);
    let text = said.or_else(|| code.as_ref().map(|c| c.as_str().to_owned()))?;
    Some(Reason { from, code, text })
}

pub(super) fn notes(resource: &Value, from: ReasonFrom) -> impl Iterator<Item = Reason> {
    json::list(&resource["note"]).filter_map(|n| text(&n["text"])).map(move |t| words(from, t))
}

pub(super) fn words(from: ReasonFrom, text: &str) -> Reason {
    Reason { from, code: None, text: text.to_owned() }
}

/// A Condition or Observation that should not have been, or was ruled out.
pub(super) fn is_void(resource: &Value) -> bool {
    resource["status"] == "entered-in-error"
        || json::codings(&resource["verificationStatus"])
            .any(|(_, code)| matches!(code, "entered-in-error" | "refuted"))
}
