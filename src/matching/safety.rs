//! Safety matters in a referral's words: recall first, against negations and templates.
//!
//! A finding is cleared only by plain words in the same clause ("No SI", "Safeguarding concerns: none"), and not where
//! the sentence turns ("but", "until", "not asked"). Whatever is doubtful stays a finding, and a person reads it.

use super::{
    Evidence, Finding, SafetyKind,
    mapping::{Mapping, Matter},
    words::{Hit, Text},
};
use crate::{
    directory::words::{Gap, as_seen, tokens},
    referral::{Referral, content::Reason},
};

/// How far a clearing word reaches, in words.
const REACH: usize = 6;
/// How far it reaches through a list of symptoms.
const REACH_LIST: usize = 12;

/// Every safety matter that the words and codes show, each kind at most a few times: whatever came with the request.
pub(super) fn read(mapping: &Mapping, referral: &Referral) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for reason in referral.everything_said() {
        let coded = coded(mapping, reason).into_iter();
        let worded = as_seen(&reason.text).into_iter().flat_map(|text| worded(mapping, &text));
        for finding in coded.chain(worded) {
            let known = findings.iter().filter(|f| f.kind == finding.kind).count();
            let is_said = |f: &Finding| f.kind == finding.kind && f.evidence.quote == finding.evidence.quote;
            if known < 3 && !findings.iter().any(is_said) {
                findings.push(finding);
            }
        }
    }
    findings.sort_by_key(|f| f.kind);
    findings
}

/// What the code says, whatever its text: a code cannot be denied.
fn coded(mapping: &Mapping, reason: &Reason) -> Option<Finding> {
    let code = reason.code.as_ref()?;
    let kind = *mapping.safety.snomed.get(code)?;
    let rule = format!("safety: SNOMED {}", code.as_str());
    Some(Finding { kind, evidence: Evidence { quote: reason.text.clone(), rule } })
}

fn worded(mapping: &Mapping, text: &str) -> Vec<Finding> {
    let words = tokens(text);
    let text = Text { text, tokens: &words };
    let spared = mapping.safety.spared.scan(&words);
    let before = mapping.safety.before.scan(&words);
    let after = mapping.safety.after.scan(&words);
    let mut findings = Vec::new();
    for hit in mapping.safety.matters.scan(&words) {
        let Matter { kind, plainly, lists } = *hit.value;
        let is_spared = spared.iter().any(|s| *s.value == kind && s.first <= hit.first && hit.last <= s.last);
        if is_spared || (!plainly && cleared(mapping, &text, &hit, &before, &after, lists)) {
            continue;
        }
        let quote = text.quote(hit.first, hit.last).to_owned();
        findings.push(Finding { kind, evidence: Evidence { quote, rule: format!("safety: {}", hit.phrase) } });
    }
    findings
}

fn cleared(
    mapping: &Mapping,
    text: &Text<'_>,
    hit: &Hit<'_, Matter>,
    before: &[Hit<'_, ()>],
    after: &[Hit<'_, ()>],
    lists: bool,
) -> bool {
    let (first, last) = text.sentence(hit.first);
    let sentence = text.tokens.get(first..=last).unwrap_or(&[]);
    let turns: Vec<usize> = mapping.safety.unless.scan(sentence).iter().map(|u| first + u.first).collect();
    // A turn after the clearing word keeps the finding; one before it ("not sleeping but no SI") does not.
    let turned_after = |from: usize| turns.iter().any(|&t| t > from && !(hit.first..=hit.last).contains(&t));
    let by_before = before.iter().any(|b| {
        let reach = if lists { REACH_LIST } else { REACH };
        if b.last >= hit.first || b.first < first || hit.first - b.last > reach || turned_after(b.last) {
            return false;
        }
        // Nothing but a list may stand between.
        let between = text.tokens.get(b.last + 1..=hit.first).unwrap_or(&[]);
        between.iter().all(|t| lists || t.gap < Gap::Comma)
    });
    let by_after = after.iter().any(|a| {
        if a.first <= hit.last || a.last > last || a.first - hit.last > 3 || turned_after(hit.first) {
            return false;
        }
        // An answer stands alone: the "no" of "SI, no plan" answers nothing.
        let short = a.first == a.last && text.quote(a.first, a.last).len() <= 4;
        if short && text.tokens.get(a.last + 1).is_some_and(|t| t.gap < Gap::Comma) {
            return false;
        }
        // "Safeguarding: none" and "DV - no": a colon or dash may stand before the answer, nothing more.
        let between = text.tokens.get(hit.last + 1..a.first).unwrap_or(&[]);
        between.iter().all(|t| t.gap < Gap::Comma)
    });
    by_before || by_after
}

/// Words about contact that a person must read before anybody is rung or written to.
pub(super) fn contact_words(mapping: &Mapping, referral: &Referral) -> Option<Evidence> {
    let mut seen = referral.everything_said().flat_map(|reason| as_seen(&reason.text));
    seen.find_map(|seen| {
        let words = tokens(&seen);
        let text = Text { text: &seen, tokens: &words };
        let spared = mapping.safety.contact_spared.scan(&words);
        let hits = mapping.safety.contact.scan(&words);
        let hit = hits.iter().find(|h| !spared.iter().any(|s| s.first <= h.first && h.last <= s.last))?;
        let quote = text.quote_around(hit.first, hit.last, 60).to_owned();
        Some(Evidence { quote, rule: format!("contact: {}", hit.phrase) })
    })
}

/// What the agreement says, as a finding where it is not a plain yes.
pub(super) fn consent(consent: crate::referral::Consent, policy: super::ConsentPolicy) -> Option<Finding> {
    use crate::referral::Consent;
    let kind = match (consent, policy) {
        (Consent::Declined, _) => SafetyKind::ConsentDeclined,
        (Consent::NotRecorded, super::ConsentPolicy::Recorded) | (Consent::Unreadable, _) => SafetyKind::ConsentMissing,
        (Consent::Given, _) | (Consent::NotRecorded, super::ConsentPolicy::ByReferral) => return None,
    };
    Some(Finding { kind, evidence: Evidence { quote: String::new(), rule: "consent".to_owned() } })
}
