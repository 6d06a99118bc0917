//! The fast pair of peers: the demo's pretend practice and mail catcher, in a process of their own that outlives every
//! kill of the service.
//!
//! For the long form of `tests/crash` and for measuring, where Medplum and aiosmtpd would be the slowest part. Prints
//! `{"practice":"http://127.0.0.1:N/fhir","smtp":N}` on one line, keeps each mail as a numbered `.eml` in the folder
//! given, and ends when its standard input closes.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use wellbridge::clock::Clock;
use wellbridge::demo::mail_catcher::{CaughtMail, MailCatcher};
use wellbridge::demo::practice::PretendPractice;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or(std::io::ErrorKind::InvalidInput)?);
    std::fs::create_dir_all(&folder)?;
    let practice = PretendPractice::start(Clock::System).await?;
    let catcher = MailCatcher::start(Clock::System).await?;
    let mut out = std::io::stdout();
    writeln!(out, r#"{{"practice":"{}","smtp":{}}}"#, practice.base_url(), catcher.address().port())?;
    out.flush()?;
    let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        kept = keep_mails(&catcher, &folder) => kept,
        _ = over => Ok(()),
    }
}

async fn keep_mails(catcher: &MailCatcher, folder: &Path) -> std::io::Result<()> {
    let mut caught = catcher.caught();
    while caught.changed().await.is_ok() {
        for mail in catcher.take() {
            keep(&mail, folder)?;
        }
    }
    Ok(())
}

/// A reader sees all of it or nothing.
fn keep(mail: &CaughtMail, folder: &Path) -> std::io::Result<()> {
    let part = folder.join(format!("{:06}.part", mail.number));
    std::fs::write(&part, &mail.raw)?;
    std::fs::rename(&part, folder.join(format!("{:06}.eml", mail.number)))
}
