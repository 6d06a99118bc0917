//! The message back to the GP, gathered from what partners and the coordinator wrote about one need until it was filed.
//!
//! A partner that supported the person speaks for itself. Where a coordinator ends a need, the GP also hears who was
//! asked and what came of it, in the partners' own words: what did not work is as useful as what did. The adapter leaves
//! out what the person's sharing choice forbids.

use crate::practice::MessageBack;
use crate::referral::episode::{AttentionKind, Closed, Episode, Filing, Moment, NeedState, Offer, OfferStatus, Reason};
use crate::referral::event::{Decision, Event, PartnerSaid};
use crate::referral::{NeedCode, OfferId};
use crate::service::Wellbridge;
use crate::store::{NoteRow, Recorded};

/// Everything a message is made from.
pub(super) struct Words<'a> {
    pub(super) service: &'a Wellbridge,
    pub(super) episode: &'a Episode,
    pub(super) filing: &'a Filing,
    /// The event that caused the filing: what came later is not told.
    pub(super) cause: Option<&'a Recorded>,
    pub(super) events: &'a [Recorded],
    pub(super) notes: &'a [NoteRow],
}

impl Words<'_> {
    /// The message.
    pub(super) fn message_back(&self) -> MessageBack {
        let closing = self.cause.and_then(|c| match c.event {
            Event::Decided { decision: Decision::Close(_), note, .. } => Some(note),
            _ => None,
        });
        let risk = self.episode.attention.iter().any(|a| a.kind == AttentionKind::Risk);
        let (paused, came_to_nothing) = closing.map_or_else(Default::default, |_| self.tries());
        MessageBack {
            service: self.filing.offer.and_then(|id| self.episode.offer(id)).and_then(|offer| self.name_of(offer)),
            tried: joined(self.written("tried"), paused),
            helped: joined(self.written("helped"), Vec::new()),
            did_not_help: joined(self.written("did-not-help"), came_to_nothing),
            risks: joined(self.written("risk"), Vec::new())
                .or_else(|| risk.then(|| "A concern was reported; the Wellbeing Coordinator has it.".to_owned())),
            outcome: closing.flatten().and_then(|id| self.notes.iter().find(|n| n.id == id)).map(|n| n.words.clone()),
            sensitive: self.is_sensitive(),
        }
    }

    /// Words of this kind. A partner's belong to the offer that was filed; where there was none, to any offer made for this
    /// need. Words about another need never do: that need may be one that is filed apart.
    fn written(&self, kind: &str) -> Vec<String> {
        let known_then = |n: &&NoteRow| self.cause.is_none_or(|c| n.written <= c.recorded);
        let belongs = |n: &&NoteRow| match self.filing.offer {
            Some(_) => n.offer == self.filing.offer,
            None => n.offer.and_then(|id| self.episode.offer(id)).is_some_and(|offer| offer.need == self.filing.need),
        };
        let of_kind = self.notes.iter().filter(|n| n.kind == kind);
        of_kind.filter(known_then).filter(belongs).map(|n| n.words.clone()).collect()
    }

    /// What partners said of how it could not be: what they tried before they paused, and why it came to nothing.
    fn tries(&self) -> (Vec<String>, Vec<String>) {
        let (mut paused, mut came_to_nothing) = (Vec::new(), Vec::new());
        for recorded in self.events.iter().take_while(|e| self.cause.is_none_or(|c| e.seq <= c.seq)) {
            let Event::Partner { offer, said, note, .. } = recorded.event else { continue };
            let Some(offer) = self.about(offer) else { continue };
            let name = self.name_of(offer).unwrap_or_else(|| "A service that is no longer listed".to_owned());
            let words = note.and_then(|id| self.notes.iter().find(|n| n.id == id)).map_or("", |n| n.words.as_str());
            match said {
                PartnerSaid::OnHold => paused.push(format!("{name} paused: {words}")),
                PartnerSaid::Rejected(why) => {
                    came_to_nothing.push(format!("{name} was asked and said no ({}): {words}", why_not(why)));
                }
                PartnerSaid::Failed(why) => {
                    came_to_nothing.push(format!("{name} could not help in the end ({}): {words}", why_not(why)));
                }
                _ => {}
            }
        }
        (paused, came_to_nothing)
    }

    /// The offer, where this filing speaks of it: one for its need, or, where the person wants no social prescribing at all,
    /// for any need that ended so. Not one that should never have been made.
    fn about(&self, id: OfferId) -> Option<&Offer> {
        let offer = self.episode.offer(id).filter(|o| o.status != OfferStatus::EnteredInError)?;
        let whole = NeedState::Closed(Closed::DeclinedSocialPrescribing);
        let ended_with_it = self.filing.moment == Moment::Closed(Closed::DeclinedSocialPrescribing)
            && self.episode.need(&offer.need).is_some_and(|need| need.state == whole);
        (offer.need == self.filing.need || ended_with_it).then_some(offer)
    }

    fn name_of(&self, offer: &Offer) -> Option<String> {
        let directory = self.service.directory();
        let service = directory.get(&offer.service)?;
        let (name, by) = (&service.name, &service.organisation.name);
        Some(if by.is_empty() || by == name { name.clone() } else { format!("{name} ({by})") })
    }

    /// Whether the words are filed apart: by the need, whoever met it. A no to social prescribing as a whole speaks of
    /// every need; a need that could not be named is taken to be sensitive where a safety matter was read.
    fn is_sensitive(&self) -> bool {
        let sensitive =
            |code: &NeedCode| self.service.matcher.need(code).map_or(self.episode.safety, |need| need.sensitive);
        match self.filing.moment {
            Moment::Closed(Closed::DeclinedSocialPrescribing) => self.episode.needs.iter().any(|n| sensitive(&n.code)),
            _ => sensitive(&self.filing.need),
        }
    }
}

fn joined(mut words: Vec<String>, more: Vec<String>) -> Option<String> {
    words.extend(more);
    (!words.is_empty()).then(|| words.join("\n"))
}

/// Why a partner said no or stopped, as the GP reads it.
const fn why_not(why: Reason) -> &'static str {
    match why {
        Reason::Capacity => "no room at the moment",
        Reason::ServiceDeclined => "not something they do",
        Reason::PatientChoice => "the person chose something else",
        Reason::NotEligible => "they cannot take people in this situation",
        Reason::Distance => "too far away",
        Reason::Unreachable => "the person could not be reached",
        Reason::Other => "another reason",
    }
}
