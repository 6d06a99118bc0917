//! The lifecycles as tables and short stories: every offer move, every walk of a need, every refusal.
//! Here are the makings: events in short words, and [`Road`], a referral that takes them.

mod filings;
mod needs;
mod offers;
mod practice;

use super::*;
use crate::referral::Sharing;
use crate::referral::episode::{Actor, Closed, Moment, Reason, SupportedBy};
use crate::referral::event::{Decision, PartnerSaid, Place, Placed};
use crate::referral::ids::{ServiceId, UserId};

pub(super) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_600_800 + minute * 60).unwrap()
}

pub(super) fn key(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

pub(super) fn offer(n: u128) -> OfferId {
    OfferId::from_uuid(key(0xf0 + n))
}

#[expect(clippy::unnecessary_wraps, reason = "events take a note that may be none")]
pub(super) fn note(n: u128) -> Option<NoteId> {
    Some(NoteId::from_uuid(key(0xa0 + n)))
}

pub(super) fn she() -> Actor {
    Actor::Coordinator(UserId::from("amina"))
}

pub(super) fn held(why: Hold) -> Facts {
    Facts { hold: Some(why), contact_prohibited: why == Hold::ContactProhibited, ..Facts::default() }
}

pub(super) fn propose(need: &str, service: &str) -> Placed {
    Placed { need: need.into(), place: Place::Propose(service.into()) }
}

pub(super) fn hold(need: &str, why: Hold) -> Placed {
    Placed { need: need.into(), place: Place::Hold(why) }
}

pub(super) fn matched(needs: Vec<Placed>) -> Event {
    Event::Matched { needs, safety: false }
}

pub(super) fn asked(need: &str, n: u128, service: &str, by: Actor) -> Event {
    Event::Offered {
        need: need.into(),
        offer: offer(n),
        service: service.into(),
        partner: "leeds-gardens".into(),
        by,
        remind_at: at(1000),
        reply_by: at(2000),
        note: None,
    }
}

pub(super) fn mailed(n: u128) -> Event {
    Event::Mailed { offer: offer(n), mail: OfferMail::Offer, outcome_unknown: false }
}

pub(super) fn said(n: u128, said: PartnerSaid) -> Event {
    Event::Partner { offer: offer(n), said, note: note(n), risk: false }
}

pub(super) fn worried(n: u128, said: PartnerSaid) -> Event {
    Event::Partner { offer: offer(n), said, note: note(n), risk: true }
}

pub(super) fn decide(need: &str, decision: Decision) -> Event {
    Event::Decided { need: need.into(), decision, by: she(), note: note(9) }
}

pub(super) fn withdrawn() -> Event {
    Event::Withdrawn { by: Actor::Practice }
}

/// A referral on its road: takes events, counts them, keeps the effects of the last.
#[derive(Clone)]
pub(super) struct Road {
    pub(super) episode: Episode,
    pub(super) effects: Vec<Effect>,
    taken: u128,
}

impl Road {
    pub(super) fn new(facts: Facts) -> Self {
        let id = ReferralId::from_uuid(key(1));
        let (episode, effects) = start(id, &"beech-lane".into(), &"leeds".into(), facts, at(0));
        Self { episode, effects, taken: 1 }
    }

    /// With `befriending` proposed to `tea-club` and `gardening` to `allotment`.
    pub(super) fn proposed() -> Self {
        Self::new(Facts::default())
            .then(&matched(vec![propose("befriending", "tea-club"), propose("gardening", "allotment")]))
    }

    /// With offer 1 for `befriending`, made by the machine and mailed.
    pub(super) fn offered() -> Self {
        Self::proposed().then(&asked("befriending", 1, "tea-club", Actor::Machine)).then(&mailed(1))
    }

    pub(super) fn accepted() -> Self {
        Self::offered().then(&said(1, PartnerSaid::Accepted))
    }

    pub(super) fn started() -> Self {
        Self::accepted().then(&said(1, PartnerSaid::Started))
    }

    pub(super) fn try_event(&self, event: &Event) -> Step {
        let now = at(i64::try_from(self.taken).unwrap());
        step(&self.episode, event, FilingId::from_uuid(key(0x1000 + self.taken)), now)
    }

    #[track_caller]
    pub(super) fn then(mut self, event: &Event) -> Self {
        (self.episode, self.effects) = self.try_event(event).unwrap_or_else(|no| panic!("{event:?}: {no}"));
        self.taken += 1;
        self
    }

    pub(super) fn refuses(&self, event: &Event) -> Option<Refusal> {
        self.try_event(event).err()
    }

    pub(super) fn need(&self, code: &str) -> NeedState {
        self.episode.need(&code.into()).unwrap().state.clone()
    }

    pub(super) fn status(&self, n: u128) -> OfferStatus {
        self.episode.offer(offer(n)).unwrap().status
    }

    pub(super) fn mails(&self) -> Vec<OfferMail> {
        self.effects.iter().filter_map(|e| if let Effect::Mail(_, mail) = e { Some(*mail) } else { None }).collect()
    }

    pub(super) fn alerts(&self) -> Vec<Alert> {
        self.effects.iter().filter_map(|e| if let Effect::Alert(alert) = e { Some(*alert) } else { None }).collect()
    }

    pub(super) fn matters(&self) -> Vec<AttentionKind> {
        self.episode.attention.iter().map(|a| a.kind).collect()
    }

    pub(super) fn filed(&self) -> Vec<Moment> {
        self.episode.filings.iter().map(|f| f.moment).collect()
    }
}
