//! What a search asks for, and which resources it finds: FHIR R4 search over JSON values.
//!
//! Strict on purpose: an unknown parameter, modifier or sort is refused, a time to the second means that whole
//! second (R4, Search, section 3.1.1.4.1.1), so `gt10:00:00Z` does not find what changed half a second later.

use jiff::{SignedDuration, Timestamp, ToSpan, civil, tz::TimeZone};
use serde_json::Value;

use super::outcome::Refusal;
use super::parameters::{self, Compare, Parameter, tokens, values};
use super::store::{Standing, Store};

/// Entries a page where the caller does not say.
const USUAL_COUNT: usize = 50;
/// More than this a page is not given, whatever the caller says; R4 allows a server fewer than `_count`.
const MOST_A_PAGE: usize = 200;

/// A search, read and found sound.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) kind: String,
    filters: Vec<Filter>,
    pub(super) includes: Vec<Include>,
    order: Order,
    /// Matches a page; 0 asks for the total alone.
    pub(super) count: usize,
}

/// `_include=Task:focus`.
#[derive(Clone, Debug)]
pub(super) struct Include {
    pub(super) parameter: &'static Parameter,
    /// `Task:focus:ServiceRequest` follows references to that kind only.
    pub(super) target: Option<String>,
    /// `:iterate` looks into what was itself included.
    pub(super) iterate: bool,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    /// By id: no promise about time, as on a server that was not asked.
    Unasked,
    OldestFirst,
    NewestFirst,
}

#[derive(Clone, Debug)]
enum Filter {
    Id(Vec<String>),
    LastUpdated(Vec<DateTest>),
    By(&'static Parameter, Option<String>, Vec<String>),
}

impl Query {
    /// Reads decoded `name=value` pairs.
    pub(super) fn parse(kind: &str, pairs: &[(String, String)]) -> Result<Self, Refusal> {
        let mut query = Self {
            kind: kind.to_owned(),
            filters: Vec::new(),
            includes: Vec::new(),
            order: Order::Unasked,
            count: USUAL_COUNT,
        };
        for (name, value) in pairs {
            query.take(name, value)?;
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            "_format" | "_pretty" | "_total" => {}
            "_count" => {
                let count: usize = value.parse().map_err(|_| Refusal::invalid("_count is not a number"))?;
                self.count = count.min(MOST_A_PAGE);
            }
            "_summary" if value == "count" => self.count = 0,
            "_sort" => {
                self.order = match value {
                    "_lastUpdated" => Order::OldestFirst,
                    "-_lastUpdated" => Order::NewestFirst,
                    _ => return Err(Refusal::not_supported("_sort knows _lastUpdated and -_lastUpdated")),
                };
            }
            "_include" => self.includes.push(include(value, false)?),
            "_include:iterate" => self.includes.push(include(value, true)?),
            "_id" => self.filters.push(Filter::Id(alternatives(value))),
            "_lastUpdated" => {
                let tests = alternatives(value).iter().map(|v| DateTest::parse(v)).collect::<Result<_, _>>()?;
                self.filters.push(Filter::LastUpdated(tests));
            }
            _ => self.filters.push(by_parameter(&self.kind, name, value)?),
        }
        Ok(())
    }

    /// Everything that matches, in the order asked for.
    pub(super) fn run(&self, store: &Store, base: &str) -> Vec<Standing> {
        let mut found = self.candidates(store);
        found.retain(|standing| self.filters.iter().all(|filter| filter.holds(standing, base)));
        match self.order {
            Order::Unasked => {}
            Order::OldestFirst => found.sort_by_key(|standing| standing.at),
            Order::NewestFirst => found.sort_by_key(|standing| std::cmp::Reverse(standing.at)),
        }
        found
    }

    /// Whether anything is asked: a conditional create without a condition would match at random.
    pub(super) fn is_unconditional(&self) -> bool {
        self.filters.is_empty()
    }

    /// Where to look: what the store's index knows of an id, an identifier, a tag or a reference that is asked for, else
    /// everything.
    fn candidates(&self, store: &Store) -> Vec<Standing> {
        for filter in &self.filters {
            match filter {
                Filter::Id(ids) => return store.with_ids(&self.kind, ids.iter().map(String::as_str)),
                Filter::By(parameter, None, wanted) => {
                    let token = parameter.name == "identifier" || parameter.name == "_tag";
                    let values = wanted.iter().map(|text| match text.split_once('|') {
                        Some((_, value)) if token => value,
                        _ => text.as_str(),
                    });
                    let indexed = token || parameter.compare == Compare::Reference;
                    // `system|` asks for any value of it.
                    if indexed && values.clone().all(|value| !value.is_empty()) {
                        return store.with_values(&self.kind, values);
                    }
                }
                _ => {}
            }
        }
        store.all(&self.kind).collect()
    }
}

fn by_parameter(kind: &str, name: &str, value: &str) -> Result<Filter, Refusal> {
    let (plain, modifier) = name.split_once(':').map_or((name, None), |(plain, modifier)| (plain, Some(modifier)));
    let unknown = || Refusal::not_supported(format!("{kind} has no search parameter \"{name}\" here"));
    let parameter = parameters::find(kind, plain).ok_or_else(unknown)?;
    let known = match (parameter.compare, modifier) {
        (_, None | Some("missing")) | (Compare::Token, Some("not")) | (Compare::Text, Some("exact" | "contains")) => {
            true
        }
        (Compare::Reference, Some(modifier)) => {
            modifier == "identifier" || modifier.starts_with(|c: char| c.is_ascii_uppercase())
        }
        _ => false,
    };
    if !known {
        return Err(unknown());
    }
    let wanted = alternatives(value);
    if parameter.compare == Compare::Date && modifier.is_none() {
        for text in &wanted {
            DateTest::parse(text)?;
        }
    }
    Ok(Filter::By(parameter, modifier.map(str::to_owned), wanted))
}

fn include(value: &str, iterate: bool) -> Result<Include, Refusal> {
    let mut parts = value.splitn(3, ':');
    let (kind, name, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next());
    match parameters::find(kind, name) {
        Some(parameter) if parameter.compare == Compare::Reference => {
            Ok(Include { parameter, target: target.map(str::to_owned), iterate })
        }
        _ => Err(Refusal::not_supported(format!("_include cannot follow \"{value}\""))),
    }
}

/// `a,b` means either; `\,` is a comma.
fn alternatives(value: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            ',' if !escaped => found.push(String::new()),
            _ => {
                if let Some(last) = found.last_mut() {
                    last.push(c);
                }
            }
        }
        escaped = false;
    }
    found
}

impl Filter {
    fn holds(&self, standing: &Standing, base: &str) -> bool {
        match self {
            Self::Id(ids) => standing
                .resource
                .get("id")
                .and_then(Value::as_str)
                .is_some_and(|id| ids.iter().any(|wanted| wanted == id)),
            Self::LastUpdated(tests) => {
                let moment = (standing.at, standing.at.saturating_add(1.nanosecond()).unwrap_or(standing.at));
                tests.iter().any(|test| test.holds(moment))
            }
            Self::By(parameter, modifier, wanted) => {
                let here = values(&standing.resource, parameter.path);
                match modifier.as_deref() {
                    Some("missing") => wanted.iter().any(|w| (w == "true") == here.is_empty()),
                    Some("not") => !wanted.iter().any(|w| here.iter().any(|value| is_token(value, w))),
                    modifier => wanted
                        .iter()
                        .any(|w| here.iter().any(|value| compares(parameter.compare, value, modifier, w, base))),
                }
            }
        }
    }
}

fn compares(compare: Compare, value: &Value, modifier: Option<&str>, wanted: &str, base: &str) -> bool {
    match compare {
        Compare::Token => is_token(value, wanted),
        Compare::Reference if modifier == Some("identifier") => {
            value.get("identifier").is_some_and(|identifier| is_token(identifier, wanted))
        }
        Compare::Reference => refers(value, modifier, wanted, base),
        Compare::Text => {
            let (text, wanted) = (value.as_str().unwrap_or_default(), wanted);
            match modifier {
                Some("exact") => text == wanted,
                Some(_) => text.to_lowercase().contains(&wanted.to_lowercase()),
                None => text.to_lowercase().starts_with(&wanted.to_lowercase()),
            }
        }
        Compare::Date => {
            let interval = value.as_str().and_then(interval);
            interval.zip(DateTest::parse(wanted).ok()).is_some_and(|(interval, test)| test.holds(interval))
        }
    }
}

/// `code`, `system|code`, `|code` (no system) or `system|` (any code of it).
fn is_token(value: &Value, wanted: &str) -> bool {
    let (system, code) = wanted.split_once('|').map_or((None, wanted), |(system, code)| (Some(system), code));
    tokens(value).iter().any(|(their_system, their_code)| {
        let same_system = system.is_none_or(|system| their_system.is_none_or(|theirs| theirs == system));
        same_system && (code.is_empty() || their_code == code)
    })
}

fn refers(value: &Value, modifier: Option<&str>, wanted: &str, base: &str) -> bool {
    let Some((kind, id)) = value.get("reference").and_then(Value::as_str).and_then(|text| local(text, base)) else {
        return false;
    };
    match local(wanted, base) {
        Some((wanted_kind, wanted_id)) => wanted_kind == kind && wanted_id == id,
        None => wanted == id && modifier.is_none_or(|modifier| modifier == kind),
    }
}

/// `(kind, id)` of a reference to this server, relative or under its base, with or without a version.
pub(super) fn local<'a>(reference: &'a str, base: &str) -> Option<(&'a str, &'a str)> {
    let relative = reference.strip_prefix(base).map_or(reference, |rest| rest.trim_start_matches('/'));
    let mut parts = relative.split('/');
    let (kind, id) = (parts.next()?, parts.next()?);
    let plain = !kind.is_empty() && !id.is_empty() && kind.bytes().all(|b| b.is_ascii_alphabetic());
    (plain && matches!(parts.next(), None | Some("_history"))).then_some((kind, id))
}

/// `ge2026-11-24T10:00:00Z`: a prefix and the span of time that the text covers.
#[derive(Clone, Debug)]
struct DateTest {
    prefix: String,
    from: Timestamp,
    to: Timestamp,
}

impl DateTest {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let split = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let (prefix, rest) = text.split_at(split);
        let prefix = if prefix.is_empty() { "eq" } else { prefix };
        let known = ["eq", "ne", "gt", "ge", "lt", "le", "sa", "eb"].contains(&prefix);
        match interval(rest) {
            Some((from, to)) if known => Ok(Self { prefix: prefix.to_owned(), from, to }),
            _ => Err(Refusal::invalid("a date in the search cannot be read")),
        }
    }

    fn holds(&self, (start, end): (Timestamp, Timestamp)) -> bool {
        let within = self.from <= start && end <= self.to;
        match self.prefix.as_str() {
            "gt" => end > self.to,
            "ge" => end > self.from,
            "lt" => start < self.from,
            "le" => start < self.to,
            "sa" => start >= self.to,
            "eb" => end <= self.from,
            "ne" => !within,
            _ => within,
        }
    }
}

/// The time that a FHIR date covers, from its first moment to just after its last: a year, a month, a day, a second.
fn interval(text: &str) -> Option<(Timestamp, Timestamp)> {
    if let Some((_, time)) = text.split_once('T') {
        let from: Timestamp = text.parse().ok()?;
        let span = if time.contains('.') { SignedDuration::from_nanos(1) } else { SignedDuration::from_secs(1) };
        return Some((from, from.saturating_add(span).ok()?));
    }
    let (first, after) = match text.len() {
        4 => {
            let first = civil::Date::new(text.parse().ok()?, 1, 1).ok()?;
            (first, first.saturating_add(1.year()))
        }
        7 => {
            let first: civil::Date = format!("{text}-01").parse().ok()?;
            (first, first.saturating_add(1.month()))
        }
        _ => {
            let first: civil::Date = text.parse().ok()?;
            (first, first.saturating_add(1.day()))
        }
    };
    let midnight = |date: civil::Date| Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp());
    Some((midnight(first)?, midnight(after)?))
}
