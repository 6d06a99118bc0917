//! Faults on demand: what real practice systems do on bad days, each a few lines in a test.
//!
//! "Before" means that nothing was done when the fault struck; "after" that the write is in the record and only the
//! answer was lost, which is the case that makes duplicates.

use std::fmt;
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::Value;

/// One way to go wrong.
#[derive(Clone)]
pub enum Fault {
    /// This status with an `OperationOutcome`; nothing is done. Seconds of `Retry-After`, where there are any.
    Status(StatusCode, Option<u32>),
    /// 200 with a page for people, as a proxy's login page gives; nothing is done.
    Html,
    /// Done, but the JSON of the answer ends half way.
    TruncatedJson,
    /// Done, but the answer's JSON is changed on the way: bad entries, a wrong `total`, a `next` that never ends.
    Edit(Arc<dyn Fn(&mut Value) + Send + Sync>),
    /// Never answers; nothing is done.
    HangBefore,
    /// Never answers, though it is done.
    HangAfter,
    /// The connection is cut; nothing is done.
    DropBefore,
    /// The connection is cut when it is done.
    DropAfter,
}

impl Fault {
    /// A status without `Retry-After`; for one that is no HTTP status, 500.
    pub fn status(code: u16) -> Self {
        Self::Status(StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), None)
    }

    /// 429 with `Retry-After` in seconds.
    pub fn too_many_requests(retry_after: u32) -> Self {
        Self::Status(StatusCode::TOO_MANY_REQUESTS, Some(retry_after))
    }

    /// Changes the answer's JSON.
    pub fn edit(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Edit(Arc::new(change))
    }

    /// Whether the request is carried out all the same.
    pub(super) fn strikes_after(&self) -> bool {
        match self {
            Self::TruncatedJson | Self::Edit(_) | Self::HangAfter | Self::DropAfter => true,
            Self::Status(..) | Self::Html | Self::HangBefore | Self::DropBefore => false,
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, after) => f.debug_tuple("Status").field(status).field(after).finish(),
            Self::Html => f.write_str("Html"),
            Self::TruncatedJson => f.write_str("TruncatedJson"),
            Self::Edit(_) => f.write_str("Edit(..)"),
            Self::HangBefore => f.write_str("HangBefore"),
            Self::HangAfter => f.write_str("HangAfter"),
            Self::DropBefore => f.write_str("DropBefore"),
            Self::DropAfter => f.write_str("DropAfter"),
        }
    }
}

/// A fault that waits for its requests.
#[derive(Clone, Debug)]
pub(super) struct Armed {
    pub(super) left: u32,
    pub(super) method: Method,
    pub(super) prefix: String,
    pub(super) fault: Fault,
}

impl Armed {
    /// `/Task` meets `/Task`, `/Task/1` and `/Task/_search`, not `/Taskforce`; `/` meets the base alone; an empty path meets all.
    pub(super) fn meets(&self, method: &Method, path: &str) -> bool {
        let below = || path.strip_prefix(self.prefix.as_str()).is_some_and(|rest| rest.starts_with('/'));
        let path_meets = self.prefix.is_empty() || path == self.prefix || (self.prefix != "/" && below());
        self.left > 0 && self.method == *method && path_meets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_its_own_path_and_what_lies_below() {
        let cases = [
            ("/Task", "/Task", true),
            ("/Task", "/Task/1", true),
            ("/Task", "/Task/_search", true),
            ("/Task", "/Taskforce", false),
            ("/Task/1", "/Task", false),
            ("/", "/", true),
            ("/", "/Task", false),
            ("", "/", true),
            ("", "/Task/1", true),
        ];
        for (prefix, path, expected) in cases {
            let armed = Armed { left: 1, method: Method::GET, prefix: prefix.to_owned(), fault: Fault::Html };
            assert_eq!(armed.meets(&Method::GET, path), expected, "{prefix} {path}");
            assert!(!armed.meets(&Method::POST, path));
            assert!(!Armed { left: 0, ..armed }.meets(&Method::GET, path));
        }
    }
}
