//! What every state, reason and event is called on the desk: all words in one place.
//!
//! Each match is exhaustive, so that a new state cannot be without words; the tests read them all.

use crate::matching::SafetyKind;
use crate::referral::episode::{
    Actor, AttentionKind, Cause, Closed, FilingStatus, Hold, Moment, NeedState, OfferStatus, Reason, ReferralState,
    SupportedBy,
};
use crate::referral::event::{Alert, Decision, Event, OfferMail, PartnerSaid, Place};
use crate::web::need_words;

/// How much a tag presses: its colour says again what its word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tone {
    /// A safety matter.
    Safety,
    /// Waits for a person.
    Waits,
    /// Under way.
    Going,
    /// Done.
    Done,
}

/// Why a need waits: the word in the tag, and one line.
pub const fn hold(why: Hold) -> (&'static str, &'static str) {
    match why {
        Hold::Safety => ("Safety", "The referral speaks of a risk. Read it before anything else."),
        Hold::ConsentDeclined => ("Said no to sharing", "The person did not agree. Nothing may be sent."),
        Hold::ConsentMissing => ("No consent recorded", "Ask the practice to record the person’s agreement."),
        Hold::Urgent => ("Urgent", "The practice marked it urgent. Wellbridge is not for urgent messages: ring them."),
        Hold::ContactProhibited => ("No contact", "Nobody may contact the person. You arrange how."),
        Hold::ContactUnclear => ("Contact unclear", "The words about contact need a careful reader."),
        Hold::Restricted => ("Restricted record", "Nothing about where the person lives may be used."),
        Hold::Deceased => ("Has died", "The record says that the person has died. Nothing is sent."),
        Hold::LeftPractice => ("Left the practice", "The person is no longer registered there. Nothing is sent."),
        Hold::UnreadableRequest => ("Cannot be read", "The practice’s request is not a referral we can read."),
        Hold::NoSubject => ("No patient named", "The request names no patient. The practice must send it again."),
        Hold::BadNhsNumber => ("NHS number wrong", "The check digit fails: it may be another person’s number."),
        Hold::PatientUnreadable => ("Patient unreadable", "The practice’s system does not show us the patient."),
        Hold::NotActive => ("Not active there", "At the practice it is a draft, on hold, or over."),
        Hold::NeedUnclear => ("Need unclear", "What would help could not be read from the words."),
        Hold::NoService => ("No service", "The need is clear, and no service in the directory fits."),
        Hold::NoEmail => ("No email", "Services fit, but none takes a referral by email. Try the telephone."),
        Hold::SecondBest => ("Second choices", "Only second choices fit. You know better."),
        Hold::TriesExhausted => ("Nobody took it", "Every service that was asked said no or said nothing."),
        Hold::PersonDeclined => ("Person chose otherwise", "The person did not want this service."),
        Hold::Unreachable => ("Not reached", "The partner could not reach the person."),
        Hold::PartnerFailed => ("Partner stopped", "The partner could not go on."),
        Hold::NotAllRead => {
            ("Not all read", "Something came with it that we cannot read. Read it at the practice first.")
        }
        Hold::Coordinator => ("Kept back", "One of you keeps it back."),
    }
}

/// What must be looked at: the word in the tag, and one line.
pub const fn attention(kind: AttentionKind) -> (&'static str, &'static str) {
    match kind {
        AttentionKind::Risk => ("Worry reported", "Somebody is worried about safety. Read it now."),
        AttentionKind::CancellationUndelivered => {
            ("Not told", "A partner who knows the person could not be told that it is over. Ring them.")
        }
        AttentionKind::AnotherPerson => {
            ("Another person?", "The practice changed who this is about. Nothing goes on until you say who it is.")
        }
        AttentionKind::ChangedAfterAcceptance => {
            ("Changed", "Something changed at the practice after a partner had said yes.")
        }
        AttentionKind::Question => ("Question", "A partner asks something."),
        AttentionKind::LateYes => ("Late yes", "A partner said yes after the date had passed."),
        AttentionKind::SentAgain => {
            ("Sent again", "The practice sent this again after it had ended. Read it, and tell them what happens now.")
        }
        AttentionKind::FilingRefused => ("Not in the record", "The practice’s system refused to take it."),
    }
}

/// Whether an attention matter is a safety matter.
pub const fn is_safety(kind: AttentionKind) -> bool {
    matches!(kind, AttentionKind::Risk | AttentionKind::CancellationUndelivered | AttentionKind::AnotherPerson)
}

/// How a need ended.
pub const fn closed(how: Closed) -> &'static str {
    match how {
        Closed::Finished => "Support was given and finished",
        Closed::MetByCoordinator => "You met the need yourself",
        Closed::NoService => "There is no service for it",
        Closed::PersonDeclined => "The person did not want this help",
        Closed::DeclinedSocialPrescribing => "The person wants no social prescribing at all",
        Closed::Unreachable => "The person could not be reached",
        Closed::NotForUs => "Not a matter for social prescribing: back to the practice",
        Closed::Other => "Another reason",
    }
}

/// A referral's state.
pub const fn state(state: ReferralState) -> (&'static str, Tone) {
    match state {
        ReferralState::Held => ("Waits for you", Tone::Waits),
        ReferralState::Proposed => ("To approve", Tone::Waits),
        ReferralState::Received => ("Being read", Tone::Going),
        ReferralState::Offered => ("Partner asked", Tone::Going),
        ReferralState::Supported => ("Supported", Tone::Done),
        ReferralState::Closed => ("Closed", Tone::Done),
        ReferralState::Withdrawn => ("Withdrawn", Tone::Done),
    }
}

/// A need's state: the word in the tag, one line, and how much it presses.
pub fn need(state: &NeedState) -> (&'static str, &'static str, Tone) {
    match state {
        NeedState::Received => ("Being read", "The matcher looks at it in a moment.", Tone::Going),
        NeedState::Held(Hold::Safety) => {
            let (tag, line) = hold(Hold::Safety);
            (tag, line, Tone::Safety)
        }
        NeedState::Held(why) => {
            let (tag, line) = hold(*why);
            (tag, line, Tone::Waits)
        }
        NeedState::Proposed(_) => ("To approve", "A service was found. You decide whether it is asked.", Tone::Waits),
        NeedState::Offered(_) => ("Partner asked", "A partner has been asked.", Tone::Going),
        NeedState::Supported(SupportedBy::Offer(_)) => {
            ("Supported", "The person is being supported by a partner.", Tone::Done)
        }
        NeedState::Supported(SupportedBy::Coordinator) => ("Supported", "You support the person yourself.", Tone::Done),
        NeedState::Closed(how) => ("Closed", closed(*how), Tone::Done),
        NeedState::Withdrawn => ("Withdrawn", "The practice or the person took it back.", Tone::Done),
    }
}

/// An offer's state.
pub const fn offer(status: OfferStatus) -> &'static str {
    match status {
        OfferStatus::Requested => "asked, no answer yet",
        OfferStatus::Accepted => "said yes",
        OfferStatus::InProgress => "supports the person",
        OfferStatus::OnHold => "paused",
        OfferStatus::Completed => "finished",
        OfferStatus::Failed(_) => "could not help in the end",
        OfferStatus::Rejected(_) => "said no",
        OfferStatus::Cancelled(cause) => match cause {
            Cause::Unanswered => "did not answer in time",
            Cause::Undeliverable => "mail could not be delivered",
            Cause::Withdrawn => "taken back: referral withdrawn",
            Cause::Superseded => "taken back: decided otherwise",
        },
        OfferStatus::EnteredInError => "asked in error",
    }
}

/// Why a partner said no or stopped.
pub const fn reason(why: Reason) -> &'static str {
    match why {
        Reason::Capacity => "no room at the moment",
        Reason::ServiceDeclined => "not something they do",
        Reason::PatientChoice => "the person chose something else",
        Reason::NotEligible => "cannot take people in this situation",
        Reason::Distance => "too far away",
        Reason::Unreachable => "the person could not be reached",
        Reason::Other => "another reason",
    }
}

/// What the duty address was told of.
pub const fn alert(kind: Alert) -> &'static str {
    match kind {
        Alert::Safety => "A safety matter",
        Alert::RiskReported => "A risk was reported",
        Alert::CancellationUndelivered => "A partner could not be told that it is over",
        Alert::SentAgain => "A practice sent a referral again that had ended",
        Alert::ChangedAfterAcceptance => "Something changed after a partner had said yes",
        Alert::Question => "A partner’s question",
        Alert::WaitsTooLong => "A referral has waited too long",
        Alert::FilingRefused => "The practice’s system refused a filing",
        Alert::GivenUp => "Something was tried again and again, and given up",
        Alert::EdgeFailing => {
            "A practice’s system, the mail server or a directory is failing, or the bank holidays run out"
        }
    }
}

/// A mail about an offer.
pub const fn mail(kind: OfferMail) -> &'static str {
    match kind {
        OfferMail::Offer => "Asking mail",
        OfferMail::Reminder => "Reminder",
        OfferMail::Cancellation => "“No longer needed”",
        OfferMail::PassedOn => "“Your yes was passed on”",
    }
}

/// A mail by the name of its template, as the store keeps it.
pub fn mail_kind(kind: &str) -> String {
    let known = [OfferMail::Offer, OfferMail::Reminder, OfferMail::Cancellation, OfferMail::PassedOn];
    known.into_iter().find(|m| m.as_str() == kind).map_or_else(
        || match kind {
            _ if kind.contains("code") => "One-time code".to_owned(),
            "well-again" => "It works again".to_owned(),
            _ if kind.contains("alert") => "Alert to the duty address".to_owned(),
            _ => kind.replace('-', " "),
        },
        |m| mail(m).to_owned(),
    )
}

/// Where a mail stands, as the store keeps it.
pub fn mail_state(state: &str) -> &'static str {
    match state {
        "asked" => "to be sent",
        "leaving" => "being sent",
        "sent" => "sent",
        "unknown" => "perhaps sent twice",
        "failed" => "could not be sent",
        "dropped" => "not sent: no longer true",
        _ => "in an unknown state",
    }
}

/// What kind of words a note holds.
pub fn note_kind(kind: &str) -> &'static str {
    match kind {
        "reason" | "close" | "set-aside" | "in-error" => "Reason",
        "question" => "Question",
        "tried" => "What was tried",
        "helped" => "What helped",
        "did-not-help" => "What did not help",
        "to-partner" => "To the partner",
        "risk" => "Worry about safety",
        _ => "Words",
    }
}

/// Where a filing stands.
pub const fn filing(status: FilingStatus) -> (&'static str, Tone) {
    match status {
        FilingStatus::Queued => ("to be written", Tone::Going),
        FilingStatus::Handed => ("handed to the carrier", Tone::Going),
        FilingStatus::Acknowledged => ("arrived at the practice", Tone::Going),
        FilingStatus::Filed => ("in the record", Tone::Done),
        FilingStatus::Refused => ("refused", Tone::Waits),
        FilingStatus::SetAside => ("set aside", Tone::Done),
    }
}

/// Which moment a filing tells of.
pub const fn moment(moment: Moment) -> &'static str {
    match moment {
        Moment::Started => "Support started",
        Moment::Closed(_) => "Closed",
    }
}

/// A safety matter the matcher read.
pub const fn safety(kind: SafetyKind) -> &'static str {
    match kind {
        SafetyKind::DomesticAbuse => "Domestic abuse",
        SafetyKind::Safeguarding => "Safeguarding",
        SafetyKind::SuicideSelfHarm => "Suicidal thoughts or self-harm",
        SafetyKind::UrgentSymptom => "An urgent symptom",
        SafetyKind::Contradiction => "The referral contradicts itself",
        SafetyKind::WrongPatient => "Perhaps another patient",
        SafetyKind::ConsentMissing => "No agreement recorded",
        SafetyKind::ConsentDeclined => "The person said no to sharing",
    }
}

/// What a coordinator decided.
pub const fn decision(decision: Decision) -> &'static str {
    match decision {
        Decision::Close(_) => "Closed",
        Decision::PutBack => "Put back for the matcher",
        Decision::KeepBack => "Kept back",
        Decision::SupportHerself => "Supported by the coordinator herself",
    }
}

/// What a partner said.
pub const fn said(said: PartnerSaid) -> &'static str {
    match said {
        PartnerSaid::Accepted => "The partner said yes",
        PartnerSaid::Rejected(_) => "The partner said no",
        PartnerSaid::Asked => "The partner wrote to us",
        PartnerSaid::Booked => "A first date is agreed",
        PartnerSaid::DidNotAttend => "The person did not come",
        PartnerSaid::Started => "Support started: the person said yes to it",
        PartnerSaid::OnHold => "The partner paused",
        PartnerSaid::Finished => "Support finished",
        PartnerSaid::Failed(_) => "The partner could not help in the end",
    }
}

/// Who did something, as it follows "by"; the machine by our name.
pub fn actor(by: &Actor) -> String {
    match by {
        Actor::Machine => "Wellbridge".to_owned(),
        Actor::Practice => "the practice".to_owned(),
        Actor::Partner => "the partner".to_owned(),
        Actor::Coordinator(user) => user.to_string(),
    }
}

/// An event on the timeline: its heading, and who did it where the heading does not say.
pub fn event(event: &Event) -> (String, Option<String>) {
    let text = match event {
        Event::Received { .. } => "Received from the practice".to_owned(),
        Event::ContactChanged => "The practice changed how the person may be contacted".to_owned(),
        Event::PersonChanged => "The practice changed who it is about".to_owned(),
        Event::SamePerson { by: Actor::Practice, .. } => "The practice put back who it is about".to_owned(),
        Event::SamePerson { by, .. } => {
            return ("The new details are right: the same person".to_owned(), Some(actor(by)));
        }
        Event::Updated { .. } => "The practice changed something".to_owned(),
        Event::SentAgain { .. } => "The practice sent it again after it had ended".to_owned(),
        Event::Withdrawn { by } => return ("Withdrawn".to_owned(), Some(actor(by))),
        Event::Matched { needs, .. } => {
            let places: Vec<String> = needs
                .iter()
                .map(|placed| match &placed.place {
                    Place::Propose(_) => format!("{}: a service found", need_words(&placed.need)),
                    Place::Hold(why) => format!("{}: {}", need_words(&placed.need), hold(*why).0.to_lowercase()),
                })
                .collect();
            format!("Read. {}", places.join("; "))
        }
        Event::Offered { by, .. } => return ("Partner asked".to_owned(), Some(actor(by))),
        Event::Mailed { mail: kind, outcome_unknown: false, .. } => format!("{} sent", mail(*kind)),
        Event::Mailed { mail: kind, outcome_unknown: true, .. } => format!("{} perhaps sent twice", mail(*kind)),
        Event::Undeliverable { mail: kind, .. } => format!("{} could not be delivered", mail(*kind)),
        Event::Reminded { .. } => "No answer yet: reminded".to_owned(),
        Event::Lapsed { .. } => "No answer by the date".to_owned(),
        Event::Partner { said: what, risk, .. } => {
            let why = match what {
                PartnerSaid::Rejected(why) | PartnerSaid::Failed(why) => format!(": {}", reason(*why)),
                _ => String::new(),
            };
            if *risk && *what == PartnerSaid::Asked {
                return ("The partner is worried about somebody’s safety".to_owned(), None);
            }
            let worry = if *risk { ", and is worried about safety" } else { "" };
            format!("{}{why}{worry}", said(*what))
        }
        Event::IdentityViewed { .. } => "The partner saw who the person is".to_owned(),
        Event::OfferInError { by, .. } => return ("This offer was made in error".to_owned(), Some(actor(by))),
        Event::Decided { decision: what, by, .. } => {
            let how = if let Decision::Close(how) = what { format!(": {}", closed(*how)) } else { String::new() };
            return (format!("{}{how}", decision(*what)), Some(actor(by)));
        }
        Event::AttentionSettled { kind, by, .. } => {
            return (format!("Settled: {}", attention(*kind).0.to_lowercase()), Some(actor(by)));
        }
        Event::Filed { .. } => "Written to the patient’s record".to_owned(),
        Event::Handed { .. } => "Handed to the carrier for the record".to_owned(),
        Event::Acknowledged { .. } => "The carrier says that it arrived".to_owned(),
        Event::FilingRefused { .. } => "The practice’s system refused it".to_owned(),
        Event::FilingRequeued { by, .. } => return ("To be written again".to_owned(), Some(actor(by))),
        Event::FilingSetAside { by, .. } => return ("Need not be in the record".to_owned(), Some(actor(by))),
    };
    (text, None)
}

#[cfg(test)]
mod tests;
