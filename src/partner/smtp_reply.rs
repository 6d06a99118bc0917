//! What a mail server's answer means: which step failed and how, in; what to do, out.
//!
//! Knowledge of the world as data: a table of rules, the first that fits wins (RFC 5321, 4.2; RFC 3463 and the IANA
//! registry of enhanced status codes). The step matters as much as the number: a 550 after MAIL FROM is about *our*
//! account, and must never mark every charity's address as bad. Words of the server may hold an address, so they travel
//! as `detail`, which is shown to signed-in people and never logged.

use std::{fmt, ops::RangeInclusive};

use crate::effect::EffectError;

/// The steps of sending a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reaching the server.
    Connect,
    /// Its greeting and EHLO.
    Greeting,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    SignIn,
    /// MAIL FROM.
    From,
    /// RCPT TO.
    To,
    /// DATA.
    Data,
    /// The mail itself, up to the answer after its final dot.
    Content,
}

/// How a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server said no.
    Reply(Reply),
    /// The connection could not be made, or was lost.
    Lost,
    /// No answer in time.
    TimedOut,
    /// The server's certificate is not to be trusted.
    Certificate,
    /// TLS failed for another reason, or is not offered and must be.
    NoTls,
    /// The server lacks something we need (a way of signing in).
    Unsupported,
}

/// A negative reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `550`.
    pub code: u16,
    /// `5.1.1`, where the server gives one.
    pub enhanced: Option<String>,
    /// Its words.
    pub text: String,
}

impl Reply {
    /// Reads an enhanced status code off the front of the words (RFC 2034); one of another class than the reply's code
    /// is not believed.
    pub fn new(code: u16, text: &str) -> Self {
        let first = text.split_whitespace().next().unwrap_or("");
        let numbers: Vec<&str> = first.split('.').collect();
        let shape = numbers.len() == 3
            && numbers.iter().all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
            && numbers.first().is_some_and(|class| *class == (code / 100).to_string());
        Self { code, enhanced: shape.then(|| first.to_owned()), text: text.to_owned() }
    }
}

impl fmt::Display for Reply {
    /// The numbers alone: the words may hold an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.enhanced {
            Some(enhanced) => write!(f, "{} {enhanced}", self.code),
            None => self.code.fmt(f),
        }
    }
}

/// A mail that was not sent, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{effect}")]
pub struct MailError {
    /// What to do.
    #[source]
    pub effect: EffectError,
    /// The recipient's address does not work and must not be written to again until a person confirms it.
    pub address_is_bad: bool,
    /// The server itself is away, or ends the connection: it is not about this mail.
    pub server_is_away: bool,
}

impl From<MailError> for EffectError {
    fn from(error: MailError) -> Self {
        error.effect
    }
}

impl From<EffectError> for MailError {
    fn from(effect: EffectError) -> Self {
        Self { effect, address_is_bad: false, server_is_away: false }
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It may go better later.
    Again,
    /// The recipient's address does not work.
    BadAddress,
    /// This mail is refused; the address may be good.
    Refused,
    /// Somebody must change something of ours.
    Person(&'static str),
}

struct Rule {
    /// At these steps; everywhere where empty.
    at: &'static [Stage],
    codes: RangeInclusive<u16>,
    /// Enhanced status codes, `5.2.*` being all of 5.2; any or none where empty; `""` is none.
    enhanced: &'static [&'static str],
    says: Verdict,
}

const fn rule(
    at: &'static [Stage],
    codes: RangeInclusive<u16>,
    enhanced: &'static [&'static str],
    says: Verdict,
) -> Rule {
    Rule { at, codes, enhanced, says }
}

const SIGN_IN: Verdict =
    Verdict::Person("Check `mail.auth`, `mail.username` and the password or token: the mail server did not take them");
const SENDER: Verdict =
    Verdict::Person("The mail server does not let us send from `mail.from`: check the account with its provider");
const RELAY: Verdict =
    Verdict::Person("The mail server does not pass mail on for us: check `mail.auth` and what the account may do");
const SERVER: Verdict = Verdict::Person("The mail server does not talk to us: check `mail.host` and `mail.port`");

const RULES: &[Rule] = &[
    // A password that must be renewed does not get better by waiting (RFC 4954, 4.7.12).
    rule(&[Stage::SignIn], 432..=432, &[], SIGN_IN),
    rule(&[], 400..=499, &[], Verdict::Again),
    rule(&[Stage::SignIn], 500..=599, &[], SIGN_IN),
    rule(&[Stage::Connect, Stage::Greeting, Stage::Tls], 500..=599, &[], SERVER),
    // Authentication required, too weak, failed, TLS needed for it (RFC 4954), whatever step they come at.
    rule(&[], 530..=530, &[], SIGN_IN),
    rule(&[], 534..=535, &[], SIGN_IN),
    rule(&[], 538..=538, &[], SIGN_IN),
    rule(&[], 500..=599, &["5.7.8", "5.7.9", "5.7.11"], SIGN_IN),
    rule(&[Stage::From], 500..=599, &[], SENDER),
    rule(&[], 500..=599, &["5.1.7", "5.1.8"], SENDER),
    // No such mailbox or domain, mailbox disabled, no route; 5.1.10 is a domain that takes no mail (RFC 7505), 5.4.1
    // is how Exchange Online says that it does not know a recipient.
    rule(&[], 500..=599, &["5.1.*", "5.2.1", "5.4.1", "5.4.4"], Verdict::BadAddress),
    // A mailbox that is full, a list that takes no mail from outside.
    rule(&[], 500..=599, &["5.2.*", "5.3.*"], Verdict::Refused),
    rule(&[Stage::To], 500..=599, &["5.7.1"], RELAY),
    rule(&[Stage::To], 552..=552, &[], Verdict::Refused),
    rule(&[Stage::To], 500..=504, &[], SERVER),
    // The old numbers alone: no such user, not here, name not allowed, host or domain takes no mail (RFC 7504).
    rule(&[Stage::To], 550..=551, &["", "5.0.0", "5.5.0"], Verdict::BadAddress),
    rule(&[Stage::To], 553..=553, &["", "5.0.0", "5.5.0"], Verdict::BadAddress),
    rule(&[Stage::To], 521..=521, &[], Verdict::BadAddress),
    rule(&[Stage::To], 556..=556, &[], Verdict::BadAddress),
    rule(&[], 500..=599, &[], Verdict::Refused),
];

impl Rule {
    fn fits(&self, stage: Stage, reply: &Reply) -> bool {
        let given = reply.enhanced.as_deref().unwrap_or("");
        let matches = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(front) => given.starts_with(front),
            None => given == *pattern,
        };
        (self.at.is_empty() || self.at.contains(&stage))
            && self.codes.contains(&reply.code)
            && (self.enhanced.is_empty() || self.enhanced.iter().any(matches))
    }
}

/// What to do about a failure.
pub fn classify(stage: Stage, trouble: &Trouble) -> MailError {
    let server_is_away = matches!(trouble, Trouble::Lost | Trouble::TimedOut);
    let effect = match trouble {
        Trouble::Reply(reply) => return classify_reply(stage, reply),
        // The final dot may have been read: the mail may be on its way.
        Trouble::Lost | Trouble::TimedOut if stage == Stage::Content => EffectError::OutcomeUnknown {
            why: "The connection to the mail server ended before it said whether it took the mail. It is sent again \
                  with the same Message-ID; the partner may get two copies."
                .to_owned(),
        },
        Trouble::Lost if stage == Stage::Connect => EffectError::retry("The mail server cannot be reached."),
        Trouble::Lost => EffectError::retry("The mail server ended the connection."),
        Trouble::TimedOut if stage == Stage::Connect => {
            EffectError::retry("The mail server did not answer in time while we connected and signed in.")
        }
        Trouble::TimedOut => EffectError::retry("The mail server did not answer in time."),
        Trouble::Certificate => EffectError::NeedsPerson {
            why: "The mail server's certificate cannot be trusted, so nothing was sent. Check `mail.host` (the \
                  certificate must bear that name); for an authority of your own set `mail.tls_ca_file`."
                .to_owned(),
        },
        Trouble::NoTls => EffectError::NeedsPerson {
            why: "The connection to the mail server could not be protected with TLS, so nothing was sent. Check \
                  `mail.port` (587 or 465) and `mail.tls`."
                .to_owned(),
        },
        Trouble::Unsupported => EffectError::NeedsPerson {
            why: "The mail server does not offer the way of signing in that `mail.auth` names, or did not take the \
                  token."
                .to_owned(),
        },
    };
    MailError { effect, address_is_bad: false, server_is_away }
}

fn classify_reply(stage: Stage, reply: &Reply) -> MailError {
    let says = RULES.iter().find(|rule| rule.fits(stage, reply)).map_or(Verdict::Again, |rule| rule.says);
    let detail = Some(reply.text.clone());
    let effect = match says {
        Verdict::Again => EffectError::retry(format!("The mail server said to try later ({reply}).")),
        Verdict::BadAddress => {
            EffectError::give_up(format!("The address does not work: the mail server said {reply}."), detail)
        }
        Verdict::Refused => {
            EffectError::give_up(format!("The mail was refused: the mail server said {reply}."), detail)
        }
        Verdict::Person(what) => EffectError::NeedsPerson { why: format!("{what} (it said {reply}).") },
    };
    // 421 is the server going away (RFC 5321, 3.8); "later" before it has heard whom the mail is for is about everybody.
    let to_everybody = !matches!(stage, Stage::To | Stage::Data | Stage::Content);
    let server_is_away = says == Verdict::Again && (reply.code == 421 || to_everybody);
    MailError { effect, address_is_bad: says == Verdict::BadAddress, server_is_away }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn means(stage: Stage, code: u16, text: &str) -> &'static str {
        let error = classify(stage, &Trouble::Reply(Reply::new(code, text)));
        match (&error.effect, error.address_is_bad) {
            (EffectError::RetryAfter { .. }, false) => "again",
            (EffectError::GiveUp { .. }, true) => "bad address",
            (EffectError::GiveUp { .. }, false) => "refused",
            (EffectError::NeedsPerson { .. }, false) => "person",
            (EffectError::OutcomeUnknown { .. }, false) => "unknown",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn replies_as_real_servers_write_them() {
        use Stage::{Content, Data, From, Greeting, SignIn, To};
        for (stage, code, text, meaning) in [
            (Greeting, 421, "4.7.0 Try again later", "again"),
            (Greeting, 554, "No SMTP service here", "person"),
            (SignIn, 454, "4.7.0 Temporary authentication failure", "again"),
            (SignIn, 432, "4.7.12 A password transition is needed", "person"),
            (SignIn, 535, "5.7.8 Authentication credentials invalid", "person"),
            (From, 530, "5.7.57 Client not authenticated to send mail", "person"),
            (From, 550, "5.1.8 Sender address rejected: Domain not found", "person"),
            (From, 550, "5.1.1 no such user", "person"), // about us, whatever it says
            (From, 451, "4.7.1 Greylisting in action", "again"),
            (To, 450, "4.2.0 Greylisted", "again"),
            (To, 452, "4.2.2 Mailbox full", "again"),
            (To, 550, "5.1.1 <office@tai-chi.example>: Recipient address rejected: User unknown", "bad address"),
            (To, 550, "No such user here", "bad address"),
            (To, 550, "5.4.1 Recipient address rejected: Access denied", "bad address"),
            (To, 551, "User not local", "bad address"),
            (To, 553, "mailbox name not allowed", "bad address"),
            (To, 556, "5.1.10 Recipient address has null MX", "bad address"),
            (To, 550, "5.2.1 The email account that you tried to reach is disabled", "bad address"),
            (To, 552, "5.2.2 Mailbox full", "refused"),
            (To, 554, "5.7.1 <office@tai-chi.example>: Relay access denied", "person"),
            (To, 550, "5.7.1 Unable to relay", "person"),
            (To, 501, "5.5.2 Syntax error", "person"),
            (To, 554, "Transaction failed", "refused"),
            (Data, 503, "5.5.1 Bad sequence of commands", "refused"),
            (Content, 451, "4.3.0 Error: queue file write error", "again"),
            (Content, 550, "5.1.1 user unknown after all", "bad address"),
            (Content, 550, "5.7.1 Message rejected as spam", "refused"),
            (Content, 552, "5.3.4 Message too big", "refused"),
            (Content, 554, "no", "refused"),
        ] {
            assert_eq!(means(stage, code, text), meaning, "{stage:?} {code} {text}");
        }
    }

    #[test]
    fn a_connection_lost_before_the_mail_is_tried_again_and_after_it_is_unknown() {
        for stage in [Stage::Connect, Stage::Greeting, Stage::Tls, Stage::SignIn, Stage::From, Stage::To, Stage::Data] {
            for trouble in [Trouble::Lost, Trouble::TimedOut] {
                assert!(matches!(classify(stage, &trouble).effect, EffectError::RetryAfter { .. }), "{stage:?}");
            }
        }
        for trouble in [Trouble::Lost, Trouble::TimedOut] {
            assert!(matches!(classify(Stage::Content, &trouble).effect, EffectError::OutcomeUnknown { .. }));
        }
    }

    #[test]
    fn certificates_and_missing_tls_need_a_person() {
        for trouble in [Trouble::Certificate, Trouble::NoTls, Trouble::Unsupported] {
            let error = classify(Stage::Tls, &trouble);
            assert!(matches!(error.effect, EffectError::NeedsPerson { .. }) && !error.address_is_bad);
        }
    }

    #[test]
    fn what_may_be_logged_never_holds_the_servers_words() {
        for stage in [Stage::From, Stage::To, Stage::Content, Stage::SignIn] {
            for code in 400..600 {
                let text = "5.1.1 <sam.field@charity.example> is unknown";
                let said = classify(stage, &Trouble::Reply(Reply::new(code, text))).to_string();
                assert!(!said.contains("sam.field"), "{said}");
            }
        }
    }

    #[test]
    fn an_enhanced_code_is_believed_only_where_it_fits() {
        for (code, text, enhanced) in [
            (550, "5.1.1 no", Some("5.1.1")),
            (550, "4.1.1 no", None),
            (550, "5.1 no", None),
            (550, "5.1.1000 no", None),
            (550, "", None),
            (550, "5.1.x no", None),
        ] {
            assert_eq!(Reply::new(code, text).enhanced.as_deref(), enhanced, "{text}");
        }
    }
}
