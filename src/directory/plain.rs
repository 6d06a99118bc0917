//! HTML made plain, wherever it came from: a feed's descriptions, the narratives of a clinical system.

use html2text::config;

/// HTML, escaped HTML or plain text as plain text, a line for a paragraph.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = text.to_owned();
    // Twice at most: some exporters escape the markup once more ("&lt;p&gt;").
    for _ in 0..2 {
        if !looks_like_markup(&plain) {
            break;
        }
        let config = config::plain_no_decorate().link_footnotes(false).no_table_borders().allow_width_overflow();
        match config.string_from_read(plain.as_bytes(), 20_000) {
            Ok(read) => plain = read,
            Err(_) => break,
        }
    }
    let lines = plain.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn looks_like_markup(text: &str) -> bool {
    let tag = text.split('<').skip(1).any(|rest| {
        let next = rest.chars().next();
        next.is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '!') && rest.contains('>')
    });
    let entity = text.split('&').skip(1).any(|rest| {
        rest.find(';').is_some_and(|end| {
            let name = rest.get(..end).unwrap_or("");
            (2..=8).contains(&end) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        })
    });
    tag || entity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_entities_become_plain_words() {
        for (html, text) in [
            ("<p>Tea &amp; chat</p><ul><li>Free</li></ul>", "Tea & chat\n* Free"),
            ("&lt;p&gt;Escaped&lt;/p&gt;", "Escaped"),
            ("Fish & chips, under <5s", "Fish & chips, under <5s"),
            ("<p>She is <b>sui</b>cid&#97;l.</p><p>Rings at&nbsp;night</p>", "She is suicidal.\nRings at night"),
            (
                "<table><tr><td>Low mood</td><td>yes</td></tr><tr><td>DV</td><td>no</td></tr></table>",
                "Low mood yes\nDV no",
            ),
            ("<div>BP &lt; 90<!-- nobody sees this --><script>nor(this)</script></div>", "BP < 90"),
            ("  two\u{a0} spaces ", "two spaces"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }
}
