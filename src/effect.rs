//! What an effect on the outside world may answer when it does not succeed: always what the caller should *do*.
//!
//! Every edge (the practice's system, the mail server, a directory feed) turns its own errors into this one enum, so
//! that a job needs to know four cases and no protocol. `why` is written for the person who looks after the service;
//! it holds no personal data and may be logged. What a foreign system said in its own words is kept in `detail`, which
//! is shown to signed-in people only and never logged.

use std::time::Duration;

/// An effect that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EffectError {
    /// Nothing happened; try again, not before `after` where the other side said so (`Retry-After`).
    #[error("{why}")]
    RetryAfter {
        /// The other side's wish; the job's own schedule where it has none.
        after: Option<Duration>,
        /// What happened, without personal data.
        why: String,
    },
    /// Nothing happened and nothing will: trying again cannot help (an unknown address, a refused resource).
    #[error("{why}")]
    GiveUp {
        /// What happened, without personal data.
        why: String,
        /// The other side's own words.
        detail: Option<String>,
    },
    /// It may or may not have happened (a connection lost after the last byte): try again with the same key, and say so.
    #[error("{why}")]
    OutcomeUnknown {
        /// What happened, without personal data.
        why: String,
    },
    /// Only a person can put it right (a certificate, a password, a configuration).
    #[error("{why}")]
    NeedsPerson {
        /// What happened and what to do, without personal data.
        why: String,
    },
}

impl EffectError {
    /// Worth trying again later, on the job's own schedule.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::RetryAfter { after: None, why: why.into() }
    }

    /// Final, with the other side's words where it gave any.
    pub fn give_up(why: impl Into<String>, detail: Option<String>) -> Self {
        Self::GiveUp { why: why.into(), detail }
    }
}
