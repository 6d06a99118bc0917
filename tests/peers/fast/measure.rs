//! The peers of `tests/measure`: a GP who refers as fast or as evenly as is asked, a mailbox that knows when each mail
//! came, every partner, and the counts. Each line of input is one [`Command`]; each is answered by one line of JSON.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::MailCatcher;
use wellbridge::demo::practice::{Calls, PretendPractice};

use super::partner::{Partners, Until};
use super::{bare, open, referrals, say};

/// What can be asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Command {
    /// Puts so many referrals into the record: at once, or so many a second from now on.
    Refer { many: usize, per_second: Option<f64> },
    /// From now on every offer is answered, at one of these bases after the other.
    Answer { bases: Vec<String>, until: Until },
    /// Nobody answers any more.
    Ignore,
    /// Counts.
    Stats,
    /// The ids of every patient and request so far.
    Referrals,
    /// When each request could be seen, and when each offer's mail was taken, in microseconds since 1970.
    Times,
}

/// Everything that was seen so far.
#[derive(Default)]
struct Seen {
    /// Patient, request, when it could be seen.
    referred: Vec<(String, String, i64)>,
    /// Offer, when its mail was taken.
    offers: Vec<(String, i64)>,
    mails: u64,
}

struct Peers {
    practice: PretendPractice,
    catcher: MailCatcher,
    partners: Partners,
    seen: Mutex<Seen>,
}

/// Serves until the standard input closes.
pub(super) async fn serve() -> io::Result<()> {
    let (practice, catcher) = open().await?;
    practice.put(referrals::organisation());
    let peers = Arc::new(Peers { practice, catcher, partners: Partners::start(), seen: Mutex::default() });
    tokio::spawn(read_mails(Arc::clone(&peers)));
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        say(&peers.obey(serde_json::from_str(&line)?))?;
    }
    Ok(())
}

/// Lines of the standard input, read on a thread of their own.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn read_mails(peers: Arc<Peers>) {
    let mut caught = peers.catcher.caught();
    while caught.changed().await.is_ok() {
        for mail in peers.catcher.take() {
            let offer = mail.message_id.as_deref().and_then(offer_of).map(str::to_owned);
            let mut seen = peers.seen();
            seen.mails += 1;
            let Some(offer) = offer else { continue };
            seen.offers.push((offer, mail.received.as_microsecond()));
            drop(seen);
            peers.partners.read(mail.text.as_deref().unwrap_or_default());
        }
    }
}

/// `<offer>.offer.1@…`: a first mail about an offer.
fn offer_of(message_id: &str) -> Option<&str> {
    let (offer, kind) = message_id.split_once('.')?;
    kind.starts_with("offer.").then_some(offer)
}

impl Peers {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn obey(self: &Arc<Self>, command: Command) -> Value {
        match command {
            Command::Refer { many, per_second: None } => (0..many).for_each(|_| self.refer()),
            Command::Refer { many, per_second: Some(rate) } => {
                tokio::spawn(Arc::clone(self).refer_evenly(many, rate));
            }
            Command::Answer { bases, until } => self.partners.answer_at(bases, until),
            Command::Ignore => self.partners.answer_at(Vec::new(), Until::Started),
            Command::Stats => return self.stats(),
            Command::Referrals => {
                return self.seen().referred.iter().map(|(patient, request, _)| json!([patient, request])).collect();
            }
            Command::Times => {
                let seen = self.seen();
                let visible: BTreeMap<&str, i64> = seen.referred.iter().map(|(_, r, at)| (r.as_str(), *at)).collect();
                let mails: BTreeMap<&str, i64> = seen.offers.iter().map(|(offer, at)| (offer.as_str(), *at)).collect();
                return json!({ "visible": visible, "mails": mails });
            }
        }
        json!({})
    }

    fn refer(&self) {
        let number = self.seen().referred.len();
        let (patient, request) = referrals::refer(&self.practice, number);
        let now = Clock::System.now().as_microsecond();
        self.seen().referred.push((patient, request, now));
    }

    async fn refer_evenly(self: Arc<Self>, many: usize, per_second: f64) {
        let start = Instant::now();
        let mut at = Duration::ZERO;
        for _ in 0..many {
            tokio::time::sleep_until(start + at).await;
            self.refer();
            at += Duration::from_secs_f64(1.0 / per_second);
        }
    }

    fn stats(&self) -> Value {
        let calls: BTreeMap<String, usize> =
            self.practice.calls().into_iter().map(|((method, what), n)| (format!("{method} {what}"), n)).collect();
        let (answered, failures) = self.partners.counts();
        let seen = self.seen();
        json!({
            "referred": seen.referred.len(),
            "mails": seen.mails,
            "offers": seen.offers.len(),
            "answered": answered,
            "failures": failures,
            "filed": self.practice.count("DocumentReference"),
            "calls": calls,
        })
    }
}

/// What the bare loop is to do.
#[derive(Deserialize)]
struct Bare {
    practice: String,
    smtp: u16,
    referrals: Vec<(String, String)>,
    /// `GET Task` → how often.
    calls: BTreeMap<String, usize>,
}

/// Reads one line, does it, says how long it took.
pub(super) async fn bare_loop() -> io::Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let Bare { practice, smtp, referrals, calls } = serde_json::from_str(&line)?;
    let split = |(call, n): (String, usize)| call.split_once(' ').map(|(a, b)| ((a.to_owned(), b.to_owned()), n));
    let wanted: Calls = calls.into_iter().filter_map(split).collect();
    let seconds = bare::run(&practice, smtp, &referrals, &wanted).await;
    say(&json!({ "seconds": seconds }))
}
