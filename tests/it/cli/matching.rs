//! `match` and `evaluate`: what the matcher says of a file, and of a folder of them.

use std::process::Command;

use serde_json::Value;

use super::Folder;
use crate::support::terminal::Ended;

/// A file of the evaluation set that comes with the program.
fn eval(file: &str) -> String {
    format!("{}/tests/eval/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Referrals in a folder of their own: two as they came, one whose NHS number cannot be right, one that is no FHIR.
fn referrals(folder: &Folder, names: &[&str]) {
    let to = folder.0.join("referrals");
    std::fs::create_dir_all(&to).unwrap();
    let text = std::fs::read_to_string(eval("referrals/D001.json")).unwrap();
    for name in names {
        let text = match *name {
            "bad-number" => text.replace("\"9990300127\"", "\"9990300128\""),
            "nonsense" => "Dear colleague, please see this lady.".to_owned(),
            name => std::fs::read_to_string(eval(&format!("referrals/{name}.json"))).unwrap(),
        };
        std::fs::write(to.join(format!("{name}.json")), text).unwrap();
    }
}

#[test]
fn match_shows_why_a_service_fits_and_ends_with_1_for_a_referral_that_would_be_held_unread() {
    let folder = Folder::with("nonsense = ");
    referrals(&folder, &["D001", "bad-number", "nonsense"]);
    let feed = eval("services-feed.json");
    let run = |name: &str, json: &[&str]| {
        let file = format!("referrals/{name}.json");
        folder.run(&[&["match", "--referral", &file, "--directory", &feed, "--today", "2026-11-24"], json].concat())
    };
    let plain = run("D001", &[]);
    assert_eq!(plain.code, Some(0), "{plain:?}");
    for part in ["decision: auto", "need: ", "shown by “", "  1. ", "why: ", "would be asked now: "] {
        assert!(plain.out.contains(part), "{part}: {plain:?}");
    }
    let found = run("D001", &["--json"]);
    let answer = found.json();
    assert_eq!((found.code, answer["decision"].as_str()), (Some(0), Some("auto")), "{answer}");
    assert!(answer["offer"].is_string() && answer["needs"][0]["candidates"][0]["why"].is_array(), "{answer}");
    let held = run("bad-number", &["--json"]);
    let answer = held.json();
    assert_eq!((held.code, answer["decision"].as_str()), (Some(1), Some("person")), "{held:?}");
    assert!(answer["hold"] == "bad-nhs-number" && answer["needs"].as_array().unwrap().is_empty(), "{answer}");
    assert!(held.err.contains("would be held") && held.err.contains("NHS number"), "{held:?}");
    assert!(!held.err.contains("9990300128"), "{held:?}");
    let plain = run("bad-number", &[]);
    assert!(plain.code == Some(1) && plain.out.contains("decision: person"), "{plain:?}");
    for missing in ["nonsense", "not-there"] {
        let ended = run(missing, &[]);
        assert!(ended.code == Some(2) && ended.out.is_empty() && ended.err.contains(missing), "{ended:?}");
    }
}

#[test]
fn evaluate_writes_a_line_for_every_referral_and_ends_with_1_where_one_cannot_be_read() {
    let folder = Folder::with("nonsense = ");
    let feed = eval("services-feed.json");
    let run = || {
        let arguments = ["--directory", &feed, "--today", "2026-11-24", "--out", "run.jsonl"];
        let ended = folder.run(&[&["evaluate", "--referrals", "referrals"], &arguments[..]].concat());
        let lines = std::fs::read_to_string(folder.0.join("run.jsonl")).unwrap_or_default();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (ended, lines)
    };
    assert_eq!(run().0.code, Some(2), "a folder that is not there");
    referrals(&folder, &["D001", "D002"]);
    let (ended, lines) = run();
    assert_eq!((ended.code, lines.len()), (Some(0), 2), "{ended:?}");
    for (line, name) in lines.iter().zip(["D001", "D002"]) {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["referral", "decision", "safety", "offer", "ranked", "needs"]);
        assert_eq!(line["referral"], name);
        assert!(!line["ranked"].as_array().unwrap().is_empty() && !line["needs"].as_array().unwrap().is_empty());
    }
    if let Ok(scored) = Command::new("python3")
        .args([&eval("score.py"), "run.jsonl", "--labels", &eval(""), "--json"])
        .current_dir(&folder.0)
        .output()
    {
        let scored = Ended::from(scored);
        assert_eq!(scored.code, Some(0), "{scored:?}");
        assert!(scored.json().is_object(), "{scored:?}");
    }
    referrals(&folder, &["bad-number", "nonsense"]);
    let (ended, lines) = run();
    assert_eq!((ended.code, lines.len()), (Some(1), 4), "{ended:?}");
    for (line, name) in lines[2..].iter().zip(["bad-number", "nonsense"]) {
        assert_eq!(
            (&line["referral"], &line["decision"], &line["offer"]),
            (&name.into(), &"person".into(), &Value::Null)
        );
        assert!(ended.err.contains(name), "{ended:?}");
    }
    assert!(ended.out.contains("3 referrals matched and 1 that cannot be read"), "{ended:?}");
}
