//! Where a referral stands: its needs, the offers made for them, the filings owed to the record.
//!
//! An [`Episode`] is derived from events alone (`ledger verify` rebuilds every one) and holds no personal data. The
//! three lifecycles are kept apart on purpose (a *partner* accepting an offer is not the *person* accepting support):
//! `need` is the person's, `offer` the partner's, `filing` the record's; `matter` is what a person must look at.

mod filing;
mod matter;
mod need;
mod offer;

use serde::{Deserialize, Serialize};

pub use self::filing::{Filing, FilingStatus, Moment};
pub use self::matter::{Attention, AttentionKind};
pub use self::need::{Closed, Hold, Need, NeedState, SupportedBy};
pub use self::offer::{Cause, Offer, OfferStatus, Reason};
use super::content::Sharing;
use super::ids::{NeedCode, OfferId, PracticeId, ProgrammeId, ReferralId, ServiceId, UserId};

/// The need of an episode whose words were not matched yet (or could not be read at all).
pub const UNREAD: &str = "unread";

/// One referral's road, as far as it has been travelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Episode {
    /// The referral.
    pub id: ReferralId,
    /// Who sent it.
    pub practice: PracticeId,
    /// Who looks after it.
    pub programme: ProgrammeId,
    /// What intake found that decides what may be done.
    pub facts: Facts,
    /// Never empty; each in exactly one place.
    pub needs: Vec<Need>,
    /// Every offer ever made, oldest first; at most one open for a need.
    pub offers: Vec<Offer>,
    /// Everything owed to the record.
    pub filings: Vec<Filing>,
    /// Questions and risks that partners reported, until a coordinator has dealt with them.
    pub attention: Vec<Attention>,
    /// What the person said about support, as far as anybody reported it.
    pub person: PersonAnswer,
    /// How many versions of the practice's request were taken in.
    pub inputs: u32,
    /// A safety matter was read in any version, or somebody reported a risk: from then on only a person sends.
    #[serde(default)]
    pub safety: bool,
    /// The version (counted as `inputs`) whose safety matters the duty address was told of last; 0 is none.
    #[serde(default)]
    pub safety_told: u32,
}

/// What intake found, without personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// What may go back to the GP.
    pub sharing: Sharing,
    /// Nobody may contact the person.
    pub contact_prohibited: bool,
    /// Why nothing may be sent, if anything forbids it: the hardest reason of several.
    pub hold: Option<Hold>,
    /// The practice marked it to be done at once, whatever else holds it: a person is told.
    #[serde(default)]
    pub urgent: bool,
}

impl Facts {
    /// Why a machine may send nothing, if anything forbids it.
    pub const fn forbids_machine(&self) -> Option<Hold> {
        match self.hold {
            None if self.contact_prohibited => Some(Hold::ContactProhibited),
            hold => hold,
        }
    }
}

/// What the person said about support.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonAnswer {
    /// Nobody has told us yet.
    #[default]
    Unasked,
    /// Took up support.
    Accepted,
    /// Declined social prescribing as a whole.
    Declined,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// Wellbridge, under the programme's rules.
    Machine,
    /// The practice, through its system.
    Practice,
    /// The partner, through its link.
    Partner,
    /// A Wellbeing Coordinator.
    Coordinator(UserId),
}

/// The referral's own state, derived from its needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it; see NeedState")]
pub enum ReferralState {
    Held,
    Proposed,
    Received,
    Offered,
    Supported,
    Withdrawn,
    Closed,
}

impl ReferralState {
    /// All of them, in the order of the precedence.
    pub const ALL: [Self; 7] =
        [Self::Held, Self::Proposed, Self::Received, Self::Offered, Self::Supported, Self::Withdrawn, Self::Closed];

    /// As stored, shown and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Proposed => "proposed",
            Self::Received => "received",
            Self::Offered => "offered",
            Self::Supported => "supported",
            Self::Closed => "closed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl Episode {
    /// The one fixed precedence: what most needs a person comes first; a referral is closed only when every need is.
    pub fn state(&self) -> ReferralState {
        self.needs.iter().map(|n| n.state.as_referral_state()).min().unwrap_or(ReferralState::Received)
    }

    /// Nothing has happened to it yet: it waits for the matcher.
    pub fn is_only_received(&self) -> bool {
        self.offers.is_empty() && self.needs.iter().all(|need| need.state == NeedState::Received)
    }

    /// Still on the road.
    pub fn is_open(&self) -> bool {
        self.needs.iter().any(|n| !n.state.is_final())
    }

    /// Somebody has taken the person on, or something is owed to the record: who the person is must not change now.
    pub fn was_taken_on(&self) -> bool {
        use OfferStatus::{Accepted, Completed, Failed, InProgress, OnHold};
        let taken =
            |o: &Offer| o.identity_seen || matches!(o.status, Accepted | InProgress | OnHold | Completed | Failed(_));
        !self.filings.is_empty() || self.person == PersonAnswer::Accepted || self.offers.iter().any(taken)
    }

    /// Who the request is about changed after somebody had taken the person on, and no coordinator has looked yet.
    pub fn person_in_question(&self) -> Option<&Attention> {
        self.attention.iter().find(|a| a.kind == AttentionKind::AnotherPerson)
    }

    /// Why a person is needed, the most pressing reason first.
    pub fn hold(&self) -> Option<Hold> {
        self.needs.iter().filter_map(|n| if let NeedState::Held(why) = n.state { Some(why) } else { None }).min()
    }

    /// The offer with this id.
    pub fn offer(&self, id: OfferId) -> Option<&Offer> {
        self.offers.iter().find(|o| o.id == id)
    }

    /// The need with this code.
    pub fn need(&self, code: &NeedCode) -> Option<&Need> {
        self.needs.iter().find(|n| n.code == *code)
    }

    /// The one open offer for a need, if any.
    pub fn open_offer(&self, code: &NeedCode) -> Option<&Offer> {
        self.offers.iter().find(|o| o.need == *code && !o.status.is_final())
    }

    /// Services already asked for a need, whatever came of it.
    pub fn tried(&self, code: &NeedCode) -> Vec<ServiceId> {
        self.offers.iter().filter(|o| o.need == *code).map(|o| o.service.clone()).collect()
    }
}
