//! Texts that break careless pages: markup, one endless word, writing from the right, pictures, and far too much of all.

use serde_json::{Value, json};

use crate::support::city;

/// Markup that would tell on itself: a script, and a picture that cannot load.
pub(crate) const MARKUP: &str = "<script>document.title='broken into'</script><img src=x onerror=\"alert('!')\">";
/// One word without a place to break it.
pub(crate) const LONG_WORD: &str = "LlanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochLlanfairpwllgwyngyllgogerychwyrn\
                                    drobwllllantysiliogogogoch";
/// Arabic: fond of gardening and singing.
pub(crate) const FROM_THE_RIGHT: &str = "تحب البستنة والغناء مع الآخرين";
/// Pictures of several code points each.
pub(crate) const PICTURES: &str = "🌻👩🏽‍🦳🏳️‍🌈";

/// All of it, short.
pub(crate) fn short() -> String {
    format!("{MARKUP} {LONG_WORD} {FROM_THE_RIGHT} {PICTURES}")
}

/// All of it, in 4,000 characters.
pub(crate) fn long() -> String {
    let talk = format!("{}\n\nTea on Tuesdays & a walk; she said \"better than I thought\".\n\n", short());
    talk.chars().cycle().take(3_999).chain(".".chars()).collect()
}

/// The city's services with such texts in them, one that nobody confirmed, and some that do not fit.
pub(crate) fn feed() -> Vec<Value> {
    let mut feed = city::feed();
    feed[1]["name"] = format!("Headingley Befrienders {MARKUP} {PICTURES}").into();
    feed[1]["description"] =
        format!("{} {MARKUP} {LONG_WORD}\n{FROM_THE_RIGHT}", feed[1]["description"].as_str().unwrap()).into();
    feed[2]["organization"]["name"] = LONG_WORD.into();
    feed[3]["name"] = format!("{FROM_THE_RIGHT} Befrienders").into();
    feed.push(city::befriending("morley"));
    for (name, change) in [
        (
            "otley",
            json!({ "description": "Befriending for lonely people. Our list is closed: we take no new referrals." }),
        ),
        ("ilkley", json!({ "status": "defunct" })),
        (
            "guiseley",
            json!({ "description": "Befriending for lonely young people.", "maximum_age": 25, "minimum_age": 11 }),
        ),
        (
            "yeadon",
            json!({ "description": format!("Befriending. Full until spring {MARKUP} {LONG_WORD}. Waiting list closed.") }),
        ),
    ] {
        let mut service = city::befriending(name);
        for (key, value) in change.as_object().unwrap() {
            service[key] = value.clone();
        }
        feed.push(service);
    }
    feed
}
