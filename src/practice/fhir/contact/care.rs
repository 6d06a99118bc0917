//! Words that ask for care: somebody else listens in, must not know, or a caller should not say who they are.

use super::words::Words;
use crate::referral::content::Gender;

/// Somebody else reads the messages or answers the phone. Whose gender is not known may be anybody's.
pub(super) fn overheard(clause: &Words, gender: Option<Gender>) -> bool {
    const WATCHES: &[&str] = &[
        "reads",
        "checks",
        "monitors",
        "opens",
        "answers",
        "collects",
        "controls",
        "keeps",
        "listens",
        "intercepts",
        "took",
        "takes",
        "watches",
        "looks",
        "sees",
        "tracks",
    ];
    (1..clause.len()).any(|i| {
        let who = i
            - 1
            - usize::from(
                i > 1
                    && clause.any(i - 1, &["always", "often", "also", "sometimes", "regularly", "usually", "normally"]),
            );
        let near = clause.after(i + 1).first(6);
        let other = clause
            .any(who, &["husband", "wife", "partner", "boyfriend", "girlfriend", "ex", "fiance", "perpetrator"])
            || (clause.any(who, &["he"]) && (gender != Some(Gender::Male) || near.has(&["her"])))
            || (clause.any(who, &["she"]) && (gender != Some(Gender::Female) || near.has(&["his"])));
        let channel = [
            "phone",
            "phones",
            "mobile",
            "landline",
            "messages",
            "texts",
            "emails",
            "email",
            "post",
            "mail",
            "letters",
            "calls",
            "voicemail",
        ];
        other && clause.any(i, WATCHES) && near.has(&channel)
    })
}

/// Words that hedge close to words about contact.
pub(super) fn hedged(clause: &Words) -> bool {
    const HEDGES: &[&str] = &["careful", "carefully", "discreet", "discreetly", "discretion", "caution", "cautious"];
    const CONTACT: &[&str] = &[
        "contact",
        "contacting",
        "contacted",
        "ring",
        "ringing",
        "call",
        "calling",
        "phone",
        "phoning",
        "texting",
        "text",
        "letters",
        "letter",
        "messages",
        "message",
        "voicemail",
        "post",
        "mail",
        "email",
        "emailing",
        "writing",
    ];
    (0..clause.len()).filter(|&i| clause.any(i, HEDGES)).any(|i| {
        let from = i.saturating_sub(5);
        clause.after(from).first(i - from + 6).has(CONTACT)
    }) || ((0..clause.len()).any(|i| {
        clause.any(i, &["check", "speak", "ask", "discuss"])
            && clause.any(i + 1, &["with", "to", "me", "us"])
            && clause.after(i).has(&["before"])
            && clause.after(i).has(CONTACT)
    }))
}

/// "Her mother must not know", "do not discuss with family", "hasn't told his wife".
pub(super) fn kept_secret(clause: &Words) -> bool {
    const NOT: &[&str] =
        &["not", "dont", "doesnt", "mustnt", "shouldnt", "hasnt", "havent", "didnt", "cant", "never", "without"];
    if !clause.names_another_person() {
        return false;
    }
    (0..clause.len()).filter(|&i| clause.any(i, NOT)).any(|i| {
        let near = clause.after(i + 1);
        let reach = (0..near.len().min(6)).find(|&j| {
            near.any(j, &["know", "knowing", "tell", "telling", "told", "discuss", "aware"])
                || near.run(j, &["find", "out"])
                || (near.any(j, &["hear", "learn"]) && near.any(j + 1, &["of", "about", "that"]))
        });
        let Some(j) = reach else { return false };
        let rest = near.after(j + 1);
        // To know how, what or the way is another sort of knowing.
        if near.any(j, &["know", "knowing"]) {
            return rest.is_empty()
                || rest.any(0, &["about", "of", "that", "she", "he", "shes", "hes", "yet", "im", "i"]);
        }
        near.any(j, &["find", "aware", "hear", "learn"]) || rest.first(4).names_another_person()
    })
}

/// "Use the code word", "withhold your number", "say you are from the library", "do not say who you are".
pub(super) fn disguised(clause: &Words) -> bool {
    (0..clause.len()).any(|i| {
        clause.run(i, &["code", "word"])
            || clause.any(i, &["codeword", "withhold"])
            || (clause.any(i, &["identify"]) && clause.any(i + 1, &["yourself", "yourselves"]))
            || (clause.any(i, &["say"]) && clause.any(i + 1, &["you", "youre", "its", "who", "where"]))
            || (clause.any(i, &["pretend"]) && clause.any(i + 1, &["to", "you", "youre"]))
    })
}
