//! `wellbridge match` and `wellbridge evaluate`: what the matcher reads, without a service, a database or a network.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Outcome, output};
use crate::clock::{Clock, london};
use crate::directory::{Directory, feed};
use crate::matching::{Decision, Match, Matcher, evaluate};
use crate::practice::Input;
use crate::practice::fhir::{Mappings, referral_from_bundle};
use crate::referral::PracticeId;
use crate::referral::episode::Hold;
use crate::service::assemble;

/// Match one referral against a directory file and say why.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  wellbridge match --referral tests/eval/referrals/D001.json --directory tests/eval/services-feed.json\n\nExit code 1 where the referral would be held at intake, because it cannot be read."
)]
pub(super) struct MatchOne {
    /// The referral: a FHIR R4 Bundle with the ServiceRequest and what it refers to.
    #[arg(long, value_name = "BUNDLE.json")]
    referral: PathBuf,
    /// The directory: an Open Referral UK JSON file.
    #[arg(long, value_name = "FEED.json")]
    directory: PathBuf,
    /// Match as if it were this day (default: today).
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
    /// A folder of mappings that stand in for the compiled-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
    /// For a program to read.
    #[arg(long)]
    json: bool,
}

/// Match a folder of referrals and write one JSON line each.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  wellbridge evaluate --referrals tests/eval/referrals --directory tests/eval/services-feed.json \\\n      --today 2026-11-24 --out target/run.jsonl\n  python3 tests/eval/score.py target/run.jsonl --labels tests/eval\n\nA referral that cannot be read is a line for a person to decide, and the exit code is 1."
)]
pub(super) struct Evaluate {
    /// A folder of FHIR Bundles; a referral's id is its file's name.
    #[arg(long, value_name = "DIR")]
    referrals: PathBuf,
    /// The directory: an Open Referral UK JSON file.
    #[arg(long, value_name = "FEED.json")]
    directory: PathBuf,
    /// The day to match on.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Date,
    /// Where to write, one JSON line a referral.
    #[arg(long, value_name = "RUN.jsonl")]
    out: PathBuf,
    /// A folder of mappings that stand in for the compiled-in ones.
    #[arg(long, value_name = "DIR")]
    mappings: Option<PathBuf>,
}

/// The domain's reading of a Bundle file; the practice's name does not matter here.
fn read_referral(path: &Path, mappings: &Mappings, today: Date) -> anyhow::Result<Input> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let now = today.at(12, 0, 0, 0).to_zoned(london()).map_or(Timestamp::UNIX_EPOCH, |noon| noon.timestamp());
    referral_from_bundle(&text, &PracticeId::from("file"), mappings, now)
        .with_context(|| format!("{} is not a FHIR Bundle with a referral", path.display()))
}

/// What there is to say of a referral that is held at intake: a person decides, and nothing is ranked.
const fn held(why: Hold) -> Match {
    Match { decision: Decision::Person, hold: Some(why), safety: Vec::new(), needs: Vec::new(), offer: None }
}

fn complain_of_hold(path: &Path, explanation: &str) {
    output::complain(&format!("{} would be held: {explanation}", path.display()));
}

fn read_directory(path: &Path) -> anyhow::Result<Directory> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let reading = feed::from_json(&text).with_context(|| format!("{} cannot be read", path.display()))?;
    for bad in &reading.bad {
        output::complain(&format!("left out: {bad}"));
    }
    Ok(Directory::new(reading.services))
}

impl MatchOne {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let matcher = assemble::matcher(self.mappings.as_deref())?;
        let today = self.today.unwrap_or_else(|| Clock::System.today());
        let input = read_referral(&self.referral, &assemble::fhir_mappings(self.mappings.as_deref())?, today)?;
        let directory = read_directory(&self.directory)?;
        let (found, outcome) = match input {
            Input::Readable(referral, _) => (matcher.match_referral(&referral, &directory, today), Outcome::Well),
            Input::Unreadable(unreadable, _) => {
                complain_of_hold(&self.referral, &unreadable.explanation);
                (held(unreadable.hold), Outcome::NotWell)
            }
        };
        if self.json {
            output::say_json(&found)?;
        } else {
            print(&found, &matcher, &directory);
        }
        Ok(outcome)
    }
}

fn print(found: &Match, matcher: &Matcher, directory: &Directory) {
    let name = |id| directory.get(id).map_or("?", |s| s.name.as_str());
    output::say(&format!("decision: {}", found.decision.as_str()));
    if let Some(why) = found.hold {
        output::say(&format!("why:      {}", crate::desk::words::hold(why).1));
    }
    for finding in &found.safety {
        output::say(&format!("safety:   {:?}: “{}”", finding.kind, finding.evidence.quote));
    }
    for need in &found.needs {
        output::say(&format!("\nneed: {}", matcher.kind_of_help(&need.need)));
        for evidence in &need.shown_by {
            output::say(&format!("  shown by “{}” ({})", evidence.quote, evidence.rule));
        }
        for (place, candidate) in (1..).zip(need.candidates.iter().take(5)) {
            output::say(&format!("  {place}. {}", name(&candidate.service)));
            for (word, reasons) in [("why", &candidate.why), ("careful", &candidate.careful)] {
                for reason in reasons {
                    let quote = reason.quote.as_ref().map(|q| format!(" “{q}”")).unwrap_or_default();
                    output::say(&format!("     {word}: {}{quote}", reason.sentence));
                }
            }
        }
        for excluded in need.excluded.iter().take(5) {
            output::say(&format!("  not {}: {}", name(&excluded.service), excluded.why.sentence));
        }
    }
    if let Some(offer) = &found.offer {
        output::say(&format!("\nwould be asked now: {}", name(offer)));
    }
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let matcher = assemble::matcher(self.mappings.as_deref())?;
        let mappings = assemble::fhir_mappings(self.mappings.as_deref())?;
        let directory = read_directory(&self.directory)?;
        let mut files: Vec<PathBuf> = fs::read_dir(&self.referrals)
            .with_context(|| format!("cannot read the folder {}", self.referrals.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|e| e == "json"))
            .collect();
        files.sort();
        if files.is_empty() {
            bail!("{} holds no .json file", self.referrals.display());
        }
        let out = fs::File::create(&self.out).with_context(|| format!("cannot write {}", self.out.display()))?;
        let mut out = BufWriter::new(out);
        let bar = output::bar(files.len() as u64, "matching");
        let mut unread = 0;
        for path in &files {
            let id = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let line = match read_referral(path, &mappings, self.today) {
                Ok(Input::Readable(referral, _)) => {
                    evaluate::Line::of(id, &matcher.match_referral(&referral, &directory, self.today))
                }
                // Holding it is the answer: a person reads it.
                Ok(Input::Unreadable(unreadable, _)) => {
                    complain_of_hold(path, &unreadable.explanation);
                    evaluate::Line::of(id, &held(unreadable.hold))
                }
                Err(why) => {
                    unread += 1;
                    output::complain(&format!("{why:#}"));
                    evaluate::Line::of(id, &held(Hold::UnreadableRequest))
                }
            };
            serde_json::to_writer(&mut out, &line)?;
            out.write_all(b"\n")?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        out.flush()?;
        let (read, to) = (files.len() - unread, self.out.display());
        if unread == 0 {
            output::say(&format!("{read} referrals matched, written to {to}"));
            return Ok(Outcome::Well);
        }
        output::say(&format!("{read} referrals matched and {unread} that cannot be read, written to {to}"));
        Ok(Outcome::NotWell)
    }
}
