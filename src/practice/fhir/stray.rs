//! Entries of which no referral can be made: a Task that leads to no request, and what is no request at all. Each is held
//! once, with words for a practice manager.

use super::intake::{Reader, hash, version, version_id};
use super::json::{self, text};
use super::resolver::{Resource, Target};
use crate::practice::{Input, RawFhir, Unreadable};
use crate::referral::Source;
use crate::referral::episode::Hold;

impl Reader<'_> {
    /// A Task of ours whose request cannot be read: held under the request's id where the Task names one.
    pub(super) fn task_alone(&self, task: &Resource) -> Input {
        let focus = &task.value["focus"];
        let (request, explanation) = match self.known.target(focus) {
            Target::Local(kind, id) if kind == "ServiceRequest" => (
                id,
                "The Task points to a request (ServiceRequest) that the practice's system does not give. \
                 Check that it still exists and that Wellbridge may read it."
                    .to_owned(),
            ),
            Target::Local(kind, id) => (
                format!("{kind}/{id}"),
                format!("The Task points to a {kind}. A referral must be a ServiceRequest: send it as one."),
            ),
            Target::Foreign => (
                hash(&task.raw),
                "The Task points to a request on another system. Wellbridge reads this practice's own system only: \
                 send the request through it."
                    .to_owned(),
            ),
            nowhere => (json::key(&task.value).unwrap_or_else(|| hash(&task.raw)), unfollowed(&nowhere).to_owned()),
        };
        let source = Source {
            practice: self.practice.clone(),
            request,
            task: text(&task.value["id"]).map(str::to_owned),
            version: version(task),
        };
        let task_version = version_id(&task.value);
        let raw = RawFhir { documents: vec![task.raw.clone()], task_version, ..RawFhir::default() };
        Input::Unreadable(Unreadable { source, hold: Hold::UnreadableRequest, explanation }, raw)
    }

    /// An entry that holds nothing like a request.
    pub(super) fn stray(&self, full_url: Option<&str>, entry: &str) -> Input {
        let request = full_url.map_or_else(|| hash(entry), str::to_owned);
        let source = Source { practice: self.practice.clone(), request, task: None, version: hash(entry) };
        let explanation = "The practice's system sent an entry that is not a request (ServiceRequest). \
                           Find it by its raw text and send it again as a request."
            .to_owned();
        let raw = RawFhir { documents: vec![entry.to_owned()], ..RawFhir::default() };
        Input::Unreadable(Unreadable { source, hold: Hold::UnreadableRequest, explanation }, raw)
    }
}

/// Why a Task's focus leads to no request of the practice's system.
const fn unfollowed(focus: &Target) -> &'static str {
    match focus {
        Target::Contained(_) => {
            "The Task carries its request inside itself (its focus is contained). Wellbridge reads a request of its own \
             (ServiceRequest): put it into the system and point the Task to it."
        }
        Target::Logical(..) => {
            "The Task names its request by an identifier only, and Wellbridge cannot find it by that. Point the Task \
             to the request itself (ServiceRequest and its id)."
        }
        Target::FullUrl(_) => {
            "The Task points to a request by an address that holds only within one message, and the request did not \
             come with it. Point the Task to the request in the system (ServiceRequest and its id)."
        }
        Target::Local(..) | Target::Foreign | Target::Nowhere => {
            "The Task does not say which request it is about (its focus is missing, or no reference that can be \
             followed). Send it again with the request."
        }
    }
}
