//! Words about contact in a GP's note, read as a [`SafeContact`] rule.
//!
//! "Ring his mobile not landline" is a rule that can be followed; "careful if you ring, he listens in" is not, and
//! makes the referral a person's to send. A daughter who rings daily, a telephone appointment or somebody to ring for a
//! chat are no rules at all. Pure. The reading errs towards a person where words contradict each other or hedge.

mod care;
mod rules;
mod words;

use self::care::{disguised, hedged, kept_secret, overheard};
use self::rules::{forbidden, only, preferred, safe, told, without};
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
    }

    /// One sentence allows what another forbids, or two ways are each the only one.
    fn contradicts_itself(&self) -> bool {
        let forbidden = |m: &Means| self.banned.iter().any(|b| b.covers(*m));
        let not_among = |m: &Means| !self.only.is_empty() && !self.only.iter().any(|o| o.goes_with(*m));
        self.only.iter().any(forbidden) || self.used.iter().any(|m| forbidden(m) || not_among(m))
    }
}

/// Reads everything that was written for the receiver. `gender` is the person's: "he collects the post" is about
/// somebody else only where the person is not a man.
pub(super) fn read(texts: &[&str], gender: Option<Gender>) -> SafeContact {
    let mut all = Finding::default();
    let mut quoted: Vec<&str> = Vec::new();
    for (sentence, asked) in texts.iter().flat_map(|t| sentences(t)) {
        let mut said = Finding::default();
        for clause in clauses(sentence) {
            said.join(read_clause(&clause, gender));
        }
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
    if all.nobody && !all.doubt {
        SafeContact::Prohibited
    } else if all.doubt || all.nobody || all.contradicts_itself() || (all.overheard && !all.rule) {
        SafeContact::Unclear(words)
    } else if all.rule {
        SafeContact::Only(words)
    } else {
        SafeContact::Open
    }
}

fn read_clause(clause: &Words, gender: Option<Gender>) -> Finding {
    let mut found = Finding::default();
    for part in [forbidden(clause), without(clause), only(clause), told(clause), preferred(clause), safe(clause)] {
        found.join(part.unwrap_or_default());
    }
    found.rule |= disguised(clause);
    found.overheard = overheard(clause, gender) || kept_secret(clause);
    found.doubt |= hedged(clause);
    found
}

#[cfg(test)]
mod tests;
