//! What stays true whatever happens: random events, plausible and implausible, in any order.
//!
//! Each step is checked against the design's own table, written down again here and not taken from the code. `Watch`
//! plays the queue: it remembers what was asked for, so that a referral that nobody owns any more is found.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

mod dice;

use self::dice::{Dice, event, facts};
use super::tests::{at, key, offer};
use super::*;
use crate::referral::episode::{Actor, Filing, Moment, SupportedBy};

/// The design's table of offer moves, by the names it uses there.
const MOVES: [(&str, &str); 4] = [
    ("requested", "accepted rejected cancelled"),
    ("accepted", "in-progress on-hold completed failed cancelled"),
    ("in-progress", "completed failed cancelled on-hold"),
    ("on-hold", "in-progress completed failed cancelled"),
];
/// Besides, from any state: `entered-in-error`, and only because a coordinator said so.
const IN_ERROR: &str = "entered-in-error";

fn named(status: OfferStatus) -> String {
    // As it is stored: `"accepted"`, `{"failed":"capacity"}`.
    let json = serde_json::to_value(status).unwrap();
    json.as_str().map_or_else(|| json.as_object().unwrap().keys().next().unwrap().clone(), str::to_owned)
}

/// What was asked of the world so far, and what of it is outstanding.
#[derive(Default)]
struct Watch {
    match_queued: bool,
    lapse_queued: BTreeSet<OfferId>,
    /// Partners that have an offer's mail: it was written down, or they answered it.
    told: BTreeSet<OfferId>,
    /// Offers made in error whose partner had to be told, then or before; or heard of them only afterwards.
    error_told: BTreeSet<OfferId>,
    mails: BTreeMap<(OfferId, OfferMail), u32>,
}

impl Watch {
    fn takes(&mut self, before: &Episode, event: &Event, effects: &[Effect]) {
        let status = |id: &OfferId| before.offer(*id).map(|o| named(o.status));
        match event {
            Event::Matched { .. } => self.match_queued = false,
            Event::OfferInError { offer, .. } => {
                let was = before.offer(*offer).unwrap().status;
                let over = before.needs.iter().any(|n| n.state == NeedState::Withdrawn);
                let owed = match was {
                    OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) => true,
                    OfferStatus::Cancelled(Cause::Unanswered) => !over,
                    was => !was.is_final(),
                };
                if owed && self.told.contains(offer) {
                    self.error_told.insert(*offer);
                }
            }
            Event::Mailed { offer, mail: OfferMail::Offer, .. } | Event::Partner { offer, .. }
                if status(offer).is_some_and(|s| s == IN_ERROR) && !self.told.contains(offer) =>
            {
                self.told.insert(*offer);
                self.error_told.insert(*offer);
            }
            Event::Mailed { offer, mail: OfferMail::Offer, .. } | Event::Partner { offer, .. } => {
                self.told.insert(*offer);
            }
            Event::Lapsed { offer } => {
                self.lapse_queued.remove(offer);
            }
            _ => {}
        }
        for effect in effects {
            match effect {
                Effect::Match => self.match_queued = true,
                Effect::LapseAt(offer, _) => {
                    self.lapse_queued.insert(*offer);
                }
                Effect::Mail(offer, mail) => *self.mails.entry((*offer, *mail)).or_default() += 1,
                _ => {}
            }
        }
    }

    fn sent(&self, offer: OfferId, mail: OfferMail) -> u32 {
        self.mails.get(&(offer, mail)).copied().unwrap_or_default()
    }
}

fn moves_are_legal(before: &Episode, event: &Event, after: &Episode) {
    for was in &before.offers {
        let now = after.offer(was.id).expect("no offer is forgotten");
        assert_eq!((&now.need, &now.service, now.made), (&was.need, &was.service, was.made));
        if was.status != now.status {
            let (from, to) = (named(was.status), named(now.status));
            let listed = MOVES.iter().any(|(f, all)| *f == from && all.split(' ').any(|t| t == to));
            let error = to == IN_ERROR && matches!(event, Event::OfferInError { by: Actor::Coordinator(_), .. });
            assert!(listed || error, "{from} -> {to} by {event:?}");
        }
    }
    for new in after.offers.iter().filter(|o| before.offer(o.id).is_none()) {
        assert_eq!(new.status, OfferStatus::Requested);
    }
    for was in &before.needs {
        let vanished = after.need(&was.code).is_none();
        let misread = was.state == NeedState::Received && before.offers.iter().all(|o| o.need != was.code);
        assert!(!vanished || misread, "{was:?} vanished");
        if was.state.is_final() {
            assert_eq!(after.need(&was.code), Some(was));
        }
    }
}

fn every_need_is_in_one_place_and_owned(episode: &Episode, watch: &Watch) {
    assert!(!episode.needs.is_empty());
    let codes: BTreeSet<&NeedCode> = episode.needs.iter().map(|n| &n.code).collect();
    assert_eq!(codes.len(), episode.needs.len(), "two needs of one kind");
    for need in &episode.needs {
        let open: Vec<&Offer> = episode.offers.iter().filter(|o| o.need == need.code && !o.status.is_final()).collect();
        assert!(open.len() <= 1, "{} open offers", open.len());
        let open = open.first().map(|o| (o.id, o.status));
        match (&need.state, open) {
            (NeedState::Received, None) => assert!(watch.match_queued, "received, and nobody will match it"),
            (NeedState::Offered(id), Some((offer, OfferStatus::Requested))) => {
                assert_eq!(*id, offer);
                assert!(watch.lapse_queued.contains(id), "asked, and nobody looks at it again");
            }
            (NeedState::Offered(id) | NeedState::Supported(SupportedBy::Offer(id)), Some((offer, _))) => {
                assert_eq!(*id, offer);
            }
            (NeedState::Supported(SupportedBy::Coordinator) | NeedState::Held(_) | NeedState::Proposed(_), None) => {}
            (state, None) if state.is_final() => {}
            (state, open) => panic!("{state:?} with {open:?}"),
        }
    }
}

fn effects_are_allowed(before: &Episode, event: &Event, after: &Episode, effects: &[Effect]) {
    let withdrawn = after.needs.iter().any(|n| n.state == NeedState::Withdrawn);
    for effect in effects {
        match effect {
            // A risk reported by anybody always reaches a person; so do a notice that did not arrive and a request that
            // is sent again.
            Effect::Mail(_, OfferMail::Cancellation)
            | Effect::KeepTask
            | Effect::Alert(Alert::RiskReported | Alert::CancellationUndelivered | Alert::SentAgain) => {}
            other => assert!(!withdrawn, "{other:?} after a withdrawal"),
        }
        if let Effect::Mail(id, OfferMail::Offer) = effect {
            assert!(matches!(event, Event::Offered { offer, .. } if offer == id), "an offer is mailed by {event:?}");
        }
    }
    if let Event::Offered { .. } | Event::Reminded { .. } | Event::IdentityViewed { .. } = event {
        assert_eq!(before.person_in_question(), None, "{event:?} while it is uncertain who the person is");
    }
    if after.person_in_question().is_some() {
        let waiting = |o: &&Offer| o.status == OfferStatus::Requested && !o.mailed;
        assert_eq!(after.offers.iter().find(waiting), None, "somebody new is asked, and nobody knows for whom");
    }
    if let Event::OfferInError { offer, .. } = event {
        let alone = |state: &NeedState| {
            ![NeedState::Offered(*offer), NeedState::Supported(SupportedBy::Offer(*offer))].contains(state)
        };
        assert!(after.needs.iter().all(|n| alone(&n.state)), "a need stays with an offer made in error");
        assert!(after.filings.iter().all(|f| f.offer != Some(*offer) || f.status != FilingStatus::Queued));
    }
    if let Event::Offered { by: Actor::Machine, .. } = event {
        assert_eq!((before.facts.hold, before.facts.contact_prohibited, before.safety), (None, false, false));
    }
    if let Event::IdentityViewed { offer } = event {
        // Written down again here, not taken from the code: who may see, and under which holds nobody may.
        let seen = before.offer(*offer).map(|made| named(made.status)).unwrap_or_default();
        assert!(["accepted", "in-progress", "on-hold"].contains(&seen.as_str()), "seen while {seen}");
        let closed = [Hold::ConsentDeclined, Hold::ConsentMissing, Hold::Deceased, Hold::LeftPractice];
        let unread = [Hold::UnreadableRequest, Hold::NoSubject, Hold::BadNhsNumber, Hold::PatientUnreadable];
        let hold = before.facts.hold;
        assert!(hold.is_none_or(|why| !closed.contains(&why) && !unread.contains(&why)), "seen under {hold:?}");
        assert!(!withdrawn && after.offer(*offer).is_some_and(|made| made.identity_seen));
    }
    if let Event::Partner { risk: true, .. } = event {
        assert!(effects.contains(&Effect::Alert(Alert::RiskReported)));
        assert!(after.attention.iter().any(|a| a.kind == AttentionKind::Risk));
    }
    if after.is_open() && after.facts.forbids_machine().is_some() {
        let waiting = |o: &&Offer| o.by == Actor::Machine && o.status == OfferStatus::Requested;
        assert_eq!(after.offers.iter().find(waiting), None, "the machine still asks under a hold");
    }
}

fn each_moment_is_filed_once(episode: &Episode) {
    let told = |f: &Filing| format!("{:?} {} {:?}", f.moment, f.need, f.offer);
    let all: BTreeSet<String> = episode.filings.iter().map(told).collect();
    assert_eq!(all.len(), episode.filings.len(), "{:?}", episode.filings);
    let by_offer = |f: &&Filing| f.offer.is_some() && matches!(f.moment, Moment::Closed(_));
    let closed: Vec<_> = episode.filings.iter().filter(by_offer).map(|f| f.offer).collect();
    assert_eq!(closed.iter().collect::<BTreeSet<_>>().len(), closed.len());
}

fn mails_are_owed_once(episode: &Episode, watch: &Watch) {
    for made in &episode.offers {
        assert_eq!(watch.sent(made.id, OfferMail::Offer), 1);
        assert!(watch.sent(made.id, OfferMail::Reminder) <= 1);
        assert!(watch.sent(made.id, OfferMail::PassedOn) <= 1);
        let taken_back = matches!(made.status, OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded));
        let sent = watch.sent(made.id, OfferMail::Cancellation);
        if made.status == OfferStatus::EnteredInError {
            assert_eq!(sent, u32::from(watch.error_told.contains(&made.id)), "{made:?}");
        } else {
            let owed = u32::from(taken_back && watch.told.contains(&made.id));
            assert_eq!(sent, owed, "{made:?}");
        }
    }
}

fn round_trips<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value);
}

/// Takes what it can of random events, checking every step; gives where the referral came to stand.
fn walk(first: Facts, dice: &[Dice]) -> Episode {
    let id = ReferralId::from_uuid(key(1));
    let begin = || start(id, &"beech-lane".into(), &"leeds".into(), first, at(0));
    let (mut episode, effects) = begin();
    let mut watch = Watch::default();
    watch.takes(&episode, &Event::Reminded { offer: offer(0) }, &effects);
    let mut ledger: Vec<(Event, FilingId, Timestamp)> = Vec::new();
    for (n, dice) in dice.iter().enumerate() {
        let (event, now) = (event(&episode, *dice), at(i64::try_from(n).unwrap() + 1));
        let filing = FilingId::from_uuid(key(0x1_0000 + n as u128));
        let Ok((after, effects)) = step(&episode, &event, filing, now) else { continue };
        watch.takes(&episode, &event, &effects);
        moves_are_legal(&episode, &event, &after);
        effects_are_allowed(&episode, &event, &after, &effects);
        every_need_is_in_one_place_and_owned(&after, &watch);
        each_moment_is_filed_once(&after);
        mails_are_owed_once(&after, &watch);
        round_trips(&event);
        round_trips(&after);
        ledger.push((event, filing, now));
        episode = after;
    }
    let again = ledger.iter().fold(begin().0, |e, (event, filing, now)| step(&e, event, *filing, *now).unwrap().0);
    assert_eq!(again, episode, "the same events give the same episode");
    episode
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_promise_is_broken(
        first in any::<(u8, u8)>(),
        dice in prop::collection::vec(any::<Dice>(), 1..80),
    ) {
        walk(facts(first.0, first.1), &dice);
    }
}

#[test]
fn the_random_roads_reach_every_end() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let roads = prop::collection::vec(any::<Dice>(), 60..80);
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..400 {
        let episode = walk(Facts::default(), &roads.new_tree(&mut runner).unwrap().current());
        for made in &episode.offers {
            let cause =
                if let OfferStatus::Cancelled(cause) = made.status { format!(" {cause:?}") } else { String::new() };
            *seen.entry(named(made.status) + &cause).or_default() += 1;
            *seen.entry("late yes".into()).or_default() += u32::from(made.late_yes);
            *seen.entry("identity seen".into()).or_default() += u32::from(made.identity_seen);
        }
        for filing in &episode.filings {
            *seen.entry(format!("filing {:?}", filing.status)).or_default() += 1;
        }
        *seen.entry(format!("referral {}", episode.state().as_str())).or_default() += 1;
        *seen.entry("person in question".into()).or_default() += u32::from(episode.person_in_question().is_some());
        *seen.entry("safety".into()).or_default() += u32::from(episode.safety);
    }
    for end in [
        "completed",
        "failed",
        "rejected",
        "cancelled Unanswered",
        "cancelled Undeliverable",
        "cancelled Withdrawn",
        "cancelled Superseded",
        "late yes",
        "identity seen",
        "filing Filed",
        "filing Acknowledged",
        "filing Refused",
        "filing SetAside",
        IN_ERROR,
        "person in question",
        "referral closed",
        "referral withdrawn",
        "referral supported",
        "referral held",
        "safety",
    ] {
        assert!(seen.get(end).is_some_and(|n| *n >= 3), "{end}: {seen:?}");
    }
}
