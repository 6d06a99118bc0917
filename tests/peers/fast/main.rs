//! The fast pair of peers: the demo's pretend practice and mail catcher, in a process of their own that outlives every
//! kill of the service, for where Medplum and aiosmtpd would be the slowest part.
//!
//! - `peers FOLDER` (the long form of `tests/crash`): keeps each mail as a numbered `.eml` in the folder.
//! - `peers measure` (`tests/measure`): refers, answers as every partner and counts, as lines on its standard input say.
//! - `peers bare`: the bare loop that the service is measured against; its one line of input says how much of what.
//!
//! The first two print `{"practice":"http://127.0.0.1:N/fhir","smtp":N}` on one line and end when their standard input
//! closes.

#![expect(clippy::unwrap_used, reason = "a measurement that fails should stop")]

#[path = "../../../benches/road/bare.rs"]
mod bare;
mod measure;
mod partner;
#[path = "../../../benches/road/referrals.rs"]
mod referrals;

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::{CaughtMail, MailCatcher};
use wellbridge::demo::practice::PretendPractice;

#[tokio::main]
async fn main() -> io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("bare") => measure::bare_loop().await,
        Some("measure") => measure::serve().await,
        Some(folder) => keep_all(PathBuf::from(folder)).await,
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Opens both, and says where they are.
async fn open() -> io::Result<(PretendPractice, MailCatcher)> {
    let practice = PretendPractice::start(Clock::System).await?;
    let catcher = MailCatcher::start(Clock::System).await?;
    say(&json!({ "practice": practice.base_url(), "smtp": catcher.address().port() }))?;
    Ok((practice, catcher))
}

fn say(words: &Value) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{words}")?;
    out.flush()
}

async fn keep_all(folder: PathBuf) -> io::Result<()> {
    std::fs::create_dir_all(&folder)?;
    let (_practice, catcher) = open().await?;
    let over = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        kept = keep_mails(&catcher, &folder) => kept,
        _ = over => Ok(()),
    }
}

async fn keep_mails(catcher: &MailCatcher, folder: &Path) -> io::Result<()> {
    let mut caught = catcher.caught();
    while caught.changed().await.is_ok() {
        for mail in catcher.take() {
            keep(&mail, folder)?;
        }
    }
    Ok(())
}

/// A reader sees all of it or nothing.
fn keep(mail: &CaughtMail, folder: &Path) -> io::Result<()> {
    let part = folder.join(format!("{:06}.part", mail.number));
    std::fs::write(&part, &mail.raw)?;
    std::fs::rename(&part, folder.join(format!("{:06}.eml", mail.number)))
}
