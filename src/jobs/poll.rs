//! Poll a practice: read what changed since the cursor, page by page, and take everything in.
//!
//! Each page is taken in in one transaction; the cursor moves only after the page that has no `next`, and never past
//! entries that were not read (`total` > read: read once more, then tell somebody and stay). A page that cannot be read
//! is a fault of the practice's system: told once, tried again, nothing skipped.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use riverqueue::InsertOpts;

use super::schedule::{READ, Schedule};
use super::{Attempt, Effect, JobError, edge_failed, is_blip, nothing_to_do};
use crate::clock::london;
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{Input, PollFrom, PracticeSystem};
use crate::random;
use crate::referral::facts::facts;
use crate::referral::{PracticeId, ReferralId};
use crate::service::Wellbridge;
use crate::settings::{Practice, Programme};
use crate::store::queue::{PollPractice, due, once};
use crate::store::{Store, StoreError, TakenIn, Tx};

/// A page of a practice that never ends is a fault; no practice changes so much between two polls.
const MOST_PAGES: usize = 2_000;

impl Effect for PollPractice {
    const SCHEDULE: Schedule = READ;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(2)
    }

    fn edge() -> Option<String> {
        None // It tells of it by its own name.
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let (Some(practice), Some(system)) = (service.practice(&self.practice), service.practices.get(&self.practice))
        else {
            return nothing_to_do(service, attempt).await; // Taken out of the settings.
        };
        let Some(programme) = service.programme(&practice.programme) else {
            return nothing_to_do(service, attempt).await;
        };
        match read_all(service, practice, programme, system.as_ref()).await {
            Ok(()) => {
                let mut tx = service.store.begin().await?;
                tx.move_cursor(&self.practice, attempt.now, attempt.now).await?;
                if tx.edge_is_well(&edge(&self.practice)).await? {
                    tracing::info!(practice.id = %self.practice, "the practice's system is well again");
                }
                self.done(service, &mut tx, attempt).await?;
                crash_point::reached("before:cursor");
                Ok(tx.commit().await?)
            }
            Err(JobError::Effect(error)) => {
                if !is_blip(&error, attempt) {
                    let mut tx = service.store.begin().await?;
                    let told = [&programme.id];
                    edge_failed(&mut tx, &edge(&self.practice), &error.to_string(), told, attempt.now).await?;
                    tx.commit().await?;
                }
                // A wrong answer stays wrong for a while: it is tried again as if it were down.
                Err(match error {
                    EffectError::GiveUp { why, .. } => EffectError::retry(why),
                    other => other,
                }
                .into())
            }
            Err(error) => Err(error),
        }
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        // The duty address was told when it began; the next tick tries from the same cursor.
        let mut tx = service.store.begin().await?;
        self.done(service, &mut tx, attempt).await?;
        tx.commit().await
    }
}

impl PollPractice {
    async fn done(&self, service: &Wellbridge, tx: &mut Tx, attempt: Attempt) -> Result<(), StoreError> {
        tx.complete(attempt.job).await?;
        if self.tick.is_some()
            && let Some(practice) = service.practice(&self.practice)
        {
            let every = every(practice);
            queue_at(tx, &self.practice, window(attempt.now, every) + 1, every).await?;
        }
        Ok(())
    }
}

/// Reads every page and takes everything in; where fewer entries came than the system says match, everything is read once
/// more before somebody is told.
async fn read_all(
    service: &Wellbridge,
    practice: &Practice,
    programme: &Programme,
    system: &dyn PracticeSystem,
) -> Result<(), JobError> {
    let cursor = service.store.cursor(&practice.id).await?;
    let overlap = SignedDuration::try_from(practice.fhir.overlap).unwrap_or_default();
    let first = practice.take_from.and_then(|day| Some(day.to_zoned(london()).ok()?.timestamp()));
    let since = cursor.since.map(|at| at.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH)).or(first);
    let mut missing = 0;
    for _ in 0..2 {
        missing = read_pages(service, practice, programme, system, since).await?;
        if missing == 0 {
            return Ok(());
        }
    }
    let why = format!(
        "the practice's system says that {missing} more entries match than its pages hold; \
         the cursor stays where it is so that nothing is skipped: ask the practice's supplier"
    );
    Err(EffectError::retry(why).into())
}

/// Reads all pages once; answers how many entries were promised and did not come.
async fn read_pages(
    service: &Wellbridge,
    practice: &Practice,
    programme: &Programme,
    system: &dyn PracticeSystem,
    since: Option<Timestamp>,
) -> Result<u64, JobError> {
    let mut from = PollFrom::Since(since);
    let mut missing = 0;
    for _ in 0..MOST_PAGES {
        let page = system.poll(&from).await?;
        missing += page.missing;
        take_in(service, practice, programme, page.inputs).await?;
        match page.next {
            Some(next) => from = PollFrom::Next(next),
            None => return Ok(missing),
        }
    }
    let why = "the practice's system gives one page after another without end: ask the practice's supplier";
    Err(EffectError::retry(why).into())
}

/// Takes in what one page held, in one transaction.
pub(super) async fn take_in(
    service: &Wellbridge,
    practice: &Practice,
    programme: &Programme,
    inputs: Vec<Input>,
) -> Result<Vec<TakenIn>, StoreError> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let now = service.clock.now();
    let mut tx = service.store.begin().await?;
    let mut taken = Vec::with_capacity(inputs.len());
    for input in inputs {
        let one = take_in_one(&mut tx, programme, &input, now).await?;
        if let TakenIn::New(id) = one {
            tracing::info!(referral.id = %id, practice.id = %practice.id, "a referral was received");
        }
        taken.push(one);
    }
    crash_point::reached("before:take-in");
    tx.commit().await?;
    crash_point::reached("after:take-in");
    Ok(taken)
}

/// Takes in one entry, within a transaction.
pub(crate) async fn take_in_one(
    tx: &mut Tx,
    programme: &Programme,
    input: &Input,
    now: Timestamp,
) -> Result<TakenIn, StoreError> {
    let id = ReferralId::from_uuid(random::uuid());
    match input {
        Input::Readable(referral, raw) => {
            let facts = facts(referral, programme.consent);
            tx.take_in(id, &programme.id, referral, facts, raw, now).await
        }
        Input::Unreadable(unreadable, raw) => tx.take_in_unreadable(id, &programme.id, unreadable, raw, now).await,
    }
}

/// Polls a practice at once, beside its ticks.
pub async fn poll_now(store: &Store, practice: &PracticeId) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.enqueue(PollPractice { practice: practice.clone(), tick: None }, once().with_priority(1)).await?;
    tx.commit().await
}

/// Makes sure that the tick of the period `now` lies in is queued (or was worked).
pub(super) async fn queue_tick(
    tx: &mut Tx,
    service: &Wellbridge,
    practice: &PracticeId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(settings) = service.practice(practice) else { return Ok(()) };
    let every = every(settings);
    queue_at(tx, practice, window(now, every), every).await
}

async fn queue_at(tx: &mut Tx, practice: &PracticeId, tick: i64, every: i64) -> Result<(), StoreError> {
    let at = Timestamp::from_millisecond(tick * every).unwrap_or(Timestamp::UNIX_EPOCH);
    let args = PollPractice { practice: practice.clone(), tick: Some(tick) };
    tx.enqueue(args, unique(due(at))).await?;
    Ok(())
}

/// The same tick is never worked twice, also when it was completed.
fn unique(opts: InsertOpts) -> InsertOpts {
    opts.with_unique(riverqueue::UniqueOpts::new().with_by_args(true))
}

fn every(practice: &Practice) -> i64 {
    i64::try_from(practice.fhir.poll_every.as_millis()).unwrap_or(i64::MAX).max(1_000)
}

fn window(now: Timestamp, every: i64) -> i64 {
    now.as_millisecond() / every
}

fn edge(practice: &PracticeId) -> String {
    format!("practice:{practice}")
}
