//! Poll a practice: read what changed since the cursor, page by page, and take everything in.
//!
//! Each page is taken in in one transaction; a poll too long for one job goes on in the next. The cursor moves only after
//! the page that has no `next`, and never past entries that were not read (`total` > read: read once more, then tell
//! somebody and stay). A page that cannot be read is a fault of the practice's system: told once, tried again, nothing
//! skipped.
//!
//! A practice is polled by one job at a time, whoever asked for it and on whatever replica: the others wait for its turn.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::schedule::{READ, Schedule};
use super::{About, Attempt, Effect, JobError, edge_failed, is_blip, nothing_to_do, pace};
use crate::clock::london;
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{Input, LastRead, PollFrom, PracticeSystem, Versions};
use crate::random;
use crate::referral::facts::facts;
use crate::referral::{PracticeId, ReferralId};
use crate::service::Wellbridge;
use crate::settings::{Practice, Programme};
use crate::store::queue::{PollPlace, PollPractice, once};
use crate::store::{Cursor, Edge, Store, StoreError, TakenIn, Tx};

/// A page of a practice that never ends is a fault; no practice changes so much between two polls.
const MOST_PAGES: u32 = 2_000;
/// After so long, or so many pages, a poll goes on in another job, well before its time is over (a page may take long
/// itself), and so often that a service which is stopped again and again still comes to the end of a long one.
const ONE_JOB: (Duration, u32) = (Duration::from_secs(10), 5);
/// Open requests asked for by id at each poll, those not read for longest first: the daily reading sees the rest.
const MOST_OPEN: i64 = 1_000;
/// How long that may take; it is beside the poll proper.
const LOOK: Duration = Duration::from_secs(30);
/// How soon a poll looks again whether another one of its practice is over.
const NEXT: Duration = Duration::from_secs(1);
/// When a long poll starts from its cursor again, after the place it had come to led nowhere.
const AFRESH: SignedDuration = SignedDuration::from_mins(5);

impl Effect for PollPractice {
    const SCHEDULE: Schedule = READ;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(2)
    }

    fn about(&self) -> About {
        About::Practice(self.practice.clone())
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let (Some(practice), Some(system)) = (service.practice(&self.practice), service.practices.get(&self.practice))
        else {
            return nothing_to_do(service, attempt).await; // Taken out of the settings.
        };
        let Some(programme) = service.programme(&practice.programme) else {
            return nothing_to_do(service, attempt).await;
        };
        self.alone(service, attempt).await?;
        pace::at_practice(service, &self.practice, attempt).await?;
        let began = tokio::time::Instant::now();
        let mut place = self.at.clone().unwrap_or_else(|| start_at(attempt.now));
        let mut read = 0;
        loop {
            read += 1;
            match read_page(service, practice, programme, system.as_ref(), &mut place).await {
                Ok(Progress::Done) => {
                    look_at_the_open(service, practice, programme, system.as_ref()).await?;
                    return self.finished(service, attempt, programme, &place).await;
                }
                Ok(Progress::More) if began.elapsed() < ONE_JOB.0 && read < ONE_JOB.1 => {}
                Ok(Progress::More) => return self.goes_on(service, attempt, place).await,
                Err(JobError::Effect(error)) => return self.failed(service, attempt, programme, error).await,
                Err(error) => return Err(error),
            }
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
    fn edge_of(&self, programme: &Programme) -> Edge {
        Edge::Practice(programme.id.clone(), self.practice.clone())
    }

    /// Takes the practice for this job; an error where another job polls it.
    async fn alone(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        let alone = tx.polls_alone(&self.practice, attempt.job).await?;
        tx.commit().await?;
        if alone { Ok(()) } else { Err(JobError::Wait(NEXT)) }
    }

    async fn finished(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        programme: &Programme,
        place: &PollPlace,
    ) -> Result<(), JobError> {
        let since = moves_to(&service.store.cursor(&self.practice).await?, place.began, attempt.now);
        let mut tx = service.store.begin().await?;
        tx.move_cursor(&self.practice, since, attempt.now).await?;
        if tx.edge_is_well(&self.edge_of(programme), attempt.now).await? {
            tracing::info!(practice.id = %self.practice, "the practice's system is well again");
        }
        self.done(service, &mut tx, attempt).await?;
        crash_point::reached("before:cursor");
        Ok(tx.commit().await?)
    }

    /// More pages than one job has time for: what was read is taken in, the next job goes on behind it.
    async fn goes_on(&self, service: &Wellbridge, attempt: Attempt, place: PollPlace) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        tx.complete(attempt.job).await?;
        tx.enqueue(Self { at: Some(place), ..self.clone() }, once().with_priority(1)).await?;
        Ok(tx.commit().await?)
    }

    async fn failed(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        programme: &Programme,
        error: EffectError,
    ) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        // A place behind which nothing comes (its page is gone, or entries are missing) is left: from the cursor again.
        let afresh = self.at.is_some() && (attempt.number >= 3 || matches!(error, EffectError::GiveUp { .. }));
        if afresh || !is_blip(&error, attempt) {
            edge_failed(&mut tx, service, &self.edge_of(programme), &error.to_string(), attempt.now).await?;
        }
        if afresh {
            let later = attempt.now.checked_add(AFRESH).unwrap_or(attempt.now);
            tx.complete(attempt.job).await?;
            tx.enqueue(Self { at: None, ..self.clone() }, once().with_scheduled_at(later)).await?;
            return Ok(tx.commit().await?);
        }
        tx.commit().await?;
        // A wrong answer stays wrong for a while: it is tried again as if it were down.
        Err(match error {
            EffectError::GiveUp { why, .. } | EffectError::NeedsPerson { why } => EffectError::retry(why),
            other => other,
        }
        .into())
    }

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

/// What reading one page led to.
enum Progress {
    More,
    Done,
}

fn start_at(now: Timestamp) -> PollPlace {
    PollPlace { began: now, next: None, pages: 0, missing: 0, again: false }
}

/// Reads the page at `place`, takes everything in and moves `place` on. Where fewer entries came than the system says
/// match, everything is read once more before somebody is told.
async fn read_page(
    service: &Wellbridge,
    practice: &Practice,
    programme: &Programme,
    system: &dyn PracticeSystem,
    place: &mut PollPlace,
) -> Result<Progress, JobError> {
    let from = match place.next.take() {
        Some(next) => PollFrom::Next(next),
        None => PollFrom::Since(since(service, practice).await?),
    };
    crash_point::step("before:poll").await?;
    let page = system.poll(&from, &Here { service, practice: &practice.id }).await?;
    crash_point::step("after:poll").await?;
    // `_lastUpdated` is stamped by the practice's clock: where that one is behind ours, the cursor goes by it.
    place.began = page.server_time.filter(|_| place.pages == 0).map_or(place.began, |theirs| theirs.min(place.began));
    take_in(service, practice, programme, page.inputs).await?;
    place.missing += page.missing;
    place.pages += 1;
    place.next = page.next;
    match (&place.next, place.missing) {
        (Some(_), _) if place.pages >= MOST_PAGES => {
            let why = "the practice's system gives one page after another without end: ask the practice's supplier";
            Err(EffectError::retry(why).into())
        }
        (Some(_), _) => Ok(Progress::More),
        (None, 0) => Ok(Progress::Done),
        (None, _) if !place.again => {
            *place = PollPlace { again: true, ..start_at(place.began) };
            Ok(Progress::More)
        }
        (None, missing) => {
            let why = format!(
                "the practice's system says that {missing} more entries match than its pages hold; \
                 the cursor stays where it is so that nothing is skipped: ask the practice's supplier"
            );
            Err(EffectError::retry(why).into())
        }
    }
}

/// What the store knows of a practice's requests.
struct Here<'a> {
    service: &'a Wellbridge,
    practice: &'a PracticeId,
}

#[async_trait::async_trait]
impl LastRead for Here<'_> {
    async fn last_read(&self, request: &str) -> Option<Versions> {
        // A database that does not answer will say so when the page is taken in.
        self.service.store.last_read(self.practice, request).await.unwrap_or_default()
    }
}

/// Where a poll starts: the cursor less the overlap, or the day the practice is taken from.
async fn since(service: &Wellbridge, practice: &Practice) -> Result<Option<Timestamp>, StoreError> {
    let first = practice.take_from.and_then(|day| Some(day.to_zoned(london()).ok()?.timestamp()));
    Ok(since_cursor(service, practice).await?.or(first))
}

/// The cursor less the overlap; none before the first whole poll.
async fn since_cursor(service: &Wellbridge, practice: &Practice) -> Result<Option<Timestamp>, StoreError> {
    let cursor = service.store.cursor(&practice.id).await?;
    let overlap = SignedDuration::try_from(practice.fhir.overlap).unwrap_or_default();
    Ok(cursor.since.map(|at| at.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH)))
}

/// Where the cursor moves to after a whole poll that began then. A practice's clock that was set back since the last
/// poll has stamped what came meanwhile with times long past: the next poll looks at all of that time again.
fn moves_to(cursor: &Cursor, began: Timestamp, now: Timestamp) -> Timestamp {
    match (cursor.since, cursor.polled) {
        (Some(since), Some(polled)) if began < since => {
            began.checked_sub(now.duration_since(polled).abs()).unwrap_or(Timestamp::UNIX_EPOCH)
        }
        _ => began,
    }
}

/// Asks which of the open requests changed: a request that only a Task points to, and that its practice takes back
/// without touching the Task, is found by no other search. A system that refuses this does not stop the poll: the
/// overlap asks again, and the daily reading sees it at the latest.
async fn look_at_the_open(
    service: &Wellbridge,
    practice: &Practice,
    programme: &Programme,
    system: &dyn PracticeSystem,
) -> Result<(), JobError> {
    let Some(since) = since_cursor(service, practice).await? else { return Ok(()) };
    let open = service.store.open_requests(&practice.id, MOST_OPEN).await?;
    if open.is_empty() {
        return Ok(());
    }
    let known = Here { service, practice: &practice.id };
    let refused = match tokio::time::timeout(LOOK, system.changed(&open, since, &known)).await {
        Ok(Ok(inputs)) => {
            take_in(service, practice, programme, inputs).await?;
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it did not answer in time".to_owned(),
    };
    tracing::warn!(practice.id = %practice.id, error = refused, "the open requests could not be asked for by id");
    Ok(())
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
    tx.enqueue(PollPractice { practice: practice.clone(), tick: None, at: None }, once().with_priority(1)).await?;
    tx.commit().await
}

/// Makes sure that a regular poll is queued, under way, or waits for its time.
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

/// One regular poll of a practice at a time, however often the service starts and however many replicas there are: were
/// each start to add one, a service that stops again and again would in the end do nothing but poll.
async fn queue_at(tx: &mut Tx, practice: &PracticeId, window: i64, every: i64) -> Result<(), StoreError> {
    let at = Timestamp::from_millisecond(window * every).unwrap_or(Timestamp::UNIX_EPOCH);
    let args = PollPractice { practice: practice.clone(), tick: Some(every), at: None };
    tx.enqueue(args, once().with_scheduled_at(at)).await?;
    Ok(())
}

fn every(practice: &Practice) -> i64 {
    i64::try_from(practice.fhir.poll_every.as_millis()).unwrap_or(i64::MAX).max(1_000)
}

fn window(now: Timestamp, every: i64) -> i64 {
    now.as_millisecond() / every
}
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn however_often_the_service_starts_one_regular_poll_of_a_practice_waits() {
        let dir = std::env::temp_dir().join(format!("wellbridge-poll-{}", random::uuid()));
        let store = Store::open(&dir).await.unwrap();
        let (first, second) = (PracticeId::from("beech-lane"), PracticeId::from("chapel-row"));
        for start in 0..5 {
            let mut tx = store.begin().await.unwrap();
            queue_at(&mut tx, &first, start, 1_000).await.unwrap();
            queue_at(&mut tx, &second, start, 1_000).await.unwrap();
            tx.commit().await.unwrap();
            poll_now(&store, &first).await.unwrap();
        }
        assert_eq!(store.jobs_waiting().await.unwrap(), 1, "one on demand");
        let later = Timestamp::from_second(60).unwrap();
        assert_eq!(store.bring_forward(later).await.unwrap(), 2, "a regular one for each practice");
        store.close().await;
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
