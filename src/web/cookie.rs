//! Session cookies: a random secret in the browser, its hash in the store.
//!
//! `__Host-` and Secure behind https; the loopback demo has neither. Strict: a link from a mail brings no session along,
//! which for a partner means one click more and for everybody that no other site can act for them.

use axum::http::{HeaderMap, HeaderValue, header};

use super::App;
use super::visitor::{hex, sha256};
use crate::random;

/// The secret of a new session: the first goes to the browser, the second to the store.
pub fn new_secret() -> (String, String) {
    let secret = hex(&random::secret_bytes());
    let hash = sha256(&secret);
    (secret, hash)
}

/// The name as the browser knows it.
fn full_name(app: &App, name: &str) -> String {
    if app.secure { format!("__Host-{name}") } else { name.to_owned() }
}

/// The hash of the secret that a request brings under `name`.
pub fn read(app: &App, headers: &HeaderMap, name: &str) -> Option<String> {
    let wanted = full_name(app, name);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let secret = pairs.find(|(name, _)| *name == wanted)?.1;
    (secret.len() == 64).then(|| sha256(secret))
}

/// The `Set-Cookie` that starts a session of `seconds`, or with 0 ends it.
pub fn set(app: &App, name: &str, secret: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if app.secure { "; Secure" } else { "" };
    let name = full_name(app, name);
    let text = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).ok()
}
