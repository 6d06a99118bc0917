//! Personal data stands in the personal tables and nowhere else: the ledger, the jobs and the rest can be kept, backed
//! up and looked at without knowing who anybody is.

use wellbridge::random;
use wellbridge::referral::NoteId;
use wellbridge::referral::event::{Alert, Event, OfferMail, PartnerSaid};
use wellbridge::store::{ListFilter, NewNote};

use super::Place;
use super::fixtures::{
    IDENTIFIERS, at, fhir, matched, new_id, new_offer, offered, programme, received, record, referral, take_in,
    unreadable,
};

/// Erasable, by the migration's own list.
const PERSONAL: [&str; 7] =
    ["referral_content", "raw_body", "raw_input", "note", "score", "match_result", "filing_result"];

pub(crate) async fn personal_data_stands_in_the_personal_tables_only(place: &Place) {
    walk_the_road(place).await;
    let tables = place.back_door.tables().await;
    assert!(tables.iter().any(|t| t == "event") && tables.iter().any(|t| t == "river_job"), "{tables:?}");
    let mut found_where_they_belong = 0;
    for table in tables {
        let dump = place.back_door.dump(&table).await;
        let found: Vec<&&str> = IDENTIFIERS.iter().filter(|id| dump.contains(**id)).collect();
        if PERSONAL.contains(&table.as_str()) {
            found_where_they_belong += found.len();
        } else {
            assert!(found.is_empty(), "{table} holds {found:?}");
        }
    }
    assert!(found_where_they_belong > 5, "the search finds nothing at all");
}

/// Drives a referral from intake to support, with words from everybody.
pub(super) async fn walk_the_road(place: &Place) {
    let store = &place.store;
    let id = received(store, "sr-1").await;
    let offer = new_offer();
    record(store, id, &matched(), 1).await;
    record(store, id, &offered(offer), 2).await;
    record(store, id, &Event::Mailed { offer, mail: OfferMail::Offer, outcome_unknown: true }, 3).await;
    for (minute, said) in
        [PartnerSaid::Accepted, PartnerSaid::Asked, PartnerSaid::Started, PartnerSaid::Finished].into_iter().enumerate()
    {
        let note = NoteId::from_uuid(random::uuid());
        let minute = 4 + i64::try_from(minute).unwrap();
        let mut tx = store.begin().await.unwrap();
        let words = "Mrs Barraclough, 0113 496 0117, is at 17 Moorcroft LS11 8QT since Derek died";
        let new = NewNote {
            id: note,
            referral: id,
            programme: &programme(),
            offer: Some(offer),
            kind: "question",
            author: "partner",
            words,
        };
        tx.put_note(&new, at(minute)).await.unwrap();
        let event = Event::Partner { offer, said, note: Some(note), risk: said == PartnerSaid::Asked };
        tx.record(id, &event, None, at(minute), at(minute)).await.unwrap();
        tx.raise(&programme(), Some(id), Alert::GivenUp, at(minute)).await.unwrap();
        tx.commit().await.unwrap();
    }
    let filing = store.standing(id).await.unwrap().unwrap().episode.filings[0].id;
    let mut tx = store.begin().await.unwrap();
    let refusal = Some("Patient Alison Barraclough is not registered here");
    tx.settle_filing(filing, id, &programme(), &[], refusal, at(9)).await.unwrap();
    tx.record(id, &Event::FilingRefused { filing }, None, at(9), at(9)).await.unwrap();
    let entry = unreadable("sr-2", "1", wellbridge::referral::episode::Hold::NoSubject);
    tx.take_in_unreadable(new_id(), &programme(), &entry, &fhir(), at(9)).await.unwrap();
    tx.commit().await.unwrap();
    let mut newer = referral("sr-1", "2");
    newer.patient.deceased = true;
    take_in(
        store,
        &newer,
        wellbridge::referral::facts::facts(&newer, wellbridge::referral::facts::ConsentPolicy::Recorded),
        10,
    )
    .await;
    assert_eq!(store.list(&ListFilter::default()).await.unwrap().len(), 2);
}
