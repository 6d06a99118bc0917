//! The word index of a directory: BM25 postings, built once, so that a match costs only the postings it touches.
//!
//! Okapi BM25 (k1 = 1.2, b = 0.75) over stems; a word in a service's name counts as three.

use super::{
    Service,
    words::{ByTerm, Term, Token, Vocabulary},
};

const K1: f32 = 1.2;
const B: f32 = 0.75;
const NAME_COUNTS: u16 = 3;

/// The words of one service, in one text: name, description, who may come, how to apply, waiting time, terms; a line
/// each. What is quoted from it stands literally in the service.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// The text.
    pub text: String,
    /// Its words.
    pub tokens: Vec<Token>,
    /// How many of the words, from the first, are the name.
    pub name_tokens: usize,
}

impl Document {
    fn of(service: &Service, vocabulary: &mut Vocabulary) -> Self {
        let mut text = service.name.clone();
        let name_end = text.len();
        let rest = [Some(&service.description), service.eligibility.as_ref(), service.application_process.as_ref()];
        for part in rest.into_iter().flatten().chain(service.wait_time.as_ref()).chain(&service.terms) {
            text.push('\n');
            text.push_str(part);
        }
        let tokens = vocabulary.tokens(&text);
        let name_tokens = tokens.iter().take_while(|t| t.start as usize <= name_end).count();
        Self { text, tokens, name_tokens }
    }
}

/// The index over all services of a directory, which are numbered from 0.
#[derive(Clone, Debug, Default)]
pub struct Index {
    documents: Vec<Document>,
    postings: ByTerm<Vec<(u32, u16)>>,
    /// `k1 * (1 - b + b * length / average)`, a service each.
    norms: Vec<f32>,
}

impl Index {
    /// Reads every service once.
    pub fn build(services: &[Service]) -> Self {
        let mut vocabulary = Vocabulary::default();
        let documents: Vec<Document> = services.iter().map(|s| Document::of(s, &mut vocabulary)).collect();
        let mut postings: ByTerm<Vec<(u32, u16)>> = ByTerm::default();
        let mut counts: ByTerm<u16> = ByTerm::default();
        for (number, document) in (0u32..).zip(&documents) {
            for (i, token) in document.tokens.iter().enumerate() {
                let by = if i < document.name_tokens { NAME_COUNTS } else { 1 };
                let count = counts.entry(token.term).or_default();
                *count = count.saturating_add(by);
            }
            for (term, count) in counts.drain() {
                postings.entry(term).or_default().push((number, count));
            }
        }
        postings.values_mut().for_each(Vec::shrink_to_fit);
        let lengths = documents.iter().map(|d| as_f32(d.tokens.len()));
        let average = (lengths.clone().sum::<f32>() / as_f32(documents.len().max(1))).max(1.0);
        let norms = lengths.map(|l| K1 * (1.0 - B + B * l / average)).collect();
        Self { documents, postings, norms }
    }

    /// The words of one service.
    pub fn document(&self, number: u32) -> Option<&Document> {
        self.documents.get(number as usize)
    }

    /// How many services.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// No service at all.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// In how many services a word occurs.
    pub fn frequency(&self, term: Term) -> usize {
        self.postings.get(&term).map_or(0, Vec::len)
    }

    /// BM25 of every service that has one of the query's words, each word with its weight; best first, ties in the
    /// directory's order.
    pub fn rank(&self, query: &[(Term, f32)], depth: usize) -> Vec<(u32, f32)> {
        let mut scores = vec![0f32; self.documents.len()];
        let mut touched: Vec<u32> = Vec::new();
        let total = as_f32(self.documents.len());
        for &(term, weight) in query {
            let Some(list) = self.postings.get(&term) else { continue };
            let df = as_f32(list.len());
            let idf = (1.0 + (total - df + 0.5) / (df + 0.5)).ln();
            for &(number, count) in list {
                let (Some(score), Some(norm)) = (scores.get_mut(number as usize), self.norms.get(number as usize))
                else {
                    continue;
                };
                if *score == 0.0 {
                    touched.push(number);
                }
                let tf = f32::from(count);
                *score += weight * idf * tf * (K1 + 1.0) / (tf + norm);
            }
        }
        let score = |n: u32| scores.get(n as usize).copied().unwrap_or(0.0);
        let mut ranked: Vec<(u32, f32)> = touched.into_iter().map(|n| (n, score(n))).collect();
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if ranked.len() > depth && depth > 0 {
            ranked.select_nth_unstable_by(depth - 1, order);
            ranked.truncate(depth);
        }
        ranked.sort_unstable_by(order);
        ranked
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words and services, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::words::term;

    fn service(name: &str, description: &str) -> Service {
        Service { id: name.into(), name: name.to_owned(), description: description.to_owned(), ..Service::default() }
    }

    #[test]
    fn a_rare_word_in_the_name_wins_over_a_common_one_in_a_long_text() {
        let index = Index::build(&[
            service("Coffee morning", "Come for a chat and a walk in the park with friends"),
            service("Tai Chi", "Gentle movement, come along"),
            service("Choir", "Sing with friends, come along"),
        ]);
        let ranked = index.rank(&[(term("tai"), 1.0), (term("come"), 1.0)], 10);
        assert_eq!(ranked[0].0, 1);
        assert_eq!(ranked.len(), 3);
        assert_eq!(index.rank(&[(term("come"), 1.0)], 2).len(), 2);
    }

    #[test]
    fn unknown_words_and_an_empty_directory_find_nothing() {
        assert!(Index::build(&[]).rank(&[(term("walk"), 1.0)], 5).is_empty());
        assert!(Index::build(&[service("A", "b")]).rank(&[(term("zzz"), 1.0)], 5).is_empty());
    }
}
