//! Phrases of `mappings/` found in a text: a set of phrases is compiled once and scanned over the words of a referral
//! or of a service, giving each hit with the words it stands on.
//!
//! The notation: words in any form (`walks` finds *walking*), `=word` in this form only; `(a|b)` for one or the other,
//! an empty branch for "may be left out"; `~` for up to three other words between. A phrase never crosses the end of a sentence.

use crate::directory::words::{ByTerm, Gap, Term, Token, term, tokens};

/// How many words a `~` may stand for.
const SLACK: usize = 3;

/// A phrase of a mapping that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    /// A bracket without its pair.
    #[error("{0:?}: a bracket has no pair")]
    Bracket(String),
    /// Nothing but signs, or nothing at all where every bracket may be left out.
    #[error("{0:?}: there is no word in it")]
    Empty(String),
}

/// A text with its words, for scanning and quoting.
#[derive(Clone, Debug)]
pub struct Text<'t> {
    /// The text.
    pub text: &'t str,
    /// Its words.
    pub tokens: &'t [Token],
}

impl<'t> Text<'t> {
    /// The words from the `first` to the `last` token, as they stand in the text.
    pub fn quote(&self, first: usize, last: usize) -> &'t str {
        match (self.tokens.get(first), self.tokens.get(last)) {
            (Some(a), Some(b)) => self.text.get(a.start as usize..b.end as usize).unwrap_or(""),
            _ => "",
        }
    }

    /// The first and last token of the sentence that token `i` stands in.
    pub fn sentence(&self, i: usize) -> (usize, usize) {
        let starts = |k: usize| self.tokens.get(k).is_none_or(|t| t.gap == Gap::Stop);
        let first = (0..=i).rev().find(|&k| starts(k)).unwrap_or(0);
        let last = (i + 1..=self.tokens.len()).find(|&k| starts(k)).map_or(i, |k| k - 1);
        (first, last)
    }

    /// The sentence around a hit, cut to about `most` bytes on both sides at word boundaries.
    pub fn quote_around(&self, first: usize, last: usize, most: usize) -> &'t str {
        let (mut a, mut z) = (self.sentence(first).0, self.sentence(last).1);
        while a < first && self.quote(a, first).len() > most {
            a += 1;
        }
        while z > last && self.quote(last, z).len() > most {
            z -= 1;
        }
        self.quote(a, z)
    }
}

/// A phrase found in a text.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'p, T> {
    /// Its first token.
    pub first: usize,
    /// Its last token.
    pub last: usize,
    /// The phrase as the mapping writes it.
    pub phrase: &'p str,
    /// What the phrase stands for.
    pub value: &'p T,
}

/// A compiled set of phrases.
#[derive(Clone, Debug)]
pub struct Phrases<T> {
    /// By each word a phrase may begin with, in any form.
    by_stem: ByTerm<Vec<u32>>,
    /// The same for words in one form only.
    by_word: ByTerm<Vec<u32>>,
    compiled: Vec<Phrase<T>>,
}

#[derive(Clone, Debug)]
struct Phrase<T> {
    written: Box<str>,
    value: T,
    program: Vec<Op>,
}

/// A phrase as a small program over words.
#[derive(Clone, Debug)]
enum Op {
    /// A form of this word comes next.
    Word(Term),
    /// This very word comes next.
    Exactly(Term),
    /// Other words may come before the next.
    Slack,
    /// Goes on at any of these.
    Either(Vec<usize>),
    /// Goes on there.
    Jump(usize),
}

impl<T> Default for Phrases<T> {
    fn default() -> Self {
        Self { by_stem: ByTerm::default(), by_word: ByTerm::default(), compiled: Vec::new() }
    }
}

impl<T> Phrases<T> {
    /// Adds a phrase.
    pub fn add(&mut self, phrase: &str, value: T) -> Result<(), PhraseError> {
        let mut program = Vec::new();
        if !compile(phrase, &mut program) {
            return Err(PhraseError::Bracket(phrase.to_owned()));
        }
        let mut firsts = Vec::new();
        if !first_words(&program, 0, &mut firsts) || firsts.is_empty() {
            return Err(PhraseError::Empty(phrase.to_owned()));
        }
        firsts.sort_unstable();
        firsts.dedup();
        let number = u32::try_from(self.compiled.len()).unwrap_or(u32::MAX);
        for (first, exactly) in firsts {
            let map = if exactly { &mut self.by_word } else { &mut self.by_stem };
            map.entry(first).or_default().push(number);
        }
        self.compiled.push(Phrase { written: phrase.into(), value, program });
        Ok(())
    }

    /// A set of phrases that all stand for the same.
    pub fn of<S: AsRef<str>>(phrases: &[S], value: &T) -> Result<Self, PhraseError>
    where
        T: Clone,
    {
        let mut set = Self::default();
        for phrase in phrases {
            set.add(phrase.as_ref(), value.clone())?;
        }
        Ok(set)
    }

    /// Every phrase that stands in the words, in order, as long as it goes.
    pub fn scan<'p>(&'p self, tokens: &[Token]) -> Vec<Hit<'p, T>> {
        let mut hits = Vec::new();
        for (first, token) in tokens.iter().enumerate() {
            for &n in self.starting(token) {
                let Some(phrase) = self.compiled.get(n as usize) else { continue };
                if let Some(end) = follow(&phrase.program, 0, tokens, first, first, 0) {
                    hits.push(Hit { first, last: end - 1, phrase: &phrase.written, value: &phrase.value });
                }
            }
        }
        hits
    }

    fn starting(&self, token: &Token) -> impl Iterator<Item = &u32> {
        self.by_stem.get(&token.term).into_iter().chain(self.by_word.get(&token.exact)).flatten()
    }

    /// The first phrase that stands in the words.
    pub fn find<'p>(&'p self, tokens: &[Token]) -> Option<Hit<'p, T>> {
        tokens.iter().enumerate().find_map(|(first, token)| {
            self.starting(token).find_map(|&n| {
                let phrase = self.compiled.get(n as usize)?;
                let end = follow(&phrase.program, 0, tokens, first, first, 0)?;
                Some(Hit { first, last: end - 1, phrase: &phrase.written, value: &phrase.value })
            })
        })
    }
}

/// Runs a program from the word at `at`; gives where the longest reading ends (one past its last word).
fn follow(program: &[Op], pc: usize, tokens: &[Token], start: usize, at: usize, slack: usize) -> Option<usize> {
    match program.get(pc) {
        None => (at > start).then_some(at),
        Some(Op::Slack) => follow(program, pc + 1, tokens, start, at, SLACK),
        Some(Op::Jump(to)) => follow(program, *to, tokens, start, at, slack),
        Some(Op::Either(ways)) => ways.iter().filter_map(|&w| follow(program, w, tokens, start, at, slack)).max(),
        Some(op @ (Op::Word(_) | Op::Exactly(_))) => {
            for next in at..=at + slack {
                let token = tokens.get(next)?;
                if next > start && token.gap == Gap::Stop {
                    return None;
                }
                let fits = match op {
                    Op::Word(term) => token.term == *term,
                    Op::Exactly(word) => token.exact == *word,
                    Op::Slack | Op::Either(_) | Op::Jump(_) => false,
                };
                if fits && let Some(end) = follow(program, pc + 1, tokens, start, next + 1, 0) {
                    return Some(end);
                }
            }
            None
        }
    }
}

/// Adds the program of a phrase; false where a bracket has no pair.
fn compile(phrase: &str, program: &mut Vec<Op>) -> bool {
    let Some(open) = phrase.find('(') else {
        plain(phrase, program);
        return !phrase.contains(')');
    };
    let Some((choices, close)) = choices(phrase, open) else { return false };
    if phrase[..open].contains(')') {
        return false;
    }
    plain(&phrase[..open], program);
    let fork = program.len();
    program.push(Op::Either(Vec::new()));
    let (mut ways, mut ends) = (Vec::new(), Vec::new());
    for choice in choices {
        ways.push(program.len());
        if !compile(choice, program) {
            return false;
        }
        ends.push(program.len());
        program.push(Op::Jump(0));
    }
    let after = program.len();
    for end in ends {
        program[end] = Op::Jump(after);
    }
    program[fork] = Op::Either(ways);
    compile(&phrase[close + 1..], program)
}

/// The choices within the bracket that opens at `open`, and where it closes.
fn choices(phrase: &str, open: usize) -> Option<(Vec<&str>, usize)> {
    let (mut depth, mut from) = (0usize, open + 1);
    let mut choices = Vec::new();
    for (at, c) in phrase.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 1 => {
                choices.push(&phrase[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            choices.push(&phrase[from..at]);
            return Some((choices, at));
        }
    }
    None
}

fn plain(words: &str, program: &mut Vec<Op>) {
    for (i, part) in words.split('~').enumerate() {
        if i > 0 {
            program.push(Op::Slack);
        }
        program.extend(tokens(part).iter().map(|t| {
            let exactly = part[..t.start as usize].ends_with('=');
            if exactly { Op::Exactly(t.exact) } else { Op::Word(t.term) }
        }));
    }
}

/// The words a program may begin with; false where it may be over before any word.
fn first_words(program: &[Op], pc: usize, firsts: &mut Vec<(Term, bool)>) -> bool {
    match program.get(pc) {
        None => false,
        Some(Op::Slack) => first_words(program, pc + 1, firsts),
        Some(Op::Jump(to)) => first_words(program, *to, firsts),
        Some(Op::Either(ways)) => ways.iter().all(|&w| first_words(program, w, firsts)),
        Some(Op::Word(term)) => {
            firsts.push((*term, false));
            true
        }
        Some(Op::Exactly(word)) => {
            firsts.push((*word, true));
            true
        }
    }
}

/// The words of a phrase, for a query of the word index.
pub(super) fn query_terms(phrase: &str) -> Vec<Term> {
    let plain: String = phrase.chars().map(|c| if "()|~=".contains(c) { ' ' } else { c }).collect();
    plain.split_whitespace().map(term).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(phrase: &str, text: &str) -> Option<String> {
        let set = Phrases::of(&[phrase], &()).unwrap();
        let words = tokens(text);
        let hit = set.find(&words)?;
        Some(Text { text, tokens: &words }.quote(hit.first, hit.last).to_owned())
    }

    #[test]
    fn a_phrase_is_found_in_any_form_and_quoted_as_written() {
        for (phrase, text, quote) in [
            ("walking group", "She misses her Walking-Groups.", Some("Walking-Groups")),
            ("(hit|punch) (her|him)", "He punched him", Some("punched him")),
            ("afraid of ~ partner", "afraid of her new partner", Some("afraid of her new partner")),
            ("not (been |)sleeping", "not sleeping", Some("not sleeping")),
            ("tai chi", "tai. Chi", None),
            ("debt", "no debit", None),
            ("=closed until", "close until", None),
            ("(is|are) =closed", "We are closed", Some("are closed")),
            ("(is|was (not|never)) here", "was never here", Some("was never here")),
        ] {
            assert_eq!(found(phrase, text).as_deref(), quote, "{phrase} in {text}");
        }
    }

    #[test]
    fn a_phrase_that_cannot_be_read_is_named() {
        for phrase in ["(a|b", "a)", "((a)", "~ -"] {
            assert!(Phrases::of(&[phrase], &()).is_err(), "{phrase}");
        }
    }

    #[test]
    fn a_quote_is_the_sentence_and_no_longer_than_asked() {
        let text = "First one. The group is closed until spring, sorry. Last.";
        let words = tokens(text);
        let text = Text { text, tokens: &words };
        let hit = Phrases::of(&["closed"], &()).unwrap().find(&words).map(|h| (h.first, h.last)).unwrap();
        assert_eq!(text.quote_around(hit.0, hit.1, 90), "The group is closed until spring, sorry");
        assert_eq!(text.quote_around(hit.0, hit.1, 15), "group is closed until");
    }
}
