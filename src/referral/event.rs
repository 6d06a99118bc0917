//! What can happen to a referral, and what has to be done about it.
//!
//! Events are what the ledger keeps: versioned, without personal data (words go to notes, named here by [`NoteId`]),
//! and enough to rebuild an [`Episode`](super::episode::Episode) from nothing. Effects are what the lifecycle asks of
//! the world; the ledger turns each into a job in the same transaction.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::episode::{Actor, AttentionKind, Closed, Facts, Hold, Moment, Reason};
use super::ids::{FilingId, NeedCode, NoteId, OfferId, PartnerId, PracticeId, ProgrammeId, ServiceId};

/// The version of [`Event`]'s JSON that is written now. Older ones are upcast when read (`store::ledger`).
pub const EVENT_VERSION: i64 = 1;

/// Something that happened to one referral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Event {
    /// The practice's request was taken in for the first time.
    Received {
        /// Who sent it.
        practice: PracticeId,
        /// Who looks after it.
        programme: ProgrammeId,
        /// What intake found.
        facts: Facts,
    },
    /// The practice changed its request, its patient or the consent.
    Updated {
        /// What intake finds now.
        facts: Facts,
    },
    /// The practice sent its request again after the referral had been closed or withdrawn.
    SentAgain {
        /// What intake finds now.
        facts: Facts,
    },
    /// The practice changed how the person may be contacted; how exactly is personal data, kept apart.
    ContactChanged,
    /// The practice changed who the request is about, after somebody had taken the person on: another NHS number, another
    /// name. What exactly is personal data, kept apart.
    PersonChanged,
    /// It is the same person: a coordinator says that the new details are right, or the practice put the old ones back.
    SamePerson {
        /// Who says so.
        by: Actor,
        /// When the change came that she saw; one that came meanwhile was read by nobody. None from the practice.
        since: Option<Timestamp>,
    },
    /// The practice or the person took it back.
    Withdrawn {
        /// Who did.
        by: Actor,
    },
    /// The matcher read it.
    Matched {
        /// Each need and where it goes, the main one first. Never empty.
        needs: Vec<Placed>,
        /// Safety matters were read.
        safety: bool,
    },
    /// A service was asked: by the machine under the programme's rules, or by a coordinator.
    Offered {
        /// Which need.
        need: NeedCode,
        /// The new offer.
        offer: OfferId,
        /// The service asked.
        service: ServiceId,
        /// Who runs it.
        partner: PartnerId,
        /// Who decided.
        by: Actor,
        /// When the one reminder is due.
        remind_at: Timestamp,
        /// When the offer lapses.
        reply_by: Timestamp,
        /// What the coordinator chose to write to the partner.
        note: Option<NoteId>,
    },
    /// A mail about an offer left us, or may have.
    Mailed {
        /// Which offer.
        offer: OfferId,
        /// Which mail.
        mail: OfferMail,
        /// The connection was lost after the last byte: a second copy with the same Message-ID may follow.
        outcome_unknown: bool,
    },
    /// A mail about an offer cannot be delivered.
    Undeliverable {
        /// Which offer.
        offer: OfferId,
        /// Which mail.
        mail: OfferMail,
    },
    /// The reminder's time came and nobody had answered.
    Reminded {
        /// Which offer.
        offer: OfferId,
    },
    /// The deadline passed and nobody had answered.
    Lapsed {
        /// Which offer.
        offer: OfferId,
    },
    /// The partner answered or told how it goes.
    Partner {
        /// Which offer.
        offer: OfferId,
        /// What it said.
        said: PartnerSaid,
        /// Its words, kept apart.
        note: Option<NoteId>,
        /// It is worried about somebody's safety.
        risk: bool,
    },
    /// Who the person is was shown to the partner.
    IdentityViewed {
        /// Which offer.
        offer: OfferId,
    },
    /// A coordinator says that an offer should never have been made.
    OfferInError {
        /// Which offer.
        offer: OfferId,
        /// Who.
        by: Actor,
        /// Why, in words, kept apart.
        note: Option<NoteId>,
    },
    /// A coordinator decided something other than an offer.
    Decided {
        /// Which need.
        need: NeedCode,
        /// What.
        decision: Decision,
        /// Who.
        by: Actor,
        /// Why, in words, kept apart.
        note: Option<NoteId>,
    },
    /// A coordinator dealt with a matter: the very one she saw, never one that came meanwhile.
    AttentionSettled {
        /// Which kind.
        kind: AttentionKind,
        /// About which offer.
        offer: Option<OfferId>,
        /// Its words, where it has any.
        #[serde(default)]
        note: Option<NoteId>,
        /// When it came. Events written before it was kept have none: the oldest of its kind about that offer.
        #[serde(default)]
        since: Option<Timestamp>,
        /// Who.
        by: Actor,
    },
    /// Something is in the record.
    Filed {
        /// Which filing.
        filing: FilingId,
    },
    /// A carrier took it and will answer later.
    Handed {
        /// Which filing.
        filing: FilingId,
    },
    /// The carrier says that it arrived.
    Acknowledged {
        /// Which filing.
        filing: FilingId,
    },
    /// The practice's system said no; its words are kept beside the filing.
    FilingRefused {
        /// Which filing.
        filing: FilingId,
    },
    /// A person queued a refused filing again.
    FilingRequeued {
        /// Which filing.
        filing: FilingId,
        /// Who.
        by: Actor,
    },
    /// A person decided that a refused filing need not be in the record.
    FilingSetAside {
        /// Which filing.
        filing: FilingId,
        /// Who.
        by: Actor,
        /// Why, in words, kept apart.
        note: Option<NoteId>,
    },
}

/// Where the matcher puts one need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Which need.
    pub need: NeedCode,
    /// Where it goes.
    pub place: Place,
}

/// A service to propose, or a reason for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// This service would be asked.
    Propose(ServiceId),
    /// A person decides.
    Hold(Hold),
}

/// What a partner says on its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartnerSaid {
    /// Yes.
    Accepted,
    /// No, for this reason.
    Rejected(Reason),
    /// A question for the coordinator.
    Asked,
    /// A first date is agreed.
    Booked,
    /// The person did not come.
    DidNotAttend,
    /// Support started: the person accepted.
    Started,
    /// Paused; will try again.
    OnHold,
    /// Support finished.
    Finished,
    /// Could not go on, for this reason.
    Failed(Reason),
}

/// What a coordinator may decide beside offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Close it.
    Close(Closed),
    /// Let the matcher look again.
    PutBack,
    /// Keep it from the machine until she says otherwise.
    KeepBack,
    /// Support the person herself.
    SupportHerself,
}

/// The mails that belong to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfferMail {
    /// Please help this person.
    Offer,
    /// One reminder.
    Reminder,
    /// No longer needed.
    Cancellation,
    /// A late yes was passed on.
    PassedOn,
}

impl OfferMail {
    /// As stored, and as the folder of its template is named.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Reminder => "reminder",
            Self::Cancellation => "cancellation",
            Self::PassedOn => "passed-on",
        }
    }
}

/// What the lifecycle asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Match (again): at least one need is `received`.
    Match,
    /// Send this mail about this offer.
    Mail(OfferId, OfferMail),
    /// Look at the offer again at that time: remind.
    RemindAt(OfferId, Timestamp),
    /// Look at the offer again at that time: lapse.
    LapseAt(OfferId, Timestamp),
    /// The coarse step changed: make the coordination Task say so.
    KeepTask,
    /// Write this to the record.
    File(FilingId, Moment),
    /// Tell the duty address, without identity.
    Alert(Alert),
}

/// Why the duty address is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alert {
    /// A safety matter was read in the referral, or the practice marked it urgent. Escalates until opened.
    Safety,
    /// Somebody who helps the person reported a risk. Escalates until opened.
    RiskReported,
    /// A cancellation could not be delivered to somebody who knows who the person is. Escalates until opened.
    CancellationUndelivered,
    /// The practice sent its request again after it had ended here: it thinks that somebody is at work. Escalates until
    /// opened, since nobody has read yet what the new version says.
    SentAgain,
    /// The practice changed something after a partner had accepted.
    ChangedAfterAcceptance,
    /// A partner asks something.
    Question,
    /// A referral waits too long for a person.
    WaitsTooLong,
    /// The practice's system refused a filing.
    FilingRefused,
    /// An effect was tried until its horizon and given up.
    GivenUp,
    /// A practice's system, the mail server or a feed is failing.
    EdgeFailing,
}

impl Alert {
    /// As stored and as templates know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::RiskReported => "risk-reported",
            Self::CancellationUndelivered => "cancellation-undelivered",
            Self::SentAgain => "sent-again",
            Self::ChangedAfterAcceptance => "changed-after-acceptance",
            Self::Question => "question",
            Self::WaitsTooLong => "waits-too-long",
            Self::FilingRefused => "filing-refused",
            Self::GivenUp => "given-up",
            Self::EdgeFailing => "edge-failing",
        }
    }

    /// Told again after half an hour, then to the second address, until somebody opens it.
    pub const fn escalates(self) -> bool {
        matches!(self, Self::Safety | Self::RiskReported | Self::CancellationUndelivered | Self::SentAgain)
    }
}
