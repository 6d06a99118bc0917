//! The ways in which a clause says how the person must not be contacted, one function each: forbidding, doing without,
//! unsafe. Each looks at plain words and answers what it found; none knows of the others.

use super::Finding;
use super::words::{Means, Words};

/// "Do not ring the landline", "must not be contacted", "nobody is to contact her", "not safe to call".
pub(super) fn forbidden(clause: &Words) -> Option<Finding> {
    let at = (0..clause.len()).find_map(|i| negation(clause, i))?;
    let using = |j: usize| clause.any(j, &["use", "using"]) && !clause.after(j + 1).first(4).means().is_empty();
    let verb = (at..(at + 3).min(clause.len())).find(|&j| clause.is_contact_verb(j) || using(j))?;
    if (at..verb).any(|j| !clause.any(j, &["be", "please", "ever", "to", "try", "want"]))
        || clause.any(verb + 1, &["it", "this"])
    {
        return None;
    }
    let rest = clause.after(verb + 1);
    let qualified = rest.has_qualifier() || !rest.means().is_empty();
    if clause.any(verb, &["contact", "contacted", "contacting"]) && !qualified {
        return Some(nobody(&rest));
    }
    if clause.any(verb, &["leave", "leaving", "send", "sending"]) && rest.means().is_empty() {
        return None;
    }
    Some(Finding { rule: true, banned: banned(clause, verb, &rest), ..Finding::default() })
}

/// The place after a negation that commands, if one stands at `i`. "Her children don't ring" tells; it does not
/// command.
fn negation(clause: &Words, i: usize) -> Option<usize> {
    let commands = i == 0 || clause.any(i - 1, &["please", "pls", "plz", "so", "but", "and", "also", "must", "to"]);
    if commands && clause.any(i, &["dont", "never"]) {
        return Some(i + 1);
    }
    if (commands && clause.run(i, &["do", "not"]))
        || clause.run(i, &["must", "not"])
        || clause.run(i, &["should", "not"])
    {
        return Some(i + 2);
    }
    if clause.any(i, &["mustnt", "shouldnt", "avoid"]) || clause.run(i, &["not", "to"]) {
        return Some(i + usize::from(clause.any(i, &["not"])) + 1);
    }
    if clause.run(i, &["not", "safe", "to"]) || clause.run(i, &["isnt", "safe", "to"]) {
        return Some(i + 3);
    }
    if clause.run(i, &["unsafe", "to"]) {
        return Some(i + 2);
    }
    if clause.run(i, &["under", "no", "circumstances"]) {
        return Some(i + 3);
    }
    let somebody = clause.any(i, &["nobody", "noone"]) || clause.run(i, &["no", "one"]);
    let modal = i + 1 + usize::from(clause.any(i, &["no"]));
    if somebody && clause.any(modal, &["is", "should", "may", "must", "to", "can", "shall"]) {
        return Some(modal + 1);
    }
    let wants_not = clause.any(i, &["doesnt"]) || clause.run(i, &["does", "not"]);
    let want = i + 1 + usize::from(clause.any(i, &["does"]));
    (wants_not && clause.any(want, &["want", "wish"])).then_some(want + 1)
}

/// "Do not contact" and then: nothing more or the person (nobody may), another person (a rule), or a condition (doubt).
fn nobody(rest: &Words) -> Finding {
    let mut at = 0;
    while rest.any(
        at,
        &["her", "him", "them", "the", "this", "patient", "pt", "client", "lady", "gentleman", "person", "please"],
    ) {
        at += 1;
    }
    let beyond = rest.after(at);
    if beyond.any(0, &["with", "w"]) {
        return Finding::default();
    }
    if beyond.is_empty()
        || beyond.any(0, &["at", "directly", "again", "under", "ever", "from", "for"]) && !beyond.has_condition()
    {
        return Finding { nobody: true, ..Finding::default() };
    }
    if beyond.names_another_person() {
        return Finding { rule: true, ..Finding::default() };
    }
    Finding { doubt: true, ..Finding::default() }
}

/// What a prohibition forbids; one with a time or place forbids no means as such.
fn banned(clause: &Words, verb: usize, rest: &Words) -> Vec<Means> {
    if rest.has_qualifier() {
        return Vec::new();
    }
    let named = rest.means();
    if named.iter().any(|m| matches!(m, Means::Mobile | Means::Landline | Means::Voicemail)) {
        return named;
    }
    named.into_iter().chain(clause.means_at(verb)).collect()
}

/// "No phone", "not landline", "nothing in writing", "won't answer withheld numbers", "can't hear on the phone".
pub(super) fn without(clause: &Words) -> Option<Finding> {
    (0..clause.len()).find_map(|i| no(clause, i).or_else(|| not(clause, i)).or_else(|| cannot(clause, i)))
}

fn rule(banned: Vec<Means>) -> Finding {
    Finding { rule: true, banned, ..Finding::default() }
}

/// "No letters", "no contact by phone", "no contact with the patient". Having no telephone, or no letters from the
/// family, is a story and no rule.
fn no(clause: &Words, i: usize) -> Option<Finding> {
    const STORY: &[&str] =
        &["gets", "got", "has", "had", "have", "been", "receives", "with", "w", "there", "theres", "is", "owns"];
    const ADJECTIVES: &[&str] = &["phone", "home", "withheld", "cold", "voice", "text", "more", "any", "unexpected"];
    const GOES_ON: &[&str] = &["from", "with", "w", "since", "yet", "credit", "signal", "case", "number"];
    let near = clause.after(i + 2).first(3);
    let safe_way = !near.means().is_empty() || near.has(&["contact", "reach", "way", "time"]);
    if clause.run(i, &["no", "safe"]) && safe_way {
        return Some(Finding { doubt: true, ..Finding::default() });
    }
    if !clause.any(i, &["no"]) || (i > 0 && clause.any(i - 1, STORY)) {
        return None;
    }
    let skip = usize::from(clause.any(i + 1, ADJECTIVES));
    let noun = (i + 1..=i + 1 + skip).rev().find(|&j| clause.means_at(j).is_some());
    if let Some(j) = noun.filter(|&j| !clause.any(j + 1, GOES_ON)) {
        return Some(rule(clause.means_at(j).into_iter().collect()));
    }
    let contact = i + 1 + usize::from(clause.any(i + 1, &["further", "direct", "more", "any"]));
    clause.any(contact, &["contact"]).then(|| no_contact(&clause.after(contact + 1))).flatten()
}

/// What follows "no contact": a means or a place makes a rule, other people a story. "At all", "at present", "until
/// Monday" or nothing more is for a person: it may mean everybody, or tell of a lonely life.
fn no_contact(rest: &Words) -> Option<Finding> {
    const GOES_ON: &[&str] = &[
        "please",
        "pls",
        "at",
        "by",
        "via",
        "on",
        "in",
        "until",
        "till",
        "unless",
        "before",
        "after",
        "between",
        "during",
        "while",
        "when",
        "whatsoever",
        "ever",
        "now",
        "today",
        "yet",
        "of",
        "to",
        "should",
        "must",
        "may",
        "can",
        "is",
        "without",
        "directly",
        "again",
        "through",
    ];
    let doubt = Finding { doubt: true, ..Finding::default() };
    let told_of = (0..rest.len()).find(|&j| rest.any(j, &["with", "w", "from", "since"]));
    if let Some(with) = told_of {
        let patient = rest.after(with + 1).first(2).has(&["patient", "pt", "client"]);
        let them = rest.any(with + 1, &["her", "him", "them"]) && rest.len() == with + 2;
        if rest.any(with, &["with", "w"]) && patient {
            return Some(Finding { nobody: with == 0, doubt: with > 0, ..Finding::default() });
        }
        return (rest.any(with, &["with", "w"]) && them).then_some(doubt);
    }
    if rest.any(0, &["by", "via", "on", "at"]) && (!rest.means().is_empty() || rest.has_qualifier()) {
        return Some(rule(rest.means()));
    }
    let for_now = rest.any(0, &["for"]) && rest.any(1, &["now", "the", "time", "any", "a"]);
    let over_years = rest.any(0, &["in"]) && !rest.any(1, &["any", "writing", "person"]);
    let goes_on = rest.is_empty() || rest.any(0, GOES_ON) || for_now;
    (goes_on && !over_years).then_some(doubt)
}

/// "Contact not safe", "letters are unsafe", "not safe for contact".
pub(super) fn unsafe_way(clause: &Words) -> Option<Finding> {
    let at = (0..clause.len())
        .find(|&i| clause.any(i, &["unsafe"]) || clause.run(i, &["not", "safe"]) || clause.run(i, &["isnt", "safe"]))?;
    let rest = clause.after(at + 1 + usize::from(!clause.any(at, &["unsafe"])));
    if rest.any(0, &["to"]) {
        // `forbidden` reads this.
        return None;
    }
    let from = at.saturating_sub(4);
    let before = clause.after(from).first(at - from);
    let named = before.means();
    if !named.is_empty() && rest.is_empty() {
        return Some(rule(named));
    }
    let contact = |words: &Words| words.has(&["contact", "contacting"]);
    if contact(&before) || (rest.any(0, &["for"]) && contact(&rest)) {
        let always = rest.is_empty() || (rest.len() == 2 && rest.any(0, &["for"]));
        return Some(Finding { nobody: always, doubt: !always, ..Finding::default() });
    }
    (!named.is_empty()).then(|| Finding { doubt: true, ..Finding::default() })
}

/// "Not landline", "never by post", "nothing in writing", "nothing to the house".
fn not(clause: &Words, i: usize) -> Option<Finding> {
    const LITTLE: &[&str] = &["by", "via", "on", "the", "his", "her", "their", "old", "to"];
    let never = clause.any(i, &["never"]) && clause.any(i + 1, &["landline", "mobile", "by", "via", "post", "letters"]);
    if clause.any(i, &["not"]) || never {
        let named = (i + 1..clause.len()).find(|&j| !clause.any(j, LITTLE)).filter(|&j| clause.is_means_noun(j))?;
        return Some(rule(clause.means_at(named).into_iter().collect()));
    }
    let near = clause.after(i + 2);
    let in_writing = clause.any(i + 1, &["in", "by", "through"])
        && near.first(2).has(&["writing", "post", "letter", "door", "letterbox", "email", "text"]);
    let to_the_house = clause.any(i + 1, &["to"]) && near.first(4).has(&["house", "home", "address", "sent", "posted"]);
    let sent = in_writing || to_the_house || clause.any(i + 1, &["sent", "posted", "written"]);
    (clause.any(i, &["nothing"]) && sent).then(|| rule(vec![Means::Post]))
}

/// "Won't answer unknown numbers", "can't use the phone", "doesn't want calls", "does not consent to contact".
fn cannot(clause: &Words, i: usize) -> Option<Finding> {
    let apart = clause.any(i + 1, &["not"]) && clause.any(i, &["does", "will", "can"]);
    if !apart && !clause.any(i, &["doesnt", "wont", "cant", "cannot"]) {
        return None;
    }
    let verb = i + 1 + usize::from(apart);
    let near = clause.after(verb + 1).first(4);
    if clause.any(verb, &["answer", "hear", "pick"]) && (!near.means().is_empty() || near.has(&["numbers", "door"])) {
        return Some(rule(Vec::new()));
    }
    if clause.any(verb, &["use"]) && near.means().iter().any(|m| matches!(m, Means::Phone | Means::Landline)) {
        return Some(rule(near.means()));
    }
    if clause.run(verb, &["consent", "to"]) && near.has(&["contact", "contacted"]) {
        return Some(Finding { doubt: true, ..Finding::default() });
    }
    let unwanted = near.has(&["calls", "letters", "texts", "voicemails", "messages", "visits", "emails"]);
    (clause.any(verb, &["want", "like"]) && unwanted).then(|| rule(near.means()))
}
