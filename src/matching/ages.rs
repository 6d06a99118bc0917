//! Age limits as a service's prose gives them: "over 60s", "65 or over", "aged 16 to 25", "18+", "under 25s".
//!
//! Numbers are everywhere in a directory (times, buses, prices), so a number counts only where the words around it say
//! that it is an age, and not the age of somebody's child.

use super::{mapping::Services, words::Text};
use crate::directory::words::{Gap, Token};

/// One limit, with the words that give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgeSaid {
    pub min: Option<u8>,
    pub max: Option<u8>,
    pub first: usize,
    pub last: usize,
}

impl AgeSaid {
    pub(super) fn admits(&self, age: u8) -> bool {
        self.min.is_none_or(|m| age >= m) && self.max.is_none_or(|m| age <= m)
    }
}

/// Every limit the text gives.
pub(super) fn said(text: &Text<'_>, services: &Services) -> Vec<AgeSaid> {
    let children: Vec<usize> = services.child.scan(text.tokens).iter().map(|h| h.first).collect();
    let mut found: Vec<AgeSaid> = Vec::new();
    for i in 0..text.tokens.len() {
        if found.last().is_some_and(|f| i <= f.last) {
            continue;
        }
        let Some(limit) = at(text, i) else { continue };
        let about_children = children.iter().any(|&c| c < i && i - c <= 5 && c >= text.sentence(i).0);
        let child_limit = limit.max.is_some_and(|m| m <= 12);
        if !about_children && !child_limit {
            found.push(limit);
        }
    }
    found
}

/// The words around a number.
struct Around<'t> {
    text: &'t Text<'t>,
    i: usize,
}

impl Around<'_> {
    /// The word `n` after the number, lower case; empty where there is none.
    fn after(&self, n: usize) -> String {
        self.text.tokens.get(self.i + n).map(|t| t.of(self.text.text).to_lowercase()).unwrap_or_default()
    }

    /// The word `n` before it.
    fn before(&self, n: usize) -> String {
        let token = self.i.checked_sub(n).and_then(|k| self.text.tokens.get(k));
        token.map(|t| t.of(self.text.text).to_lowercase()).unwrap_or_default()
    }

    fn min(&self, years: u8, first: usize, last: usize) -> AgeSaid {
        AgeSaid { min: Some(years), max: None, first: self.i - first, last: self.i + last }
    }

    fn max(&self, years: u8, first: usize) -> AgeSaid {
        AgeSaid { min: None, max: Some(years), first: self.i - first, last: self.i }
    }
}

fn at(text: &Text<'_>, i: usize) -> Option<AgeSaid> {
    let around = Around { text, i };
    let (years, plural) = number(&around.after(0))?;
    if !(5..=100).contains(&years) || is_money(text, i) {
        return None;
    }
    match range(&around, years, plural) {
        Range::Ages(said) => Some(said),
        Range::OtherNumbers => None,
        Range::None => upward(&around, years).or_else(|| bounded(&around, years, plural)),
    }
}

enum Range {
    Ages(AgeSaid),
    OtherNumbers,
    None,
}

/// 16 to 25, 16-25, between 16 and 25.
fn range(around: &Around<'_>, years: u8, plural: bool) -> Range {
    let joint = around.after(1);
    let dashed = around.text.tokens.get(around.i + 1).is_some_and(|t| between(around.text, around.i, t));
    let second = match joint.as_str() {
        "to" | "until" | "and" => number(&around.after(2)).map(|n| (n, 2)),
        _ if dashed => number(&joint).map(|n| (n, 1)),
        _ => None,
    };
    let Some(((max, many), last)) = second.filter(|((max, _), _)| *max > years && *max <= 100) else {
        return Range::None;
    };
    let led = (1..=3).any(|n| matches!(around.before(n).as_str(), "aged" | "age" | "ages" | "between" | "olds"));
    let next = around.after(last + 1);
    let counted = matches!(next.as_str(), "year" | "years" | "yr" | "yrs" | "olds");
    let for_people = around.before(1) == "for" && years >= 10 && !clocklike(&next);
    let bare = joint != "and" && (around.i == 0 || many || for_people);
    if led || counted || bare || (many && plural) {
        let i = around.i;
        Range::Ages(AgeSaid { min: Some(years), max: Some(max), first: i, last: i + last })
    } else {
        Range::OtherNumbers
    }
}

/// 18+, 65 or over, 16 years and up.
fn upward(around: &Around<'_>, years: u8) -> Option<AgeSaid> {
    let token = around.text.tokens.get(around.i)?;
    if around.text.text.get(token.end as usize..).is_some_and(|rest| rest.starts_with('+')) {
        return (years >= 10).then(|| around.min(years, 0, 0));
    }
    let up = |word: &str| matches!(word, "over" | "older" | "above" | "upwards" | "up");
    let (one, two, three) = (around.after(1), around.after(2), around.after(3));
    match (one.as_str(), two.as_str()) {
        ("and" | "or", word) if up(word) => Some(around.min(years, 0, 2)),
        ("plus", _) if years >= 10 => Some(around.min(years, 0, 1)),
        ("years" | "yrs", "and" | "or") if up(&three) => Some(around.min(years, 0, 3)),
        ("years", "of") if three == "age" => Some(around.min(years, 0, 3)),
        _ => None,
    }
}

/// Over 60s, under 25, must be 18, up to age 12.
fn bounded(around: &Around<'_>, years: u8, plural: bool) -> Option<AgeSaid> {
    const COUNTED: [&str; 21] = [
        "minute",
        "hour",
        "mile",
        "week",
        "month",
        "year",
        "volunteer",
        "opportunit",
        "group",
        "bike",
        "class",
        "club",
        "different",
        "charit",
        "famil",
        "people",
        "member",
        "session",
        "place",
        "adapted",
        "per",
    ];
    const WHO: [&str; 24] = [
        "aged",
        "people",
        "anyone",
        "anybody",
        "adults",
        "men",
        "women",
        "those",
        "for",
        "residents",
        "re",
        "youre",
        "you",
        "are",
        "is",
        "everyone",
        "the",
        "all",
        "of",
        "and",
        "age",
        "you're",
        "pensioners",
        "folk",
    ];
    let (next, second) = (around.after(1), around.before(2));
    let counted = COUNTED.iter().any(|u| next.starts_with(u)) && !plural && around.after(2) != "old";
    match around.before(1).as_str() {
        "over" | "above" if !counted && years >= 13 => {
            let ends = around.text.tokens.get(around.i + 1).is_none_or(|t| t.gap >= Gap::Comma);
            let goes_on = matches!(next.as_str(), "in" | "who" | "living" | "with");
            let people = plural || ends || goes_on || WHO.contains(&second.as_str());
            people.then(|| around.min(years, 1, 0))
        }
        "of" if second == "age" && around.before(4) == "over" => Some(around.min(years, 4, 0)),
        "least" if matches!(next.as_str(), "years" | "yrs") || around.before(3) == "be" => {
            Some(around.min(years, 1, 0))
        }
        "be" if second == "must" && years >= 13 => Some(around.min(years, 2, 0)),
        "under" if years >= 13 && (2..=5).any(|n| is_not(&around.before(n))) => Some(around.min(years, 1, 0)),
        "under" if !counted && years >= 13 => Some(around.max(years - 1, 1)),
        "age" if second == "to" && around.before(3) == "up" => Some(around.max(years, 3)),
        _ => None,
    }
}

fn is_not(word: &str) -> bool {
    matches!(word, "cant" | "can't" | "can\u{2019}t" | "cannot" | "not" | "no")
}

fn number(word: &str) -> Option<(u8, bool)> {
    let spelt = match word {
        "fifties" | "fifty" => Some(50),
        "sixties" | "sixty" => Some(60),
        "seventies" => Some(70),
        _ => None,
    };
    if let Some(n) = spelt {
        return Some((n, word.ends_with("ies")));
    }
    let digits = word.trim_end_matches('s').trim_end_matches(['\'', '\u{2019}']);
    let n = digits.parse().ok()?;
    Some((n, word.ends_with('s')))
}

/// Whether a hyphen or dash and nothing else stands between token `i` and the next.
fn between(text: &Text<'_>, i: usize, next: &Token) -> bool {
    let end = text.tokens.get(i).map_or(0, |t| t.end as usize);
    text.text.get(end..next.start as usize).is_some_and(|gap| matches!(gap.trim(), "-" | "\u{2013}" | "\u{2014}"))
}

fn is_money(text: &Text<'_>, i: usize) -> bool {
    let start = text.tokens.get(i).map_or(0, |t| t.start as usize);
    text.text.get(..start).is_some_and(|before| before.ends_with(['£', '€', '$', ':']))
}

fn clocklike(next: &str) -> bool {
    matches!(next, "am" | "pm" | "minutes" | "weeks" | "miles" | "hours" | "on" | "every")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{directory::words::tokens, matching::Matcher};

    #[test]
    fn ages_are_read_from_prose_and_other_numbers_are_not() {
        let matcher = Matcher::built_in().unwrap();
        for (text, limits) in [
            ("Lunch for over-60s", vec![(Some(60), None)]),
            ("people of 65 or over who fell", vec![(Some(65), None)]),
            ("older people (55+) in Leeds", vec![(Some(55), None)]),
            ("somebody aged between 16 and 25", vec![(Some(16), Some(25))]),
            ("16 to 24 and not in work?", vec![(Some(16), Some(24))]),
            ("children & young people aged 8\u{2013}17", vec![]),
            ("For 10 to 17 year olds", vec![(Some(10), Some(17))]),
            ("for over 18's on low income", vec![(Some(18), None)]),
            ("Under 25s welcome", vec![(None, Some(24))]),
            ("Open 10-12, over 700 books, bus 16, over 30 minutes, £18", vec![]),
            ("families with a child under 5", vec![]),
            ("Sorry, we can't see under-18s", vec![(Some(18), None)]),
            ("for adults 18 years and over", vec![(Some(18), None)]),
        ] {
            let words = tokens(text);
            let said = said(&Text { text, tokens: &words }, &matcher.mapping.services);
            let read: Vec<_> = said.iter().map(|s| (s.min, s.max)).collect();
            assert_eq!(read, limits, "{text}");
        }
    }
}
