//! Every bug that the simulation found, as the shortest list that showed it. None may come back.
//!
//! The checker's own are among them: whoever judges must be right too.

use super::op::Act::{Closes, ClosesAll, Supports};
use super::op::Answer::{self, Finished, Looks, Started, Worried, Yes};
use super::op::Edit::TaskCancelled;
use super::op::Op::{self, Changes, Does, Polls, Refers, Says};
use super::op::Which::Newest;
use super::op::Who::{CodesOnly, Lonely, WithTask};
use super::run::play;

fn goes_well(ops: &[Op]) {
    if let Err(why) = play(ops) {
        panic!("{why}\n{ops:#?}");
    }
}

fn says(answer: Answer) -> Op {
    Says(0, Newest, answer)
}

/// The service: a code that was asked for in the second in which one was used was the same code again, in the same mail.
#[test]
fn a_code_that_was_used_is_not_given_out_a_second_time() {
    goes_well(&[Refers(Lonely), Polls, Says(0, Newest, Yes), Says(0, Newest, Looks), Says(0, Newest, Looks)]);
}

/// The service: a partner's worry came into the record with the start of support and once more with its end.
#[test]
fn a_worry_comes_into_the_record_once() {
    goes_well(&[Refers(Lonely), Polls, says(Worried), says(Yes), says(Started), says(Finished)]);
}

/// The checker: it closed a misreading that was gone along with the needs that a coordinator closed.
#[test]
fn a_referral_is_closed_as_a_whole_without_the_misreading_that_is_gone() {
    goes_well(&[Refers(Lonely), Polls, Does(0, ClosesAll)]);
}

/// The checker: it missed a filing that has nothing to say, where the person shares codes only.
#[test]
fn an_ending_without_a_code_files_nothing_where_only_codes_are_shared() {
    goes_well(&[Refers(CodesOnly), Polls, Does(0, Supports), Does(0, Closes)]);
}

/// The checker: a Task that the practice cancelled after the end stays cancelled; that is theirs to say.
#[test]
fn a_task_that_the_practice_cancels_after_the_end_stays_cancelled() {
    let road = [Refers(WithTask), Polls, says(Yes), says(Started), says(Finished)];
    goes_well(&[&road[..], &[Changes(0, TaskCancelled), Polls]].concat());
}
