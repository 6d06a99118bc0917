//! Whose a Task is: ours, somebody else's, or nobody says.
//!
//! A Task that was ours and names another owner now was given away: nothing is written into it, and the referral waits
//! for a person (`store::intake`).

use serde_json::Value;

use super::OurOrganization;
use super::resolver::{Known, Target};

/// Who we are on the practice's server.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Us<'a> {
    /// As the settings name us.
    pub(super) organization: Option<&'a OurOrganization>,
    /// `Organization/<id>`, once known.
    pub(super) key: Option<&'a str>,
}

/// Whose a Task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Its owner is our organisation.
    Ours,
    /// It names no owner that could be compared, or nobody told us who we are.
    Unsaid,
    /// Its owner is somebody else.
    Anothers,
}

impl Us<'_> {
    /// Whose this Task is.
    pub(super) fn whose(&self, known: &Known, task: &Value) -> Whose {
        let Some(organization) = self.organization else { return Whose::Unsaid };
        let owner = known.target(&task["owner"]);
        let ours = match &owner {
            Target::Local(kind, id) => match self.key {
                Some(key) => key == format!("{kind}/{id}"),
                None => return Whose::Unsaid,
            },
            Target::Logical(_, system, value) => organization.is(system, value),
            Target::Nowhere => return Whose::Unsaid,
            Target::Contained(_) | Target::FullUrl(_) | Target::Foreign => false,
        };
        if ours { Whose::Ours } else { Whose::Anothers }
    }
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
