//! One kind of help the person needs, and where it stands: `received → held(why) | proposed | offered → supported →
//! closed(how)`, from any open state `withdrawn`. The person's lifecycle, not the partner's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ReferralState;
use crate::referral::ids::{NeedCode, OfferId, ServiceId};

/// One kind of help the person needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Which.
    pub code: NeedCode,
    /// Where it stands.
    pub state: NeedState,
    /// Since when it stands there.
    pub since: Timestamp,
    /// A coordinator has decided about it: it does not vanish when the matcher no longer reads it.
    #[serde(default)]
    pub by_person: bool,
}

/// `received → held(why) | proposed | offered → supported → closed(how)`, from any open state `withdrawn`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeedState {
    /// Waits for the matcher: just arrived, changed, or the last service said no.
    Received,
    /// Waits for a person.
    Held(Hold),
    /// A service was found; a coordinator approves it.
    Proposed(ServiceId),
    /// A partner has been asked.
    Offered(OfferId),
    /// The person is being supported, by a partner or by the coordinator herself.
    Supported(SupportedBy),
    /// Done.
    Closed(Closed),
    /// The practice or the person took it back.
    Withdrawn,
}

impl NeedState {
    /// Nothing more will happen to it.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Closed(_) | Self::Withdrawn)
    }

    /// What it gives its referral, were it the only need.
    pub const fn as_referral_state(&self) -> ReferralState {
        match self {
            Self::Held(_) => ReferralState::Held,
            Self::Proposed(_) => ReferralState::Proposed,
            Self::Received => ReferralState::Received,
            Self::Offered(_) => ReferralState::Offered,
            Self::Supported(_) => ReferralState::Supported,
            Self::Withdrawn => ReferralState::Withdrawn,
            Self::Closed(_) => ReferralState::Closed,
        }
    }
}

/// Why a need waits for a person. Each is told to people in `desk`, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hold {
    /// A safety matter was read, or a partner reported one.
    Safety,
    /// The person said no to sharing.
    ConsentDeclined,
    /// No agreement was recorded, and the practice's agreement asks for one.
    ConsentMissing,
    /// The practice marked it urgent; Wellbridge is not for urgent messages.
    Urgent,
    /// Nobody may contact the person: somebody arranges how.
    ContactProhibited,
    /// The words about contact cannot be read with certainty.
    ContactUnclear,
    /// The record is restricted.
    Restricted,
    /// The record says that the person has died.
    Deceased,
    /// The person is no longer registered at the practice.
    LeftPractice,
    /// The request is of another shape than a referral.
    UnreadableRequest,
    /// The request names no patient.
    NoSubject,
    /// The NHS number's check digit fails: perhaps somebody else's.
    BadNhsNumber,
    /// The patient's record cannot be read.
    PatientUnreadable,
    /// The request is a draft or paused by the practice.
    NotActive,
    /// What is needed could not be read.
    NeedUnclear,
    /// A clear need and no suitable service.
    NoService,
    /// Services fit, but none takes a referral by email.
    NoEmail,
    /// Only second choices fit.
    SecondBest,
    /// Every service that was asked said no or said nothing.
    TriesExhausted,
    /// The person declined this service.
    PersonDeclined,
    /// The person could not be reached.
    Unreachable,
    /// The partner could not go on.
    PartnerFailed,
    /// Something came with the request that could not be read: a person reads it at the practice.
    NotAllRead,
    /// A coordinator keeps it back.
    Coordinator,
}

/// Who supports the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupportedBy {
    /// The partner who took this offer.
    Offer(OfferId),
    /// The Wellbeing Coordinator.
    Coordinator,
}

/// How a need ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closed {
    /// Support was given and finished.
    Finished,
    /// The coordinator met the need herself.
    MetByCoordinator,
    /// No service could be found, and a coordinator said so.
    NoService,
    /// The person declined this help.
    PersonDeclined,
    /// The person declined social prescribing as a whole.
    DeclinedSocialPrescribing,
    /// The person could not be reached.
    Unreachable,
    /// Not a matter for social prescribing; sent back to the practice.
    NotForUs,
    /// Another reason, in words.
    Other,
}
