//! Whether the words are about the person of the record: age, sex and NHS number as the note gives them.
//!
//! A note that opens "84F" on the record of a man of thirty was filed under the wrong patient, or the record is wrong;
//! either way a person looks. Only words that plainly speak of the patient are compared.

use jiff::civil::Date;

use super::{Evidence, Finding, SafetyKind, words::Text};
use crate::{
    directory::words::{Gap, Token, tokens},
    referral::{
        NhsNumber, Patient, Referral,
        content::{Gender, ReasonFrom},
    },
};

/// Years by which a note may be out: a birthday near, a slip by one.
const SLIP: u8 = 1;

/// Contradictions between the note and the record.
pub(super) fn read(referral: &Referral, today: Date) -> Vec<Finding> {
    let notes = referral.reasons.iter().filter(|r| matches!(r.from, ReasonFrom::Note | ReasonFrom::Instruction));
    let mut findings = Vec::new();
    for note in notes {
        let words = tokens(&note.text);
        let text = Text { text: &note.text, tokens: &words };
        findings.extend(age_and_sex(&text, &referral.patient, today));
        findings.extend(pronouns(&text, &referral.patient));
        findings.extend(other_number(&note.text, &referral.patient));
    }
    findings
}

fn finding(kind: SafetyKind, quote: &str, rule: &str) -> Finding {
    Finding { kind, evidence: Evidence { quote: quote.to_owned(), rule: rule.to_owned() } }
}

/// "84F", "46 yo male", "72-year-old lady" at the start of a sentence, and "this gentleman".
fn age_and_sex(text: &Text<'_>, patient: &Patient, today: Date) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, token) in text.tokens.iter().enumerate() {
        let opens = (i.saturating_sub(3)..=i).any(|k| text.tokens.get(k).is_some_and(|t| t.gap == Gap::Stop))
            || text.tokens.get(i).is_some_and(|t| t.gap == Gap::Comma);
        let own = opens && !speaks_of_another(text, i);
        let Some(said) = said_at(text, i).filter(|_| own) else { continue };
        let quote = text.quote(i, said.last);
        if let (Some(age), Some(known)) = (said.age, patient.age_on(today))
            && age.abs_diff(known) > SLIP
        {
            findings.push(finding(SafetyKind::Contradiction, quote, "age differs from the record"));
        }
        if let (Some(gender), Some(known)) = (said.gender, patient.gender)
            && matches!(known, Gender::Female | Gender::Male)
            && gender != known
        {
            findings.push(finding(SafetyKind::Contradiction, quote, "sex differs from the record"));
        }
        // The first description is the patient's; later ones are family.
        if said.age.is_some() && token.start > 0 {
            break;
        }
        if said.age.is_some() {
            break;
        }
    }
    findings
}

struct Said {
    age: Option<u8>,
    gender: Option<Gender>,
    last: usize,
}

fn said_at(text: &Text<'_>, i: usize) -> Option<Said> {
    let word = |k: usize| text.tokens.get(k).map(|t| t.of(text.text).to_lowercase());
    let first = word(i)?;
    let digits: String = first.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() {
        let this = matches!(first.as_str(), "this" | "pleasant" | "lovely" | "delightful");
        let gender = noun(&word(i + 1)?)?;
        return this.then_some(Said { age: None, gender: Some(gender), last: i + 1 });
    }
    let age: u8 = digits.parse().ok().filter(|a| *a <= 115)?;
    let rest = &first[digits.len()..];
    match rest {
        "f" | "m" => Some(Said { age: Some(age), gender: letter(rest), last: i }),
        "yo" | "yr" | "yrs" | "y" | "" => {
            let mut k = i + 1;
            let mut years = !rest.is_empty();
            while let Some(w) = word(k) {
                let part = matches!(w.as_str(), "year" | "years" | "yr" | "yrs" | "y" | "yo" | "y/o" | "old" | "o");
                if !part {
                    break;
                }
                years = true;
                k += 1;
            }
            // An adjective may stand between: "72 year old retired lady".
            let gender = (k..k + 2).find_map(|k| word(k).and_then(|w| letter(&w).or_else(|| noun(&w)).map(|g| (g, k))));
            let (gender, last) = gender?;
            let short = last == k && letter(&word(k)?).is_some();
            (years || short).then_some(Said { age: Some(age), gender: Some(gender), last })
        }
        _ => None,
    }
}

fn letter(word: &str) -> Option<Gender> {
    match word {
        "f" | "female" => Some(Gender::Female),
        "m" | "male" => Some(Gender::Male),
        _ => None,
    }
}

fn noun(word: &str) -> Option<Gender> {
    match word {
        "lady" | "woman" | "female" | "widow" => Some(Gender::Female),
        "man" | "gentleman" | "male" | "gent" | "widower" | "chap" => Some(Gender::Male),
        _ => None,
    }
}

/// "son 14M", "her 11 year old": somebody else stands just before.
fn speaks_of_another(text: &Text<'_>, i: usize) -> bool {
    const OTHERS: [&str; 34] = [
        "son",
        "daughter",
        "dtr",
        "wife",
        "husband",
        "partner",
        "mum",
        "mother",
        "dad",
        "father",
        "brother",
        "sister",
        "her",
        "his",
        "their",
        "child",
        "children",
        "kids",
        "boy",
        "girl",
        "baby",
        "nephew",
        "niece",
        "friend",
        "neighbour",
        "carer",
        "mums",
        "grandson",
        "granddaughter",
        "with",
        "w",
        "to",
        "a",
        "for",
    ];
    let (first, _) = text.sentence(i);
    (first.max(i.saturating_sub(3))..i)
        .filter_map(|k| text.tokens.get(k))
        .any(|t| OTHERS.contains(&t.of(text.text).to_lowercase().as_str()))
}

/// All of the note's "he" on a woman's record, or "she" on a man's.
fn pronouns(text: &Text<'_>, patient: &Patient) -> Option<Finding> {
    let is = |t: &Token, words: &[&str]| words.contains(&t.of(text.text).to_lowercase().as_str());
    let (hers, his) = (["she", "her", "hers", "herself"], ["he", "him", "his", "himself"]);
    let (own, other) = match patient.gender? {
        Gender::Female => (hers, his),
        Gender::Male => (his, hers),
        Gender::Other | Gender::Unknown => return None,
    };
    if text.tokens.iter().any(|t| is(t, &own)) {
        return None;
    }
    // Subjects only: "his" may be a brother's.
    let subjects: Vec<&Token> = text.tokens.iter().filter(|t| is(t, &[other[0]])).collect();
    let opens = subjects.iter().any(|t| t.gap == Gap::Stop);
    let first = subjects.first()?;
    (subjects.len() >= 2 && opens)
        .then(|| finding(SafetyKind::Contradiction, first.of(text.text), "the note speaks of the other sex throughout"))
}

/// A valid NHS number in the words that is not the patient's.
fn other_number(text: &str, patient: &Patient) -> Option<Finding> {
    let own = patient.nhs_number.as_ref()?;
    let mut digits = String::new();
    let mut start = 0;
    for (at, c) in text.char_indices().chain([(text.len(), 'x')]) {
        if c.is_ascii_digit() {
            if digits.is_empty() {
                start = at;
            }
            digits.push(c);
        } else if !(matches!(c, ' ' | '-') && !digits.is_empty() && digits.len() < 10) {
            if let Ok(number) = NhsNumber::parse(&digits)
                && number != *own
            {
                let quote = text.get(start..at).unwrap_or("").trim();
                return Some(finding(SafetyKind::WrongPatient, quote, "another NHS number"));
            }
            digits.clear();
        }
    }
    None
}
