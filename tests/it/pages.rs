//! The pages as people meet them: every page in every state, with hostile texts in it, in a real browser.
//!
//! Chromium and axe-core (`tests/peers/browser/visit.mjs`) look at each on a phone, a sample on other screens, in the
//! dark and without JavaScript; then a partner and a coordinator do their work without a mouse. The screenshots are
//! below `target/screenshots/pages`. Left out, saying so, where there is no browser.

mod album;
mod hostile;

use serde_json::{Value, json};

use self::album::Sight;
use crate::support::peers::visited;

/// How a page is looked at.
#[derive(Clone, Copy)]
struct Look {
    width: u16,
    scheme: &'static str,
    javascript: &'static str,
}

const PHONE: Look = Look { width: 375, scheme: "light", javascript: "on" };
const TABLET: Look = Look { width: 768, ..PHONE };
/// A desk's screen, and the same at 200%.
const DESK: Look = Look { width: 1280, ..PHONE };
const DESK_ZOOMED: Look = Look { width: 640, ..PHONE };
/// The narrowest that WCAG asks for (1.4.10).
const NARROWEST: Look = Look { width: 320, ..PHONE };

/// The pages that are looked at in every way.
const SAMPLE: [&str; 8] = [
    "asked-hostile",
    "person-prohibited",
    "tell-started-numbers",
    "worklist",
    "referral-safety",
    "referral-proposed",
    "referral-supported",
    "referral-closed-refused",
];

impl Sight {
    fn seen(&self, look: Look) -> Value {
        let Look { width, scheme, javascript } = look;
        let cookies: Vec<Value> = self.cookies.iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
        json!({
            "name": format!("{}-{width}{}{}", self.name, if scheme == "dark" { "-dark" } else { "" },
                            if javascript == "off" { "-plain" } else { "" }),
            "url": self.url,
            "cookies": cookies,
            "width": width,
            "scheme": scheme,
            "javascript": javascript,
            "steps": self.steps,
            "expected": self.status,
        })
    }
}

/// Every page on a phone; a few in every other way.
fn looks(sights: &[Sight]) -> Vec<Value> {
    let dark = |look: Look| Look { scheme: "dark", ..look };
    let plain = |look: Look| Look { javascript: "off", ..look };
    let mut all: Vec<Value> = sights.iter().map(|sight| sight.seen(PHONE)).collect();
    for sight in sights.iter().filter(|sight| SAMPLE.contains(&sight.name)) {
        for look in [NARROWEST, DESK_ZOOMED, TABLET, DESK, dark(PHONE), dark(DESK)] {
            all.push(sight.seen(look));
        }
        if sight.steps == json!([]) {
            all.push(sight.seen(plain(PHONE)));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_in_every_state_can_be_read_by_everybody() {
    if visited("pages", &json!([])).is_none() {
        return;
    }
    let world = album::open().await;
    let sights = album::fill(&world).await.sights;
    for name in SAMPLE {
        assert!(sights.iter().any(|sight| sight.name == name), "{name}");
    }
    let asked = Value::Array(looks(&sights));
    let (_, pages) = tokio::task::spawn_blocking({
        let asked = asked.clone();
        move || visited("pages", &asked)
    })
    .await
    .unwrap()
    .unwrap();
    let mut problems = Vec::new();
    for (asked, page) in asked.as_array().unwrap().iter().zip(&pages) {
        let sound = page["failure"].is_null()
            && page["status"] == asked["expected"]
            && page["overflow"] == false
            && page["errors"] == json!([])
            && page["violations"] == json!([])
            && page["title"].as_str().is_some_and(|title| !title.is_empty() && title != "broken into");
        if !sound {
            problems.push(serde_json::to_string_pretty(page).unwrap());
        }
    }
    assert_eq!(pages.len(), asked.as_array().unwrap().len());
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), pages.len(), problems.join("\n"));
    world.ends_well().await;
}
