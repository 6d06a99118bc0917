//! TLS to a practice's system and to a feed that fails: a certificate that cannot be trusted needs a person at once; a
//! server that speaks no TLS is one that cannot be reached. (The mail server's are in `road::mail`.)

use jiff::SignedDuration;

use super::Told::{self, AfterThree, AtOnce};
use super::{failing, the_edge_is_well, told, tries_again_and_again};
use crate::road::directory::{Council, many};
use crate::support::story::Story;
use crate::support::tls::shows_a_bad_certificate;
use crate::support::world::Plan;

/// What there is behind an https address, by the address of what speaks plain HTTP.
fn rows(plain: &str) -> [(&'static str, String, Told); 2] {
    let (_, rest) = plain.split_once("://").unwrap();
    let (_, path) = rest.split_once('/').unwrap();
    [
        ("a bad certificate", format!("https://localhost:{}/{path}", shows_a_bad_certificate()), AtOnce),
        ("no TLS", format!("https://{rest}"), AfterThree),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_to_which_tls_fails_is_told_once_and_skips_nothing() {
    const BASE: &str = "practices.burton-croft.fhir";
    let mut world = Plan::usual().open().await;
    let plain = world.pretend().base_url().to_owned();
    for (name, address, when) in rows(&plain) {
        let told_before = told(&world).await;
        let sent = Story::lonely().send(&world.record).await;
        let asked_before = world.pretend().asked().len();
        world.restart_with(BASE, &address).await;
        world.poll().await;
        let first = usize::from(when == AtOnce);
        assert_eq!(told(&world).await.0 - told_before.0, first, "{name}: after the first try");
        tries_again_and_again(&world).await;
        assert!(world.find(&sent).await.is_none(), "{name}: nothing is known of it");
        assert_eq!(world.pretend().asked().len(), asked_before, "{name}: and nothing left that anybody could read");
        let edges = world.service.store.failing_edges().await.unwrap();
        assert_eq!(edges.len(), 1, "{name}: {edges:?}");
        assert_eq!(edges[0].2.contains("certificate"), when == AtOnce, "{name}: {edges:?}");
        world.restart_with(BASE, &plain).await;
        the_edge_is_well(&world).await;
        assert_eq!(world.state(&sent).await, "offered", "{name}: nothing is skipped");
        world.offer_mail(&world.open_offer(&sent).await);
        assert_eq!(failing(&world).await, 0, "{name}: well again");
        let now = told(&world).await;
        assert_eq!((now.0 - told_before.0, now.1 - told_before.1), (1, 1), "{name}: told once");
    }
    world.nobody_was_mailed_twice();
    world.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_to_which_tls_fails_keeps_the_last_good_copy_and_is_told_once() {
    const URL: &str = "directory.feeds.city.url";
    let (council, plain) = Council::open(many()).await;
    let every = Plan::usual().set("directory.sync_every", "30 min");
    let mut world = every.set("directory.feeds.city.kind", "http").set(URL, plain.clone()).open().await;
    for (n, (name, address, when)) in rows(&plain).into_iter().enumerate() {
        let told_before = told(&world).await;
        world.restart_with(URL, &address).await;
        world.advance(SignedDuration::from_mins(31)).await;
        let first = usize::from(when == AtOnce);
        assert_eq!(told(&world).await.0 - told_before.0, first, "{name}: after the first try");
        tries_again_and_again(&world).await;
        let count = world.service.store.services().await.unwrap().len();
        assert_eq!((count, failing(&world).await), (124 - n, 1), "{name}: the last good copy");
        let sent = world.gp_sends(&Story::lonely()).await;
        assert_eq!(world.state(&sent).await, "offered", "{name}: it is matched on that");
        // One club that is gone shows that the next whole reading is taken.
        council.services.lock().unwrap().remove(0);
        world.restart_with(URL, &plain).await;
        the_edge_is_well(&world).await;
        let count = world.service.store.services().await.unwrap().len();
        assert_eq!((count, failing(&world).await), (123 - n, 0), "{name}: well again");
        let now = told(&world).await;
        assert_eq!((now.0 - told_before.0, now.1 - told_before.1), (1, 1), "{name}: told once");
    }
    world.ends().await;
}
