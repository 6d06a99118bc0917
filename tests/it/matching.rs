//! Matching over the dev referrals of `tests/eval`, from FHIR Bundles and a feed as they come: by the command that writes
//! a run for scoring, and by what is quoted.

use std::path::{Path, PathBuf};
use std::{fs, process::Command};

use jiff::civil::date;
use serde_json::Value;
use wellbridge::directory::{Directory, feed};
use wellbridge::matching::Matcher;
use wellbridge::practice::Input;
use wellbridge::practice::fhir::{Mappings, referral_from_bundle};
use wellbridge::random;
use wellbridge::referral::{PracticeId, Referral};

fn eval(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval").join(path)
}

fn directory() -> Directory {
    Directory::new(feed::from_json(&fs::read_to_string(eval("services-feed.json")).unwrap()).unwrap().services)
}

/// Every dev referral that intake does not hold, by its file's name.
fn referrals() -> Vec<(String, Referral)> {
    let mappings = Mappings::builtin().unwrap();
    let now = "2026-11-24T12:00:00Z".parse().unwrap();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        match referral_from_bundle(&text, &PracticeId::new("file"), &mappings, now).unwrap() {
            Input::Readable(referral, _) => Some((name, *referral)),
            Input::Unreadable(..) => None,
        }
    };
    fs::read_dir(eval("referrals")).unwrap().filter_map(|file| read(file.unwrap().path())).collect()
}

#[test]
fn no_dev_referral_with_a_safety_matter_is_sent_by_machine() {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("run-{}.jsonl", random::uuid()));
    let mut evaluate = Command::new(env!("CARGO_BIN_EXE_wellbridge"));
    evaluate.args(["evaluate", "--today", "2026-11-24", "--referrals"]).arg(eval("referrals"));
    evaluate.arg("--directory").arg(eval("services-feed.json")).arg("--out").arg(&out);
    let ended = evaluate.output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let run = fs::read_to_string(&out).unwrap();
    fs::remove_file(&out).unwrap();
    let lines: Vec<Value> = run.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expect = fs::read_to_string(eval("expect.csv")).unwrap();
    let mut dangerous = 0;
    for row in expect.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let line = lines.iter().find(|line| line["referral"] == cells[0]).unwrap();
        let auto = line["decision"] == "auto";
        if cells[3] == "1" {
            dangerous += 1;
            assert!(!auto && line["safety"] == true, "{line}");
        }
        assert_eq!(!line["offer"].is_null(), auto, "{line}");
    }
    assert!(dangerous > 0, "{dangerous}");
}

#[test]
fn every_quote_stands_literally_in_its_source() {
    let (matcher, directory) = (Matcher::built_in().unwrap(), directory());
    let mut quotes = 0;
    for (name, referral) in referrals() {
        let found = matcher.match_referral(&referral, &directory, date(2026, 11, 24));
        let words = referral.words();
        let told = found.needs.iter().flat_map(|n| &n.shown_by).chain(found.safety.iter().map(|f| &f.evidence));
        for evidence in told {
            assert!(words.contains(&evidence.quote), "{name}: {:?} is not in the referral", evidence.quote);
            quotes += 1;
        }
        for need in &found.needs {
            let why = need
                .candidates
                .iter()
                .flat_map(|c| c.why.iter().chain(&c.careful).map(move |reason| (&c.service, reason)));
            for (id, reason) in why.chain(need.excluded.iter().map(|e| (&e.service, &e.why))) {
                let Some(quote) = &reason.quote else { continue };
                let service = serde_json::to_value(directory.get(id).unwrap()).unwrap();
                let mut texts = Vec::new();
                texts_of(&service, &mut texts);
                assert!(texts.iter().any(|t| t.contains(quote.as_str())), "{name}, {id}: {quote:?}");
                quotes += 1;
            }
        }
    }
    assert!(quotes > 1_000, "{quotes}");
}

fn texts_of<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(all) => all.iter().for_each(|v| texts_of(v, texts)),
        Value::Object(fields) => fields.values().for_each(|v| texts_of(v, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
