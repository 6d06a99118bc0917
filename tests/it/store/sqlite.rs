//! SQLite: the contract, and what is its own: one file, one process, jobs put back at the start.

use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use wellbridge::referral::ReferralId;
use wellbridge::store::{Store, StoreError};

use super::fixtures::{at, facts, fhir, new_id, programme, received, referral};
use super::{BackDoor, Place, contract};

/// A data directory that is gone when the test is.
struct DataDir(PathBuf);

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

/// The database in a data directory, under a name of our own.
fn file(dir: &Path) -> PathBuf {
    dir.join("ledger.sqlite")
}

async fn store_in(dir: &Path) -> Result<Store, StoreError> {
    Store::open_file(dir, &file(dir)).await
}

/// A new store in a directory of its own.
pub(super) async fn open() -> Option<Place> {
    let dir = DataDir::new();
    let store = store_in(&dir.0).await.unwrap();
    let back_door = back_door(&dir.0).await;
    Some(Place { store, back_door, _held: Box::new(dir) })
}

async fn back_door(dir: &Path) -> BackDoor {
    let options = SqliteConnectOptions::new().filename(file(dir));
    BackDoor::Sqlite(sqlx::SqlitePool::connect_with(options).await.unwrap())
}

contract!(open);

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
        assert!(door.run("update river_job set state = 'running'").await >= 1);
        store.close().await;
    }
    let store = store_in(&dir.0).await.unwrap();
    assert!(store.standing(id).await.unwrap().is_some());
    let door = back_door(&dir.0).await;
    assert_eq!(door.number("select count(*) from river_job where state = 'running'").await, 0);
    assert!(store.jobs_waiting().await.unwrap() >= 1);
    assert_eq!(store.verify(|_, _| {}).await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_made_while_the_service_writes_is_whole_and_can_be_started_from() {
    let (dir, restored) = (DataDir::new(), DataDir::new());
    let store = store_in(&dir.0).await.unwrap();
    for n in 0..20 {
        received(&store, &format!("sr-{n}")).await;
    }
    let copy = dir.0.join("copy.sqlite");
    let writing = async {
        for n in 20..60 {
            received(&store, &format!("sr-{n}")).await;
        }
    };
    let (copied, ()) = tokio::join!(store.back_up(&copy), writing);
    assert!((20..=60).contains(&copied.unwrap()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds personal data");
    let again = store.back_up(&copy).await.unwrap_err().to_string();
    assert!(again.contains("copy.sqlite"), "no copy is written over another: {again}");

    std::fs::create_dir_all(&restored.0).unwrap();
    std::fs::copy(&copy, file(&restored.0)).unwrap();
    let store = store_in(&restored.0).await.unwrap();
    let found = store.verify(|_, _| {}).await.unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.referrals >= 20 && store.jobs_waiting().await.unwrap() >= 20);
    received(&store, "sr-after").await;
}
