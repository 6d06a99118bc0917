//! The time, passed in: nothing but this module may ask the machine what time it is (`clippy.toml`).
//!
//! Also London's days: people's deadlines are working days in Europe/London.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// Where time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved: tests and the demo's "tomorrow" button.
    Fixed(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that stands at `start`.
    pub fn fixed(start: Timestamp) -> Self {
        Self::Fixed(Arc::new(Mutex::new(start)))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a fixed clock on; the machine's clock does not listen.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Fixed(at) = self {
            let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
            *at += by;
        }
    }

    /// Today in London.
    pub fn today(&self) -> Date {
        london_date(self.now())
    }
}

/// The day it is in London at `at`.
pub fn london_date(at: Timestamp) -> Date {
    at.to_zoned(london()).date()
}

/// Europe/London; UTC on a machine without a time zone database (an hour off in summer, never a wrong order).
pub fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC)
}
