//! The ledger: every step an event, every effect a job, both in one transaction.
//!
//! [`Tx::record`] is the only door through which a referral moves: it loads the episode, lets the pure lifecycle take
//! the event, appends it, stores the new standing and queues what has to be done. `verify` replays everything from
//! nothing and compares.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::rows::{at, from_json, json, ms, word};
use super::sql::{Row, query};
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

impl Recorded {
    /// Whether this event of `referral` caused the filing.
    pub fn caused(&self, referral: ReferralId, filing: FilingId) -> bool {
        filing_id(referral, self.seq) == filing
    }
}

macro_rules! standing {
    ($locked:literal) => {
        concat!(
            "select id, practice_id, request_id, task_id, task_version, input_version, explanation, seq, received,
            changed, episode from referral where id = $1",
            $locked
        )
    };
}
const STANDING: &str = standing!("");
/// On PostgreSQL whoever reads where a referral stands in order to move it has it alone until the transaction ends.
const STANDING_LOCKED: &str = standing!(" for update");
const INSERT_EVENT: &str = "insert into event (referral_id, seq, programme_id, version, body, occurred, recorded,
    effect_id) values ($1, $2, $3, $4, $5, $6, $7, $8)";
const INSERT_REFERRAL: &str = "insert into referral (id, programme_id, practice_id, request_id, task_id, input_version,
    explanation, seq, state, hold, need, since, received, changed, read_again, attention, episode, task_version)
    values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10, $11, $11, $11, $11, 0, $12, $13)";
const UPDATE_REFERRAL: &str =
    "update referral set seq = $2, state = $3, hold = $4, need = $5, since = $6, changed = $7,
    attention = $8, episode = $9 where id = $1 and seq = $10";
const EVENTS: &str = "select seq, version, body, occurred, recorded from event where referral_id = $1 order by seq";
const EFFECT_DONE: &str = "select count(*) from event where effect_id = $1";
const RECEIVED: &str = "select count(*) from event where seq = 1";
const STATE_COUNTS: &str = "select state, count(*) as n from referral group by state";

impl Tx {
    /// Where a referral stands, within this transaction: it moves by nobody else until the transaction ends.
    pub async fn standing(&mut self, id: ReferralId) -> Result<Option<Standing>, StoreError> {
        let row = query(self.inner.either(STANDING, STANDING_LOCKED))
            .bind(id.to_string())
            .fetch_optional(&mut self.inner)
            .await?;
        row.as_ref().map(standing).transpose()
    }

    /// The first event of a referral, and what has to be done about it. The caller has made sure that (practice,
    /// request) is new, within this transaction.
    pub(super) async fn receive(
        &mut self,
        episode: &Episode,
        source: &Source,
        task_version: Option<&str>,
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
        query(INSERT_REFERRAL)
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
            .bind(task_version)
            .execute(&mut self.inner)
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
        // First of all: what another transaction did to this referral is seen by everything that follows.
        let before = self.standing(id).await?.ok_or(StoreError::NotFound)?;
        if let Some(effect) = effect_id {
            let done: i64 = query(EFFECT_DONE).bind(effect).scalar(&mut self.inner).await?;
            if done > 0 {
                return Ok(Appended::Already);
            }
        }
        let seq = before.seq + 1;
        let now = floor_ms(now);
        let (episode, effects) = match lifecycle::step(&before.episode, event, filing_id(id, seq), now) {
            Ok(step) => step,
            Err(Refusal::AlreadyDone) => return Ok(Appended::Already),
            Err(refusal) => return Err(refusal.into()),
        };
        self.insert_event(&episode, seq, event, occurred, now, effect_id).await?;
        let summary = Summary::of(&episode)?;
        let updated = query(UPDATE_REFERRAL)
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
            .execute(&mut self.inner)
            .await?;
        if updated != 1 {
            // It was locked: nobody can have moved it. A second belt, should that ever be untrue.
            return Err(StoreError::Database(sqlx::Error::RowNotFound));
        }
        // Whoever had been shown who the person is sees nothing more once the offer has ended.
        let still_open = |id| before.episode.offer(id).is_some_and(|offer| !offer.status.is_final());
        for offer in episode.offers.iter().filter(|o| o.status.is_final() && still_open(o.id)) {
            self.end_partner_sessions(offer.id).await?;
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
        query(INSERT_EVENT)
            .bind(episode.id.to_string())
            .bind(seq)
            .bind(episode.programme.as_str())
            .bind(EVENT_VERSION)
            .bind(json("an event", event)?)
            .bind(ms(occurred))
            .bind(ms(recorded))
            .bind(effect_id)
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// Where a referral stands now.
    pub async fn standing(&self, id: ReferralId) -> Result<Option<Standing>, StoreError> {
        let row = query(STANDING).bind(id.to_string()).fetch_optional(self.pool()).await?;
        row.as_ref().map(standing).transpose()
    }

    /// Everything that happened to a referral, in order.
    pub async fn events(&self, id: ReferralId) -> Result<Vec<Recorded>, StoreError> {
        let rows = query(EVENTS).bind(id.to_string()).fetch_all(self.pool()).await?;
        rows.iter().map(|row| recorded(id, row)).collect()
    }

    /// How many referrals were ever received, by the ledger: what the sum over [`Self::counts`] must be.
    pub async fn received(&self) -> Result<u64, StoreError> {
        let n: i64 = query(RECEIVED).scalar(self.pool()).await?;
        Ok(n.unsigned_abs())
    }

    /// How many referrals stand in each state.
    pub async fn counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = query(STATE_COUNTS).fetch_all(self.pool()).await?;
        Ok(rows.iter().map(|r| (r.get::<String>("state"), r.get::<i64>("n").unsigned_abs())).collect())
    }
}

/// The id of the filing that event `seq` of a referral may cause: the same at every replay, never the same twice.
pub(super) fn filing_id(referral: ReferralId, seq: i64) -> FilingId {
    let mixed = referral.uuid().as_u128() ^ (u128::from(seq.unsigned_abs()) << 1);
    FilingId::from_uuid(uuid::Uuid::from_u128(mixed))
}

/// Times are stored to the millisecond; what is derived now must equal what a replay derives later.
pub(super) fn floor_ms(now: Timestamp) -> Timestamp {
    at(ms(now))
}

pub(super) fn standing(row: &Row) -> Result<Standing, StoreError> {
    let id: String = row.get("id");
    Ok(Standing {
        episode: from_json("the standing", &id, row.get("episode"))?,
        source: Source {
            practice: PracticeId::new(row.get::<String>("practice_id")),
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

fn recorded(id: ReferralId, row: &Row) -> Result<Recorded, StoreError> {
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
#[derive(PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) state: &'static str,
    pub(super) hold: Option<String>,
    pub(super) need: String,
    pub(super) since: i64,
}

impl Summary {
    pub(super) fn of(episode: &Episode) -> Result<Self, StoreError> {
        let (state, hold) = (episode.state(), episode.hold());
        // The need that gives the referral its state is the one that a list shows; of several held ones the most
        // pressing.
        let shown = episode
            .needs
            .iter()
            .filter(|n| hold.is_none_or(|first| n.state == NeedState::Held(first)))
            .find(|n| n.state.as_referral_state() == state);
        Ok(Self {
            state: state.as_str(),
            hold: hold.as_ref().map(word).transpose()?,
            need: shown.map_or_else(|| UNREAD.to_owned(), |n| n.code.to_string()),
            since: shown.map_or(0, |n| ms(n.since)),
        })
    }
}
