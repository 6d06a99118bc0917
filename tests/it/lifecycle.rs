//! Many referrals driven through the ledger at random: whatever is taken, nothing is lost and the ledger replays.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use wellbridge::referral::episode::{Actor, Closed, Facts, Hold, OfferStatus, Reason};
use wellbridge::referral::event::{Decision, Effect, Event, OfferMail, PartnerSaid};
use wellbridge::referral::{NoteId, OfferId, ReferralId};
use wellbridge::store::{Appended, Store, StoreError};

use crate::store::fixtures::{at, matched, new_offer, offered, received};
use crate::store::usual;

fn event(offer: OfferId, dice: (u8, u8)) -> Event {
    let note = Some(NoteId::from_uuid(offer.uuid()));
    let said = |said| Event::Partner { offer, said, note, risk: dice.1.is_multiple_of(32) };
    let by = Actor::Coordinator("amina".into());
    let decided = |decision| Event::Decided { need: "gardening".into(), decision, by: by.clone(), note };
    match dice.0 % 20 {
        3..=5 => match offered(new_offer()) {
            Event::Offered { need, offer, service, partner, remind_at, reply_by, note, .. } if dice.1 > 100 => {
                Event::Offered { need, offer, service, partner, by, remind_at, reply_by, note }
            }
            by_machine => by_machine,
        },
        6 | 7 => Event::Mailed { offer, mail: OfferMail::Offer, outcome_unknown: false },
        8 | 9 => said(PartnerSaid::Accepted),
        10 => said(PartnerSaid::Rejected(Reason::Capacity)),
        11 => said(PartnerSaid::Started),
        12 => said(PartnerSaid::Finished),
        13 => said(PartnerSaid::Failed(Reason::Unreachable)),
        14 => Event::Lapsed { offer },
        15 => Event::Undeliverable { offer, mail: OfferMail::Offer },
        16 => decided(Decision::PutBack),
        17 if dice.1 < 40 => decided(Decision::Close(Closed::Other)),
        18 => Event::Updated { facts: Facts { hold: (dice.1 < 64).then_some(Hold::Deceased), ..Facts::default() } },
        19 if dice.1 < 40 => Event::Withdrawn { by: Actor::Practice },
        _ => matched(),
    }
}

/// Records what the lifecycle takes; the mails it asked for.
async fn drive(store: &Store, id: ReferralId, dice: &[(u8, u8)]) -> usize {
    let mut mails = 0;
    for (minute, dice) in dice.iter().enumerate() {
        let now = at(i64::try_from(minute).unwrap() + 1);
        let mut tx = store.begin().await.unwrap();
        let standing = tx.standing(id).await.unwrap().unwrap();
        let newest = standing.episode.offers.last().map_or_else(new_offer, |o| o.id);
        match tx.record(id, &event(newest, *dice), None, now, now).await {
            Ok(Appended::Now(_, effects)) => mails += effects.iter().filter(|e| matches!(e, Effect::Mail(..))).count(),
            Ok(Appended::Already) | Err(StoreError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
        tx.commit().await.unwrap();
    }
    mails
}

#[tokio::test]
async fn whatever_happens_nothing_is_lost_and_the_ledger_replays() {
    let place = usual().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let roads = prop::collection::vec(any::<(u8, u8)>(), 25..30);
    let (mut mails, mut ends) = (0, BTreeMap::new());
    for n in 0..40 {
        let id = received(&place.store, &format!("sr-{n}")).await;
        mails += drive(&place.store, id, &roads.new_tree(&mut runner).unwrap().current()).await;
        let episode = place.store.standing(id).await.unwrap().unwrap().episode;
        *ends.entry(episode.state().as_str()).or_insert(0_u64) += 1;
        for offer in episode.offers.iter().filter(|o| !o.status.is_final()) {
            assert!(episode.is_open(), "an open offer of a closed referral: {offer:?}");
            assert!(episode.facts.hold.is_none() || offer.status != OfferStatus::Requested);
        }
    }
    let found = place.store.verify(|_, _| {}).await.unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!(found.referrals, 40);
    let counted: BTreeMap<&str, u64> = found.states.iter().map(|(state, n)| (state.as_str(), *n)).collect();
    assert_eq!(counted, ends);
    let queued = place.back_door.number("select count(*) from river_job where kind = 'send_offer_mail'").await;
    assert_eq!(usize::try_from(queued), Ok(mails), "each mail asked for is one job");
    assert!(mails > 40 && counted.len() >= 3, "{mails} mails, {counted:?}");
}
