//! What the door lets through and what it refuses, before any request is made.

use super::*;

fn door(base: &str) -> Client {
    let base = Url::parse(base).unwrap();
    let clock = Clock::fixed(Timestamp::UNIX_EPOCH);
    Client::open(&base, Arc::new(Auth::None), clock, Limits::default(), false).unwrap()
}

#[test]
fn nothing_leaves_for_a_place_outside_the_practices_base() {
    let door = door("https://fhir.surgery.example/r4");
    for inside in ["https://fhir.surgery.example/r4?page=2", "https://fhir.surgery.example:443/r4/Task?x=1", "Task?x=1"]
    {
        assert!(door.link(inside).is_ok(), "{inside}");
    }
    for outside in [
        "https://fhir.elsewhere.example/r4/Task",
        "http://fhir.surgery.example/r4/Task",
        "https://fhir.surgery.example:8443/r4/Task",
        "https://fhir.surgery.example/r4x/Task",
        "https://fhir.surgery.example/r4/../admin",
        "https://fhir.surgery.example@evil.example/r4/Task",
        "https://x:y@fhir.surgery.example/r4/Task",
        "//evil.example/r4/Task",
        "../r5/Task",
    ] {
        assert!(matches!(door.link(outside), Err(EffectError::NeedsPerson { .. })), "{outside}");
    }
}

#[test]
fn an_id_never_climbs_out_of_its_place() {
    let door = door("https://fhir.surgery.example/r4");
    for id in ["../Patient", "a/b", "", "..", "a?b", "a%2e%2e", &"x".repeat(65)] {
        assert!(door.resource("Task", id).is_err(), "{id}");
    }
    assert_eq!(door.resource("Task", "a.b-7").unwrap().as_str(), "https://fhir.surgery.example/r4/Task/a.b-7");
}

#[test]
fn plain_http_is_for_this_machine_only_unless_chosen() {
    let open = |base: &str, plain| {
        Client::open(
            &Url::parse(base).unwrap(),
            Arc::new(Auth::None),
            Clock::fixed(Timestamp::UNIX_EPOCH),
            Limits::default(),
            plain,
        )
        .is_ok()
    };
    assert!(open("http://127.0.0.1:8080/fhir", false));
    assert!(!open("http://fhir.surgery.example/fhir", false));
    assert!(open("http://fhir.surgery.example/fhir", true));
    assert!(!open("https://user:word@fhir.surgery.example/fhir", false));
}

#[test]
fn a_location_tells_the_reference_whatever_its_form() {
    let base = Url::parse("https://fhir.surgery.example/r4/").unwrap();
    for location in ["https://fhir.surgery.example/r4/Task/7/_history/2", "Task/7", "/r4/Task/7"] {
        assert_eq!(reference_in(location, &base).as_deref(), Some("Task/7"), "{location}");
    }
}
