//! Programmes are apart: what a coordinator of one finds, does and is told of another's, on every route of the desk.

use axum::http::StatusCode;

use crate::partner::offering::partner_of;
use crate::referral::ReferralId;
use crate::referral::episode::{FilingStatus, NeedState, SupportedBy};
use crate::referral::event::{Alert, Event, PartnerSaid};
use crate::store::sql::query;
use crate::web::testing::{CSRF, NEED, Seen, World, leeds, referral, start, york};

/// What stands for everybody who is signed in, or for nobody: what these pages show is looked at below.
const OF_NO_REFERRAL: [&str; 5] = ["/", "/sign-in", "/sign-out", "/partners", "/partner"];

/// Every route of the desk, as `routes` in `mod.rs` writes it: a new one is looked at here before anybody thinks of it.
fn routes() -> Vec<&'static str> {
    let lines = include_str!("mod.rs").lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
    lines.map(|line| line.split('"').next().unwrap()).collect()
}

/// A referral of Leeds with everything that can be acted upon: support has started, its filing was refused, and a
/// question waits. Gives the fields of every form about it.
async fn of_leeds() -> (World, ReferralId, Vec<(&'static str, String)>) {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (offer, link) = world.ask(id, "visits").await;
    world.fill_in(&link, &format!("{link}/yes"), &[], "").await;
    world.happens(id, Event::Partner { offer, said: PartnerSaid::Started, note: None, risk: false }).await;
    let filing = world.episode(id).await.filings[0].id;
    let mut tx = world.service.store.begin().await.unwrap();
    tx.settle_filing(filing, id, &"leeds".into(), &[], Some("unknown code"), start()).await.unwrap();
    tx.commit().await.unwrap();
    world.happens(id, Event::FilingRefused { filing }).await;
    let ask = format!("{link}/question");
    world.fill_in(&ask, &ask, &[("words", "Are there stairs?")], "").await;
    let page = super::referral::matter_key(
        world.episode(id).await.attention.iter().find(|matter| matter.note.is_some()).unwrap(),
    );
    let fields = [
        ("csrf", CSRF.to_owned()),
        ("need", NEED.to_owned()),
        ("service", "visits".to_owned()),
        ("decision", "close".to_owned()),
        ("how", "other".to_owned()),
        ("words", "It is over.".to_owned()),
        ("matter", page),
        ("offer", offer.to_string()),
        ("filing", filing.to_string()),
    ];
    (world, id, fields.to_vec())
}

async fn post(world: &World, path: &str, fields: &[(&'static str, String)], cookie: &str) -> Seen {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    world.post(path, &fields, cookie).await
}

async fn audits(world: &World) -> i64 {
    query("select count(*) from audit").scalar(world.service.store.pool()).await.unwrap()
}

#[tokio::test]
async fn on_every_route_another_programmes_referral_is_not_there() {
    let (world, id, fields) = of_leeds().await;
    let events = world.service.store.events(id).await.unwrap().len();
    let named = |name: &str| fields.iter().find(|field| field.0 == name).unwrap().1.as_str();
    let query = format!("need={NEED}&service=visits&q=tea&offer={}&filing={}", named("offer"), named("filing"));
    let all = routes();
    assert!(all.len() >= 11, "{all:?}");
    for route in all.iter().filter(|route| !OF_NO_REFERRAL.contains(route)) {
        assert!(route.contains("{id}"), "{route}: what does it show of another programme?");
        let path = format!("/desk{}", route.replace("{id}", &id.to_string()));
        for seen in [
            world.get(&format!("{path}?{query}"), &york()).await,
            world.head(&format!("{path}?{query}"), &york()).await,
            post(&world, &path, &fields, &york()).await,
        ] {
            assert_eq!(seen.status, StatusCode::NOT_FOUND, "{route}");
            assert!(!seen.body.contains("Barraclough") && !seen.body.contains("Tea and Company"), "{route}");
        }
    }
    assert_eq!(world.service.store.events(id).await.unwrap().len(), events, "nothing was done");
    assert_eq!(audits(&world).await, 0, "and nobody looked");
    // The same fields and addresses are good ones, for whom the referral is hers.
    for page in ["", "/offer", "/decide", "/find"] {
        let seen = world.get(&format!("/desk/referral/{id}{page}?{query}"), &leeds()).await;
        assert_eq!(seen.status, StatusCode::OK, "{page}");
    }
    for (form, done) in [("settle", "settled"), ("file-again", "filing"), ("decide", "decided"), ("offer", "moved-on")]
    {
        let seen = post(&world, &format!("/desk/referral/{id}/{form}"), &fields, &leeds()).await;
        assert_eq!(seen.location(), format!("/desk/referral/{id}?done={done}"), "{}", seen.body);
    }
    assert_eq!(world.episode(id).await.filings[0].status, FilingStatus::Queued);
}

#[tokio::test]
async fn no_form_is_taken_that_was_not_sent_from_a_page_of_her_own_session() {
    let (world, id, mut fields) = of_leeds().await;
    let before = (world.episode(id).await, world.service.store.notes(id).await.unwrap().len());
    fields[0].1 = "guessed".to_owned();
    // Whoever is not signed in has no session yet that a form could come from.
    for route in routes().iter().filter(|route| !matches!(**route, "/" | "/sign-in" | "/partners")) {
        let path = format!("/desk{}", route.replace("{id}", &id.to_string()));
        let forged = post(&world, &path, &fields, &leeds()).await.status;
        let unknown = post(&world, &path, &fields, "").await;
        match *route {
            "/referral/{id}" | "/referral/{id}/find" => assert_eq!(forged, StatusCode::NOT_FOUND, "only looked at"),
            _ => {
                assert_eq!(forged, StatusCode::FORBIDDEN, "{route}");
                assert_eq!(unknown.location(), "/desk/sign-in", "{route}");
            }
        }
    }
    assert_eq!((world.episode(id).await, world.service.store.notes(id).await.unwrap().len()), before);
}

#[tokio::test]
async fn a_coordinator_settles_and_files_again_nothing_of_another_programme() {
    let (world, id, fields) = of_leeds().await;
    for form in ["settle", "file-again", "decide"] {
        let seen = post(&world, &format!("/desk/referral/{id}/{form}"), &fields, &york()).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{form}");
    }
    let episode = world.episode(id).await;
    assert_eq!(episode.filings[0].status, FilingStatus::Refused);
    assert!(!episode.attention.is_empty());
    assert!(matches!(episode.needs[0].state, NeedState::Supported(SupportedBy::Offer(_))));
}

#[tokio::test]
async fn partners_are_confirmed_for_ones_own_programme_only() {
    let world = World::new().await;
    let page = "/desk/partner?programme=leeds&service=visits";
    assert_eq!(world.get(page, &york()).await.status, StatusCode::NOT_FOUND);
    let confirm = |programme: &str| {
        let service = world.service.directory().get(&"visits".into()).map(partner_of).unwrap();
        [
            ("csrf", CSRF.to_owned()),
            ("programme", programme.to_owned()),
            ("partner", service.to_string()),
            ("service", "visits".to_owned()),
            ("email", "jo@chapel.example".to_owned()),
            ("agreement", "spoke to Jo on 1 December".to_owned()),
        ]
    };
    for programme in ["leeds", "closed", ""] {
        let seen = post(&world, "/desk/partner", &confirm(programme), &york()).await;
        assert_eq!(seen.status, StatusCode::NOT_FOUND, "{programme}");
    }
    assert!(world.service.store.partners(&"leeds".into()).await.unwrap().is_empty(), "nothing is confirmed");
    assert_eq!(audits(&world).await, 0);
    let seen = post(&world, "/desk/partner", &confirm("york"), &york()).await;
    assert_eq!(seen.location(), "/desk/partners", "her own she may: {}", seen.body);
    assert!(world.service.store.partners(&"leeds".into()).await.unwrap().is_empty());
    assert_eq!(audits(&world).await, 1);
}

#[tokio::test]
async fn the_lists_hold_ones_own_programme_only() {
    let (world, id, _) = of_leeds().await;
    let mut tx = world.service.store.begin().await.unwrap();
    tx.raise(&"leeds".into(), Some(id), Alert::WaitsTooLong, start()).await.unwrap();
    tx.raise(&"leeds".into(), None, Alert::EdgeFailing, start()).await.unwrap();
    tx.commit().await.unwrap();
    let open = world.service.store.open_alerts(Some(&"leeds".into())).await.unwrap().len();
    for page in ["/desk", "/desk?show=open", "/desk/partners"] {
        let seen = world.get(page, &york()).await;
        assert_eq!(seen.status, StatusCode::OK, "{page}");
        let of_leeds = [&id.to_string(), "A B", "has waited too long", "Burton Croft", "Leeds", "Chapel Neighbours"];
        for words in of_leeds.into_iter().chain(["visits@charity.example", "spoke to Jo", "is failing"]) {
            assert!(!seen.body.contains(words), "{page} shows {words}: {}", seen.body);
        }
    }
    let left = world.service.store.open_alerts(Some(&"leeds".into())).await.unwrap().len();
    assert_eq!(left, open, "and what is told to Leeds is not opened by a look from York");
    let (desk, partners) = (world.get("/desk", &leeds()).await.body, world.get("/desk/partners", &leeds()).await.body);
    for words in [&id.to_string(), "A B", "has waited too long", "Burton Croft"] {
        assert!(desk.contains(words), "{words}: {desk}");
    }
    for words in ["Chapel Neighbours", "visits@charity.example", "spoke to Jo"] {
        assert!(partners.contains(words), "{words}: {partners}");
    }
    assert!(world.service.store.open_alerts(Some(&"leeds".into())).await.unwrap().len() < open);
}
