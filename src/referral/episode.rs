//! Where a referral stands: its needs, the offers made for them, the filings owed to the record.
//!
//! An [`Episode`] is derived from events alone (`ledger verify` rebuilds every one) and holds no personal data. The
//! three lifecycles are kept apart on purpose: a *partner* accepting an offer is not the *person* accepting support.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::content::Sharing;
use super::ids::{
    FilingId, NeedCode, NoteId, OfferId, PartnerId, PracticeId, ProgrammeId, ReferralId, ServiceId, UserId,
};

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

/// `queued → filed`, or `queued → handed → acknowledged → filed`; or `refused`, which a person can queue again.
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
}

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
