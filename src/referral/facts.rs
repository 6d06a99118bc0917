//! What intake finds in a referral that decides what may be done with it at all (DESIGN, "People and their safety
//! come first", 1, 4 and 5). Pure.

use super::content::{Consent, Priority, Referral, RequestStatus, SafeContact, TaskState};
use super::episode::{Episode, Facts, Hold};
use super::lifecycle::forbids_showing;

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
        () if referral.status == RequestStatus::OnHold
            || matches!(referral.task, TaskState::Paused | TaskState::Ended) =>
        {
            Some(Hold::NotActive)
        }
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

/// The facts of a request under what was known of it `before`. A request that its practice calls completed, or whose
/// Task is over, and that was never active for us is history (a first poll reads everything there is, after a lost
/// database also what we ended ourselves): nobody is asked for it. One that was active goes on where its practice calls
/// it completed: many systems tick a request off once it was sent. It waits where its Task is somebody else's, or was
/// ended by us though it is open here: then an old copy of the database was put back.
pub fn under_history(facts: Facts, referral: &Referral, before: Option<&Episode>) -> Facts {
    let was_active = before.is_some_and(|known| known.was_taken_on() || known.facts.hold != Some(Hold::NotActive));
    let over =
        referral.status == RequestStatus::Completed || matches!(referral.task, TaskState::Ended | TaskState::EndedByUs);
    if over && !was_active {
        return Facts { hold: Some(Hold::NotActive), urgent: false, ..facts };
    }
    if matches!(referral.task, TaskState::GivenAway | TaskState::EndedByUs) {
        // As a pause: what ends the showing of a person stands before it.
        let hold = facts.hold.filter(|why| forbids_showing(*why)).or(Some(Hold::NotActive));
        return Facts { hold, ..facts };
    }
    facts
}

/// Why nothing goes on, for a coordinator, where the practice's Task says so and the request itself does not.
pub fn stopped_by_task(referral: &Referral, facts: Facts) -> Option<&'static str> {
    if facts.hold != Some(Hold::NotActive) {
        return None;
    }
    match referral.task {
        TaskState::Open => None,
        TaskState::Paused => Some(
            "The practice has paused its Task: it is a draft or on hold there. It goes on here when the Task is \
             requested again.",
        ),
        TaskState::Ended => Some(
            "The practice has ended its Task (completed, failed or rejected) and left the request standing. Nothing is \
             sent. Ask what was meant, and close each need; to go on, the practice sends a new Task.",
        ),
        TaskState::GivenAway => Some(
            "The practice has given its Task to somebody else. Nothing is sent from here. Ask who looks after the \
             person now, and close each need; it goes on when the Task is ours again.",
        ),
        TaskState::EndedByUs => Some(
            "Wellbridge ended this once before, and this database does not know how. Nobody is asked again. Read the \
             outcome in the practice’s record, and close each need; to ask anew, the practice sends a new request.",
        ),
    }
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
            task: TaskState::Open,
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
        let table: [Row; 19] = [
            ("nothing", |_| {}, None, None),
            ("a draft", |r| r.status = RequestStatus::Draft, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("paused", |r| r.status = RequestStatus::OnHold, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("ticked off", |r| r.status = RequestStatus::Completed, None, None),
            ("its Task paused", |r| r.task = TaskState::Paused, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("its Task ended", |r| r.task = TaskState::Ended, Some(Hold::NotActive), Some(Hold::NotActive)),
            ("its Task ended by us", |r| r.task = TaskState::EndedByUs, None, None),
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
            for pause in
                [|r: &mut Referral| r.status = RequestStatus::OnHold, |r: &mut Referral| r.task = TaskState::Ended]
            {
                let mut paused = referral();
                pause(&mut paused);
                change(&mut paused);
                assert_eq!(facts(&paused, ConsentPolicy::ByReferral).hold, Some(hold));
            }
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

    /// Where a referral stands that was taken in with these facts.
    fn known(facts: Facts) -> Episode {
        let id = crate::referral::ReferralId::from_uuid(uuid::Uuid::from_u128(1));
        crate::referral::lifecycle::start(id, &"beech-lane".into(), &"leeds".into(), facts, jiff::Timestamp::UNIX_EPOCH)
            .0
    }

    #[test]
    fn what_was_over_before_we_ever_saw_it_is_history_and_one_that_was_active_goes_on() {
        let good = Facts::default();
        let history = Facts { hold: Some(Hold::NotActive), ..good };
        let with = |status, task| Referral { status, task, ..referral() };
        for over in [
            with(RequestStatus::Completed, TaskState::Open),
            with(RequestStatus::Active, TaskState::EndedByUs),
            with(RequestStatus::Active, TaskState::Ended),
        ] {
            assert_eq!(under_history(good, &over, None), history);
            assert_eq!(under_history(good, &over, Some(&known(history))), history);
        }
        let ticked_off = with(RequestStatus::Completed, TaskState::Open);
        assert_eq!(under_history(good, &ticked_off, Some(&known(good))), good);
        let ended_after_the_backup = with(RequestStatus::Active, TaskState::EndedByUs);
        assert_eq!(under_history(good, &ended_after_the_backup, Some(&known(good))), history);
        let open = with(RequestStatus::Active, TaskState::Open);
        assert_eq!(under_history(good, &open, None), good);
        assert_eq!(under_history(good, &open, Some(&known(history))), good);
    }

    #[test]
    fn a_death_is_not_hidden_by_a_task_that_is_over_or_elsewhere_once_somebody_took_the_person_on() {
        let mut taken_on = known(Facts { hold: Some(Hold::NotActive), ..Facts::default() });
        taken_on.person = crate::referral::episode::PersonAnswer::Accepted;
        for task in [TaskState::Ended, TaskState::GivenAway] {
            let mut dead = Referral { task, ..referral() };
            dead.patient.deceased = true;
            let found = facts(&dead, ConsentPolicy::Recorded);
            assert_eq!(under_history(found, &dead, Some(&taken_on)).hold, Some(Hold::Deceased), "{task:?}");
        }
    }

    #[test]
    fn a_task_given_away_holds_the_referral_whoever_could_have_been_asked() {
        let elsewhere = Referral { task: TaskState::GivenAway, ..referral() };
        let restricted = Facts { hold: Some(Hold::Restricted), ..Facts::default() };
        for found in [Facts::default(), restricted] {
            let held = under_history(found, &elsewhere, Some(&known(Facts::default())));
            assert_eq!(held.hold, Some(Hold::NotActive));
        }
    }

    #[test]
    fn a_person_is_told_why_only_where_the_task_is_what_stops_it() {
        for task in [TaskState::Paused, TaskState::Ended, TaskState::GivenAway, TaskState::EndedByUs] {
            let stopped = Referral { task, ..referral() };
            let held = |hold| Facts { hold, ..Facts::default() };
            assert!(stopped_by_task(&stopped, held(Some(Hold::NotActive))).is_some(), "{task:?}");
            assert_eq!(stopped_by_task(&stopped, held(Some(Hold::Deceased))), None);
            assert_eq!(stopped_by_task(&stopped, held(None)), None);
        }
        assert_eq!(stopped_by_task(&referral(), Facts { hold: Some(Hold::NotActive), ..Facts::default() }), None);
    }
}
