//! What an answer of the practice's system means: every status and every lost connection as what to *do*.
//!
//! Most become an [`EffectError`] at once; two are left to callers who may know better ([`Fault`]).

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Response, StatusCode, header};

use crate::effect::EffectError;
use crate::tls;

/// What went wrong with one request, where the caller may know better than to give up.
#[derive(Debug)]
pub(super) enum Fault {
    /// 404 or 410: it is not there (any more).
    Missing,
    /// 409 or 412: somebody else wrote meanwhile, or more than one thing matched; the other side's words.
    Changed(Option<String>),
    /// Everything else, already in terms of what to do.
    Effect(EffectError),
}

impl From<EffectError> for Fault {
    fn from(error: EffectError) -> Self {
        Self::Effect(error)
    }
}

impl From<Fault> for EffectError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::give_up("the practice's system does not have what was asked for", None),
            Fault::Changed(_) => Self::retry("somebody else changed the same record at the same time"),
            Fault::Effect(error) => error,
        }
    }
}

/// Whether a lost answer may have changed something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Read,
    Write,
}

/// What is kept of an answer's head.
pub(super) struct Head {
    pub(super) etag: Option<String>,
    pub(super) location: Option<String>,
    retry_after: Option<String>,
    date: Option<String>,
    pub(super) html: bool,
}

impl Head {
    pub(super) fn of(response: &Response) -> Self {
        let get = |name| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        Self {
            etag: get(header::ETAG),
            location: get(header::LOCATION),
            retry_after: get(header::RETRY_AFTER),
            date: get(header::DATE),
            html: get(header::CONTENT_TYPE).is_some_and(|t| t.to_ascii_lowercase().starts_with("text/html")),
        }
    }

    /// The server's clock.
    pub(super) fn date(&self) -> Option<Timestamp> {
        jiff::fmt::rfc2822::parse(self.date.as_deref()?.trim()).ok().map(|at| at.timestamp())
    }

    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        retry_after(self.retry_after.as_deref()?, now)
    }
}

/// `Retry-After` in seconds or as an HTTP date; capped at a day, so that a slip does not silence a practice.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let day = Duration::from_hours(24);
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(day));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default().min(day))
}

/// A connection or an answer lost: nothing happened before the request was sent, anything may have happened after.
pub(super) fn lost(error: &reqwest::Error, sort: Sort) -> Fault {
    if tls::error_behind(error).is_some_and(tls::is_bad_certificate) {
        return Fault::Effect(EffectError::NeedsPerson {
            why: "the practice's system shows a certificate that cannot be trusted: look at the certificate, at the name in \
                  its base, and at the authorities that this machine knows"
                .to_owned(),
        });
    }
    let why = if error.is_connect() {
        return Fault::Effect(EffectError::retry("the practice's system cannot be reached"));
    } else if error.is_timeout() {
        "the practice's system did not answer in time"
    } else {
        "the connection to the practice's system was lost"
    };
    Fault::Effect(unclear(sort, why))
}

pub(super) fn unclear(sort: Sort, why: &str) -> EffectError {
    match sort {
        Sort::Read => EffectError::retry(why),
        Sort::Write => EffectError::OutcomeUnknown { why: format!("{why}; it may or may not have been written") },
    }
}

pub(super) fn refusal(status: StatusCode, wait: Option<Duration>, words: Option<String>, sort: Sort) -> Fault {
    let code = status.as_u16();
    Fault::Effect(match code {
        404 | 410 => return Fault::Missing,
        409 | 412 => return Fault::Changed(words),
        300..=399 => EffectError::NeedsPerson {
            why: format!(
                "the practice's system answers with a redirect ({code}), which Wellbridge does not follow: \
                          correct its base in the settings"
            ),
        },
        // Let in, but not to write this: the words say what is wrong with it, and trying again cannot help.
        // (A 401 is the token's, whatever it says: another token, and the same goes through.)
        403 if sort == Sort::Write && words.is_some() => {
            EffectError::give_up(format!("the practice's system does not let Wellbridge write this ({code})"), words)
        }
        401 | 403 => EffectError::NeedsPerson {
            why: format!(
                "the practice's system does not let Wellbridge in ({code}): look at the token and what it may do"
            ),
        },
        408 | 425 | 429 | 503 => {
            EffectError::RetryAfter { after: wait, why: format!("the practice's system asks to wait ({code})") }
        }
        // A gateway that lost its server does not know whether the server acted.
        502 | 504 => unclear(sort, &format!("the practice's gateway lost its server ({code})")),
        501 => EffectError::give_up("the practice's system cannot do what was asked (501)", words),
        500..=599 => {
            EffectError::RetryAfter { after: wait, why: format!("the practice's system has a fault ({code})") }
        }
        _ => EffectError::give_up(format!("the practice's system refused the request ({code})"), words),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_to_wait_is_read_in_seconds_and_as_a_date() {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Tue, 24 Nov 2026 12:01:30 GMT", Some(90)),
            ("Tue, 24 Nov 2026 11:00:00 GMT", Some(0)),
            ("999999999", Some(86_400)),
            ("soon", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
