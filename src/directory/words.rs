//! Words as matching compares them: lower case, apostrophes gone, stemmed, each with its place in the text.
//!
//! One tokeniser for both sides, referrals and services, so that a phrase of `mappings/` means the same in either.
//! A token remembers where it stood, so that a rule can quote the very words that earned it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;

/// A stem or a word, as a 32-bit FNV-1a hash: small, comparable across directories, the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(u32);

/// What is kept for each of many terms.
pub type ByTerm<V> = HashMap<Term, V, BuildHasherDefault<Spread>>;

/// Hashes a [`Term`], which is a hash already: only its bits are spread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, part: u32) {
        self.0 = (self.0 ^ u64::from(part)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}

/// What stands between a token and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Spaces, hyphens, brackets.
    Space,
    /// A comma, a dash, a colon: another clause.
    Comma,
    /// The end of a sentence or of a line; also before the first token.
    Stop,
}

/// One word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its stem.
    pub term: Term,
    /// The word itself, lower case, apostrophes gone.
    pub exact: Term,
    /// Where it begins, in bytes.
    pub start: u32,
    /// Where it ends, in bytes.
    pub end: u32,
    /// What stands before it.
    pub gap: Gap,
}

impl Token {
    /// The word as it is written in the text it came from.
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// A text as its reader sees it: nothing invisible inside words, letters of other widths and styles as the plain ones.
/// Where something invisible stood, a second form has a space in its place: it may have parted two words.
pub fn as_seen(text: &str) -> Vec<Cow<'_, str>> {
    if text.is_ascii() {
        return vec![Cow::Borrowed(text)];
    }
    let plain = |part: &str| part.chars().flat_map(plain_letter).nfc().collect::<String>();
    let mut forms = vec![Cow::Owned(plain(&text.replace(is_invisible, "")))];
    if text.contains(is_invisible) {
        forms.push(Cow::Owned(plain(&text.replace(is_invisible, " "))));
    }
    forms
}

/// Format characters (Unicode's Cf) and others that no reader sees.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}'
        | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A letter or digit of another width or style as the plain one; full-width signs too. Everything else as it is, so that
/// what parts sentences still does.
fn plain_letter(c: char) -> impl Iterator<Item = char> {
    let is_wide = matches!(c, '\u{3000}' | '\u{ff01}'..='\u{ff5e}');
    let folds = is_wide || (c.is_alphanumeric() && c.nfkc().all(char::is_alphanumeric));
    let (plain, same) = if folds { (Some(c.nfkc()), None) } else { (None, Some(c)) };
    plain.into_iter().flatten().chain(same)
}

/// The stem of one word, as [`tokens`] would give it.
pub fn term(word: &str) -> Term {
    tokens(word).first().map_or(Term(0), |t| t.term)
}

/// All words of a text, in order. `d/c` and `w/d` stay one word, as doctors write them; `3+` is the word `3`.
pub fn tokens(text: &str) -> Vec<Token> {
    let stemmer = Stemmer::create(Algorithm::English);
    split(text, |word| Term(hash(&stemmer.stem(word))))
}

/// Reads many texts: a word's stem, costly to find, is found once.
#[derive(Debug, Default)]
pub struct Vocabulary {
    stems: HashMap<Box<str>, Term>,
}

impl Vocabulary {
    /// As [`tokens`], in no more memory than they need.
    pub fn tokens(&mut self, text: &str) -> Vec<Token> {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut found = split(text, |word| {
            self.stems.get(word).copied().unwrap_or_else(|| {
                let stem = Term(hash(&stemmer.stem(word)));
                self.stems.insert(word.into(), stem);
                stem
            })
        });
        found.shrink_to_fit();
        found
    }
}

fn split(text: &str, mut stem: impl FnMut(&str) -> Term) -> Vec<Token> {
    let mut found = Vec::with_capacity(text.len() / 6);
    let mut gap = Gap::Stop;
    let mut word = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if !c.is_alphanumeric() {
            gap = gap.max(gap_of(c, text, start));
            continue;
        }
        word.clear();
        word.extend(c.to_lowercase());
        let mut end = start + c.len_utf8();
        while let Some(&(at, next)) = chars.peek() {
            let part = next.is_alphanumeric() || is_inner(text, start, at, next);
            if !part {
                break;
            }
            if next.is_alphanumeric() || next == '/' {
                word.extend(next.to_lowercase());
            }
            end = at + next.len_utf8();
            chars.next();
        }
        found.push(Token { term: stem(&word), exact: Term(hash(&word)), start: offset(start), end: offset(end), gap });
        gap = Gap::Space;
    }
    found
}

/// An apostrophe or a doctor's slash inside a word; a point inside a number.
fn is_inner(text: &str, start: usize, at: usize, c: char) -> bool {
    let letter = |o: Option<char>| o.is_some_and(char::is_alphabetic);
    let after = text[at + c.len_utf8()..].chars().next();
    match c {
        '\'' | '\u{2019}' => letter(after),
        '/' => {
            let before = &text[start..at];
            let second = text[at + 1..].chars().nth(1);
            before.len() <= 1 && letter(before.chars().next()) && letter(after) && !letter(second)
        }
        '.' => text[..at].ends_with(|d: char| d.is_ascii_digit()) && after.is_some_and(|d| d.is_ascii_digit()),
        _ => false,
    }
}

fn gap_of(c: char, text: &str, at: usize) -> Gap {
    match c {
        '.' | '!' | '?' | '\n' | ';' | '\u{2022}' | '|' => {
            // "e.g. this": a point inside an abbreviation is followed by a letter, not by a space.
            let next = text[at + c.len_utf8()..].chars().next();
            if c == '.' && next.is_some_and(char::is_alphanumeric) { Gap::Space } else { Gap::Stop }
        }
        ',' | ':' | '(' | ')' | '\u{2013}' | '\u{2014}' => Gap::Comma,
        '-' if text[..at].ends_with(' ') => Gap::Comma,
        _ => Gap::Space,
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        tokens(text).iter().map(|t| t.of(text)).collect()
    }

    #[test]
    fn words_are_split_as_doctors_and_charities_write_them() {
        assert_eq!(words("Pt d/c Fri, self-harm nil"), ["Pt", "d/c", "Fri", "self", "harm", "nil"]);
        assert_eq!(words("gas/elec £2.50 doesn\u{2019}t"), ["gas", "elec", "2.50", "doesn\u{2019}t"]);
    }

    #[test]
    fn a_text_is_read_as_it_is_seen_whatever_letters_and_invisible_signs_it_is_made_of() {
        for (written, seen) in [
            ("sui\u{200b}cidal", &["suicidal", "sui cidal"][..]),
            ("h\u{ad}its\u{feff}her", &["hitsher", "h its her"]),
            ("\u{ff53}\u{ff55}\u{ff49}\u{ff0c}\u{3000}\u{1d412}\u{1d408}", &["sui, SI"]),
            ("sel\u{fb01}sh cafe\u{301}", &["selfish caf\u{e9}"]),
            ("about \u{bd} an hour\u{2026} she\u{2019}s fine", &["about \u{bd} an hour\u{2026} she\u{2019}s fine"]),
            ("plain", &["plain"]),
        ] {
            assert_eq!(as_seen(written), seen, "{written:?}");
        }
    }

    #[test]
    fn forms_of_a_word_are_the_same_term() {
        assert_eq!(term("walks"), term("Walking"));
        assert_eq!(term("doesn't"), term("doesnt"));
        assert_ne!(term("walk"), term("work"));
    }

    #[test]
    fn a_vocabulary_reads_as_everybody_does() {
        let mut vocabulary = Vocabulary::default();
        for text in ["Walks, walking and WALKED: a walk on St John's Way.", "A walk d/c 2.50, doesn\u{2019}t", ""] {
            assert_eq!(vocabulary.tokens(text), tokens(text));
        }
    }

    #[test]
    fn a_full_stop_ends_a_sentence_and_an_abbreviation_does_not() {
        let gaps: Vec<Gap> = tokens("No SI. Lonely, e.g. weekends").iter().map(|t| t.gap).collect();
        assert_eq!(gaps[2], Gap::Stop);
        assert_eq!(gaps[3], Gap::Comma);
        assert_eq!(gaps[4], Gap::Space);
    }
}
