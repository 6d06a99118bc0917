//! Every state has words of its own, and they read well.

use std::collections::BTreeSet;

use super::*;

/// Every variant by its stored word, so that the list is checked against what serde knows.
fn all<T: serde::de::DeserializeOwned>(words: &[&str]) -> Vec<T> {
    words.iter().map(|w| serde_json::from_str(&format!("\"{w}\"")).expect(w)).collect()
}

#[test]
fn every_hold_says_in_words_why_it_waits_and_no_two_say_the_same() {
    let holds: Vec<Hold> = all(&[
        "safety",
        "consent-declined",
        "consent-missing",
        "urgent",
        "contact-prohibited",
        "contact-unclear",
        "restricted",
        "deceased",
        "left-practice",
        "unreadable-request",
        "no-subject",
        "bad-nhs-number",
        "patient-unreadable",
        "not-active",
        "need-unclear",
        "no-service",
        "no-email",
        "second-best",
        "tries-exhausted",
        "person-declined",
        "unreachable",
        "partner-failed",
        "not-all-read",
        "coordinator",
    ]);
    assert_eq!(holds.len(), Hold::Coordinator as usize + 1, "a new hold must be read here");
    let tags: BTreeSet<_> = holds.iter().map(|h| hold(*h).0).collect();
    let lines: BTreeSet<_> = holds.iter().map(|h| hold(*h).1).collect();
    assert_eq!((tags.len(), lines.len()), (holds.len(), holds.len()));
    assert!(tags.iter().all(|t| !t.is_empty() && t.len() <= 24 && !t.contains('-')), "{tags:?}");
    assert!(lines.iter().all(|l| l.ends_with('.') && l.len() <= 90), "{lines:?}");
}

#[test]
fn every_ending_alert_and_matter_has_words_of_its_own() {
    let closings: Vec<Closed> = all(&[
        "finished",
        "met-by-coordinator",
        "no-service",
        "person-declined",
        "declined-social-prescribing",
        "unreachable",
        "not-for-us",
        "other",
    ]);
    assert_eq!(closings.len(), Closed::Other as usize + 1);
    assert_eq!(closings.iter().map(|c| closed(*c)).collect::<BTreeSet<_>>().len(), closings.len());
    let alerts: Vec<Alert> = all(&[
        "safety",
        "risk-reported",
        "cancellation-undelivered",
        "sent-again",
        "changed-after-acceptance",
        "question",
        "waits-too-long",
        "filing-refused",
        "given-up",
        "edge-failing",
    ]);
    assert_eq!(alerts.len(), Alert::EdgeFailing as usize + 1);
    assert_eq!(alerts.iter().map(|a| alert(*a)).collect::<BTreeSet<_>>().len(), alerts.len());
    let matters: Vec<AttentionKind> = all(&[
        "risk",
        "cancellation-undelivered",
        "another-person",
        "changed-after-acceptance",
        "question",
        "late-yes",
        "sent-again",
        "filing-refused",
    ]);
    assert_eq!(matters.len(), AttentionKind::FilingRefused as usize + 1);
    assert_eq!(matters.iter().map(|m| attention(*m).0).collect::<BTreeSet<_>>().len(), matters.len());
}

#[test]
fn a_no_on_the_timeline_says_why_and_that_somebody_worries() {
    let offer = crate::referral::OfferId::from_uuid(uuid::Uuid::nil());
    let no = Event::Partner { offer, said: PartnerSaid::Rejected(Reason::Capacity), note: None, risk: true };
    assert_eq!(event(&no).0, "The partner said no: no room at the moment, and is worried about safety");
    let close = Event::Decided {
        need: "befriending".into(),
        decision: Decision::Close(Closed::NoService),
        by: Actor::Coordinator("amira".into()),
        note: None,
    };
    assert_eq!(event(&close), ("Closed: There is no service for it".to_owned(), Some("amira".to_owned())));
}
