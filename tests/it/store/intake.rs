//! Taking in what a practice sends: new, changed, the same, taken back, unreadable; once each.

use wellbridge::referral::content::RequestStatus;
use wellbridge::referral::episode::{Facts, Hold, NeedState, ReferralState};
use wellbridge::referral::facts::{ConsentPolicy, facts as read_facts};
use wellbridge::referral::{Referral, ReferralId};
use wellbridge::store::{ListFilter, Store, TakenIn};

use super::Place;
use super::fixtures::{
    PATIENT, at, facts, fhir, matched, new_id, new_offer, offered, programme, raw, received, record, referral, take_in,
    unreadable,
};

async fn state(store: &Store, id: ReferralId) -> ReferralState {
    store.standing(id).await.unwrap().unwrap().episode.state()
}

async fn events(store: &Store, id: ReferralId) -> usize {
    store.events(id).await.unwrap().len()
}

/// Takes it in with the facts that intake reads in it.
async fn poll(place: &Place, referral: &Referral, minute: i64) -> TakenIn {
    take_in(&place.store, referral, read_facts(referral, ConsentPolicy::Recorded), minute).await
}

pub(crate) async fn a_new_referral_is_taken_in_once(place: &Place) {
    let sent = referral("sr-1", "1");
    let id = received(&place.store, "sr-1").await;
    let standing = place.store.standing(id).await.unwrap().unwrap();
    assert_eq!((standing.seq, standing.source, standing.received), (1, sent.source.clone(), at(0)));
    assert_eq!(standing.episode.state(), ReferralState::Received);
    assert_eq!(place.store.content(id).await.unwrap(), Some(sent.clone()));
    // Another practice may use the same id for another request.
    let mut elsewhere = sent;
    elsewhere.source.practice = "park-edge".into();
    assert!(matches!(poll(place, &elsewhere, 1).await, TakenIn::New(other) if other != id));
}

pub(crate) async fn the_same_version_again_is_nothing_new(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    assert_eq!(poll(place, &referral("sr-1", "1"), 5).await, TakenIn::Same);
    assert_eq!(events(&place.store, id).await, 1);
    // It was read all the same: the daily reading need not come again. (Within the hour that is not worth a write.)
    assert_eq!(place.store.to_read_again(at(5), 10).await.unwrap(), [id]);
    assert_eq!(poll(place, &referral("sr-1", "1"), 65).await, TakenIn::Same);
    assert_eq!(place.store.to_read_again(at(65), 10).await.unwrap(), []);
    assert_eq!(place.store.to_read_again(at(66), 10).await.unwrap(), [id]);
    // Asked for, it makes way for the others, also where its practice does not answer.
    let mut tx = place.store.begin().await.unwrap();
    tx.will_be_read_again(id, at(67)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.to_read_again(at(66), 10).await.unwrap(), []);
}

pub(crate) async fn a_newer_version_is_a_change(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut newer = referral("sr-1", "2");
    newer.reasons[0].text = "Lonely since Derek died. Would like to learn to swim.".into();
    assert_eq!(poll(place, &newer, 5).await, TakenIn::Changed(id));
    assert_eq!(events(&place.store, id).await, 2);
    assert_eq!(place.store.content(id).await.unwrap(), Some(newer));
    assert_eq!(place.store.standing(id).await.unwrap().unwrap().source.version, "2");
}

pub(crate) async fn a_death_is_news_though_the_request_kept_its_version(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    record(&place.store, id, &matched(), 1).await;
    record(&place.store, id, &offered(new_offer()), 2).await;
    let mut dead = referral("sr-1", "1");
    dead.patient.deceased = true;
    assert_eq!(poll(place, &dead, 5).await, TakenIn::Changed(id));
    let episode = place.store.standing(id).await.unwrap().unwrap().episode;
    assert_eq!(episode.facts.hold, Some(Hold::Deceased));
    assert!(episode.offers[0].status.is_final());
    assert_eq!(poll(place, &dead, 6).await, TakenIn::Same);
}

pub(crate) async fn a_task_taken_back_withdraws_though_the_request_kept_its_version(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut cancelled = referral("sr-1", "1");
    cancelled.status = RequestStatus::Revoked;
    assert_eq!(poll(place, &cancelled, 5).await, TakenIn::Withdrawn(id));
}

pub(crate) async fn our_own_task_seen_again_is_nothing_new(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut with_task = referral("sr-1", "1");
    with_task.source.task = Some("task-9".into());
    assert_eq!(poll(place, &with_task, 5).await, TakenIn::Same);
    let standing = place.store.standing(id).await.unwrap().unwrap();
    assert_eq!((standing.seq, standing.source.task.as_deref()), (1, Some("task-9")));
}

pub(crate) async fn a_withdrawal_is_taken_once_and_stays(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut revoked = referral("sr-1", "2");
    revoked.status = RequestStatus::EnteredInError;
    assert_eq!(poll(place, &revoked, 5).await, TakenIn::Withdrawn(id));
    assert_eq!(state(&place.store, id).await, ReferralState::Withdrawn);
    assert_eq!(poll(place, &revoked, 6).await, TakenIn::Same);
    // Sent again afterwards it stays withdrawn, and a person is told.
    assert_eq!(poll(place, &referral("sr-1", "3"), 7).await, TakenIn::Changed(id));
    assert_eq!((state(&place.store, id).await, events(&place.store, id).await), (ReferralState::Withdrawn, 3));
    assert_eq!(place.store.alerts_of(id).await.unwrap().len(), 1);
}

pub(crate) async fn a_withdrawal_of_what_we_never_knew_is_nothing(place: &Place) {
    let mut revoked = referral("sr-1", "1");
    revoked.status = RequestStatus::Revoked;
    assert_eq!(poll(place, &revoked, 0).await, TakenIn::NeverKnown);
    assert_eq!(place.back_door.number("select count(*) from referral").await, 0);
    assert_eq!(place.back_door.number("select count(*) from river_job").await, 0);
}

async fn poll_unreadable(place: &Place, version: &str, hold: Hold, minute: i64) -> TakenIn {
    let mut tx = place.store.begin().await.unwrap();
    let entry = unreadable("sr-1", version, hold);
    let taken = tx.take_in_unreadable(new_id(), &programme(), &entry, &fhir(), at(minute)).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

pub(crate) async fn an_unreadable_entry_is_held_once_and_goes_on_when_put_right(place: &Place) {
    let TakenIn::New(id) = poll_unreadable(place, "1", Hold::NoSubject, 0).await else { panic!("not new") };
    assert_eq!(poll_unreadable(place, "1", Hold::NoSubject, 1).await, TakenIn::Same);
    let row = &place.store.list(&ListFilter::default()).await.unwrap()[0];
    assert_eq!((row.id, row.state.as_str(), row.hold), (id, "held", Some(Hold::NoSubject)));
    assert!(row.explanation.as_deref().is_some_and(|why| why.contains("subject is missing")));
    assert_eq!(place.store.raw(id).await.unwrap().len(), 2);
    // The patient was put right; the request's own version stays.
    assert_eq!(poll(place, &referral("sr-1", "1"), 5).await, TakenIn::Changed(id));
    let row = &place.store.list(&ListFilter::default()).await.unwrap()[0];
    assert_eq!((row.state.as_str(), row.explanation.as_deref()), ("received", None));
}

pub(crate) async fn a_patient_who_cannot_be_read_any_more_holds_a_known_referral(place: &Place) {
    let mut careful = referral("sr-1", "1");
    careful.safe_contact = wellbridge::referral::SafeContact::Prohibited;
    let TakenIn::New(id) = poll(place, &careful, 0).await else { panic!("not new") };
    assert_eq!(poll_unreadable(place, "1", Hold::BadNhsNumber, 5).await, TakenIn::Changed(id));
    let episode = place.store.standing(id).await.unwrap().unwrap().episode;
    assert_eq!(episode.needs[0].state, NeedState::Held(Hold::BadNhsNumber));
    assert!(episode.facts.contact_prohibited, "what was known about contact is not forgotten");
    assert_eq!(poll_unreadable(place, "1", Hold::BadNhsNumber, 6).await, TakenIn::Same);
}

pub(crate) async fn history_is_held_until_the_practice_makes_it_active(place: &Place) {
    let mut done = referral("sr-1", "1");
    done.status = RequestStatus::Completed;
    let TakenIn::New(id) = poll(place, &done, 0).await else { panic!("not new") };
    assert_eq!(state(&place.store, id).await, ReferralState::Held);
    assert_eq!(poll(place, &done, 1).await, TakenIn::Same);
    assert_eq!(poll(place, &referral("sr-1", "2"), 2).await, TakenIn::Changed(id));
    assert_eq!(state(&place.store, id).await, ReferralState::Received);
    // Ticked off while it is on its way: it goes on.
    done.source.version = "3".into();
    assert_eq!(poll(place, &done, 3).await, TakenIn::Changed(id));
    assert_eq!(place.store.standing(id).await.unwrap().unwrap().episode.facts.hold, None);
}

pub(crate) async fn every_whole_input_is_kept_and_each_text_once(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut moved = referral("sr-1", "1");
    moved.patient.name = Some("Alison Barraclough-Shaw".into());
    let request = fhir().documents[0].clone();
    let renamed = PATIENT.replace("Barraclough", "Barraclough-Shaw");
    let mut tx = place.store.begin().await.unwrap();
    let documents = raw(&[&request, &renamed]);
    let facts: Facts = facts();
    assert_eq!(
        tx.take_in(new_id(), &programme(), &moved, facts, &documents, at(5)).await.unwrap(),
        TakenIn::Changed(id)
    );
    tx.commit().await.unwrap();
    let kept = place.store.raw(id).await.unwrap();
    assert_eq!(kept, [request.as_str(), &renamed, &request, PATIENT]);
    assert_eq!(place.back_door.number("select count(*) from raw_body").await, 3);
}
