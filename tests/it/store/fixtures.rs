//! One person's referral, with identifiers that a search can find wherever they do not belong.

use jiff::Timestamp;
use wellbridge::practice::{RawFhir, Unreadable};
use wellbridge::random;
use wellbridge::referral::content::{
    Address, ContactPoint, ContactSystem, Priority, ReasonFrom, RequestStatus, Requester, TaskState,
};
use wellbridge::referral::episode::{Actor, Episode, Facts, Hold};
use wellbridge::referral::event::{Effect, Event, Place as Goes, Placed};
use wellbridge::referral::{
    Consent, NhsNumber, OfferId, Ons4, Patient, ProgrammeId, Reason, Referral, ReferralId, SafeContact, Score, Sharing,
    Source,
};
use wellbridge::store::{Appended, Store, TakenIn};

/// Everything that could give the person away.
pub(crate) const IDENTIFIERS: [&str; 9] = [
    "Barraclough",
    "9990000026",
    "999 000 0026",
    "LS11 8QT",
    "17 Moorcroft",
    "0113 496 0117",
    "alison.b@mail.example",
    "since Derek died",
    "1942-03-09",
];

/// `minute` minutes into a Tuesday morning.
pub(crate) fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_795_597_200 + minute * 60).unwrap()
}

pub(crate) fn new_id() -> ReferralId {
    ReferralId::from_uuid(random::uuid())
}

pub(crate) fn programme() -> ProgrammeId {
    "south-leeds".into()
}

pub(crate) fn facts() -> Facts {
    Facts { sharing: Sharing::Full, ..Facts::default() }
}

/// Alison Barraclough's referral, at a version of the practice's request.
pub(crate) fn referral(request: &str, version: &str) -> Referral {
    let score = |n: u8| Score::try_from(n).unwrap();
    let phone = ContactPoint { system: ContactSystem::Phone, value: "0113 496 0117".into(), kind: None };
    let email = ContactPoint { system: ContactSystem::Email, value: "alison.b@mail.example".into(), kind: None };
    Referral {
        source: Source { practice: "beech-lane".into(), request: request.into(), task: None, version: version.into() },
        status: RequestStatus::Active,
        task: TaskState::Open,
        authored: Some(at(-60)),
        priority: Priority::Routine,
        patient: Patient {
            nhs_number: Some(NhsNumber::parse("999 000 0026").unwrap()),
            name: Some("Alison Barraclough".into()),
            birth_date: Some("1942-03-09".parse().unwrap()),
            address: Some(Address {
                lines: vec!["17 Moorcroft".into()],
                city: Some("Leeds".into()),
                postcode: Some("LS11 8QT".into()),
            }),
            contacts: vec![phone, email],
            ..Patient::default()
        },
        practice_name: Some("Beech Lane Surgery".into()),
        requester: Some(Requester { name: "Dr Okafor".into(), phone: None }),
        reasons: vec![Reason {
            from: ReasonFrom::Note,
            code: None,
            text: "Lonely since Derek died. Used to love her allotment.".into(),
        }],
        beside: Vec::new(),
        unread: Vec::new(),
        consent: Consent::Given,
        safe_contact: SafeContact::Open,
        sharing: Sharing::Full,
        baseline: Some(Ons4 { satisfied: score(3), worthwhile: score(4), happy: score(2), anxious: score(7) }),
    }
}

/// The FHIR it came in.
pub(crate) fn fhir() -> RawFhir {
    raw(&[r#"{"resourceType":"ServiceRequest","note":[{"text":"Lonely since Derek died."}]}"#, PATIENT])
}

pub(crate) const PATIENT: &str =
    r#"{"resourceType":"Patient","name":[{"text":"Alison Barraclough"}],"birthDate":"1942-03-09"}"#;

pub(crate) fn raw(documents: &[&str]) -> RawFhir {
    RawFhir { documents: documents.iter().map(|&d| d.to_owned()).collect(), ..RawFhir::default() }
}

/// An entry that could not be read.
pub(crate) fn unreadable(request: &str, version: &str, hold: Hold) -> Unreadable {
    Unreadable {
        source: referral(request, version).source,
        hold,
        explanation: "The request names no patient (subject is missing). Add the patient and send it again.".into(),
    }
}

/// Takes in one version, alone in its transaction.
pub(crate) async fn take_in(store: &Store, referral: &Referral, facts: Facts, minute: i64) -> TakenIn {
    let mut tx = store.begin().await.unwrap();
    let taken = tx.take_in(new_id(), &programme(), referral, facts, &fhir(), at(minute)).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

/// Takes in a good referral; its id.
pub(crate) async fn received(store: &Store, request: &str) -> ReferralId {
    match take_in(store, &referral(request, "1"), facts(), 0).await {
        TakenIn::New(id) => id,
        other => panic!("not new: {other:?}"),
    }
}

/// Records an event, alone in its transaction.
pub(crate) async fn record(store: &Store, id: ReferralId, event: &Event, minute: i64) -> (Episode, Vec<Effect>) {
    let mut tx = store.begin().await.unwrap();
    let appended = tx.record(id, event, None, at(minute), at(minute)).await.unwrap();
    tx.commit().await.unwrap();
    match appended {
        Appended::Now(episode, effects) => (*episode, effects),
        Appended::Already => panic!("{event:?} was recorded before"),
    }
}

/// The matcher proposes the allotment.
pub(crate) fn matched() -> Event {
    let needs = vec![Placed { need: "gardening".into(), place: Goes::Propose("allotment".into()) }];
    Event::Matched { needs, safety: false }
}

/// The allotment is asked.
pub(crate) fn offered(offer: OfferId) -> Event {
    Event::Offered {
        need: "gardening".into(),
        offer,
        service: "allotment".into(),
        partner: "leeds-gardens".into(),
        by: Actor::Machine,
        remind_at: at(3 * 24 * 60),
        reply_by: at(5 * 24 * 60),
        note: None,
    }
}

pub(crate) fn new_offer() -> OfferId {
    OfferId::from_uuid(random::uuid())
}
