//! Crash points: named places just before and just after each effect on the world, where a test can make the service
//! die as `kill -9` would, without a word to anybody.
//!
//! A test that stops a process for longer than a job may run cannot wait minutes for it: it shortens the time after which
//! a running job is taken to be dead, which makes overlapping attempts likelier than they ever are.
//!
//! `tests/crash` starts a debug build with `WELLBRIDGE_CRASH_AT=after:smtp` (or `after:smtp#3`: the third time that the
//! place is reached) and then counts what was lost and what came twice. Within one process a test plants a fault in one
//! service ([`planted`]): then an attempt at a job errs at such a place, runs out of time, or is never heard of again. A
//! release build has none of this.

#[cfg(debug_assertions)]
pub mod planted;

use std::path::Path;

use tokio_util::sync::CancellationToken;

use crate::jobs::JobError;
use crate::store::StoreError;

/// A step of an attempt: just before or after an outside effect or a commit. An error was planted.
pub(crate) async fn step(point: &'static str) -> Result<(), StoreError> {
    reached(point);
    #[cfg(debug_assertions)]
    planted::strike(point).await?;
    Ok(())
}

/// One attempt at a job of this kind, worked as it is planted for the service of this data directory: once, everywhere
/// but in a test. `out_of_time` is what ends an attempt that takes too long.
#[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "nothing is planted in a release build"))]
pub(crate) async fn attempt<F: Future<Output = Result<(), JobError>>>(
    service: &Path,
    kind: &'static str,
    number: i32,
    out_of_time: &CancellationToken,
    run: impl Fn() -> F,
) -> Result<(), JobError> {
    #[cfg(debug_assertions)]
    if let Some(plan) = planted::of(service) {
        return plan.worked(kind, number, out_of_time, run).await;
    }
    run().await
}

/// A place beside an outside effect. In a debug build the process ends here when it was asked to.
#[cfg(debug_assertions)]
pub(crate) fn reached(point: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    static WANTED: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
        let text = std::env::var("WELLBRIDGE_CRASH_AT").ok()?;
        let (point, times) = text.split_once('#').unwrap_or((&text, "1"));
        Some((point.to_owned(), times.parse().unwrap_or(1)))
    });
    static REACHED: AtomicUsize = AtomicUsize::new(0);

    let Some((wanted, times)) = WANTED.as_ref() else { return };
    if wanted == point && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *times {
        // No destructor, no flush, no goodbye.
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn reached(_point: &str) {}

/// `WELLBRIDGE_TEST_RESCUE_AFTER=16`: seconds (River takes no less than 15), in a debug build only. Shorter than a live attempt may take, on purpose.
#[cfg(debug_assertions)]
pub(crate) fn rescue_after() -> Option<std::time::Duration> {
    let seconds = std::env::var("WELLBRIDGE_TEST_RESCUE_AFTER").ok()?.parse().ok()?;
    Some(std::time::Duration::from_secs(seconds))
}

/// Never, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn rescue_after() -> Option<std::time::Duration> {
    None
}
