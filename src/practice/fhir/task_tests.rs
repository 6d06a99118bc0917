//! What the Task says at each step, and what of somebody else's Task stays as it was.

use super::*;

fn standing(step: CoarseStep) -> TaskStanding {
    TaskStanding {
        source: Source {
            practice: "beckside".into(),
            request: "sr1".into(),
            task: Some("t1".into()),
            version: "1".into(),
        },
        step,
        outputs: Vec::new(),
        since: "2026-11-24T12:00:00Z".parse().unwrap(),
        changed: "2026-11-24T12:30:00Z".parse().unwrap(),
        sharing: Sharing::CodesOnly,
        seen: None,
        first: None,
    }
}

fn at(step: CoarseStep) -> (String, Option<String>) {
    let mut task = json!({"resourceType": "Task", "status": "requested"});
    bring_up_to(&mut task, &standing(step));
    let code = task["businessStatus"]["coding"][0]["code"].as_str().map(str::to_owned);
    (task["status"].as_str().unwrap().to_owned(), code)
}

#[test]
fn every_step_has_its_status_and_business_status() {
    for (step, status, business) in [
        (CoarseStep::Received, "received", None),
        (CoarseStep::Seeking, "accepted", Some("3.0")),
        (CoarseStep::Arranging, "in-progress", Some("3.0")),
        (CoarseStep::Booked, "in-progress", Some("5.1.1")),
        (CoarseStep::DidNotAttend, "in-progress", Some("5.1.2")),
        (CoarseStep::Supported, "in-progress", Some("3.0")),
        (CoarseStep::Withdrawing, "in-progress", Some("5.2")),
        (CoarseStep::Withdrawn, "cancelled", Some("6.0")),
        (CoarseStep::Closed(Closed::Finished), "completed", Some("7.0")),
        (CoarseStep::Closed(Closed::MetByCoordinator), "completed", Some("7.0")),
        (CoarseStep::Closed(Closed::NoService), "failed", Some("6.0")),
        (CoarseStep::Closed(Closed::PersonDeclined), "cancelled", Some("6.0")),
        (CoarseStep::Closed(Closed::DeclinedSocialPrescribing), "rejected", Some("4.0")),
        (CoarseStep::Closed(Closed::Unreachable), "failed", Some("6.0")),
        (CoarseStep::Closed(Closed::NotForUs), "rejected", Some("4.0")),
        (CoarseStep::Closed(Closed::Other), "failed", Some("6.0")),
    ] {
        assert_eq!(at(step), (status.to_owned(), business.map(str::to_owned)), "{step:?}");
    }
}

#[test]
fn what_the_practice_wrote_into_its_task_stays_as_it_was() {
    let mut task = json!({"resourceType": "Task", "id": "t1", "status": "requested", "_status": {"id": "x"}, "vendorField": [1],
        "businessStatus": {"coding": [{"system": "https://surgery.example/status", "code": "NEW"}], "text": "new"},
        "output": [{"type": {"text": "Letter"}, "valueReference": {"reference": "DocumentReference/9"}}]});
    let mut standing = standing(CoarseStep::Booked);
    standing.outputs = vec!["Observation/1".into(), "DocumentReference/9".into(), "Provenance/3".into()];
    assert!(bring_up_to(&mut task, &standing));
    assert_eq!(task["_status"], json!({"id": "x"}));
    assert_eq!(task["vendorField"], json!([1]));
    assert_eq!(task["businessStatus"]["coding"][0]["code"], "NEW");
    assert_eq!(task["businessStatus"]["coding"][1]["code"], "5.1.1");
    let outputs: Vec<&Value> =
        task["output"].as_array().unwrap().iter().map(|o| &o["valueReference"]["reference"]).collect();
    assert_eq!(outputs, ["DocumentReference/9", "Observation/1"]);
}

#[test]
fn a_task_that_says_it_already_is_not_written_again() {
    let mut task = json!({"resourceType": "Task", "status": "requested"});
    assert!(bring_up_to(&mut task, &standing(CoarseStep::Closed(Closed::Finished))));
    assert!(!bring_up_to(&mut task, &standing(CoarseStep::Closed(Closed::Finished))));
    let mut mistake = json!({"resourceType": "Task", "status": "entered-in-error"});
    assert!(!bring_up_to(&mut mistake, &standing(CoarseStep::Booked)));
}

#[test]
fn a_task_that_the_practice_cancelled_is_left_as_it_is_and_one_that_it_asks_to_cancel_is_not() {
    let task = |status: &str, code: Option<&str>| {
        let coding: Vec<Value> = code.iter().map(|code| json!({"system": BUSINESS, "code": code})).collect();
        json!({"resourceType": "Task", "id": "t1", "status": status, "businessStatus": {"coding": coding}})
    };
    let steps = [CoarseStep::Withdrawing, CoarseStep::Withdrawn, CoarseStep::Closed(Closed::Finished)];
    for (status, code, left_alone) in [
        ("cancelled", None, true),
        ("cancelled", Some("5.2"), true),
        ("cancelled", Some("3.0"), true),
        ("cancelled", Some("6.0"), true),
        ("in-progress", Some("5.2"), false),
        ("requested", None, false),
    ] {
        for step in steps {
            let mut one = task(status, code);
            let changed = bring_up_to(&mut one, &standing(step));
            if left_alone {
                assert_eq!((changed, &one), (false, &task(status, code)), "{status} {code:?} {step:?}");
            } else if step != CoarseStep::Withdrawing {
                assert!(changed, "{status} {code:?} {step:?}");
            }
        }
    }
}

#[test]
fn a_task_that_the_practice_paused_says_so_until_the_end_and_one_that_it_ended_for_ever() {
    let steps =
        [CoarseStep::Received, CoarseStep::Seeking, CoarseStep::Supported, CoarseStep::Closed(Closed::Finished)];
    for (status, written_at_the_end) in
        [("draft", true), ("on-hold", true), ("completed", false), ("failed", false), ("rejected", false)]
    {
        for step in steps {
            let task = json!({"resourceType": "Task", "id": "t1", "status": status});
            let mut one = task.clone();
            let changed = bring_up_to(&mut one, &standing(step));
            assert_eq!(changed, written_at_the_end && ends(step), "{status} {step:?}");
            assert_eq!(one == task, !changed, "{status} {step:?}");
        }
    }
}

#[test]
fn what_we_ended_takes_further_outputs_and_no_other_end() {
    let mut task = json!({"resourceType": "Task", "id": "t1", "status": "completed",
        "focus": {"reference": "ServiceRequest/sr1"}, "identifier": [{"value": "sr1.ended-completed"}]});
    let mut finished = standing(CoarseStep::Closed(Closed::Finished));
    finished.outputs = vec!["DocumentReference/2".into()];
    assert!(bring_up_to(&mut task, &finished));
    assert_eq!(task["output"][0]["valueReference"]["reference"], "DocumentReference/2");
    for other in [CoarseStep::Closed(Closed::Other), CoarseStep::Seeking, CoarseStep::Withdrawn] {
        assert!(!bring_up_to(&mut task, &standing(other)), "{other:?}");
    }
}

#[test]
fn no_reason_is_given_where_nothing_may_return() {
    let mut task = json!({"resourceType": "Task", "status": "requested"});
    let mut silent = standing(CoarseStep::Closed(Closed::Unreachable));
    silent.sharing = Sharing::Nothing;
    bring_up_to(&mut task, &silent);
    assert!(task.get("statusReason").is_none());
    let mut task = json!({"resourceType": "Task", "status": "requested"});
    bring_up_to(&mut task, &standing(CoarseStep::Closed(Closed::Unreachable)));
    assert_eq!(task["statusReason"]["text"], "The person could not be reached.");
}

#[test]
fn a_booked_date_stays_said_when_support_starts_and_a_missed_one_does_not() {
    for (before, after) in [("5.1.1", "5.1.1"), ("5.1.2", "3.0")] {
        let coding = json!([{"system": BUSINESS, "code": before}]);
        let mut task = json!({"resourceType": "Task", "status": "in-progress", "businessStatus": {"coding": coding}});
        bring_up_to(&mut task, &standing(CoarseStep::Supported));
        assert_eq!(task["businessStatus"]["coding"][0]["code"], after);
    }
}
