//! What every store must promise, one suite for all of them: [`contract!`] names each promise once, and each store runs
//! them all. A promise takes a [`Place`]: the store as the service sees it, and a back door beside it to plant faults.

mod back_door;
mod feeds;
pub(crate) mod fixtures;
mod intake;
mod ledger;
mod personal;
mod postgres;
mod rate;
mod retention;
pub(crate) mod sqlite;

pub(crate) use back_door::BackDoor;
use wellbridge::store::Store;

/// A store of its own for one test, and a way round it.
pub(crate) struct Place {
    /// As the service has it.
    pub(crate) store: Store,
    /// Straight to the tables.
    pub(crate) back_door: BackDoor,
    /// What must outlive both, and is gone with the test.
    _held: Box<dyn std::any::Any + Send + Sync>,
}

/// The store that this run of the tests is on.
pub(crate) async fn usual() -> Place {
    match postgres::open().await {
        Some(place) => place,
        None => sqlite::open().await.unwrap(),
    }
}

/// Every promise, as a test of the store whose places `$open` makes; none where that store is not to be had.
macro_rules! contract {
    ($open:path) => {
        $crate::store::contract! { $open:
            intake::a_new_referral_is_taken_in_once,
            intake::the_same_version_again_is_nothing_new,
            intake::a_newer_version_is_a_change,
            intake::a_death_is_news_though_the_request_kept_its_version,
            intake::a_task_taken_back_withdraws_though_the_request_kept_its_version,
            intake::our_own_task_seen_again_is_nothing_new,
            intake::a_withdrawal_is_taken_once_and_stays,
            intake::a_withdrawal_of_what_we_never_knew_is_nothing,
            intake::an_unreadable_entry_is_held_once_and_goes_on_when_put_right,
            intake::a_patient_who_cannot_be_read_any_more_holds_a_known_referral,
            intake::history_is_held_until_the_practice_makes_it_active,
            intake::every_whole_input_is_kept_and_each_text_once,
            ledger::an_effect_is_recorded_once,
            ledger::a_dropped_transaction_leaves_neither_event_nor_job,
            ledger::a_refused_event_leaves_neither_event_nor_job,
            ledger::each_effect_is_a_job_in_the_same_transaction,
            ledger::an_attempt_that_lost_changes_nothing,
            ledger::two_records_at_once_both_stand_in_order,
            ledger::two_polls_at_once_take_a_referral_in_once,
            ledger::the_counts_sum_to_what_was_received,
            ledger::verify_finds_what_was_tampered_with,
            ledger::a_list_shows_the_need_that_gives_the_state,
            ledger::jobs_due_by_a_clock_that_was_moved_are_brought_forward,
            rate::of_those_who_knock_at_once_no_more_come_first_than_may,
            rate::a_visit_for_a_referral_counts_at_its_practice,
            feeds::where_a_service_came_from_and_when_is_kept,
            feeds::of_two_feeds_that_use_one_id_the_first_is_used_and_it_is_told,
            personal::personal_data_stands_in_the_personal_tables_only,
            retention::a_request_that_asks_again_after_it_was_erased_is_told_once_and_not_kept,
            retention::what_was_erased_does_not_come_back_with_any_other_touch,
            retention::taking_back_what_was_withdrawn_and_erased_does_no_harm,
            retention::what_could_never_be_read_and_is_not_erased_is_read_when_it_is_put_right,
            retention::a_practice_systems_words_that_come_after_the_erasure_are_erased_too,
        }
    };
    ($open:path: $($module:ident :: $promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let Some(place) = $open().await else { return };
                super::$module::$promise(&place).await;
            }
        )+
    };
}
pub(crate) use contract;
