//! Gates: what must not be offered to this person, each with a sentence and the service's own words.
//!
//! Status, closed or full, out of date, age, sex, circumstance; area is in [`super::area`]. What is unknown is no gate:
//! it becomes something to be careful about.

use jiff::civil::Date;

use super::{
    Reasoned, ages,
    mapping::{Mapping, Sex},
    person::Person,
    words::{Hit, Phrases, Text},
};
use crate::{
    directory::{Service, ServiceStatus, index::Document, words::Gap},
    referral::content::Gender,
};

/// Days after which an entry nobody looked at is something to be careful about.
const STALE_DAYS: i32 = 730;
/// How many words of a description say whom it is for.
const OPENING: usize = 45;
/// An entry longer than this speaks of many things.
const LONG: usize = 110;

/// A closed door, or what to be careful about.
#[derive(Clone, Debug, Default)]
pub(super) struct Gated {
    pub shut: Option<Reasoned>,
    pub careful: Vec<Reasoned>,
    /// It is for people in a circumstance this person is in: a reason for it.
    pub for_them: Option<Reasoned>,
    pub waiting: bool,
    /// Two months or more, or a wait of unknown length.
    pub long_wait: bool,
    pub stale: bool,
    /// Nobody looked at it for four years.
    pub very_stale: bool,
    /// The person is under 18, and nothing says that it takes people so young.
    pub not_for_young: bool,
}

pub(super) fn reasoned(sentence: impl Into<String>, quote: &str) -> Reasoned {
    let quote = quote.trim();
    Reasoned { sentence: sentence.into(), quote: (!quote.is_empty()).then(|| quote.to_owned()) }
}

/// Runs every gate but area; stops at the first that is shut.
pub(super) fn check(mapping: &Mapping, person: &Person, service: &Service, document: &Document, today: Date) -> Gated {
    let text = Text { text: &document.text, tokens: &document.tokens };
    let mut gated = Gated::default();
    gated.shut = status(service)
        .or_else(|| {
            spared(&mapping.services.closed, &mapping.services.closed_spared, &text, "It says that it takes nobody now")
        })
        .or_else(|| outdated(mapping, service, &text))
        .or_else(|| field_ages(person, service))
        .or_else(|| prose_ages(mapping, person, service, &text, &mut gated.careful))
        .or_else(|| sex(person, &mapping.services.female, Gender::Female, &text, document))
        .or_else(|| sex(person, &mapping.services.male, Gender::Male, &text, document))
        .or_else(|| circumstance(mapping, person, &text, document, &mut gated.for_them));
    if gated.shut.is_none() {
        caveats(mapping, person, service, &text, today, &mut gated);
    }
    gated
}

fn status(service: &Service) -> Option<Reasoned> {
    let says = match service.status {
        ServiceStatus::Active => return None,
        ServiceStatus::Inactive => "not active",
        ServiceStatus::Defunct => "gone",
        ServiceStatus::TemporarilyClosed => "closed for the time being",
    };
    Some(reasoned(format!("The directory marks it as {says}."), ""))
}

/// The first hit that no sparing phrase covers, with its sentence.
fn spared(phrases: &Phrases<()>, but: &Phrases<()>, text: &Text<'_>, says: &str) -> Option<Reasoned> {
    let hits = phrases.scan(text.tokens);
    if hits.is_empty() {
        return None;
    }
    let spared = but.scan(text.tokens);
    let hit = hits.iter().find(|h| {
        let (first, last) = text.sentence(h.first);
        !spared.iter().any(|s| {
            (s.first <= h.last && h.first <= s.last) || (s.first >= first && s.last <= last && s.first > h.last + 2)
        })
    })?;
    Some(reasoned(format!("{says}."), text.quote_around(hit.first, hit.last, 70)))
}

fn outdated(mapping: &Mapping, service: &Service, text: &Text<'_>) -> Option<Reasoned> {
    let fresh = service.assured.max(service.modified).is_some_and(|d| d.year() >= 2025);
    let s = &mapping.services;
    spared(&s.outdated, &s.outdated_spared, text, "It still describes the arrangements of the pandemic")
        .filter(|_| !fresh || service.assured.is_none_or(|d| d.year() < 2024))
}

fn field_ages(person: &Person, service: &Service) -> Option<Reasoned> {
    let age = person.age?;
    if let Some(min) = service.minimum_age.filter(|&m| age < m) {
        return Some(reasoned(format!("It is for people of {min} and over."), ""));
    }
    let max = service.maximum_age.filter(|&m| age > m && m > 0)?;
    Some(reasoned(format!("It is for people up to {max}."), ""))
}

fn prose_ages(
    mapping: &Mapping,
    person: &Person,
    service: &Service,
    text: &Text<'_>,
    careful: &mut Vec<Reasoned>,
) -> Option<Reasoned> {
    let age = person.age?;
    let s = &mapping.services;
    let mut said = ages::said(text, s);
    // In a long entry a later age is that of one of its many groups.
    said.retain(|limit| text.tokens.len() < LONG || limit.first < OPENING || says_must(text, limit.first));
    if let Some(first) = said.first() {
        if said.iter().any(|limit| limit.admits(age)) {
            return None;
        }
        let quote = text.quote_around(first.first, first.last, 40);
        if s.one_of.find(text.tokens).is_some() {
            careful.push(reasoned("It names an age among other conditions.", quote));
            return None;
        }
        return Some(reasoned(format!("Its age limit does not fit a person of {age}."), quote));
    }
    if service.minimum_age.is_some() || service.maximum_age.is_some() || s.any_age.find(text.tokens).is_some() {
        return None;
    }
    let opening = text.tokens.get(..OPENING.min(text.tokens.len())).unwrap_or(&[]);
    let early = |h: &Hit<'_, ()>| {
        let start = h.first.saturating_sub(8);
        let for_parents = (start..h.first).filter_map(|i| text.tokens.get(i)).any(|t| {
            let word = t.of(text.text).to_lowercase();
            ["parent", "famil", "carer", "mum", "dad"].iter().any(|w| word.starts_with(w))
        });
        h.first < 25 && !for_parents
    };
    let (hit, says) = match age {
        31..50 if s.younger.find(opening).is_some_and(|h| early(&h)) => (s.younger.find(opening)?, "young people"),
        0..50 => (s.older.find(opening).filter(early).or_else(|| s.pension.find(opening))?, "older people"),
        50..60 => (s.pension.find(opening)?, "people of pension age"),
        _ => (s.younger.find(opening).filter(early)?, "young people"),
    };
    Some(reasoned(format!("It says that it is for {says}."), text.quote_around(hit.first, hit.last, 40)))
}

fn says_must(text: &Text<'_>, first: usize) -> bool {
    (first.saturating_sub(3)..first)
        .filter_map(|i| text.tokens.get(i))
        .any(|t| matches!(t.of(text.text).to_lowercase().as_str(), "must" | "only" | "cant" | "can't"))
}

fn sex(person: &Person, rule: &Sex, for_whom: Gender, text: &Text<'_>, document: &Document) -> Option<Reasoned> {
    let other = matches!(person.gender, Some(Gender::Female | Gender::Male)) && person.gender != Some(for_whom);
    if !other {
        return None;
    }
    let opening = (document.name_tokens + OPENING).min(text.tokens.len());
    let hit = rule.words.scan(text.tokens).into_iter().find(|h| {
        let only = text.quote(h.first, h.last).to_lowercase().contains("only");
        h.first < opening || only
    })?;
    let (first, last) = text.sentence(hit.first);
    if hit.first >= document.name_tokens && rule.not.find(text.tokens.get(first..=last).unwrap_or(&[])).is_some() {
        return None;
    }
    Some(reasoned(format!("It is for {}.", rule.says), text.quote_around(hit.first, hit.last, 50)))
}

fn circumstance(
    mapping: &Mapping,
    person: &Person,
    text: &Text<'_>,
    document: &Document,
    for_them: &mut Option<Reasoned>,
) -> Option<Reasoned> {
    let hits = whom(mapping, text, document);
    let is = |h: &Hit<'_, usize>| person.audiences.contains(h.value);
    let audience = |h: &Hit<'_, usize>| mapping.audiences.get(*h.value);
    // The first that shuts it out: a strict one, or one of a kind of which the person is none.
    let shut = hits.iter().filter(|h| !is(h)).find_map(|hit| {
        let named = audience(hit)?;
        let same_kind = |h: &&Hit<'_, usize>| audience(h).is_some_and(|a| a.kind == named.kind);
        let others = hits.iter().filter(|h| h.value != hit.value && text.sentence(h.first) == text.sentence(hit.first));
        let mut others: Vec<usize> = others.map(|h| *h.value).collect();
        others.sort_unstable();
        others.dedup();
        // Named in passing among others is not whom it is for.
        let in_passing = hit.first >= document.name_tokens && (others.len() >= 2 || in_list(text, hit, &hits));
        let meant = !in_passing && (named.strict || !hits.iter().filter(same_kind).any(is));
        meant.then(|| {
            let sentence = format!("It is for {}; nothing in the referral says so.", named.says);
            reasoned(sentence, text.quote_around(hit.first, hit.last, 50))
        })
    });
    if shut.is_none()
        && let Some(hit) = hits.iter().find(|h| is(h))
        && let Some(named) = audience(hit)
    {
        *for_them = Some(reasoned(format!("It is for {}.", named.says), text.quote_around(hit.first, hit.last, 40)));
    }
    shut
}

/// Whom a service names in its name and its first sentences, without those to whom its words open it again.
fn whom<'m>(mapping: &'m Mapping, text: &Text<'_>, document: &Document) -> Vec<Hit<'m, usize>> {
    let mut end = document.name_tokens;
    let mut sentences = 0;
    while let Some(token) = text.tokens.get(end) {
        sentences += usize::from(token.gap == Gap::Stop);
        if sentences > 5 || end > document.name_tokens + OPENING {
            break;
        }
        end += 1;
    }
    let opening = text.tokens.get(..end).unwrap_or(&[]);
    let mut hits = mapping.audience_service.scan(opening);
    if !hits.is_empty() {
        let open = mapping.audience_open.scan(text.tokens);
        let passing = mapping.services.in_passing.scan(text.tokens);
        let passed = |h: &Hit<'_, usize>| {
            let (first, last) = text.sentence(h.first);
            h.first >= document.name_tokens && passing.iter().any(|p| p.first >= first && p.last <= last)
        };
        hits.retain(|h| !open.iter().any(|o| o.value == h.value) && !passed(h));
    }
    hits
}

/// "families, students and asylum seekers": last of a list of others.
fn in_list(text: &Text<'_>, hit: &Hit<'_, usize>, hits: &[Hit<'_, usize>]) -> bool {
    let (first, _) = text.sentence(hit.first);
    let own_before = hits.iter().any(|h| h.value == hit.value && h.first >= first && h.first < hit.first);
    let joined = hit
        .first
        .checked_sub(1)
        .and_then(|i| text.tokens.get(i))
        .is_some_and(|t| matches!(t.of(text.text).to_lowercase().as_str(), "and" | "or"));
    joined && !own_before && hit.first > first + 3
}

/// Whether the words speak of two months or more.
fn long(wait: &str) -> bool {
    let wait = wait.to_lowercase();
    let numbers = wait.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
    let most = numbers.filter(|n| *n < 100).max();
    match most {
        Some(n) => wait.contains("month") && n >= 2 || wait.contains("week") && n >= 8,
        None => wait.contains("month") || wait.contains("long"),
    }
}

fn caveats(mapping: &Mapping, person: &Person, service: &Service, text: &Text<'_>, today: Date, gated: &mut Gated) {
    let s = &mapping.services;
    if let Some(wait) = &service.wait_time {
        gated.waiting = true;
        gated.long_wait = long(wait);
        gated.careful.push(reasoned("There may be a wait.", wait));
    } else if let Some(hit) = s.waiting.find(text.tokens) {
        gated.waiting = true;
        let (first, last) = text.sentence(hit.first);
        gated.long_wait = long(text.quote(first, last));
        gated.careful.push(reasoned("There may be a wait.", text.quote_around(hit.first, hit.last, 50)));
    }
    if let Some(hit) = s.stairs.find(text.tokens) {
        gated.careful.push(reasoned("Access may be hard.", text.quote_around(hit.first, hit.last, 50)));
    }
    let seen = service.assured.max(service.modified);
    let age = seen.and_then(|d| today.since(d).ok()).map(|span| span.get_days());
    gated.very_stale = age.is_none_or(|days| days > 2 * STALE_DAYS);
    if person.age.is_some_and(|a| a < 18)
        && service.minimum_age.is_none()
        && service.maximum_age.is_none()
        && s.younger.find(text.tokens).is_none()
        && ages::said(text, s).is_empty()
    {
        gated.not_for_young = true;
        gated.careful.push(reasoned("Nothing says that it takes people under 18.", ""));
    }
    if age.is_none_or(|days| days > STALE_DAYS) {
        gated.stale = true;
        let sentence = seen.map_or("Nobody is known to have checked the entry.".to_owned(), |d| {
            format!("The entry was last checked on {d}.")
        });
        gated.careful.push(reasoned(sentence, ""));
    }
    if person.age.is_none() && (service.minimum_age.is_some() || service.maximum_age.is_some()) {
        gated.careful.push(reasoned("It has an age limit, and the person's age is not known.", ""));
    }
}
