//! Reading FHIR JSON leniently: a missing or oddly shaped part is simply not there.
//!
//! NHS systems' own samples often fail strict typed models, and an entry must never cost a page, so intake reads
//! `serde_json::Value` through these few functions. What must be there is demanded by `intake`, in words for people.

use jiff::{Timestamp, ToSpan as _, civil::Date, civil::DateTime, tz::TimeZone};
use serde_json::Value;

use crate::clock;

/// A text that says something, trimmed.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().map(str::trim).filter(|t| !t.is_empty())
}

/// The items of a list; a lone object where a list belongs counts as a list of one.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let (many, one) = match value {
        Value::Array(items) => (items.as_slice(), None),
        Value::Object(_) | Value::String(_) => (&[][..], Some(value)),
        _ => (&[][..], None),
    };
    many.iter().chain(one)
}

/// `(system, code)` of each coding of a `CodeableConcept`; also reads a bare Coding.
pub(super) fn codings(concept: &Value) -> impl Iterator<Item = (&str, &str)> {
    let bare = concept.get("code").is_some_and(Value::is_string).then_some(concept);
    list(&concept["coding"])
        .chain(bare)
        .filter_map(|c| text(&c["code"]).map(|code| (text(&c["system"]).unwrap_or(""), code)))
}

/// What a `CodeableConcept` says to a person: its text, else its first display.
pub(super) fn words(concept: &Value) -> Option<&str> {
    text(&concept["text"]).or_else(|| list(&concept["coding"]).find_map(|c| text(&c["display"])))
}

/// The extensions with this url, on this element only.
pub(super) fn extensions<'a>(element: &'a Value, url: &'a str) -> impl Iterator<Item = &'a Value> {
    list(&element["extension"]).filter(move |e| e["url"] == url)
}

/// A FHIR dateTime or instant; a date alone is its midnight in London, a month or year its first day.
pub(super) fn moment(value: &Value) -> Option<Timestamp> {
    span(value).map(|(first, _)| first)
}

/// The first and the last moment that a FHIR dateTime or instant covers: a day, a month or a year (in London) counts
/// whole, a time to the second is that second's beginning.
pub(super) fn span(value: &Value) -> Option<(Timestamp, Timestamp)> {
    let text = text(value)?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, at));
    }
    let (first, long) = match text.len() {
        4 => (format!("{text}-01-01").parse::<Date>().ok()?, 1.year()),
        7 => (format!("{text}-01").parse::<Date>().ok()?, 1.month()),
        10 => (text.parse::<Date>().ok()?, 1.day()),
        _ => {
            let at = in_london(text.parse::<DateTime>().ok()?)?;
            return Some((at, at));
        }
    };
    let after = in_london(first.checked_add(long).ok()?.into())?;
    Some((in_london(first.into())?, after.checked_sub(1.nanosecond()).ok()?))
}

fn in_london(local: DateTime) -> Option<Timestamp> {
    local.to_zoned(clock::london()).or_else(|_| local.to_zoned(TimeZone::UTC)).ok().map(|z| z.timestamp())
}

/// The period, if it has an end, ended before `now`: its last day, month or year counts to its end.
pub(super) fn ended(period: &Value, now: Timestamp) -> bool {
    span(&period["end"]).is_some_and(|(_, last)| last < now)
}

/// The period has begun by `now`; one whose start is there and cannot be read has not.
pub(super) fn begun(period: &Value, now: Timestamp) -> bool {
    period["start"].is_null() || moment(&period["start"]).is_some_and(|start| start <= now)
}

/// A yes; some systems write it as a word.
pub(super) fn yes(value: &Value) -> bool {
    *value == true || value.as_str().is_some_and(|word| word.eq_ignore_ascii_case("true"))
}

/// Something in it (of what it contains apart) changes its meaning in a way that we do not know: FHIR says that such a
/// resource must not be processed.
pub(super) fn is_modified(resource: &Value) -> bool {
    match resource {
        Value::Array(all) => all.iter().any(is_modified),
        Value::Object(parts) => parts.iter().any(|(part, value)| match part.as_str() {
            "modifierExtension" => list(value).next().is_some(),
            "contained" => false,
            _ => is_modified(value),
        }),
        _ => false,
    }
}

/// The resource's type, empty where it has none.
pub(super) fn kind(resource: &Value) -> &str {
    text(&resource["resourceType"]).unwrap_or("")
}

/// `Type/id`, where the resource has both.
pub(super) fn key(resource: &Value) -> Option<String> {
    Some(format!("{}/{}", text(&resource["resourceType"])?, text(&resource["id"])?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_practices_write_them() {
        for (written, read) in [
            ("2026-11-20T14:43:00+00:00", "2026-11-20T14:43:00Z"),
            ("2026-07-01T09:00:00+01:00", "2026-07-01T08:00:00Z"),
            ("2026-07-01", "2026-06-30T23:00:00Z"),
            ("2026-12", "2026-12-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(moment(&json!(written)), Some(read.parse().unwrap()), "{written}");
        }
        assert_eq!(moment(&json!("soon")), None);
        assert_eq!(moment(&json!(7)), None);
    }

    #[test]
    fn a_period_counts_to_the_end_of_its_last_day() {
        let now = "2026-11-24T15:00:00Z".parse().unwrap();
        assert!(!ended(&json!({"end": "2026-11-24"}), now));
        assert!(ended(&json!({"end": "2026-11-23"}), now));
        assert!(ended(&json!({"end": "2026-11-24T14:59:00Z"}), now));
        assert!(!ended(&json!({"start": "2020-01-01"}), now));
        for (end, over) in [("2026-11", false), ("2026-10", true), ("2026", false), ("2025", true), ("soon", false)] {
            assert_eq!(ended(&json!({"end": end}), now), over, "{end}");
        }
    }

    #[test]
    fn a_period_begins_with_the_first_moment_of_its_start() {
        let now = "2026-11-24T15:00:00Z".parse().unwrap();
        for (start, is) in [
            (json!("2026-11-24"), true),
            (json!("2026-11-25"), false),
            (json!("2026-11"), true),
            (json!("2026-12"), false),
            (json!("2026"), true),
            (json!("2027"), false),
            (json!("2026-11-24T15:00:00Z"), true),
            (json!("2026-11-24T15:01:00+00:00"), false),
            (json!("next week"), false),
            (json!(7), false),
            (json!(null), true),
        ] {
            assert_eq!(begun(&json!({"start": start}), now), is, "{start}");
        }
    }
}
