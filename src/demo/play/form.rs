//! Forms as a browser sees them, as far as our own pages need it: where a form goes and what it would send.
//!
//! The play fills in the real pages' forms, so that a page which forgets its hidden token, or a button that is not there,
//! fails the play as it would fail a person.

/// A form of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Where it is sent.
    pub(super) action: String,
    /// Sent by POST; otherwise by GET.
    pub(super) post: bool,
    /// What it sends unless somebody changes it: hidden fields, texts, what is ticked.
    pub(super) fields: Vec<(String, String)>,
    /// Every name that can be filled in.
    pub(super) names: Vec<String>,
}

impl Form {
    /// Fills in a field; one that the form does not have is an error, as it would be for a person.
    pub(super) fn fill(mut self, name: &str, value: &str) -> Result<Self, String> {
        if !self.names.iter().any(|known| known == name) {
            return Err(format!("the form to {} has no field `{name}`", without_token(&self.action)));
        }
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }
}

/// A path without what may be a partner's token.
pub(super) fn without_token(path: &str) -> String {
    path.split('/').map(|part| if part.len() > 40 { "…" } else { part }).collect::<Vec<_>>().join("/")
}

/// Every form of a page, in order.
pub(super) fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    for (tag, after) in tags(html) {
        match tag.name {
            "form" => {
                open = true;
                let get = |name| attribute(tag.text, name);
                let post = get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                let action = get("action").unwrap_or_default();
                forms.push(Form { action, post, fields: Vec::new(), names: Vec::new() });
            }
            "/form" => open = false,
            "input" | "textarea" | "select" | "button" if open => {
                if let Some(form) = forms.last_mut() {
                    control(form, &tag, after);
                }
            }
            _ => {}
        }
    }
    forms
}

/// The addresses that links of a page lead to, with their words.
pub(super) fn links(html: &str) -> Vec<(String, String)> {
    let anchors = tags(html).filter(|(tag, _)| tag.name == "a");
    anchors
        .filter_map(|(tag, after)| {
            let words = after.split("</a>").next().unwrap_or_default();
            Some((attribute(tag.text, "href")?, plain(words)))
        })
        .collect()
}

/// Text without tags, spaces run together.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push(' ');
            }
            other if !inside => text.push(other),
            _ => {}
        }
    }
    decode(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn control(form: &mut Form, tag: &Tag<'_>, after: &str) {
    let Some(name) = attribute(tag.text, "name") else { return };
    let kind = attribute(tag.text, "type").unwrap_or_default();
    let value = match tag.name {
        "textarea" => decode(after.split("</textarea>").next().unwrap_or_default()),
        _ => attribute(tag.text, "value").unwrap_or_default(),
    };
    let ticked = !matches!(kind.as_str(), "radio" | "checkbox") || has(tag.text, "checked");
    if ticked && tag.name != "button" {
        form.fields.push((name.clone(), value));
    }
    form.names.push(name);
}

struct Tag<'a> {
    name: &'a str,
    /// Between the name and the `>`.
    text: &'a str,
}

/// Tags with the text that follows each. Our pages quote every attribute and never write `>` in one.
fn tags(html: &str) -> impl Iterator<Item = (Tag<'_>, &str)> {
    html.match_indices('<').filter_map(|(at, _)| {
        let rest = &html[at + 1..];
        let (inside, after) = rest.split_once('>')?;
        let (name, text) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        Some((Tag { name, text }, after))
    })
}

fn attribute(text: &str, name: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let at = text
        .match_indices(&start)
        .map(|(at, _)| at)
        .find(|at| *at == 0 || text.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace))?;
    let (value, _) = text[at + start.len()..].split_once('"')?;
    Some(decode(value))
}

fn has(text: &str, flag: &str) -> bool {
    text.split_whitespace().any(|word| word == flag)
}

fn decode(text: &str) -> String {
    let numbers = [("&#x2f;", "/"), ("&#x27;", "'"), ("&#34;", "\""), ("&#39;", "'"), ("&#47;", "/")];
    let names = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    numbers.into_iter().chain(names).fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<h1>Hello</h1><a class="button" href="/x?need=a&amp;service=b">Ask <b>them</b></a>
        <form method="post" action="&#x2f;yes"><input type="hidden" name="form" value="a&quot;b">
        <label><input type="radio" name="reason" value="22"></label><input type="radio" name="how" value="1" checked>
        <textarea id="w" name="words" rows="3">one &amp; two</textarea><button class="button">Send</button></form>
        <form action="/find"><input type="search" name="q" value=""></form>"#;

    #[test]
    fn a_form_sends_what_a_browser_would_send() {
        let forms = forms(PAGE);
        assert_eq!(forms.len(), 2);
        assert_eq!((forms[0].action.as_str(), forms[0].post), ("/yes", true));
        let fields: Vec<_> = forms[0].fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(fields, [("form", "a\"b"), ("how", "1"), ("words", "one & two")]);
        assert!(!forms[1].post);
    }

    #[test]
    fn a_field_that_is_not_there_cannot_be_filled_in() {
        let form = forms(PAGE).remove(0).fill("reason", "22").unwrap();
        assert!(form.fields.contains(&("reason".into(), "22".into())));
        assert!(form.fill("password", "x").is_err());
    }

    #[test]
    fn a_link_is_found_by_its_words() {
        assert_eq!(links(PAGE), [("/x?need=a&service=b".to_owned(), "Ask them".to_owned())]);
    }
}
