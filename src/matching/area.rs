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
    places::{Places, Position, Postcode, kilometres},
    words::Text,
};
use crate::directory::{
    Service,
    index::Document,
    localities::Localities,
    words::{Gap, Token, tokens},
};

/// Beyond this a neighbourhood's own service, whose neighbourhoods we cannot place, is not this person's.
const LOCAL_KM: f64 = 4.5;
/// People who live this far from the middle of every neighbourhood it names live elsewhere.
const NAMED_KM: f64 = 3.4;
/// The same where it says that people must live there.
const LIVES_KM: f64 = 2.3;
/// Beyond this even a good service is out of reach, unless it comes to people.
const REACH_KM: f64 = 13.0;
/// From here on the way is something to be careful about.
const FAR_KM: f64 = 8.0;

#[derive(Clone, Debug, Default)]
pub(super) struct Reach {
    pub km: Option<f64>,
    pub shut: Option<Reasoned>,
    pub careful: Option<Reasoned>,
    /// A long way for somebody who must go there.
    pub far: bool,
    /// It comes to people or is reached from anywhere.
    pub remote: bool,
    /// It is for named neighbourhoods.
    pub local: bool,
    /// It is for people who live in named places, and where those are is not known.
    pub unsure: bool,
}

pub(super) fn check(
    mapping: &Mapping,
    places: &Places,
    localities: &Localities,
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
    let home = Home { places, localities, person, city };
    let limit = in_words(mapping, &text, &home).or_else(|| in_fields(service, &home));
    reach.local = limit.is_some();
    if let Some(limit) = limit {
        let (away, most) = match limit.nearest {
            Some(away) => (away, if limit.lives { LIVES_KM } else { NAMED_KM }),
            None => (km.unwrap_or(0.0), LOCAL_KM),
        };
        reach.unsure = limit.nearest.is_none() && km.is_none();
        if away > most {
            let sentence = format!("It is for people of places about {away:.0} km from home.");
            reach.shut = Some(reasoned(sentence, &limit.quote));
        } else if away > most / 2.0 {
            reach.careful = Some(reasoned("It names the places it serves.", &limit.quote));
        }
    } else if let Some(km) = km.filter(|_| !remote) {
        let away = format!("about {km:.0} km from home");
        if km > REACH_KM {
            reach.shut = Some(reasoned(format!("It is out of reach, {away}."), ""));
        } else if km > FAR_KM {
            reach.far = true;
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

/// What is compared with the person's home.
struct Home<'h> {
    places: &'h Places,
    localities: &'h Localities,
    person: &'h Person,
    city: &'h str,
}

/// A service is for named places.
struct Limit {
    /// From home to the nearest of them, in kilometres, where any can be placed.
    nearest: Option<f64>,
    /// It says that people must live there.
    lives: bool,
    quote: String,
}

impl Home<'_> {
    fn is_in(&self, words: &str) -> bool {
        mentions(words, self.city) || is_wide(words)
    }

    /// Kilometres to the nearest place that the words name: neighbourhoods and outcodes.
    fn nearest(&self, words: &Text<'_>) -> (Option<f64>, usize) {
        let mut named: Vec<Position> =
            self.localities.named(words.text, words.tokens).iter().map(|n| n.position).collect();
        let own = self.person.postcode.as_ref();
        let mut count = named.len();
        for token in words.tokens {
            let word = token.of(words.text);
            let upper = word.starts_with(char::is_uppercase) && word.len() <= 4;
            let Some(code) = Postcode::parse(word).filter(|_| upper) else { continue };
            if own.is_some_and(|o| o.outcode == code.outcode) {
                return (Some(0.0), count + 1);
            }
            count += 1;
            // Another outcode may border on home's: its middle says little.
            named.extend(self.places.position(&code));
        }
        count = count.max(listed(words));
        let nearest = self
            .person
            .position
            .and_then(|home| named.into_iter().map(|at| kilometres(home, at)).min_by(f64::total_cmp));
        (nearest, count)
    }
}

/// How many names a list like "Otley, Pool, Arthington & Menston" holds.
fn listed(words: &Text<'_>) -> usize {
    let name = |t: &Token| t.of(words.text).starts_with(char::is_uppercase) && t.end - t.start > 3;
    let mut longest = 0;
    let mut run = 0;
    let mut joined = true;
    for token in words.tokens.iter().skip(1) {
        let word = token.of(words.text);
        if name(token) {
            let goes_on = joined || token.gap == Gap::Comma;
            run = if goes_on { run + 1 } else { run.max(1) };
            longest = longest.max(run);
            joined = false;
        } else if matches!(word, "and" | "or") {
            joined = true;
        } else {
            run = 0;
            joined = false;
        }
    }
    // A list of two may be anything.
    if longest >= 3 { longest } else { 0 }
}

/// A limit in the service's own sentences: "people who live in …", or a list of neighbourhoods.
fn in_words(mapping: &Mapping, text: &Text<'_>, home: &Home<'_>) -> Option<Limit> {
    let lives = mapping.services.lives.scan(text.tokens);
    let mut at = 0;
    while at < text.tokens.len() {
        let (first, last) = text.sentence(at);
        at = last + 1;
        let sentence = text.quote(first, last);
        let words = text.tokens.get(first..=last).unwrap_or(&[]);
        let (nearest, count) = home.nearest(&Text { text: text.text, tokens: words });
        let must = lives.iter().find(|h| h.first >= first && h.last < last && follows_place(text, h.last));
        // Where its volunteers come from says nothing of whom it serves.
        let helpers = words.iter().take(3).any(|t| {
            let word = t.of(text.text).to_lowercase();
            ["volunteer", "staff", "driver", "bus", "buses", "train"].iter().any(|w| word.trim_end_matches('s') == *w)
        });
        if helpers && must.is_none() {
            continue;
        }
        let limits = must.is_some() && count >= 1 || count >= 2 && nearest.is_some();
        if limits && !home.is_in(sentence) {
            let quote = must.map_or_else(
                || text.quote_around(first, (first + 12).min(last), 60),
                |h| text.quote_around(h.first, h.last + 1, 70),
            );
            return Some(Limit { nearest, lives: must.is_some(), quote: quote.to_owned() });
        }
    }
    None
}

/// Whether a name comes within a few words.
fn follows_place(text: &Text<'_>, last: usize) -> bool {
    let next = (last + 1..last + 4).filter_map(|i| text.tokens.get(i)).map(|t| t.of(text.text));
    next.into_iter().any(|w| w.starts_with(char::is_uppercase))
}

/// A limit in the areas the directory gives.
fn in_fields(service: &Service, home: &Home<'_>) -> Option<Limit> {
    let first = service.areas.first()?;
    if service.areas.iter().any(|a| home.is_in(a)) {
        return None;
    }
    let all = service.areas.join(", ");
    let words = tokens(&all);
    let (nearest, _) = home.nearest(&Text { text: &all, tokens: &words });
    Some(Limit { nearest, lives: false, quote: first.clone() })
}
