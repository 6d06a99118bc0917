//! The ledger: every step an event, every effect a job, both in one transaction.
//!
//! [`Tx::record`] is the only door through which a referral moves: it loads the episode, lets the pure lifecycle take
//! the event, appends it, stores the new standing and queues what has to be done. [`Store::verify`] replays everything
//! from nothing and compares: referrals received is the sum over states, always.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{at, from_json, json, key, ms, word};
use super::{Store, StoreError, Tx, queue};
use crate::referral::episode::{Episode, NeedState, UNREAD};
use crate::referral::event::{EVENT_VERSION, Effect, Event};
use crate::referral::lifecycle::{self, Refusal};
use crate::referral::{FilingId, PracticeId, ReferralId, Source};

/// A referral's standing as stored.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Where it stands.
    pub episode: Episode,
    /// The practice's request, its Task and the version last taken in.
    pub source: Source,
    /// The version of the Task that we wrote last: its echo is not news.
    pub task_version: Option<String>,
    /// How many events it has.
    pub seq: i64,
    /// When it came.
    pub received: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
    /// Why it could not be read, for a practice manager.
    pub explanation: Option<String>,
}

/// What recording an event did.
#[derive(Clone, Debug)]
pub enum Appended {
    /// The referral moved (or at least the event is written).
    Now(Box<Episode>, Vec<Effect>),
    /// It had been recorded before: nothing changed.
    Already,
}

/// One event as it was recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its number within the referral, from 1.
    pub seq: i64,
    /// What happened.
    pub event: Event,
    /// When it happened in the world.
    pub occurred: Timestamp,
    /// When we wrote it.
    pub recorded: Timestamp,
}

/// What `ledger verify` found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// Referrals received.
    pub referrals: u64,
    /// Events replayed.
    pub events: u64,
    /// How many stand in each state; sums to `referrals`.
    pub states: BTreeMap<String, u64>,
    /// What does not agree, a sentence each; empty is good.
    pub problems: Vec<String>,
}

const STANDING: &str = "select id, practice_id, request_id, task_id, task_version, input_version, explanation, seq,
    received, changed, episode from referral where id = $1";
const INSERT_EVENT: &str = "insert into event (referral_id, seq, programme_id, version, body, occurred, recorded,
    effect_id) values ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_REFERRAL: &str = "insert into referral (id, programme_id, practice_id, request_id, task_id, input_version,
    explanation, seq, state, hold, need, since, received, changed, read_again, attention, episode)
    values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $11, $11, $11, 0, $12)";
const UPDATE_REFERRAL: &str =
    "update referral set seq = $2, state = $3, hold = $4, need = $5, since = $6, changed = $7,
    attention = $8, episode = $9 where id = $1 and seq = $10";
const EVENTS: &str = "select seq, version, body, occurred, recorded from event where referral_id = $1 order by seq";
const EFFECT_DONE: &str = "select count(*) from event where effect_id = $1";
const ALL_IDS: &str = "select id from referral order by id";
const STATE_COUNTS: &str = "select state, count(*) as n from referral group by state";

impl Tx {
    /// Where a referral stands, within this transaction.
    pub async fn standing(&mut self, id: ReferralId) -> Result<Option<Standing>, StoreError> {
        let row = sqlx::query(STANDING).bind(id.to_string()).fetch_optional(&mut *self.inner).await?;
        row.as_ref().map(standing).transpose()
    }

    /// The first event of a referral, and what has to be done about it. The caller has made sure that (practice,
    /// request) is new, within this transaction.
    pub(super) async fn receive(
        &mut self,
        episode: &Episode,
        source: &Source,
        explanation: Option<&str>,
        effects: Vec<Effect>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let event = Event::Received {
            practice: episode.practice.clone(),
            programme: episode.programme.clone(),
            facts: episode.facts,
        };
        let summary = Summary::of(episode)?;
        sqlx::query(INSERT_REFERRAL)
            .bind(episode.id.to_string())
            .bind(episode.programme.as_str())
            .bind(source.practice.as_str())
            .bind(&source.request)
            .bind(source.task.as_deref())
            .bind(&source.version)
            .bind(explanation)
            .bind(summary.state)
            .bind(summary.hold)
            .bind(summary.need)
            .bind(ms(now))
            .bind(json("an episode", episode)?)
            .execute(&mut *self.inner)
            .await?;
        self.insert_event(episode, 1, &event, now, now, None).await?;
        queue::enqueue_effects(self, episode, effects, now).await
    }

    /// Records an event: the referral moves, the event is appended, its effects become jobs. `effect_id` names the
    /// outside effect this event is the outcome of; the same one twice changes nothing.
    pub async fn record(
        &mut self,
        id: ReferralId,
        event: &Event,
        effect_id: Option<&str>,
        occurred: Timestamp,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        if let Some(effect) = effect_id {
            let done: i64 = sqlx::query_scalar(EFFECT_DONE).bind(effect).fetch_one(&mut *self.inner).await?;
            if done > 0 {
                return Ok(Appended::Already);
            }
        }
        let before = self.standing(id).await?.ok_or(StoreError::NotFound)?;
        let seq = before.seq + 1;
        let now = floor_ms(now);
        let (episode, effects) = match lifecycle::step(&before.episode, event, filing_id(id, seq), now) {
            Ok(step) => step,
            Err(Refusal::AlreadyDone) => return Ok(Appended::Already),
            Err(refusal) => return Err(refusal.into()),
        };
        self.insert_event(&episode, seq, event, occurred, now, effect_id).await?;
        let summary = Summary::of(&episode)?;
        let updated = sqlx::query(UPDATE_REFERRAL)
            .bind(id.to_string())
            .bind(seq)
            .bind(summary.state)
            .bind(summary.hold)
            .bind(summary.need)
            .bind(summary.since)
            .bind(ms(now))
            .bind(i64::try_from(episode.attention.len()).unwrap_or(i64::MAX))
            .bind(json("an episode", &episode)?)
            .bind(before.seq)
            .execute(&mut *self.inner)
            .await?;
        if updated.rows_affected() != 1 {
            // Only on a database whose transactions do not lock what they read: let the caller try again.
            return Err(StoreError::Database(sqlx::Error::RowNotFound));
        }
        queue::enqueue_effects(self, &episode, effects.clone(), now).await?;
        Ok(Appended::Now(Box::new(episode), effects))
    }

    async fn insert_event(
        &mut self,
        episode: &Episode,
        seq: i64,
        event: &Event,
        occurred: Timestamp,
        recorded: Timestamp,
        effect_id: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(INSERT_EVENT)
            .bind(episode.id.to_string())
            .bind(seq)
            .bind(episode.programme.as_str())
            .bind(EVENT_VERSION)
            .bind(json("an event", event)?)
            .bind(ms(occurred))
            .bind(ms(recorded))
            .bind(effect_id)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// Where a referral stands now.
    pub async fn standing(&self, id: ReferralId) -> Result<Option<Standing>, StoreError> {
        let row = sqlx::query(STANDING).bind(id.to_string()).fetch_optional(self.pool()).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Everything that happened to a referral, in order.
    pub async fn events(&self, id: ReferralId) -> Result<Vec<Recorded>, StoreError> {
        let rows = sqlx::query(EVENTS).bind(id.to_string()).fetch_all(self.pool()).await?;
        rows.iter().map(|row| recorded(id, row)).collect()
    }

    /// How many referrals stand in each state.
    pub async fn counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = sqlx::query(STATE_COUNTS).fetch_all(self.pool()).await?;
        Ok(rows.iter().map(|r| (r.get::<String, _>("state"), r.get::<i64, _>("n").unsigned_abs())).collect())
    }

    /// Replays every referral from its events and compares with what is stored. `each` is called after every referral,
    /// for a progress bar.
    pub async fn verify(&self, mut each: impl FnMut(u64, u64)) -> Result<Verified, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(ALL_IDS).fetch_all(self.pool()).await?;
        let total = ids.len() as u64;
        let mut found = Verified { referrals: total, ..Verified::default() };
        for (done, id) in ids.iter().enumerate() {
            self.verify_one(key("a referral", id)?, &mut found).await?;
            each(done as u64 + 1, total);
        }
        found.states = self.counts().await?;
        let sum: u64 = found.states.values().sum();
        if sum != total {
            found.problems.push(format!("{total} referrals were received, but the states sum to {sum}"));
        }
        Ok(found)
    }

    async fn verify_one(&self, id: ReferralId, found: &mut Verified) -> Result<(), StoreError> {
        let Some(stored) = self.standing(id).await? else { return Ok(()) };
        let events = self.events(id).await?;
        found.events += events.len() as u64;
        match replay(id, &events) {
            Ok(episode) if episode == stored.episode => {}
            Ok(_) => found.problems.push(format!("{id}: the stored standing is not what its events give")),
            Err(why) => found.problems.push(format!("{id}: {why}")),
        }
        let gap = events.iter().zip(1..).any(|(event, seq)| event.seq != seq) || stored.seq != events.len() as i64;
        if gap {
            found.problems.push(format!("{id}: its events are not numbered 1 to {}", stored.seq));
        }
        for need in &stored.episode.needs {
            let open = stored.episode.offers.iter().filter(|o| o.need == need.code && !o.status.is_final()).count();
            if open > 1 {
                found.problems.push(format!("{id}: {open} open offers for one need"));
            }
        }
        Ok(())
    }
}

/// The episode that events give, from nothing.
pub(super) fn replay(id: ReferralId, events: &[Recorded]) -> Result<Episode, String> {
    let Some((first, rest)) = events.split_first() else { return Err("it has no events".into()) };
    let Event::Received { practice, programme, facts } = &first.event else {
        return Err("its first event is not 'received'".into());
    };
    let (mut episode, _) = lifecycle::start(id, practice, programme, *facts, first.recorded);
    for event in rest {
        let step = lifecycle::step(&episode, &event.event, filing_id(id, event.seq), event.recorded);
        episode = step.map_err(|refusal| format!("event {} cannot be replayed: {refusal}", event.seq))?.0;
    }
    Ok(episode)
}

/// The id of the filing that event `seq` of a referral may cause: the same at every replay, never the same twice.
fn filing_id(referral: ReferralId, seq: i64) -> FilingId {
    let mixed = referral.uuid().as_u128() ^ (u128::from(seq.unsigned_abs()) << 1);
    FilingId::from_uuid(uuid::Uuid::from_u128(mixed))
}

/// Times are stored to the millisecond; what is derived now must equal what a replay derives later.
pub(super) fn floor_ms(now: Timestamp) -> Timestamp {
    at(ms(now))
}

fn standing(row: &SqliteRow) -> Result<Standing, StoreError> {
    let id: String = row.get("id");
    Ok(Standing {
        episode: from_json("the standing", &id, row.get("episode"))?,
        source: Source {
            practice: PracticeId::new(row.get::<String, _>("practice_id")),
            request: row.get("request_id"),
            task: row.get("task_id"),
            version: row.get("input_version"),
        },
        task_version: row.get("task_version"),
        seq: row.get("seq"),
        received: at(row.get("received")),
        changed: at(row.get("changed")),
        explanation: row.get("explanation"),
    })
}

fn recorded(id: ReferralId, row: &SqliteRow) -> Result<Recorded, StoreError> {
    let version: i64 = row.get("version");
    if version != EVENT_VERSION {
        // Older versions are upcast here, one function each, once there is a second version.
        return Err(StoreError::Unreadable {
            what: "an event",
            id: id.to_string(),
            why: format!("it has version {version}, this wellbridge knows {EVENT_VERSION}: run the newer one"),
        });
    }
    Ok(Recorded {
        seq: row.get("seq"),
        event: from_json("an event", &id.to_string(), row.get("body"))?,
        occurred: at(row.get("occurred")),
        recorded: at(row.get("recorded")),
    })
}

/// What lists and counts need of an episode.
struct Summary {
    state: &'static str,
    hold: Option<String>,
    need: String,
    since: i64,
}

impl Summary {
    fn of(episode: &Episode) -> Result<Self, StoreError> {
        let hold = episode.hold();
        // The need that gives the referral its state is the one that a list shows.
        let shown = episode
            .needs
            .iter()
            .find(|n| matches!((&n.state, hold), (NeedState::Held(why), Some(first)) if *why == first))
            .or_else(|| episode.needs.iter().find(|n| !n.state.is_final()))
            .or_else(|| episode.needs.first());
        Ok(Self {
            state: episode.state().as_str(),
            hold: hold.as_ref().map(word).transpose()?,
            need: shown.map_or_else(|| UNREAD.to_owned(), |n| n.code.to_string()),
            since: shown.map_or(0, |n| ms(n.since)),
        })
    }
}
