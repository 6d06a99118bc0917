//! The real peers: other people's servers, started as processes and ended by their id when the test is done.
//!
//! Where `tests/run` did not say where a peer is, `start` gives `None` and says so; where it did, a peer that does not
//! come up fails the test. A peer is held by its standard input too: should a test be killed, the peer ends by itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use wellbridge::random;

/// Nothing here should take longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Where `tests/run` put a peer.
fn whereabouts(variable: &str) -> Option<PathBuf> {
    let found = std::env::var_os(variable).map(PathBuf::from);
    if found.is_none() {
        let required = std::env::var("WELLBRIDGE_TEST_PEERS").is_ok_and(|value| value == "required");
        assert!(!required, "{variable} is not set, but every peer is required");
        eprintln!("{variable} is not set: this peer is left out (tests/run installs it)");
    }
    found
}

fn python() -> Option<PathBuf> {
    whereabouts("WELLBRIDGE_TEST_PYTHON")
}

/// A process that says what happens in JSON lines.
#[derive(Debug)]
struct Peer {
    child: Child,
    said: watch::Receiver<Vec<Value>>,
}

impl Peer {
    fn spawn(program: &Path, arguments: &[&std::ffi::OsStr]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let stdout = child.stdout.take().unwrap();
        let (sender, said) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line) {
                    sender.send_modify(|all: &mut Vec<Value>| all.push(value));
                }
            }
        });
        Self { child, said }
    }

    /// Waits until it has said something that fits.
    async fn wait_for<T>(&self, look: impl Fn(&[Value]) -> Option<T>) -> Option<T> {
        let mut said = self.said.clone();
        let seen = async {
            loop {
                let found = look(&said.borrow_and_update());
                if found.is_some() {
                    return found;
                }
                said.changed().await.ok()?;
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.ok().flatten()
    }

    async fn port(&self) -> u16 {
        let port = self.wait_for(|said| said.iter().find_map(|line| line["port"].as_u64())).await;
        u16::try_from(port.expect("the peer did not say its port")).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Medplum's FHIR R4 server; how it differs from ours is in `tests/peers/medplum/README.md`.
#[derive(Debug)]
pub(crate) struct Medplum {
    base: String,
    _peer: Peer,
}

impl Medplum {
    /// `None` where it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let script = whereabouts("WELLBRIDGE_TEST_MEDPLUM")?;
        let peer = Peer::spawn(Path::new("node"), &[script.as_os_str()]);
        let port = peer.port().await;
        Some(Self { base: format!("http://127.0.0.1:{port}/fhir/R4"), _peer: peer })
    }

    /// The FHIR base, without a slash at its end.
    pub(crate) fn base_url(&self) -> &str {
        &self.base
    }
}

/// A mail that aiosmtpd kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptMail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) raw: Vec<u8>,
}

/// aiosmtpd; its options and faults are told in `tests/peers/smtp/server.py`.
#[derive(Debug)]
pub(crate) struct Aiosmtpd {
    port: u16,
    directory: PathBuf,
    peer: Peer,
}

impl Aiosmtpd {
    /// Starts it with options such as `["--tls", "starttls", "--certificate", "expired"]`; `None` where it is not there.
    pub(crate) async fn start(options: &[&str]) -> Option<Self> {
        let (python, script) = (python()?, whereabouts("WELLBRIDGE_TEST_SMTP")?);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mails-{}", random::uuid()));
        let mut arguments = vec![script.as_os_str(), directory.as_os_str()];
        arguments.extend(options.iter().map(std::ffi::OsStr::new));
        let peer = Peer::spawn(&python, &arguments);
        let port = peer.port().await;
        Some(Self { port, directory, peer })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The file of the private authority that signed the good certificate, where it has TLS.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// The private authority that signed the good certificate (PEM), where it has TLS.
    pub(crate) fn authority(&self) -> Vec<u8> {
        std::fs::read(self.authority_file()).unwrap()
    }

    /// The next mails to `to` (`*` for anybody) meet this fault: `data-450`, `lost-kept`, …
    pub(crate) fn fail_next(&self, times: u32, to: &str, fault: &str) {
        let faults = json!([{ "to": to, "times": times, "fault": fault }]);
        std::fs::write(self.directory.join("faults.json"), faults.to_string()).unwrap();
    }

    /// The mails kept so far, as far as it has told: what it keeps just now may not be among them yet.
    pub(crate) fn mails(&self) -> Vec<KeptMail> {
        self.peer.said.borrow().iter().filter_map(|line| self.kept(line)).collect()
    }

    /// The mails kept, as soon as there are this many.
    pub(crate) async fn wait_for_mails(&self, count: usize) -> Option<Vec<KeptMail>> {
        let enough = |said: &[Value]| {
            let mails: Vec<KeptMail> = said.iter().filter_map(|line| self.kept(line)).collect();
            (mails.len() >= count).then_some(mails)
        };
        self.peer.wait_for(enough).await
    }

    /// The first mail to this address, as soon as it is kept.
    pub(crate) async fn wait_for_mail_to(&self, address: &str) -> Option<KeptMail> {
        let to = |said: &[Value]| {
            said.iter().filter_map(|line| self.kept(line)).find(|mail| mail.to.iter().any(|to| to == address))
        };
        self.peer.wait_for(to).await
    }

    fn kept(&self, line: &Value) -> Option<KeptMail> {
        let raw = std::fs::read(self.directory.join(line["mail"].as_str()?)).unwrap();
        let to = line["to"].as_array()?.iter().filter_map(|to| to.as_str().map(str::to_owned)).collect();
        Some(KeptMail { from: line["from"].as_str()?.to_owned(), to, raw })
    }
}

impl Drop for Aiosmtpd {
    fn drop(&mut self) {
        // A leftover folder under target/ does no harm.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// What a second judge (the Python package `fhir.resources`) finds wrong with these resources; `None` where it is not installed.
pub(crate) fn judged(resources: &[Value]) -> Option<Vec<Value>> {
    let (python, script) = (python()?, whereabouts("WELLBRIDGE_TEST_JUDGE")?);
    let (_, answer) = ask(&python, &[script.as_os_str()], &json!(resources));
    Some(serde_json::from_value(answer).unwrap())
}

/// What Chromium and axe-core find on these pages (`tests/peers/browser/visit.mjs`): the exit code (0 is well) and each
/// page's result. Screenshots go below `target/screenshots`. `None` where there is no browser.
pub(crate) fn visited(folder: &str, pages: &Value) -> Option<(i32, Vec<Value>)> {
    // One browser at a time: two starting at once on a small machine wait for each other until one gives up.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let script = whereabouts("WELLBRIDGE_TEST_BROWSER")?;
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots").join(folder);
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (code, mut answer) = ask(Path::new("node"), &[script.as_os_str(), screenshots.as_os_str()], pages);
    Some((code, serde_json::from_value(answer["pages"].take()).unwrap()))
}

/// Runs a process on one JSON value and reads the one it answers.
fn ask(program: &Path, arguments: &[&std::ffi::OsStr], question: &Value) -> (i32, Value) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let answer = serde_json::from_slice(&output.stdout);
    (code, answer.unwrap_or_else(|error| panic!("the peer answered no JSON ({error}), exit code {code}")))
}
