//! One replica among others: it says every few seconds that it lives, and gives what a dead one was doing to the living.
//!
//! River alone would take a running job back only when it is older than the longest job may be ([`super::start::rescue_after`]);
//! a person waits less long. A replica that was only thought dead does no harm when it goes on: two attempts can overlap
//! at any time, and the stable keys at the mail server and the practice carry the promise. Nothing of this is needed on
//! SQLite, where there is one process and its lock.

use std::time::Duration;

use super::chain;
use crate::store::Store;

/// How often it says so.
const BEAT: Duration = Duration::from_secs(5);
/// Not heard of for so long, a replica is taken to be dead: its jobs run elsewhere 25 seconds after it died, or sooner.
const SILENT: Duration = Duration::from_secs(20);

/// Lives until the store is closed.
pub(super) fn live(store: Store) {
    if !store.is_shared() {
        return;
    }
    tokio::spawn(async move {
        let mut heard = Duration::ZERO;
        while !store.is_closed() {
            match tokio::time::timeout(BEAT, beat(&store, heard)).await {
                Ok(Ok(so_far)) => heard = so_far,
                Ok(Err(error)) => tracing::warn!(error = %chain(&error), "this replica could not say that it lives"),
                Err(_) => tracing::warn!("this replica could not say that it lives: the database takes too long"),
            }
            tokio::time::sleep(BEAT).await;
        }
    });
}

/// Says that it lives; answers for how long it has been heard of without a gap. After a gap (the database was away, the
/// machine slept) others may only seem dead, and have as long again to say that they are not.
async fn beat(store: &Store, heard: Duration) -> Result<Duration, crate::store::StoreError> {
    let silence = store.say_alive().await?;
    if silence > BEAT * 3 {
        return Ok(Duration::ZERO);
    }
    let heard = heard.saturating_add(silence);
    if heard >= SILENT {
        let jobs = store.release_jobs_of_the_dead(SILENT).await?;
        if jobs > 0 {
            tracing::warn!(jobs, "another replica is silent: what it was doing is given to the living");
        }
    }
    Ok(heard)
}
