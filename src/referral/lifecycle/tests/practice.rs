//! What the practice changes or takes back, and what is read of safety: who is told, and what is sent no more.

use super::*;

#[test]
fn a_withdrawal_sends_one_notice_for_each_open_offer_that_was_told() {
    let road = Road::accepted().then(&asked("gardening", 2, "allotment", she())).then(&mailed(2)).then(&withdrawn());
    let told: Vec<&Effect> = road.effects.iter().filter(|e| matches!(e, Effect::Mail(..))).collect();
    assert_eq!(
        told,
        [&Effect::Mail(offer(1), OfferMail::Cancellation), &Effect::Mail(offer(2), OfferMail::Cancellation)]
    );
    assert_eq!(road.episode.state(), ReferralState::Withdrawn);
    assert_eq!(road.refuses(&withdrawn()), Some(Refusal::AlreadyDone));
}

#[test]
fn a_mail_in_flight_at_the_withdrawal_is_followed_by_its_notice_and_one_that_never_left_by_none() {
    let road = Road::proposed().then(&asked("befriending", 1, "tea-club", Actor::Machine)).then(&withdrawn());
    assert_eq!(road.mails(), []);
    let unknown = Event::Mailed { offer: offer(1), mail: OfferMail::Offer, outcome_unknown: true };
    let road = road.then(&unknown);
    assert_eq!(road.mails(), [OfferMail::Cancellation]);
    assert_eq!(road.then(&mailed(1)).mails(), [], "the second copy is the same mail");
}

#[test]
fn a_partner_that_answered_before_its_mail_was_written_down_still_gets_its_notice() {
    let road = Road::proposed()
        .then(&asked("befriending", 1, "tea-club", Actor::Machine))
        .then(&said(1, PartnerSaid::Accepted))
        .then(&withdrawn());
    assert_eq!(road.mails(), [OfferMail::Cancellation]);
}

#[test]
fn after_a_withdrawal_everything_else_is_refused() {
    let road = Road::accepted().then(&withdrawn());
    for event in [
        Event::Updated { facts: Facts::default() },
        matched(vec![propose("befriending", "walking-group")]),
        asked("befriending", 2, "walking-group", she()),
        decide("befriending", Decision::PutBack),
        said(1, PartnerSaid::Accepted),
        said(1, PartnerSaid::Started),
        said(1, PartnerSaid::Booked),
        Event::IdentityViewed { offer: offer(1) },
    ] {
        assert_eq!(road.refuses(&event), Some(Refusal::Withdrawn), "{event:?}");
    }
}

#[test]
fn a_late_yes_after_a_withdrawal_sends_no_mail() {
    let road = Road::offered().then(&Event::Lapsed { offer: offer(1) }).then(&withdrawn());
    let road = road.then(&said(1, PartnerSaid::Accepted));
    assert_eq!((road.mails(), road.matters()), (vec![], vec![AttentionKind::LateYes]));
}

#[test]
fn a_bounced_notice_is_urgent_only_where_somebody_knows_who_the_person_is() {
    let bounce = Event::Undeliverable { offer: offer(1), mail: OfferMail::Cancellation };
    let unseen = Road::accepted().then(&withdrawn()).then(&bounce);
    assert_eq!(unseen.alerts(), []);
    let seen = Road::accepted().then(&Event::IdentityViewed { offer: offer(1) }).then(&withdrawn()).then(&bounce);
    assert_eq!(seen.alerts(), [Alert::CancellationUndelivered]);
    assert_eq!(seen.matters(), [AttentionKind::CancellationUndelivered]);
}

#[test]
fn what_is_sent_again_after_it_ended_stays_ended_and_a_person_looks_at_once() {
    let again = Event::SentAgain { facts: Facts { sharing: Sharing::Full, ..Facts::default() } };
    let closed = Road::new(Facts::default()).then(&decide(UNREAD, Decision::Close(Closed::NotForUs)));
    for (road, state) in
        [(Road::accepted().then(&withdrawn()), ReferralState::Withdrawn), (closed, ReferralState::Closed)]
    {
        let road = road.then(&again);
        assert_eq!((road.episode.state(), road.mails()), (state, vec![]));
        assert_eq!((road.matters(), road.alerts()), (vec![AttentionKind::SentAgain], vec![Alert::SentAgain]));
        assert!(Alert::SentAgain.escalates(), "nobody has read what the new version says");
    }
    assert_eq!(Road::offered().refuses(&again), Some(Refusal::Illegal), "an open one is simply changed");
}

#[test]
fn whoever_took_the_person_on_is_told_of_another_rule_of_contact_by_a_person() {
    let road = Road::accepted().then(&Event::ContactChanged);
    assert_eq!(road.alerts(), [Alert::ChangedAfterAcceptance]);
    assert_eq!(road.episode.attention[0].offer, Some(offer(1)));
    assert_eq!(road.refuses(&Event::ContactChanged), Some(Refusal::AlreadyDone));
    assert_eq!(Road::offered().refuses(&Event::ContactChanged), Some(Refusal::AlreadyDone), "nobody knows them yet");
}

#[test]
fn a_notice_of_withdrawal_is_owed_until_it_left_or_could_not() {
    let gone = Event::Mailed { offer: offer(1), mail: OfferMail::Cancellation, outcome_unknown: false };
    let bounced = Event::Undeliverable { offer: offer(1), mail: OfferMail::Cancellation };
    for told in [gone, bounced] {
        let road = Road::accepted().then(&withdrawn());
        assert!(road.episode.offers[0].notice_owed);
        let road = road.then(&told);
        assert!(!road.episode.offers[0].notice_owed);
        assert!(road.effects.contains(&Effect::KeepTask), "the practice sees that it is over");
    }
}

#[test]
fn a_hold_that_comes_while_a_partner_is_asked_takes_the_offer_back() {
    for why in [Hold::Deceased, Hold::ConsentDeclined, Hold::ContactProhibited, Hold::Restricted] {
        let road = Road::offered().then(&Event::Updated { facts: held(why) });
        assert_eq!(road.status(1), OfferStatus::Cancelled(Cause::Superseded), "{why:?}");
        assert_eq!(road.mails(), [OfferMail::Cancellation]);
        let road =
            road.then(&matched(vec![propose("befriending", "walking-group"), propose("gardening", "allotment")]));
        assert_eq!(road.need("befriending"), NeedState::Held(why));
        assert_eq!(road.need("gardening"), NeedState::Held(why));
    }
}

#[test]
fn a_hold_that_comes_after_the_yes_tells_the_coordinator_once_and_ends_showing() {
    let dead = Event::Updated { facts: held(Hold::Deceased) };
    let road = Road::accepted().then(&dead);
    assert_eq!(road.status(1), OfferStatus::Accepted);
    assert_eq!(road.alerts(), [Alert::ChangedAfterAcceptance]);
    assert_eq!(road.refuses(&Event::IdentityViewed { offer: offer(1) }), Some(Refusal::Forbidden));
    let road = road.then(&dead);
    assert_eq!((road.alerts(), road.matters()), (vec![], vec![AttentionKind::ChangedAfterAcceptance]));
}

#[test]
fn every_partner_and_coordinator_who_supports_is_told_of_a_change() {
    let road = Road::accepted()
        .then(&decide("gardening", Decision::SupportHerself))
        .then(&Event::Updated { facts: held(Hold::Deceased) });
    let about: Vec<Option<OfferId>> = road.episode.attention.iter().map(|a| a.offer).collect();
    assert_eq!(about, [Some(offer(1)), None]);
}

#[test]
fn a_hold_the_coordinator_knew_of_does_not_undo_her_offer_at_the_next_save() {
    let unclear = Event::Updated { facts: held(Hold::ContactUnclear) };
    let road = Road::proposed()
        .then(&unclear)
        .then(&matched(vec![hold("befriending", Hold::NoService), hold("gardening", Hold::NoService)]))
        .then(&asked("befriending", 1, "tea-club", she()))
        .then(&mailed(1))
        .then(&unclear);
    assert_eq!((road.status(1), road.mails()), (OfferStatus::Requested, vec![]));
}

#[test]
fn what_the_person_or_a_coordinator_decided_is_not_undone_by_a_new_version() {
    let update = Event::Updated { facts: Facts { sharing: Sharing::Full, ..Facts::default() } };
    for (road, why) in [
        (Road::proposed().then(&decide("befriending", Decision::KeepBack)), Hold::Coordinator),
        (Road::accepted().then(&said(1, PartnerSaid::Failed(Reason::PatientChoice))), Hold::PersonDeclined),
        (Road::accepted().then(&said(1, PartnerSaid::Failed(Reason::Unreachable))), Hold::Unreachable),
        (Road::accepted().then(&said(1, PartnerSaid::Failed(Reason::Capacity))), Hold::PartnerFailed),
    ] {
        let road = road.then(&update).then(&matched(vec![propose("befriending", "walking-group")]));
        assert_eq!(road.need("befriending"), NeedState::Held(why));
    }
}

#[test]
fn an_unreadable_request_waits_for_a_person_and_goes_on_once_it_was_put_right() {
    for why in [Hold::UnreadableRequest, Hold::NoSubject, Hold::BadNhsNumber, Hold::PatientUnreadable, Hold::NotActive]
    {
        let road = Road::new(held(why));
        assert_eq!((road.need(UNREAD), road.effects.as_slice()), (NeedState::Held(why), [Effect::KeepTask].as_slice()));
        assert_eq!(road.refuses(&decide(UNREAD, Decision::PutBack)), Some(Refusal::Forbidden));
        let road = road.then(&Event::Updated { facts: Facts::default() });
        assert_eq!(road.need(UNREAD), NeedState::Received);
        assert!(road.effects.contains(&Effect::Match));
    }
}

#[test]
fn nothing_is_filed_while_it_is_not_certain_whose_record_it_would_be() {
    let road = Road::new(held(Hold::BadNhsNumber)).then(&decide(UNREAD, Decision::Close(Closed::NotForUs)));
    let filing = &road.episode.filings[0];
    assert_eq!((road.need(UNREAD), filing.status), (NeedState::Closed(Closed::NotForUs), FilingStatus::Refused));
    assert!(!road.effects.iter().any(|e| matches!(e, Effect::File(..))), "nothing is written yet");
    assert_eq!((road.matters(), road.alerts()), (vec![AttentionKind::FilingRefused], vec![Alert::FilingRefused]));
    let again = Event::FilingRequeued { filing: filing.id, by: she() };
    let moment = Moment::Closed(Closed::NotForUs);
    assert_eq!(road.clone().then(&again).effects, [Effect::File(filing.id, moment)], "once it was put right");
}

#[test]
fn what_never_was_a_referral_owes_the_record_nothing() {
    for why in [Hold::UnreadableRequest, Hold::NoSubject] {
        let road = Road::new(held(why)).then(&decide(UNREAD, Decision::Close(Closed::NotForUs)));
        assert_eq!((road.filed(), road.matters()), (vec![], vec![]));
    }
}

fn safety(needs: Vec<Placed>) -> Event {
    Event::Matched { needs, safety: true }
}

#[test]
fn a_safety_matter_is_told_once_for_each_version_of_the_request() {
    let found = || safety(vec![hold("befriending", Hold::Safety)]);
    let road = Road::new(Facts::default()).then(&found());
    assert_eq!(road.alerts(), [Alert::Safety]);
    let road = road.then(&decide("befriending", Decision::PutBack)).then(&found());
    assert_eq!((road.need("befriending"), road.alerts()), (NeedState::Held(Hold::Safety), vec![]));
    let road = road.then(&Event::Updated { facts: Facts::default() }).then(&found());
    assert_eq!(road.alerts(), [Alert::Safety]);
}

#[test]
fn a_safety_matter_added_while_a_partner_is_asked_takes_the_machines_offer_back() {
    let road = Road::offered().then(&Event::Updated { facts: Facts::default() });
    assert!(road.effects.contains(&Effect::Match), "the new version is read, wherever its needs stand");
    let road = road.then(&safety(vec![hold("befriending", Hold::Safety), hold("gardening", Hold::Safety)]));
    assert_eq!(road.status(1), OfferStatus::Cancelled(Cause::Superseded));
    assert_eq!((road.mails(), road.alerts()), (vec![OfferMail::Cancellation], vec![Alert::Safety]));
    assert_eq!(road.need("befriending"), NeedState::Held(Hold::Safety));
}

#[test]
fn a_safety_matter_added_after_the_yes_reaches_the_coordinator() {
    let road = Road::accepted()
        .then(&decide("gardening", Decision::Close(Closed::Other)))
        .then(&Event::Updated { facts: Facts::default() })
        .then(&safety(vec![hold("befriending", Hold::Safety)]));
    assert_eq!((road.alerts(), road.matters()), (vec![Alert::Safety], vec![AttentionKind::Risk]));
    assert_eq!(road.status(1), OfferStatus::Accepted);
}

#[test]
fn once_a_safety_matter_was_read_or_reported_only_a_person_sends() {
    let reported = Road::offered().then(&worried(1, PartnerSaid::Rejected(Reason::ServiceDeclined)));
    let edited_away = Road::new(Facts::default())
        .then(&safety(vec![hold("befriending", Hold::Safety)]))
        .then(&Event::Updated { facts: Facts::default() });
    for road in [reported, edited_away] {
        let road = road.then(&matched(vec![propose("befriending", "walking-group")]));
        assert_eq!(road.need("befriending"), NeedState::Held(Hold::Safety));
        assert_eq!(road.refuses(&asked("befriending", 2, "walking-group", she())), None);
    }
}

#[test]
fn a_reported_risk_reaches_the_coordinator_whatever_else_is_wrong() {
    let ended = Road::started().then(&said(1, PartnerSaid::Finished));
    let lapsed = Road::offered().then(&Event::Lapsed { offer: offer(1) });
    let taken_back = Road::accepted().then(&withdrawn());
    for road in [ended, lapsed, taken_back, Road::offered()] {
        let before = road.status(1);
        let road = road.then(&worried(1, PartnerSaid::Started));
        assert_eq!((road.status(1), road.alerts()), (before, vec![Alert::RiskReported]));
        assert!(road.matters().contains(&AttentionKind::Risk));
    }
}

#[test]
fn an_urgent_request_is_told_at_once_whatever_else_holds_it() {
    let urgent = Facts { urgent: true, ..held(Hold::ConsentMissing) };
    let road = Road::new(urgent);
    assert_eq!(road.alerts(), [Alert::Safety]);
    assert_eq!(road.then(&Event::Updated { facts: urgent }).alerts(), []);
    assert_eq!(Road::offered().then(&Event::Updated { facts: urgent }).alerts(), [Alert::Safety]);
}

fn the_same(road: &Road, by: Actor) -> Event {
    Event::SamePerson { by, since: road.episode.person_in_question().map(|matter| matter.since) }
}

#[test]
fn another_person_in_the_request_stops_everything_until_a_coordinator_says_who_it_is() {
    assert_eq!(Road::offered().refuses(&Event::PersonChanged), Some(Refusal::AlreadyDone), "nobody knows them yet");
    let road = Road::started().then(&Event::PersonChanged);
    assert_eq!((road.matters(), road.alerts()), (vec![AttentionKind::AnotherPerson], vec![Alert::Safety]));
    for by in [Actor::Machine, she()] {
        assert_eq!(road.refuses(&asked("gardening", 2, "allotment", by)), Some(Refusal::Forbidden));
    }
    let view = Event::IdentityViewed { offer: offer(1) };
    assert_eq!(road.refuses(&view), Some(Refusal::Forbidden));
    let matter = road.episode.person_in_question().unwrap();
    let waved =
        Event::AttentionSettled { kind: matter.kind, offer: None, note: None, since: Some(matter.since), by: she() };
    assert_eq!(road.refuses(&waved), Some(Refusal::Illegal), "it is not waved through");
    let filing = road.episode.filings[0].id;
    let road = road.then(&Event::FilingRefused { filing });
    assert_eq!(road.refuses(&the_same(&road, Actor::Partner)), Some(Refusal::Illegal));
    let same = the_same(&road, she());
    let right = road.clone().then(&same);
    assert_eq!((right.matters(), right.effects.clone()), (vec![], vec![Effect::File(filing, Moment::Started)]));
    assert_eq!(right.refuses(&same), Some(Refusal::AlreadyDone));
    right.then(&view).then(&asked("gardening", 2, "allotment", she()));
    // The wrong patient: she ends it, and then it waits for nobody.
    let ended = road.then(&decide("befriending", Decision::Close(Closed::Other)));
    let ended = ended.then(&decide("gardening", Decision::Close(Closed::Other))).then(&waved);
    assert!(!ended.matters().contains(&AttentionKind::AnotherPerson));
}

#[test]
fn while_it_is_uncertain_who_the_person_is_nobody_new_hears_of_them() {
    let taken = Road::accepted();
    let waits = taken.clone().then(&asked("gardening", 2, "allotment", Actor::Machine)).then(&Event::PersonChanged);
    assert_eq!(waits.status(2), OfferStatus::Cancelled(Cause::Superseded), "its mail had not left");
    assert_eq!(waits.mails(), [], "nobody was told, so nobody is told that it is over");
    assert_eq!((waits.need("gardening"), waits.effects.contains(&Effect::Match)), (NeedState::Received, true));
    let waits = waits.then(&matched(vec![propose("gardening", "allotment")]));
    assert_eq!(waits.refuses(&asked("gardening", 3, "orchard", she())), Some(Refusal::Forbidden));
    // One whose mail is there already stands, and is not reminded.
    let told = taken.then(&asked("gardening", 2, "allotment", Actor::Machine)).then(&mailed(2));
    let told = told.then(&Event::PersonChanged);
    assert_eq!((told.status(2), told.status(1)), (OfferStatus::Requested, OfferStatus::Accepted));
    assert_eq!(told.refuses(&Event::Reminded { offer: offer(2) }), Some(Refusal::Forbidden));
    let known = told.clone().then(&the_same(&told, she()));
    assert_eq!(known.then(&Event::Reminded { offer: offer(2) }).mails(), [OfferMail::Reminder]);
}

#[test]
fn a_pause_is_told_to_the_task_when_it_comes_and_when_it_is_over() {
    let road = Road::accepted().then(&Event::Updated { facts: held(Hold::NotActive) });
    assert!(road.effects.contains(&Effect::KeepTask));
    assert!(road.then(&Event::Updated { facts: Facts::default() }).effects.contains(&Effect::KeepTask));
}

#[test]
fn a_further_change_is_another_matter_than_the_one_she_saw_and_the_practice_may_put_it_back() {
    let road = Road::started().then(&Event::PersonChanged);
    let seen = the_same(&road, she());
    let road = road.then(&Event::PersonChanged);
    assert_eq!(road.matters(), [AttentionKind::AnotherPerson], "one matter");
    assert_eq!(road.refuses(&seen), Some(Refusal::Illegal));
    let filing = road.episode.filings[0].id;
    let road = road.then(&Event::FilingRefused { filing });
    let road = road.then(&Event::SamePerson { by: Actor::Practice, since: None });
    assert_eq!(road.matters(), [AttentionKind::FilingRefused], "a person still says what is written again");
    let unseen = Road::started().then(&Event::PersonChanged).then(&Event::Updated { facts: held(Hold::BadNhsNumber) });
    assert_eq!(unseen.refuses(&the_same(&unseen, she())), Some(Refusal::Forbidden));
    assert_eq!(Road::started().then(&withdrawn()).refuses(&Event::PersonChanged), Some(Refusal::Withdrawn));
}
