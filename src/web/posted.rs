//! A posted form: names and texts, read once, asked by name.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;

use super::PageError;
use crate::referral::{Ons4, Score};

/// The longest text that one field keeps, in characters.
pub const FIELD_MAX: usize = 4_000;

/// What was filled in. Holds people's words: no `Debug`.
#[expect(missing_debug_implementations, reason = "holds people's words")]
pub struct Posted(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, state: &S) -> Result<Self, PageError> {
        let body = Bytes::from_request(request, state).await.map_err(|refused| {
            let too_long = refused.status() == StatusCode::PAYLOAD_TOO_LARGE;
            if too_long { PageError::TooLong } else { PageError::BadForm }
        })?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }
}

impl Posted {
    /// A field without the space round it; empty where it was not sent.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    /// A field exactly as it was typed: passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Words for a person to read: none where nothing was written, cut where there is no end to them.
    pub fn words(&self, name: &str) -> Option<String> {
        let text = self.get(name);
        (!text.is_empty()).then(|| text.replace("\r\n", "\n").chars().take(FIELD_MAX).collect())
    }

    /// Whether a box was ticked.
    pub fn ticked(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// The four wellbeing scores: none where none was given, an error where some are missing or out of range.
    pub fn ons4(&self) -> Result<Option<Ons4>, PageError> {
        let names = ["satisfied", "worthwhile", "happy", "anxious"];
        if names.iter().all(|name| self.get(name).is_empty()) {
            return Ok(None);
        }
        let score = |name: &str| {
            let number = self.get(name).parse::<u8>().ok();
            number.and_then(|n| Score::try_from(n).ok()).ok_or(PageError::BadForm)
        };
        Ok(Some(Ons4 {
            satisfied: score("satisfied")?,
            worthwhile: score("worthwhile")?,
            happy: score("happy")?,
            anxious: score("anxious")?,
        }))
    }
}
