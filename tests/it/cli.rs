//! The program as a person or a script at a terminal meets it: what it says, what it answers, and how it ends.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use wellbridge::random;
use wellbridge::store::Store;

/// A folder with settings in it, and nothing running.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything on ports where nobody listens.
const SETTINGS: &str = r#"
data_dir = "data"

[web]
listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:8080"

[mail]
host = "127.0.0.1"
port = 1
tls = "none"
from = "Leeds Wellbeing <referrals@leeds.example>"

[programmes.leeds]
name = "Leeds Wellbeing Coordinators"
phone = "0113 496 0100"
mode = "propose"
duty_address = "duty@leeds.example"
second_duty_address = "lead@leeds.example"

[practices.burton-croft]
name = "Burton Croft Surgery"
programme = "leeds"
fhir = "http://127.0.0.1:1/r4"
organisation = "Organization/wellbridge"

[directory.feeds.city]
kind = "file"
path = "no-such-file.json"
"#;

impl Folder {
    fn with(settings: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wellbridge-cli-{}", random::uuid()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("wellbridge.toml"), settings).unwrap();
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wellbridge"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WELLBRIDGE")) {
            command.env_remove(name);
        }
        command
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

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

#[test]
fn settings_that_cannot_be_used_end_a_command_with_2_and_say_which() {
    let folder = Folder::with(&SETTINGS.replace("duty_address = \"duty@leeds.example\"\n", ""));
    let ended = folder.run(&["referrals", "list"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("programmes.leeds") && ended.err.contains("duty_address"), "{ended:?}");
    assert!(!folder.data().exists(), "nothing was made");
}

#[test]
fn check_shows_bad_settings_as_a_line_that_is_not_well() {
    let folder = Folder::with(&SETTINGS.replace("mode = \"propose\"\n", ""));
    let ended = folder.run(&["check", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let lines = ended.json();
    assert_eq!((&lines[0]["what"], &lines[0]["well"]), (&Value::from("settings"), &Value::from(false)));
    assert!(lines[0]["said"].as_str().unwrap().contains("mode"), "{lines}");
}

#[test]
fn check_names_every_connection_that_does_not_answer_and_leaves_nothing_behind() {
    let folder = Folder::with(SETTINGS);
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
fn a_wrong_argument_ends_with_2_and_names_the_right_ones() {
    let folder = Folder::with(SETTINGS);
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
    let folder = Folder::with(SETTINGS);
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
fn help_gives_examples_and_says_what_the_exit_codes_mean() {
    let folder = Folder::with("");
    let ended = folder.run(&["--help"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("Examples:") && ended.out.contains("Exit codes:"), "{ended:?}");
}

#[tokio::test]
async fn a_password_comes_through_a_pipe_and_a_short_one_changes_nothing() {
    let folder = Folder::with(SETTINGS);
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
    let folder = Folder::with(SETTINGS);
    let (mut child, _) = serve(&folder);
    let backup = folder.run(&["db", "backup", "copy.sqlite", "--json"]);
    assert_eq!((backup.code, &backup.json()["referrals"]), (Some(0), &Value::from(0)), "{backup:?}");
    terminate(&child);
    assert_eq!(code_within(&mut child, 30, |_| ()), Some(0));
    let restored = Folder::with(SETTINGS);
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
    let folder = Folder::with(SETTINGS);
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
    let folder = Folder::with(SETTINGS);
    let (mut child, address) = serve(&folder);
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").unwrap();
    assert_eq!(code_within(&mut child, 15, terminate_quietly), Some(2));
}

/// It may have ended between the look and this.
fn terminate_quietly(child: &Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
}
