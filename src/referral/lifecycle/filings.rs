//! What is owed to the record: queued once for each moment of a need, and where each stands on its way.

use super::{Draft, Refusal, whose_record_is_unknown, words_required};
use crate::referral::episode::{Actor, AttentionKind, Filing, FilingStatus, Hold, Moment, UNREAD};
use crate::referral::event::{Alert, Effect};
use crate::referral::ids::{FilingId, NeedCode, NoteId, OfferId};

impl Draft {
    pub(super) fn filing_moves(&mut self, id: FilingId, to: FilingStatus) -> Result<(), Refusal> {
        use FilingStatus::{Acknowledged, Filed, Handed, Queued, Refused, SetAside};
        let withdrawn = self.is_withdrawn();
        let filing = self.episode.filings.iter_mut().find(|f| f.id == id).ok_or(Refusal::Unknown)?;
        let moment = filing.moment;
        match (filing.status, to) {
            (from, to) if from == to => return Err(Refusal::AlreadyDone),
            // After a withdrawal nothing more is sent; what had left may still be answered.
            (Refused | SetAside, Queued) if withdrawn => return Err(Refusal::Withdrawn),
            // A no to what nobody asks for any more.
            (SetAside, Refused) => return Err(Refusal::AlreadyDone),
            (Queued, Filed | Handed | Refused)
            | (Handed, Acknowledged | Filed | Refused)
            | (Acknowledged, Filed | Refused)
            | (Refused, Queued | SetAside)
            // It may have left just before it was set aside.
            | (SetAside, Queued | Filed | Handed) => filing.status = to,
            _ => return Err(Refusal::Illegal),
        }
        match to {
            Refused => {
                self.attend(AttentionKind::FilingRefused, None, None);
                if !withdrawn {
                    self.alert(Alert::FilingRefused);
                }
            }
            Queued => {
                self.refusals_were_seen_to();
                self.effects.push(Effect::File(id, moment));
            }
            SetAside => self.refusals_were_seen_to(),
            Filed | Handed | Acknowledged => {}
        }
        Ok(())
    }

    /// A coordinator decides that the record can do without what it refused.
    pub(super) fn filing_set_aside(&mut self, id: FilingId, by: &Actor, note: Option<NoteId>) -> Result<(), Refusal> {
        if !matches!(by, Actor::Coordinator(_)) {
            return Err(Refusal::Illegal);
        }
        words_required(note)?;
        self.filing_moves(id, FilingStatus::SetAside)
    }

    /// The matter stays while another filing of this referral is still refused.
    fn refusals_were_seen_to(&mut self) {
        if !self.episode.filings.iter().any(|f| f.status == FilingStatus::Refused) {
            self.episode.attention.retain(|a| a.kind != AttentionKind::FilingRefused);
        }
    }

    /// What was to be told of an offer that should never have been made is not told; what the record has stays there.
    pub(super) fn tell_nothing_of(&mut self, offer: OfferId) {
        let owed = |f: &&mut Filing| {
            f.offer == Some(offer) && matches!(f.status, FilingStatus::Queued | FilingStatus::Refused)
        };
        for filing in self.episode.filings.iter_mut().filter(owed) {
            filing.status = FilingStatus::SetAside;
        }
        self.refusals_were_seen_to();
    }

    /// Queues a moment for the record, once. One event causes at most one filing, so its id is given with the event.
    /// Where it is not certain whose record it would be, it waits as refused: a person puts the request right first and
    /// queues it again. Only a request that never could be read, for which nobody was ever asked, has no record at all.
    pub(super) fn file(&mut self, moment: Moment, need: NeedCode, offer: Option<OfferId>) {
        let told = self.episode.filings.iter().any(|f| f.moment == moment && f.need == need && f.offer == offer);
        if told || self.was_never_a_referral() {
            return;
        }
        let uncertain = self.episode.facts.hold.is_some_and(whose_record_is_unknown);
        let status = if uncertain { FilingStatus::Refused } else { FilingStatus::Queued };
        self.episode.filings.push(Filing { id: self.filing, moment, need, offer, status });
        if uncertain {
            self.attend(AttentionKind::FilingRefused, None, None);
            self.alert(Alert::FilingRefused);
        } else {
            self.effects.push(Effect::File(self.filing, moment));
        }
    }

    /// Another shape than a referral, or one without a patient, and nothing was ever done about it.
    fn was_never_a_referral(&self) -> bool {
        let shapeless = matches!(self.episode.facts.hold, Some(Hold::UnreadableRequest | Hold::NoSubject));
        shapeless && self.episode.offers.is_empty() && self.episode.needs.iter().all(|n| n.code.as_str() == UNREAD)
    }
}
