//! Our side of an offer: made, mailed, bounced, chased, lapsed, and the person shown to who took it.
//!
//! A notice of cancellation is owed to a partner that was told of an offer, and only to such a one: a mail that left
//! while the offer was being taken back is followed by its notice, a mail that never left by none.

use super::{Draft, Refusal, forbids_everybody, forbids_showing, words_required};
use crate::referral::episode::{
    Actor, AttentionKind, Cause, Closed, Hold, Moment, NeedState, Offer, OfferStatus, PersonAnswer, SupportedBy,
};
use crate::referral::event::{Alert, Effect, Event, OfferMail};
use crate::referral::ids::{NeedCode, NoteId, OfferId, ServiceId};

impl Draft {
    pub(super) fn offered(&mut self, event: &Event) -> Result<(), Refusal> {
        let Event::Offered { need, offer, service, partner, by, remind_at, reply_by, .. } = event else {
            return Err(Refusal::Illegal);
        };
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        if self.episode.offer(*offer).is_some() {
            return Err(Refusal::AlreadyDone);
        }
        let index = self.episode.needs.iter().position(|n| n.code == *need).ok_or(Refusal::Unknown)?;
        match (&self.episode.needs[index].state, by) {
            (NeedState::Proposed(proposed), Actor::Machine) if proposed == service => {}
            (NeedState::Proposed(_) | NeedState::Held(_), Actor::Coordinator(_)) => {}
            _ => return Err(Refusal::Illegal),
        }
        self.may_be_asked(need, service, by)?;
        self.episode.offers.push(Offer {
            id: *offer,
            need: need.clone(),
            service: service.clone(),
            partner: partner.clone(),
            by: by.clone(),
            status: OfferStatus::Requested,
            made: self.now,
            reply_by: *reply_by,
            mailed: false,
            reminded: false,
            booked: false,
            missed: false,
            notice_owed: false,
            identity_seen: false,
            late_yes: false,
        });
        self.place(index, NeedState::Offered(*offer));
        self.effects.push(Effect::Mail(*offer, OfferMail::Offer));
        self.effects.push(Effect::RemindAt(*offer, *remind_at));
        self.effects.push(Effect::LapseAt(*offer, *reply_by));
        Ok(())
    }

    /// Consent, restriction and death bind the coordinator too. A contact rule she may have arranged round, a safety
    /// matter she has weighed, and a service that was asked before bind the machine only.
    fn may_be_asked(&self, need: &NeedCode, service: &ServiceId, by: &Actor) -> Result<(), Refusal> {
        let facts = self.episode.facts;
        if self.episode.person_in_question().is_some() {
            return Err(Refusal::Forbidden);
        }
        let machine_may =
            facts.forbids_machine().is_none() && !self.episode.safety && !self.episode.tried(need).contains(service);
        if facts.hold.is_some_and(forbids_everybody) || (*by == Actor::Machine && !machine_may) {
            return Err(Refusal::Forbidden);
        }
        Ok(())
    }

    pub(super) fn mailed(&mut self, id: OfferId, mail: OfferMail) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if mail == OfferMail::Offer && !offer.mailed {
            offer.mailed = true;
            // It left while a withdrawal was being written: the partner is owed the one notice.
            if let OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) | OfferStatus::EnteredInError =
                offer.status
            {
                offer.notice_owed = true;
                self.effects.push(Effect::Mail(id, OfferMail::Cancellation));
            }
        } else if mail == OfferMail::Cancellation {
            offer.notice_owed = false;
        }
        Ok(())
    }

    pub(super) fn undeliverable(&mut self, id: OfferId, mail: OfferMail) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if mail == OfferMail::Cancellation {
            offer.notice_owed = false;
        }
        match (mail, offer.status) {
            (OfferMail::Offer | OfferMail::Reminder, OfferStatus::Requested) => {
                offer.status = OfferStatus::Cancelled(Cause::Undeliverable);
                self.back_to_matching(id);
            }
            (OfferMail::Cancellation, _) if offer.identity_seen => {
                self.attend(AttentionKind::CancellationUndelivered, Some(id), None);
                self.alert(Alert::CancellationUndelivered);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn reminded(&mut self, id: OfferId) -> Result<(), Refusal> {
        let uncertain = self.episode.person_in_question().is_some();
        let offer = self.offer_mut(id)?;
        // Nobody is reminded of a mail that has not left yet.
        if offer.status != OfferStatus::Requested || offer.reminded || !offer.mailed {
            return Err(Refusal::AlreadyDone);
        }
        if uncertain {
            return Err(Refusal::Forbidden);
        }
        offer.reminded = true;
        self.effects.push(Effect::Mail(id, OfferMail::Reminder));
        Ok(())
    }

    pub(super) fn lapsed(&mut self, id: OfferId) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if offer.status != OfferStatus::Requested {
            return Err(Refusal::AlreadyDone);
        }
        // A partner whose mail never left was not silent.
        let cause = if offer.mailed { Cause::Unanswered } else { Cause::Undeliverable };
        offer.status = OfferStatus::Cancelled(cause);
        self.back_to_matching(id);
        Ok(())
    }

    pub(super) fn identity_viewed(&mut self, id: OfferId) -> Result<(), Refusal> {
        let uncertain = self.episode.person_in_question().is_some();
        let forbidden = uncertain || self.episode.facts.hold.is_some_and(forbids_showing);
        let offer = self.offer_mut(id)?;
        match offer.status {
            OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold if forbidden => {
                Err(Refusal::Forbidden)
            }
            OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold => {
                offer.identity_seen = true;
                Ok(())
            }
            OfferStatus::Cancelled(Cause::Withdrawn) => Err(Refusal::Withdrawn),
            _ => Err(Refusal::Illegal),
        }
    }

    /// An offer that should never have been made, wherever it stands: the partner that still has it is told once, nothing
    /// of it goes to the record any more, and a person decides about the need. What is closed stays closed.
    pub(super) fn made_in_error(&mut self, id: OfferId, by: &Actor, note: Option<NoteId>) -> Result<(), Refusal> {
        if !matches!(by, Actor::Coordinator(_)) {
            return Err(Refusal::Illegal);
        }
        words_required(note)?;
        let withdrawn = self.is_withdrawn();
        let offer = self.offer_mut(id)?;
        let before = offer.status;
        if before == OfferStatus::EnteredInError {
            return Err(Refusal::AlreadyDone);
        }
        offer.status = OfferStatus::EnteredInError;
        // Whoever said no, ended it or was told already has nothing to be told. An unanswered mail still lies there.
        let still_has_it = !before.is_final() || before == OfferStatus::Cancelled(Cause::Unanswered);
        if still_has_it && offer.mailed && !withdrawn {
            offer.notice_owed = true;
            self.effects.push(Effect::Mail(id, OfferMail::Cancellation));
        }
        self.episode.attention.retain(|a| a.kind != AttentionKind::LateYes || a.offer != Some(id));
        self.tell_nothing_of(id);
        self.forget_the_persons_yes(id);
        if let Some(index) = self.need_of(id)
            && [NeedState::Offered(id), NeedState::Supported(SupportedBy::Offer(id))]
                .contains(&self.episode.needs[index].state)
        {
            self.place(index, NeedState::Held(Hold::Coordinator));
            self.episode.needs[index].by_person = true;
        }
        Ok(())
    }

    /// The person's yes to support, where only the partner of this offer told of it.
    fn forget_the_persons_yes(&mut self, id: OfferId) {
        let accepted = |moment| matches!(moment, Moment::Started | Moment::Closed(Closed::Finished));
        let told_otherwise = self.episode.filings.iter().any(|f| f.offer != Some(id) && accepted(f.moment));
        let told_here = self.episode.filings.iter().any(|f| f.offer == Some(id) && accepted(f.moment));
        if self.episode.person == PersonAnswer::Accepted && told_here && !told_otherwise {
            self.episode.person = PersonAnswer::Unasked;
        }
    }

    /// The offer came to nothing: the next best service, unless the need has moved on without it.
    pub(super) fn back_to_matching(&mut self, id: OfferId) {
        if let Some(index) = self.need_of(id)
            && self.episode.needs[index].state == NeedState::Offered(id)
        {
            self.place(index, NeedState::Received);
            self.effects.push(Effect::Match);
        }
    }
}
