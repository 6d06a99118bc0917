//! What intake finds in a referral that decides what may be done with it at all (DESIGN, "People and their safety
//! come first", 1, 4 and 5). Pure.

use super::content::{Consent, Priority, Referral, RequestStatus, SafeContact};
use super::episode::{Facts, Hold};

/// What counts as the person's agreement, by the practice's agreement with the programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConsentPolicy {
    /// A Consent resource, or a consent code on the request.
    #[default]
    Recorded,
    /// Referring records it; a recorded no still stands.
    ByReferral,
}

/// The facts of a referral under a programme's rule on consent. The first hold that applies stands, the hardest first:
/// those that bind a coordinator too, then those she may weigh. A pause stands behind what ends the showing of a person
/// (a death, a no): it takes nothing back by itself, so it must not hide what does.
pub fn facts(referral: &Referral, consent: ConsentPolicy) -> Facts {
    let patient = &referral.patient;
    let hold = match () {
        () if matches!(
            referral.status,
            RequestStatus::Draft | RequestStatus::Revoked | RequestStatus::EnteredInError
        ) =>
        {
            Some(Hold::NotActive)
        }
        () if patient.deceased => Some(Hold::Deceased),
        () if referral.consent == Consent::Declined => Some(Hold::ConsentDeclined),
        () if referral.consent == Consent::NotRecorded && consent == ConsentPolicy::Recorded => {
            Some(Hold::ConsentMissing)
        }
        () if referral.consent == Consent::Unreadable => Some(Hold::ConsentMissing),
        () if patient.left_practice => Some(Hold::LeftPractice),
        () if referral.status == RequestStatus::OnHold => Some(Hold::NotActive),
        () if patient.restricted => Some(Hold::Restricted),
        () if referral.safe_contact == SafeContact::Prohibited => Some(Hold::ContactProhibited),
        () if matches!(referral.safe_contact, SafeContact::Unclear(_)) => Some(Hold::ContactUnclear),
        () if referral.priority > Priority::Urgent => Some(Hold::Urgent),
        () if !referral.unread.is_empty() => Some(Hold::NotAllRead),
        () => None,
    };
    Facts {
        sharing: referral.sharing,
        contact_prohibited: referral.safe_contact == SafeContact::Prohibited,
        hold,
        urgent: referral.priority > Priority::Urgent && !referral.status.is_withdrawn(),
    }
}

/// The facts of a request under what was known of it `before`. A request that its practice calls completed and that
/// was never active for us is history (a first poll reads everything there is): nobody is asked for it. One that was
/// active goes on: many systems tick a request off once it was sent.
pub fn under_history(facts: Facts, status: RequestStatus, before: Option<Facts>) -> Facts {
    let was_active = before.is_some_and(|known| known.hold != Some(Hold::NotActive));
    if status == RequestStatus::Completed && !was_active {
        return Facts { hold: Some(Hold::NotActive), urgent: false, ..facts };
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::referral::content::{Unread, WhyUnread};
    use crate::referral::{PracticeId, Sharing, Source};

    fn referral() -> Referral {
        Referral {
            source: Source {
                practice: PracticeId::from("beech-lane"),
                request: "sr-1".into(),
                task: None,
                version: "1".into(),
            },
            status: RequestStatus::Active,
            authored: None,
            priority: Priority::Routine,
            patient: crate::referral::Patient::default(),
            practice_name: None,
            requester: None,
            reasons: Vec::new(),
            beside: Vec::new(),
            unread: Vec::new(),
            consent: Consent::Given,
            safe_contact: SafeContact::Open,
            sharing: Sharing::Full,
            baseline: None,
        }
    }

    /// One change to a good referral, and what it makes of it under `recorded` and under `by-referral`.
    type Row = (&'static str, fn(&mut Referral), Option<Hold>, Option<Hold>);

    #[test]
    fn each_thing_that_forbids_sending_is_found() {
        let table: [Row; 16] = [
            ("nothing", |_| {}, None, None),
            ("a draft", |r| r.status = RequestStatus::Draft, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("paused", |r| r.status = RequestStatus::OnHold, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("ticked off", |r| r.status = RequestStatus::Completed, None, None),
            ("dead", |r| r.patient.deceased = true, Some(Hold::Deceased), Some(Hold::Deceased)),
            ("no", |r| r.consent = Consent::Declined, Some(Hold::ConsentDeclined), Some(Hold::ConsentDeclined)),
            ("no word", |r| r.consent = Consent::NotRecorded, Some(Hold::ConsentMissing), None),
            ("lost", |r| r.consent = Consent::Unreadable, Some(Hold::ConsentMissing), Some(Hold::ConsentMissing)),
            ("moved", |r| r.patient.left_practice = true, Some(Hold::LeftPractice), Some(Hold::LeftPractice)),
            ("restricted", |r| r.patient.restricted = true, Some(Hold::Restricted), Some(Hold::Restricted)),
            (
                "nobody calls",
                |r| r.safe_contact = SafeContact::Prohibited,
                Some(Hold::ContactProhibited),
                Some(Hold::ContactProhibited),
            ),
            (
                "call how?",
                |r| r.safe_contact = SafeContact::Unclear("not when he is in".into()),
                Some(Hold::ContactUnclear),
                Some(Hold::ContactUnclear),
            ),
            (
                "a letter",
                |r| r.unread = vec![Unread { what: "DocumentReference".into(), why: WhyUnread::Document }],
                Some(Hold::NotAllRead),
                Some(Hold::NotAllRead),
            ),
            ("mornings", |r| r.safe_contact = SafeContact::Only("9 to 12".into()), None, None),
            ("soon", |r| r.priority = Priority::Urgent, None, None),
            ("at once", |r| r.priority = Priority::Stat, Some(Hold::Urgent), Some(Hold::Urgent)),
        ];
        for (name, change, recorded, by_referral) in table {
            let mut referral = referral();
            change(&mut referral);
            assert_eq!(facts(&referral, ConsentPolicy::Recorded).hold, recorded, "{name}, recorded");
            assert_eq!(facts(&referral, ConsentPolicy::ByReferral).hold, by_referral, "{name}, by referral");
        }
    }

    #[test]
    fn a_pause_hides_nothing_under_which_a_person_is_no_longer_shown() {
        type Change = fn(&mut Referral);
        let harder: [(Change, Hold); 4] = [
            (|r| r.patient.deceased = true, Hold::Deceased),
            (|r| r.consent = Consent::Declined, Hold::ConsentDeclined),
            (|r| r.consent = Consent::Unreadable, Hold::ConsentMissing),
            (|r| r.patient.left_practice = true, Hold::LeftPractice),
        ];
        for (change, hold) in harder {
            let mut paused = referral();
            paused.status = RequestStatus::OnHold;
            change(&mut paused);
            assert_eq!(facts(&paused, ConsentPolicy::ByReferral).hold, Some(hold));
        }
        // And it binds a coordinator, where a restricted record alone would be hers to weigh.
        let mut paused = referral();
        paused.status = RequestStatus::OnHold;
        paused.patient.restricted = true;
        assert_eq!(facts(&paused, ConsentPolicy::Recorded).hold, Some(Hold::NotActive));
    }

    #[test]
    fn a_milder_reason_never_hides_that_nobody_may_call_or_that_it_is_urgent() {
        let mut referral = referral();
        referral.patient.deceased = true;
        referral.safe_contact = SafeContact::Prohibited;
        referral.priority = Priority::Stat;
        let found = facts(&referral, ConsentPolicy::Recorded);
        assert_eq!((found.hold, found.contact_prohibited, found.urgent), (Some(Hold::Deceased), true, true));
    }

    #[test]
    fn a_request_completed_before_we_ever_saw_it_is_history_and_one_that_was_active_goes_on() {
        let good = Facts::default();
        let history = Facts { hold: Some(Hold::NotActive), ..good };
        let done = RequestStatus::Completed;
        assert_eq!(under_history(good, done, None), history);
        assert_eq!(under_history(good, done, Some(history)), history);
        assert_eq!(under_history(good, done, Some(good)), good);
        assert_eq!(under_history(good, RequestStatus::Active, None), good);
        assert_eq!(under_history(good, RequestStatus::Active, Some(history)), good);
    }
}
