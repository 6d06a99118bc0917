//! The model: every state that a referral and its surroundings can come to, within bounds, each checked.
//!
//! The service's own `lifecycle::start` and `lifecycle::step` move the referral; the queue, the mailbox, the practice's
//! record and the people are small copies (`jobs.rs`, `people.rs` say of what). Anything may happen between any two
//! transactions: a crash, a second attempt, a late answer, a withdrawal. Where a promise breaks, the shortest way to it
//! is printed.
//!
//! `cargo test --test model` visits some 100,000 states and proves that planted mistakes are found; the long walk,
//! millions of states, is `cargo test --test model -- --ignored --nocapture`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a world is packed into bytes, of which its bounds need few; a walk that cannot go on should stop and say so"
)]

mod jobs;
mod ledger;
mod model;
mod people;
mod promises;
mod walk;
mod world;

use model::{Bounds, Flaw, Model};
use walk::walk;
use world::Version;

/// The smallest world; what follows names what it adds.
const PLAIN: Bounds = Bounds {
    needs: 1,
    offers: 1,
    changes: 1,
    versions: &[Version::Revoked],
    auto: true,
    slots: 1,
    doubles: false,
    words: 4,
    risks: false,
    carrier: false,
    directory: false,
    task: false,
    coordinator: false,
};

const ALL: &[Version] = &[
    Version::Good,
    Version::Mornings,
    Version::Reworded,
    Version::Prohibited,
    Version::NoConsent,
    Version::Unreadable,
    Version::Unsafe,
    Version::Revoked,
    Version::TaskOver,
    Version::Another,
];

/// The parts of the road, each with what it needs to be walked far; together they meet everything in [`Do`](model::Do).
const PARTS: [(&str, Bounds); 8] = [
    ("mail", Bounds { slots: 2, doubles: true, words: 2, versions: &[Version::NoConsent, Version::Revoked], ..PLAIN }),
    ("tries", Bounds { offers: 2, words: 5, versions: ALL, risks: true, ..PLAIN }),
    ("record", Bounds { slots: 2, doubles: true, carrier: true, ..PLAIN }),
    ("coordinator", Bounds { coordinator: true, auto: false, versions: ALL, directory: true, words: 5, ..PLAIN }),
    ("needs", Bounds { needs: 2, offers: 3, versions: ALL, words: 3, ..PLAIN }),
    (
        "task",
        Bounds {
            task: true,
            slots: 2,
            words: 5,
            changes: 2,
            versions: &[Version::Good, Version::Revoked, Version::TaskOver],
            ..PLAIN
        },
    ),
    (
        "person",
        Bounds {
            needs: 2,
            offers: 3,
            words: 4,
            changes: 2,
            versions: &[Version::Good, Version::Another],
            coordinator: true,
            ..PLAIN
        },
    ),
    (
        "all",
        Bounds {
            needs: 2,
            offers: 3,
            changes: 2,
            versions: ALL,
            slots: 2,
            doubles: true,
            words: 7,
            risks: true,
            carrier: true,
            directory: true,
            task: true,
            coordinator: true,
            ..PLAIN
        },
    ),
];

fn walks(most: usize, most_of_all: usize) {
    let mut states = 0;
    for (name, bounds) in PARTS {
        let mut model = Model::new(bounds, None);
        let most = if name == "all" { most_of_all } else { most };
        match walk(&mut model, &[Version::Good], most) {
            Ok(summary) => {
                println!("{name}: {summary}");
                states += summary.states;
            }
            Err(found) => panic!("{name}: {found}"),
        }
    }
    println!("{states} states in all");
    assert!(states >= most * (PARTS.len() - 1) + most_of_all);
}

#[test]
fn no_promise_breaks_in_the_states_that_come_first() {
    walks(10_000, 60_000);
}

#[test]
#[ignore = "takes a minute or more"]
fn no_promise_breaks_in_millions_of_states() {
    walks(200_000, 1_000_000);
}

#[test]
fn every_planted_mistake_is_found() {
    let mail = PARTS[0].1;
    let table = [
        (Flaw::LosesMatch, PLAIN, "nobody will match it"),
        (Flaw::LosesLapse, PLAIN, "nobody looks at it again"),
        (Flaw::LosesNotice, PLAIN, "nothing sends it"),
        (Flaw::LosesFiling, PLAIN, "nobody writes it"),
        (Flaw::MailsUnread, mail, "leaves"),
        (Flaw::MailsUnchecked, PLAIN, "leaves"),
        (Flaw::ShowsUnread, PLAIN, "shown"),
        (Flaw::AsksTwo, PLAIN, "2 open offers"),
        (Flaw::FilesBeforeWriting, PLAIN, "the record has nothing"),
        (Flaw::HidesRefusal, PLAIN, "nobody sees it"),
        (Flaw::KeepsOldTask, PARTS[5].1, "something old"),
        (Flaw::LeavesTwice, mail, "for ever"),
        (Flaw::SettlesOver, mail, "for ever"),
        (Flaw::LeavesUnchecked, mail, "leaves"),
        (Flaw::ReopensTask, PARTS[5].1, "written into"),
        (Flaw::HidesQuestion, PARTS[6].1, "somebody else"),
    ];
    for (flaw, bounds, why) in table {
        let mut model = Model::new(bounds, Some(flaw));
        match walk(&mut model, &[Version::Good], 400_000) {
            Ok(summary) => panic!("{flaw:?} was not found: {summary}"),
            Err(found) => {
                println!("{flaw:?}: {found}");
                assert!(found.why.contains(why), "{flaw:?}: {found}");
            }
        }
    }
}
