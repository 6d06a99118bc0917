//! How values are written in columns: times as epoch milliseconds, JSON as text, enums as their kebab-case word.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;

/// Milliseconds since 1970.
pub(super) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The time of a column.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// JSON text of a value of ours.
pub(super) fn json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Unreadable { what, id: String::new(), why: e.to_string() })
}

/// A value of ours from JSON text. The error says where it broke, not what stood there.
pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, id: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Unreadable {
        what,
        id: id.to_owned(),
        why: format!("{:?} error at line {}, column {}", e.classify(), e.line(), e.column()),
    })
}

/// The kebab-case word of a plain enum (`held`, `need-unclear`).
pub(super) fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    let text = json("a state", value)?;
    Ok(text.trim_matches('"').to_owned())
}

/// A plain enum from its word.
pub(super) fn from_word<T: DeserializeOwned>(what: &'static str, id: &str, word: &str) -> Result<T, StoreError> {
    from_json(what, id, &format!("\"{word}\""))
}

/// An id that was stored as text.
pub(super) fn key<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Unreadable { what, id: text.to_owned(), why: "not an id".into() })
}
