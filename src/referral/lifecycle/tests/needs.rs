//! The walks of a need: from received to closed, and every turn a person or the matcher gives it.

use super::*;

#[test]
fn a_need_walks_from_received_to_closed() {
    let mut walk = vec![];
    let mut road = Road::new(Facts::default());
    for event in [
        matched(vec![propose("befriending", "tea-club")]),
        asked("befriending", 1, "tea-club", Actor::Machine),
        mailed(1),
        said(1, PartnerSaid::Accepted),
        said(1, PartnerSaid::Started),
        said(1, PartnerSaid::Finished),
    ] {
        road = road.then(&event);
        walk.push((road.need("befriending"), road.episode.state()));
    }
    let asked_of = (NeedState::Offered(offer(1)), ReferralState::Offered);
    assert_eq!(
        walk,
        [
            (NeedState::Proposed("tea-club".into()), ReferralState::Proposed),
            asked_of.clone(),
            asked_of.clone(),
            asked_of,
            (NeedState::Supported(SupportedBy::Offer(offer(1))), ReferralState::Supported),
            (NeedState::Closed(Closed::Finished), ReferralState::Closed),
        ]
    );
    assert_eq!(road.filed(), [Moment::Started, Moment::Closed(Closed::Finished)]);
    assert_eq!(road.episode.person, PersonAnswer::Accepted);
}

#[test]
fn support_that_pauses_and_goes_on_is_filed_as_started_once() {
    let road = Road::started().then(&said(1, PartnerSaid::OnHold)).then(&said(1, PartnerSaid::Started));
    assert_eq!(road.filed(), [Moment::Started]);
}

#[test]
fn a_one_off_that_finished_without_a_start_is_told_by_one_filing() {
    let paused = Road::accepted().then(&said(1, PartnerSaid::OnHold));
    for road in [Road::accepted(), paused] {
        let road = road.then(&said(1, PartnerSaid::Finished));
        assert_eq!(road.filed(), [Moment::Closed(Closed::Finished)]);
        assert_eq!(road.episode.person, PersonAnswer::Accepted);
    }
}

#[test]
fn a_failure_holds_the_need_with_what_the_person_or_partner_said() {
    for (reason, why) in [
        (Reason::PatientChoice, Hold::PersonDeclined),
        (Reason::Unreachable, Hold::Unreachable),
        (Reason::Capacity, Hold::PartnerFailed),
        (Reason::Other, Hold::PartnerFailed),
    ] {
        let road = Road::accepted().then(&said(1, PartnerSaid::Failed(reason)));
        assert_eq!(road.need("befriending"), NeedState::Held(why));
        assert_eq!(road.episode.person, PersonAnswer::Unasked, "one charity is not social prescribing as a whole");
        assert_eq!(road.filed(), []);
    }
}

#[test]
fn declining_social_prescribing_closes_every_need_and_files_once() {
    let road = Road::accepted().then(&decide("gardening", Decision::Close(Closed::DeclinedSocialPrescribing)));
    assert_eq!(road.episode.state(), ReferralState::Closed);
    assert_eq!((road.episode.person, road.mails()), (PersonAnswer::Declined, vec![OfferMail::Cancellation]));
    assert_eq!(road.filed(), [Moment::Closed(Closed::DeclinedSocialPrescribing)]);
}

#[test]
fn closing_one_need_leaves_the_other_and_names_the_partner_that_supported() {
    let road = Road::started().then(&decide("befriending", Decision::Close(Closed::Unreachable)));
    assert_eq!(road.need("gardening"), NeedState::Proposed("allotment".into()));
    assert_eq!(road.episode.filings[1].offer, Some(offer(1)));
    assert_eq!(road.status(1), OfferStatus::Cancelled(Cause::Superseded));
    assert_eq!(road.refuses(&decide("befriending", Decision::PutBack)), Some(Refusal::AlreadyDone));
}

#[test]
fn only_a_coordinator_closes_or_supports_or_deals_with_a_matter() {
    let road = Road::offered().then(&said(1, PartnerSaid::Asked));
    for by in [Actor::Machine, Actor::Partner, Actor::Practice] {
        for decision in [Decision::Close(Closed::NoService), Decision::SupportHerself] {
            let event = Event::Decided { need: "gardening".into(), decision, by: by.clone(), note: note(1) };
            assert_eq!(road.refuses(&event), Some(Refusal::Illegal), "{by:?} {decision:?}");
        }
        let settle = Event::AttentionSettled {
            kind: AttentionKind::Question,
            offer: Some(offer(1)),
            note: None,
            since: None,
            by,
        };
        assert_eq!(road.refuses(&settle), Some(Refusal::Illegal));
    }
    let settle = Event::AttentionSettled {
        kind: AttentionKind::Question,
        offer: Some(offer(1)),
        note: None,
        since: None,
        by: she(),
    };
    let road = road.then(&settle);
    assert_eq!((road.matters(), road.refuses(&settle)), (vec![], Some(Refusal::AlreadyDone)));
}

#[test]
fn put_back_keep_back_and_supporting_herself_take_an_unanswered_offer_back() {
    for (decision, to) in [
        (Decision::PutBack, NeedState::Received),
        (Decision::KeepBack, NeedState::Held(Hold::Coordinator)),
        (Decision::SupportHerself, NeedState::Supported(SupportedBy::Coordinator)),
    ] {
        let road = Road::offered().then(&decide("befriending", decision));
        assert_eq!((road.need("befriending"), road.mails()), (to, vec![OfferMail::Cancellation]), "{decision:?}");
        assert_eq!(road.effects.contains(&Effect::Match), decision == Decision::PutBack);
        assert_eq!(road.refuses(&decide("befriending", decision)), Some(Refusal::AlreadyDone));
        assert_eq!(Road::accepted().refuses(&decide("befriending", decision)), Some(Refusal::Illegal));
    }
}

#[test]
fn supporting_herself_twice_is_filed_as_started_once() {
    let road = Road::proposed()
        .then(&decide("gardening", Decision::SupportHerself))
        .then(&decide("gardening", Decision::KeepBack))
        .then(&decide("gardening", Decision::SupportHerself));
    assert_eq!(road.filed(), [Moment::Started]);
}

#[test]
fn a_misreading_vanishes_but_what_was_asked_or_decided_waits_for_a_person() {
    let reread = matched(vec![propose("housing-advice", "shelter")]);
    let road = Road::proposed().then(&Event::Updated { facts: Facts::default() }).then(&reread);
    let codes: Vec<&str> = road.episode.needs.iter().map(|n| n.code.as_str()).collect();
    assert_eq!(codes, ["housing-advice"]);

    let asked_before = Road::offered().then(&Event::Lapsed { offer: offer(1) }).then(&reread);
    assert_eq!(asked_before.need("befriending"), NeedState::Held(Hold::NeedUnclear));

    let put_back = Road::proposed()
        .then(&decide("gardening", Decision::KeepBack))
        .then(&decide("gardening", Decision::PutBack))
        .then(&reread);
    assert_eq!(put_back.need("gardening"), NeedState::Held(Hold::NeedUnclear));
}

#[test]
fn nothing_read_the_second_time_adds_no_empty_need_beside_the_known_ones() {
    let nothing = matched(vec![hold(UNREAD, Hold::NeedUnclear)]);
    let road = Road::offered().then(&Event::Lapsed { offer: offer(1) }).then(&nothing);
    assert!(road.episode.need(&UNREAD.into()).is_none());
    let only = Road::new(Facts::default()).then(&nothing);
    assert_eq!(only.need(UNREAD), NeedState::Held(Hold::NeedUnclear));
    let found = only.then(&decide(UNREAD, Decision::PutBack)).then(&matched(vec![propose("gardening", "allotment")]));
    assert_eq!(found.episode.needs.len(), 1);
}

#[test]
fn a_need_that_the_practice_adds_later_is_found_beside_an_offer() {
    let later = matched(vec![propose("befriending", "tea-club"), propose("debt-advice", "money-shop")]);
    let road = Road::offered().then(&Event::Updated { facts: Facts::default() }).then(&later);
    assert_eq!(road.need("debt-advice"), NeedState::Proposed("money-shop".into()));
    assert_eq!(road.status(1), OfferStatus::Requested);
    assert_eq!(road.refuses(&later), Some(Refusal::AlreadyDone));
}

#[test]
fn a_closed_referral_is_not_opened_by_a_late_match_or_a_new_version() {
    let road = Road::new(Facts::default()).then(&decide(UNREAD, Decision::Close(Closed::NotForUs)));
    assert_eq!(road.refuses(&matched(vec![propose("gardening", "allotment")])), Some(Refusal::AlreadyDone));
    let road = road.then(&Event::Updated { facts: Facts::default() });
    assert_eq!((road.episode.state(), road.effects), (ReferralState::Closed, vec![]));
}

#[test]
fn what_intake_found_shows_before_a_milder_reason_of_the_matcher() {
    let road = Road::new(held(Hold::Deceased));
    let road = road.then(&matched(vec![hold("gardening", Hold::NoService), hold("debt-advice", Hold::Safety)]));
    assert_eq!(road.need("gardening"), NeedState::Held(Hold::Deceased));
    assert_eq!(road.need("debt-advice"), NeedState::Held(Hold::Safety));
    assert_eq!(road.episode.hold(), Some(Hold::Safety));
}

#[test]
fn a_match_without_any_need_is_refused() {
    assert_eq!(Road::new(Facts::default()).refuses(&matched(vec![])), Some(Refusal::Illegal));
}

#[test]
fn a_referral_stands_where_the_need_that_most_needs_a_person_stands() {
    let states = [
        NeedState::Held(Hold::NoService),
        NeedState::Proposed(ServiceId::from("tea-club")),
        NeedState::Received,
        NeedState::Offered(offer(1)),
        NeedState::Supported(SupportedBy::Coordinator),
        NeedState::Withdrawn,
        NeedState::Closed(Closed::Finished),
    ];
    for (i, a) in states.iter().enumerate() {
        for (j, b) in states.iter().enumerate() {
            let mut road = Road::proposed();
            road.episode.needs[0].state = a.clone();
            road.episode.needs[1].state = b.clone();
            assert_eq!(road.episode.state(), ReferralState::ALL[i.min(j)], "{a:?} and {b:?}");
            assert_eq!(road.episode.is_open(), i < 5 || j < 5);
        }
    }
}
