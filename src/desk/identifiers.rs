//! Whether words for a partner would tell who the person is. Before acceptance a partner learns nothing that identifies
//! anybody, so that what a coordinator writes is checked against this patient's record, and for the shapes of numbers
//! and addresses in general. Pure.

use jiff::civil::Date;

use crate::referral::{NhsNumber, Patient};

/// Names that are common English words too: they count only with a capital.
const ALSO_WORDS: [&str; 24] = [
    "will", "may", "mark", "grace", "joy", "hope", "rose", "bill", "jack", "faith", "dawn", "april", "june", "august",
    "young", "brown", "white", "long", "day", "wood", "hill", "best", "small", "field",
];
const TITLES: [&str; 8] = ["mr", "mrs", "ms", "miss", "mx", "dr", "rev", "sir"];
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// What in `words` would identify the patient, said so that the writer can take it out; empty is good.
pub fn found(words: &str, patient: &Patient) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut note = |is_there: bool, what: &'static str| {
        if is_there {
            found.push(what);
        }
    };
    note(names(words, patient), "the person’s name, or a part of it");
    let runs = digit_runs(words);
    note(runs.iter().any(|run| NhsNumber::parse(run).is_ok()), "an NHS number");
    note(telephone(&runs, patient), "a telephone number");
    note(words.contains('@'), "an email address");
    note(postcode(words, patient), "a postcode");
    note(patient.birth_date.is_some_and(|born| date(words, born)), "the date of birth");
    note(address(words, patient), "the person’s address");
    found
}

fn tokens(words: &str) -> impl Iterator<Item = &str> {
    words.split(|c: char| !c.is_alphanumeric()).filter(|token| !token.is_empty())
}

fn names(words: &str, patient: &Patient) -> bool {
    let name = patient.name.as_deref().unwrap_or("");
    let parts: Vec<String> = tokens(name)
        .map(str::to_lowercase)
        .filter(|part| part.chars().count() > 1 && !TITLES.contains(&part.as_str()))
        .collect();
    tokens(words).any(|token| {
        let lower = token.to_lowercase();
        let capital = token.chars().next().is_some_and(char::is_uppercase);
        parts.contains(&lower) && (capital || !ALSO_WORDS.contains(&lower.as_str()))
    })
}

/// Digits that belong together: only spaces, hyphens, dots, brackets and a plus may stand between them.
fn digit_runs(words: &str) -> Vec<String> {
    let mut runs = vec![String::new()];
    for c in words.chars() {
        match (c, runs.last_mut()) {
            (c, Some(run)) if c.is_ascii_digit() => run.push(c),
            (' ' | '-' | '.' | '(' | ')' | '+' | '\u{a0}', _) => {}
            (_, Some(run)) if !run.is_empty() => runs.push(String::new()),
            _ => {}
        }
    }
    runs
}

fn telephone(runs: &[String], patient: &Patient) -> bool {
    let last_nine = |digits: &str| digits.len() >= 9 && digits.is_ascii();
    let known: Vec<String> = patient
        .contacts
        .iter()
        .map(|c| c.value.chars().filter(char::is_ascii_digit).collect::<String>())
        .filter(|digits| last_nine(digits))
        .map(|digits| digits[digits.len() - 9..].to_owned())
        .collect();
    runs.iter().any(|run| {
        let shaped = (10..=13).contains(&run.len()) && (run.starts_with('0') || run.starts_with("44"));
        shaped || known.iter().any(|nine| run.contains(nine.as_str()))
    })
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

fn postcode(words: &str, patient: &Patient) -> bool {
    let own = patient.address.as_ref().and_then(|a| a.postcode.as_deref()).map(squeezed).unwrap_or_default();
    if own.len() >= 5 && squeezed(words).contains(&own) {
        return true;
    }
    let all: Vec<String> = tokens(words).map(str::to_uppercase).collect();
    let pair = all.windows(2).any(|two| is_outward(&two[0]) && is_inward(&two[1]));
    let whole = all.iter().any(|token| {
        token.is_ascii()
            && token.len() > 4
            && is_outward(&token[..token.len() - 3])
            && is_inward(&token[token.len() - 3..])
    });
    pair || whole
}

/// `LS6`, `M1`, `EC1A`.
fn is_outward(token: &str) -> bool {
    let letters = token.bytes().take_while(u8::is_ascii_uppercase).count();
    let rest = &token.as_bytes()[letters..];
    (1..=2).contains(&letters)
        && (1..=2).contains(&rest.len())
        && rest[0].is_ascii_digit()
        && rest.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
}

/// `2AB`.
fn is_inward(token: &str) -> bool {
    let bytes = token.as_bytes();
    bytes.len() == 3 && bytes[0].is_ascii_digit() && bytes[1..].iter().all(u8::is_ascii_uppercase)
}

fn date(words: &str, born: Date) -> bool {
    let parts: Vec<Option<i64>> = tokens(words).map(number_or_month).collect();
    let (d, m, y) = (i64::from(born.day()), i64::from(born.month()) + 100, i64::from(born.year()));
    let is = |part: Option<i64>, wanted: i64| {
        part.is_some_and(|n| n == wanted || (wanted > 1000 && n == wanted % 100) || (wanted > 100 && n == wanted - 100))
    };
    let year_first = parts.windows(3).any(|p| is(p[0], y) && is(p[1], m) && is(p[2], d));
    let day_first = parts.windows(3).any(|p| is(p[0], d) && is(p[1], m) && is(p[2], y));
    let month_first = parts.windows(3).any(|p| is(p[0], m) && is(p[1], d) && is(p[2], y));
    // "6 of January, 1942" has a word between.
    let with_of = parts.windows(4).any(|p| is(p[0], d) && p[1].is_none() && is(p[2], m) && is(p[3], y));
    year_first || day_first || month_first || with_of
}

/// A number, an ordinal (`6th`), or a month as its number and a hundred, so that `1` is never mistaken for January here.
fn number_or_month(token: &str) -> Option<i64> {
    let lower = token.to_lowercase();
    if let Ok(number) = lower.parse() {
        return Some(number);
    }
    let digits: String = lower.chars().take_while(char::is_ascii_digit).collect();
    if !digits.is_empty() && matches!(&lower[digits.len()..], "st" | "nd" | "rd" | "th") {
        return digits.parse().ok();
    }
    let month = MONTHS.iter().position(|m| lower.starts_with(m) && lower.chars().all(char::is_alphabetic))?;
    i64::try_from(month + 101).ok()
}

/// A line of an address without the number before it.
fn street(line: &str) -> String {
    let after_number = |at: usize| line[at..].find(' ').map(|space| at + space);
    let from = line.rfind(|c: char| c.is_ascii_digit()).and_then(after_number).unwrap_or(0);
    squeezed(&line[from..])
}

fn address(words: &str, patient: &Patient) -> bool {
    let squeezed_words = squeezed(words);
    let lines = patient.address.iter().flat_map(|a| &a.lines);
    // The street alone tells enough: "14 Chapel Lane", "Flat 2b, 14 Chapel Lane" and "Chapel Lane" are one.
    lines
        .flat_map(|line| line.split(','))
        .map(street)
        .any(|street| street.chars().count() >= 7 && squeezed_words.contains(&street))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::referral;

    fn patient() -> Patient {
        Patient { name: Some("Mrs Fatima May Osei-Hall".to_owned()), ..referral().patient }
    }

    #[test]
    fn words_that_would_tell_who_it_is_are_found() {
        for (words, what) in [
            ("Please ask for Fatima.", "name"),
            ("fatima's daughter", "name"),
            ("Mrs OSEI likes tea", "name"),
            ("May is shy", "name"),
            ("999 030 0127", "NHS number"),
            ("her number is 9990300127.", "NHS number"),
            ("ring 0113 496 0123", "telephone"),
            ("on +44 113 496 0123", "telephone"),
            ("my mobile: 07700 900123", "telephone"),
            ("write to f.osei@mail.example", "email"),
            ("lives in LS63BN", "postcode"),
            ("lives in ls6 3bn", "postcode"),
            ("near M1 1AE", "postcode"),
            ("born 06/01/1942", "date of birth"),
            ("born 6.1.42", "date of birth"),
            ("born 1942-01-06", "date of birth"),
            ("born 6th January 1942", "date of birth"),
            ("born on the 6th of Jan 1942", "date of birth"),
            ("at 14, chapel lane", "address"),
            ("the house with the red door in Chapel Lane", "address"),
        ] {
            let found = found(words, &patient());
            assert!(found.iter().any(|f| f.contains(what)), "{words}: {found:?}");
        }
    }

    #[test]
    fn ordinary_words_may_go() {
        for words in [
            "",
            "She may need a quiet room, and a lift.",
            "Please ring our office first; Tuesdays 10 to 12 are best.",
            "Uses a wheelchair. 2 or 3 short visits in January.",
            "Speaks Twi; an interpreter comes along.",
            "We hope for a start by 6/1 if you can.",
        ] {
            assert_eq!(found(words, &patient()), Vec::<&str>::new(), "{words}");
        }
    }
}
