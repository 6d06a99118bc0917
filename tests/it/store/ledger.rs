//! The ledger's promises: event, standing and jobs together or not at all; each effect once; nothing lost unseen.

use wellbridge::referral::episode::{Actor, Hold, OfferStatus};
use wellbridge::referral::event::{Event, OfferMail, PartnerSaid, Place as Goes, Placed};
use wellbridge::referral::lifecycle::Refusal;
use wellbridge::store::queue::MatchReferral;
use wellbridge::store::{Appended, ListFilter, StoreError, TakenIn, Which};

use super::Place;
use super::fixtures::{
    at, facts, fhir, matched, new_id, new_offer, offered, programme, received, record, referral, take_in,
};

const JOBS: &str = "select count(*) from river_job";
const EVENTS: &str = "select count(*) from event";

pub(crate) async fn an_effect_is_recorded_once(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let offer = new_offer();
    record(&place.store, id, &matched(), 1).await;
    record(&place.store, id, &offered(offer), 2).await;
    let sent = Event::Mailed { offer, mail: OfferMail::Offer, outcome_unknown: false };
    for (attempt, expected) in [(1, true), (2, false)] {
        let mut tx = place.store.begin().await.unwrap();
        let appended = tx.record(id, &sent, Some("mail.1"), at(3), at(2 + attempt)).await.unwrap();
        assert_eq!(matches!(appended, Appended::Now(..)), expected, "attempt {attempt}");
        tx.commit().await.unwrap();
    }
    assert_eq!(place.store.events(id).await.unwrap().len(), 4);
}

pub(crate) async fn a_dropped_transaction_leaves_neither_event_nor_job(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let before = (place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await);
    let standing = place.store.standing(id).await.unwrap().unwrap().episode;
    {
        let mut tx = place.store.begin().await.unwrap();
        tx.record(id, &Event::Withdrawn { by: Actor::Practice }, None, at(1), at(1)).await.unwrap();
        tx.take_in(new_id(), &programme(), &referral("sr-2", "1"), facts(), &fhir(), at(1)).await.unwrap();
        tx.enqueue(MatchReferral { referral: id }, riverqueue::InsertOpts::default()).await.unwrap();
    }
    assert_eq!((place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await), before);
    assert_eq!(place.store.standing(id).await.unwrap().unwrap().episode, standing);
    assert_eq!(place.back_door.number("select count(*) from referral_content").await, 1);
}

pub(crate) async fn a_refused_event_leaves_neither_event_nor_job(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let before = (place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await);
    let mut tx = place.store.begin().await.unwrap();
    let error = tx.record(id, &offered(new_offer()), None, at(1), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(Refusal::Unknown)), "{error}");
    let error = tx.record(new_id(), &matched(), None, at(1), at(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound), "{error}");
    tx.commit().await.unwrap();
    assert_eq!((place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await), before);
}

pub(crate) async fn each_effect_is_a_job_in_the_same_transaction(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let kinds = "select kind from river_job order by kind";
    assert_eq!(place.back_door.texts(kinds).await.join(" "), "match_referral", "the Task waits for the matcher's step");
    record(&place.store, id, &matched(), 1).await;
    assert_eq!(place.back_door.texts(kinds).await.join(" "), "keep_task match_referral");
    let offer = new_offer();
    record(&place.store, id, &offered(offer), 2).await;
    let all = "chase_offer chase_offer keep_task match_referral send_offer_mail";
    assert_eq!(place.back_door.texts(kinds).await.join(" "), all);
    let mails = place.store.mails(id).await.unwrap();
    assert_eq!((mails.len(), mails[0].offer, mails[0].state.as_str()), (1, Some(offer), "asked"));
    let worried = Event::Partner { offer, said: PartnerSaid::Accepted, note: None, risk: true };
    record(&place.store, id, &worried, 3).await;
    assert_eq!(place.back_door.number("select count(*) from river_job where kind = 'send_alert'").await, 1);
    assert_eq!(
        place.store.list(&ListFilter { which: Which::Waiting, ..ListFilter::default() }).await.unwrap().len(),
        1
    );
}

pub(crate) async fn an_attempt_that_lost_changes_nothing(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let job = place.back_door.number("select id from river_job where kind = 'match_referral'").await;
    place.back_door.run("update river_job set state = 'running' where kind = 'match_referral'").await;
    let mut tx = place.store.begin().await.unwrap();
    tx.record(id, &matched(), None, at(1), at(1)).await.unwrap();
    tx.complete(job).await.unwrap();
    tx.commit().await.unwrap();
    let before = (place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await);

    let mut tx = place.store.begin().await.unwrap();
    tx.record(id, &offered(new_offer()), None, at(2), at(2)).await.unwrap();
    assert!(matches!(tx.complete(job).await, Err(StoreError::Queue(_))));
    drop(tx);
    assert_eq!((place.back_door.number(JOBS).await, place.back_door.number(EVENTS).await), before);
}

pub(crate) async fn two_records_at_once_both_stand_in_order(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    record(&place.store, id, &matched(), 1).await;
    let offer = new_offer();
    record(&place.store, id, &offered(offer), 2).await;
    // The partner answers while the practice withdraws: whichever comes first, both are whole.
    let answer = Event::Partner { offer, said: PartnerSaid::Accepted, note: None, risk: true };
    let (one, other) = tokio::join!(
        record(&place.store, id, &answer, 3),
        record(&place.store, id, &Event::Withdrawn { by: Actor::Practice }, 3)
    );
    assert!(one.0.offers.len() == 1 && other.0.offers.len() == 1);
    let standing = place.store.standing(id).await.unwrap().unwrap();
    assert_eq!(standing.seq, 5);
    assert!(matches!(standing.episode.offers[0].status, OfferStatus::Cancelled(_)));
    assert_eq!(place.store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

pub(crate) async fn two_polls_at_once_take_a_referral_in_once(place: &Place) {
    let sent = referral("sr-1", "1");
    let (one, other) = tokio::join!(take_in(&place.store, &sent, facts(), 1), take_in(&place.store, &sent, facts(), 1));
    let news = [one, other].iter().filter(|t| matches!(t, TakenIn::New(_))).count();
    assert_eq!((news, place.back_door.number("select count(*) from referral").await), (1, 1));
}

pub(crate) async fn the_counts_sum_to_what_was_received(place: &Place) {
    for n in 0..5 {
        let id = received(&place.store, &format!("sr-{n}")).await;
        if n > 0 {
            record(&place.store, id, &matched(), 1).await;
        }
        if n > 2 {
            record(&place.store, id, &Event::Withdrawn { by: Actor::Practice }, 2).await;
        }
    }
    let mut seen = Vec::new();
    let found = place.store.verify(|done, all| seen.push((done, all))).await.unwrap();
    assert_eq!((found.referrals, found.events, found.problems), (5, 11, vec![]));
    let states: Vec<(&str, u64)> = found.states.iter().map(|(state, n)| (state.as_str(), *n)).collect();
    assert_eq!(states, [("proposed", 2), ("received", 1), ("withdrawn", 2)]);
    assert_eq!(seen.last(), Some(&(5, 5)));
}

pub(crate) async fn verify_finds_what_was_tampered_with(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    record(&place.store, id, &matched(), 1).await;
    record(&place.store, id, &Event::Withdrawn { by: Actor::Practice }, 2).await;
    for (fault, repair, told) in [
        (
            "update referral set episode = replace(episode, 'south-leeds', 'north-leeds')",
            "update referral set episode = replace(episode, 'north-leeds', 'south-leeds')",
            "not what its events give",
        ),
        ("update referral set state = 'held'", "update referral set state = 'withdrawn'", "elsewhere"),
        ("update event set seq = 9 where seq = 2", "update event set seq = 2 where seq = 9", "not numbered 1 to 3"),
        ("update event set version = 7 where seq = 2", "update event set version = 1 where seq = 2", "version 7"),
        ("update referral set seq = 4", "update referral set seq = 3", "not numbered 1 to 4"),
    ] {
        assert!(place.back_door.run(fault).await > 0, "{fault}");
        let problems = place.store.verify(|_, _| {}).await.unwrap().problems;
        assert!(problems.iter().any(|p| p.contains(told)), "{fault}: {problems:?}");
        assert!(place.back_door.run(repair).await > 0);
        assert_eq!(place.store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new(), "{repair}");
    }
    place.back_door.run("delete from event where seq = 3").await;
    assert!(!place.store.verify(|_, _| {}).await.unwrap().problems.is_empty(), "an event was deleted");
    place.back_door.run("delete from referral").await;
    let lost = place.store.verify(|_, _| {}).await.unwrap();
    assert_eq!(lost.referrals, 1);
    assert!(lost.problems.iter().any(|p| p.contains("stands nowhere")), "{:?}", lost.problems);
    assert!(lost.problems.iter().any(|p| p.contains("sum to 0")), "{:?}", lost.problems);
}

pub(crate) async fn a_list_shows_the_need_that_gives_the_state(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let placed = |need: &str, place: Goes| Placed { need: need.into(), place };
    let needs = vec![
        placed("gardening", Goes::Propose("allotment".into())),
        placed("befriending", Goes::Propose("tea-club".into())),
        placed("debt-advice", Goes::Propose("money-shop".into())),
    ];
    record(&place.store, id, &Event::Matched { needs, safety: false }, 1).await;
    record(&place.store, id, &offered(new_offer()), 2).await;
    // The first need is with a partner now; the second waits for a person, and is shown, since it waited first.
    let row = || async { place.store.list(&ListFilter::default()).await.unwrap().remove(0) };
    let proposed = row().await;
    assert_eq!((proposed.state.as_str(), proposed.need.as_str(), proposed.since), ("proposed", "befriending", at(1)));
    let keep = Event::Decided {
        need: "debt-advice".into(),
        decision: wellbridge::referral::event::Decision::KeepBack,
        by: Actor::Coordinator("amina".into()),
        note: None,
    };
    record(&place.store, id, &keep, 9).await;
    let held = row().await;
    assert_eq!((held.state.as_str(), held.need.as_str(), held.since), ("held", "debt-advice", at(9)));
    assert_eq!(held.hold, Some(Hold::Coordinator));
}

pub(crate) async fn jobs_due_by_a_clock_that_was_moved_are_brought_forward(place: &Place) {
    let mut tx = place.store.begin().await.unwrap();
    let later: jiff::Timestamp = "2099-01-01T09:00:00Z".parse().unwrap();
    let job = wellbridge::store::queue::ReadAgain { referral: new_id() };
    tx.enqueue(job, wellbridge::store::queue::due(later)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.jobs_waiting().await.unwrap(), 0);
    assert_eq!(place.store.bring_forward("2098-12-31T09:00:00Z".parse().unwrap()).await.unwrap(), 0);
    assert_eq!(place.store.bring_forward(later).await.unwrap(), 1);
    assert_eq!(place.store.jobs_waiting().await.unwrap(), 1);
}
