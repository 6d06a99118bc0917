//! The directory as it was last read whole, with where each service came from and when.
//!
//! A sync gathers its pages in `feed_page` and puts them in place in one transaction, so that a feed which fails half
//! way, or turns strangely empty, leaves the last good copy as it was. Two runs of one feed may be under way at once
//! (the service's own, and one from the terminal): neither touches what the other has gathered.

use std::collections::HashSet;

use jiff::Timestamp;

use super::rows::{at, from_json, json, key, ms};
use super::sql::{Row, query};
use super::{Store, StoreError, Tx};
use crate::directory::Service;
use crate::referral::ReferralId;

/// Where a feed stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// As named in configuration.
    pub id: String,
    /// When it was last read whole.
    pub synced: Option<Timestamp>,
    /// How many services it had then.
    pub services: i64,
    /// Since when it fails, if it does, and how.
    pub failing: Option<(Timestamp, String)>,
}

const ADD_PAGE: &str = "insert into feed_page (feed_id, run, id, body) values ($1, $2, $3, $4)
    on conflict (feed_id, run, id) do update set body = excluded.body";
const COUNT_PAGES: &str = "select count(*) from feed_page where feed_id = $1 and run = $2";
const PLACE: &str = "insert into service (feed_id, id, body, hash, first_seen, last_seen)
    select feed_id, id, body, '', $3, $3 from feed_page where feed_id = $1 and run = $2
    on conflict (feed_id, id) do update set body = excluded.body, last_seen = excluded.last_seen";
const REMOVE_GONE: &str = "delete from service where feed_id = $1 and last_seen < $2";
/// What one run gathered, and whatever a run left behind that no job will ever finish.
const CLEAR_PAGES: &str = "delete from feed_page where feed_id = $1 and (run = $2 or run not in (
    select args ->> 'run' from river_job where kind = 'sync_directory'
    and state in ('available', 'pending', 'running', 'retryable', 'scheduled')))";
const SET_SYNCED: &str = "insert into feed (id, synced, services, failing, why) values ($1, $2, $3, null, null)
    on conflict (id) do update set synced = excluded.synced, services = excluded.services, failing = null, why = null";
const SET_FAILING: &str = "insert into feed (id, services, failing, why) values ($1, 0, $2, $3)
    on conflict (id) do update set failing = coalesce(feed.failing, excluded.failing), why = excluded.why";
const FEEDS: &str = "select id, synced, services, failing, why from feed order by id";
const SERVICES_OF: &str = "select services from feed where id = $1";
const NEWEST_SYNC: &str = "select max(synced) from feed";
const WITHOUT_SERVICE: &str = "select id from referral where state not in ('closed', 'withdrawn')
    and (state = 'received' or (state = 'held' and hold in ('no-service', 'no-email')))";
const SERVICES: &str = "select id, body from service order by feed_id, id";
const IN_SEVERAL: &str = "select count(*) from (select id from service group by id having count(*) > 1) as shared";

impl Tx {
    /// Keeps the services of one page of a sync until the last page has come.
    pub async fn add_feed_page(&mut self, feed: &str, run: &str, services: &[Service]) -> Result<(), StoreError> {
        for service in services {
            query(ADD_PAGE)
                .bind(feed)
                .bind(run)
                .bind(service.id.as_str())
                .bind(json("a service", service)?)
                .execute(&mut self.inner)
                .await?;
        }
        Ok(())
    }

    /// How many services the feed has now: nobody else puts others in their place until this transaction ends.
    pub async fn feed_before(&mut self, feed: &str) -> Result<i64, StoreError> {
        self.alone(&format!("feed {feed}")).await?;
        Ok(query(SERVICES_OF).bind(feed).maybe_scalar(&mut self.inner).await?.unwrap_or(0))
    }

    /// How many services this run has gathered.
    pub async fn gathered(&mut self, feed: &str, run: &str) -> Result<i64, StoreError> {
        Ok(query(COUNT_PAGES).bind(feed).bind(run).scalar(&mut self.inner).await?)
    }

    /// Puts what a run gathered in place of what there was.
    pub async fn place_feed(&mut self, feed: &str, run: &str, now: Timestamp) -> Result<i64, StoreError> {
        self.alone(&format!("feed {feed}")).await?;
        let services = self.gathered(feed, run).await?;
        query(PLACE).bind(feed).bind(run).bind(ms(now)).execute(&mut self.inner).await?;
        query(REMOVE_GONE).bind(feed).bind(ms(now)).execute(&mut self.inner).await?;
        self.clear_pages(feed, run).await?;
        query(SET_SYNCED).bind(feed).bind(ms(now)).bind(services).execute(&mut self.inner).await?;
        Ok(services)
    }

    /// How many ids stand in more than one feed: of those the feed whose name comes first is used.
    pub async fn in_several_feeds(&mut self) -> Result<i64, StoreError> {
        Ok(query(IN_SEVERAL).scalar(&mut self.inner).await?)
    }

    /// Notes that a run of a sync failed and keeps the last good copy.
    pub async fn feed_failed(&mut self, feed: &str, run: &str, why: &str, now: Timestamp) -> Result<(), StoreError> {
        self.alone(&format!("feed {feed}")).await?;
        self.clear_pages(feed, run).await?;
        query(SET_FAILING).bind(feed).bind(ms(now)).bind(why).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Referrals that another directory may help: those that found no service, and those not matched yet.
    pub async fn without_service(&mut self) -> Result<Vec<ReferralId>, StoreError> {
        let ids: Vec<String> = query(WITHOUT_SERVICE).scalars(&mut self.inner).await?;
        ids.iter().map(|id| key("a referral", id)).collect()
    }

    async fn clear_pages(&mut self, feed: &str, run: &str) -> Result<(), StoreError> {
        query(CLEAR_PAGES).bind(feed).bind(run).execute(&mut self.inner).await?;
        Ok(())
    }
}

impl Store {
    /// Every feed that was ever read.
    pub async fn feeds(&self) -> Result<Vec<FeedRow>, StoreError> {
        let rows = query(FEEDS).fetch_all(self.pool()).await?;
        let row = |row: &Row| FeedRow {
            id: row.get("id"),
            synced: row.get::<Option<i64>>("synced").map(at),
            services: row.get("services"),
            failing: row.get::<Option<i64>>("failing").map(at).zip(row.get::<Option<String>>("why")),
        };
        Ok(rows.iter().map(row).collect())
    }

    /// When the newest sync of any feed was.
    pub async fn newest_sync(&self) -> Result<Option<Timestamp>, StoreError> {
        let newest: Option<i64> = query(NEWEST_SYNC).scalar(self.pool()).await?;
        Ok(newest.map(at))
    }

    /// Every service of every feed, as last read whole. An id names one service: where two feeds use the same, the one
    /// of the feed whose name comes first stands.
    pub async fn services(&self) -> Result<Vec<Service>, StoreError> {
        let rows = query(SERVICES).fetch_all(self.pool()).await?;
        let mut seen: HashSet<&str> = HashSet::with_capacity(rows.len());
        let first = rows.iter().filter(|row| seen.insert(row.get("id")));
        first.map(|row| from_json("a service", row.get("id"), row.get("body"))).collect()
    }
}
