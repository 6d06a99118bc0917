//! Neighbourhoods the directory itself names, and about where they are.
//!
//! No gazetteer comes with Wellbridge: where "Gipton" is follows from the services that say they are there. A name
//! stands for the middle of their positions; a name spread over a town (the town's own) is no neighbourhood, though it
//! is known as a place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{
    Service,
    words::{ByTerm, Term, Token, tokens},
};

/// Kilometres within which most services of a neighbourhood lie.
const SPREAD_KM: f64 = 3.0;
/// A name that more than one service in so many carries is the town's.
const ONE_IN: usize = 12;
/// Kilometres a degree of latitude is.
const DEGREE_KM: f64 = 111.2;

/// Names and positions, (latitude, longitude) in degrees WGS84.
#[derive(Clone, Debug, Default)]
pub struct Localities {
    by_first: ByTerm<Vec<Locality>>,
}

#[derive(Clone, Debug)]
struct Locality {
    words: Vec<Term>,
    /// None for a name that is spread too far, or that no service with a position carries.
    position: Option<(f64, f64)>,
}

/// A neighbourhood named in a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Named {
    /// Its first token.
    pub first: usize,
    /// Its last token.
    pub last: usize,
    /// About where it is.
    pub position: (f64, f64),
}

impl Localities {
    /// Reads the names of areas, towns and addresses of all services; those that say where they are tell where that is.
    pub fn learn(services: &[Service]) -> Self {
        // In the order of names, so that of two written alike the same one always stands.
        let mut seen: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for service in services {
            let position = service.places.iter().find_map(|p| p.position);
            let areas = service.areas.iter().flat_map(|a| a.split([',', '&', '/']));
            let towns = service.places.iter().filter_map(|p| p.city.as_deref());
            let ends = service.places.iter().filter_map(|p| p.name.rsplit_once(',').map(|(_, end)| end));
            let mut names: Vec<&str> = areas.chain(towns).chain(ends).map(str::trim).filter(|n| is_name(n)).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                seen.entry(name).or_default().extend(position);
            }
        }
        let mut by_first: ByTerm<Vec<Locality>> = ByTerm::default();
        for (name, positions) in seen {
            let common = positions.len() > (services.len() / ONE_IN).max(6);
            let position = middle(&positions).filter(|_| !common);
            let words: Vec<Term> = tokens(name).iter().map(|t| t.exact).collect();
            if let Some(first) = words.first() {
                by_first.entry(*first).or_default().push(Locality { words, position });
            }
        }
        for same_first in by_first.values_mut() {
            same_first.sort_by_key(|l| (std::cmp::Reverse(l.words.len()), l.words.clone()));
        }
        Self { by_first }
    }

    /// The neighbourhoods a text names, written with a capital.
    pub fn named(&self, text: &str, words: &[Token]) -> Vec<Named> {
        let mut found: Vec<Named> = Vec::new();
        for (first, token) in words.iter().enumerate() {
            let inside = found.last().is_some_and(|f| first <= f.last);
            if inside || !token.of(text).starts_with(char::is_uppercase) {
                continue;
            }
            let placed = self.at(first, words).find_map(|l| Some((l.words.len(), l.position?)));
            found.extend(placed.map(|(length, position)| Named { first, last: first + length - 1, position }));
        }
        found
    }

    /// The words of every place the directory knows by name, neighbourhood or town, however they are written.
    pub fn places(&self, words: &[Token]) -> impl Iterator<Item = RangeInclusive<usize>> {
        (0..words.len()).filter_map(|first| Some(first..=first + self.at(first, words).next()?.words.len() - 1))
    }

    /// The names that stand at this word, the longest first.
    fn at(&self, first: usize, words: &[Token]) -> impl Iterator<Item = &Locality> {
        let same_first = words.get(first).and_then(|t| self.by_first.get(&t.exact)).into_iter().flatten();
        same_first.filter(move |l| {
            l.words.iter().enumerate().all(|(k, w)| words.get(first + k).is_some_and(|t| t.exact == *w))
        })
    }
}

fn is_name(name: &str) -> bool {
    let words = name.split_whitespace().count();
    (1..=3).contains(&words)
        && name.len() > 3
        && name.starts_with(char::is_uppercase)
        && !name.contains(|c: char| c.is_ascii_digit())
}

/// The middle of the positions; none where they are too far apart to be one neighbourhood.
fn middle(positions: &[(f64, f64)]) -> Option<(f64, f64)> {
    let median = |mut values: Vec<f64>| -> Option<f64> {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied()
    };
    let lat = median(positions.iter().map(|p| p.0).collect())?;
    let lon = median(positions.iter().map(|p| p.1).collect())?;
    let mut away: Vec<f64> = positions
        .iter()
        .map(|p| ((p.0 - lat) * DEGREE_KM).hypot((p.1 - lon) * DEGREE_KM * lat.to_radians().cos()))
        .collect();
    away.sort_by(f64::total_cmp);
    let most = away.get(away.len() / 2).copied().unwrap_or(0.0);
    (most <= SPREAD_KM).then_some((lat, lon))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Place;

    fn at(area: &str, lat: f64, lon: f64) -> Service {
        let place = Place { position: Some((lat, lon)), city: Some("Leeds".to_owned()), ..Place::default() };
        Service { areas: vec![area.to_owned()], places: vec![place], ..Service::default() }
    }

    #[test]
    fn a_neighbourhood_is_where_its_services_are_and_a_town_is_none() {
        let mut services = vec![at("Gipton, Chapel Allerton", 53.81, -1.50), at("Gipton", 53.81, -1.51)];
        services.extend((0..8).map(|i| at("Leeds", 53.7 + f64::from(i) * 0.03, -1.5)));
        let localities = Localities::learn(&services);
        let text = "For people of Gipton or Chapel Allerton in Leeds, not gipton";
        let named = localities.named(text, &tokens(text));
        let words: Vec<(usize, usize)> = named.iter().map(|n| (n.first, n.last)).collect();
        assert_eq!(words, [(3, 3), (5, 6)]);
        let places: Vec<RangeInclusive<usize>> = localities.places(&tokens(text)).collect();
        assert_eq!(places, [3..=3, 5..=6, 8..=8, 10..=10], "the town is a place, and so is a name without its capital");
    }

    #[test]
    fn of_two_neighbourhoods_written_alike_the_same_one_always_stands() {
        for _ in 0..20 {
            let localities = Localities::learn(&[at("Mill-Hill", 53.9, -1.6), at("Mill Hill", 53.8, -1.5)]);
            let text = "Come to Mill Hill";
            assert_eq!(localities.named(text, &tokens(text))[0].position, (53.8, -1.5));
        }
    }
}
