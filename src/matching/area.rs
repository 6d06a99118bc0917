//! Area: how far a service is, and whether its own words keep it for people who live elsewhere.
//!
//! Straight-line distances between postcode sectors, the town of its address, the areas and postcodes it names. A
//! service of another town that never speaks of the person's town is not for them; one for a few named neighbourhoods
//! far from home is not either. What cannot be told is left to the reader.

use super::{
    Reasoned,
    gates::reasoned,
    mapping::Mapping,
    person::Person,
    places::{Places, Postcode, kilometres},
    words::Text,
};
use crate::directory::{Service, index::Document};

/// Beyond this a neighbourhood's own service is not this person's.
const LOCAL_KM: f64 = 4.5;
/// Beyond this even a good service is out of reach, unless it comes to people.
const REACH_KM: f64 = 13.0;
/// From here on the way is something to be careful about.
const FAR_KM: f64 = 6.0;

#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    pub km: Option<f64>,
    pub shut: Option<Reasoned>,
    pub careful: Option<Reasoned>,
    /// It comes to people or is reached from anywhere.
    pub remote: bool,
    /// It is for named neighbourhoods.
    pub local: bool,
}

pub(super) fn check(
    mapping: &Mapping,
    places: &Places,
    person: &Person,
    service: &Service,
    document: &Document,
) -> Reach {
    let text = Text { text: &document.text, tokens: &document.tokens };
    let remote = mapping.services.remote.find(text.tokens).is_some() || service.places.is_empty();
    let km = distance(places, person, service);
    let mut reach = Reach { km, remote, ..Reach::default() };
    let Some(city) = person.city.as_deref().filter(|c| !c.is_empty()) else { return reach };
    let speaks_of_city = mentions(&document.text, city)
        || service.areas.iter().any(|a| mentions(a, city) || is_wide(a))
        || mentions(&service.organisation.name, city);
    if let Some(town) = other_town(person, service, city).filter(|_| !speaks_of_city) {
        reach.shut = Some(reasoned(format!("It is in {town} and does not speak of {city}."), ""));
        return reach;
    }
    let limits = limited_to(mapping, service, &text, city, person);
    reach.local = limits.is_some();
    if let (Some(limit), Some(km)) = (&limits, km) {
        let away = format!("about {km:.0} km from home");
        if km > LOCAL_KM {
            reach.shut = Some(reasoned(format!("It is for people of another part of the area, {away}."), limit));
        } else if km > LOCAL_KM / 2.0 {
            reach.careful = Some(reasoned(format!("It names the places it serves; it is {away}."), limit));
        }
    } else if let Some(km) = km.filter(|_| !remote) {
        let away = format!("about {km:.0} km from home");
        if km > REACH_KM {
            reach.shut = Some(reasoned(format!("It is out of reach, {away}."), ""));
        } else if km > FAR_KM {
            reach.careful = Some(reasoned(format!("It is {away}."), ""));
        }
    }
    reach
}

fn distance(places: &Places, person: &Person, service: &Service) -> Option<f64> {
    let home = person.position?;
    let positions = service.places.iter().filter_map(|p| {
        p.position.or_else(|| p.postcode.as_deref().and_then(Postcode::parse).and_then(|c| places.position(&c)))
    });
    positions.map(|at| kilometres(home, at)).min_by(f64::total_cmp)
}

/// The service's town, where all its addresses are in another town with another postcode area.
fn other_town(person: &Person, service: &Service, city: &str) -> Option<String> {
    let area = person.postcode.as_ref()?.area().to_owned();
    if service.places.is_empty() {
        return None;
    }
    let elsewhere = service.places.iter().all(|p| {
        let code = p.postcode.as_deref().and_then(Postcode::parse);
        let other_code = code.is_some_and(|c| c.area() != area);
        other_code && p.city.as_deref().is_none_or(|c| !c.eq_ignore_ascii_case(city))
    });
    elsewhere.then(|| service.places.iter().find_map(|p| p.city.clone()).unwrap_or_else(|| "another town".to_owned()))
}

fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
    })
}

/// Areas larger than a town.
fn is_wide(area: &str) -> bool {
    const WIDE: [&str; 8] =
        ["shire", "county", "national", "england", "united kingdom", "region", "nationwide", "great britain"];
    let area = area.to_lowercase();
    area == "uk" || WIDE.iter().any(|w| area.contains(w))
}

/// The words that keep a service for named neighbourhoods or postcodes the person is not known to live in.
fn limited_to(mapping: &Mapping, service: &Service, text: &Text<'_>, city: &str, person: &Person) -> Option<String> {
    let outcode = person.postcode.as_ref().map(|p| p.outcode.as_str());
    let of_home = |words: &str| {
        mentions(words, city) || is_wide(words) || outcode.is_some_and(|o| mentions(&words.to_uppercase(), o))
    };
    let from_fields = || {
        let named = !service.areas.is_empty() && !service.areas.iter().any(|a| of_home(a));
        named.then(|| service.areas.first().cloned().unwrap_or_default())
    };
    for hit in mapping.services.lives.scan(text.tokens) {
        let next = text.tokens.get(hit.last + 1).map_or("", |t| t.of(text.text));
        let (_, end) = text.sentence(hit.first);
        let rest = text.quote(hit.last + 1, end);
        let place = next.starts_with(char::is_uppercase) && !next.chars().all(|c| c.is_ascii_digit());
        if place {
            return (!of_home(rest)).then(|| text.quote_around(hit.first, hit.last + 1, 70).to_owned());
        }
    }
    from_fields()
}
