//! Sync one directory feed, one page a job; what was gathered replaces the last good copy only when it is whole and not
//! strangely empty.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use riverqueue::InsertOpts;

use super::schedule::{READ, Schedule};
use super::{About, Attempt, Effect, JobError, edge_failed, is_blip, nothing_to_do};
use crate::crash_point;
use crate::directory::Service;
use crate::directory::feed;
use crate::directory::{SyncVerdict, sync_verdict};
use crate::effect::EffectError;
use crate::random;
use crate::service::Wellbridge;
use crate::settings::{Feed, FeedSource};
use crate::store::queue::{MatchReferral, SyncDirectory, due, once};
use crate::store::{Edge, Store, StoreError, Tx};

/// For one whole request to a feed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// One page of a sync, read.
pub(crate) struct Gathered {
    /// The services that could be read.
    pub(crate) services: Vec<Service>,
    /// How many could not.
    pub(crate) bad: usize,
    /// Pages in all.
    pub(crate) pages: u64,
}

impl Effect for SyncDirectory {
    const SCHEDULE: Schedule = READ;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_secs(135)
    }

    fn about(&self) -> About {
        About::Feed(self.feed.clone())
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(feed) = service.settings.feeds.get(&self.feed) else {
            return nothing_to_do(service, attempt).await;
        };
        crash_point::step("before:feed").await?;
        let gathered = gather(feed, self.page).await;
        crash_point::step("after:feed").await?;
        let gathered = match gathered {
            Ok(gathered) => gathered,
            Err(error) if is_blip(&error, attempt) => return Err(error.into()),
            Err(error) => {
                let mut tx = service.store.begin().await?;
                edge_failed(&mut tx, service, &self.edge_of(), &error.to_string(), attempt.now).await?;
                tx.commit().await?;
                return Err(match error {
                    EffectError::NeedsPerson { why } => EffectError::retry(why),
                    other => other,
                }
                .into());
            }
        };
        if gathered.bad > 0 {
            tracing::warn!(feed.id = %self.feed, feed.page = self.page, bad = gathered.bad, "services could not be read");
        }
        let mut tx = service.store.begin().await?;
        tx.add_feed_page(&self.feed, &self.run, &gathered.services).await?;
        if self.page < gathered.pages {
            let next = SyncDirectory { page: self.page + 1, ..self.clone() };
            tx.enqueue(next, InsertOpts::default()).await?;
        } else {
            let verdict = finish(&mut tx, &self.feed, &self.run, attempt.now).await?;
            self.tell(&mut tx, service, verdict, attempt).await?;
            queue_next(&mut tx, feed, attempt.now).await?;
        }
        tx.complete(attempt.job).await?;
        tx.commit().await?;
        service.refresh_directory().await?;
        Ok(())
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, error: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        tx.feed_failed(&self.feed, &self.run, &error.to_string(), attempt.now).await?;
        if let Some(feed) = service.settings.feeds.get(&self.feed) {
            queue_next(&mut tx, feed, attempt.now).await?;
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl SyncDirectory {
    fn edge_of(&self) -> Edge {
        Edge::Feed(self.feed.clone())
    }

    async fn tell(
        &self,
        tx: &mut Tx,
        service: &Wellbridge,
        verdict: SyncVerdict,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        match verdict {
            SyncVerdict::Replace => {
                tx.edge_is_well(&self.edge_of(), attempt.now).await?;
                // What found nothing before, or still waits for a directory, is looked at again.
                for referral in tx.without_service().await? {
                    tx.enqueue(MatchReferral { referral }, once()).await?;
                }
                Ok(())
            }
            SyncVerdict::Keep(why) => edge_failed(tx, service, &self.edge_of(), &why, attempt.now).await,
        }
    }
}

/// Reads one page of a feed (a file is one page).
pub(crate) async fn gather(feed: &Feed, page: u64) -> Result<Gathered, EffectError> {
    match &feed.source {
        FeedSource::File(path) => {
            let text = tokio::fs::read_to_string(path).await.map_err(|why| EffectError::RetryAfter {
                after: None,
                why: format!("the directory file {} cannot be read: {why}", path.display()),
            })?;
            let reading = feed::from_json(&text).map_err(|e| EffectError::retry(e.to_string()))?;
            Ok(Gathered { services: reading.services, bad: reading.bad.len(), pages: 1 })
        }
        FeedSource::Http(base) => {
            let reader = feed::Feed::new(base.clone(), REQUEST_TIMEOUT)?;
            let list = reader.page(u32::try_from(page).unwrap_or(u32::MAX)).await?;
            let read = reader.services(&list.services).await?;
            let bad = read.iter().filter(|one| one.is_err()).count() + list.without_id;
            let services = read.into_iter().filter_map(Result::ok).collect();
            Ok(Gathered { services, bad, pages: u64::from(list.total_pages) })
        }
    }
}

/// The last page has come: the copy is replaced, or kept with why.
pub(crate) async fn finish(tx: &mut Tx, feed: &str, run: &str, now: Timestamp) -> Result<SyncVerdict, StoreError> {
    let before = tx.feed_before(feed).await?;
    let gathered = tx.gathered(feed, run).await?;
    let verdict = sync_verdict(usize::try_from(before).unwrap_or(0), usize::try_from(gathered).unwrap_or(0));
    match &verdict {
        SyncVerdict::Replace => {
            tx.place_feed(feed, run, now).await?;
            let shared = tx.in_several_feeds().await?;
            if shared > 0 {
                tracing::warn!(
                    feed.id = feed,
                    shared,
                    "ids of services stand in several feeds: the first feed's is used"
                );
            }
        }
        SyncVerdict::Keep(why) => tx.feed_failed(feed, run, why, now).await?,
    }
    Ok(verdict)
}

/// Queues the first sync of a feed that was never read, or the next one where the last is due.
pub(super) async fn queue_first(
    tx: &mut Tx,
    feed: &Feed,
    synced: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match synced {
        None => start(tx, &feed.id).await,
        Some(synced) => queue_at(tx, feed, synced.max(now - every(feed)) + every(feed)).await,
    }
}

/// Reads a whole feed at once, outside the queue: `directory sync` and the demo. Services read, services that could not
/// be read, and what became of it. Nothing is stored before the last page has come: no job would clear it away if this
/// process were ended half way.
pub(crate) async fn whole(
    store: &Store,
    feed: &Feed,
    now: Timestamp,
    mut each: impl FnMut(u64, u64),
) -> Result<(usize, usize, SyncVerdict), JobError> {
    let run = random::uuid().simple().to_string();
    let (mut page, mut services, mut bad) = (1, Vec::new(), 0);
    loop {
        let gathered = match gather(feed, page).await {
            Ok(gathered) => gathered,
            Err(error) => {
                let mut tx = store.begin().await?;
                tx.feed_failed(&feed.id, &run, &error.to_string(), now).await?;
                tx.commit().await?;
                return Err(error.into());
            }
        };
        services.extend(gathered.services);
        bad += gathered.bad;
        each(page, gathered.pages);
        if page >= gathered.pages {
            break;
        }
        page += 1;
    }
    let mut tx = store.begin().await?;
    tx.add_feed_page(&feed.id, &run, &services).await?;
    let verdict = finish(&mut tx, &feed.id, &run, now).await?;
    tx.commit().await?;
    Ok((services.len(), bad, verdict))
}

/// Starts a sync at once.
async fn start(tx: &mut Tx, feed: &str) -> Result<(), StoreError> {
    let args = SyncDirectory { feed: feed.to_owned(), run: random::uuid().simple().to_string(), page: 1 };
    tx.enqueue(args, InsertOpts::default()).await?;
    Ok(())
}

async fn queue_next(tx: &mut Tx, feed: &Feed, now: Timestamp) -> Result<(), StoreError> {
    queue_at(tx, feed, now + every(feed)).await
}

async fn queue_at(tx: &mut Tx, feed: &Feed, when: Timestamp) -> Result<(), StoreError> {
    // The period is the run's name, so that two replicas (or a restart) queue one and the same job.
    let period = when.as_second() / every(feed).as_secs().max(1);
    let args = SyncDirectory { feed: feed.id.clone(), run: format!("period-{period}"), page: 1 };
    let unique = riverqueue::UniqueOpts::new().with_by_args(true);
    tx.enqueue(args, due(when).with_unique(unique)).await?;
    Ok(())
}

fn every(feed: &Feed) -> SignedDuration {
    SignedDuration::try_from(feed.sync_every).unwrap_or(SignedDuration::from_hours(24))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::testing::{World, start as now};

    #[tokio::test]
    async fn what_a_run_has_gathered_outlives_the_end_of_another_and_what_nobody_will_finish_goes() {
        let world = World::new().await;
        let page = world.service.store.services().await.unwrap();
        let mut tx = world.service.store.begin().await.unwrap();
        let job = SyncDirectory { feed: "city".to_owned(), run: "alive".to_owned(), page: 2 };
        tx.enqueue(job, InsertOpts::default()).await.unwrap();
        for end in ["placed", "failed"] {
            for run in ["alive", "dead", end] {
                tx.add_feed_page("city", run, &page).await.unwrap();
            }
            if end == "placed" {
                tx.place_feed("city", end, now()).await.unwrap();
            } else {
                tx.feed_failed("city", end, "it does not answer", now()).await.unwrap();
            }
            let mut left = Vec::new();
            for run in ["alive", "dead", end] {
                left.push(tx.gathered("city", run).await.unwrap());
            }
            assert_eq!(left, [3, 0, 0], "{end}");
        }
    }
}
