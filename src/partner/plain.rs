//! Text from elsewhere, made harmless before it stands in a mail: the type says where it may stand.
//!
//! FHIR texts, feeds and what people typed can hold line breaks (header injection), characters that turn the reading
//! direction (a link that reads backwards), encoded words (RFC 2047: a header inside a header) or a megabyte. A
//! [`Line`] is one line, a [`Words`] is paragraphs, a [`Link`] is an address of our own; every mail context is made of
//! these alone. HTML is the templates' matter: they escape by name.

use std::fmt;

use serde::Serialize;
use url::Url;

/// The longest line that a mail shows; longer ones end in `…`.
pub const LINE_MAX: usize = 200;
/// The longest text that a mail shows; longer ones end in `…`.
pub const WORDS_MAX: usize = 4_000;
/// The longest subject: longer ones are cut by mail programs anyway.
pub const SUBJECT_MAX: usize = 120;

/// One line of plain text: no control character, no line break of any script, no change of reading direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Line(String);

impl Line {
    /// Makes any text one harmless line: breaks and runs of space become one space, invisible signs go.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(one_line(text.as_ref(), LINE_MAX))
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Paragraphs of plain text: lines end in `\n` only, never more than one empty line between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Words(Vec<String>);

impl Words {
    /// Makes any text harmless paragraphs; each is kept as its lines.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref().replace("\r\n", "\n");
        let mut left = WORDS_MAX;
        let mut lines: Vec<String> = Vec::new();
        for raw in text.split(is_break) {
            if left == 0 {
                break;
            }
            let line = one_line(raw, left);
            left -= line.chars().count().clamp(1, left);
            let twice_empty = line.is_empty() && lines.last().is_none_or(String::is_empty);
            if !twice_empty {
                lines.push(line);
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Self(lines)
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

/// A web address that we made ourselves: https, or http on a loopback demo.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Link(String);

impl Link {
    /// Takes an address under our own `public_url`; nothing but http and https can stand in a mail.
    pub fn new(url: Url) -> Option<Self> {
        matches!(url.scheme(), "http" | "https").then(|| Self(url.into()))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Link {
    /// Never the address: it may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(…)")
    }
}

/// A rendered subject as it may stand in a header: one line, short, and nothing in it that a reader's mail program
/// would decode into something else.
pub fn subject(text: &str) -> String {
    // `=?utf-8?q?…?=` is decoded by the reader's program; with a space in it, it is only strange.
    one_line(&text.replace("=?", "= ?"), SUBJECT_MAX)
}

/// Line breaks of every script (Unicode Standard Annex 14, classes BK, CR, LF, NL).
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Signs that are not seen and change how others are seen: direction marks, zero-width and tag characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

fn one_line(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let (mut count, mut gap) = (0, false);
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        if c.is_whitespace() || c.is_control() || is_break(c) {
            gap = !out.is_empty();
            continue;
        }
        let wanted = 1 + usize::from(gap);
        if count + wanted > longest {
            return with_ellipsis(out, longest);
        }
        if gap {
            out.push(' ');
        }
        gap = false;
        out.push(c);
        count += wanted;
    }
    out
}

fn with_ellipsis(mut text: String, longest: usize) -> String {
    if text.chars().count() >= longest {
        text.pop();
    }
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whatever_comes_in_a_line_is_one_harmless_line() {
        for (raw, line) in [
            ("Tai Chi", "Tai Chi"),
            ("  Tai \t Chi  ", "Tai Chi"),
            ("Tai Chi\r\nBcc: all@charity.example", "Tai Chi Bcc: all@charity.example"),
            ("Tai\rChi", "Tai Chi"),
            ("Tai\u{2028}Chi\u{2029}now\u{85}then\u{b}soon", "Tai Chi now then soon"),
            ("\u{202e}elpmaxe.live//:sptth", "elpmaxe.live//:sptth"),
            ("pay\u{200b}pal \u{feff}\u{2066}x\u{2069}", "paypal x"),
            ("a\0b\u{1b}[31mc", "a b [31mc"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("{{ 7 * 7 }} {% raw %}", "{{ 7 * 7 }} {% raw %}"),
            ("ተስፋ ኃይሉ – naïve", "ተስፋ ኃይሉ – naïve"),
            ("", ""),
            ("\r\n", ""),
        ] {
            assert_eq!(Line::new(raw).as_str(), line, "{raw:?}");
        }
    }

    #[test]
    fn a_very_long_text_is_cut_and_shows_it() {
        let line = Line::new("long ".repeat(100_000));
        assert_eq!(line.as_str().chars().count(), LINE_MAX);
        assert!(line.as_str().ends_with('…'));
        let words = Words::new("long words\n".repeat(100_000));
        assert!(words.lines().iter().map(|l| l.chars().count() + 1).sum::<usize>() <= WORDS_MAX + words.lines().len());
    }

    #[test]
    fn paragraphs_stay_paragraphs() {
        let words = Words::new("\r\nAsk for Sam.\r\n\r\n\r\nRing twice.\rThen wait.\u{2028}Knock.\n\n");
        assert_eq!(words.lines(), ["Ask for Sam.", "", "Ring twice.", "Then wait.", "Knock."]);
        assert!(Words::new(" \r\n\t").is_empty());
    }

    #[test]
    fn a_subject_hides_no_encoded_word() {
        let tricky = subject("Hello =?utf-8?q?=0D=0ABcc:_all@charity.example?= \r\nBcc: x");
        assert!(!tricky.contains("=?") && !tricky.contains(['\r', '\n']), "{tricky}");
        assert!(subject(&"x".repeat(1000)).chars().count() <= SUBJECT_MAX);
    }

    #[test]
    fn only_web_addresses_are_links() {
        assert!(Link::new("https://wellbridge.example/a/x".parse().unwrap()).is_some());
        for bad in ["javascript:alert(1)", "data:text/html,x", "mailto:a@b.example", "file:///etc/passwd"] {
            assert!(Link::new(bad.parse().unwrap()).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_line(text in any::<String>()) {
            let safe = |s: &str| !s.chars().any(|c| c.is_control() || is_break(c) || is_invisible(c));
            prop_assert!(safe(Line::new(&text).as_str()));
            prop_assert!(safe(&subject(&text)));
            prop_assert!(Words::new(&text).lines().iter().all(|l| safe(l)));
        }
    }
}
