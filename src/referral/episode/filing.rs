//! One thing owed to the record: which moment of which need it tells of, and how far it has come.

use serde::{Deserialize, Serialize};

use super::Closed;
use crate::referral::ids::{FilingId, NeedCode, OfferId};

/// One thing for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filing {
    /// Ours; also the identifier that makes the write idempotent.
    pub id: FilingId,
    /// Which moment it tells of.
    pub moment: Moment,
    /// Of which need.
    pub need: NeedCode,
    /// For which offer, where there was one.
    pub offer: Option<OfferId>,
    /// Where it stands.
    pub status: FilingStatus,
}

/// The two moments at which something clinical is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Support started: the person accepted.
    Started,
    /// The need was closed.
    Closed(Closed),
}

/// `queued → filed`, or `queued → handed → acknowledged → filed`; or `refused`, which a person can queue again or set
/// aside for good reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilingStatus {
    /// Waits to be written.
    Queued,
    /// Given to a carrier that will answer later.
    Handed,
    /// The carrier says that it arrived.
    Acknowledged,
    /// It is in the record.
    Filed,
    /// The practice's system said no; its text is kept beside.
    Refused,
    /// A person decided that it need not be in the record, or its offer was made in error: it waits for nobody. A person
    /// may still queue it again.
    SetAside,
}

impl FilingStatus {
    /// The record has it or is not to have it: nobody waits for it.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Filed | Self::SetAside)
    }
}
