//! A small directory: befriending services in Leeds that fit the tests' referrals, best first, each with its own partner.

use serde_json::{Value, json};

/// The partners that run the services, in no promised order; each reads mail at `referrals@<name>.example`.
pub(crate) const PARTNERS: [&str; 4] = ["kirkstall", "headingley", "armley", "bramley"];

/// Where a partner reads mail.
pub(crate) fn mailbox(partner: &str) -> String {
    format!("referrals@{partner}.example")
}

/// One befriending service as a feed gives it.
pub(crate) fn befriending(partner: &str) -> Value {
    let name = format!("{}{}", partner[..1].to_uppercase(), &partner[1..]);
    json!({
        "id": format!("{partner}-befriending"),
        "name": format!("{name} Befrienders"),
        "description": "Befriending for older people in Leeds who are lonely or isolated. A volunteer visits you at home \
                        once a week for a chat and company. Anybody may refer by email.",
        "email": mailbox(partner),
        "status": "active",
        "fees": "Free",
        "assured_date": "2026-10-01",
        "last_modified": "2026-10-01T10:00:00",
        "organization": { "id": format!("{partner}-trust"), "name": format!("{name} Trust"), "description": "A charity." },
    })
}

/// The whole feed.
pub(crate) fn feed() -> Vec<Value> {
    PARTNERS.iter().map(|partner| befriending(partner)).collect()
}
