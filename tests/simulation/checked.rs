//! The independent checker on a scenario's end: mails as files that carry the story's time, the practice over HTTP, the
//! database through its own client. It is Python and shares no code with the service.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use wellbridge::referral::event::Alert;

use super::stage::Stage;

impl Stage {
    /// Fails with what the checker found; false where there is no Python to run it.
    pub(crate) async fn is_checked(&self) -> bool {
        let folder = self.world.folder();
        let mails = folder.join("mails");
        std::fs::create_dir_all(&mails).unwrap();
        for mail in self.world.mail.mails() {
            let mut file = File::create(mails.join(format!("{:06}.eml", mail.number))).unwrap();
            std::io::Write::write_all(&mut file, &mail.raw).unwrap();
            let since = Duration::from_millis(mail.received.as_millisecond().unsigned_abs());
            file.set_modified(SystemTime::UNIX_EPOCH + since).unwrap();
        }
        let disturbances = folder.join("disturbances.json");
        std::fs::write(&disturbances, Value::from(self.disturbances.clone()).to_string()).unwrap();
        let python = std::env::var_os("WELLBRIDGE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checker"))
            .args(["--practice", self.practice().base_url(), "--database", &self.world.database()])
            .arg("--mails")
            .arg(&mails)
            .arg("--disturbances")
            .arg(&disturbances)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null());
        let ended = match tokio::task::spawn_blocking(move || command.output()).await.unwrap() {
            Ok(ended) => ended,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let required = std::env::var("WELLBRIDGE_TEST_PEERS").is_ok_and(|value| value == "required");
                assert!(!required, "there is no Python, but every peer is required");
                return false;
            }
            Err(error) => panic!("the checker does not start: {error}"),
        };
        let said: Value = serde_json::from_slice(&ended.stdout)
            .unwrap_or_else(|_| panic!("the checker fell over: {}", String::from_utf8_lossy(&ended.stderr)));
        let found = self.unexplained(&said["findings"]).await;
        assert!(found.is_empty(), "the checker found: {}", found.join("; "));
        true
    }

    /// What is nobody's to explain. A Task whose writing was given up is a person's from then on: she was told.
    async fn unexplained(&self, findings: &Value) -> Vec<String> {
        let mut left = Vec::new();
        for (name, sentences) in findings.as_object().into_iter().flatten() {
            for sentence in sentences.as_array().into_iter().flatten().filter_map(Value::as_str) {
                if name != "tasks_untrue" || !self.was_given_up(sentence).await {
                    left.push(format!("{name}: {sentence}"));
                }
            }
        }
        left
    }

    async fn was_given_up(&self, sentence: &str) -> bool {
        let Some(id) = sentence.split(':').next().and_then(|id| id.parse().ok()) else { return false };
        let alerts = self.world.service.store.alerts_of(id).await.unwrap();
        alerts.iter().any(|alert| alert.kind == Alert::GivenUp)
    }
}
