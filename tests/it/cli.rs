//! The program as a person or a script at a terminal meets it: what it says, what it answers, and how it ends.

mod matching;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wellbridge::random;
use wellbridge::store::Store;

use crate::store::fixtures::{IDENTIFIERS, received};
use crate::support::terminal::{Ended, wellbridge};

/// A folder with settings in it, and nothing running.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The smallest settings, with everything on ports of this machine where nobody listens.
fn settings() -> String {
    let small = include_str!("../../src/settings/testdata/small.toml");
    [
        ("[web]\n", "[web]\nlisten = \"127.0.0.1:0\"\n"),
        ("https://wellbridge.example", "http://127.0.0.1:8080"),
        ("host = \"smtp.leeds.example\"", "host = \"127.0.0.1\"\nport = 1\ntls = \"none\""),
        ("https://fhir.burton-croft.example", "http://127.0.0.1:1"),
        ("directory.json", "no-such-file.json"),
    ]
    .into_iter()
    .fold(small.to_owned(), |text, (usual, here)| {
        assert!(text.contains(usual), "{usual}");
        text.replace(usual, here)
    })
}

impl Folder {
    fn with(settings: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wellbridge-cli-{}", random::uuid()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("wellbridge.toml"), settings).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        wellbridge(&self.0, arguments)
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    fn piped(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    fn database(&self) -> PathBuf {
        self.data().join("wellbridge.sqlite")
    }
}

#[test]
fn settings_that_cannot_be_used_end_a_command_with_2_and_say_which() {
    let folder = Folder::with(&settings().replace("duty_address = \"duty@leeds.example\"\n", ""));
    let ended = folder.run(&["referrals", "list"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("programmes.leeds") && ended.err.contains("duty_address"), "{ended:?}");
    assert!(!folder.data().exists(), "nothing was made");
}

#[test]
fn check_shows_bad_settings_as_a_line_that_is_not_well() {
    let folder = Folder::with(&settings().replace("mode = \"propose\"\n", ""));
    let ended = folder.run(&["check", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = ended.json();
    assert_eq!((&lines[0]["what"], &lines[0]["well"]), (&Value::from("settings"), &Value::from(false)));
    assert!(lines[0]["said"].as_str().unwrap().contains("mode"), "{lines}");
}

#[test]
fn check_names_every_connection_that_does_not_answer_and_leaves_nothing_behind() {
    let folder = Folder::with(&settings());
    let ended = folder.run(&["check", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = ended.json();
    let well = |what: &str| {
        let line = lines.as_array().unwrap().iter().find(|line| line["what"] == what);
        line.unwrap_or_else(|| panic!("{what}: {lines}"))["well"].as_bool().unwrap()
    };
    for (what, expected) in [
        ("settings", true),
        ("duty address of leeds", true),
        ("templates", true),
        ("mappings", true),
        ("database", true),
        ("mail", false),
        ("practice burton-croft", false),
        ("feed city", false),
    ] {
        assert_eq!(well(what), expected, "{what}: {lines}");
    }
    assert!(!folder.data().exists());
    let plain = folder.run(&["check"]);
    assert!(plain.out.lines().any(|line| line.starts_with("NOT") && line.contains("mail:")), "{plain:?}");
}

#[test]
fn check_and_the_service_say_that_the_bank_holidays_run_out() {
    let folder = Folder::with(&format!("bank_holidays = \"old.toml\"\n{}", settings()));
    std::fs::write(folder.0.join("old.toml"), "from = \"2024-01-01\"\nuntil = \"2025-12-31\"\n[days]\n").unwrap();
    let ended = folder.run(&["check", "--json"]);
    let lines = ended.json();
    let line = lines.as_array().unwrap().iter().find(|line| line["what"] == "bank holidays").unwrap();
    assert_eq!((ended.code, &line["well"]), (Some(1), &Value::from(false)), "{line}");
    assert!(line["said"].as_str().unwrap().contains("2025-12-31"), "{line}");
    let log = std::fs::File::create(folder.0.join("log")).unwrap();
    let mut child = folder.command(&["serve"]).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    terminate(&child);
    assert_eq!(code_within(&mut child, 30, |_| ()), Some(0));
    let log = std::fs::read_to_string(folder.0.join("log")).unwrap();
    let line = log.lines().find(|line| line.contains("bank holidays run out")).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains("WARN") && line.contains("2025-12-31"), "{line}");
}

#[test]
fn a_wrong_argument_ends_with_2_and_names_the_right_ones() {
    let folder = Folder::with(&settings());
    let ended = folder.run(&["referrals", "list", "--state", "lost"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("held") && ended.err.contains("withdrawn"), "{ended:?}");
    let ended = folder.run(&["referrals", "show", "0192"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("`wellbridge referrals list`"), "{ended:?}");
    let ended = folder.run(&["referrals", "poll", "--practice", "elsewhere"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("burton-croft"), "{ended:?}");
}

#[test]
fn what_a_program_reads_is_json_and_nothing_else() {
    let folder = Folder::with(&settings());
    let list = folder.run(&["referrals", "list", "--json"]);
    assert_eq!((list.code, list.json()), (Some(0), Value::Array(Vec::new())), "{list:?}");
    let verified = folder.run(&["ledger", "verify", "--json"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.json().is_object(), "{verified:?}");
    let synced = folder.run(&["directory", "sync", "--json"]);
    assert_eq!(synced.code, Some(1), "a feed that keeps its last good copy is not well: {synced:?}");
    assert_eq!(synced.json()[0]["replaced"], Value::from(false));
}

#[test]
fn completions_know_the_commands_and_need_no_settings() {
    let folder = Folder::with("nonsense = ");
    for shell in ["bash", "zsh", "fish"] {
        let ended = folder.run(&["completions", shell]);
        assert_eq!(ended.code, Some(0), "{shell}: {}", ended.err);
        for command in ["referrals", "directory", "evaluate", "ledger"] {
            assert!(ended.out.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn whoever_stops_reading_ends_a_command_quietly_and_as_it_would_have_ended() {
    let folder = Folder::with(&settings());
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "fish"],
        &["--help"],
        &["evaluate", "--help"],
        &["referrals", "list"],
        &["referrals", "list", "--json"],
        &["ledger", "verify", "--json"],
        &["check", "--json"],
    ] {
        let read = folder.run(arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader); // `| head -1`, which has seen enough.
        let ended = Ended::from(folder.command(arguments).stdout(writer).output().unwrap());
        assert!(!read.out.is_empty());
        assert_eq!((ended.code, ended.err), (read.code, read.err), "{arguments:?}");
    }
}

#[test]
fn help_gives_examples_and_says_what_the_exit_codes_mean() {
    let folder = Folder::with("");
    let ended = folder.run(&["--help"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("Examples:") && ended.out.contains("Exit codes:"), "{ended:?}");
}

#[tokio::test]
async fn a_password_comes_through_a_pipe_and_a_short_one_changes_nothing() {
    let folder = Folder::with(&settings());
    let add = ["user", "add", "amira", "--name", "Amira Khan", "--programme", "leeds"];
    let ended = folder.piped(&add, "hunter2\n");
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("12") && !ended.err.contains("hunter2"), "{ended:?}");
    let ended = folder.piped(&add, "three random words\n");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("random") && ended.out.contains("/desk"), "{ended:?}");
    let store = Store::look(&folder.database()).await.unwrap();
    let account = store.account(&"amira".into()).await.unwrap().unwrap();
    assert!(wellbridge::desk::accounts::verify(Some(&account), "three random words"));
    store.close().await;
    let ended = folder.piped(&["user", "add", "jo", "--name", "Jo", "--programme", "york"], "three random words\n");
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.contains("`york`"), "{ended:?}");
}

#[test]
fn a_backup_made_beside_the_service_is_restored_and_its_ledger_agrees() {
    let folder = Folder::with(&settings());
    let (mut child, _) = serve(&folder);
    let backup = folder.run(&["db", "backup", "copy.sqlite", "--json"]);
    assert_eq!((backup.code, &backup.json()["referrals"]), (Some(0), &Value::from(0)), "{backup:?}");
    terminate(&child);
    assert_eq!(code_within(&mut child, 30, |_| ()), Some(0));
    let restored = Folder::with(&settings());
    std::fs::create_dir_all(restored.data()).unwrap();
    std::fs::copy(folder.0.join("copy.sqlite"), restored.database()).unwrap();
    let verified = restored.run(&["ledger", "verify", "--json"]);
    assert_eq!((verified.code, &verified.json()["problems"]), (Some(0), &Value::from(Vec::<Value>::new())));
}

/// A running service, and its address.
fn serve(folder: &Folder) -> (Child, String) {
    let mut child = folder.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().to_owned();
    (child, address)
}

fn terminate(child: &Child) {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

/// The exit code, within so many seconds; `meanwhile` runs between looks.
fn code_within(child: &mut Child, seconds: u64, meanwhile: impl Fn(&Child)) -> Option<i32> {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        meanwhile(child);
        std::thread::park_timeout(Duration::from_millis(100));
    }
    child.kill().unwrap();
    panic!("it did not end within {seconds} s");
}

#[test]
fn told_to_stop_the_service_ends_well_though_somebody_is_connected_and_a_second_one_is_told_that_it_runs() {
    let folder = Folder::with(&settings());
    let (mut child, address) = serve(&folder);
    let _idle = TcpStream::connect(&address).unwrap();
    let second = folder.run(&["serve"]);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.err.contains("in use by another wellbridge process"), "{second:?}");
    let list = folder.run(&["referrals", "list", "--json"]);
    assert_eq!(list.code, Some(0), "commands look beside it: {list:?}");
    terminate(&child);
    assert_eq!(code_within(&mut child, 30, |_| ()), Some(0));
}

#[test]
fn told_twice_the_service_ends_at_once_whoever_holds_on() {
    let folder = Folder::with(&settings());
    let (mut child, address) = serve(&folder);
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(code_within(&mut child, 15, terminate_quietly), Some(2));
}

/// It may have ended between the look and this.
fn terminate_quietly(child: &Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
}

#[test]
fn match_tells_nothing_of_where_a_restricted_person_lives() {
    let eval = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/eval");
    let folder = Folder::with(&settings());
    let bundle = std::fs::read_to_string(eval.join("referrals/D001.json")).unwrap();
    let mut bundle: Value = serde_json::from_str(&bundle).unwrap();
    let feed = eval.join("services-feed.json");
    let told = |bundle: &Value| {
        std::fs::write(folder.0.join("referral.json"), bundle.to_string()).unwrap();
        let mut arguments = vec![
            "match",
            "--referral",
            "referral.json",
            "--directory",
            feed.to_str().unwrap(),
            "--today",
            "2026-11-24",
        ];
        let plain = folder.run(&arguments);
        arguments.push("--json");
        let json = folder.run(&arguments);
        assert_eq!((plain.code, json.code), (Some(0), Some(0)), "{plain:?} {json:?}");
        (plain.out, json.json())
    };
    let (usual, _) = told(&bundle);
    assert!(usual.contains("km from home"), "{usual}");
    let mut postcode = String::new();
    for entry in bundle["entry"].as_array_mut().unwrap() {
        if entry["resource"]["resourceType"] == "Patient" {
            entry["resource"]["meta"]["security"] = serde_json::json!([{ "code": "R" }]);
            postcode = entry["resource"]["address"][0]["postalCode"].as_str().unwrap().to_owned();
        }
    }
    let (plain, json) = told(&bundle);
    assert!(plain.contains("decision: person"), "{plain}");
    for place in ["km from home", &postcode] {
        assert!(!plain.contains(place) && !json.to_string().contains(place), "{place}: {plain}");
    }
    let candidates = json["needs"].as_array().unwrap().iter().flat_map(|n| n["candidates"].as_array().unwrap());
    assert!(candidates.clone().count() > 0, "{json}");
    assert!(candidates.into_iter().all(|c| c["distance_km"].is_null()), "{json}");
}

#[tokio::test]
async fn a_service_whose_jobs_cannot_be_worked_does_not_say_that_it_is_ready() {
    let folder = Folder::with(&settings());
    let store = Store::open(&folder.data()).await.unwrap();
    sqlx::query("drop table river_queue").execute(&connected(&folder).await).await.unwrap();
    store.close().await;
    let mut child = folder.command(&["serve"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(code_within(&mut child, 60, |_| ()), Some(2));
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(!out.contains("ready") && !err.contains("is ready"), "{out}{err}");
    assert!(err.lines().any(|line| line.starts_with("wellbridge: the job queue")), "{err}");
}

#[tokio::test]
async fn ledger_verify_ends_with_1_where_what_is_stored_does_not_follow_from_what_happened() {
    let folder = Folder::with(&settings());
    let store = Store::open(&folder.data()).await.unwrap();
    let id = received(&store, "sr-1").await;
    store.close().await;
    let well = folder.run(&["ledger", "verify"]);
    assert!(well.code == Some(0) && well.out.contains("agrees with itself"), "{well:?}");
    sqlx::query("update referral set state = 'withdrawn'").execute(&connected(&folder).await).await.unwrap();
    let found = folder.run(&["ledger", "verify"]);
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.out.contains("disagrees:") && found.out.contains(&id.to_string()), "{found:?}");
    let found = folder.run(&["ledger", "verify", "--json"]);
    assert_eq!((found.code, found.json()["problems"].as_array().unwrap().is_empty()), (Some(1), false), "{found:?}");
    for secret in IDENTIFIERS {
        assert!(!found.out.contains(secret), "{secret}");
    }
}

/// The database from behind.
async fn connected(folder: &Folder) -> sqlx::SqlitePool {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.database());
    sqlx::SqlitePool::connect_with(options).await.unwrap()
}
