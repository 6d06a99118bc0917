//! Faults planted in one service of this process: at the n-th step of each job's first attempt something happens to it,
//! or each attempt is worked twice.
//!
//! Tests plant by data directory, before the service starts, and read afterwards what was reached and what was struck.
//! Steps outside a job (pages, commands) are never struck. Debug builds only.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use riverqueue::JobState;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::jobs::JobError;
use crate::store::StoreError;

/// What happens to an attempt at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The step answers with an error, as a database does that is lost just then.
    Error,
    /// Its time is over: it is broken off there.
    TimeOut,
    /// It ends there without a word, as in a process that dies: nothing of it runs on, nobody handles anything.
    Death,
}

/// How often each attempt is worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worked {
    /// As ever.
    Once,
    /// And once more when it is done.
    Twice,
    /// Twice at the same time.
    AtOnce,
}

/// A step of an attempt: the job's kind, where, and which step of the attempt it was (from 1).
pub type Step = (&'static str, &'static str, usize);

/// What is planted in a service, and what came of it.
#[derive(Clone, Debug)]
pub struct Plan(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    strike: Option<(usize, Strike)>,
    worked: Worked,
    seen: Mutex<BTreeSet<Step>>,
    struck: Mutex<BTreeSet<Step>>,
    completed_twice: Mutex<BTreeSet<&'static str>>,
}

static PLANS: LazyLock<Mutex<HashMap<PathBuf, Plan>>> = LazyLock::new(Mutex::default);

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// The attempt that is being worked.
struct Current {
    plan: Plan,
    kind: &'static str,
    first: bool,
    steps: AtomicUsize,
    out_of_time: CancellationToken,
    died: Notify,
}

impl Plan {
    /// Nothing happens; what is reached is remembered.
    pub fn watch() -> Self {
        Self::new(None, Worked::Once)
    }

    /// This happens to every job's first attempt at its `nth` step (from 1).
    pub fn strike(nth: usize, strike: Strike) -> Self {
        Self::new(Some((nth, strike)), Worked::Once)
    }

    /// Every attempt is worked so.
    pub fn worked_so(worked: Worked) -> Self {
        Self::new(None, worked)
    }

    fn new(strike: Option<(usize, Strike)>, worked: Worked) -> Self {
        let (seen, struck, completed_twice) = Default::default();
        Self(Arc::new(Inner { strike, worked, seen, struck, completed_twice }))
    }

    /// Plants it in the service of this data directory, whenever that starts.
    pub fn plant(&self, data_dir: &Path) {
        lock(&PLANS).insert(data_dir.to_owned(), self.clone());
    }

    /// Every step that was reached.
    pub fn seen(&self) -> BTreeSet<Step> {
        lock(&self.0.seen).clone()
    }

    /// Every step at which something happened.
    pub fn struck(&self) -> BTreeSet<Step> {
        lock(&self.0.struck).clone()
    }

    /// Kinds of job of which one row was completed by two workings: there must be none.
    pub fn completed_twice(&self) -> BTreeSet<&'static str> {
        lock(&self.0.completed_twice).clone()
    }

    pub(super) async fn worked<F: Future<Output = Result<(), JobError>>>(
        &self,
        kind: &'static str,
        number: i32,
        out_of_time: &CancellationToken,
        run: impl Fn() -> F,
    ) -> Result<(), JobError> {
        let current = || {
            Arc::new(Current {
                plan: self.clone(),
                kind,
                first: number == 1,
                steps: AtomicUsize::new(0),
                out_of_time: out_of_time.clone(),
                died: Notify::new(),
            })
        };
        let worked = || alone(current(), run());
        let (one, other) = match self.0.worked {
            Worked::Once => return worked().await,
            Worked::Twice => (worked().await, worked().await),
            Worked::AtOnce => tokio::join!(worked(), worked()),
        };
        if one.is_ok() && other.is_ok() {
            lock(&self.0.completed_twice).insert(kind);
        }
        one.or(other)
    }
}

/// Works one attempt until it ends or dies.
async fn alone(current: Arc<Current>, run: impl Future<Output = Result<(), JobError>>) -> Result<(), JobError> {
    let died = Arc::clone(&current);
    tokio::select! {
        biased;
        () = died.died.notified() => {
            // What the runner takes for an attempt that another one has overtaken: it does nothing more about it.
            let nobody = riverqueue::Error::JobNotRunning { state: JobState::Running };
            Err(StoreError::from(nobody).into())
        }
        result = CURRENT.scope(current, run) => result,
    }
}

pub(super) fn of(data_dir: &Path) -> Option<Plan> {
    lock(&PLANS).get(data_dir).cloned()
}

/// Where an attempt is at a step: what was planted there happens.
pub(super) async fn strike(point: &'static str) -> Result<(), StoreError> {
    let Ok(current) = CURRENT.try_with(Arc::clone) else { return Ok(()) };
    let nth = current.steps.fetch_add(1, Ordering::SeqCst) + 1;
    let step = (current.kind, point, nth);
    lock(&current.plan.0.seen).insert(step);
    let Some((_, strike)) = current.plan.0.strike.filter(|(at, _)| current.first && *at == nth) else { return Ok(()) };
    lock(&current.plan.0.struck).insert(step);
    match strike {
        Strike::Error => {
            let why = std::io::Error::other("the connection to the database was lost");
            return Err(StoreError::Database(sqlx::Error::Io(why)));
        }
        Strike::TimeOut => current.out_of_time.cancel(),
        Strike::Death => current.died.notify_one(),
    }
    std::future::pending().await
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
