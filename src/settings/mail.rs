//! `[mail]`: how mail leaves us.

use std::{path::PathBuf, time::Duration};

use crate::partner::address::Mailbox;

use super::{leaf::words, secret::Secret, section::Section, web::is_loopback_host};

/// How mail leaves us.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The relay's name, which its certificate must bear.
    pub host: String,
    /// 587 (STARTTLS), 465 (TLS from the first byte) or 25.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Certificates of an own authority (PEM), trusted besides the machine's.
    pub tls_ca_file: Option<PathBuf>,
    /// How we sign in.
    pub auth: MailAuth,
    /// The sending account: From, and where bounces go.
    pub from: Mailbox,
    /// For connecting, TLS, greeting and sign-in together.
    pub connect_timeout: Duration,
    /// For the commands before the text of a mail.
    pub command_timeout: Duration,
    /// For the answer after the text of a mail (RFC 5321 advises 10 minutes; a shorter wait risks a second copy).
    pub answer_timeout: Duration,
    /// Connections at one time.
    pub max_connections: u8,
}

impl Mail {
    /// The longest that sending one mail can take; a job that sends one needs a longer time-out than this.
    pub fn longest_send(&self) -> Duration {
        // Waiting for a free connection is bounded by `connect_timeout` too.
        self.connect_timeout * 2 + self.command_timeout + self.answer_timeout
    }
}

/// How the connection to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// No mail without TLS.
    Required,
    /// TLS where the relay offers it.
    Opportunistic,
    /// Never; this machine only.
    None,
}

words!(MailTls { Required = "required", Opportunistic = "opportunistic", None = "none" });

/// How we sign in to the relay: the seam for further ways.
#[derive(Clone, Debug)]
pub enum MailAuth {
    /// The relay knows us by our network address.
    None,
    /// AUTH PLAIN.
    Plain(SignIn),
    /// AUTH LOGIN: an old way that some providers still ask for.
    Login(SignIn),
    /// AUTH XOAUTH2: the secret is an access token, written to its file anew by whatever renews it.
    XOAuth2(SignIn),
}

/// Who we are to the relay.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The account.
    pub username: String,
    /// Its password, or an access token.
    pub secret: Secret,
}

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthWord {
    None,
    Plain,
    Login,
    XOAuth2,
}

words!(AuthWord { None = "none", Plain = "plain", Login = "login", XOAuth2 = "xoauth2" });

pub(super) fn read(section: Section<'_>) -> Option<Mail> {
    let host = section
        .need::<String>("host", "It is the name of the server that sends your mail, as \"smtp.provider.example\".")
        .map(|host| host.trim().to_owned());
    let port = section.get("port");
    let tls = section.get::<MailTls>("tls");
    let tls_ca_file = section.maybe::<PathBuf>("tls_ca_file");
    let auth = read_auth(&section);
    let from = section.need("from", "It is the mailbox that sends: \"Leeds Wellbeing <referrals@leeds.example>\".");
    let connect_timeout = section.at_least("connect_timeout", SECOND, "a second");
    let command_timeout = section.at_least("command_timeout", SECOND, "a second");
    let answer_timeout = section.at_least("answer_timeout", SECOND, "a second");
    let max_connections = section.get::<u8>("max_connections").filter(|n| {
        if *n == 0 {
            section.problem("max_connections", "must be 1 or more.");
        }
        *n > 0
    });
    if let (Some(host), Some(MailTls::None)) = (&host, tls)
        && !is_loopback_host(host)
    {
        section.problem(
            "tls",
            format!(
                "`none` would send mails and passwords to {host} for all to read. Write \"required\"; \"none\" is for a \
                 mail server on this machine only (127.0.0.1)."
            ),
        );
    }
    section.finish();
    Some(Mail {
        host: host?,
        port: port?,
        tls: tls?,
        tls_ca_file: tls_ca_file?,
        auth: auth?,
        from: from?,
        connect_timeout: connect_timeout?,
        command_timeout: command_timeout?,
        answer_timeout: answer_timeout?,
        max_connections: max_connections?,
    })
}

fn read_auth(section: &Section<'_>) -> Option<MailAuth> {
    let word = section.get::<AuthWord>("auth");
    let username = section.maybe::<String>("username")?;
    let password = section.secret("password")?;
    let token = section.secret("token")?;
    let word = word?;
    if word == AuthWord::None {
        if username.is_some() || password.is_some() || token.is_some() {
            section.problem("auth", "is \"none\", but there is a username or a secret. Write \"plain\" to sign in.");
            return None;
        }
        return Some(MailAuth::None);
    }
    let (key, secret) = if word == AuthWord::XOAuth2 { ("token", token) } else { ("password", password) };
    if username.is_none() {
        section.problem("username", "is missing. `auth` says that we sign in: write the account's name.");
    }
    if secret.is_none() {
        section.problem(key, format!("is missing. Write the name of the file that holds it as `{key}_file`."));
    }
    let sign_in = SignIn { username: username?, secret: secret? };
    Some(match word {
        AuthWord::Login => MailAuth::Login(sign_in),
        AuthWord::XOAuth2 => MailAuth::XOAuth2(sign_in),
        AuthWord::Plain | AuthWord::None => MailAuth::Plain(sign_in),
    })
}
