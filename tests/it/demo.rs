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
        "declined (no room at the moment) → offered",
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
