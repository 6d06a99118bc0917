//! One connection to the mail server, step by step, each failure said as a [`Trouble`].

use std::{error::Error as _, time::Duration};

use lettre::{
    Address,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::AsyncSmtpConnection,
        commands::{Data, Mail, Rcpt},
        extension::Extension,
    },
};
use secrecy::ExposeSecret as _;
use tokio::{net::TcpStream, time::timeout};

use super::{Server, SmtpAnswer};
use crate::{
    partner::smtp_reply::{Reply, Stage, Trouble},
    settings::{MailAuth, MailTls, mail::SignIn, web::is_loopback_host},
    tls,
};

/// TLS from the first byte (RFC 8314, 3.3).
const IMPLICIT_TLS_PORT: u16 = 465;

/// How long we wait for a server's good-bye.
const GOODBYE: Duration = Duration::from_secs(1);

/// One connection to the mail server.
pub(super) struct Connection(AsyncSmtpConnection);

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

type Step<T> = Result<T, (Stage, Trouble)>;

impl Server {
    /// A connection that is greeted, protected and signed in, within `connect_timeout`.
    pub(super) async fn connect(&self) -> Step<Connection> {
        // Which step the time ran out in matters little: nothing was sent.
        let connecting = timeout(self.connect_timeout, self.connect_steps()).await;
        connecting.unwrap_or(Err((Stage::Connect, Trouble::TimedOut)))
    }

    async fn connect_steps(&self) -> Step<Connection> {
        let mut connection = self.greeted().await?;
        self.protect(&mut connection).await?;
        self.sign_in(&mut connection).await?;
        Ok(Connection(connection))
    }

    async fn greeted(&self) -> Step<AsyncSmtpConnection> {
        let address = (self.host.as_str(), self.port);
        if let (IMPLICIT_TLS_PORT, Some(tls)) = (self.port, &self.tls_parameters) {
            let limit = Some(self.connect_timeout);
            return AsyncSmtpConnection::connect_tokio1(address, limit, &self.hello, Some(tls.0.clone()), None)
                .await
                .map_err(|why| at(Stage::Greeting, &why));
        }
        let stream = TcpStream::connect(address).await.map_err(|_| (Stage::Connect, Trouble::Lost))?;
        // Small commands must not wait for each other; a socket that cannot do it is only slower.
        let _ = stream.set_nodelay(true);
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello)
            .await
            .map_err(|why| at(Stage::Greeting, &why))
    }

    async fn protect(&self, connection: &mut AsyncSmtpConnection) -> Step<()> {
        let Some(tls) = &self.tls_parameters else { return Ok(()) };
        if connection.is_encrypted() {
            return Ok(());
        }
        if !connection.server_info().supports_feature(Extension::StartTls) {
            return match self.tls {
                MailTls::Required => Err((Stage::Tls, Trouble::NoTls)),
                MailTls::Opportunistic | MailTls::None => Ok(()),
            };
        }
        connection.starttls(tls.0.clone(), &self.hello).await.map_err(|why| at(Stage::Tls, &why))
    }

    async fn sign_in(&self, connection: &mut AsyncSmtpConnection) -> Step<()> {
        let (mechanism, SignIn { username, secret }) = match &self.auth {
            MailAuth::None => return Ok(()),
            MailAuth::Plain(sign_in) => (Mechanism::Plain, sign_in),
            MailAuth::Login(sign_in) => (Mechanism::Login, sign_in),
            MailAuth::XOAuth2(sign_in) => (Mechanism::Xoauth2, sign_in),
        };
        // "opportunistic" is about mails; a password never leaves this machine for all to read.
        if !connection.is_encrypted() && !is_loopback_host(&self.host) {
            return Err((Stage::SignIn, Trouble::NoTls));
        }
        let secret = secret.current().expose_secret().to_owned();
        let credentials = Credentials::new(username.clone(), secret);
        let said = connection.auth(&[mechanism], &credentials).await;
        said.map(|_| ()).map_err(|why| at(Stage::SignIn, &why))
    }
}

impl Connection {
    pub(super) fn is_encrypted(&self) -> bool {
        self.0.is_encrypted()
    }

    /// No parameters: the bytes are ASCII and so are the addresses.
    pub(super) async fn mail_from(&mut self, from: Address) -> Result<(), Trouble> {
        self.0.command(Mail::new(Some(from), Vec::new())).await.map(|_| ()).map_err(|why| trouble(&why))
    }

    pub(super) async fn rcpt_to(&mut self, to: Address) -> Result<(), Trouble> {
        self.0.command(Rcpt::new(to, Vec::new())).await.map(|_| ()).map_err(|why| trouble(&why))
    }

    pub(super) async fn data(&mut self) -> Result<(), Trouble> {
        self.0.command(Data).await.map(|_| ()).map_err(|why| trouble(&why))
    }

    /// The mail and its final dot, to the answer.
    pub(super) async fn content(&mut self, bytes: &[u8]) -> Result<SmtpAnswer, Trouble> {
        let answer = self.0.message(bytes).await.map_err(|why| trouble(&why))?;
        Ok(SmtpAnswer { code: answer.code().into(), text: answer.message().collect::<Vec<_>>().join(" ") })
    }

    /// Says good-bye to a server that said no; one that fell silent or went away is not waited for.
    pub(super) async fn leave_after(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Reply(reply) if reply.code != 421) {
            self.leave().await;
        }
    }

    /// Says good-bye.
    pub(super) async fn leave(&mut self) {
        let _ = timeout(GOODBYE, self.0.abort()).await;
    }
}

fn at(stage: Stage, why: &lettre::transport::smtp::Error) -> (Stage, Trouble) {
    match (stage, trouble(why)) {
        // Bytes that make no sense in the middle of a handshake: the other side does not speak TLS.
        (Stage::Tls, Trouble::Unsupported) => (stage, Trouble::NoTls),
        (_, trouble) => (stage, trouble),
    }
}

/// What kind of failure lettre's error is.
fn trouble(why: &lettre::transport::smtp::Error) -> Trouble {
    if let Some(code) = why.status() {
        let words = why.source().map(ToString::to_string).unwrap_or_default();
        return Trouble::Reply(Reply::new(code.into(), &words));
    }
    if let Some(error) = tls::error_behind(why) {
        return if tls::is_bad_certificate(error) { Trouble::Certificate } else { Trouble::NoTls };
    }
    if why.is_tls() {
        Trouble::NoTls
    } else if why.is_client() {
        Trouble::Unsupported
    } else if why.is_timeout() {
        Trouble::TimedOut
    } else {
        Trouble::Lost
    }
}
