//! A mail catcher: a real SMTP listener on loopback that keeps what it is given and delivers nothing.
//!
//! The demo shows its mails, tests read them and wait for them; it can be told to fail ([`MailFault`]) the way mail
//! servers do: busy, refusing an address, or gone after the final dot so that nobody knows whether the mail arrived.
//! The conversation itself is in `session`.

mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mail_parser::{Address, MessageParser, PartType};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// A mail as it was caught.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtMail {
    /// Counted from 1, in the order of arrival.
    pub number: u64,
    /// When its final dot came.
    pub received: Timestamp,
    /// `MAIL FROM`; empty for a bounce.
    pub envelope_from: String,
    /// `RCPT TO`, each.
    pub envelope_to: Vec<String>,
    /// The message as it was sent, dots unstuffed.
    pub raw: Vec<u8>,
    /// `Subject`, decoded; empty where there is none.
    pub subject: String,
    /// The addresses of `From`.
    pub from: Vec<String>,
    /// The addresses of `To`.
    pub to: Vec<String>,
    /// `Message-ID` without its angle brackets.
    pub message_id: Option<String>,
    /// The `text/plain` part, where there is one.
    pub text: Option<String>,
    /// The `text/html` part, where there is one.
    pub html: Option<String>,
    /// Every header, in order, unfolded but not decoded.
    pub headers: Vec<(String, String)>,
}

impl CaughtMail {
    /// The first header of this name, in any case of letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// A way for the next mails to go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// This reply to `RCPT TO`: 450 for later, 550 for never. With 421 the connection is closed too.
    AtRecipient(u16),
    /// This reply after the final dot; nothing is kept. With 421 the connection is closed too.
    AfterData(u16),
    /// The connection is lost after the final dot; the mail is not kept.
    LostUnkept,
    /// The connection is lost after the final dot; the mail was kept: the sender cannot know.
    LostKept,
    /// The mail is kept, but 250 comes only so much later.
    Slow(Duration),
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// It is served.
    Open,
    /// It is greeted with 421 and closed.
    Busy,
    /// It is closed without a word.
    Shut,
}

/// A mail catcher, listening until the last handle on it is dropped.
#[derive(Clone)]
pub struct MailCatcher {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// Held for its drop.
    _running: Arc<StopOnDrop>,
}

struct Shared {
    clock: Clock,
    /// User and password asked for, where sending needs them.
    login: Option<(String, String)>,
    inner: Mutex<Inner>,
    /// The number of mails caught so far.
    caught: watch::Sender<u64>,
    stop: CancellationToken,
}

struct Inner {
    mails: Vec<CaughtMail>,
    /// Never goes back, whatever is cleared.
    count: u64,
    connections: u64,
    door: Door,
    faults: Vec<ArmedFault>,
}

struct ArmedFault {
    left: u32,
    /// In lower case; empty for anybody.
    to: String,
    fault: MailFault,
}

struct StopOnDrop(CancellationToken);

impl fmt::Debug for MailCatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Mails speak of people, and the login is a secret: neither is ever printed.
        f.debug_struct("MailCatcher").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl MailCatcher {
    /// Listens on a free port of loopback; anybody may send.
    pub async fn start(clock: Clock) -> io::Result<Self> {
        Self::open(clock, None).await
    }

    /// Listens likewise, but takes mail only after AUTH PLAIN or LOGIN with this user and password.
    pub async fn start_with_login(clock: Clock, user: &str, password: &str) -> io::Result<Self> {
        Self::open(clock, Some((user.to_owned(), password.to_owned()))).await
    }

    async fn open(clock: Clock, login: Option<(String, String)>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            clock,
            login,
            inner: Mutex::new(Inner {
                mails: Vec::new(),
                count: 0,
                connections: 0,
                door: Door::Open,
                faults: Vec::new(),
            }),
            caught: watch::Sender::new(0),
            stop: stop.clone(),
        });
        tokio::spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { shared, address, _running: Arc::new(StopOnDrop(stop)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every mail caught and not cleared, oldest first.
    pub fn mails(&self) -> Vec<CaughtMail> {
        self.shared.lock().mails.clone()
    }

    /// Mails to this address (of the envelope), oldest first.
    pub fn mails_to(&self, address: &str) -> Vec<CaughtMail> {
        let to = |mail: &&CaughtMail| mail.envelope_to.iter().any(|to| to.eq_ignore_ascii_case(address));
        self.shared.lock().mails.iter().filter(to).cloned().collect()
    }

    /// Hands out the mails caught so far and forgets them; `number` counts on.
    pub fn take(&self) -> Vec<CaughtMail> {
        std::mem::take(&mut self.shared.lock().mails)
    }

    /// Forgets the mails caught so far; `number` counts on.
    pub fn clear(&self) {
        self.shared.lock().mails.clear();
    }

    /// Connections taken since the start, those shut at once included.
    pub fn connections(&self) -> u64 {
        self.shared.lock().connections
    }

    /// Counts the mails caught: a page or a test can wait for the next one.
    pub fn caught(&self) -> watch::Receiver<u64> {
        self.shared.caught.subscribe()
    }

    /// The first mail that fits, as soon as it is there; `None` when time is up.
    pub async fn wait_for(&self, within: Duration, fits: impl Fn(&CaughtMail) -> bool) -> Option<CaughtMail> {
        let mut caught = self.caught();
        let seen = async {
            loop {
                let found = self.shared.lock().mails.iter().find(|mail| fits(mail)).cloned();
                if found.is_some() {
                    return found;
                }
                caught.changed().await.ok()?;
            }
        };
        tokio::time::timeout(within, seen).await.ok().flatten()
    }

    /// The next `times` mails to `address` (empty for anybody) meet this fault.
    /// Faults that meet the same mail strike in the order in which they were asked for.
    pub fn fail_next(&self, times: u32, address: &str, fault: MailFault) {
        self.shared.lock().faults.push(ArmedFault { left: times, to: address.to_lowercase(), fault });
    }

    /// How further connections are met.
    pub fn set_door(&self, door: Door) {
        self.shared.lock().door = door;
    }

    /// No more faults, and the door open.
    pub fn heal(&self) {
        let mut inner = self.shared.lock();
        inner.faults.clear();
        inner.door = Door::Open;
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "The mail catcher could not take a connection");
                continue;
            }
        };
        let door = {
            let mut inner = shared.lock();
            inner.connections += 1;
            inner.door
        };
        if door == Door::Shut {
            continue;
        }
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let stop = shared.stop.clone();
            // A connection lost in the middle is the sender's affair; what was kept is kept.
            let _ = stop.run_until_cancelled(session::serve(stream, &shared, door)).await;
        });
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that meets a mail to `to` at this stage, used up by one.
    fn strike(&self, to: &str, at_this_stage: impl Fn(&MailFault) -> bool) -> Option<MailFault> {
        let mut inner = self.lock();
        let meets = |armed: &&mut ArmedFault| {
            (armed.to.is_empty() || armed.to.eq_ignore_ascii_case(to)) && at_this_stage(&armed.fault)
        };
        let armed = inner.faults.iter_mut().find(meets)?;
        armed.left = armed.left.saturating_sub(1);
        let fault = armed.fault.clone();
        inner.faults.retain(|armed| armed.left > 0);
        Some(fault)
    }

    fn keep(&self, envelope_from: String, envelope_to: Vec<String>, raw: Vec<u8>) {
        let number = {
            let mut inner = self.lock();
            inner.count += 1;
            let number = inner.count;
            let mail = read_mail(number, self.clock.now(), envelope_from, envelope_to, raw);
            inner.mails.push(mail);
            number
        };
        self.caught.send_replace(number);
    }
}

fn read_mail(number: u64, received: Timestamp, from: String, to: Vec<String>, raw: Vec<u8>) -> CaughtMail {
    let mut mail = CaughtMail {
        number,
        received,
        envelope_from: from,
        envelope_to: to,
        raw: Vec::new(),
        subject: String::new(),
        from: Vec::new(),
        to: Vec::new(),
        message_id: None,
        text: None,
        html: None,
        headers: Vec::new(),
    };
    if let Some(message) = MessageParser::default().parse(&raw) {
        message.subject().unwrap_or_default().clone_into(&mut mail.subject);
        mail.from = addresses(message.from());
        mail.to = addresses(message.to());
        mail.message_id = message.message_id().map(str::to_owned);
        // `body_text` would make up a text from the HTML: here only what was really sent counts.
        mail.text = message.text_bodies().find_map(|part| match &part.body {
            PartType::Text(text) => Some(text.clone().into_owned()),
            _ => None,
        });
        mail.html = message.html_bodies().find_map(|part| match &part.body {
            PartType::Html(html) => Some(html.clone().into_owned()),
            _ => None,
        });
        mail.headers = message.headers_raw().map(|(name, value)| (name.to_owned(), unfolded(value))).collect();
    }
    mail.raw = raw;
    mail
}

fn addresses(field: Option<&Address<'_>>) -> Vec<String> {
    field.into_iter().flat_map(Address::iter).filter_map(|a| a.address().map(str::to_owned)).collect()
}

/// One line of a header that was folded over several (RFC 5322, section 2.2.3).
fn unfolded(value: &str) -> String {
    value.replace("\r\n", "").trim().to_owned()
}
