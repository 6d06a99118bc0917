//! `[web]` and `[limits]`: our pages, how much of a thing one visitor may ask for, and how much one partner is asked.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use url::{Host, Url};

use super::{network::Network, secret::Secret, section::Section};

/// Our pages.
#[derive(Clone, Debug)]
pub struct Web {
    /// Where we listen; a proxy that ends TLS stands in front.
    pub listen: SocketAddr,
    /// How the world reaches us: the start of every link in a mail. https, or http on a loopback demo.
    pub public_url: Url,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// What links and codes are made from; the same on every replica. Made and kept in `data_dir` where not given.
    pub link_key: Option<Secret>,
}

/// How much of a thing one visitor may ask for, and how much one partner is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute to the pages of one partner's link.
    pub link_per_minute: u32,
    /// Requests a minute from one network address to pages without an account.
    pub visitor_per_minute: u32,
    /// One-time codes mailed in an hour for one link.
    pub codes_per_hour: u32,
    /// Offers and reminders mailed in an hour to one partner.
    pub offers_per_hour: u32,
    /// How long a one-time code can be used.
    pub code_lasts: Duration,
    /// Wrong codes before a new one must be asked for.
    pub code_tries: u8,
    /// How long a partner's link can be used after its offer was made.
    pub link_lasts: Duration,
    /// Failed sign-ins to one account in a quarter of an hour.
    pub sign_in_tries: u32,
    /// How long a coordinator stays signed in.
    pub session_lasts: Duration,
}

pub(super) fn read(section: Section<'_>) -> Option<Web> {
    let listen = section.get("listen");
    let public_url = section
        .need::<Url>("public_url", "It is how partners reach your pages, as \"https://wellbridge.example\".")
        .and_then(|url| checked_public_url(&section, url));
    let trusted_proxies = section.get("trusted_proxies");
    let link_key = section.secret("link_key").and_then(|key| match key {
        Some(key) if key.expose().len() < 32 => {
            section.problem("link_key", "is too short: write at least 32 letters drawn at random.");
            None
        }
        key => Some(key),
    });
    section.finish();
    Some(Web { listen: listen?, public_url: public_url?, trusted_proxies: trusted_proxies?, link_key: link_key? })
}

fn checked_public_url(section: &Section<'_>, url: Url) -> Option<Url> {
    if url.scheme() != "https" && !is_loopback(&url) {
        section.problem(
            "public_url",
            "must begin with https://, since partners see personal data behind it. Put a proxy that ends TLS in front; \
             http is for a demo on 127.0.0.1 only.",
        );
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
        section.problem("public_url", "must be the bare address, without a path: \"https://wellbridge.example\".");
        return None;
    }
    Some(url)
}

pub(super) fn read_limits(section: Section<'_>) -> Option<Limits> {
    let limits = (
        at_least_one(&section, "link_per_minute"),
        at_least_one(&section, "visitor_per_minute"),
        at_least_one(&section, "codes_per_hour"),
        at_least_one(&section, "offers_per_hour"),
        at_least_one(&section, "sign_in_tries"),
    );
    let code_lasts = section.at_least("code_lasts", Duration::from_mins(1), "a minute");
    let code_tries = section.get::<u8>("code_tries").filter(|tries| {
        let sensible = (1..=10).contains(tries);
        if !sensible {
            section.problem("code_tries", "must be 1 to 10: a code has six digits.");
        }
        sensible
    });
    let link_lasts = section.at_least("link_lasts", Duration::from_hours(24), "a day");
    let session_lasts = section.at_least("session_lasts", Duration::from_mins(1), "a minute");
    section.finish();
    Some(Limits {
        link_per_minute: limits.0?,
        visitor_per_minute: limits.1?,
        codes_per_hour: limits.2?,
        offers_per_hour: limits.3?,
        code_lasts: code_lasts?,
        code_tries: code_tries?,
        link_lasts: link_lasts?,
        sign_in_tries: limits.4?,
        session_lasts: session_lasts?,
    })
}

fn at_least_one(section: &Section<'_>, name: &str) -> Option<u32> {
    let n = section.get::<u32>(name)?;
    if n == 0 {
        section.problem(name, "must be 1 or more.");
        return None;
    }
    Some(n)
}

/// Whether an address leads to this very machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_host(name),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether a host's name or address is this very machine.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
