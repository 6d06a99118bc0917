//! The model: every state that a referral and its surroundings can come to, within bounds, each checked.
mod jobs;
mod ledger;
mod model;
mod people;
mod promises;
mod walk;
mod world;

use model::{Bounds, Model};
use walk::walk;
use world::Version;

const SMALL: Bounds = Bounds {
    needs: 1,
    offers: 1,
    changes: 1,
    versions: &[Version::Revoked, Version::Prohibited],
    auto: true,
    slots: 1,
    doubles: false,
    words: 5,
    risks: false,
    carrier: false,
    directory: false,
    task: true,
    coordinator: true,
};

#[test]
fn small() {
    let mut model = Model::new(SMALL, None);
    match walk(&mut model, &[Version::Good], 200_000) {
        Ok(summary) => println!("{summary}"),
        Err(found) => panic!("{found}"),
    }
}
