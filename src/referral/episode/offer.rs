//! One service asked to take one need: the partner's lifecycle, with the moves that it may make (DESIGN, "Three
//! lifecycles", 2) and the reasons for which it ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Actor;
use crate::referral::ids::{NeedCode, OfferId, PartnerId, ServiceId};

/// One service asked to take one need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Ours.
    pub id: OfferId,
    /// For which need.
    pub need: NeedCode,
    /// Which service.
    pub service: ServiceId,
    /// Who runs it.
    pub partner: PartnerId,
    /// Who decided to ask.
    pub by: Actor,
    /// Where it stands.
    pub status: OfferStatus,
    /// When the partner was asked.
    pub made: Timestamp,
    /// An answer is asked for by then.
    pub reply_by: Timestamp,
    /// The mail left us (or may have: outcome unknown).
    pub mailed: bool,
    /// The one reminder was queued.
    pub reminded: bool,
    /// The partner has a first date with the person.
    pub booked: bool,
    /// The person did not come to the last date.
    #[serde(default)]
    pub missed: bool,
    /// It was taken back, and the one notice of that has not left yet.
    #[serde(default)]
    pub notice_owed: bool,
    /// Who the person is was shown to the partner.
    pub identity_seen: bool,
    /// A yes that came after the offer had lapsed.
    pub late_yes: bool,
}

/// The Gravity SDOH Clinical Care referral Task's states, with accepted → on-hold added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferStatus {
    /// Asked.
    Requested,
    /// The partner said yes.
    Accepted,
    /// Support has started.
    InProgress,
    /// Rang three times, will try again.
    OnHold,
    /// Support has finished.
    Completed,
    /// Support could not be given.
    Failed(Reason),
    /// The partner said no.
    Rejected(Reason),
    /// We took it back.
    Cancelled(Cause),
    /// Should never have been.
    EnteredInError,
}

impl OfferStatus {
    /// Nothing more will happen to it.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed(_) | Self::Rejected(_) | Self::Cancelled(_) | Self::EnteredInError
        )
    }

    /// The moves of DESIGN, "Three lifecycles", 2. `true` where `self → next` is one of them.
    pub const fn may_become(self, next: Self) -> bool {
        use OfferStatus::{
            Accepted, Cancelled, Completed, EnteredInError, Failed, InProgress, OnHold, Rejected, Requested,
        };
        match (self, next) {
            (EnteredInError, EnteredInError) => false,
            (_, EnteredInError)
            | (Requested, Accepted | Rejected(_) | Cancelled(_))
            | (Accepted, InProgress | OnHold | Completed | Failed(_) | Cancelled(_))
            | (InProgress, Completed | Failed(_) | Cancelled(_) | OnHold)
            | (OnHold, InProgress | Completed | Failed(_) | Cancelled(_)) => true,
            _ => false,
        }
    }
}

/// Why we took an offer back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Nobody answered by the date.
    Unanswered,
    /// The mail could not be delivered.
    Undeliverable,
    /// The practice or the person withdrew.
    Withdrawn,
    /// Something else was decided meanwhile.
    Superseded,
}

/// Why a partner said no or stopped: `https://fhir.nhs.uk/CodeSystem/dos-rejected-reasons-bars`, the codes that truly fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// 22: no capacity.
    Capacity,
    /// 24: the service declined.
    ServiceDeclined,
    /// 26: the patient chose otherwise.
    PatientChoice,
    /// 40: not eligible.
    NotEligible,
    /// 42: too far.
    Distance,
    /// 99, with our own word beside it: the person could not be reached (27 would mean the *service*).
    Unreachable,
    /// 99: other, in words.
    Other,
}

impl Reason {
    /// The code in the NHS code system.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Capacity => "22",
            Self::ServiceDeclined => "24",
            Self::PatientChoice => "26",
            Self::NotEligible => "40",
            Self::Distance => "42",
            Self::Unreachable | Self::Other => "99",
        }
    }
}
