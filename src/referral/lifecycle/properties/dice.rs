//! Events made of numbers, with an eye on where the referral stands: most are plausible, some could never happen.

use super::super::tests::{at, decide, hold, key, matched, note, offer, propose, she};
use super::super::*;
use crate::referral::Sharing;
use crate::referral::episode::{Actor, Closed, Reason};
use crate::referral::event::{Decision, PartnerSaid, Placed};

const NEEDS: [&str; 4] = ["befriending", "gardening", "debt-advice", UNREAD];
const SERVICES: [&str; 3] = ["tea-club", "allotment", "money-shop"];
const HOLDS: [Option<Hold>; 9] = [
    None,
    None,
    None,
    Some(Hold::Deceased),
    Some(Hold::ConsentDeclined),
    Some(Hold::ContactProhibited),
    Some(Hold::Restricted),
    Some(Hold::BadNhsNumber),
    Some(Hold::NotActive),
];

/// Numbers from which an event is made, with an eye on where the referral stands: most are plausible.
pub(super) type Dice = (u8, u8, u8, u8);

fn pick<T: Clone>(from: &[T], n: u8) -> T {
    from[usize::from(n) % from.len()].clone()
}

pub(super) fn facts(a: u8, b: u8) -> Facts {
    let prohibited = b.is_multiple_of(7);
    Facts { sharing: Sharing::CodesOnly, contact_prohibited: prohibited, hold: pick(&HOLDS, a), urgent: b == 3 }
}

fn some_offer(episode: &Episode, n: u8) -> OfferId {
    // One of those made, the newest most often; now and then one that was never made.
    let ids: Vec<OfferId> = episode.offers.iter().map(|o| o.id).collect();
    match (ids.last(), n % 4) {
        (Some(&newest), 0 | 1) => newest,
        (Some(_), 2) => pick(&ids, n / 4),
        _ => offer(u128::from(n % 3)),
    }
}

fn some_need(episode: &Episode, n: u8) -> NeedCode {
    if n % 4 == 3 { pick(&NEEDS, n / 4).into() } else { pick(&episode.needs, n / 4).code }
}

fn placed(a: u8, b: u8) -> Vec<Placed> {
    let whys = [Hold::NoService, Hold::Safety, Hold::TriesExhausted];
    let one = |need: u8, how: u8| match how % 4 {
        3 => hold(pick(&NEEDS, need), pick(&whys, how / 4)),
        _ => propose(pick(&NEEDS, need), pick(&SERVICES, how / 4)),
    };
    match a % 8 {
        0 => vec![],
        1 => vec![hold(UNREAD, Hold::NeedUnclear)],
        2 | 3 => vec![one(b, a / 8)],
        _ => vec![one(b, a / 8), one(b / 4, b)],
    }
}

fn an_offer(episode: &Episode, a: u8, b: u8, c: u8) -> Event {
    let need = some_need(episode, a);
    let by = match b % 6 {
        0..=2 => Actor::Machine,
        5 => Actor::Partner,
        _ => she(),
    };
    let proposed = match episode.need(&need).map(|n| n.state.clone()) {
        Some(NeedState::Proposed(service)) if c % 4 != 3 => service,
        _ => pick(&SERVICES, c).into(),
    };
    let id = if c.is_multiple_of(16) { offer(0) } else { offer(10 + episode.offers.len() as u128) };
    Event::Offered {
        need,
        offer: id,
        service: proposed,
        partner: "leeds-gardens".into(),
        by,
        remind_at: at(1000),
        reply_by: at(2000),
        note: None,
    }
}

fn a_word(offer: OfferId, a: u8, b: u8) -> Event {
    use PartnerSaid::{Accepted, Asked, Booked, DidNotAttend, Failed, Finished, OnHold, Rejected, Started};
    let reason = pick(&[Reason::Capacity, Reason::PatientChoice, Reason::Unreachable, Reason::Other], a / 16);
    let all = [
        Accepted,
        Accepted,
        Accepted,
        Started,
        Started,
        Finished,
        OnHold,
        Booked,
        DidNotAttend,
        Asked,
        Rejected(reason),
        Failed(reason),
    ];
    Event::Partner { offer, said: pick(&all, a), note: note(u128::from(b)).filter(|_| b % 8 != 7), risk: b % 16 == 5 }
}

fn a_decision(episode: &Episode, a: u8, b: u8) -> Event {
    let closes = [Closed::Finished, Closed::NoService, Closed::DeclinedSocialPrescribing, Closed::Other];
    let decision = match b % 6 {
        0 => Decision::KeepBack,
        1 | 2 => Decision::PutBack,
        3 | 4 => Decision::SupportHerself,
        _ => Decision::Close(pick(&closes, b / 6)),
    };
    decide(some_need(episode, a).as_str(), decision)
}

fn a_filing_move(episode: &Episode, a: u8, b: u8) -> Event {
    let ids: Vec<FilingId> = episode.filings.iter().map(|f| f.id).collect();
    let filing = if ids.is_empty() { FilingId::from_uuid(key(1)) } else { pick(&ids, a) };
    match b % 7 {
        0 => Event::Handed { filing },
        1 => Event::Acknowledged { filing },
        2 | 3 => Event::FilingRefused { filing },
        4 => Event::FilingRequeued { filing, by: she() },
        5 => Event::FilingSetAside { filing, by: she(), note: note(u128::from(b)).filter(|_| b < 200) },
        _ => Event::Filed { filing },
    }
}

fn about_the_person(episode: &Episode, a: u8, b: u8) -> Event {
    let since = episode.person_in_question().map(|matter| matter.since);
    match a % 8 {
        0..=3 => Event::PersonChanged,
        4 | 5 => Event::SamePerson { by: she(), since },
        6 => Event::SamePerson { by: Actor::Practice, since: None },
        _ => Event::SamePerson { by: pick(&[she(), Actor::Machine, Actor::Partner], b), since: Some(at(-1)) },
    }
}

fn an_error(offer: OfferId, a: u8) -> Event {
    let by = if a.is_multiple_of(8) { Actor::Machine } else { she() };
    Event::OfferInError { offer, by, note: note(u128::from(a)).filter(|_| a % 8 != 7) }
}

pub(super) fn event(episode: &Episode, (kind, a, b, c): Dice) -> Event {
    let offer = some_offer(episode, a);
    let mails = [OfferMail::Offer, OfferMail::Offer, OfferMail::Cancellation, OfferMail::Reminder];
    match kind {
        0..=33 => Event::Matched { needs: placed(a, b), safety: c.is_multiple_of(12) },
        34..=36 => about_the_person(episode, b, c),
        37..=39 => an_error(offer, b),
        40..=89 => an_offer(episode, a, b, c),
        90..=114 => Event::Mailed { offer, mail: pick(&mails, b), outcome_unknown: c.is_multiple_of(2) },
        115..=164 => a_word(offer, b, c),
        165..=174 => Event::Lapsed { offer },
        175..=179 => Event::Reminded { offer },
        180..=185 => Event::Undeliverable { offer, mail: pick(&mails, b) },
        186..=193 => Event::IdentityViewed { offer },
        194..=213 => a_decision(episode, a, b),
        214..=216 => Event::ContactChanged,
        217..=233 => Event::Updated { facts: facts(a, b) },
        234..=245 => a_filing_move(episode, a, b),
        246..=249 => match episode.attention.first() {
            Some(matter) => Event::AttentionSettled {
                kind: matter.kind,
                offer: matter.offer,
                note: matter.note,
                since: Some(matter.since),
                by: she(),
            },
            None => matched(placed(b, c)),
        },
        250..=252 => Event::Withdrawn { by: Actor::Practice },
        _ => Event::Received { practice: "beech-lane".into(), programme: "leeds".into(), facts: facts(a, b) },
    }
}
