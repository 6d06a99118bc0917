//! Every page in every state: a world in which enough has happened, and the list of what there is to see.
//!
//! What happens goes through the pages' own forms, so that the words shown are words that somebody typed.

use axum::http::Method;
use serde_json::Value;
use wellbridge::demo::practice::Fault;
use wellbridge::desk::accounts;
use wellbridge::referral::episode::Offer;

use super::hostile;
use crate::support::browser::Browser;
use crate::support::story::{Sent, Story};
use crate::support::world::{Partner, Plan, World};

/// One page to be visited, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) name: &'static str,
    pub(crate) url: String,
    pub(crate) cookies: Vec<(String, String)>,
    /// Done before anybody looks (`tests/peers/browser/visit.mjs`).
    pub(crate) steps: Value,
    /// What the page must say of itself.
    pub(crate) status: u16,
}

/// What there is to see.
#[derive(Debug, Default)]
pub(crate) struct Album {
    pub(crate) sights: Vec<Sight>,
}

impl Album {
    fn add(&mut self, name: &'static str, url: String, by: &Browser) -> &mut Sight {
        let cookies = by.cookies();
        self.sights.push(Sight { name, url, cookies, steps: Value::Array(Vec::new()), status: 200 });
        self.sights.last_mut().unwrap()
    }
}

/// A world where a coordinator approves everything, the directory is full of odd texts, and nobody is turned away for
/// looking at sixty pages in one moment of a clock that stands still.
pub(crate) async fn open() -> World {
    let york = [
        ("name", "York Wellbeing"),
        ("phone", "01904 496 010"),
        ("mode", "propose"),
        ("duty_address", "duty@york.example"),
        ("second_duty_address", "lead@york.example"),
    ];
    let plan = Plan::usual().propose().feed(hostile::feed());
    let plan = york.into_iter().fold(plan, |plan, (key, value)| plan.set(&format!("programmes.york.{key}"), value));
    let plan = plan.set("limits.visitor_per_minute", 100_000).set("limits.link_per_minute", LOOKS);
    let world = plan.open().await;
    for (user, name, programme) in [("amira", "Amira Khan", "leeds"), ("yusuf", "Yusuf Ali", "york")] {
        let (store, settings) = (&world.service.store, &world.service.settings);
        let now = world.clock.now();
        accounts::add(store, settings, user, name, PASSWORD, vec![programme.into()], now).await.unwrap();
    }
    world
}

/// How often one link may be opened while the clock stands.
const LOOKS: i64 = 200;
pub(crate) const PASSWORD: &str = "three random words";

/// Somebody signs in at the desk.
pub(crate) async fn signs_in(world: &World, user: &str) -> Browser {
    let browser = Browser::new(&world.base);
    let page = browser.open("/desk/sign-in").await;
    let page = browser.submit(&page, "/desk/sign-in", &[("user", user), ("password", PASSWORD)]).await;
    assert!(page.says("Sign out"), "{}", page.html);
    browser
}

/// The GP sends a referral with these words.
pub(crate) async fn refers(world: &World, story: &Story, words: &str) -> Sent {
    let sent = story.send(&world.record).await;
    let note = |request: &mut Value| request["note"][0]["text"] = words.into();
    world.record.change("ServiceRequest", &sent.request, note).await;
    world.poll().await;
    sent
}

/// A coordinator asks a partner about somebody, with some words; the answer is the offer.
pub(crate) async fn asks(world: &World, desk: &Browser, sent: &Sent, partner: &str, words: &str) -> Offer {
    let id = world.id(sent).await;
    let need = world.episode(sent).await.needs[0].code.to_string();
    let form = format!("/desk/referral/{id}/offer?need={need}&service={partner}-befriending");
    let page = desk.open(&form).await;
    let page = desk.submit(&page, "/offer", &[("words", words)]).await;
    assert!(page.says("is being asked"), "{}", page.html);
    world.drain().await;
    world.open_offer(sent).await
}

/// A lonely person for whom a partner has been asked.
pub(crate) async fn asked<'a>(world: &'a World, desk: &Browser, partner: &str, words: &str) -> (Sent, Partner<'a>) {
    let sent = world.gp_sends(&Story::lonely()).await;
    let offer = asks(world, desk, &sent, partner, words).await;
    (sent, world.partner(&offer))
}

/// Lets it all happen, and lists what is to be seen.
pub(crate) async fn fill(world: &World) -> Album {
    let mut album = Album::default();
    over(world, &mut album).await;
    let desk = signs_in(world, "amira").await;
    doors(world, &mut album).await;
    waiting(world, &desk, &mut album).await;
    partners_side(world, &desk, &mut album).await;
    identities(world, &desk, &mut album).await;
    ended(world, &desk, &mut album).await;
    album.add("worklist", format!("{}/desk", world.base), &desk);
    album.add("worklist-all", format!("{}/desk?show=open", world.base), &desk);
    album.add("partners", format!("{}/desk/partners", world.base), &desk);
    album
}

/// What is left of offers that nobody answered. First of all, since time passes.
async fn over(world: &World, album: &mut Album) {
    let desk = signs_in(world, "amira").await;
    let (_, too_late) = asked(world, &desk, "kirkstall", "").await;
    let (_, passed_on) = asked(world, &desk, "armley", "").await;
    world.advance_working_days(7).await;
    let page = passed_on.browser.open(&passed_on.link).await;
    passed_on.browser.submit(&page, "/yes", &[]).await;
    world.drain().await;
    album.add("too-late", too_late.link, &too_late.browser);
    album.add("passed-on", passed_on.link, &passed_on.browser);
}

/// Where anybody can come in, or not.
async fn doors(world: &World, album: &mut Album) {
    let nobody = Browser::new(&world.base);
    let at = |path: &str| format!("{}{path}", world.base);
    album.add("landing", at("/"), &nobody);
    album.add("sign-in", at("/desk/sign-in"), &nobody);
    let wrong = album.add("sign-in-wrong", at("/desk/sign-in"), &nobody);
    wrong.steps = serde_json::json!([
        { "fill": "#user", "with": hostile::short() },
        { "fill": "#password", "with": "wrong" },
        { "click": "button" },
    ]);
    wrong.status = 422;
    album.add("link-unknown", at("/answer/nothing-of-the-kind"), &nobody).status = 404;
    album.add("not-found", at("/no/such/page"), &nobody).status = 404;
    album.add("worklist-empty", at("/desk"), &signs_in(world, "yusuf").await);
}

/// Referrals that wait for the coordinator.
async fn waiting(world: &World, desk: &Browser, album: &mut Album) {
    let at = |id: &str, page: &str| format!("{}/desk/referral/{id}{page}", world.base);
    let danger = format!("{} {}", Story::unsafe_at_home().words, hostile::long());
    let held = refers(world, &Story::unsafe_at_home(), &danger).await;
    assert_eq!(world.state(&held).await, "held");
    album.add("referral-safety", at(&world.id(&held).await.to_string(), ""), desk);

    let unread = Story::lonely_too().nhs_number("9990300128");
    let unread = world.gp_sends(&unread).await;
    album.add("referral-unread", at(&world.id(&unread).await.to_string(), ""), desk);

    let words = format!("{} Ring her mobile only, after four. {}", Story::lonely().words, hostile::short());
    let proposed = refers(world, &Story::lonely(), &words).await;
    assert_eq!(world.state(&proposed).await, "proposed");
    let id = world.id(&proposed).await.to_string();
    let need = world.episode(&proposed).await.needs[0].code.to_string();
    album.add("referral-proposed", at(&id, ""), desk);
    album.add("offer-form", at(&id, &format!("/offer?need={need}&service=headingley-befriending")), desk);
    album.add("offer-unconfirmed", at(&id, &format!("/offer?need={need}&service=morley-befriending")), desk);
    let telling = at(&id, &format!("/offer?need={need}&service=kirkstall-befriending"));
    let telling = album.add("offer-tells-who", telling, desk);
    telling.steps = serde_json::json!([
        { "fill": "#words", "with": "Alison Barraclough of LS15 7DJ" },
        { "click": "main .button" },
    ]);
    telling.status = 422;
    album.add("find", at(&id, &format!("/find?need={need}&q=befriending")), desk);
    album.add("decide", at(&id, &format!("/decide?need={need}")), desk);
    let page = desk.open(&at(&id, &format!("/offer?need={need}&service=morley-befriending"))).await;
    let link = page.html.split("href=\"").find_map(|rest| {
        let href = rest.split('"').next()?;
        href.contains("/desk/partner?").then(|| href.replace("&amp;", "&").replace("&#x2f;", "/"))
    });
    album.add("confirm-partner", format!("{}{}", world.base, link.expect("a way to confirm them")), desk);
}

/// What a partner sees from first sight to the code, and what it looks like at the desk meanwhile.
async fn partners_side(world: &World, desk: &Browser, album: &mut Album) {
    let referral = async |sent: &Sent| format!("{}/desk/referral/{}", world.base, world.id(sent).await);
    let sent = world.gp_sends(&Story::lonely()).await;
    let interpreter = |patient: &mut Value| {
        patient["communication"] = serde_json::json!([{
            "language": { "text": hostile::FROM_THE_RIGHT },
            "extension": [{
                "url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired",
                "valueBoolean": true,
            }],
        }]);
    };
    world.record.change("Patient", &sent.patient, interpreter).await;
    world.poll().await;
    let plain = asks(world, desk, &sent, "kirkstall", "Enjoys company; a ground floor room is best.").await;
    let plain = world.partner(&plain);
    album.add("asked", plain.link.clone(), &plain.browser);

    let (sent, partner) = asked(world, desk, "headingley", &hostile::long()).await;
    let page = partner.browser.open(&format!("{}/question", partner.link)).await;
    partner.browser.submit(&page, "/question", &[("words", &hostile::long())]).await;
    album.add("asked-hostile", partner.link.clone(), &partner.browser);
    album.add("no", format!("{}/no", partner.link), &partner.browser);
    let no_reason = album.add("no-without-reason", format!("{}/no", partner.link), &partner.browser);
    no_reason.steps = serde_json::json!([{ "click": "main .button" }]);
    no_reason.status = 422;
    album.add("question", format!("{}/question", partner.link), &partner.browser);
    album.add("referral-offered", referral(&sent).await, desk);
    let offer = world.open_offer(&sent).await.id;
    album.add("in-error", format!("{}/in-error?offer={offer}", referral(&sent).await), desk);

    let (_, busy) = asked(world, desk, "bramley", "").await;
    for _ in 0..=LOOKS {
        busy.browser.open(&busy.link).await;
    }
    album.add("too-many", busy.link.clone(), &busy.browser).status = 429;

    let (_, partner) = asked(world, desk, "armley", "").await;
    partner.accepts().await;
    album.add("accepted", partner.link.clone(), &partner.browser);
    let page = partner.browser.open(&partner.link).await;
    partner.browser.submit(&page, "/code", &[]).await;
    album.add("code", format!("{}/code", partner.link), &partner.browser);
    let wrong = album.add("code-wrong", format!("{}/code", partner.link), &partner.browser);
    wrong.steps = serde_json::json!([{ "fill": "#code", "with": "12" }, { "click": "main .button" }]);
    wrong.status = 422;
    for (name, what) in [
        ("tell-booked", "booked"),
        ("tell-did-not-come", "did-not-come"),
        ("tell-started", "started"),
        ("tell-on-hold", "on-hold"),
        ("tell-finished", "finished"),
        ("tell-could-not", "could-not"),
        ("tell-worried", "worried"),
    ] {
        album.add(name, format!("{}/tell/{what}", partner.link), &partner.browser);
    }
    let numbers = album.add("tell-started-numbers", format!("{}/tell/started", partner.link), &partner.browser);
    numbers.steps = serde_json::json!([{ "tabTo": "#satisfied summary" }, { "press": "Enter" }]);
}

/// Who the person is, under each rule about contact.
async fn identities(world: &World, desk: &Browser, album: &mut Album) {
    let mut sights = Vec::new();
    for (name, story, more) in [
        ("person-open", Story::lonely(), ""),
        ("person-only", Story::lonely(), "Ring her mobile only, after four, and never leave a message."),
        ("person-prohibited", Story::lonely().nobody_may_contact(), ""),
    ] {
        let sent = refers(world, &story, &format!("{} {more}", story.words)).await;
        let offer = asks(world, desk, &sent, "kirkstall", "").await;
        let partner = world.partner(&offer);
        partner.accepts().await;
        let page = partner.opens_the_person().await;
        assert!(page.says("Barraclough"), "{name}: {}", page.html);
        sights.push((name, partner));
    }
    for (name, partner) in sights {
        album.add(name, format!("{}/person", partner.link), &partner.browser);
    }
}

/// Support under way, and every end of it.
async fn ended(world: &World, desk: &Browser, album: &mut Album) {
    let referral = async |sent: &Sent| format!("{}/desk/referral/{}", world.base, world.id(sent).await);
    let scores = [("satisfied", "3"), ("worthwhile", "4"), ("happy", "2"), ("anxious", "8")];
    let (sent, partner) = asked(world, desk, "headingley", &hostile::short()).await;
    partner.accepts().await;
    partner.tells("booked", &[]).await;
    partner.tells("started", &scores).await;
    partner.tells("worried", &[("worry", &hostile::short())]).await;
    album.add("started", partner.link.clone(), &partner.browser);
    album.add("referral-supported", referral(&sent).await, desk);

    let (sent, partner) = asked(world, desk, "kirkstall", "").await;
    partner.accepts().await;
    partner.tells("started", &scores).await;
    world.pretend().fail_next(1, Method::POST, "/", Fault::status(422));
    let words = [("tried", hostile::long()), ("helped", hostile::short()), ("did-not-help", "Bingo.".to_owned())];
    let words: Vec<(&str, &str)> = words.iter().map(|(name, words)| (*name, words.as_str())).collect();
    partner.tells("finished", &words).await;
    assert_eq!(world.state(&sent).await, "closed");
    album.add("finished", partner.link.clone(), &partner.browser);
    album.add("referral-closed-refused", referral(&sent).await, desk);
    let filing = world.episode(&sent).await.filings.last().unwrap().id;
    album.add("set-aside", format!("{}/set-aside?filing={filing}", referral(&sent).await), desk);

    let (sent, partner) = asked(world, desk, "kirkstall", "").await;
    partner.accepts().await;
    let corrected = |patient: &mut Value| patient["identifier"][0]["value"] = "9990300003".into();
    world.record.change("Patient", &sent.patient, corrected).await;
    // Read again at this very moment, before anything is shown.
    partner.opens_the_person().await;
    assert!(world.episode(&sent).await.person_in_question().is_some());
    album.add("referral-another-person", referral(&sent).await, desk);

    let (sent, partner) = asked(world, desk, "armley", "").await;
    partner.accepts().await;
    partner.tells("on-hold", &[("reason", "Rang three times.")]).await;
    album.add("on-hold", partner.link.clone(), &partner.browser);
    world.gp_withdraws(&sent).await;
    let (sent, partner) = asked(world, desk, "armley", "").await;
    world.gp_withdraws(&sent).await;
    album.add("withdrawn", partner.link.clone(), &partner.browser);
    album.add("referral-withdrawn", referral(&sent).await, desk);

    let (_, partner) = asked(world, desk, "bramley", "").await;
    partner.declines("99", &hostile::short()).await;
    album.add("said-no", partner.link.clone(), &partner.browser);
    let (_, partner) = asked(world, desk, "bramley", "").await;
    partner.accepts().await;
    partner.tells("could-not", &[("why", "unreachable"), ("reason", "Nobody answers.")]).await;
    album.add("could-not", partner.link.clone(), &partner.browser);
}
