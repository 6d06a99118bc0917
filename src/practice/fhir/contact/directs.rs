//! The ways in which a clause says how the person is to be contacted, one function each: only, telling, preferring,
//! safe. Each looks at plain words and answers what it found; none knows of the others.

use super::Finding;
use super::words::{Means, Words};

/// "Mobile only", "only contact by email", "ring only after six".
pub(super) fn only(clause: &Words) -> Option<Finding> {
    for i in (0..clause.len()).filter(|&i| clause.any(i, &["only"])) {
        let before = (i.saturating_sub(3)..i).rev().find(|&j| clause.means_at(j).is_some());
        if let Some(j) = before
            && !(j > 0 && clause.any(j - 1, &["for", "uses", "use", "has", "owns", "with", "a", "her", "his"]))
        {
            let only = clause.means_at(j).into_iter().collect();
            return Some(Finding { rule: true, only, ..Finding::default() });
        }
        let chain = clause.after(i + 1);
        let reach =
            (0..chain.len()).take_while(|&j| chain.any(j, LINKS) || chain.is_contact_verb(j) || chain.is_means_noun(j));
        let reached: Vec<usize> = reach.collect();
        let by = reached.iter().any(|&j| chain.is_contact_verb(j) || chain.any(j, &["by", "via", "on"]));
        let means: Vec<Means> = reached.iter().filter_map(|&j| chain.means_at(j)).collect();
        if by && (!means.is_empty() || chain.any(0, &["contact"])) {
            return Some(Finding { rule: true, only: narrowest(means), ..Finding::default() });
        }
        let timed =
            chain.any(0, &["between", "after", "before", "when", "while", "mornings", "evenings", "afternoons", "at"]);
        let speaks =
            chain.any(0, &["talk", "speak", "answer"]) && chain.has(&["when", "while", "after", "before", "between"]);
        if speaks || (timed && (0..i).any(|j| clause.is_contact_verb(j))) {
            return Some(Finding { rule: true, ..Finding::default() });
        }
    }
    None
}

const LINKS: &[&str] = &[
    "by",
    "via",
    "on",
    "to",
    "be",
    "use",
    "the",
    "his",
    "her",
    "their",
    "him",
    "them",
    "a",
    "new",
    "work",
    "contacted",
];

/// "Only ring her mobile" names two means and allows one.
fn narrowest(means: Vec<Means>) -> Vec<Means> {
    let exact: Vec<Means> = means.iter().copied().filter(|m| matches!(m, Means::Mobile | Means::Landline)).collect();
    if exact.is_empty() { means } else { exact }
}

/// "Ring his mobile", "please text", "call after four", "use her work email", "c/o surgery for post".
pub(super) fn told(clause: &Words) -> Option<Finding> {
    let rule = |used: Vec<Means>| Some(Finding { rule: true, used: narrowest(used), ..Finding::default() });
    if clause.run(0, &["c", "o"]) && !clause.means().is_empty() {
        return rule(Vec::new());
    }
    let mut at = 0;
    while clause.any(at, &["please", "pls", "plz", "so", "and", "but", "must", "can", "could", "you", "then", "kindly"])
    {
        at += 1;
    }
    if clause.any(at, &["use", "try"]) {
        let near = clause.after(at + 1).first(4);
        return if near.means().is_empty() { None } else { rule(near.means()) };
    }
    if clause.any(at, &["leave"]) {
        let message = clause.after(at + 1).first(3).has(&["message", "messages", "voicemail"]);
        return if message { rule(Vec::new()) } else { None };
    }
    if clause.any(at, &["speak", "talk", "liaise"]) && clause.any(at + 1, &["to", "with"]) {
        let person = clause.after(at + 2).first(3).names_another_person();
        return if person { rule(Vec::new()) } else { None };
    }
    let towards = clause
        .any(at + 1, &["her", "him", "them", "his", "their", "on", "via", "through", "by", "pt", "patient", "only"])
        || clause
            .any(at + 1, &["mum", "dad", "daughter", "son", "wife", "husband", "first", "mornings", "evenings", "to"])
        || clause.any(at + 1, &["after", "before", "between", "during", "mobile", "landline"]);
    if !clause.any(at, &["ring", "call", "phone", "telephone", "text", "email", "contact", "message", "write"])
        || !towards
    {
        return None;
    }
    if clause.after(at + 1).via_the_practice() {
        return Some(Finding { doubt: true, ..Finding::default() });
    }
    // "Please contact her to arrange a visit" asks for what a referral is anyway.
    if clause.any(at, &["contact"]) && clause.any(at + 1, &["her", "him", "them", "pt", "patient", "to"]) {
        let beyond = clause.after(at + 1);
        if !beyond.names_something() {
            return None;
        }
    }
    rule(clause.after(at).first(4).means())
}

/// "Prefers texts", "best to ring after four", "contacted by email", "best after 11".
pub(super) fn preferred(clause: &Words) -> Option<Finding> {
    let rule = Some(Finding { rule: true, ..Finding::default() });
    for i in 0..clause.len() {
        let near = clause.after(i + 1).first(5);
        let may_leave = clause.any(i, &["ok", "okay", "fine"])
            && near.any(0, &["to"])
            && (near.is_contact_verb(1) && !near.any(1, &["visit", "send", "post"]));
        if may_leave
            || (clause.any(i, &["best", "preferred"]) && i > 0 && i + 1 == clause.len() && !clause.means().is_empty())
        {
            return rule;
        }
        if clause.any(i, &["prefers", "prefer", "preferred", "rather"])
            && near.has(&[
                "contacted",
                "contact",
                "rung",
                "phoned",
                "texted",
                "emailed",
                "text",
                "texts",
                "email",
                "emails",
                "letter",
                "letters",
                "mobile",
                "landline",
            ])
        {
            return rule;
        }
        let by_means = near.any(0, &["by", "via", "on", "through"]) && !near.first(4).means().is_empty();
        if clause.any(i, &["contact", "contacted", "reached", "contactable", "reachable"]) && by_means {
            return rule;
        }
        if clause.any(i, &["contact", "contacted", "ring", "call"]) && near.via_the_practice() {
            return Some(Finding { doubt: true, ..Finding::default() });
        }
        let by_person = clause.any(i, &["contact", "contacted", "contactable"])
            && near.any(0, &["via", "through"])
            && near.len() > 1;
        if by_person {
            return rule;
        }
        let best = clause.any(i, &["best", "easiest", "easier", "better", "happier"]);
        let to_contact = near.any(0, &["to"]) && (near.is_contact_verb(1) || near.any(1, &["be", "reach"]));
        if best
            && (by_means || to_contact || near.any(0, &["contacted", "rung", "texted", "emailed", "phoned", "reached"]))
        {
            return rule;
        }
        if i == 0 && best && near.any(0, &["after", "before", "between"]) && near.starts_with_number(1) {
            return rule;
        }
    }
    None
}

/// "Safe to ring before three", "safe number is her sister's".
pub(super) fn safe(clause: &Words) -> Option<Finding> {
    let at = (0..clause.len())
        .find(|&i| clause.any(i, &["safe"]) && !(i > 0 && clause.any(i - 1, &["not", "isnt", "no"])))?;
    let to_contact = clause.any(at + 1, &["to"]) && clause.is_contact_verb(at + 2);
    let named = clause.any(at + 1, &["number", "phone", "mobile", "email", "contact"])
        || (clause.any(at + 1, &["time", "times"]) && (0..clause.len()).any(|j| clause.is_contact_verb(j)));
    (to_contact || named).then(|| Finding { rule: true, ..Finding::default() })
}
