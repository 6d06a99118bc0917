//! What was erased stays erased: a practice may touch its request years later, and nothing personal comes back.

use wellbridge::random;
use wellbridge::referral::content::RequestStatus;
use wellbridge::referral::episode::{Actor, Closed, Hold};
use wellbridge::referral::event::{Alert, Decision, Event};
use wellbridge::referral::facts::{ConsentPolicy, facts as read_facts};
use wellbridge::referral::{NoteId, Referral, ReferralId};
use wellbridge::store::{NewNote, TakenIn};

use super::Place;
use super::fixtures::{
    IDENTIFIERS, at, fhir, matched, new_id, programme, received, record, referral, take_in, unreadable,
};

/// A year and a day later, in minutes.
const LATER: i64 = 366 * 24 * 60;

async fn poll(place: &Place, referral: &Referral, minute: i64) -> TakenIn {
    take_in(&place.store, referral, read_facts(referral, ConsentPolicy::Recorded), minute).await
}

async fn poll_unreadable(place: &Place, version: &str, minute: i64) -> TakenIn {
    let mut tx = place.store.begin().await.unwrap();
    let entry = unreadable("sr-1", version, Hold::NoSubject);
    let taken = tx.take_in_unreadable(new_id(), &programme(), &entry, &fhir(), at(minute)).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

/// A coordinator closes a need, with words of her own.
async fn close(place: &Place, id: ReferralId, need: &str, minute: i64) {
    let note = NoteId::from_uuid(random::uuid());
    let words = "Mrs Barraclough, 0113 496 0117, has moved to her sister's";
    let programme = programme();
    let new =
        NewNote { id: note, referral: id, programme: &programme, offer: None, kind: "close", author: "jo", words };
    let mut tx = place.store.begin().await.unwrap();
    tx.put_note(&new, at(minute)).await.unwrap();
    let by = Actor::Coordinator("jo".into());
    let close =
        Event::Decided { need: need.into(), decision: Decision::Close(Closed::MetByCoordinator), by, note: Some(note) };
    tx.record(id, &close, None, at(minute), at(minute)).await.unwrap();
    tx.commit().await.unwrap();
}

/// Erases what is past retention, which must be this referral.
async fn erase(place: &Place, id: ReferralId, minute: i64) {
    let erasable = place.store.past_retention(&programme(), at(minute), 10).await.unwrap();
    assert_eq!(erasable, [id]);
    let mut tx = place.store.begin().await.unwrap();
    tx.erase(&erasable).await.unwrap();
    tx.commit().await.unwrap();
}

/// A referral that was closed, and of which nothing personal is left.
async fn erased(place: &Place) -> ReferralId {
    let id = received(&place.store, "sr-1").await;
    record(&place.store, id, &matched(), 1).await;
    close(place, id, "gardening", 2).await;
    erase(place, id, LATER).await;
    nothing_personal_is_left(place, "right after").await;
    id
}

async fn nothing_personal_is_left(place: &Place, when: &str) {
    for table in place.back_door.tables().await {
        let dump = place.back_door.dump(&table).await;
        let found: Vec<&&str> = IDENTIFIERS.iter().filter(|id| dump.contains(**id)).collect();
        assert!(found.is_empty(), "{when}: {table} holds {found:?}");
    }
    for table in ["referral_content", "raw_input", "raw_body", "note"] {
        assert_eq!(place.back_door.dump(table).await, "", "{when}: {table}");
    }
    assert_eq!(place.store.past_retention(&programme(), at(10 * LATER), 10).await.unwrap(), [], "{when}");
}

async fn events(place: &Place, id: ReferralId) -> usize {
    place.store.events(id).await.unwrap().len()
}

pub(crate) async fn a_request_that_asks_again_after_it_was_erased_is_told_once_and_not_kept(place: &Place) {
    let id = erased(place).await;
    let before = events(place, id).await;
    assert_eq!(poll(place, &referral("sr-1", "1"), LATER + 1).await, TakenIn::Same, "it may still be in the overlap");
    let mut again = referral("sr-1", "2");
    again.reasons[0].text = "Lonely since Derek died. Would like to learn to swim.".into();
    assert_eq!(poll(place, &again, LATER + 2).await, TakenIn::Changed(id));
    nothing_personal_is_left(place, "asked again").await;
    let alerts: Vec<Alert> = place.store.alerts_of(id).await.unwrap().iter().map(|alert| alert.kind).collect();
    assert_eq!(alerts, [Alert::SentAgain], "a person looks at the practice's own record");
    for minute in 3..6 {
        assert_eq!(poll(place, &again, LATER + minute).await, TakenIn::Same, "each version once");
    }
    assert_eq!((events(place, id).await, place.store.alerts_of(id).await.unwrap().len()), (before + 1, 1));
    assert_eq!(place.store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

pub(crate) async fn what_was_erased_does_not_come_back_with_any_other_touch(place: &Place) {
    let id = erased(place).await;
    let statuses = [
        RequestStatus::Completed,
        RequestStatus::OnHold,
        RequestStatus::Draft,
        RequestStatus::Unknown,
        RequestStatus::EnteredInError,
        RequestStatus::Revoked,
    ];
    for (status, minute) in statuses.into_iter().zip((LATER + 10..).step_by(10)) {
        let mut touched = referral("sr-1", &format!("version {minute}"));
        touched.status = status;
        poll(place, &touched, minute).await;
        let (once, jobs) = (events(place, id).await, place.back_door.number("select count(*) from river_job").await);
        assert_eq!(poll(place, &touched, minute + 1).await, TakenIn::Same, "{status:?}");
        assert_eq!(events(place, id).await, once, "{status:?}: each version once");
        assert_eq!(place.back_door.number("select count(*) from river_job").await, jobs, "{status:?}");
        let standing = place.store.standing(id).await.unwrap().unwrap();
        assert_eq!((standing.episode.state().as_str(), standing.source.version), ("closed", touched.source.version));
        nothing_personal_is_left(place, &format!("{status:?}")).await;
    }
    assert_eq!(poll_unreadable(place, "unreadable", LATER + 100).await, TakenIn::Changed(id));
    assert_eq!(poll_unreadable(place, "unreadable", LATER + 101).await, TakenIn::Same);
    nothing_personal_is_left(place, "unreadable").await;
    assert_eq!(place.store.alerts_of(id).await.unwrap(), [], "nobody is woken");
    assert_eq!(place.store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

pub(crate) async fn taking_back_what_was_withdrawn_and_erased_does_no_harm(place: &Place) {
    let id = received(&place.store, "sr-1").await;
    let mut revoked = referral("sr-1", "2");
    revoked.status = RequestStatus::Revoked;
    assert_eq!(poll(place, &revoked, 5).await, TakenIn::Withdrawn(id));
    erase(place, id, LATER).await;
    let before = events(place, id).await;
    for version in ["2", "3", "3"] {
        revoked.source.version = version.into();
        assert_eq!(poll(place, &revoked, LATER + 5).await, TakenIn::Same, "{version}");
    }
    assert_eq!(events(place, id).await, before);
    nothing_personal_is_left(place, "withdrawn").await;
    // Asked for after all: it stays withdrawn, and a person is told.
    assert_eq!(poll(place, &referral("sr-1", "4"), LATER + 6).await, TakenIn::Changed(id));
    assert_eq!(place.store.standing(id).await.unwrap().unwrap().episode.state().as_str(), "withdrawn");
    assert_eq!(place.store.alerts_of(id).await.unwrap().len(), 1);
    nothing_personal_is_left(place, "asked for again").await;
}

pub(crate) async fn what_could_never_be_read_and_is_not_erased_is_read_when_it_is_put_right(place: &Place) {
    let TakenIn::New(id) = poll_unreadable(place, "1", 0).await else { panic!("not new") };
    close(place, id, wellbridge::referral::episode::UNREAD, 1).await;
    assert_eq!(poll(place, &referral("sr-1", "2"), 5).await, TakenIn::Changed(id));
    assert!(place.store.content(id).await.unwrap().is_some(), "closed, and still within its retention");
}

pub(crate) async fn a_practice_systems_words_that_come_after_the_erasure_are_erased_too(place: &Place) {
    let id = erased(place).await;
    let filing = place.store.standing(id).await.unwrap().unwrap().episode.filings[0].id;
    let mut tx = place.store.begin().await.unwrap();
    let refusal = Some("Patient Alison Barraclough is not registered here");
    tx.settle_filing(filing, id, &programme(), &[], refusal, at(LATER + 1)).await.unwrap();
    tx.record(id, &Event::FilingRefused { filing }, None, at(LATER + 1), at(LATER + 1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.past_retention(&programme(), at(LATER), 10).await.unwrap(), [], "kept its time again");
    erase(place, id, 2 * LATER).await;
    nothing_personal_is_left(place, "refused").await;
}
