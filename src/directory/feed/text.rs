//! The fields of a feed's objects: texts made plain, addresses that are addresses.

use serde_json::Value;

use crate::directory::plain::plain;

/// Placeholders that exporters write where no address is known. `.example` is left alone: the samples use it.
const PLACEHOLDER_HOSTS: [&str; 6] =
    ["noemail.invalid", "example.com", "example.org", "example.net", "test.com", "email.com"];

/// A non-empty text of an object's field; numbers are read as text.
pub(super) fn field(object: &Value, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => {
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The same as plain text.
pub(super) fn plain_field(object: &Value, name: &str) -> Option<String> {
    field(object, name).map(|text| plain(&text)).filter(|text| !text.is_empty())
}

/// An address a mail could be sent to, lower case in its host; none for a placeholder or nonsense.
pub(super) fn usable_email(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("mailto:");
    let (local, host) = text.split_once('@')?;
    let host = host.to_ascii_lowercase();
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.');
    let labels: Vec<&str> = host.split('.').collect();
    let host_ok = labels.len() >= 2
        && labels.iter().all(|l| {
            !l.is_empty()
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    let placeholder = labels.last() == Some(&"invalid")
        || PLACEHOLDER_HOSTS.iter().any(|p| host == *p || host.ends_with(&format!(".{p}")))
        || ["noreply", "no-reply", "donotreply"].contains(&local.to_ascii_lowercase().as_str());
    (local_ok && host_ok && !placeholder).then(|| format!("{local}@{host}"))
}

/// The first usable address that stands in a text.
pub(super) fn email_in(text: &str) -> Option<String> {
    text.split(|c: char| c.is_whitespace() || ",;()<>[]\"".contains(c))
        .filter(|word| word.contains('@'))
        .find_map(|word| usable_email(word.trim_end_matches(['.', ':', '!', '?'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_no_addresses() {
        for (text, usable) in [
            ("help@shed.example", true),
            ("Help.Desk+ref@Age-Concern.org.uk", true),
            ("unknown-252@noemail.invalid", false),
            ("name@example.com", false),
            ("no email", false),
            ("a@b", false),
            ("x@y.example\r\nBcc: z@z.example", false),
        ] {
            assert_eq!(usable_email(text).is_some(), usable, "{text}");
        }
        assert_eq!(email_in("GPs (email talk@aasra.example).").as_deref(), Some("talk@aasra.example"));
    }
}
