//! What the pretend practice answers when it will not do something: a status with a FHIR `OperationOutcome`.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// An `issue-type` code, R4.
    pub(super) code: &'static str,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", text)
    }

    pub(super) fn not_supported(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "not-supported", text)
    }

    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such resource")
    }

    pub(super) fn gone() -> Self {
        Self::new(StatusCode::GONE, "deleted", "This resource was deleted")
    }

    pub(super) fn several_matches() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "multiple-matches", "The condition matches more than one resource")
    }

    pub(super) fn version_moved_on() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "conflict", "If-Match does not name the current version")
    }

    pub(super) fn outcome(&self) -> Value {
        json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "error",
                "code": self.code,
                "details": { "text": self.text },
                "diagnostics": self.text,
            }],
        })
    }
}
