//! Every bug that the simulation found, as the shortest list that showed it. None may come back.

use super::op::Op;
use super::run::play;

fn goes_well(ops: &[Op]) {
    if let Err(why) = play(ops) {
        panic!("{why}\n{ops:#?}");
    }
}
