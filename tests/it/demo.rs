//! The demo plays the whole road over HTTP, SMTP and FHIR: the first end-to-end test of everything.

use wellbridge::demo::play::Played;
use wellbridge::demo::{play, stage};

/// The table, for whoever reads a failure.
fn told(played: &Played) -> String {
    let rows = played.rows.iter().map(|row| {
        let came = &row.came;
        format!(
            "{} [{}]\n  road   {}\n  state  {}\n  record {}",
            row.title, row.needs, came.road, came.state, came.record
        )
    });
    let problems = played.problems.iter().map(|problem| format!("- {problem}"));
    rows.chain(problems).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_story_of_the_demo_ends_as_it_must() {
    let running = stage::open(([127, 0, 0, 1], 0).into()).await.unwrap();
    let played = play::play(&running.stage).await.unwrap();
    running.close().await.unwrap();
    assert!(played.problems.is_empty(), "{}", told(&played));
    assert!(played.rows.len() >= 12);
    let any = |part: &str| played.rows.iter().any(|row| row.came.road.contains(part));
    for part in [
        "accepted",
        "declined (no room at the moment) → held (nobody took it) → offered by the coordinator",
        "unanswered → offered",
        "approved by the coordinator",
        "held (safety)",
        "withdrawn",
        "finished",
    ] {
        assert!(any(part), "no story shows “{part}”");
    }
    assert!(played.rows.iter().any(|row| row.came.record.contains("after ")), "scores reach the record");
}

/// A page of the demo: status, content policy and text.
async fn page(client: &reqwest::Client, url: &str) -> (u16, String, String) {
    let answer = client.get(url).send().await.unwrap();
    let policy = answer.headers().get("content-security-policy").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), policy.unwrap_or_default(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_can_sit_in_every_seat() {
    let running = stage::open(([127, 0, 0, 1], 0).into()).await.unwrap();
    running.stage.raise_the_curtain().await.unwrap();
    let url = running.stage.url();
    let client = reqwest::Client::new();
    for (path, shows) in [
        ("/", "Let a day pass"),
        ("/demo/gp", "A dog, and an operation"),
        ("/demo/record/chapel-row/typing-slip", "NHS number"),
        ("/demo/partner", "Asks for help"),
        ("/demo/mail/1", "Message-ID"),
        ("/demo/coordinator", stage::PASSWORD),
        ("/desk", "Sign in"),
    ] {
        let (status, policy, text) = page(&client, &format!("{url}{path}")).await;
        assert_eq!(status, 200, "{path}");
        assert!(text.contains(shows), "{path} does not show “{shows}”");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
    let (_, policy, _) = page(&client, &format!("{url}/demo/mail/1/html")).await;
    assert!(policy.contains("frame-ancestors 'self'") && !policy.contains("script-src"), "{policy}");

    // The GP sends a story; whoever watches is told.
    let mut moves = client.get(format!("{url}/demo/moves")).send().await.unwrap();
    let form = "application/x-www-form-urlencoded";
    let sent = client.post(format!("{url}/demo/gp/send")).header("content-type", form).body("story=dog");
    let sent = sent.send().await.unwrap();
    assert!(sent.url().path().ends_with("/demo/record/mill-pond/dog"), "{}", sent.url());
    let told = tokio::time::timeout(std::time::Duration::from_secs(20), moves.chunk()).await;
    let told = told.expect("nobody was told that something moved").unwrap().unwrap();
    assert!(String::from_utf8_lossy(&told).starts_with("event: moved"));
    drop(moves);
    running.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_told_with_the_way_out() {
    let taken = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let error = stage::open(taken.local_addr().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("--listen"), "{error}");
}
