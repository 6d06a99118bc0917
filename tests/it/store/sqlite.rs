//! SQLite: the contract, and what is its own: one file, one process, jobs put back at the start.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use wellbridge::referral::ReferralId;
use wellbridge::store::{Store, StoreError};

use super::fixtures::{at, facts, fhir, new_id, programme, referral};
use super::{BackDoor, Place, contract};

/// A data directory that is gone when the test is.
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("wellbridge-test-{}", wellbridge::random::uuid().simple())))
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A place, and the directory that must outlive it.
pub(crate) struct Sqlite {
    place: Place,
    _dir: DataDir,
}

impl std::ops::Deref for Sqlite {
    type Target = Place;
    fn deref(&self) -> &Place {
        &self.place
    }
}

/// The database in a data directory, under a name of our own.
fn file(dir: &Path) -> PathBuf {
    dir.join("ledger.sqlite")
}

async fn store_in(dir: &Path) -> Result<Store, StoreError> {
    Store::open_file(dir, &file(dir)).await
}

/// A new store in a directory of its own.
pub(crate) async fn open() -> Sqlite {
    let dir = DataDir::new();
    let store = store_in(&dir.0).await.unwrap();
    let back_door = back_door(&dir.0).await;
    Sqlite { place: Place { store, back_door }, _dir: dir }
}

async fn back_door(dir: &Path) -> BackDoor {
    let options = SqliteConnectOptions::new().filename(file(dir));
    BackDoor(sqlx::SqlitePool::connect_with(options).await.unwrap())
}

contract!(open:
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
    feeds::where_a_service_came_from_and_when_is_kept,
    feeds::of_two_feeds_that_use_one_id_the_first_is_used_and_it_is_told,
    personal::personal_data_stands_in_the_personal_tables_only,
    retention::a_request_that_asks_again_after_it_was_erased_is_told_once_and_not_kept,
    retention::what_was_erased_does_not_come_back_with_any_other_touch,
    retention::taking_back_what_was_withdrawn_and_erased_does_no_harm,
    retention::what_could_never_be_read_and_is_not_erased_is_read_when_it_is_put_right,
    retention::a_practice_systems_words_that_come_after_the_erasure_are_erased_too,
);

#[tokio::test]
async fn a_second_process_is_told_which_directory_is_taken_and_what_to_do() {
    let dir = DataDir::new();
    let first = store_in(&dir.0).await.unwrap();
    let error = store_in(&dir.0).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)));
    let told = error.to_string();
    assert!(told.contains(dir.0.to_str().unwrap()) && told.contains("stop it first"), "{told}");
    first.close().await;
    drop(first);
    store_in(&dir.0).await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named_with_the_setting_that_changes_it() {
    let dir = DataDir::new();
    std::fs::write(&dir.0, "a file stands here").unwrap();
    let told = store_in(&dir.0).await.unwrap_err().to_string();
    std::fs::remove_file(&dir.0).unwrap();
    assert!(told.contains(dir.0.to_str().unwrap()) && told.contains("data_dir"), "{told}");
}

#[tokio::test]
async fn what_was_committed_and_what_was_running_is_there_after_a_kill() {
    let dir = DataDir::new();
    let id: ReferralId = new_id();
    {
        let store = store_in(&dir.0).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        tx.take_in(id, &programme(), &referral("sr-1", "1"), facts(), &fhir(), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        let door = back_door(&dir.0).await;
        assert!(door.run("update river_job set state = 'running'").await >= 2);
        store.close().await;
    }
    let store = store_in(&dir.0).await.unwrap();
    assert!(store.standing(id).await.unwrap().is_some());
    let door = back_door(&dir.0).await;
    assert_eq!(door.number("select count(*) from river_job where state = 'running'").await, 0);
    assert!(store.jobs_waiting().await.unwrap() >= 2);
    assert_eq!(store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn jobs_due_by_a_clock_that_was_moved_are_brought_forward() {
    let place = open().await;
    let mut tx = place.store.begin().await.unwrap();
    let later: Timestamp = "2099-01-01T09:00:00Z".parse().unwrap();
    let job = wellbridge::store::queue::ReadAgain { referral: new_id() };
    tx.enqueue(job, wellbridge::store::queue::due(later)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.jobs_waiting().await.unwrap(), 0);
    assert_eq!(place.store.bring_forward("2098-12-31T09:00:00Z".parse().unwrap()).await.unwrap(), 0);
    assert_eq!(place.store.bring_forward(later).await.unwrap(), 1);
    assert_eq!(place.store.jobs_waiting().await.unwrap(), 1);
}
