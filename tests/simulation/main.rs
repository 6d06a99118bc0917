//! Simulation: what happens to referrals in a bad month is drawn at random, played on the real service, and counted.
//!
//! A scenario is a list of [`op::Op`]: a GP refers, changes her mind, takes back; partners answer, late, twice, or worry; a
//! coordinator decides; mail is lost, the practice's system fails, the database refuses, the process dies in the middle of
//! an effect. It is played ([`stage`]) on a clock that stands still, against the real store, the pretend practice and the
//! mail catcher, and the queue is drained by looking at it. In the end everything heals and time passes ([`ending`]); then
//! [`invariants`] looks from within and `tests/checker`, a process of its own that shares no code, looks from outside
//! ([`checked`]). What fails is shrunk ([`run`]) to a list that stands in [`bugs`] from then on.
//!
//! `tests/run` plays a short form on either store; `tests/simulate` as many scenarios as are asked for.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of the tests fails the test that called it"
)]

mod bugs;
mod checked;
mod desk;
mod ending;
mod invariants;
mod op;
mod partners;
mod queue;
mod run;
mod stage;
#[expect(dead_code, unused_imports, reason = "shared with tests/it, which uses all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use op::{Answer, Op, Which, Who};
use run::{Behind, Wanted};

#[test]
fn whatever_happens_nobody_is_lost_and_nothing_is_done_twice() {
    let wanted = Wanted::from_environment();
    let report = run::run(&wanted);
    println!("{report}");
    assert!(report.bugs.is_empty(), "{} of {} scenarios went wrong: see above", report.bugs.len(), report.scenarios);
    assert!(report.is_telling(), "these scenarios show nothing: {report}");
}

#[test]
fn what_is_lost_or_comes_twice_is_noticed() {
    let road = [
        Op::Refers(Who::Lonely),
        Op::Polls,
        Op::Says(0, Which::Newest, Answer::Yes),
        Op::Says(0, Which::Newest, Answer::Started),
    ];
    let planted: [(&str, Behind); 3] = [
        ("lost", |stage| drop(stage.practice().put(another(&stage.practice().all("ServiceRequest")[0])))),
        ("created more than once", |stage| {
            drop(stage.practice().put(another(&stage.practice().all("DocumentReference")[0])));
        }),
        ("mails_lost", |stage| stage.world.mail.clear()),
    ];
    for (expected, behind) in planted {
        let found = run::play_and(&road, behind);
        assert!(found.as_ref().is_err_and(|why| why.contains(expected)), "{expected}: {found:?}");
    }
}

/// The same resource once more, under an id of its own.
fn another(resource: &serde_json::Value) -> serde_json::Value {
    let mut copy = resource.clone();
    copy["id"] = "again".into();
    copy
}
