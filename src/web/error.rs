//! What a page says when it cannot do what was asked: kind words, the right status, nothing of the inside.
//!
//! An internal error is logged here, once, and its page shows no more than that something went wrong.

use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::pages::{self, fill};
use crate::store::StoreError;

/// Why a page cannot be shown.
#[derive(Debug)]
pub enum PageError {
    /// No such page, or not for this person: the same answer.
    NotFound,
    /// A partner's link that is unknown or has expired: the same answer, so that nothing is told.
    LinkUnknown,
    /// Too often.
    TooMany {
        /// After how many seconds it may be tried again.
        seconds: i64,
        /// What else there is to say: what became of what was sent, and whom to ring where something cannot wait.
        meanwhile: Vec<String>,
    },
    /// A form that did not come from our own page.
    Forbidden,
    /// A form that cannot be read.
    BadForm,
    /// A form that is longer than any honest one.
    TooLong,
    /// The practice's system cannot be reached: nothing is shown until it can.
    PracticeUnreachable,
    /// Something is wrong with us.
    Internal(Box<dyn Error + Send + Sync>),
}

impl PageError {
    /// Wraps whatever went wrong inside.
    pub fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Too often; to be tried again after so many seconds.
    pub const fn too_many(seconds: i64) -> Self {
        Self::TooMany { seconds, meanwhile: Vec::new() }
    }

    /// Where somebody has to wait: says this as well.
    #[must_use]
    pub fn meanwhile(mut self, words: impl IntoIterator<Item = String>) -> Self {
        if let Self::TooMany { meanwhile, .. } = &mut self {
            meanwhile.extend(words);
        }
        self
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound | Self::LinkUnknown => StatusCode::NOT_FOUND,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::PracticeUnreachable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("This page is not here", "The address may have a slip in it, or the page has gone."),
            Self::LinkUnknown => (
                "This link no longer works",
                "It may have been cut in two by your mail program, or it is too old. Please ring the number in the mail \
                 you received, and we will help you from there.",
            ),
            Self::TooMany { .. } => ("Please wait a moment", "This page was asked for very often."),
            Self::Forbidden => (
                "This form could not be taken",
                "It did not come from one of our own pages, or the page had been open for too long. Go back, load the \
                 page again and send it once more. Nothing was changed.",
            ),
            Self::BadForm => ("This form could not be read", "Go back and try once more. Nothing was changed."),
            Self::TooLong => (
                "That is too long for this form",
                "Go back and shorten what you wrote, or ring us. Nothing was changed.",
            ),
            Self::PracticeUnreachable => (
                "We cannot show this just now",
                "Before we show who somebody is, we ask the surgery's system whether all is still as it was. It does \
                 not answer at the moment. Please try again in a little while.",
            ),
            Self::Internal(_) => (
                "Something went wrong on our side",
                "It was not you. What you wrote may not have been kept. Please try again in a little while.",
            ),
        }
    }

    /// Until when to wait, and what to do meanwhile.
    fn more(&self) -> Vec<String> {
        let Self::TooMany { seconds, meanwhile } = self else { return Vec::new() };
        let when = match (seconds + 59) / 60 {
            ..=1 => "in a minute".to_owned(),
            minutes => format!("in {minutes} minutes"),
        };
        let mut more = vec![format!("Please try again {when}.")];
        more.extend_from_slice(meanwhile);
        more
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            other => Self::internal(other),
        }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let Self::Internal(error) = &self {
            let mut chain = error.to_string();
            let mut cause = error.source();
            while let Some(why) = cause {
                chain = format!("{chain}: {why}");
                cause = why.source();
            }
            tracing::error!(error = chain, "a page could not be made");
        }
        let (heading, text) = self.words();
        let more = self.more();
        let body = pages::render("message.html", fill! { heading, text, more }).unwrap_or_else(|_| {
            Html(format!("<!doctype html><title>{heading}</title><h1>{heading}</h1><p>{text}</p>"))
        });
        let mut response = (self.status(), body).into_response();
        if let Self::TooMany { seconds, .. } = &self
            && let Ok(value) = HeaderValue::from_str(&seconds.to_string())
        {
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}
