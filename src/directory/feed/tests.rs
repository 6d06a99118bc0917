use serde_json::json;

use super::*;
use crate::directory::ServiceStatus;

#[test]
fn a_bad_service_never_costs_the_feed() {
    let text =
        json!([{"id": "a", "name": "A"}, {"name": "no id"}, 7, {"id": "b"}, {"id": 12, "name": "B"}]).to_string();
    let reading = from_json(&text).unwrap();
    let ids: Vec<&str> = reading.services.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["a", "12"]);
    let why: Vec<String> = reading.bad.iter().map(ToString::to_string).collect();
    assert_eq!(
        why,
        [
            "service without an id: it has no id",
            "service without an id: it is not an object",
            "service b: it has no name"
        ]
    );
}

#[test]
fn a_list_of_another_shape_is_an_error_and_not_an_empty_directory() {
    for list in [json!({"content": [], "totalelements": 0}), json!({"contents": null}), json!("x"), json!(null)] {
        assert!(matches!(from_json(&list.to_string()), Err(FeedError::UnknownEnvelope)), "{list}");
    }
    assert!(matches!(from_json("<html>"), Err(FeedError::NotJson { line: 1, .. })));
    assert_eq!(from_json(r#"{"contents": [{"id": "a", "name": "A"}]}"#).unwrap().services.len(), 1);
}

#[test]
fn what_a_feed_does_not_say_stays_unknown() {
    let messy = json!({
        "id": "x", "name": "Tea &amp; Talk", "description": "<p>For <b>all</b></p>", "status": "active",
        "email": "unknown-3@noemail.invalid", "minimum_age": -1, "maximum_age": "65", "last_modified": "2023-12-27T12:21:01Z",
        "assured_date": "soon", "application_process": "Email talk@tea.example to refer.",
        "service_at_locations": [{"location": {"name": "Hall", "latitude": 0, "longitude": 0,
            "addresses": [{"city": "Leeds", "postal_code": "LS11 5BX"}]}}],
        "schedules": [{"byday": "MO,WE", "opens_at": "10:00:00", "closes_at": "12:00:00"}],
        "cost_options": [{"option": "Lesson", "amount": 2.0, "currency": "GBP"}],
        "attributes": [{"taxonomy_term": {"name": "Older people"}}],
    });
    let read = service(&messy).unwrap();
    assert_eq!((read.name.as_str(), read.description.as_str()), ("Tea & Talk", "For all"));
    assert_eq!(read.email.as_deref(), Some("talk@tea.example"));
    assert_eq!((read.minimum_age, read.maximum_age), (None, Some(65)));
    assert_eq!((read.assured, read.modified), (None, Some(jiff::civil::date(2023, 12, 27))));
    assert_eq!(read.places[0].position, None);
    assert_eq!(read.times, ["Mon, Wed 10:00\u{2013}12:00"]);
    assert_eq!(read.fees.as_deref(), Some("Lesson GBP 2.00"));
    assert_eq!(read.terms, ["Older people"]);
}

#[test]
fn a_status_we_do_not_know_is_not_open() {
    for (status, open) in
        [("active", true), ("ACTIVE", true), ("inactive", false), ("defunct", false), ("paused", false)]
    {
        let read = service(&json!({"id": "x", "name": "X", "status": status})).unwrap();
        assert_eq!(read.status == ServiceStatus::Active, open, "{status}");
    }
}
