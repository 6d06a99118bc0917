//! Matching over stories of its own; `tests/it/matching.rs` reads the dev referrals.

mod safety;
mod services;

use std::sync::LazyLock;

use jiff::civil::date;

use super::*;
use crate::{
    directory::feed,
    referral::{
        Consent, NhsNumber, Patient, Reason, SafeContact, Sharing, Source,
        content::{Address, Gender, Priority, ReasonFrom, RequestStatus, TaskState},
    },
};

/// Loaded once for all tests.
static MATCHER: LazyLock<Matcher> = LazyLock::new(|| Matcher::built_in().unwrap());
static DIRECTORY: LazyLock<Directory> = LazyLock::new(|| {
    let reading = feed::from_json(include_str!("../../tests/eval/services-feed.json")).unwrap();
    assert_eq!((reading.services.len(), reading.bad.len()), (320, 0));
    Directory::new(reading.services)
});

/// A referral of one note about a woman of 46 in Leeds, with consent.
fn note(text: &str) -> Referral {
    Referral {
        source: Source { practice: "p".into(), request: "r".to_owned(), task: None, version: "1".to_owned() },
        status: RequestStatus::Active,
        task: TaskState::Open,
        authored: None,
        priority: Priority::Routine,
        patient: Patient {
            nhs_number: NhsNumber::parse("9990300127").ok(),
            name: Some("Alison Barraclough".to_owned()),
            birth_date: Some(date(1980, 5, 1)),
            gender: Some(Gender::Female),
            address: Some(Address {
                lines: Vec::new(),
                city: Some("Leeds".to_owned()),
                postcode: Some("LS15 7DJ".to_owned()),
            }),
            ..Patient::default()
        },
        practice_name: None,
        requester: None,
        reasons: vec![Reason { from: ReasonFrom::Note, code: None, text: text.to_owned() }],
        beside: Vec::new(),
        unread: Vec::new(),
        consent: Consent::Given,
        safe_contact: SafeContact::Open,
        sharing: Sharing::CodesOnly,
        baseline: None,
    }
}

#[test]
fn the_same_referral_always_gets_the_same_answer() {
    let (matcher, directory) = (&*MATCHER, &*DIRECTORY);
    let referral = note("Would like a walking group or a choir, and help with PIP.");
    let once = matcher.match_referral(&referral, directory, date(2026, 11, 24));
    let again = Matcher::built_in().unwrap().match_referral(&referral, directory, date(2026, 11, 24));
    assert_eq!(once, again);
}

#[test]
fn the_kind_of_help_reveals_nothing_sensitive() {
    let matcher = &*MATCHER;
    assert!(matcher.needs().len() >= 32);
    for need in matcher.needs() {
        let kind = need.kind_of_help.to_lowercase();
        for word in ["abuse", "alcohol", "drug", "asylum", "suicid", "mental", "homeless", "debt", "autis", "violence"]
        {
            assert!(!kind.contains(word), "{}: {kind}", need.code);
        }
    }
}

#[test]
fn a_mistake_in_a_mapping_is_named_with_its_file() {
    let good = Sources::default();
    for (sources, words) in [
        (Sources { needs: "need = 1", ..good }, "needs.toml"),
        (Sources { safety: "[clear]\nbefore = []", ..good }, "safety.toml"),
        (
            Sources { reading: "want = [\"(a\"]\nnot_before=[]\nnot_after=[]\nkeep=[]\npast=[]\nturn=[]", ..good },
            "want",
        ),
    ] {
        let error = Matcher::new(&sources).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
