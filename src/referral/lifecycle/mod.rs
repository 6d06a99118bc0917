//! The one function that moves a referral: `(Episode, Event, now) → (Episode, effects)`, or a typed refusal.
//!
//! Pure: no clock, no I/O, no database, no configuration. Whatever a programme's rules decided is already in the
//! event, so that replaying the ledger gives the same episode on any machine. Everything that runs twice (a page that
//! is posted twice, a job that is run twice) meets [`Refusal::AlreadyDone`] and changes nothing.
//!
//! One file for each who moves it: the practice ([`practice`]), the matcher and the coordinator ([`needs`]), ourselves
//! asking partners ([`offers`]), the partner ([`answers`]), the record ([`filings`]). Small moves they share are here.

mod answers;
mod filings;
mod needs;
mod offers;
mod practice;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use super::episode::{
    Attention, AttentionKind, Cause, Episode, Facts, FilingStatus, Hold, Need, NeedState, Offer, OfferStatus,
    PersonAnswer, ReferralState, UNREAD,
};
use super::event::{Alert, Effect, Event, OfferMail};
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
    /// Something forbids sending or showing: consent, a restricted record, no contact, a safety matter.
    #[error("nothing may be sent for this referral: a person decides")]
    Forbidden,
    /// A reason in words is required.
    #[error("a reason in words is required")]
    WordsRequired,
}

/// What a step gives: where the referral stands now, and what has to be done.
pub type Step = Result<(Episode, Vec<Effect>), Refusal>;

/// The first event of a referral: received. Held referrals are matched as well where they can be read, so that the
/// coordinator sees candidates.
pub fn start(
    id: ReferralId,
    practice: &PracticeId,
    programme: &ProgrammeId,
    facts: Facts,
    now: Timestamp,
) -> (Episode, Vec<Effect>) {
    let unreadable = facts.hold.filter(|&why| is_unreadable(why));
    let state = unreadable.map_or(NeedState::Received, NeedState::Held);
    let episode = Episode {
        id,
        practice: practice.clone(),
        programme: programme.clone(),
        facts,
        needs: vec![Need { code: NeedCode::from(UNREAD), state, since: now, by_person: false }],
        offers: Vec::new(),
        filings: Vec::new(),
        attention: Vec::new(),
        person: PersonAnswer::Unasked,
        inputs: 1,
        safety: false,
        safety_told: 0,
    };
    let mut effects = vec![Effect::KeepTask];
    if unreadable.is_none() {
        effects.push(Effect::Match);
    }
    if facts.urgent {
        effects.push(Effect::Alert(Alert::Safety));
    }
    (episode, effects)
}

/// Takes one event. `filing` is the id a filing that this event causes shall have; unused where it causes none.
pub fn step(episode: &Episode, event: &Event, filing: FilingId, now: Timestamp) -> Step {
    let mut next = Draft { episode: episode.clone(), effects: Vec::new(), filing, now };
    next.take(event)?;
    if Coarse::of(&next.episode) != Coarse::of(episode) {
        next.effects.push(Effect::KeepTask);
    }
    Ok((next.episode, next.effects))
}

/// Holds that bind a coordinator as well as the machine.
pub const fn forbids_everybody(why: Hold) -> bool {
    is_unreadable(why)
        || matches!(why, Hold::ConsentDeclined | Hold::ConsentMissing | Hold::Deceased | Hold::LeftPractice)
}

/// Holds under which a partner that had accepted is no longer shown who the person is. A request that the practice only
/// paused or ticked off does not take back what the person had agreed to.
pub const fn forbids_showing(why: Hold) -> bool {
    forbids_everybody(why) && !matches!(why, Hold::NotActive)
}

/// Holds under which it is not certain in whose record anything would be written.
pub const fn whose_record_is_unknown(why: Hold) -> bool {
    matches!(why, Hold::UnreadableRequest | Hold::NoSubject | Hold::BadNhsNumber | Hold::PatientUnreadable)
}

/// The request, or its patient, could not be read at all: there is nothing to match.
const fn is_unreadable(why: Hold) -> bool {
    matches!(
        why,
        Hold::UnreadableRequest | Hold::NoSubject | Hold::BadNhsNumber | Hold::PatientUnreadable | Hold::NotActive
    )
}

/// What the coordination Task can tell apart; when it changes, the Task is written.
#[derive(PartialEq, Eq)]
struct Coarse {
    state: ReferralState,
    /// Of each open offer: where it stands, booked, missed.
    offers: Vec<(OfferStatus, bool, bool)>,
    withdrawing: bool,
    /// What the practice paused says so itself; when that is over, the Task says again where the referral stands.
    paused: bool,
    filed: usize,
}

impl Coarse {
    fn of(episode: &Episode) -> Self {
        let open = episode.offers.iter().filter(|o| !o.status.is_final());
        let state = episode.state();
        Self {
            offers: open.map(|o| (o.status, o.booked, o.missed)).collect(),
            withdrawing: state == ReferralState::Withdrawn && episode.offers.iter().any(|o| o.notice_owed),
            paused: episode.facts.hold == Some(Hold::NotActive),
            filed: episode.filings.iter().filter(|f| f.status == FilingStatus::Filed).count(),
            state,
        }
    }
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
            Event::SentAgain { facts } => self.sent_again(*facts),
            Event::ContactChanged => self.contact_changed(),
            Event::PersonChanged => self.person_changed(),
            Event::SamePerson { by, since } => self.same_person(by, *since),
            Event::Withdrawn { .. } => self.withdrawn(),
            Event::Matched { needs, safety } => self.matched(needs, *safety),
            Event::Offered { .. } => self.offered(event),
            Event::Mailed { offer, mail, .. } => self.mailed(*offer, *mail),
            Event::Undeliverable { offer, mail } => self.undeliverable(*offer, *mail),
            Event::Reminded { offer } => self.reminded(*offer),
            Event::Lapsed { offer } => self.lapsed(*offer),
            Event::Partner { offer, said, note, risk } => self.partner(*offer, *said, *note, *risk),
            Event::IdentityViewed { offer } => self.identity_viewed(*offer),
            Event::OfferInError { offer, by, note } => self.made_in_error(*offer, by, *note),
            Event::Decided { need, decision, by, note } => self.decided(need, *decision, by, *note),
            Event::AttentionSettled { kind, offer, note, since, by } => self.settled(by, |a| {
                a.kind == *kind && a.offer == *offer && since.is_none_or(|at| a.since == at && a.note == *note)
            }),
            Event::Filed { filing } => self.filing_moves(*filing, FilingStatus::Filed),
            Event::Handed { filing } => self.filing_moves(*filing, FilingStatus::Handed),
            Event::Acknowledged { filing } => self.filing_moves(*filing, FilingStatus::Acknowledged),
            Event::FilingRefused { filing } => self.filing_moves(*filing, FilingStatus::Refused),
            Event::FilingRequeued { filing, .. } => self.filing_moves(*filing, FilingStatus::Queued),
            Event::FilingSetAside { filing, by, note } => self.filing_set_aside(*filing, by, *note),
        }
    }

    // ---- small moves --------------------------------------------------------------------------------------------

    fn is_withdrawn(&self) -> bool {
        self.episode.needs.iter().any(|n| n.state == NeedState::Withdrawn)
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
                offer.notice_owed = true;
                self.effects.push(Effect::Mail(id, OfferMail::Cancellation));
            }
        }
    }

    fn alert(&mut self, alert: Alert) {
        if !self.effects.contains(&Effect::Alert(alert)) {
            self.effects.push(Effect::Alert(alert));
        }
    }

    /// Puts a matter before the coordinator; the very same matter still lying there is not put there twice. Whether it
    /// is a new one.
    fn attend(&mut self, kind: AttentionKind, offer: Option<OfferId>, note: Option<NoteId>) -> bool {
        let new = !self.episode.attention.iter().any(|a| a.kind == kind && a.offer == offer && a.note == note);
        if new {
            self.episode.attention.push(Attention { kind, offer, note, since: self.now });
        }
        new
    }
}

/// Words are asked for: a note that holds them must be named.
fn words_required(note: Option<NoteId>) -> Result<(), Refusal> {
    note.map(|_| ()).ok_or(Refusal::WordsRequired)
}
