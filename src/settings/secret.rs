//! A password or token: never shown by `Debug`, never in an error, best kept in a file of its own.

use std::{fs, path::Path, path::PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

/// A secret, and the file it came from where it did: a short-lived token is written anew beside a running service.
#[derive(Clone, Debug)]
pub struct Secret {
    value: SecretString,
    file: Option<PathBuf>,
}

impl Secret {
    /// A secret given in so many letters.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self { value: SecretString::from(text.into()), file: None }
    }

    /// The first reading of a secret's file; the one line break at its end that editors add does not belong to it.
    /// The error completes the sentence "`key` …".
    pub(super) fn from_file(path: &Path) -> Result<Self, String> {
        let value = read(path)?;
        Ok(Self { value, file: Some(path.to_owned()) })
    }

    /// The secret as it stands now: read again where it came from a file, the last good reading when that fails.
    /// Reads a small local file; call it when a connection is made, not for every message.
    pub fn current(&self) -> SecretString {
        self.file.as_deref().and_then(|path| read(path).ok()).unwrap_or_else(|| self.value.clone())
    }

    /// The letters themselves, as first read.
    pub fn expose(&self) -> &str {
        self.value.expose_secret()
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let text = fs::read_to_string(path)
        .map_err(|why| format!("names a file that cannot be read ({}): {why}.", path.display()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("names an empty file ({}).", path.display()));
    }
    Ok(SecretString::from(text.to_owned()))
}
