//! The GP's words with what the matcher read in them marked: where each quoted piece stands, and which rule read it.

use serde::Serialize;

/// A stretch of text; marked where a rule read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// The words.
    pub text: String,
    /// The rule that read them, for `title`.
    pub rule: Option<String>,
    /// A safety matter was read here.
    pub safety: bool,
}

/// A quote to look for.
#[derive(Clone, Debug)]
pub struct Quote<'a> {
    /// The very words.
    pub words: &'a str,
    /// What to say of them.
    pub rule: String,
    /// A safety matter.
    pub safety: bool,
}

/// Cuts a text into plain and marked stretches that give the text again when joined. Where quotes overlap, a safety
/// matter wins, then the one that begins first, then the longer one.
pub fn mark(text: &str, quotes: &[Quote<'_>]) -> Vec<Stretch> {
    let mut hits: Vec<(usize, usize, &Quote<'_>)> = Vec::new();
    for quote in quotes.iter().filter(|q| !q.words.trim().is_empty()) {
        hits.extend(text.match_indices(quote.words).map(|(at, words)| (at, at + words.len(), quote)));
    }
    hits.sort_by_key(|(from, to, quote)| (!quote.safety, *from, usize::MAX - *to));
    let mut kept: Vec<(usize, usize, &Quote<'_>)> = Vec::new();
    for hit in hits {
        if kept.iter().all(|(from, to, _)| hit.1 <= *from || hit.0 >= *to) {
            kept.push(hit);
        }
    }
    kept.sort_by_key(|(from, ..)| *from);
    let plain = |text: &str| Stretch { text: text.to_owned(), rule: None, safety: false };
    let mut stretches = Vec::new();
    let mut done = 0;
    for (from, to, quote) in kept {
        if from > done {
            stretches.push(plain(&text[done..from]));
        }
        stretches.push(Stretch {
            text: text[from..to].to_owned(),
            rule: Some(quote.rule.clone()),
            safety: quote.safety,
        });
        done = to;
    }
    if done < text.len() {
        stretches.push(plain(&text[done..]));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quote<'a>(words: &'a str, rule: &str, safety: bool) -> Quote<'a> {
        Quote { words, rule: rule.to_owned(), safety }
    }

    #[test]
    fn the_words_that_were_read_are_marked_and_nothing_is_lost() {
        let text = "Lonely since her husband died. Afraid of her son.";
        let marked = mark(text, &[quote("Lonely", "loneliness", false), quote("Afraid of her son", "abuse", true)]);
        let rules: Vec<_> = marked.iter().filter_map(|s| s.rule.as_deref()).collect();
        assert_eq!(rules, ["loneliness", "abuse"]);
        assert!(marked.iter().any(|s| s.safety && s.text == "Afraid of her son"));
    }

    #[test]
    fn a_safety_matter_wins_over_a_need_that_overlaps_it() {
        let marked =
            mark("hurts her money", &[quote("her money", "benefits", false), quote("hurts her", "abuse", true)]);
        assert_eq!(marked.iter().filter(|s| s.rule.is_some()).count(), 1);
        assert!(marked[0].safety);
    }

    proptest! {
        #[test]
        fn joined_again_the_stretches_are_the_text(text in "\\PC{0,40}", a in "\\PC{0,4}", b in "[a-e ]{1,3}") {
            let marked = mark(&text, &[quote(&a, "a", false), quote(&b, "b", true)]);
            prop_assert_eq!(marked.iter().map(|s| s.text.as_str()).collect::<String>(), text);
        }
    }
}
