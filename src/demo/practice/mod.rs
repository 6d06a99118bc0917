//! A pretend practice: an in-process FHIR R4 server on loopback, with as much of R4 as the service uses.
//!
//! The demo's GP lives here, and the tests' too. It is a real HTTP server over a record of plain JSON, strict where R4
//! is strict (unknown search parameters, versions, media types), and it can be told to fail in the ways that practice
//! systems fail ([`Fault`]). Its handle seeds the record, shows what was written and wakes whoever waits for a change.
//!
//! ```text
//! line (sockets) ─▶ server ─▶ interactions ─▶ search · page · transaction ─▶ store
//! ```

mod capability;
mod fault;
mod interactions;
mod line;
mod outcome;
mod page;
mod parameters;
mod search;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use fault::Fault;
pub use store::{Deed, Write};

use crate::clock::Clock;
use fault::Armed;
use page::Pages;
use store::{Found, Store};

/// A pretend practice, running until the last handle on it is dropped.
#[derive(Clone)]
pub struct PretendPractice {
    shared: Arc<Shared>,
    /// Held for its drop.
    _running: Arc<StopOnDrop>,
}

/// A request that came in, for tests that ask "what did you send?". Queries are left out: they may hold identifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET`, `POST`, …
    pub method: Method,
    /// Below the base, without the query: `/Task/_search`.
    pub path: String,
    /// What it was answered with; `None` where the answer was never sent.
    pub status: Option<u16>,
}

/// How often each kind of request came in: `("GET", "ServiceRequest")`, `("POST", "Patient/_search")`, `("POST", "/")`.
pub type Calls = BTreeMap<(String, String), usize>;

/// Requests remembered; older ones are forgotten.
const REMEMBERED: usize = 100_000;

struct Shared {
    base: String,
    bearer: Option<String>,
    inner: Mutex<Inner>,
    /// Counts the changes of the record.
    changed: watch::Sender<u64>,
    stop: CancellationToken,
}

struct Inner {
    store: Store,
    pages: Pages,
    faults: Vec<Armed>,
    asked: VecDeque<Asked>,
    /// All of them, also those forgotten.
    calls: Calls,
}

impl fmt::Debug for PretendPractice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The record is made of people, and the token is a secret: neither is ever printed.
        f.debug_struct("PretendPractice").field("base_url", &self.shared.base).finish_non_exhaustive()
    }
}

struct StopOnDrop(CancellationToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl PretendPractice {
    /// Opens a practice that asks for no token, on a free port of loopback.
    pub async fn start(clock: Clock) -> io::Result<Self> {
        Self::open(clock, None).await
    }

    /// Opens one that answers 401 to whoever does not bring this bearer token.
    pub async fn start_with_bearer(clock: Clock, token: impl Into<String>) -> io::Result<Self> {
        Self::open(clock, Some(token.into())).await
    }

    async fn open(clock: Clock, bearer: Option<String>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            base: format!("http://{}/fhir", listener.local_addr()?),
            bearer,
            inner: Mutex::new(Inner {
                store: Store::new(clock),
                pages: Pages::default(),
                faults: Vec::new(),
                asked: VecDeque::new(),
                calls: Calls::new(),
            }),
            changed: watch::Sender::new(0),
            stop: stop.clone(),
        });
        tokio::spawn(server::run(listener, Arc::clone(&shared)));
        Ok(Self { shared, _running: Arc::new(StopOnDrop(stop)) })
    }

    /// The FHIR base, without a slash at its end: `http://127.0.0.1:…/fhir`.
    pub fn base_url(&self) -> &str {
        &self.shared.base
    }

    /// Puts a resource into the record as the practice's own staff would, and gives its id; one without an `id` gets
    /// one, one that is there gets a further version. What has no `resourceType` is kept, but cannot be found.
    pub fn put(&self, resource: Value) -> String {
        let field = |name| resource.get(name).and_then(Value::as_str).map(str::to_owned);
        let kind = field("resourceType").unwrap_or_default();
        let id = field("id").unwrap_or_else(Store::new_id);
        self.shared.lock().store.write(&kind, &id, resource);
        self.shared.tell();
        id
    }

    /// Deletes a resource: a read answers 410 from then on.
    pub fn delete(&self, kind: &str, id: &str) {
        self.shared.lock().store.delete(kind, id);
        self.shared.tell();
    }

    /// A resource as it stands now.
    pub fn resource(&self, kind: &str, id: &str) -> Option<Value> {
        match self.shared.lock().store.read(kind, id) {
            Found::Here(standing) => Some((*standing.resource).clone()),
            Found::Gone | Found::Nothing => None,
        }
    }

    /// Everything of a kind that stands now, by id.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.shared.lock().store.all(kind).map(|standing| (*standing.resource).clone()).collect()
    }

    /// Every write since the practice opened, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.shared.lock().store.journal().to_vec()
    }

    /// How often something carrying this identifier (`system|value`) was *created*: one, if all is well.
    pub fn times_created(&self, kind: &str, identifier: &str) -> usize {
        let created = |w: &&Write| {
            w.deed == Deed::Created && w.kind == kind && w.identifiers.iter().any(|theirs| theirs == identifier)
        };
        self.shared.lock().store.journal().iter().filter(created).count()
    }

    /// The requests that came in, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.lock().asked.iter().cloned().collect()
    }

    /// How many requests of each kind came in since the practice opened.
    pub fn calls(&self) -> Calls {
        self.shared.lock().calls.clone()
    }

    /// How many resources of a kind were ever written.
    pub fn count(&self, kind: &str) -> usize {
        self.shared.lock().store.count(kind)
    }

    /// The next `times` requests of this method at or below `path` (`/Task`; `/` for a transaction; empty for any) meet
    /// this fault. Faults that meet the same request strike in the order in which they were asked for.
    pub fn fail_next(&self, times: u32, method: Method, path: &str, fault: Fault) {
        self.shared.lock().faults.push(Armed { left: times, method, prefix: path.to_owned(), fault });
    }

    /// No more faults.
    pub fn heal(&self) {
        self.shared.lock().faults.clear();
    }

    /// Counts the changes of the record: a page or a test can wait for the next one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Waits until the record shows something, looking again at each change; `None` when time is up.
    pub async fn wait_for<T>(&self, within: Duration, look: impl Fn(&Self) -> Option<T>) -> Option<T> {
        let mut changes = self.changes();
        let seen = async {
            loop {
                if let Some(found) = look(self) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        tokio::time::timeout(within, seen).await.ok().flatten()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
