//! Everybody at every charity, without a browser: opens the link of each offer, says yes, and tells that support has
//! started (and finished), over HTTP as a browser would, as quickly as the pages answer.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use tokio::sync::{Mutex as Turn, mpsc};

/// People at their desks at one time.
const HANDS: usize = 8;
/// A page that does not answer is asked again after this long, so often.
const AGAIN: (Duration, u32) = (Duration::from_millis(200), 50);

/// How far an offer is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Until {
    /// A yes, no more.
    Accepted,
    /// Support has started.
    #[default]
    Started,
    /// Support has finished.
    Finished,
}

pub(super) struct Partners {
    links: mpsc::UnboundedSender<String>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    plan: Mutex<(Vec<String>, Until)>,
    turn: AtomicUsize,
    answered: AtomicU64,
    failures: AtomicU64,
}

impl Partners {
    /// They sit down, and answer nothing yet.
    pub(super) fn start() -> Self {
        let (links, waiting) = mpsc::unbounded_channel();
        let (waiting, shared) = (Arc::new(Turn::new(waiting)), Arc::new(Shared::default()));
        let client = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        for _ in 0..HANDS {
            tokio::spawn(work(client.clone(), Arc::clone(&waiting), Arc::clone(&shared)));
        }
        Self { links, shared }
    }

    /// From now on offers are answered at these bases; at none they are not.
    pub(super) fn answer_at(&self, bases: Vec<String>, until: Until) {
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = (bases, until);
    }

    /// Reads an offer's mail.
    pub(super) fn read(&self, text: &str) {
        let answered = !self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner).0.is_empty();
        if let (true, Some(link)) = (answered, link_in(text)) {
            let _ = self.links.send(link);
        }
    }

    /// Offers answered so far, and pages that failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.shared.answered.load(Ordering::Relaxed), self.shared.failures.load(Ordering::Relaxed))
    }
}

/// The path of the link in a mail: `/answer/…`.
fn link_in(text: &str) -> Option<String> {
    let from = &text[text.find("/answer/")?..];
    let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_'));
    Some(from[..from.find(ends).unwrap_or(from.len())].to_owned())
}

async fn work(client: Client, waiting: Arc<Turn<mpsc::UnboundedReceiver<String>>>, shared: Arc<Shared>) {
    loop {
        let Some(link) = waiting.lock().await.recv().await else { return };
        for _ in 0..AGAIN.1 {
            let (bases, until) = shared.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let next = shared.turn.fetch_add(1, Ordering::Relaxed);
            let Some(base) = bases.get(next % bases.len().max(1)) else { break };
            if answer(&client, base, &link, until).await.is_some() {
                shared.answered.fetch_add(1, Ordering::Relaxed);
                break;
            }
            shared.failures.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN.0).await;
        }
    }
}

/// Looks at the page, then fills in one form after the other; none where a page does not answer as it should.
async fn answer(client: &Client, base: &str, link: &str, until: Until) -> Option<()> {
    let page = client.get(format!("{base}{link}")).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
    let form = hidden(&page, "form")?;
    let before = "satisfied=3&worthwhile=4&happy=3&anxious=7";
    let after = "tried=Visits.&satisfied=7&worthwhile=7&happy=7&anxious=2";
    let steps = [("yes", ""), ("tell/started", before), ("tell/finished", after)];
    let many = match until {
        Until::Accepted => 1,
        Until::Started => 2,
        Until::Finished => 3,
    };
    for (step, filled) in &steps[..many] {
        let post = client.post(format!("{base}{link}/{step}")).header("origin", base);
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        let answered = post.body(format!("form={form}&{filled}")).send().await.ok()?;
        (answered.status() == StatusCode::SEE_OTHER).then_some(())?;
    }
    Some(())
}

/// The value of a hidden field.
fn hidden(page: &str, name: &str) -> Option<String> {
    let from = page.split_once(&format!("name=\"{name}\" value=\""))?.1;
    Some(from.split_once('"')?.0.to_owned())
}
