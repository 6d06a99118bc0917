//! Which needs a referral speaks of, the main one first, each with the words that show it.
//!
//! Codes and words count; what the person *asks for* counts most; what is not wanted, already had, sorted or long past
//! does not. A second need is read only where it is asked for outright: a machine must not add wishes.

use super::{
    Evidence,
    mapping::{Mapping, Mark, Reading, Strength},
    words::{Hit, Phrases, Text},
};
use crate::{
    directory::words::{Gap, Token, tokens},
    referral::{Referral, content::ReasonFrom},
};

/// How far a "not" reaches, in words.
const REACH: usize = 7;
/// How far a "… sorted" reaches back.
const REACH_BACK: usize = 4;
/// Below this no need was read.
const FLOOR: f32 = 1.3;
/// A second need must be asked for about as plainly as the first.
const SECOND: f32 = 0.55;
const SECOND_FLOOR: f32 = 3.6;

/// A need that was read.
#[derive(Clone, Debug)]
pub(super) struct ReadNeed {
    pub need: usize,
    pub score: f32,
    /// The person asks for it.
    pub asked: bool,
    pub shown_by: Vec<Evidence>,
}

/// How each word of a text is to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// It stands in a sentence that asks for something.
    pub asked: bool,
    /// Something before or after it takes it away: the first and last word of that.
    pub denied: Option<(usize, usize)>,
    /// Long ago, or a doctor's history.
    pub past: bool,
}

/// Reads how each word is to be taken.
pub(super) fn taken(text: &Text<'_>, reading: &Reading) -> Vec<Taken> {
    let mut taken = vec![Taken::default(); text.tokens.len()];
    let turns: Vec<usize> = starts(&reading.turn, text.tokens);
    let keeps = reading.keep.scan(text.tokens);
    let kept = |h: &Hit<'_, ()>| keeps.iter().any(|k| k.first <= h.first && h.last <= k.last.max(k.first));
    for hit in reading.not_before.scan(text.tokens) {
        if kept(&hit) {
            continue;
        }
        for i in hit.last + 1..=hit.last + REACH {
            let Some(word) = text.tokens.get(i) else { break };
            // A comma ends the reach unless a list goes on ("no damp, arrears").
            if word.gap >= Gap::Comma || turns.contains(&i) {
                break;
            }
            if let Some(t) = taken.get_mut(i) {
                t.denied = Some((hit.first, hit.last));
            }
        }
    }
    for hit in reading.not_after.scan(text.tokens) {
        for back in 1..=REACH_BACK {
            let Some(i) = hit.first.checked_sub(back) else { break };
            let broken = text.tokens.get(i + 1).is_none_or(|t| t.gap >= Gap::Comma);
            if broken || turns.contains(&i) {
                break;
            }
            if let Some(t) = taken.get_mut(i) {
                t.denied.get_or_insert((hit.first, hit.last));
            }
        }
    }
    for hit in reading.past.scan(text.tokens) {
        for i in hit.first..=hit.last + 5 {
            if i > hit.first && text.tokens.get(i).is_none_or(|t| t.gap >= Gap::Comma) {
                break;
            }
            if let Some(t) = taken.get_mut(i) {
                t.past = true;
            }
        }
    }
    for hit in reading.want.scan(text.tokens) {
        let denied = taken.get(hit.first).and_then(|t| t.denied);
        if denied.is_some_and(|(a, z)| a < hit.first || z > hit.last) {
            continue;
        }
        let (first, last) = text.sentence(hit.first);
        // What is asked for may stand a few words before the asking ("food parcel please").
        for t in taken.iter_mut().take(last + 1).skip(first.max(hit.first.saturating_sub(4))) {
            t.asked = true;
        }
    }
    taken
}

fn starts(phrases: &Phrases<()>, tokens: &[Token]) -> Vec<usize> {
    phrases.scan(tokens).iter().map(|h| h.first).collect()
}

/// Whether something outside the hit takes it away.
pub(super) fn denied<T>(hit: &Hit<'_, T>, taken: &[Taken]) -> bool {
    (hit.first..=hit.last)
        .filter_map(|i| taken.get(i).and_then(|t| t.denied))
        .any(|(a, z)| z < hit.first || a > hit.last)
}

#[expect(clippy::cast_precision_loss, reason = "counts of words, far below 2^24")]
fn as_f32(n: usize) -> f32 {
    n as f32
}

#[derive(Default)]
struct Gathered {
    parts: Vec<f32>,
    asked: bool,
    strong: bool,
    shown_by: Vec<Evidence>,
}

/// A need that a safety matter brings with it, put before all others.
pub(super) fn put_first(mapping: &Mapping, needs: &mut Vec<ReadNeed>, code: &str, evidence: Evidence) {
    let Some(need) = mapping.needs.iter().position(|n| n.code.as_str() == code) else { return };
    let known = needs.iter().position(|n| n.need == need);
    let first = match known {
        Some(at) => needs.remove(at),
        None => ReadNeed { need, score: FLOOR, asked: false, shown_by: vec![evidence] },
    };
    needs.insert(0, first);
}

/// The needs, the main one first; empty where none is clear.
pub(super) fn read(mapping: &Mapping, referral: &Referral) -> Vec<ReadNeed> {
    let mut gathered: Vec<Gathered> = mapping.needs.iter().map(|_| Gathered::default()).collect();
    for reason in &referral.reasons {
        let words = tokens(&reason.text);
        let text = Text { text: &reason.text, tokens: &words };
        let marks = reason.code.as_ref().and_then(|c| mapping.snomed.get(c)).map_or(&[][..], Vec::as_slice);
        for mark in marks {
            let rule = reason.code.as_ref().map(|c| format!("SNOMED CT {}", c.as_str())).unwrap_or_default();
            note(&mut gathered, mark, mark.weight, false, Evidence { quote: reason.text.trim().to_owned(), rule });
        }
        let label = matches!(reason.from, ReasonFrom::ReasonCode | ReasonFrom::Condition);
        if label && !marks.is_empty() {
            continue;
        }
        let taken = taken(&text, &mapping.reading);
        for hit in mapping.asked.scan(&words) {
            if denied(&hit, &taken) {
                continue;
            }
            let at = taken.get(hit.first).copied().unwrap_or_default();
            let factor = if at.asked { 2.0 } else { 1.0 } * if at.past && !at.asked { 0.3 } else { 1.0 };
            // What is asked for first usually matters most.
            let late = as_f32(hit.first) / as_f32(words.len().max(1));
            let factor = if label { 0.6 } else { factor * (1.0 - 0.12 * late) };
            let evidence = Evidence {
                quote: text.quote(hit.first, hit.last).to_owned(),
                rule: mapping.needs.get(hit.value.need).map(|n| n.code.to_string()).unwrap_or_default(),
            };
            note(&mut gathered, hit.value, hit.value.weight * factor, at.asked, evidence);
        }
    }
    settle(gathered)
}

fn note(gathered: &mut [Gathered], mark: &Mark, part: f32, asked: bool, evidence: Evidence) {
    let Some(of) = gathered.get_mut(mark.need) else { return };
    // The same words found by a shorter and a longer phrase count once, as the stronger.
    if let Some(i) = of.shown_by.iter().position(|e| e.quote == evidence.quote) {
        if let Some(known) = of.parts.get_mut(i) {
            *known = known.max(part);
        }
    } else {
        of.parts.push(part);
        of.shown_by.push(evidence);
    }
    of.asked |= asked && mark.strength > Strength::Hint;
    of.strong |= mark.strength == Strength::Strong;
}

fn settle(gathered: Vec<Gathered>) -> Vec<ReadNeed> {
    let mut read: Vec<(ReadNeed, bool)> = gathered
        .into_iter()
        .enumerate()
        .filter(|(_, g)| !g.parts.is_empty())
        .map(|(need, g)| {
            let mut pairs: Vec<(f32, Evidence)> = g.parts.into_iter().zip(g.shown_by).collect();
            pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
            let fading = [1.0, 0.6, 0.4, 0.25, 0.15];
            let score = pairs.iter().zip(fading).map(|((part, _), f)| part * f).sum();
            let shown_by = pairs.into_iter().take(5).map(|(_, e)| e).collect();
            (ReadNeed { need, score, asked: g.asked, shown_by }, g.strong)
        })
        .filter(|(n, strong)| n.score >= FLOOR && (n.asked || *strong || n.score >= FLOOR * 1.4))
        .collect();
    read.sort_by(|a, b| b.0.score.total_cmp(&a.0.score).then(a.0.need.cmp(&b.0.need)));
    let main = read.first().map_or(0.0, |(n, _)| n.score);
    let second =
        |(n, strong): &(ReadNeed, bool)| n.asked && *strong && n.score >= SECOND_FLOOR && n.score >= main * SECOND;
    let first = read.first().map(|(n, _)| n.clone());
    first.into_iter().chain(read.iter().skip(1).filter(|r| second(r)).take(2).map(|(n, _)| n.clone())).collect()
}
