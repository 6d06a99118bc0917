//! What is owed to the record, and what does not exist or may not be seen.

use super::*;

#[test]
fn a_filing_makes_the_moves_of_the_design_and_no_other() {
    use FilingStatus::{Acknowledged, Filed, Handed, Queued, Refused, SetAside};
    let statuses = [Queued, Handed, Acknowledged, Filed, Refused, SetAside];
    // What is set aside may have left just before; a no to it changes nothing.
    let table = ["=h-fr-", "-=afr-", "--=fr-", "---=--", "q---=s", "qh-f=="];
    for (from, row) in statuses.iter().zip(table) {
        for (to, mark) in statuses.iter().zip(row.chars()) {
            let mut road = Road::started();
            road.episode.filings[0].status = *from;
            let filing = road.episode.filings[0].id;
            let event = match to {
                Queued => Event::FilingRequeued { filing, by: she() },
                Handed => Event::Handed { filing },
                Acknowledged => Event::Acknowledged { filing },
                Filed => Event::Filed { filing },
                Refused => Event::FilingRefused { filing },
                SetAside => Event::FilingSetAside { filing, by: she(), note: note(1) },
            };
            let expected = match mark {
                '=' => Some(Refusal::AlreadyDone),
                '-' => Some(Refusal::Illegal),
                _ => None,
            };
            assert_eq!(road.refuses(&event), expected, "{from:?} -> {to:?}");
        }
    }
    let stranger = Event::Filed { filing: FilingId::from_uuid(key(7)) };
    assert_eq!(Road::started().refuses(&stranger), Some(Refusal::Unknown));
}

#[test]
fn a_refused_filing_is_shown_and_can_be_queued_again() {
    let road = Road::started();
    let filing = road.episode.filings[0].id;
    let road = road.then(&Event::FilingRefused { filing });
    assert_eq!((road.matters(), road.alerts()), (vec![AttentionKind::FilingRefused], vec![Alert::FilingRefused]));
    let road = road.then(&Event::FilingRequeued { filing, by: she() });
    assert_eq!((road.matters(), road.effects), (vec![], vec![Effect::File(filing, Moment::Started)]));
    let gone = Road::started().then(&Event::FilingRefused { filing }).then(&withdrawn());
    assert_eq!(gone.refuses(&Event::FilingRequeued { filing, by: she() }), Some(Refusal::Withdrawn));
}

#[test]
fn a_refused_filing_is_set_aside_by_a_coordinator_in_words_and_waits_no_more() {
    let road = Road::started();
    let filing = road.episode.filings[0].id;
    let aside = |by, note| Event::FilingSetAside { filing, by, note };
    assert_eq!(road.refuses(&aside(she(), note(1))), Some(Refusal::Illegal), "it is being written");
    let road = road.then(&Event::FilingRefused { filing });
    assert_eq!(road.refuses(&aside(she(), None)), Some(Refusal::WordsRequired));
    assert_eq!(road.refuses(&aside(Actor::Machine, note(1))), Some(Refusal::Illegal));
    let road = road.then(&aside(she(), note(1)));
    assert_eq!((road.matters(), road.effects.clone()), (vec![], vec![]), "nothing waits, nothing is sent");
    assert_eq!(road.refuses(&aside(she(), note(1))), Some(Refusal::AlreadyDone));
    let again = road.then(&Event::FilingRequeued { filing, by: she() });
    assert_eq!(again.effects, [Effect::File(filing, Moment::Started)], "she may think again");
    // A matter stays while another filing of the referral is refused.
    let two = Road::started().then(&said(1, PartnerSaid::Finished));
    let both: Vec<FilingId> = two.episode.filings.iter().map(|f| f.id).collect();
    let two = two.then(&Event::FilingRefused { filing: both[0] }).then(&Event::FilingRefused { filing: both[1] });
    let one = two.then(&Event::FilingSetAside { filing: both[0], by: she(), note: note(1) });
    assert_eq!(one.matters(), [AttentionKind::FilingRefused]);
    // After a withdrawal, too: it can no longer be sent, and need not wait for ever.
    let gone = Road::started().then(&Event::FilingRefused { filing }).then(&withdrawn());
    assert_eq!(gone.then(&aside(she(), note(1))).matters(), []);
}

#[test]
fn an_offer_that_does_not_exist_is_unknown() {
    let road = Road::proposed();
    for event in [
        mailed(5),
        said(5, PartnerSaid::Accepted),
        Event::Reminded { offer: offer(5) },
        Event::Lapsed { offer: offer(5) },
        Event::IdentityViewed { offer: offer(5) },
        Event::Undeliverable { offer: offer(5), mail: OfferMail::Offer },
        decide("housing-advice", Decision::PutBack),
    ] {
        assert_eq!(road.refuses(&event), Some(Refusal::Unknown), "{event:?}");
    }
}

#[test]
fn identity_is_seen_only_after_the_partner_said_yes() {
    let view = Event::IdentityViewed { offer: offer(1) };
    assert_eq!(Road::offered().refuses(&view), Some(Refusal::Illegal));
    assert!(Road::accepted().then(&view).episode.offers[0].identity_seen);
    let ended = Road::started().then(&said(1, PartnerSaid::Finished));
    assert_eq!(ended.refuses(&view), Some(Refusal::Illegal));
}

#[test]
fn a_referral_is_received_once() {
    let again = Event::Received { practice: "beech-lane".into(), programme: "leeds".into(), facts: Facts::default() };
    assert_eq!(Road::proposed().refuses(&again), Some(Refusal::AlreadyDone));
}
