//! Reading FHIR JSON leniently: a missing or oddly shaped part is simply not there.
//!
//! NHS systems' own samples often fail strict typed models, and an entry must never cost a page, so intake reads
//! `serde_json::Value` through these few functions. What must be there is demanded by `intake`, in words for people.

use jiff::{Timestamp, civil::Date, civil::DateTime, tz::TimeZone};
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
    let text = text(value)?;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let civil = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let local: DateTime = civil.parse::<DateTime>().ok().or_else(|| civil.parse::<Date>().ok().map(Into::into))?;
    local.to_zoned(clock::london()).or_else(|_| local.to_zoned(TimeZone::UTC)).ok().map(|z| z.timestamp())
}

/// The period, if it has an end, ended before `now`.
pub(super) fn ended(period: &Value, now: Timestamp) -> bool {
    let Some(end) = text(&period["end"]) else { return false };
    match end.parse::<Date>() {
        // A whole day counts to its end.
        Ok(day) if end.len() == 10 => day < clock::london_date(now),
        _ => moment(&period["end"]).is_some_and(|at| at < now),
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
    }
}
