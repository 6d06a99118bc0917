//! Open Referral UK feeds: from somebody's JSON to our [`Service`]s.
//!
//! - [`read`]: one service object of HSDS-UK 3.0; what is wrong with it costs that one service only;
//! - [`http`]: the same over HTTP, a page at a time and a service at a time, so that one job does one page;
//! - here: a local JSON file, and the [`Envelope`]s a list may come in. A list that is not recognised is an error,
//!   never an empty directory. Other envelopes are further variants.

pub mod http;
pub mod read;
mod text;

use serde_json::Value;

pub use http::{Feed, FeedPage};
pub use read::{BadService, Problem, service};

use super::Service;

/// What a feed or a file held.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The services that could be read.
    pub services: Vec<Service>,
    /// Those that could not, each with why.
    pub bad: Vec<BadService>,
}

/// A feed that cannot be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Not JSON.
    #[error("the directory is not JSON (line {line}, column {column})")]
    NotJson {
        /// Where it stopped, from 1.
        line: usize,
        /// Where it stopped, from 1.
        column: usize,
    },
    /// JSON, but of a shape we do not know.
    #[error(
        "the directory's list has a shape that is not known: expected an array of services, or an object with `contents`"
    )]
    UnknownEnvelope,
}

impl From<serde_json::Error> for FeedError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotJson { line: error.line(), column: error.column() }
    }
}

/// The ways a list of services comes wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// A bare array of service objects (a file).
    Array,
    /// HSDS-UK 3.0: `{total_items, total_pages, page_number, size, contents}`.
    Hsds3,
}

impl Envelope {
    /// Recognises the wrapping of a list; the one place to teach another.
    pub fn of(list: &Value) -> Result<Self, FeedError> {
        match list {
            Value::Array(_) => Ok(Self::Array),
            Value::Object(fields) if fields.get("contents").is_some_and(Value::is_array) => Ok(Self::Hsds3),
            _ => Err(FeedError::UnknownEnvelope),
        }
    }

    /// The service objects within.
    pub fn entries(self, list: &Value) -> &[Value] {
        let entries = match self {
            Self::Array => list.as_array(),
            Self::Hsds3 => list.get("contents").and_then(Value::as_array),
        };
        entries.map_or(&[], Vec::as_slice)
    }

    /// How many pages there are in all; 1 where the wrapping does not say.
    pub fn total_pages(self, list: &Value) -> u32 {
        let pages = match self {
            Self::Array => None,
            Self::Hsds3 => list.get("total_pages").and_then(Value::as_u64),
        };
        pages.and_then(|n| u32::try_from(n).ok()).unwrap_or(1)
    }
}

/// Reads a local JSON file of whole service objects: an array, or an object with `contents`.
pub fn from_json(text: &str) -> Result<Reading, FeedError> {
    let list: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let envelope = Envelope::of(&list)?;
    let mut reading = Reading::default();
    for entry in envelope.entries(&list) {
        match service(entry) {
            Ok(one) => reading.services.push(one),
            Err(bad) => reading.bad.push(bad),
        }
    }
    Ok(reading)
}

#[cfg(test)]
mod tests;
