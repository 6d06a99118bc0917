//! What is owed to the record: queued once for each moment of a need, and where each stands on its way.

use super::{Draft, Refusal, whose_record_is_unknown};
use crate::referral::episode::{AttentionKind, Filing, FilingStatus, Hold, Moment, UNREAD};
use crate::referral::event::{Alert, Effect};
use crate::referral::ids::{FilingId, NeedCode, OfferId};

impl Draft {
    pub(super) fn filing_moves(&mut self, id: FilingId, to: FilingStatus) -> Result<(), Refusal> {
        use FilingStatus::{Acknowledged, Filed, Handed, Queued, Refused};
        let withdrawn = self.is_withdrawn();
        let filing = self.episode.filings.iter_mut().find(|f| f.id == id).ok_or(Refusal::Unknown)?;
        let moment = filing.moment;
        match (filing.status, to) {
            (from, to) if from == to => return Err(Refusal::AlreadyDone),
            // After a withdrawal nothing more is sent; what had left may still be answered.
            (Refused, Queued) if withdrawn => return Err(Refusal::Withdrawn),
            (Queued, Filed | Handed | Refused)
            | (Handed, Acknowledged | Filed | Refused)
            | (Acknowledged, Filed | Refused)
            | (Refused, Queued) => filing.status = to,
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
                // The matter stays while another filing of this referral is still refused.
                if !self.episode.filings.iter().any(|f| f.status == Refused) {
                    self.episode.attention.retain(|a| a.kind != AttentionKind::FilingRefused);
                }
                self.effects.push(Effect::File(id, moment));
            }
            Filed | Handed | Acknowledged => {}
        }
        Ok(())
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
