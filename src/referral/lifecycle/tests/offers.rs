//! What becomes of an offer: the table of the design, what a partner may say when, lateness, bounces, who may ask.

use super::*;

/// One of each status, in the order of the table below.
const STATUSES: [OfferStatus; 9] = [
    OfferStatus::Requested,
    OfferStatus::Accepted,
    OfferStatus::InProgress,
    OfferStatus::OnHold,
    OfferStatus::Completed,
    OfferStatus::Failed(Reason::Other),
    OfferStatus::Rejected(Reason::Capacity),
    OfferStatus::Cancelled(Cause::Unanswered),
    OfferStatus::EnteredInError,
];

#[test]
fn an_offer_makes_the_moves_of_the_design_and_no_other() {
    // From (row) to (column): requested accepted in-progress on-hold completed failed rejected cancelled in-error
    let table = [
        "-a----rce", // requested
        "--ihcf-ce", // accepted
        "---hcf-ce", // in-progress
        "--i-cf-ce", // on-hold
        "--------e", // completed
        "--------e", // failed
        "--------e", // rejected
        "--------e", // cancelled
        "---------", // entered-in-error
    ];
    for (from, row) in STATUSES.iter().zip(table) {
        for (to, mark) in STATUSES.iter().zip(row.chars()) {
            assert_eq!(from.may_become(*to), mark != '-', "{from:?} -> {to:?}");
        }
    }
}

#[test]
fn what_a_partner_says_is_taken_only_where_it_makes_sense() {
    use PartnerSaid::{Accepted, Booked, DidNotAttend, Failed, Finished, OnHold, Rejected, Started};
    let requested = Road::offered();
    let accepted = Road::accepted();
    let started = Road::started();
    let paused = Road::accepted().then(&said(1, OnHold));
    let finished = Road::started().then(&said(1, Finished));
    let failed = Road::accepted().then(&said(1, Failed(Reason::Other)));
    let (no, full) = (Rejected(Reason::ServiceDeclined), Failed(Reason::Capacity));
    let done = Some(Refusal::AlreadyDone);
    let illegal = Some(Refusal::Illegal);
    for (name, road, words, refusal) in [
        ("requested", &requested, Accepted, None),
        ("requested", &requested, no, None),
        ("requested", &requested, Started, illegal),
        ("requested", &requested, OnHold, illegal),
        ("requested", &requested, Finished, illegal),
        ("requested", &requested, full, illegal),
        ("requested", &requested, Booked, illegal),
        ("accepted", &accepted, Accepted, done),
        ("accepted", &accepted, no, illegal),
        ("accepted", &accepted, Booked, None),
        ("accepted", &accepted, DidNotAttend, None),
        ("accepted", &accepted, Started, None),
        ("accepted", &accepted, OnHold, None),
        ("accepted", &accepted, Finished, None),
        ("accepted", &accepted, full, None),
        ("started", &started, Accepted, illegal),
        ("started", &started, Started, done),
        ("started", &started, OnHold, None),
        ("started", &started, Finished, None),
        ("started", &started, full, None),
        ("paused", &paused, OnHold, done),
        ("paused", &paused, Started, None),
        ("paused", &paused, Finished, None),
        ("paused", &paused, full, None),
        ("paused", &paused, Accepted, illegal),
        ("finished", &finished, Finished, done),
        ("finished", &finished, Started, illegal),
        ("finished", &finished, full, illegal),
        ("failed", &failed, Finished, illegal),
        ("failed", &failed, Accepted, illegal),
    ] {
        assert_eq!(road.refuses(&said(1, words)), refusal, "{name}: {words:?}");
    }
}

#[test]
fn a_no_a_pause_a_failure_and_a_question_need_words() {
    for (road, words) in [
        (Road::offered(), PartnerSaid::Rejected(Reason::Capacity)),
        (Road::offered(), PartnerSaid::Asked),
        (Road::accepted(), PartnerSaid::OnHold),
        (Road::accepted(), PartnerSaid::Failed(Reason::Unreachable)),
    ] {
        let wordless = Event::Partner { offer: offer(1), said: words, note: None, risk: false };
        assert_eq!(road.refuses(&wordless), Some(Refusal::WordsRequired), "{words:?}");
    }
    let close =
        Event::Decided { need: "gardening".into(), decision: Decision::Close(Closed::Other), by: she(), note: None };
    assert_eq!(Road::offered().refuses(&close), Some(Refusal::WordsRequired));
}

#[test]
fn a_late_yes_is_shown_to_the_coordinator_and_kindly_passed_on_once() {
    let ends: [Event; 3] = [
        Event::Lapsed { offer: offer(1) },
        Event::Undeliverable { offer: offer(1), mail: OfferMail::Offer },
        said(1, PartnerSaid::Rejected(Reason::Capacity)),
    ];
    for end in ends {
        let road = Road::offered().then(&end);
        let before = road.status(1);
        let road = road.then(&said(1, PartnerSaid::Accepted));
        assert_eq!(road.status(1), before, "no offer is reopened");
        assert_eq!(road.mails(), [OfferMail::PassedOn]);
        assert_eq!(road.matters(), [AttentionKind::LateYes]);
        assert_eq!(road.refuses(&said(1, PartnerSaid::Accepted)), Some(Refusal::AlreadyDone));
    }
}

#[test]
fn silence_gets_one_reminder_and_then_the_next_service_is_looked_for() {
    let road = Road::offered().then(&Event::Reminded { offer: offer(1) });
    assert_eq!(road.mails(), [OfferMail::Reminder]);
    assert_eq!(road.refuses(&Event::Reminded { offer: offer(1) }), Some(Refusal::AlreadyDone));
    let road = road.then(&Event::Lapsed { offer: offer(1) });
    assert_eq!(road.status(1), OfferStatus::Cancelled(Cause::Unanswered));
    assert_eq!(road.need("befriending"), NeedState::Received);
    assert!(road.effects.contains(&Effect::Match));
    assert_eq!(road.refuses(&Event::Lapsed { offer: offer(1) }), Some(Refusal::AlreadyDone));
}

#[test]
fn a_partner_whose_mail_never_left_is_neither_reminded_nor_called_silent() {
    let road = Road::proposed().then(&asked("befriending", 1, "tea-club", she()));
    assert_eq!(road.refuses(&Event::Reminded { offer: offer(1) }), Some(Refusal::AlreadyDone));
    let road = road.then(&Event::Lapsed { offer: offer(1) });
    assert_eq!(road.status(1), OfferStatus::Cancelled(Cause::Undeliverable));
}

#[test]
fn an_answered_offer_is_not_chased() {
    let road = Road::accepted();
    assert_eq!(road.refuses(&Event::Reminded { offer: offer(1) }), Some(Refusal::AlreadyDone));
    assert_eq!(road.refuses(&Event::Lapsed { offer: offer(1) }), Some(Refusal::AlreadyDone));
}

#[test]
fn a_bounced_reminder_sends_the_need_on_and_a_bounce_after_the_yes_does_not() {
    let bounce = Event::Undeliverable { offer: offer(1), mail: OfferMail::Reminder };
    let road = Road::offered().then(&bounce);
    assert_eq!(road.need("befriending"), NeedState::Received);
    let road = Road::accepted().then(&bounce);
    assert_eq!((road.status(1), road.effects), (OfferStatus::Accepted, vec![]));
}

#[test]
fn a_machine_asks_only_the_proposed_service_and_never_one_that_was_asked_before() {
    let road = Road::proposed();
    let other = asked("befriending", 1, "walking-group", Actor::Machine);
    assert_eq!(road.refuses(&other), Some(Refusal::Illegal));
    for stranger in [Actor::Practice, Actor::Partner] {
        assert_eq!(road.refuses(&asked("befriending", 1, "tea-club", stranger)), Some(Refusal::Illegal));
    }
    assert_eq!(road.refuses(&asked("befriending", 1, "walking-group", she())), None);
    let again = Road::offered()
        .then(&Event::Lapsed { offer: offer(1) })
        .then(&matched(vec![propose("befriending", "tea-club")]));
    assert_eq!(again.refuses(&asked("befriending", 2, "tea-club", Actor::Machine)), Some(Refusal::Forbidden));
    assert_eq!(again.refuses(&asked("befriending", 2, "tea-club", she())), None);
}

#[test]
fn a_need_has_one_open_offer_at_most() {
    let road = Road::offered();
    assert_eq!(road.refuses(&asked("befriending", 1, "tea-club", she())), Some(Refusal::AlreadyDone));
    assert_eq!(road.refuses(&asked("befriending", 2, "walking-group", she())), Some(Refusal::Illegal));
    assert_eq!(road.refuses(&asked("housing", 2, "shelter", she())), Some(Refusal::Unknown));
}

#[test]
fn what_holds_a_referral_binds_the_machine_and_some_of_it_the_coordinator() {
    for (why, coordinator_may) in [
        (Hold::Urgent, true),
        (Hold::ContactProhibited, true),
        (Hold::ContactUnclear, true),
        (Hold::Restricted, true),
        (Hold::NotAllRead, true),
        (Hold::ConsentDeclined, false),
        (Hold::ConsentMissing, false),
        (Hold::Deceased, false),
        (Hold::LeftPractice, false),
        (Hold::BadNhsNumber, false),
        (Hold::NotActive, false),
    ] {
        let mut road = Road::proposed();
        road.episode.facts = held(why);
        let machine = road.refuses(&asked("befriending", 1, "tea-club", Actor::Machine));
        assert_eq!(machine, Some(Refusal::Forbidden), "{why:?}");
        let hers = road.refuses(&asked("befriending", 1, "tea-club", she()));
        assert_eq!(hers.is_none(), coordinator_may, "{why:?}");
    }
    let mut road = Road::proposed();
    road.episode.facts.contact_prohibited = true;
    assert_eq!(road.refuses(&asked("befriending", 1, "tea-club", Actor::Machine)), Some(Refusal::Forbidden));
}

fn in_error(n: u128) -> Event {
    Event::OfferInError { offer: offer(n), by: she(), note: note(n) }
}

#[test]
fn an_offer_made_in_error_tells_the_partner_that_has_it_once_and_the_need_goes_to_a_person() {
    use PartnerSaid::{Accepted, Failed, OnHold, Rejected};
    let unanswered = Road::offered().then(&Event::Lapsed { offer: offer(1) });
    let unmailed = Road::proposed().then(&asked("befriending", 1, "tea-club", Actor::Machine));
    let back = NeedState::Held(Hold::Coordinator);
    for (name, road, told, need) in [
        ("not mailed yet", unmailed, vec![], back.clone()),
        ("asked", Road::offered(), vec![OfferMail::Cancellation], back.clone()),
        ("accepted", Road::accepted(), vec![OfferMail::Cancellation], back.clone()),
        ("started", Road::started(), vec![OfferMail::Cancellation], back.clone()),
        ("paused", Road::accepted().then(&said(1, OnHold)), vec![OfferMail::Cancellation], back.clone()),
        ("unanswered", unanswered, vec![OfferMail::Cancellation], NeedState::Received),
        ("said no", Road::offered().then(&said(1, Rejected(Reason::Capacity))), vec![], NeedState::Received),
        (
            "failed",
            Road::accepted().then(&said(1, Failed(Reason::Other))),
            vec![],
            NeedState::Held(Hold::PartnerFailed),
        ),
        ("withdrawn", Road::accepted().then(&withdrawn()), vec![], NeedState::Withdrawn),
    ] {
        let road = road.then(&in_error(1));
        assert_eq!(road.status(1), OfferStatus::EnteredInError, "{name}");
        assert_eq!((road.mails(), road.need("befriending")), (told, need), "{name}");
        assert_eq!(road.refuses(&in_error(1)), Some(Refusal::AlreadyDone), "{name}");
        assert_eq!(road.refuses(&said(1, Accepted)), Some(Refusal::Illegal), "{name}: a yes to it is none");
    }
    let silent = Event::OfferInError { offer: offer(1), by: she(), note: None };
    assert_eq!(Road::offered().refuses(&silent), Some(Refusal::WordsRequired));
    let machine = Event::OfferInError { offer: offer(1), by: Actor::Machine, note: note(1) };
    assert_eq!(Road::offered().refuses(&machine), Some(Refusal::Illegal));
}

#[test]
fn a_mail_that_left_while_its_offer_was_called_an_error_is_followed_by_its_one_notice() {
    let road = Road::proposed().then(&asked("befriending", 1, "tea-club", Actor::Machine)).then(&in_error(1));
    let road = road.then(&mailed(1));
    assert_eq!(road.mails(), [OfferMail::Cancellation]);
    assert_eq!(road.then(&mailed(1)).mails(), [], "once");
}

#[test]
fn nothing_of_an_offer_made_in_error_goes_to_the_record_and_its_word_of_the_person_does_not_count() {
    let road = Road::started().then(&in_error(1));
    assert_eq!(road.episode.filings[0].status, FilingStatus::SetAside);
    assert_eq!(road.episode.person, PersonAnswer::Unasked);
    let filed = Event::Filed { filing: road.episode.filings[0].id };
    assert_eq!(road.then(&filed).episode.filings[0].status, FilingStatus::Filed, "what had just left is written down");
    let refused = Road::started();
    let filing = refused.episode.filings[0].id;
    assert_eq!(refused.then(&Event::FilingRefused { filing }).then(&in_error(1)).matters(), []);
    // Another partner told of a yes as well.
    let both = Road::started().then(&asked("gardening", 2, "allotment", Actor::Machine)).then(&mailed(2));
    let both = both.then(&said(2, PartnerSaid::Accepted)).then(&said(2, PartnerSaid::Started)).then(&in_error(1));
    assert_eq!(both.episode.person, PersonAnswer::Accepted);
}
