//! The pages as people meet them: every page in every state, with hostile texts in it, in a real browser.
//!
//! Chromium and axe-core (`tests/peers/browser/visit.mjs`) look at each on a phone, a sample on other screens, in the
//! dark and without JavaScript; then a partner and a coordinator do their work without a mouse. The screenshots are
//! below `target/screenshots/pages`. Left out, saying so, where there is no browser.

mod album;
mod hostile;

use std::path::Path;

use serde_json::{Value, json};
use wellbridge::random;
use wellbridge::referral::episode::{NeedState, OfferStatus, Reason};

use self::album::Sight;
use crate::support::peers::visited;
use crate::support::story::Story;
use crate::support::world::{DUTY, World};

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

/// The pages that are looked at in more ways.
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

/// Those with most on them, looked at in every way.
const MOST_ON: [&str; 3] = ["asked-hostile", "worklist", "referral-supported"];

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
        all.extend([NARROWEST, DESK, dark(PHONE)].map(|look| sight.seen(look)));
    }
    for sight in sights.iter().filter(|sight| MOST_ON.contains(&sight.name)) {
        all.extend([DESK_ZOOMED, TABLET, dark(DESK), plain(PHONE)].map(|look| sight.seen(look)));
    }
    all
}

/// A mail's HTML part needs no landmarks: the mail program around it has them.
const NO_LANDMARKS: [&str; 2] = ["landmark-one-main", "region"];

/// Whatever the browser and axe-core found wrong; nothing where all is well.
fn problems(asked: &[Value], pages: &[Value]) -> Vec<String> {
    assert_eq!(pages.len(), asked.len());
    let wrong = |(asked, page): &(&Value, &Value)| {
        let mail = asked["name"].as_str().is_some_and(|name| name.starts_with("mail-"));
        let violations = page["violations"].as_array().into_iter().flatten();
        let mut violations = violations.filter(|v| !(mail && NO_LANDMARKS.iter().any(|id| v["id"] == *id)));
        let titled = page["title"].as_str().is_some_and(|title| !title.is_empty() && title != "broken into");
        !(page["failure"].is_null() && page["status"] == asked["expected"] && titled)
            || page["overflow"] != false
            || page["errors"] != json!([])
            || violations.next().is_some()
    };
    let found = asked.iter().zip(pages).filter(wrong);
    found.map(|(_, page)| serde_json::to_string_pretty(page).unwrap()).collect()
}

async fn visit(folder: &'static str, asked: &[Value]) -> Vec<Value> {
    let asked = Value::Array(asked.to_vec());
    let visit = tokio::task::spawn_blocking(move || visited(folder, &asked));
    visit.await.unwrap().expect("there was a browser a moment ago").1
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_in_every_state_can_be_read_by_everybody() {
    if visited("pages", &json!([])).is_none() {
        return;
    }
    let world = album::open().await;
    let sights = album::fill(&world).await.sights;
    for name in SAMPLE.iter().chain(&MOST_ON) {
        assert!(sights.iter().any(|sight| sight.name == *name), "{name}");
    }
    let asked = looks(&sights);
    let pages = visit("pages", &asked).await;
    let problems = problems(&asked, &pages);
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), pages.len(), problems.join("\n"));
    world.ends_well().await;
}

/// The HTML parts of one mail of each subject, as files.
fn mails(world: &World, folder: &Path) -> Vec<Value> {
    std::fs::create_dir_all(folder).unwrap();
    let mut subjects = std::collections::BTreeSet::new();
    let mut asked = Vec::new();
    // The last are the oddest: those whose services and words came after the plain ones.
    for mail in world.mail.mails().into_iter().rev() {
        let kind = mail.message_id.as_deref().and_then(|id| id.split('.').nth(1)).unwrap_or("alert").to_owned();
        let html = mail.html.expect("every mail has an HTML part");
        if kind == "offer" && !html.contains("broken into") || !subjects.insert(kind.clone()) {
            continue;
        }
        let file = folder.join(format!("{kind}.html"));
        std::fs::write(&file, html).unwrap();
        for (width, scheme) in [(375, "light"), (375, "dark"), (700, "light")] {
            let url = format!("file://{}", file.display());
            let name = format!("mail-{kind}-{width}-{scheme}");
            asked.push(json!({ "name": name, "url": url, "width": width, "scheme": scheme, "expected": 200 }));
        }
    }
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_with_hostile_texts_fit_a_phone_and_a_dark_screen() {
    if visited("mails", &json!([])).is_none() {
        return;
    }
    let world = album::open().await;
    let desk = album::signs_in(&world, "amira").await;
    let (_, partner) = album::asked(&world, &desk, "headingley", &hostile::long()).await;
    partner.accepts().await;
    partner.opens_the_person().await;
    partner.tells("worried", &[("worry", &hostile::short())]).await;
    let (sent, _) = album::asked(&world, &desk, "bramley", &hostile::short()).await;
    world.gp_withdraws(&sent).await;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mails-{}", random::uuid()));
    let asked = mails(&world, &folder);
    assert!(asked.len() >= 12, "an offer, a code, an alert, a cancellation: {asked:?}");
    let pages = visit("mails", &asked).await;
    let problems = problems(&asked, &pages);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    world.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_and_a_coordinator_need_no_mouse() {
    if visited("keyboard", &json!([])).is_none() {
        return;
    }
    let world = album::open().await;
    let desk = album::signs_in(&world, "amira").await;
    let (yes, says_yes) = album::asked(&world, &desk, "kirkstall", "").await;
    let (no, says_no) = album::asked(&world, &desk, "armley", "").await;
    let (_, asks) = album::asked(&world, &desk, "headingley", "").await;
    let to_close = album::refers(&world, &Story::lonely(), "Lonely. Would like a visitor.").await;
    let close = format!("{}/desk/referral/{}", world.base, world.id(&to_close).await);
    let cookies: Vec<Value> = desk.cookies().iter().map(|(n, v)| json!({ "name": n, "value": v })).collect();
    let asked = [
        // Past the bar with the skip link, then the first of the two buttons.
        json!({ "name": "yes", "url": says_yes.link, "expected": 200, "steps": [
            { "tabTo": ".skip" }, { "press": "Enter" }, { "tabTo": "main .button" }, { "go": "Enter" },
        ] }),
        json!({ "name": "no", "url": says_no.link, "expected": 200, "steps": [
            { "tabTo": "a.button.second" }, { "go": "Enter" },
            { "tabTo": "#reason-22" }, { "press": "ArrowDown" }, { "press": "ArrowDown" }, { "press": "ArrowDown" },
            { "press": "ArrowDown" },
            { "tabTo": "summary" }, { "press": "Enter" }, { "tabTo": "#words" }, { "type": "The room is being painted." },
            { "tabTo": "main .button" }, { "go": "Enter" },
        ] }),
        json!({ "name": "worry", "url": format!("{}/question", asks.link), "expected": 200, "steps": [
            { "tabTo": "#words" }, { "type": "Does a dog matter?" },
            { "tabTo": "summary" }, { "press": "Enter" },
            { "tabTo": "#worry" }, { "type": "She sounded frightened." },
            { "tabTo": "main .button" }, { "go": "Enter" },
        ] }),
        json!({ "name": "sign-in", "url": format!("{}/desk/sign-in", world.base), "expected": 200, "steps": [
            { "tabTo": "#user" }, { "type": "yusuf" }, { "tabTo": "#password" }, { "type": album::PASSWORD },
            { "go": "Enter" },
        ] }),
        json!({ "name": "close", "url": close, "cookies": cookies, "expected": 200, "steps": [
            { "tabTo": "a[href*='/decide?']" }, { "go": "Enter" },
            { "tabTo": "#how-met-by-coordinator" }, { "press": "Space" },
            { "tabTo": "#words" }, { "type": "We had tea together." },
            { "tabTo": "main .button" }, { "go": "Enter" },
        ] }),
    ];
    let pages = visit("keyboard", &asked).await;
    let problems = problems(&asked, &pages);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    world.drain().await;
    assert_eq!(world.open_offer(&yes).await.status, OfferStatus::Accepted);
    let refused = world.episode(&no).await.offers[0].status;
    assert!(matches!(refused, OfferStatus::Rejected(Reason::Other)), "{refused:?}");
    assert_eq!(pages[3]["title"], "Worklist");
    assert!(world.mail.mails_to(DUTY).iter().any(|mail| mail.text.is_some()), "the worry");
    assert!(matches!(world.episode(&to_close).await.needs[0].state, NeedState::Closed(_)));
    world.ends_well().await;
}
