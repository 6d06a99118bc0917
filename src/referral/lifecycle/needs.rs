//! What moves needs beside offers: the matcher's reading, and a coordinator's decision.
//!
//! A need is always in exactly one place. One that the matcher no longer reads was a misreading and goes, unless
//! somebody was asked or a person decided something about it: then it waits for a person.

use super::{Draft, Refusal, forbids_everybody, is_unreadable, words_required};
use crate::referral::episode::{
    Actor, Attention, AttentionKind, Cause, Closed, Hold, Moment, Need, NeedState, OfferStatus, PersonAnswer,
    SupportedBy, UNREAD,
};
use crate::referral::event::{Alert, Decision, Effect, Place, Placed};
use crate::referral::ids::{NeedCode, NoteId, OfferId};

impl Draft {
    // ---- the matcher --------------------------------------------------------------------------------------------

    pub(super) fn matched(&mut self, placed: &[Placed], safety: bool) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        if placed.is_empty() {
            return Err(Refusal::Illegal);
        }
        // The same words read again (the last service said no) are no new finding.
        let newly_unsafe = safety && self.episode.safety_told < self.episode.inputs;
        let waiting = self.episode.needs.iter().any(|n| n.state == NeedState::Received);
        let further = placed.iter().any(|p| p.need.as_str() != UNREAD && self.episode.need(&p.need).is_none());
        if !self.episode.is_open() || !(waiting || further || newly_unsafe) {
            return Err(Refusal::AlreadyDone);
        }
        self.episode.safety |= safety;
        for Placed { need, place } in placed {
            let state = self.state_for(place);
            match self.episode.needs.iter().position(|n| n.code == *need) {
                Some(index) if self.episode.needs[index].state == NeedState::Received => self.place(index, state),
                // "Nothing could be read" says nothing where other needs are known.
                None if need.as_str() != UNREAD => self.add(need, state),
                _ => {}
            }
        }
        self.drop_misreadings();
        if self.episode.needs.is_empty() {
            self.add(&placed[0].need, self.state_for(&placed[0].place));
        }
        if newly_unsafe {
            self.safety_was_read();
        }
        Ok(())
    }

    fn add(&mut self, code: &NeedCode, state: NeedState) {
        self.episode.needs.push(Need { code: code.clone(), state, since: self.now, by_person: false });
    }

    /// Where the matcher's word puts a need. What intake found stands, and is shown where it is more pressing.
    fn state_for(&self, place: &Place) -> NeedState {
        let intake = self.episode.facts.forbids_machine();
        match place {
            Place::Propose(_) if self.episode.safety => NeedState::Held(Hold::Safety),
            Place::Propose(service) => intake.map_or_else(|| NeedState::Proposed(service.clone()), NeedState::Held),
            Place::Hold(why) => NeedState::Held(intake.map_or(*why, |hold| hold.min(*why))),
        }
    }

    /// What is still `received` now was not read this time.
    fn drop_misreadings(&mut self) {
        let asked: Vec<NeedCode> = self.episode.offers.iter().map(|o| o.need.clone()).collect();
        let only = self.episode.needs.len() == 1;
        self.episode.needs.retain(|need| {
            let decided = need.by_person && (need.code.as_str() != UNREAD || only);
            need.state != NeedState::Received || decided || asked.contains(&need.code)
        });
        for index in 0..self.episode.needs.len() {
            if self.episode.needs[index].state == NeedState::Received {
                let state = self.state_for(&Place::Hold(Hold::NeedUnclear));
                self.place(index, state);
            }
        }
    }

    /// A safety matter in a version of the request that nobody was told of yet: what the machine asked and nobody has
    /// answered is taken back, and a person is told at once, wherever the referral stands.
    fn safety_was_read(&mut self) {
        self.episode.safety_told = self.episode.inputs;
        self.take_back(|offer| offer.by == Actor::Machine);
        for index in 0..self.episode.needs.len() {
            if matches!(self.episode.needs[index].state, NeedState::Received | NeedState::Proposed(_)) {
                self.place(index, NeedState::Held(Hold::Safety));
            }
        }
        if !self.episode.needs.iter().any(|n| n.state == NeedState::Held(Hold::Safety)) {
            self.attend(AttentionKind::Risk, None, None);
        }
        self.alert(Alert::Safety);
    }

    // ---- the coordinator ----------------------------------------------------------------------------------------

    pub(super) fn decided(
        &mut self,
        need: &NeedCode,
        decision: Decision,
        by: &Actor,
        note: Option<NoteId>,
    ) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        let index = self.episode.needs.iter().position(|n| n.code == *need).ok_or(Refusal::Unknown)?;
        if self.episode.needs[index].state.is_final() {
            return Err(Refusal::AlreadyDone);
        }
        match decision {
            // Nothing is closed by machine, by a practice's system or by a partner's page.
            Decision::Close(_) | Decision::SupportHerself if !matches!(by, Actor::Coordinator(_)) => {
                Err(Refusal::Illegal)
            }
            Decision::Close(how) => {
                words_required(note)?;
                self.close(index, how);
                Ok(())
            }
            Decision::PutBack | Decision::KeepBack | Decision::SupportHerself => self.set_aside(index, decision, by),
        }
    }

    fn close(&mut self, index: usize, how: Closed) {
        let whole = how == Closed::DeclinedSocialPrescribing;
        if whole {
            self.episode.person = PersonAnswer::Declined;
        }
        let code = self.episode.needs[index].code.clone();
        let told_of = self.episode.open_offer(&code).filter(|o| o.status != OfferStatus::Requested).map(|o| o.id);
        for i in 0..self.episode.needs.len() {
            if (i == index || whole) && !self.episode.needs[i].state.is_final() {
                if let Some(open) = self.episode.open_offer(&self.episode.needs[i].code).map(|o| o.id) {
                    self.cancel(open, Cause::Superseded);
                }
                self.place(i, NeedState::Closed(how));
            }
        }
        self.file(Moment::Closed(how), code, told_of);
    }

    fn set_aside(&mut self, index: usize, decision: Decision, by: &Actor) -> Result<(), Refusal> {
        let Need { code, state, .. } = self.episode.needs[index].clone();
        let open: Option<(OfferId, OfferStatus)> = self.episode.open_offer(&code).map(|o| (o.id, o.status));
        // What a partner has already taken is ended by the partner or by closing, not quietly from here.
        if open.is_some_and(|(_, status)| status != OfferStatus::Requested) {
            return Err(Refusal::Illegal);
        }
        let to = match decision {
            Decision::PutBack if state == NeedState::Received => return Err(Refusal::AlreadyDone),
            Decision::PutBack if self.episode.facts.hold.is_some_and(is_unreadable) => return Err(Refusal::Forbidden),
            Decision::PutBack => NeedState::Received,
            Decision::SupportHerself if self.episode.facts.hold.is_some_and(forbids_everybody) => {
                return Err(Refusal::Forbidden);
            }
            Decision::SupportHerself => NeedState::Supported(SupportedBy::Coordinator),
            Decision::KeepBack | Decision::Close(_) => NeedState::Held(Hold::Coordinator),
        };
        if to == state {
            return Err(Refusal::AlreadyDone);
        }
        // Nobody takes up support against consent or after a death, and no code of theirs says so.
        if decision == Decision::SupportHerself && self.episode.facts.hold.is_some_and(forbids_everybody) {
            return Err(Refusal::Forbidden);
        }
        if let Some((offer, _)) = open {
            self.cancel(offer, Cause::Superseded);
        }
        self.place(index, to);
        // The machine puts back what it asked itself, when the request says something else by now.
        self.episode.needs[index].by_person |= matches!(by, Actor::Coordinator(_));
        match decision {
            Decision::SupportHerself => {
                self.episode.person = PersonAnswer::Accepted;
                self.file(Moment::Started, code, None);
            }
            Decision::PutBack => self.effects.push(Effect::Match),
            Decision::KeepBack | Decision::Close(_) => {}
        }
        Ok(())
    }

    pub(super) fn settled(&mut self, by: &Actor, which: impl Fn(&Attention) -> bool) -> Result<(), Refusal> {
        if !matches!(by, Actor::Coordinator(_)) {
            return Err(Refusal::Illegal);
        }
        let at = self.episode.attention.iter().position(which).ok_or(Refusal::AlreadyDone)?;
        // Whose the referral is cannot be waved through: she says that it is the same person, or ends it.
        if self.episode.attention[at].kind == AttentionKind::AnotherPerson && self.episode.is_open() {
            return Err(Refusal::Illegal);
        }
        self.episode.attention.remove(at);
        Ok(())
    }
}
