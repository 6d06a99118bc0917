//! How one value is read: from TOML's own types, or from the text of an environment variable.
//!
//! The environment knows only text, and guessing its types would turn the password `0012e3` into 12000; so every kind
//! of value reads text itself, and a text stays a text. An error says what was expected and gives an example.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use config::{Value, ValueKind};
use jiff::{Span, SpanRelativeTo, civil::Date};
use url::Url;

use crate::partner::address::{EmailAddress, Mailbox};

/// A value that stands alone.
pub(super) trait Leaf: Sized {
    /// Reads it; the error completes the sentence "`key` …".
    fn read(value: &Value) -> Result<Self, String>;
}

/// The value as text, where it is one.
fn text<'v>(value: &'v Value, expected: &str) -> Result<&'v str, String> {
    match &value.kind {
        ValueKind::String(text) => Ok(text.trim()),
        _ => Err(format!("must be {expected}, in quotation marks.")),
    }
}

impl Leaf for String {
    fn read(value: &Value) -> Result<Self, String> {
        // Not trimmed: a space may belong to a password.
        match &value.kind {
            ValueKind::String(text) => Ok(text.clone()),
            _ => Err("must be a text: put it in quotation marks.".to_owned()),
        }
    }
}

impl Leaf for bool {
    fn read(value: &Value) -> Result<Self, String> {
        match &value.kind {
            ValueKind::Boolean(yes) => Ok(*yes),
            ValueKind::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" => Ok(true),
                "false" | "no" => Ok(false),
                _ => Err("must be true or false.".to_owned()),
            },
            _ => Err("must be true or false.".to_owned()),
        }
    }
}

/// A whole number within the bounds of its type.
fn whole<N: TryFrom<i64> + FromStr>(value: &Value, expected: &str) -> Result<N, String> {
    let wrong = || format!("must be a whole number, {expected}.");
    match &value.kind {
        ValueKind::I64(n) => N::try_from(*n).map_err(|_| wrong()),
        ValueKind::U64(n) => i64::try_from(*n).ok().and_then(|n| N::try_from(n).ok()).ok_or_else(wrong),
        ValueKind::String(text) => text.trim().parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

impl Leaf for u8 {
    fn read(value: &Value) -> Result<Self, String> {
        whole(value, "0 to 255")
    }
}

impl Leaf for u16 {
    fn read(value: &Value) -> Result<Self, String> {
        whole(value, "0 to 65535")
    }
}

impl Leaf for u32 {
    fn read(value: &Value) -> Result<Self, String> {
        whole(value, "0 or more")
    }
}

impl Leaf for Duration {
    fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "a length of time with its unit, as \"30 s\", \"5 min\", \"2 h\" or \"1 day\"";
        let wrong = || format!("must be {EXPECTED}.");
        let span: Span = text(value, EXPECTED)?.parse().map_err(|_| wrong())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Duration::try_from(length).map_err(|_| wrong())
    }
}

impl Leaf for Date {
    fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "a day, as \"2026-11-24\"";
        text(value, EXPECTED)?.parse().map_err(|_| format!("must be {EXPECTED}."))
    }
}

impl Leaf for PathBuf {
    fn read(value: &Value) -> Result<Self, String> {
        match text(value, "the name of a file or folder")? {
            "" => Err("is empty: write the name of a file or folder, or leave the key out.".to_owned()),
            path => Ok(PathBuf::from(path)),
        }
    }
}

impl Leaf for Url {
    fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "a web address such as \"https://wellbridge.example\"";
        let url = Url::parse(text(value, EXPECTED)?).map_err(|why| format!("must be {EXPECTED} ({why})."))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("must be {EXPECTED}."));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user name or password: addresses end up in logs.".to_owned());
        }
        Ok(url)
    }
}

impl Leaf for SocketAddr {
    fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "an address and port such as \"127.0.0.1:8080\"";
        text(value, EXPECTED)?.parse().map_err(|_| format!("must be {EXPECTED}."))
    }
}

impl Leaf for EmailAddress {
    fn read(value: &Value) -> Result<Self, String> {
        text(value, "an email address")?.parse().map_err(|why| format!("is not an email address: {why}."))
    }
}

impl Leaf for Mailbox {
    fn read(value: &Value) -> Result<Self, String> {
        const EXPECTED: &str = "an email address, alone or as \"Name <address>\"";
        text(value, EXPECTED)?.parse().map_err(|why| format!("must be {EXPECTED}: {why}."))
    }
}

/// A list: TOML's own, or in the environment texts with commas between them.
impl<T: Leaf> Leaf for Vec<T> {
    fn read(value: &Value) -> Result<Self, String> {
        match &value.kind {
            ValueKind::Array(items) => items.iter().map(T::read).collect(),
            ValueKind::String(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| T::read(&Value::new(None, item)))
                .collect(),
            _ => Err("must be a list, as [\"one\", \"two\"].".to_owned()),
        }
    }
}

/// An enum of words: `words!(Mode { Propose = "propose", Auto = "auto" })`.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $crate::settings::leaf::Leaf for $name {
            fn read(value: &config::Value) -> Result<Self, String> {
                const WORDS: &[&str] = &[$($word),+];
                match &value.kind {
                    $(config::ValueKind::String(text) if text.trim() == $word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of: {}.", WORDS.join(", "))),
                }
            }
        }
    };
}
pub(super) use words;
