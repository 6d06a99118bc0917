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

fn at(text: &Text<'_>, i: usize) -> Option<AgeSaid> {
    let word = |k: usize| text.tokens.get(k).map(|t| t.of(text.text).to_lowercase()).unwrap_or_default();
    let before = |n: usize| i.checked_sub(n).map(word).unwrap_or_default();
    let (number, plural) = number(&word(i))?;
    if !(5..=100).contains(&number) || is_money(text, i) {
        return None;
    }
    let after = [word(i + 1), word(i + 2), word(i + 3)];
    let [a, b, c] = [after[0].as_str(), after[1].as_str(), after[2].as_str()];
    let over = |last: usize, first: usize| Some(AgeSaid { min: Some(number), max: None, first, last });
    // 16 to 25, 16-25, between 16 and 25
    let joined = text.tokens.get(i + 1).map(|t| between(text, i, t));
    let range = match (a, joined) {
        ("to" | "until" | "and", _) => second(&word(i + 2)).map(|m| (m, i + 2)),
        (_, Some(true)) => second(a).map(|m| (m, i + 1)),
        _ => None,
    };
    if let Some(((max, many), last)) = range
        && max > number
        && max <= 100
    {
        let close = [before(1), before(2), before(3)];
        let led = close.iter().any(|w| matches!(w.as_str(), "aged" | "age" | "ages" | "between" | "olds"));
        let next = word(last + 1);
        let years = matches!(next.as_str(), "year" | "years" | "yr" | "yrs" | "olds");
        let bare = a != "and" && (i == 0 || many || before(1) == "for" && number >= 10 && !clocklike(&next));
        if led || years || bare || (many && plural) {
            return Some(AgeSaid { min: Some(number), max: Some(max), first: i, last });
        }
        return None;
    }
    if text.tokens.get(i).is_some_and(|t| text.text.get(t.end as usize..).is_some_and(|r| r.starts_with('+'))) {
        return (number >= 10).then_some(AgeSaid { min: Some(number), max: None, first: i, last: i });
    }
    let upward = |x: &str| matches!(x, "over" | "older" | "above" | "upwards" | "up");
    match (a, b, c) {
        ("and" | "or", x, _) if upward(x) => return over(i + 2, i),
        ("plus", _, _) if number >= 10 => return over(i + 1, i),
        ("years" | "yrs", "and" | "or", x) if upward(x) => return over(i + 3, i),
        ("years", "of", "age") | ("years", "old", "or") => return over(i + 3, i),
        _ => {}
    }
    let unit = [
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
    ];
    let counted = unit.iter().any(|u| a.starts_with(u)) && !plural && !(a == "years" && b == "old");
    match before(1).as_str() {
        "over" | "above" if !counted && number >= 13 => {
            let who = matches!(
                before(2).as_str(),
                "aged"
                    | "people"
                    | "anyone"
                    | "anybody"
                    | "adults"
                    | "men"
                    | "women"
                    | "those"
                    | "for"
                    | "residents"
                    | "re"
                    | "youre"
                    | "you"
                    | "are"
                    | "is"
                    | "everyone"
                    | "the"
                    | "all"
                    | "of"
                    | "and"
                    | "age"
            );
            let ends = text.tokens.get(i + 1).is_none_or(|t| t.gap >= Gap::Comma);
            (plural || who || ends || matches!(a, "in" | "who" | "living" | "with")).then(|| AgeSaid {
                min: Some(number + u8::from(false)),
                max: None,
                first: i - 1,
                last: i,
            })
        }
        "of" if before(2) == "age" && before(4) == "over" => over(i, i - 4),
        "least" if matches!(a, "years" | "yrs") || before(2) == "at" && before(3) == "be" => over(i, i - 1),
        "be" if before(2) == "must" && number >= 13 => over(i, i - 2),
        "under"
            if number >= 13
                && (2..=5).any(|n| {
                    matches!(before(n).as_str(), "cant" | "can't" | "can\u{2019}t" | "cannot" | "not" | "no")
                }) =>
        {
            over(i, i - 1)
        }
        "under" if !counted && number >= 13 => {
            Some(AgeSaid { min: None, max: Some(number.saturating_sub(1)), first: i - 1, last: i })
        }
        "age" if before(2) == "to" && before(3) == "up" => {
            Some(AgeSaid { min: None, max: Some(number), first: i - 3, last: i })
        }
        _ => None,
    }
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

fn second(word: &str) -> Option<(u8, bool)> {
    number(word)
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
