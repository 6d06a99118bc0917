//! What stands round every page: limits, logs, panics, and words for whatever goes wrong below.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use tower::ServiceExt as _;

use super::testing::{World, leeds, referral};
use super::{App, router_with, visitor};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn logs_name_the_route_and_never_the_token_the_name_or_the_words() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    // With one subscriber alone, tracing lets whichever thread meets a line first decide for all; with two it asks both.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (_, link) = world.ask(id, "visits").await;
    let ask = format!("{link}/question");
    world.fill_in(&ask, &ask, &[("words", "Is she Alison from the choir?")], "").await;
    world.get(&format!("/desk/referral/{id}"), &leeds()).await;
    drop(guard);
    let text = log.text();
    assert!(!text.is_empty());
    let wellbridge: String = text.lines().filter(|line| line.contains("wellbridge")).collect();
    assert!(
        wellbridge.contains("/answer/{token}/question") && wellbridge.contains("/desk/referral/{id}"),
        "{wellbridge}"
    );
    let token = link.trim_start_matches("/answer/");
    for secret in [token, "Barraclough", "Alison", "choir", "9990300127", "LS6"] {
        assert!(!wellbridge.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_page_that_panics_says_that_it_was_not_the_visitor_and_nothing_more() {
    async fn broken() -> String {
        panic!("Alison Barraclough");
    }
    let world = World::new().await;
    let app = App::new(Arc::clone(&world.service));
    let router = router_with(app, Router::new().route("/broken", get(broken)));
    let request = Request::builder().uri("/broken").body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("Something went wrong on our side") && !body.contains("Alison"));
}

#[tokio::test]
async fn what_is_too_long_or_cannot_be_read_is_refused_in_our_words() {
    let world = World::new().await;
    let id = world.refer(referral()).await;
    let (_, link) = world.ask(id, "visits").await;
    let long = "x".repeat(70_000);
    let seen = world.post(&format!("{link}/question"), &[("words", &long)], "").await;
    assert_eq!(seen.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(seen.body.contains("too long for this form"), "{}", seen.body);
    let seen = world.get(&format!("/desk/referral/{id}/offer"), &leeds()).await;
    assert_eq!(seen.status, StatusCode::BAD_REQUEST);
    assert!(seen.body.contains("could not be read") && !seen.body.contains("deserialize"), "{}", seen.body);
    assert_eq!(world.get("/desk/", &leeds()).await.location(), "/desk");
}

#[tokio::test]
async fn a_forwarded_address_is_believed_from_our_own_proxies_only() {
    let world = World::new().await;
    let mut app = App::new(Arc::clone(&world.service));
    let address = |app: &App, peer: &str, forwarded: &str| {
        let peer: SocketAddr = format!("{peer}:4000").parse().unwrap();
        let request = Request::builder().header("x-forwarded-for", forwarded).extension(ConnectInfo(peer));
        visitor::address(app, &request.body(()).unwrap().into_parts().0)
    };
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    // Nobody is trusted: the header is worth nothing.
    assert_eq!(address(&app, "203.0.113.9", "198.51.100.7"), ip("203.0.113.9"));
    let trusting = world.trusting(&["10.0.0.0/8"]).await;
    app.service = Arc::clone(&trusting.service);
    for (peer, forwarded, visitor) in [
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        // What the visitor wrote herself stands left of what our proxy wrote.
        ("10.0.0.1", "127.0.0.1, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
    ] {
        assert_eq!(address(&app, peer, forwarded), ip(visitor), "{peer} {forwarded}");
    }
}

#[tokio::test]
async fn the_style_sheet_may_be_kept_and_pages_may_not() {
    let world = World::new().await;
    let sheet = world.get("/static/wellbridge.css", "").await;
    assert_eq!(sheet.headers["content-type"], "text/css; charset=utf-8");
    assert!(sheet.headers["cache-control"].to_str().unwrap().contains("max-age"));
    assert_eq!(world.get("/", "").await.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn only_on_loopback_are_cookies_without_their_prefix() {
    let world = World::on_loopback().await;
    let id = world.refer(referral()).await;
    let (offer, link) = world.ask(id, "visits").await;
    let origin = "http://127.0.0.1:8080";
    let token = world.get(&link, "").await.field("form");
    for page in ["yes", "code"] {
        world.post_from(origin, &format!("{link}/{page}"), &[("form", &token)], "").await;
    }
    let code = world.service.link_key.one_time_code(offer, world.service.clock.now().as_second());
    let fields = [("form", token.as_str()), ("code", code.digits())];
    let seen = world.post_from(origin, &format!("{link}/open"), &fields, "").await;
    assert!(seen.cookie().starts_with("wb-"), "{}", seen.cookie());
    assert!(!seen.headers["set-cookie"].to_str().unwrap().contains("Secure"));
    assert!(!seen.headers.contains_key("strict-transport-security"));
    assert!(world.get(&link, &seen.cookie()).await.body.contains("See how to make contact"));
}

#[tokio::test]
async fn a_visitor_who_never_finishes_does_not_keep_the_service_from_ending() {
    use std::time::Duration;
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let mut visitor = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    visitor.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").await.unwrap();
    let router = Router::new().route("/healthz", get(|| async { "alive" }));
    let served = super::serve_until(listener, router, tokio::task::yield_now(), Duration::from_millis(200));
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("it ended").unwrap();
}
