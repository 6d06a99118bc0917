//! What a coordinator must look at beside where a need stands: a matter lies there until somebody has dealt with it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::referral::ids::{NoteId, OfferId};

/// A matter for the coordinator that does not move the need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What.
    pub kind: AttentionKind,
    /// About which offer.
    pub offer: Option<OfferId>,
    /// The words, kept apart.
    pub note: Option<NoteId>,
    /// Since when.
    pub since: Timestamp,
}

/// What a coordinator must look at beside where the need stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKind {
    /// A risk was reported: safety first.
    Risk,
    /// A cancellation could not be delivered to somebody who knows who the person is.
    CancellationUndelivered,
    /// The request is about somebody else than who was taken on, or their details were put right: a coordinator says
    /// which. Until then nobody is asked or shown anything.
    AnotherPerson,
    /// Something changed at the practice after a partner had accepted.
    ChangedAfterAcceptance,
    /// The partner asks something.
    Question,
    /// A yes came after the offer had lapsed.
    LateYes,
    /// The practice sent its request again after it had ended here.
    SentAgain,
    /// The practice's system refused a filing.
    FilingRefused,
}
