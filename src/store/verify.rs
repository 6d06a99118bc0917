//! `ledger verify`: every referral replayed from its events, and compared with what is stored.
//!
//! Conservation: referrals received (first events in the ledger) is the sum over states, always. A standing that its
//! events do not give, a gap in their numbers, a list that shows another state than the standing, events without a
//! referral: each is a problem in a sentence that names the referral by its id and says nothing about the person.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ledger::{Summary, filing_id};
use super::rows::key;
use super::sql::query;
use super::{Recorded, Standing, Store, StoreError};
use crate::referral::ReferralId;
use crate::referral::episode::Episode;
use crate::referral::event::Event;
use crate::referral::lifecycle;

/// What `ledger verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Referrals looked at: all that were received, or a sample of them.
    pub referrals: u64,
    /// Events replayed.
    pub events: u64,
    /// How many stand in each state; sums to the referrals received.
    pub states: BTreeMap<String, u64>,
    /// What does not agree, a sentence each; empty is good.
    pub problems: Vec<String>,
}

const ALL_IDS: &str = "select id from referral union select referral_id from event order by 1";
const CONSERVED: &str = "select state, count(*) as n, (select count(*) from event where seq = 1) as received
    from referral group by state";
const RECEIVED: &str = "select count(*) from event where seq = 1";
const SUMMARY: &str = "select state, hold, need, since, attention from referral where id = $1 and seq = $2";

impl Store {
    /// Replays every referral from its events and compares with what is stored. `each` is called after every referral,
    /// for a progress bar.
    pub async fn verify(&self, each: impl FnMut(u64, u64)) -> Result<Verified, StoreError> {
        self.verify_some(usize::MAX, each).await
    }

    /// The same of at most so many referrals, evenly among all; received and the states are counted over all.
    pub async fn verify_some(&self, most: usize, mut each: impl FnMut(u64, u64)) -> Result<Verified, StoreError> {
        let ids: Vec<String> = query(ALL_IDS).scalars(self.pool()).await?;
        let apart = ids.len().div_ceil(most.max(1)).max(1);
        let ids: Vec<&String> = ids.iter().step_by(apart).collect();
        let total = ids.len() as u64;
        let mut found = Verified { referrals: total, ..Verified::default() };
        for (done, id) in ids.iter().enumerate() {
            if let Err(error) = self.verify_one(key("a referral", id)?, &mut found).await {
                match error {
                    // A row that cannot be read is a finding; a database that fails is not.
                    StoreError::Unreadable { .. } => found.problems.push(format!("{id}: {error}")),
                    other => return Err(other),
                }
            }
            each(done as u64 + 1, total);
        }
        self.conserved(&mut found).await?;
        Ok(found)
    }

    /// Received is the sum over states: one statement, one moment.
    async fn conserved(&self, found: &mut Verified) -> Result<(), StoreError> {
        let rows = query(CONSERVED).fetch_all(self.pool()).await?;
        let received: i64 = match rows.first() {
            Some(row) => row.get("received"),
            None => query(RECEIVED).scalar(self.pool()).await?,
        };
        found.states = rows.iter().map(|r| (r.get("state"), r.get::<i64>("n").unsigned_abs())).collect();
        let sum: u64 = found.states.values().sum();
        if sum != received.unsigned_abs() {
            found.problems.push(format!("{received} referrals were received, but the states sum to {sum}"));
        }
        Ok(())
    }

    /// The standing and its events as they were together, though a service may be writing meanwhile.
    async fn together(&self, id: ReferralId) -> Result<(Option<Standing>, Vec<Recorded>), StoreError> {
        const MOST_TRIES: usize = 5;
        let mut before = self.standing(id).await?;
        for _ in 1..MOST_TRIES {
            let events = self.events(id).await?;
            let after = self.standing(id).await?;
            if before.as_ref().map(|s| s.seq) == after.as_ref().map(|s| s.seq) {
                return Ok((after, events));
            }
            before = after;
        }
        Ok((before, self.events(id).await?))
    }

    async fn verify_one(&self, id: ReferralId, found: &mut Verified) -> Result<(), StoreError> {
        let (stored, events) = self.together(id).await?;
        found.events += events.len() as u64;
        let Some(stored) = stored else {
            found.problems.push(format!("{id}: it was received, but stands nowhere"));
            return Ok(());
        };
        match replay(id, &events, |_, _| {}) {
            Ok(episode) if episode == stored.episode => {}
            Ok(_) => found.problems.push(format!("{id}: the stored standing is not what its events give")),
            Err(why) => found.problems.push(format!("{id}: {why}")),
        }
        let gap = events.iter().zip(1..).any(|(event, seq)| event.seq != seq)
            || u64::try_from(stored.seq) != Ok(events.len() as u64);
        if gap {
            found.problems.push(format!("{id}: its events are not numbered 1 to {}", stored.seq));
        }
        if !self.summary_agrees(&stored).await? {
            found.problems.push(format!("{id}: lists and counts show it elsewhere than it stands"));
        }
        for need in &stored.episode.needs {
            let open = stored.episode.offers.iter().filter(|o| o.need == need.code && !o.status.is_final()).count();
            if open > 1 {
                found.problems.push(format!("{id}: {open} open offers for one need"));
            }
        }
        Ok(())
    }

    /// When that became so which has been so of a referral ever since, as its events tell; none where it is not so now.
    pub async fn so_since(
        &self,
        id: ReferralId,
        is_so: impl Fn(&Episode) -> bool,
    ) -> Result<Option<Timestamp>, StoreError> {
        let events = self.events(id).await?;
        let mut since = None;
        let told = replay(id, &events, |episode, event| {
            since = if is_so(episode) { since.or(Some(event.occurred)) } else { None };
        });
        told.map_err(|why| StoreError::Unreadable { what: "events", id: id.to_string(), why })?;
        Ok(since)
    }

    /// True also where it moved on since `stored` was read.
    async fn summary_agrees(&self, stored: &Standing) -> Result<bool, StoreError> {
        let episode = &stored.episode;
        let row = query(SUMMARY).bind(episode.id.to_string()).bind(stored.seq).fetch_optional(self.pool()).await?;
        let Some(row) = row else { return Ok(true) };
        let told = Summary::of(episode)?;
        Ok(row.get::<String>("state") == told.state
            && row.get::<Option<String>>("hold") == told.hold
            && row.get::<String>("need") == told.need
            && row.get::<i64>("since") == told.since
            && u64::try_from(row.get::<i64>("attention")) == Ok(episode.attention.len() as u64))
    }
}

/// The episode that events give, from nothing; `each` sees it after every one of them.
fn replay(id: ReferralId, events: &[Recorded], mut each: impl FnMut(&Episode, &Recorded)) -> Result<Episode, String> {
    let Some((first, rest)) = events.split_first() else { return Err("it has no events".into()) };
    let Event::Received { practice, programme, facts } = &first.event else {
        return Err("its first event is not 'received'".into());
    };
    let (mut episode, _) = lifecycle::start(id, practice, programme, *facts, first.recorded);
    each(&episode, first);
    for event in rest {
        let step = lifecycle::step(&episode, &event.event, filing_id(id, event.seq), event.recorded);
        episode = step.map_err(|refusal| format!("event {} cannot be replayed: {refusal}", event.seq))?.0;
        each(&episode, event);
    }
    Ok(episode)
}
