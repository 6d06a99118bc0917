//! Words about contact in a GP's note, read as a [`SafeContact`] rule.
//!
//! "Ring his mobile not landline" is a rule that can be followed; "careful if you ring, he listens in" is not, and
//! makes the referral a person's to send. A daughter who rings daily, a telephone appointment or somebody to ring for a
//! chat are no rules at all. Pure. The reading errs towards a person where words contradict each other or hedge.

mod care;
mod directs;
mod forbids;
mod words;

use self::care::{disguised, hedged, kept_secret, overheard};
use self::directs::{only, preferred, safe, told};
use self::forbids::{forbidden, unsafe_way, without};
use self::words::{Means, Words, clauses, sentences};
use crate::referral::SafeContact;
use crate::referral::content::Gender;

/// What one clause says about contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Finding {
    nobody: bool,
    rule: bool,
    /// Somebody else may hear or read, or must not know; fine where a rule says what to do about it.
    overheard: bool,
    doubt: bool,
    only: Vec<Means>,
    banned: Vec<Means>,
    used: Vec<Means>,
    /// Every way that a rule speaks of and does not forbid.
    ways: Vec<Means>,
    /// Ways on which somebody else listens in or reads.
    watched: Vec<Means>,
}

impl Finding {
    fn says_something(&self) -> bool {
        self.nobody || self.rule || self.doubt || self.overheard
    }

    fn join(&mut self, other: Self) {
        self.nobody |= other.nobody;
        self.rule |= other.rule;
        self.overheard |= other.overheard;
        self.doubt |= other.doubt;
        self.only.extend(other.only);
        self.banned.extend(other.banned);
        self.used.extend(other.used);
        self.ways.extend(other.ways);
        self.watched.extend(other.watched);
    }

    /// The rules lead round whoever listens in: they forbid what is watched, or name a way that is not. An hour does
    /// not; nor does a telephone of which nobody says whose.
    fn goes_round(&self) -> bool {
        let forbidden = |m: &Means| self.banned.iter().any(|b| b.covers(*m));
        let is_safe = |way: &Means| *way != Means::Phone && !self.watched.iter().any(|w| w.goes_with(*way));
        (!self.watched.is_empty() && self.watched.iter().all(forbidden)) || self.ways.iter().any(is_safe)
    }

    /// One sentence allows what another forbids, or two ways are each the only one.
    fn contradicts_itself(&self) -> bool {
        let forbidden = |m: &Means| self.banned.iter().any(|b| b.covers(*m));
        let not_among = |m: &Means| !self.only.is_empty() && !self.only.iter().any(|o| o.goes_with(*m));
        self.only.iter().any(forbidden) || self.used.iter().any(|m| forbidden(m) || not_among(m))
    }
}

/// How the record's own preference stands in a rule.
const ON_THE_RECORD: &str = "Preferred contact method on the record:";

/// Reads what was written together with the record's structured preference: it adds to a rule in words and never
/// weakens one. Where the two say different things a person reads both.
pub(super) fn read_with_preference(texts: &[&str], gender: Option<Gender>, preference: Option<&str>) -> SafeContact {
    let (written, found) = judge(texts, gender);
    let Some(method) = preference else { return written };
    let preferred = Preferred::of(method);
    let both = |words: String| format!("{words} {ON_THE_RECORD} {method}");
    match written {
        SafeContact::Open => SafeContact::Only(format!("{ON_THE_RECORD} {method}")),
        SafeContact::Prohibited => SafeContact::Prohibited,
        SafeContact::Only(words) if preferred.agrees_with(&found) => SafeContact::Only(both(words)),
        SafeContact::Only(words) | SafeContact::Unclear(words) => SafeContact::Unclear(both(words)),
    }
}

/// What a preferred method allows and forbids ("No telephone contact" is one of NHS England's).
struct Preferred {
    ways: Vec<Means>,
    banned: Vec<Means>,
}

impl Preferred {
    fn of(method: &str) -> Self {
        let clauses = clauses(method);
        let banned: Vec<Means> = clauses.iter().filter_map(without).flat_map(|f| f.banned).collect();
        let ways = if banned.is_empty() { clauses.iter().flat_map(Words::means).collect() } else { Vec::new() };
        Self { ways, banned }
    }

    fn agrees_with(&self, words: &Finding) -> bool {
        let forbids = |banned: &[Means], way: &Means| banned.iter().any(|b| b.covers(*way));
        let known = !self.ways.is_empty() || !self.banned.is_empty();
        let among = |way: &Means| self.ways.is_empty() || self.ways.iter().any(|w| w.goes_with(*way));
        known
            && words.ways.iter().all(|way| among(way) && !forbids(&self.banned, way))
            && !self.ways.iter().any(|way| forbids(&words.banned, way))
    }
}

/// Reads everything that was written for the receiver. `gender` is the person's: "he collects the post" is about
/// somebody else only where the person is not a man.
fn judge(texts: &[&str], gender: Option<Gender>) -> (SafeContact, Finding) {
    let mut all = Finding::default();
    let mut quoted: Vec<&str> = Vec::new();
    for (sentence, asked) in texts.iter().flat_map(|t| sentences(t)) {
        let mut said = Finding::default();
        let parts = clauses(sentence);
        for clause in &parts {
            said.join(read_clause(clause, gender));
        }
        // A rule that names no way, hour or person tells nobody what to do.
        let is_bare = said.banned.is_empty() && said.only.is_empty() && said.used.is_empty();
        said.doubt |= said.rule && is_bare && !parts.iter().any(|c| c.names_something() || disguised(c));
        // "? ok to ring" asks; it settles nothing.
        said.doubt |= asked && (said.rule || said.nobody);
        if said.says_something() {
            all.join(said);
            if !quoted.contains(&sentence) {
                quoted.push(sentence);
            }
        }
    }
    let words = quoted.join(" ");
    let verdict = if all.nobody && !all.doubt {
        SafeContact::Prohibited
    } else if all.doubt || all.nobody || all.contradicts_itself() || (all.overheard && !all.goes_round()) {
        SafeContact::Unclear(words)
    } else if all.rule {
        SafeContact::Only(words)
    } else {
        SafeContact::Open
    };
    (verdict, all)
}

fn read_clause(clause: &Words, gender: Option<Gender>) -> Finding {
    let mut found = Finding::default();
    for part in [
        forbidden(clause),
        without(clause),
        unsafe_way(clause),
        only(clause),
        told(clause),
        preferred(clause),
        safe(clause),
    ] {
        found.join(part.unwrap_or_default());
    }
    found.ways = match &found {
        // What is forbidden beside it is no way.
        Finding { banned, .. } if !banned.is_empty() => found.only.iter().chain(&found.used).copied().collect(),
        Finding { rule: true, .. } => clause.means(),
        _ => Vec::new(),
    };
    found.rule |= disguised(clause);
    let watched = overheard(clause, gender);
    found.watched = if watched { clause.means() } else { Vec::new() };
    found.overheard = watched || kept_secret(clause);
    found.doubt |= hedged(clause);
    found
}

/// [`read_with_preference`] where the record has none.
#[cfg(test)]
fn read(texts: &[&str], gender: Option<Gender>) -> SafeContact {
    read_with_preference(texts, gender, None)
}

#[cfg(test)]
mod tests;
