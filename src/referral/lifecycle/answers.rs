//! What a partner says: yes, no, a question, how it goes, how it ended, and that it is worried.
//!
//! The partner's yes is not the person's: support begins when the partner says that the person took it up. A risk
//! always reaches the coordinator and the duty address, whatever else is wrong with the answer or old about the offer.

use super::{Draft, Refusal, words_required};
use crate::referral::episode::{
    AttentionKind, Cause, Closed, Hold, Moment, NeedState, OfferStatus, PersonAnswer, Reason, SupportedBy,
};
use crate::referral::event::{Alert, Effect, OfferMail, PartnerSaid};
use crate::referral::ids::{NoteId, OfferId};

impl Draft {
    pub(super) fn partner(
        &mut self,
        id: OfferId,
        said: PartnerSaid,
        note: Option<NoteId>,
        risk: bool,
    ) -> Result<(), Refusal> {
        // Who answers has the mail, whether or not we got round to writing down that it left.
        self.mailed(id, OfferMail::Offer)?;
        let status = self.offer_mut(id)?.status;
        if risk {
            self.episode.safety = true;
            self.attend(AttentionKind::Risk, Some(id), note);
            self.alert(Alert::RiskReported);
            // A worry told on its own is no question besides; a question asked with it is an event of its own.
            if said == PartnerSaid::Asked {
                return Ok(());
            }
        }
        match self.partner_moves(id, status, said, note) {
            Err(_) if risk => Ok(()),
            other => other,
        }
    }

    /// Refuses before it changes anything.
    fn partner_moves(
        &mut self,
        id: OfferId,
        status: OfferStatus,
        said: PartnerSaid,
        note: Option<NoteId>,
    ) -> Result<(), Refusal> {
        match said {
            PartnerSaid::Accepted => self.accepted(id, status),
            PartnerSaid::Rejected(reason) => {
                words_required(note)?;
                self.move_offer(id, OfferStatus::Rejected(reason))?;
                self.back_to_matching(id);
                Ok(())
            }
            PartnerSaid::Asked => self.asked(id, note),
            PartnerSaid::Booked | PartnerSaid::DidNotAttend => self.first_date(id, said),
            PartnerSaid::Started => {
                self.move_offer(id, OfferStatus::InProgress)?;
                self.support_begins(id)
            }
            PartnerSaid::OnHold => {
                words_required(note)?;
                self.move_offer(id, OfferStatus::OnHold)
            }
            PartnerSaid::Finished => self.finished(id),
            PartnerSaid::Failed(reason) => self.failed(id, reason, note),
        }
    }

    fn accepted(&mut self, id: OfferId, status: OfferStatus) -> Result<(), Refusal> {
        match status {
            OfferStatus::Cancelled(Cause::Unanswered | Cause::Superseded | Cause::Undeliverable)
            | OfferStatus::Rejected(_) => {
                let offer = self.offer_mut(id)?;
                if offer.late_yes {
                    return Err(Refusal::AlreadyDone);
                }
                offer.late_yes = true;
                self.attend(AttentionKind::LateYes, Some(id), None);
                // After a withdrawal nothing is sent but the cancellation notices.
                if !self.is_withdrawn() {
                    self.effects.push(Effect::Mail(id, OfferMail::PassedOn));
                }
                Ok(())
            }
            _ => self.move_offer(id, OfferStatus::Accepted),
        }
    }

    fn asked(&mut self, id: OfferId, note: Option<NoteId>) -> Result<(), Refusal> {
        words_required(note)?;
        self.attend(AttentionKind::Question, Some(id), note);
        // After a withdrawal a question waits in the worklist and sends no mail.
        if !self.is_withdrawn() {
            self.alert(Alert::Question);
        }
        Ok(())
    }

    fn first_date(&mut self, id: OfferId, said: PartnerSaid) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        match offer.status {
            OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold => {
                offer.booked = said == PartnerSaid::Booked;
                offer.missed = said == PartnerSaid::DidNotAttend;
                Ok(())
            }
            OfferStatus::Cancelled(Cause::Withdrawn) => Err(Refusal::Withdrawn),
            _ => Err(Refusal::Illegal),
        }
    }

    /// The person took up support: the need is supported, and the first clinical moment is filed once an offer.
    fn support_begins(&mut self, id: OfferId) -> Result<(), Refusal> {
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        self.episode.person = PersonAnswer::Accepted;
        self.place(index, NeedState::Supported(SupportedBy::Offer(id)));
        let need = self.episode.needs[index].code.clone();
        self.file(Moment::Started, need, Some(id));
        Ok(())
    }

    /// A one-off may finish without a separate "started": then one filing tells both.
    fn finished(&mut self, id: OfferId) -> Result<(), Refusal> {
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        self.move_offer(id, OfferStatus::Completed)?;
        self.episode.person = PersonAnswer::Accepted;
        self.place(index, NeedState::Closed(Closed::Finished));
        let need = self.episode.needs[index].code.clone();
        self.file(Moment::Closed(Closed::Finished), need, Some(id));
        Ok(())
    }

    fn failed(&mut self, id: OfferId, reason: Reason, note: Option<NoteId>) -> Result<(), Refusal> {
        words_required(note)?;
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        self.move_offer(id, OfferStatus::Failed(reason))?;
        let why = match reason {
            Reason::PatientChoice => Hold::PersonDeclined,
            Reason::Unreachable => Hold::Unreachable,
            _ => Hold::PartnerFailed,
        };
        self.place(index, NeedState::Held(why));
        Ok(())
    }
}
