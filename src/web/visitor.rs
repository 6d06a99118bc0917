//! Who knocks, and how often: the visitor's network address behind proxies we trust, and the limits on pages without an
//! account.
//!
//! An address is personal data: the store sees a hash of it with a salt that dies with the process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::{App, PageError};

/// A window of a minute.
const MINUTE: i64 = 60;

/// The visitor's address: the peer's, or what the nearest proxy that is not ours wrote in `X-Forwarded-For`.
pub fn address(app: &App, parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let trusted = |address: IpAddr| app.service.settings.web.trusted_proxies.iter().any(|n| n.contains(address));
    if !trusted(peer) {
        return peer;
    }
    let mut nearest = peer;
    let lines = parts.headers.get_all("x-forwarded-for");
    let hops: Vec<&str> = lines.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    for hop in hops.iter().rev() {
        // Whatever stands left of something unreadable was written by nobody we know.
        let Ok(address) = hop.trim().parse() else { break };
        nearest = address;
        if !trusted(address) {
            break;
        }
    }
    nearest
}

/// Counts a visit to a page without an account; too many in a minute are turned away.
pub async fn admit(app: &App, parts: &Parts) -> Result<(), PageError> {
    knock(app, &visitor(app, parts), MINUTE, app.service.settings.limits.visitor_per_minute).await
}

/// Counts a visit to the pages of a partner's link, for the visitor and for the link, in one transaction.
pub async fn admit_to_link(app: &App, parts: &Parts, hash: &str) -> Result<(), PageError> {
    let (now, limits) = (app.now(), &app.service.settings.limits);
    let doors = [visitor(app, parts), format!("link:{hash}")];
    let [visitor, link] = app.service.store.knock_at_each(&[doors[0].as_str(), doors[1].as_str()], MINUTE, now).await?;
    few_enough(visitor, limits.visitor_per_minute, MINUTE, now)?;
    few_enough(link, limits.link_per_minute, MINUTE, now)
}

fn visitor(app: &App, parts: &Parts) -> String {
    let mut salted = app.salt.to_vec();
    salted.extend_from_slice(address(app, parts).to_canonical().to_string().as_bytes());
    format!("visitor:{}", hex(&digest(&SHA256, &salted).as_ref()[..12]))
}

/// Counts a knock on a door; more than `most` in a window are turned away until it ends.
pub async fn knock(app: &App, door: &str, seconds: i64, most: u32) -> Result<(), PageError> {
    let now = app.now();
    few_enough(app.service.store.knock(door, seconds, now).await?, most, seconds, now)
}

fn few_enough(knocks: i64, most: u32, seconds: i64, now: Timestamp) -> Result<(), PageError> {
    if knocks > i64::from(most) {
        return Err(PageError::too_many(seconds - now.as_second().rem_euclid(seconds)));
    }
    Ok(())
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 of a text, in hexadecimal: how secrets are stored.
pub fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}
