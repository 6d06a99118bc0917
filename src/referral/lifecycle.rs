//! The one function that moves a referral: `(Episode, Event, now) → (Episode, effects)`, or a typed refusal.
//!
//! Pure: no clock, no I/O, no database, no configuration. Whatever a programme's rules decided is already in the
//! event, so that replaying the ledger gives the same episode on any machine. Everything that runs twice (a page that
//! is posted twice, a job that is run twice) meets [`Refusal::AlreadyDone`] and changes nothing.

use jiff::Timestamp;

use super::episode::{
    Actor, Attention, AttentionKind, Cause, Closed, Episode, Facts, Filing, FilingStatus, Hold, Moment, Need,
    NeedState, Offer, OfferStatus, PersonAnswer, Reason, SupportedBy, UNREAD,
};
use super::event::{Alert, Decision, Effect, Event, OfferMail, PartnerSaid, Place, Placed};
use super::ids::{FilingId, NeedCode, NoteId, OfferId, PracticeId, ProgrammeId, ReferralId};

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was already so: nothing changes, nothing is wrong.
    #[error("this was already done")]
    AlreadyDone,
    /// The referral was withdrawn.
    #[error("the referral was withdrawn")]
    Withdrawn,
    /// No such need, offer or filing in this referral.
    #[error("the referral has no such need, offer or filing")]
    Unknown,
    /// Not a legal move from where it stands.
    #[error("this cannot be done from where the referral stands now")]
    Illegal,
    /// Something forbids sending: consent, a restricted record, no contact.
    #[error("nothing may be sent for this referral: a person decides")]
    Forbidden,
    /// A reason in words is required.
    #[error("a reason in words is required")]
    WordsRequired,
}

/// What a step gives: where the referral stands now, and what has to be done.
pub type Step = Result<(Episode, Vec<Effect>), Refusal>;

/// The first event of a referral: received.
pub fn start(
    id: ReferralId,
    practice: &PracticeId,
    programme: &ProgrammeId,
    facts: Facts,
    now: Timestamp,
) -> (Episode, Vec<Effect>) {
    let mut episode = Episode {
        id,
        practice: practice.clone(),
        programme: programme.clone(),
        facts,
        needs: vec![Need { code: NeedCode::from(UNREAD), state: NeedState::Received, since: now }],
        offers: Vec::new(),
        filings: Vec::new(),
        attention: Vec::new(),
        person: PersonAnswer::Unasked,
        inputs: 1,
    };
    let mut effects = vec![Effect::KeepTask];
    match facts.hold {
        Some(why) => {
            episode.needs[0].state = NeedState::Held(why);
            // Held referrals are matched as well where they can be read: the coordinator sees candidates.
            if !is_unreadable(why) {
                episode.needs[0].state = NeedState::Received;
                effects.push(Effect::Match);
            }
        }
        None => effects.push(Effect::Match),
    }
    (episode, effects)
}

/// Takes one event. `filing` is the id a filing that this event causes shall have; unused where it causes none.
pub fn step(episode: &Episode, event: &Event, filing: FilingId, now: Timestamp) -> Step {
    let mut next = Draft { episode: episode.clone(), effects: Vec::new(), filing, now };
    next.take(event)?;
    if coarse_key(&next.episode) != coarse_key(episode) {
        next.effects.push(Effect::KeepTask);
    }
    Ok((next.episode, next.effects))
}

/// The request, or its patient, could not be read at all: there is nothing to match.
const fn is_unreadable(why: Hold) -> bool {
    matches!(
        why,
        Hold::UnreadableRequest | Hold::NoSubject | Hold::BadNhsNumber | Hold::PatientUnreadable | Hold::NotActive
    )
}

/// What the coordination Task can tell apart; when it changes, the Task is written.
fn coarse_key(episode: &Episode) -> (super::episode::ReferralState, Vec<(OfferStatus, bool)>, usize) {
    let offers = episode.offers.iter().filter(|o| !o.status.is_final()).map(|o| (o.status, o.booked)).collect();
    let filed = episode.filings.iter().filter(|f| f.status == FilingStatus::Filed).count();
    (episode.state(), offers, filed)
}

/// A step being taken.
struct Draft {
    episode: Episode,
    effects: Vec<Effect>,
    filing: FilingId,
    now: Timestamp,
}

impl Draft {
    fn take(&mut self, event: &Event) -> Result<(), Refusal> {
        match event {
            Event::Received { .. } => Err(Refusal::AlreadyDone),
            Event::Updated { facts } => self.updated(*facts),
            Event::Withdrawn { .. } => self.withdrawn(),
            Event::Matched { needs, safety } => self.matched(needs, *safety),
            Event::Offered { .. } => self.offered(event),
            Event::Mailed { offer, mail, .. } => self.mailed(*offer, *mail),
            Event::Undeliverable { offer, mail } => self.undeliverable(*offer, *mail),
            Event::Reminded { offer } => self.reminded(*offer),
            Event::Lapsed { offer } => self.lapsed(*offer),
            Event::Partner { offer, said, note, risk } => self.partner(*offer, *said, *note, *risk),
            Event::IdentityViewed { offer } => self.identity_viewed(*offer),
            Event::Decided { need, decision, note, .. } => self.decided(need, *decision, *note),
            Event::AttentionSettled { kind, offer, .. } => self.settled(*kind, *offer),
            Event::Filed { filing } => self.filing_moves(*filing, FilingStatus::Filed),
            Event::Handed { filing } => self.filing_moves(*filing, FilingStatus::Handed),
            Event::Acknowledged { filing } => self.filing_moves(*filing, FilingStatus::Acknowledged),
            Event::FilingRefused { filing } => self.filing_moves(*filing, FilingStatus::Refused),
            Event::FilingRequeued { filing, .. } => self.filing_moves(*filing, FilingStatus::Queued),
        }
    }

    // ---- the practice -------------------------------------------------------------------------------------------

    fn updated(&mut self, facts: Facts) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        self.episode.inputs += 1;
        self.episode.facts = facts;
        if facts.hold.is_some() {
            self.take_back_unanswered_offers();
        }
        let taken =
            self.episode.offers.iter().find(|o| !matches!(o.status, OfferStatus::Requested) && !o.status.is_final());
        if let (Some(offer), Some(_)) = (taken.map(|o| o.id), facts.hold) {
            self.attend(AttentionKind::ChangedAfterAcceptance, Some(offer), None);
            self.effects.push(Effect::Alert(Alert::ChangedAfterAcceptance));
        }
        let unreadable = facts.hold.filter(|&why| is_unreadable(why));
        let mut match_again = false;
        for index in 0..self.episode.needs.len() {
            let waiting = matches!(
                self.episode.needs[index].state,
                NeedState::Received | NeedState::Held(_) | NeedState::Proposed(_)
            );
            let kept_back = self.episode.needs[index].state == NeedState::Held(Hold::Coordinator);
            if waiting && !kept_back {
                match_again |= unreadable.is_none();
                self.place(index, unreadable.map_or(NeedState::Received, NeedState::Held));
            }
        }
        if match_again {
            self.effects.push(Effect::Match);
        }
        Ok(())
    }

    /// Offers nobody has answered are taken back when nothing may be sent any more; what waits for them goes back.
    fn take_back_unanswered_offers(&mut self) {
        let open: Vec<OfferId> =
            self.episode.offers.iter().filter(|o| o.status == OfferStatus::Requested).map(|o| o.id).collect();
        for id in open {
            self.cancel(id, Cause::Superseded);
            if let Some(index) = self.need_of(id) {
                self.place(index, NeedState::Received);
            }
        }
    }

    fn withdrawn(&mut self) -> Result<(), Refusal> {
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

    // ---- the matcher --------------------------------------------------------------------------------------------

    fn matched(&mut self, placed: &[Placed], safety: bool) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        if !self.episode.needs.iter().any(|n| n.state == NeedState::Received) {
            return Err(Refusal::AlreadyDone);
        }
        if placed.is_empty() {
            return Err(Refusal::Illegal);
        }
        for Placed { need, place } in placed {
            let state = match place {
                Place::Propose(service) if self.may_send() => NeedState::Proposed(service.clone()),
                Place::Propose(_) => NeedState::Held(self.episode.facts.hold.unwrap_or(Hold::ContactProhibited)),
                Place::Hold(why) => NeedState::Held(*why),
            };
            match self.episode.needs.iter().position(|n| n.code == *need) {
                Some(index) if self.episode.needs[index].state == NeedState::Received => self.place(index, state),
                Some(_) => {}
                None => self.episode.needs.push(Need { code: need.clone(), state, since: self.now }),
            }
        }
        // A need that is no longer read and was never offered was a misreading; one that was offered stays a person's.
        let offered: Vec<NeedCode> = self.episode.offers.iter().map(|o| o.need.clone()).collect();
        self.episode.needs.retain(|n| n.state != NeedState::Received || offered.contains(&n.code));
        for index in 0..self.episode.needs.len() {
            if self.episode.needs[index].state == NeedState::Received {
                self.place(index, NeedState::Held(Hold::NeedUnclear));
            }
        }
        if safety {
            self.effects.push(Effect::Alert(Alert::Safety));
        }
        Ok(())
    }

    // ---- offers -------------------------------------------------------------------------------------------------

    fn offered(&mut self, event: &Event) -> Result<(), Refusal> {
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
        let from_machine = *by == Actor::Machine;
        match &self.episode.needs[index].state {
            NeedState::Proposed(proposed) if !from_machine || proposed == service => {}
            NeedState::Held(_) if !from_machine => {}
            _ => return Err(Refusal::Illegal),
        }
        // Consent, restriction and death bind the coordinator too; a contact rule she may have arranged round binds
        // the machine only.
        let forbidden = self.episode.facts.hold.is_some_and(|why| forbids_everybody(why) || from_machine);
        if forbidden || (from_machine && self.episode.facts.contact_prohibited) {
            return Err(Refusal::Forbidden);
        }
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
            identity_seen: false,
            late_yes: false,
        });
        self.place(index, NeedState::Offered(*offer));
        self.effects.push(Effect::Mail(*offer, OfferMail::Offer));
        self.effects.push(Effect::RemindAt(*offer, *remind_at));
        self.effects.push(Effect::LapseAt(*offer, *reply_by));
        Ok(())
    }

    fn mailed(&mut self, id: OfferId, mail: OfferMail) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if mail == OfferMail::Offer && !offer.mailed {
            offer.mailed = true;
            // It left while a withdrawal was being written: the partner is owed the one notice.
            if let OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) = offer.status {
                self.effects.push(Effect::Mail(id, OfferMail::Cancellation));
            }
        }
        Ok(())
    }

    fn undeliverable(&mut self, id: OfferId, mail: OfferMail) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        match (mail, offer.status) {
            (OfferMail::Offer | OfferMail::Reminder, OfferStatus::Requested) => {
                offer.status = OfferStatus::Cancelled(Cause::Undeliverable);
                self.back_to_matching(id);
                Ok(())
            }
            (OfferMail::Cancellation, _) if offer.identity_seen => {
                self.attend(AttentionKind::CancellationUndelivered, Some(id), None);
                self.effects.push(Effect::Alert(Alert::CancellationUndelivered));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn reminded(&mut self, id: OfferId) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if offer.status != OfferStatus::Requested || offer.reminded {
            return Err(Refusal::AlreadyDone);
        }
        offer.reminded = true;
        self.effects.push(Effect::Mail(id, OfferMail::Reminder));
        Ok(())
    }

    fn lapsed(&mut self, id: OfferId) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if offer.status != OfferStatus::Requested {
            return Err(Refusal::AlreadyDone);
        }
        offer.status = OfferStatus::Cancelled(Cause::Unanswered);
        self.back_to_matching(id);
        Ok(())
    }

    fn identity_viewed(&mut self, id: OfferId) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        match offer.status {
            OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold => {
                offer.identity_seen = true;
                Ok(())
            }
            _ => Err(Refusal::Illegal),
        }
    }

    // ---- the partner --------------------------------------------------------------------------------------------

    fn partner(&mut self, id: OfferId, said: PartnerSaid, note: Option<NoteId>, risk: bool) -> Result<(), Refusal> {
        let status = self.offer_mut(id)?.status;
        // A risk reported by anybody always reaches the coordinator, whatever else is wrong with the answer.
        if risk {
            self.attend(AttentionKind::Risk, Some(id), note);
            self.effects.push(Effect::Alert(Alert::Safety));
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
                self.words_required(note)?;
                self.move_offer(id, OfferStatus::Rejected(reason))?;
                self.back_to_matching(id);
                Ok(())
            }
            PartnerSaid::Asked => {
                self.words_required(note)?;
                self.attend(AttentionKind::Question, Some(id), note);
                self.effects.push(Effect::Alert(Alert::Question));
                Ok(())
            }
            PartnerSaid::Booked | PartnerSaid::DidNotAttend => {
                if !matches!(status, OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold) {
                    return Err(Refusal::Illegal);
                }
                self.offer_mut(id)?.booked = said == PartnerSaid::Booked;
                Ok(())
            }
            PartnerSaid::Started => self.started(id),
            PartnerSaid::OnHold => {
                self.words_required(note)?;
                self.move_offer(id, OfferStatus::OnHold)
            }
            PartnerSaid::Finished => self.finished(id, status),
            PartnerSaid::Failed(reason) => self.failed(id, reason, note),
        }
    }

    fn accepted(&mut self, id: OfferId, status: OfferStatus) -> Result<(), Refusal> {
        match status {
            OfferStatus::Cancelled(Cause::Unanswered | Cause::Superseded | Cause::Undeliverable) => {
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
            OfferStatus::Cancelled(Cause::Withdrawn) => Err(Refusal::Withdrawn),
            _ => self.move_offer(id, OfferStatus::Accepted),
        }
    }

    fn started(&mut self, id: OfferId) -> Result<(), Refusal> {
        self.move_offer(id, OfferStatus::InProgress)?;
        self.support_begins(id)
    }

    /// The person took up support: the need is supported, and the first clinical moment is filed once an offer.
    fn support_begins(&mut self, id: OfferId) -> Result<(), Refusal> {
        self.episode.person = PersonAnswer::Accepted;
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        if !matches!(self.episode.needs[index].state, NeedState::Supported(_)) {
            self.place(index, NeedState::Supported(SupportedBy::Offer(id)));
        }
        let told = self.episode.filings.iter().any(|f| f.moment == Moment::Started && f.offer == Some(id));
        if !told {
            self.file(Moment::Started, Some(id));
        }
        Ok(())
    }

    fn finished(&mut self, id: OfferId, status: OfferStatus) -> Result<(), Refusal> {
        self.move_offer(id, OfferStatus::Completed)?;
        if status == OfferStatus::Accepted {
            // A one-off: finished without a separate "started"; one filing tells both.
            self.episode.person = PersonAnswer::Accepted;
        }
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        self.place(index, NeedState::Closed(Closed::Finished));
        self.file(Moment::Closed(Closed::Finished), Some(id));
        Ok(())
    }

    fn failed(&mut self, id: OfferId, reason: Reason, note: Option<NoteId>) -> Result<(), Refusal> {
        self.words_required(note)?;
        self.move_offer(id, OfferStatus::Failed(reason))?;
        let why = match reason {
            Reason::PatientChoice => Hold::PersonDeclined,
            Reason::Unreachable => Hold::Unreachable,
            _ => Hold::PartnerFailed,
        };
        let index = self.need_of(id).ok_or(Refusal::Unknown)?;
        self.place(index, NeedState::Held(why));
        Ok(())
    }

    // ---- the coordinator ----------------------------------------------------------------------------------------

    fn decided(&mut self, need: &NeedCode, decision: Decision, note: Option<NoteId>) -> Result<(), Refusal> {
        if self.is_withdrawn() {
            return Err(Refusal::Withdrawn);
        }
        let index = self.episode.needs.iter().position(|n| n.code == *need).ok_or(Refusal::Unknown)?;
        if self.episode.needs[index].state.is_final() {
            return Err(Refusal::AlreadyDone);
        }
        match decision {
            Decision::Close(how) => {
                self.words_required(note)?;
                self.close(index, how);
                Ok(())
            }
            Decision::PutBack | Decision::KeepBack | Decision::SupportHerself => self.set_aside(index, decision),
        }
    }

    fn close(&mut self, index: usize, how: Closed) {
        let whole = how == Closed::DeclinedSocialPrescribing;
        if whole {
            self.episode.person = PersonAnswer::Declined;
        }
        for i in 0..self.episode.needs.len() {
            if (i == index || whole) && !self.episode.needs[i].state.is_final() {
                if let Some(open) = self.episode.open_offer(&self.episode.needs[i].code).map(|o| o.id) {
                    self.cancel(open, Cause::Superseded);
                }
                self.place(i, NeedState::Closed(how));
            }
        }
        self.file(Moment::Closed(how), None);
    }

    fn set_aside(&mut self, index: usize, decision: Decision) -> Result<(), Refusal> {
        let code = self.episode.needs[index].code.clone();
        let state = self.episode.needs[index].state.clone();
        let open = self.episode.open_offer(&code).map(|o| (o.id, o.status));
        // What a partner has already taken is ended by the partner or by closing, not quietly from here.
        if open.is_some_and(|(_, status)| status != OfferStatus::Requested) {
            return Err(Refusal::Illegal);
        }
        let to = match decision {
            Decision::PutBack if state == NeedState::Received => return Err(Refusal::AlreadyDone),
            Decision::PutBack if self.episode.facts.hold.is_some_and(is_unreadable) => return Err(Refusal::Forbidden),
            Decision::PutBack => NeedState::Received,
            Decision::SupportHerself => NeedState::Supported(SupportedBy::Coordinator),
            Decision::KeepBack | Decision::Close(_) => NeedState::Held(Hold::Coordinator),
        };
        if to == state {
            return Err(Refusal::AlreadyDone);
        }
        if let Some((offer, _)) = open {
            self.cancel(offer, Cause::Superseded);
        }
        let starts = decision == Decision::SupportHerself;
        self.place(index, to);
        if starts {
            self.episode.person = PersonAnswer::Accepted;
            self.file(Moment::Started, None);
        }
        if decision == Decision::PutBack {
            self.effects.push(Effect::Match);
        }
        Ok(())
    }

    fn settled(&mut self, kind: AttentionKind, offer: Option<OfferId>) -> Result<(), Refusal> {
        let at = self.episode.attention.iter().position(|a| a.kind == kind && a.offer == offer);
        self.episode.attention.remove(at.ok_or(Refusal::AlreadyDone)?);
        Ok(())
    }

    // ---- the record ---------------------------------------------------------------------------------------------

    fn filing_moves(&mut self, id: FilingId, to: FilingStatus) -> Result<(), Refusal> {
        use FilingStatus::{Acknowledged, Filed, Handed, Queued, Refused};
        let filing = self.episode.filings.iter_mut().find(|f| f.id == id).ok_or(Refusal::Unknown)?;
        let moment = filing.moment;
        match (filing.status, to) {
            (Queued, Filed | Handed | Refused)
            | (Handed, Acknowledged | Filed | Refused)
            | (Acknowledged, Filed | Refused)
            | (Refused, Queued) => filing.status = to,
            (from, to) if from == to => return Err(Refusal::AlreadyDone),
            _ => return Err(Refusal::Illegal),
        }
        match to {
            Refused => {
                self.attend(AttentionKind::FilingRefused, None, None);
                self.effects.push(Effect::Alert(Alert::FilingRefused));
            }
            Queued => {
                let told = self.episode.attention.iter().position(|a| a.kind == AttentionKind::FilingRefused);
                if let Some(at) = told {
                    self.episode.attention.remove(at);
                }
                self.effects.push(Effect::File(id, moment));
            }
            Filed | Handed | Acknowledged => {}
        }
        Ok(())
    }

    fn file(&mut self, moment: Moment, offer: Option<OfferId>) {
        // One event causes at most one filing, so its id can be given with the event.
        self.episode.filings.push(Filing { id: self.filing, moment, offer, status: FilingStatus::Queued });
        self.effects.push(Effect::File(self.filing, moment));
    }

    // ---- small moves --------------------------------------------------------------------------------------------

    fn is_withdrawn(&self) -> bool {
        self.episode.needs.iter().any(|n| n.state == NeedState::Withdrawn)
    }

    fn may_send(&self) -> bool {
        self.episode.facts.hold.is_none() && !self.episode.facts.contact_prohibited
    }

    fn words_required(&self, note: Option<NoteId>) -> Result<(), Refusal> {
        note.map(|_| ()).ok_or(Refusal::WordsRequired)
    }

    fn place(&mut self, index: usize, state: NeedState) {
        let need = &mut self.episode.needs[index];
        if need.state != state {
            need.state = state;
            need.since = self.now;
        }
    }

    fn need_of(&self, id: OfferId) -> Option<usize> {
        let code = &self.episode.offer(id)?.need;
        self.episode.needs.iter().position(|n| n.code == *code)
    }

    fn offer_mut(&mut self, id: OfferId) -> Result<&mut Offer, Refusal> {
        self.episode.offers.iter_mut().find(|o| o.id == id).ok_or(Refusal::Unknown)
    }

    fn move_offer(&mut self, id: OfferId, to: OfferStatus) -> Result<(), Refusal> {
        let offer = self.offer_mut(id)?;
        if offer.status == to {
            return Err(Refusal::AlreadyDone);
        }
        if let OfferStatus::Cancelled(Cause::Withdrawn) = offer.status {
            return Err(Refusal::Withdrawn);
        }
        if !offer.status.may_become(to) {
            return Err(Refusal::Illegal);
        }
        offer.status = to;
        Ok(())
    }

    /// Takes an open offer back and owes the partner one notice, where it was told of the offer at all.
    fn cancel(&mut self, id: OfferId, cause: Cause) {
        if let Some(offer) = self.episode.offers.iter_mut().find(|o| o.id == id && !o.status.is_final()) {
            offer.status = OfferStatus::Cancelled(cause);
            if offer.mailed {
                self.effects.push(Effect::Mail(id, OfferMail::Cancellation));
            }
        }
    }

    /// The offer came to nothing: the next best service, unless the need has moved on without it.
    fn back_to_matching(&mut self, id: OfferId) {
        if let Some(index) = self.need_of(id)
            && self.episode.needs[index].state == NeedState::Offered(id)
        {
            self.place(index, NeedState::Received);
            self.effects.push(Effect::Match);
        }
    }

    fn attend(&mut self, kind: AttentionKind, offer: Option<OfferId>, note: Option<NoteId>) {
        self.episode.attention.push(Attention { kind, offer, note, since: self.now });
    }
}

/// Holds that bind a coordinator as well as the machine.
pub const fn forbids_everybody(why: Hold) -> bool {
    is_unreadable(why)
        || matches!(why, Hold::ConsentDeclined | Hold::ConsentMissing | Hold::Deceased | Hold::LeftPractice)
}
