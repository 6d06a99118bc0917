//! Sends one mail to one address, and says what came of it in terms of what to do.
//!
//! Built on lettre's SMTP connection rather than on its ready-made transport, for three reasons found by trying it: the
//! transport does not say at which step a send failed, so "lost before the mail" and "lost after its final dot" look the
//! same, and a refusal of *our* account looks like a bad address; its time-out covers the TCP connect only; and its pool
//! does not cap connections. Here each step is known, each has its time-out, at most `max_connections` are open, idle
//! ones are used again, and `TCP_NODELAY` saves 40 ms a mail.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::transport::smtp::{
    client::{Certificate, TlsParameters},
    extension::ClientId,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use super::{
    address::Mailbox,
    message::{self, Outgoing},
    smtp_reply::{MailError, Stage, Trouble, classify},
};
use crate::{
    effect::EffectError,
    settings::{Mail, MailAuth, MailTls},
};

mod connection;

use connection::Connection;

/// An idle connection older than this is closed: servers end them after 30 s and more (RFC 5321 allows 5 minutes).
const IDLE_FOR: Duration = Duration::from_secs(20);

/// The mail server took the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpAnswer {
    /// `250`.
    pub code: u16,
    /// Its words, often with its own queue number: for the ledger, so that its log can be searched.
    pub text: String,
}

impl std::fmt::Display for SmtpAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// A mail server that we send through.
#[derive(Debug)]
pub struct Mailer {
    server: Server,
    from: Mailbox,
    command_timeout: Duration,
    answer_timeout: Duration,
    slots: Semaphore,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// How a connection is made.
#[derive(Debug)]
struct Server {
    host: String,
    port: u16,
    tls: MailTls,
    tls_parameters: Option<TlsParametersOf>,
    auth: MailAuth,
    connect_timeout: Duration,
    hello: ClientId,
}

/// Without lettre's missing `Debug`.
struct TlsParametersOf(TlsParameters);

impl std::fmt::Debug for TlsParametersOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsParameters")
    }
}

/// Settings that a mailer cannot be made from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MailerError(String);

impl Mailer {
    /// Reads certificates; connects to nothing yet.
    pub fn new(settings: &Mail) -> Result<Self, MailerError> {
        let tls_parameters = match settings.tls {
            MailTls::None => None,
            MailTls::Required | MailTls::Opportunistic => Some(TlsParametersOf(tls_parameters(settings)?)),
        };
        Ok(Self {
            server: Server {
                host: settings.host.clone(),
                port: settings.port,
                tls: settings.tls,
                tls_parameters,
                auth: settings.auth.clone(),
                connect_timeout: settings.connect_timeout,
                hello: ClientId::default(),
            },
            from: settings.from.clone(),
            command_timeout: settings.command_timeout,
            answer_timeout: settings.answer_timeout,
            slots: Semaphore::new(usize::from(settings.max_connections.max(1))),
            idle: Mutex::default(),
        })
    }

    /// Sends one mail. Trying again after any error sends the same bytes with the same Message-ID.
    pub async fn send(&self, mail: &Outgoing) -> Result<SmtpAnswer, MailError> {
        let refused = |why| MailError::from(EffectError::NeedsPerson { why });
        let bytes = message::build(&self.from, mail).map_err(refused)?;
        let from = message::lettre_address(&self.from.address).map_err(refused)?;
        let to = message::lettre_address(&mail.to).map_err(refused)?;
        let _slot = self.slot().await?;
        let mut connection = self.begin(&from).await.map_err(|(stage, trouble)| classify(stage, &trouble))?;
        match self.hand_over(&mut connection, to, &bytes).await {
            Ok(answer) => {
                self.put_back(connection);
                Ok(answer)
            }
            Err((stage, trouble)) => {
                connection.leave_after(&trouble).await;
                Err(classify(stage, &trouble))
            }
        }
    }

    /// Connects, protects, signs in and leaves; sends nothing. One line for `wellbridge check`.
    pub async fn check(&self) -> Result<String, MailError> {
        let _slot = self.slot().await?;
        let mut connection = self.server.connect().await.map_err(|(stage, trouble)| classify(stage, &trouble))?;
        let protected = if connection.is_encrypted() { "TLS" } else { "no TLS" };
        let signed_in = match &self.server.auth {
            MailAuth::None => "no sign-in",
            MailAuth::Plain(_) | MailAuth::Login(_) | MailAuth::XOAuth2(_) => "signed in",
        };
        connection.leave().await;
        Ok(format!("{}:{} answers, {protected}, {signed_in}", self.server.host, self.server.port))
    }

    /// Ends idle connections politely; a later send opens new ones.
    pub async fn close(&self) {
        let idle: Vec<_> = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for (mut connection, _) in idle {
            connection.leave().await;
        }
    }

    /// Waits for one of the connections we may have, not for ever: others' mails may be slow.
    async fn slot(&self) -> Result<SemaphorePermit<'_>, MailError> {
        match timeout(self.server.connect_timeout, self.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(EffectError::retry("All connections to the mail server are busy.").into()),
        }
    }

    /// A connection on which the server has taken MAIL FROM. An idle one that has died meanwhile is replaced without a
    /// word: nothing has been sent on it.
    async fn begin(&self, from: &lettre::Address) -> Result<Connection, (Stage, Trouble)> {
        while let Some(mut idle) = self.take_idle() {
            if timeout(self.command_timeout, idle.mail_from(from.clone())).await.is_ok_and(|said| said.is_ok()) {
                return Ok(idle);
            }
        }
        let mut fresh = self.server.connect().await?;
        match timeout(self.command_timeout, fresh.mail_from(from.clone())).await {
            Ok(Ok(())) => Ok(fresh),
            Ok(Err(trouble)) => {
                fresh.leave_after(&trouble).await;
                Err((Stage::From, trouble))
            }
            Err(_) => Err((Stage::From, Trouble::TimedOut)),
        }
    }

    async fn hand_over(
        &self,
        connection: &mut Connection,
        to: lettre::Address,
        bytes: &[u8],
    ) -> Result<SmtpAnswer, (Stage, Trouble)> {
        let commands = async {
            connection.rcpt_to(to).await.map_err(|trouble| (Stage::To, trouble))?;
            connection.data().await.map_err(|trouble| (Stage::Data, trouble))
        };
        match timeout(self.command_timeout, commands).await {
            Ok(done) => done?,
            Err(_) => return Err((Stage::Data, Trouble::TimedOut)),
        }
        match timeout(self.answer_timeout, connection.content(bytes)).await {
            Ok(said) => said.map_err(|trouble| (Stage::Content, trouble)),
            Err(_) => Err((Stage::Content, Trouble::TimedOut)),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_FOR);
        idle.pop().map(|(connection, _)| connection)
    }

    fn put_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }
}

fn tls_parameters(settings: &Mail) -> Result<TlsParameters, MailerError> {
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.tls_ca_file {
        let wrong = |why: String| MailerError(format!("mail.tls_ca_file ({}): {why}", path.display()));
        let pem = fs::read(path).map_err(|why| wrong(format!("cannot be read: {why}.")))?;
        let authority = Certificate::from_pem(&pem).map_err(|_| wrong("holds no certificate in PEM form.".into()))?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build().map_err(|why| MailerError(format!("TLS for mail cannot be set up: {why}")))
}

#[cfg(test)]
mod tests;
