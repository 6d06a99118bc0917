//! What the practice does: it changes its request, or takes it back.
//!
//! Every version of a request is read for safety matters again, wherever its needs stand; and whatever newly forbids
//! sending takes back the offers that nobody has answered. After a withdrawal one notice goes to each partner that was
//! told of an open offer, and nothing else.

use jiff::Timestamp;

use super::{Draft, Refusal, is_unreadable, whose_record_is_unknown};
use crate::referral::episode::{
    Actor, AttentionKind, Cause, Facts, FilingStatus, Hold, NeedState, OfferStatus, SupportedBy,
};
use crate::referral::event::{Alert, Effect};
use crate::referral::ids::{FilingId, OfferId};

impl Draft {
    pub(super) fn updated(&mut self, facts: Facts) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        let before = std::mem::replace(&mut self.episode.facts, facts);
        self.episode.inputs += 1;
        if !self.episode.is_open() {
            return Ok(());
        }
        if facts.urgent && !before.urgent {
            self.alert(Alert::Safety);
        }
        if newly_forbidden(before, facts) {
            self.take_back(|_| true);
            self.tell_who_supports();
        }
        let unreadable = facts.hold.filter(|&why| is_unreadable(why));
        for index in 0..self.episode.needs.len() {
            if waits_for_the_matcher(&self.episode.needs[index].state) {
                self.place(index, unreadable.map_or(NeedState::Received, NeedState::Held));
            }
        }
        if unreadable.is_none() {
            self.effects.push(Effect::Match);
        }
        Ok(())
    }

    /// What was over is sent again: it stays over, and a person looks at once, since nobody else reads what it says.
    pub(super) fn sent_again(&mut self, facts: Facts) -> Result<(), Refusal> {
        if self.episode.is_open() {
            return Err(Refusal::Illegal);
        }
        self.episode.facts = facts;
        self.episode.inputs += 1;
        self.attend(AttentionKind::SentAgain, None, None);
        self.alert(Alert::SentAgain);
        Ok(())
    }

    /// Whoever has taken the person on may be ringing a number that must not be rung any more. Nobody is told twice of
    /// one change (a rule that forbids contact is told by [`Draft::updated`]).
    pub(super) fn contact_changed(&mut self) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        let before = self.episode.attention.len();
        let alerts = self.effects.len();
        self.tell_who_supports();
        if self.episode.attention.len() == before {
            self.effects.truncate(alerts);
            return Err(Refusal::AlreadyDone);
        }
        Ok(())
    }

    /// Somebody has taken one person on, and the request names another now, or the same one by other details. Only a
    /// person can tell which; until then nobody new is asked (an offer whose mail has not left is taken back) and nobody
    /// is shown who it is.
    pub(super) fn person_changed(&mut self) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        let owed = self.episode.filings.iter().any(|f| !f.status.is_settled());
        if !self.episode.was_taken_on() || !(self.episode.is_open() || owed) {
            return Err(Refusal::AlreadyDone);
        }
        // What a coordinator saw of an earlier change is not what stands there now.
        self.episode.attention.retain(|a| a.kind != AttentionKind::AnotherPerson);
        self.attend(AttentionKind::AnotherPerson, None, None);
        self.alert(Alert::Safety);
        self.take_back(|offer| !offer.mailed);
        if self.episode.needs.iter().any(|n| n.state == NeedState::Received) {
            self.effects.push(Effect::Match);
        }
        Ok(())
    }

    /// What waited for the word of a coordinator goes on: what was refused is written now. Where the practice put the old
    /// details back, a person still says what is written again.
    pub(super) fn same_person(&mut self, by: &Actor, since: Option<Timestamp>) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        if !matches!(by, Actor::Coordinator(_) | Actor::Practice) {
            return Err(Refusal::Illegal);
        }
        let matter = self.episode.person_in_question().ok_or(Refusal::AlreadyDone)?;
        if since.is_some_and(|at| at != matter.since) {
            return Err(Refusal::Illegal);
        }
        // Nobody can say so of a patient whom the practice's system does not show.
        if self.episode.facts.hold.is_some_and(whose_record_is_unknown) {
            return Err(Refusal::Forbidden);
        }
        self.episode.attention.retain(|a| a.kind != AttentionKind::AnotherPerson);
        if matches!(by, Actor::Coordinator(_)) {
            let refused = self.episode.filings.iter().filter(|f| f.status == FilingStatus::Refused);
            for id in refused.map(|f| f.id).collect::<Vec<FilingId>>() {
                self.filing_moves(id, FilingStatus::Queued)?;
            }
        }
        Ok(())
    }

    pub(super) fn withdrawn(&mut self) -> Result<(), Refusal> {
        if !self.episode.is_open() {
            return Err(Refusal::AlreadyDone);
        }
        let open: Vec<OfferId> = self.episode.offers.iter().filter(|o| !o.status.is_final()).map(|o| o.id).collect();
        for id in open {
            self.cancel(id, Cause::Withdrawn);
        }
        for index in 0..self.episode.needs.len() {
            if !self.episode.needs[index].state.is_final() {
                self.place(index, NeedState::Withdrawn);
            }
        }
        Ok(())
    }

    /// Takes back offers that nobody has answered, of those `which` says; what waited for them waits for the matcher.
    pub(super) fn take_back(&mut self, which: impl Fn(&crate::referral::episode::Offer) -> bool) {
        let asked = self.episode.offers.iter().filter(|o| o.status == OfferStatus::Requested && which(o));
        for id in asked.map(|o| o.id).collect::<Vec<OfferId>>() {
            self.cancel(id, Cause::Superseded);
            if let Some(index) = self.need_of(id) {
                self.place(index, NeedState::Received);
            }
        }
    }

    /// Whoever has taken the person on must hear of what changed from a person: each such offer becomes a matter.
    fn tell_who_supports(&mut self) {
        let taken = |status: OfferStatus| !status.is_final() && status != OfferStatus::Requested;
        let mut about: Vec<Option<OfferId>> =
            self.episode.offers.iter().filter(|o| taken(o.status)).map(|o| Some(o.id)).collect();
        if self.episode.needs.iter().any(|n| n.state == NeedState::Supported(SupportedBy::Coordinator)) {
            about.push(None);
        }
        for offer in about {
            self.attend(AttentionKind::ChangedAfterAcceptance, offer, None);
            self.alert(Alert::ChangedAfterAcceptance);
        }
    }
}

/// Something forbids sending now that did not before. A hold that a coordinator already knew of when she asked a
/// partner does not undo what she did, however often the practice saves its request.
fn newly_forbidden(before: Facts, now: Facts) -> bool {
    now.forbids_machine().is_some()
        && (now.forbids_machine() != before.forbids_machine() || (now.contact_prohibited && !before.contact_prohibited))
}

/// Needs that a changed request is matched for again. What the person, a partner or a coordinator has decided stays a
/// coordinator's: a new version of the request does not make a machine ask once more.
const fn waits_for_the_matcher(state: &NeedState) -> bool {
    match state {
        NeedState::Received | NeedState::Proposed(_) => true,
        NeedState::Held(why) => {
            !matches!(why, Hold::Coordinator | Hold::PersonDeclined | Hold::Unreachable | Hold::PartnerFailed)
        }
        _ => false,
    }
}
