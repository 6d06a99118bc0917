//! Every episode the walk has met, each once, and what the service's own `lifecycle::step` makes of each.
//!
//! A world names its episode by a number. The step is taken by the real function, once for each episode and move, and
//! checked there; its answer is kept. Times are one and the same moment throughout: deadlines are counted in the world.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use jiff::Timestamp;
use uuid::Uuid;
use wellbridge::referral::episode::{
    Actor, AttentionKind, Closed, Episode, Hold, NeedState, Offer, OfferStatus, Reason, ReferralState,
};
use wellbridge::referral::event::{Decision, Effect, Event, OfferMail, PartnerSaid, Place, Placed};
use wellbridge::referral::lifecycle::{self, Refusal};
use wellbridge::referral::{FilingId, NoteId, OfferId, ReferralId, UserId};

use crate::promises;
use crate::world::{KINDS, Version};

/// The needs that the matcher reads.
pub(crate) const NEEDS: [&str; 2] = ["befriending", "gardening"];
/// The services that can be asked.
pub(crate) const SERVICES: [&str; 2] = ["tea-club", "allotment"];

/// Where the matcher puts one of [`NEEDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Spot {
    Unread,
    Propose(u8),
    Hold(Hold),
}

/// An event in numbers. Offers and filings are counted, needs are named by their place in the episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Move {
    Updated(Version),
    SentAgain(Version),
    ContactChanged,
    PersonChanged,
    /// The practice put the old details back, or a coordinator says that the new ones are right.
    SamePerson {
        practice: bool,
    },
    Withdrawn,
    Matched([Spot; 2], bool),
    /// Nothing could be read of what is needed, for this reason.
    NothingRead(Hold),
    Offered {
        need: u8,
        service: u8,
        machine: bool,
    },
    Mailed {
        offer: u8,
        kind: u8,
        unknown: bool,
    },
    Undeliverable {
        offer: u8,
        kind: u8,
    },
    Reminded(u8),
    Lapsed(u8),
    /// One of [`WORDS`].
    Said {
        offer: u8,
        said: u8,
        risk: bool,
    },
    Viewed(u8),
    Closed(u8, Closed),
    PutBack {
        need: u8,
        machine: bool,
    },
    KeepBack(u8),
    Supports(u8),
    Settled(u8),
    Filed(u8),
    Handed(u8),
    Acknowledged(u8),
    Refused(u8),
    Requeued(u8),
    SetAside(u8),
    /// A coordinator says of an offer that it was made in error.
    InError(u8),
}

/// What a step gave: the next episode's number and what has to be done.
pub(crate) type Taken = Result<(u32, Rc<[Effect]>), Refusal>;

/// The one moment at which everything happens.
fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// The id of the offer made as the `n`th.
pub(crate) fn offer_id(n: usize) -> OfferId {
    OfferId::from_uuid(Uuid::from_u128(0xf0 + n as u128))
}

/// The id of the filing made as the `n`th.
pub(crate) fn filing_id(n: usize) -> FilingId {
    FilingId::from_uuid(Uuid::from_u128(0xb0 + n as u128))
}

fn she() -> Actor {
    Actor::Coordinator(UserId::from("amina"))
}

/// The episodes and steps known so far.
#[derive(Default)]
pub(crate) struct Ledger {
    episodes: Vec<Episode>,
    by_hash: HashMap<u64, Vec<u32>>,
    steps: HashMap<(u32, Move), Taken>,
}

impl Ledger {
    /// A referral has come in, in this version.
    pub(crate) fn start(&mut self, version: Version) -> (u32, Vec<Effect>) {
        let id = ReferralId::from_uuid(Uuid::from_u128(1));
        let (episode, effects) = lifecycle::start(id, &"beech-lane".into(), &"leeds".into(), version.facts(), now());
        (self.number(episode), effects)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.episodes.len()
    }

    /// How many steps were taken by the service's function.
    pub(crate) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// One of them.
    pub(crate) fn get(&self, number: u32) -> &Episode {
        &self.episodes[number as usize]
    }

    /// Takes one event, checked against the promises that a step must keep.
    pub(crate) fn step(&mut self, number: u32, step: Move) -> Result<Taken, String> {
        if let Some(taken) = self.steps.get(&(number, step)) {
            return Ok(taken.clone());
        }
        let before = self.get(number).clone();
        let event = event(&before, step);
        let taken = match lifecycle::step(&before, &event, filing_id(before.filings.len()), now()) {
            Ok((after, effects)) => {
                promises::moves_are_legal(&before, &after)?;
                promises::effects_are_allowed(&before, &event, &after, &effects)?;
                Ok((self.number(after), Rc::from(effects)))
            }
            Err(refusal) => Err(refusal),
        };
        self.steps.insert((number, step), taken.clone());
        Ok(taken)
    }

    /// An episode that differs from another by a planted mistake.
    pub(crate) fn change(&mut self, number: u32, how: impl FnOnce(&mut Episode)) -> u32 {
        let mut episode = self.get(number).clone();
        how(&mut episode);
        self.number(episode)
    }

    fn number(&mut self, episode: Episode) -> u32 {
        let bucket = self.by_hash.entry(hash_of(&episode)).or_default();
        if let Some(known) = bucket.iter().find(|n| self.episodes[**n as usize] == episode) {
            return *known;
        }
        let number = u32::try_from(self.episodes.len()).expect("fewer episodes than that");
        bucket.push(number);
        self.episodes.push(episode);
        number
    }
}

/// Of what differs most; the rest is compared whole.
fn hash_of(episode: &Episode) -> u64 {
    let mut hash = std::hash::DefaultHasher::new();
    let discriminant = |status: OfferStatus| std::mem::discriminant(&status);
    for need in &episode.needs {
        need.code.hash(&mut hash);
        std::mem::discriminant(&need.state).hash(&mut hash);
        if let NeedState::Held(why) = need.state {
            why.hash(&mut hash);
        }
    }
    for offer in &episode.offers {
        let Offer { mailed, reminded, booked, missed, notice_owed, identity_seen, late_yes, .. } = *offer;
        discriminant(offer.status).hash(&mut hash);
        (mailed, reminded, booked, missed, notice_owed, identity_seen, late_yes).hash(&mut hash);
    }
    for filing in &episode.filings {
        (filing.moment, std::mem::discriminant(&filing.status)).hash(&mut hash);
    }
    for matter in &episode.attention {
        (std::mem::discriminant(&matter.kind), matter.offer).hash(&mut hash);
    }
    (episode.facts.hold, episode.inputs, episode.safety, episode.safety_told).hash(&mut hash);
    hash.finish()
}

fn place(spot: Spot, need: &str) -> Option<Placed> {
    let place = match spot {
        Spot::Unread => return None,
        Spot::Propose(service) => Place::Propose(SERVICES[usize::from(service)].into()),
        Spot::Hold(why) => Place::Hold(why),
    };
    Some(Placed { need: need.into(), place })
}

fn offered(episode: &Episode, need: u8, service: u8, machine: bool) -> Event {
    Event::Offered {
        need: episode.needs[usize::from(need)].code.clone(),
        offer: offer_id(episode.offers.len()),
        service: SERVICES[usize::from(service)].into(),
        partner: SERVICES[usize::from(service)].into(),
        by: if machine { Actor::Machine } else { she() },
        remind_at: now(),
        reply_by: now(),
        note: None,
    }
}

/// The service's own event.
fn event(episode: &Episode, step: Move) -> Event {
    let note = Some(NoteId::from_uuid(Uuid::from_u128(0xa0)));
    let decided = |need: u8, decision, by| Event::Decided {
        need: episode.needs[usize::from(need)].code.clone(),
        decision,
        by,
        note,
    };
    let offer = |n: u8| offer_id(n.into());
    let filing = |n: u8| filing_id(n.into());
    match step {
        Move::Updated(version) => Event::Updated { facts: version.facts() },
        Move::SentAgain(version) => Event::SentAgain { facts: version.facts() },
        Move::ContactChanged => Event::ContactChanged,
        Move::PersonChanged => Event::PersonChanged,
        Move::SamePerson { practice: true } => Event::SamePerson { by: Actor::Practice, since: None },
        Move::SamePerson { practice: false } => {
            Event::SamePerson { by: she(), since: episode.person_in_question().map(|matter| matter.since) }
        }
        Move::Withdrawn => Event::Withdrawn { by: Actor::Practice },
        Move::Matched(spots, safety) => {
            let needs = spots.into_iter().zip(NEEDS).filter_map(|(spot, need)| place(spot, need)).collect();
            Event::Matched { needs, safety }
        }
        Move::NothingRead(why) => {
            let needs = vec![Placed { need: wellbridge::referral::episode::UNREAD.into(), place: Place::Hold(why) }];
            Event::Matched { needs, safety: false }
        }
        Move::Offered { need, service, machine } => offered(episode, need, service, machine),
        Move::Mailed { offer: o, kind, unknown } => {
            Event::Mailed { offer: offer(o), mail: KINDS[usize::from(kind)], outcome_unknown: unknown }
        }
        Move::Undeliverable { offer: o, kind } => {
            Event::Undeliverable { offer: offer(o), mail: KINDS[usize::from(kind)] }
        }
        Move::Reminded(o) => Event::Reminded { offer: offer(o) },
        Move::Lapsed(o) => Event::Lapsed { offer: offer(o) },
        Move::Said { offer: o, said, risk } => {
            Event::Partner { offer: offer(o), said: WORDS[usize::from(said)], note, risk }
        }
        Move::Viewed(o) => Event::IdentityViewed { offer: offer(o) },
        Move::Closed(need, how) => decided(need, Decision::Close(how), she()),
        Move::PutBack { need, machine } => {
            decided(need, Decision::PutBack, if machine { Actor::Machine } else { she() })
        }
        Move::KeepBack(need) => decided(need, Decision::KeepBack, she()),
        Move::Supports(need) => decided(need, Decision::SupportHerself, she()),
        Move::Settled(n) => {
            let matter = &episode.attention[usize::from(n)];
            let (kind, offer, note, since) = (matter.kind, matter.offer, matter.note, Some(matter.since));
            Event::AttentionSettled { kind, offer, note, since, by: she() }
        }
        Move::Filed(n) => Event::Filed { filing: filing(n) },
        Move::Handed(n) => Event::Handed { filing: filing(n) },
        Move::Acknowledged(n) => Event::Acknowledged { filing: filing(n) },
        Move::Refused(n) => Event::FilingRefused { filing: filing(n) },
        Move::Requeued(n) => Event::FilingRequeued { filing: filing(n), by: she() },
        Move::SetAside(n) => Event::FilingSetAside { filing: filing(n), by: she(), note },
        Move::InError(o) => Event::OfferInError { offer: offer(o), by: she(), note },
    }
}

/// What a partner can say, as its page lets it.
pub(crate) const WORDS: [PartnerSaid; 7] = [
    PartnerSaid::Accepted,
    PartnerSaid::Rejected(Reason::Capacity),
    PartnerSaid::Started,
    PartnerSaid::Finished,
    PartnerSaid::Failed(Reason::PatientChoice),
    PartnerSaid::OnHold,
    PartnerSaid::Asked,
];

/// A state's number on the coordination Task.
pub(crate) fn task_word(episode: &Episode) -> u8 {
    let state = episode.state();
    ReferralState::ALL.iter().position(|s| *s == state).map_or(0, |n| n as u8 + 1)
}

/// Matters that a coordinator can tick off (`desk::act::MATTERS`): a refused filing is not one of them.
pub(crate) fn may_be_settled(kind: AttentionKind) -> bool {
    kind != AttentionKind::FilingRefused
}

/// The number of an offer.
pub(crate) fn offer_number(episode: &Episode, id: OfferId) -> u8 {
    episode.offers.iter().position(|o| o.id == id).map_or(u8::MAX, |n| n as u8)
}

/// The number of a mail's kind.
pub(crate) fn kind_number(mail: OfferMail) -> u8 {
    KINDS.iter().position(|k| *k == mail).map_or(u8::MAX, |n| n as u8)
}
