//! Which services of a made-up directory are for a person, by their own words.

use super::*;
use crate::directory::Service;

/// A service of a made-up directory, in the town and at the place of the person unless said otherwise.
fn service(name: &str, description: &str) -> Service {
    Service {
        id: name.into(),
        name: name.to_owned(),
        description: description.to_owned(),
        email: Some("help@service.example".to_owned()),
        areas: vec!["Leeds".to_owned()],
        assured: Some(date(2026, 6, 1)),
        ..Service::default()
    }
}

#[test]
fn a_service_is_shut_to_people_its_own_words_do_not_mean() {
    let matcher = &*MATCHER;
    for (description, shut) in [
        ("A lunch club for everybody. Come and meet people.", None),
        ("A lunch club for over 60s. Come and meet people.", Some("age")),
        ("A lunch club for men. Come and meet people.", Some("is for men")),
        ("A lunch club for women. Come and meet people.", None),
        ("A lunch club. Sorry, we are full until the spring.", Some("takes nobody")),
        ("A lunch club. We have closed for good.", Some("takes nobody")),
        ("A lunch club, close to the station. Closed on Sundays.", None),
        ("A lunch club for veterans of the armed forces.", Some("armed forces")),
        ("A lunch club for people with dementia.", Some("dementia")),
        ("A lunch club for Polish people.", Some("Polish")),
        ("A lunch club. During lockdown we deliver meals to the doorstep.", Some("pandemic")),
        ("A lunch club. Some of us are veterans, most are not.", None),
    ] {
        let mut lunch = service("Wednesday lunch club", description);
        lunch.assured = (shut != Some("pandemic")).then(|| date(2026, 6, 1));
        let directory = Directory::new(vec![lunch]);
        let referral = note("46F isolated, would like a lunch club to meet people.");
        let found = matcher.match_referral(&referral, &directory, date(2026, 11, 24));
        let need = found.needs.first().unwrap();
        let why = need.excluded.first().map(|e| e.why.sentence.as_str());
        match shut {
            None => assert_eq!((why, need.candidates.len()), (None, 1), "{description}"),
            Some(words) => assert!(why.is_some_and(|w| w.contains(words)), "{description}: {why:?}"),
        }
    }
}

#[test]
fn the_newer_of_two_copies_stands() {
    let matcher = &*MATCHER;
    let (old, mut new) =
        (service("Lunch Club Otley", "A lunch club."), service("Lunch club in Otley", "A lunch club."));
    new.assured = Some(date(2026, 10, 1));
    let directory = Directory::new(vec![old, new]);
    let found = matcher.match_referral(&note("Would like a lunch club."), &directory, date(2026, 11, 24));
    let ids: Vec<&str> = found.needs[0].candidates.iter().map(|c| c.service.as_str()).collect();
    assert_eq!(ids, ["Lunch club in Otley"]);
    assert!(found.needs[0].excluded[0].why.sentence.contains("older copy"));
}

#[test]
fn nor_by_the_place_that_the_words_name() {
    let matcher = &*MATCHER;
    let visiting = |id: &str, place: &str| {
        let mut service = service(id, &format!("Befriending for people who are lonely. We visit you in {place}."));
        service.areas = vec![place.to_owned(), "Leeds".to_owned()];
        service
    };
    let directory = Directory::new(vec![
        visiting("A befriending", "Moortown"),
        visiting("B befriending", "Harehills"),
        visiting("C befriending", "Chapel Allerton"),
        visiting("D befriending", "LS8"),
    ]);
    let first = |restricted: bool, words: &str| {
        let mut referral = note(&format!("46F lonely, would like a befriender. {words}"));
        referral.patient.address = None;
        referral.patient.restricted = restricted;
        let found = matcher.match_referral(&referral, &directory, date(2026, 11, 24));
        let listed = &found.needs[0].candidates;
        assert_eq!(listed.len(), 4, "{words}");
        listed[0].service.to_string()
    };
    for (words, named) in [
        ("Lives in Harehills.", "B befriending"),
        ("lives in harehills", "B befriending"),
        ("Near CHAPEL ALLERTON centre.", "C befriending"),
        ("At LS8 5EP for now.", "D befriending"),
        ("LS8", "D befriending"),
    ] {
        assert_eq!(first(false, words), named, "{words}: places count where nothing is closed");
        assert_eq!(first(true, words), "A befriending", "{words}: as if no place had been named");
    }
}
