//! The stand-ins and the real peers side by side: what the service builds on must hold on both.

use lettre::message::Message;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::MailCatcher;
use wellbridge::demo::practice::PretendPractice;

use crate::support::peers::{Aiosmtpd, Medplum, PATIENCE, judged, visited};

const SYSTEM: &str = "https://wellbridge.example/filing";

fn clock() -> Clock {
    Clock::fixed("2026-11-24T09:00:00Z".parse().unwrap())
}

/// Runs a scenario on the pretend practice, and on Medplum where it is installed.
async fn on_both(scenario: impl AsyncFn(&str)) {
    let ours = PretendPractice::start(clock()).await.unwrap();
    scenario(ours.base_url()).await;
    if let Some(theirs) = Medplum::start().await {
        scenario(theirs.base_url()).await;
    }
}

async fn post(url: &str, resource: &Value, condition: Option<&str>) -> Response {
    let mut request = Client::new().post(url).header("content-type", "application/fhir+json");
    if let Some(condition) = condition {
        request = request.header("if-none-exist", condition);
    }
    request.body(resource.to_string()).send().await.unwrap()
}

async fn get(url: &str) -> Value {
    serde_json::from_str(&Client::new().get(url).send().await.unwrap().text().await.unwrap()).unwrap()
}

fn observation(identifier: &str) -> Value {
    json!({
        "resourceType": "Observation",
        "status": "final",
        "identifier": [{ "system": SYSTEM, "value": identifier }],
        "code": { "text": "Life satisfaction" },
    })
}

#[tokio::test]
async fn a_conditional_create_twice_makes_one_resource() {
    on_both(async |base| {
        let condition = format!("identifier={SYSTEM}|f1");
        let mut statuses = Vec::new();
        for _ in 0..2 {
            let response = post(&format!("{base}/Observation"), &observation("f1"), Some(&condition)).await;
            assert!(response.headers().contains_key("etag"));
            statuses.push(response.status().as_u16());
        }
        assert_eq!(statuses, [201, 200], "{base}");
        assert_eq!(get(&format!("{base}/Observation")).await["total"], 1, "{base}");
    })
    .await;
}

#[tokio::test]
async fn following_next_reads_every_match_once() {
    on_both(async |base| {
        for n in 0..7 {
            post(&format!("{base}/Observation"), &observation(&format!("f{n}")), None).await;
        }
        let mut url = format!("{base}/Observation?_count=3&_lastUpdated=ge2020-01-01T00:00:00Z&_sort=_lastUpdated");
        let mut sizes = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        loop {
            let page = get(&url).await;
            assert_eq!(page["total"], 7, "{base}");
            let entries = page["entry"].as_array().unwrap();
            sizes.push(entries.len());
            seen.extend(entries.iter().map(|entry| entry["resource"]["id"].to_string()));
            let next = page["link"].as_array().and_then(|links| links.iter().find(|link| link["relation"] == "next"));
            let Some(next) = next else { break };
            next["url"].as_str().unwrap().clone_into(&mut url);
            assert!(url.starts_with(base), "{url}");
        }
        assert_eq!((sizes, seen.len()), (vec![3, 3, 1], 7), "{base}");
    })
    .await;
}

#[tokio::test]
async fn eight_conditional_entries_go_in_together_and_a_bad_one_takes_all_back() {
    on_both(async |base| {
        let bundle = |name: &str| {
            let entries: Vec<Value> = (0..8)
                .map(|n| {
                    let condition = format!("identifier={SYSTEM}|{name}{n}");
                    json!({
                        "fullUrl": format!("urn:uuid:0193a8e4-0000-7000-8000-00000000000{n}"),
                        "resource": observation(&format!("{name}{n}")),
                        "request": { "method": "POST", "url": "Observation", "ifNoneExist": condition },
                    })
                })
                .collect();
            json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
        };
        for expected in ["201", "200"] {
            let answer: Value = post(base, &bundle("good"), None).await.json().await.unwrap();
            for entry in answer["entry"].as_array().unwrap() {
                assert!(entry["response"]["status"].as_str().unwrap().starts_with(expected), "{base}");
            }
        }
        let mut bad = bundle("bad");
        bad["entry"][7]["resource"] = json!({ "resourceType": "Task" });
        assert_eq!(post(base, &bad, None).await.status(), 400, "{base}");
        assert_eq!(get(&format!("{base}/Observation?identifier={SYSTEM}|bad0")).await["total"], 0, "{base}");
        assert_eq!(get(&format!("{base}/Observation")).await["total"], 8, "{base}");
    })
    .await;
}

#[tokio::test]
async fn what_the_pretend_practice_says_is_sound_fhir() {
    let practice = PretendPractice::start(clock()).await.unwrap();
    let base = practice.base_url();
    let made: Value = post(&format!("{base}/Observation"), &observation("f1"), None).await.json().await.unwrap();
    let said = [
        get(&format!("{base}/metadata")).await,
        get(&format!("{base}/Observation?_count=1")).await,
        get(&format!("{base}/Task")).await,
        get(&format!("{base}/Task/none")).await,
        made,
    ];
    let Some(problems) = judged(&said) else { return };
    assert!(problems.is_empty(), "{problems:?}");
    let unsound = judged(&[json!({ "resourceType": "Task", "status": "requested" })]).unwrap();
    assert_eq!(unsound.len(), 1, "the judge notices what is missing");
}

type Transport = AsyncSmtpTransport<Tokio1Executor>;

async fn send(port: u16, tls: Tls, to: &str) -> Result<(), u16> {
    let mail = Message::builder()
        .from("referrals@wellbridge.example".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("A referral for you")
        .body("Please answer by Friday.\r\n.\r\n".to_owned())
        .unwrap();
    let transport = Transport::builder_dangerous("localhost").port(port).tls(tls).timeout(Some(PATIENCE)).build();
    match transport.send(mail).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.status().map_or(0, u16::from)),
    }
}

#[tokio::test]
async fn a_mail_looks_the_same_to_the_catcher_and_to_aiosmtpd() {
    let ours = MailCatcher::start(clock()).await.unwrap();
    let to = "duty@tai-chi.example";
    assert_eq!(send(ours.address().port(), Tls::None, to).await, Ok(()));
    let caught = ours.wait_for(PATIENCE, |_| true).await.unwrap();
    let Some(theirs) = Aiosmtpd::start(&[]).await else { return };
    assert_eq!(send(theirs.port(), Tls::None, to).await, Ok(()));
    let kept = theirs.wait_for_mail_to(to).await.unwrap();
    assert_eq!((kept.from, kept.to), (caught.envelope_from, caught.envelope_to));
    let body = |raw: &[u8]| String::from_utf8(raw.to_vec()).unwrap().split_once("\r\n\r\n").unwrap().1.to_owned();
    assert_eq!(body(&kept.raw), body(&caught.raw));
}

#[tokio::test]
async fn aiosmtpd_refuses_and_vanishes_when_told_to() {
    let Some(peer) = Aiosmtpd::start(&[]).await else { return };
    let cases = [("rcpt-450", 450), ("rcpt-421", 421), ("data-550", 550), ("lost-unkept", 0)];
    for (fault, code) in cases {
        assert_eq!(send(peer.port(), Tls::None, &format!("{fault}@walk.example")).await, Err(code), "{fault}");
    }
    peer.fail_next(1, "*", "lost-kept");
    assert_eq!(send(peer.port(), Tls::None, "duty@walk.example").await, Err(0));
    assert_eq!(send(peer.port(), Tls::None, "duty@walk.example").await, Ok(()));
    let mails = peer.wait_for_mails(2).await.unwrap();
    assert!(mails.iter().all(|mail| mail.to == ["duty@walk.example"]), "{mails:?}");
}

#[tokio::test]
async fn a_mail_goes_out_under_a_good_certificate_only() {
    for (certificate, expected) in
        [("good", Ok(())), ("self-signed", Err(0)), ("expired", Err(0)), ("wrong-name", Err(0))]
    {
        let Some(peer) = Aiosmtpd::start(&["--tls", "starttls", "--certificate", certificate]).await else { return };
        let authority = Certificate::from_pem(&peer.authority()).unwrap();
        let trusting = TlsParameters::builder("localhost".to_owned()).add_root_certificate(authority).build().unwrap();
        let sent = send(peer.port(), Tls::Required(trusting), "duty@walk.example").await;
        assert_eq!(sent, expected, "{certificate}");
        if expected.is_ok() {
            peer.wait_for_mail_to("duty@walk.example").await.unwrap();
        } else {
            assert!(peer.mails().is_empty(), "{certificate}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_sees_what_stands_in_peoples_way() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let page = |html: &'static str| axum::routing::get(async move || axum::response::Html(html));
    let head = "<!doctype html><html lang=en><title>A page</title><meta name=viewport content='width=device-width'>";
    let good: &'static str = format!("{head}<main><h1>Hello</h1></main>").leak();
    let bad: &'static str = format!("{head}<main><h1>Hello</h1><input></main>").leak();
    let router = axum::Router::new().route("/good", page(good)).route("/bad", page(bad));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let asked = |path: &str, javascript: &str| json!([{ "name": "peer", "url": format!("{base}{path}"), "javascript": javascript }]);
    for javascript in ["on", "off"] {
        let Some((code, pages)) = visited("peers", &asked("/good", javascript)) else { return };
        assert_eq!((code, &pages[0]["title"]), (0, &json!("A page")), "{pages:?}");
        let (code, pages) = visited("peers", &asked("/bad", javascript)).unwrap();
        assert_eq!((code, &pages[0]["violations"][0]["id"]), (1, &json!("label")), "{pages:?}");
    }
}
