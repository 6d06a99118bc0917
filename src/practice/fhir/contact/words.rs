//! The words of [`super`]: sentences, clauses, and which words mean which way of reaching somebody.

/// A way of reaching somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    Phone,
    Mobile,
    Landline,
    Text,
    Email,
    Post,
    Voicemail,
    Visit,
}

impl Means {
    /// Forbidding this forbids that: no phone is no mobile either.
    pub(super) fn covers(self, other: Self) -> bool {
        self == other || (self == Self::Phone && matches!(other, Self::Mobile | Self::Landline))
    }

    /// Both can be meant by one rule: "ring" and "mobile only".
    pub(super) fn goes_with(self, other: Self) -> bool {
        let telephone =
            |m: Self| matches!(m, Self::Phone | Self::Mobile | Self::Landline | Self::Text | Self::Voicemail);
        self == other
            || (telephone(self) && telephone(other) && (self == Self::Phone || other == Self::Phone))
            || matches!((self, other), (Self::Mobile, Self::Text) | (Self::Text, Self::Mobile))
    }

    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "phone" | "telephone" | "call" | "calls" | "ring" | "phones" | "phoning" | "ringing" | "calling"
            | "number" => Self::Phone,
            "mobile" | "mob" => Self::Mobile,
            "landline" | "homephone" => Self::Landline,
            "text" | "texts" | "sms" | "whatsapp" | "texting" => Self::Text,
            "email" | "emails" | "emailing" => Self::Email,
            "post" | "letter" | "letters" | "mail" | "write" | "writing" | "posting" => Self::Post,
            "voicemail" | "voicemails" | "message" | "messages" | "msg" | "msgs" | "answerphone" => Self::Voicemail,
            "visit" | "visits" | "visiting" | "knock" => Self::Visit,
            _ => return None,
        })
    }
}

/// A clause as plain lower-case words; questions about places beyond its end are simply false.
#[derive(Debug, Clone)]
pub(super) struct Words(Vec<String>);

/// The sentences of a text, each with whether it asks.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return None;
            }
            let end = sentence_end(rest);
            let (sentence, tail) = rest.split_at(end);
            rest = tail;
            let sentence = sentence.trim();
            let asks = sentence.ends_with('?') || sentence.starts_with('?') || sentence.contains(" ?");
            if sentence.chars().any(char::is_alphanumeric) {
                return Some((sentence, asks));
            }
        }
    })
}

/// A stop ends a sentence where space follows: "9.30" and "i.e. after four" go on.
fn sentence_end(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let parted = at > 0 && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
        let stop = match c {
            '\n' | ';' => true,
            '!' | '?' => parted,
            '.' => parted && !is_abbreviated(&text[..at]),
            _ => false,
        };
        if stop {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// "i.e", "Dr", "approx": a stop after it ends nothing.
fn is_abbreviated(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or("").to_lowercase();
    matches!(
        word.as_str(),
        "i.e" | "e.g" | "a.m" | "p.m" | "dr" | "mr" | "mrs" | "ms" | "approx" | "tel" | "ext" | "ie" | "eg"
    )
}

/// The clauses of a sentence: parted by commas, colons, brackets and dashes that stand apart.
pub(super) fn clauses(sentence: &str) -> Vec<Words> {
    let plain = sentence.replace(['\u{2019}', '\u{2018}'], "'").replace(['\u{2013}', '\u{2014}'], " - ");
    let apart = plain.replace(" - ", ",").replace(" -", ",").replace("- ", ",");
    apart.split([',', ':', '(', ')', '"', '[', ']']).map(words).filter(|w| !w.is_empty()).collect()
}

fn words(clause: &str) -> Words {
    let lower = clause
        .to_lowercase()
        .replace("e-mail", "email")
        .replace("voice mail", "voicemail")
        .replace("home phone", "landline");
    let lower = lower.replace("land line", "landline").replace('\'', "");
    Words(lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect())
}

impl Words {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The word at `i` is one of these.
    pub(super) fn any(&self, i: usize, words: &[&str]) -> bool {
        self.0.get(i).is_some_and(|w| words.contains(&w.as_str()))
    }

    /// These words stand at `i`, one after the other.
    pub(super) fn run(&self, i: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(k, w)| self.any(i + k, &[w]))
    }

    /// One of these stands anywhere.
    pub(super) fn has(&self, words: &[&str]) -> bool {
        (0..self.len()).any(|i| self.any(i, words))
    }

    pub(super) fn after(&self, i: usize) -> Self {
        Self(self.0.get(i..).unwrap_or_default().to_vec())
    }

    pub(super) fn first(&self, n: usize) -> Self {
        Self(self.0.iter().take(n).cloned().collect())
    }

    pub(super) fn is_contact_verb(&self, i: usize) -> bool {
        const VERBS: &[&str] = &[
            "ring",
            "ringing",
            "rung",
            "call",
            "calling",
            "phone",
            "phoning",
            "phoned",
            "telephone",
            "telephoning",
            "text",
            "texting",
            "texted",
            "email",
            "emailing",
            "emailed",
            "write",
            "writing",
            "contact",
            "contacting",
            "contacted",
            "post",
            "posting",
            "message",
            "messaging",
            "leave",
            "leaving",
            "send",
            "sending",
            "visit",
            "visiting",
            "visited",
            "knock",
            "called",
        ];
        self.any(i, VERBS)
    }

    pub(super) fn means_at(&self, i: usize) -> Option<Means> {
        Means::of(self.0.get(i)?)
    }

    /// A noun for a way of contact, not a verb in use: "not landline", but not "not ring".
    pub(super) fn is_means_noun(&self, i: usize) -> bool {
        self.means_at(i).is_some()
            && !self.any(i, &["ring", "call", "write", "knock", "visit", "number", "calling", "ringing", "writing"])
    }

    /// Every way of contact named, once each.
    pub(super) fn means(&self) -> Vec<Means> {
        let mut found: Vec<Means> = Vec::new();
        for means in self.0.iter().filter_map(|w| Means::of(w)) {
            if !found.contains(&means) {
                found.push(means);
            }
        }
        found
    }

    /// A time or place narrows what is said.
    pub(super) fn has_qualifier(&self) -> bool {
        self.has(&[
            "before",
            "after",
            "between",
            "weekends",
            "weekdays",
            "evenings",
            "mornings",
            "afternoons",
            "during",
            "when",
            "while",
            "home",
        ]) || self.run(0, &["at", "work"])
    }

    /// A condition that a machine cannot check.
    pub(super) fn has_condition(&self) -> bool {
        self.has(&["until", "unless", "without", "except", "directly", "till"])
    }

    /// A way, an hour, a condition or somebody: what makes a rule one that can be followed.
    pub(super) fn names_something(&self) -> bool {
        const ELSE: &[&str] = &["door", "numbers", "today", "tomorrow", "weekend", "am", "pm", "time"];
        let somebody = (1..self.len()).any(|i| self.any(i - 1, &["via", "through"]));
        !self.means().is_empty()
            || somebody
            || self.has_qualifier()
            || self.has_condition()
            || self.names_another_person()
            || self.has(ELSE)
            || (0..self.len()).any(|i| self.starts_with_number(i) || self.0.get(i).is_some_and(|w| w.ends_with("day")))
    }

    pub(super) fn names_another_person(&self) -> bool {
        self.has(&[
            "husband",
            "wife",
            "partner",
            "ex",
            "family",
            "mother",
            "father",
            "mum",
            "dad",
            "son",
            "daughter",
            "parents",
            "boyfriend",
            "girlfriend",
            "brother",
            "sister",
            "children",
            "employer",
            "landlord",
            "school",
        ])
    }

    /// "via the surgery", "through me": somebody else would have to arrange it.
    pub(super) fn via_the_practice(&self) -> bool {
        (0..self.len()).any(|i| {
            let via = self.any(i, &["via", "through"]);
            let place = i + 1 + usize::from(self.any(i + 1, &["the", "this", "our"]));
            via && self.any(place, &["surgery", "practice", "me", "us", "gp", "reception"])
        })
    }

    pub(super) fn starts_with_number(&self, i: usize) -> bool {
        self.0.get(i).is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit()))
    }
}
