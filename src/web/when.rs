//! Times as people say them ("yesterday 16:20", "Thu 3 Dec"), with the exact one beside.

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::{london, london_date};

/// A time for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct When {
    /// As people say it.
    pub say: String,
    /// The exact one, in London, for `title`.
    pub exact: String,
    /// For `datetime`.
    pub machine: String,
}

/// A moment that has been, seen from `now`.
pub fn when(at: Timestamp, now: Timestamp) -> When {
    let local = at.to_zoned(london());
    let days = (london_date(now) - local.date()).get_days();
    let say = match days {
        0 => local.strftime("today %H:%M"),
        1 => local.strftime("yesterday %H:%M"),
        -1 => local.strftime("tomorrow %H:%M"),
        _ if local.year() == london_date(now).year() => local.strftime("%a %-d %b"),
        _ => local.strftime("%a %-d %b %Y"),
    };
    When {
        say: say.to_string(),
        exact: local.strftime("%A %-d %B %Y, %H:%M").to_string(),
        machine: at.strftime("%Y-%m-%dT%H:%MZ").to_string(),
    }
}

/// The day of a deadline: "Thu 3 December", and how far off it is.
pub fn day(at: Timestamp, now: Timestamp) -> When {
    let local = at.to_zoned(london());
    let days = (local.date() - london_date(now)).get_days();
    let date = local.strftime("%a %-d %B").to_string();
    let say = match days {
        0 => format!("today, {date}"),
        1 => format!("tomorrow, {date}"),
        _ => date,
    };
    When { say, ..when(at, now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let now: Timestamp = "2026-12-03T16:30:00Z".parse().unwrap();
        for (at, said) in [
            ("2026-12-03T08:05:00Z", "today 08:05"),
            ("2026-12-02T16:20:00Z", "yesterday 16:20"),
            ("2026-11-26T16:20:00Z", "Thu 26 Nov"),
            ("2025-12-24T10:00:00Z", "Wed 24 Dec 2025"),
            // Half past eleven at night in London's summer is still that day.
            ("2026-07-02T22:30:00Z", "Thu 2 Jul"),
        ] {
            assert_eq!(when(at.parse().unwrap(), now).say, said);
        }
        assert_eq!(when("2026-07-02T08:00:00Z".parse().unwrap(), now).exact, "Thursday 2 July 2026, 09:00");
        assert_eq!(day("2026-12-04T17:00:00Z".parse().unwrap(), now).say, "tomorrow, Fri 4 December");
    }
}
