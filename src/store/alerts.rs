//! What the duty address is told of, until somebody opens it; and whether an edge is failing.

use jiff::Timestamp;

use super::queue::{News, due};
use super::rows::{at, from_word, json, key, ms};
use super::sql::{Row, query};
use super::{Edge, SETTLED_AFTER, Store, StoreError, Tx};
use crate::random;
use crate::referral::event::Alert;
use crate::referral::{AlertId, ProgrammeId, ReferralId, UserId};

/// An edge that fails now, since when, and why.
pub type FailingEdge = (Edge, Timestamp, String);

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Its id.
    pub id: AlertId,
    /// Whose duty address.
    pub programme: ProgrammeId,
    /// About which referral, where it is about one.
    pub referral: Option<ReferralId>,
    /// What about.
    pub kind: Alert,
    /// When it was raised.
    pub raised: Timestamp,
    /// How often the duty address was told.
    pub told: i64,
    /// When somebody opened it.
    pub opened: Option<Timestamp>,
}

const INSERT: &str = "insert into alert (id, programme_id, referral_id, kind, raised, told, edge)
    values ($1, $2, $3, $4, $5, 0, $6)";
const GET: &str = "select id, programme_id, referral_id, kind, raised, told, opened from alert where id = $1";
const OPEN: &str = "select id, programme_id, referral_id, kind, raised, told, opened from alert
    where opened is null and ($1 is null or programme_id = $1) order by raised";
const OF_REFERRAL: &str = "select id, programme_id, referral_id, kind, raised, told, opened from alert
    where referral_id = $1 order by raised";
const TOLD: &str = "update alert set told = told + 1 where id = $1";
const OPEN_REFERRAL: &str = "update alert set opened = $2, opened_by = $3 where referral_id = $1 and opened is null";
const OPEN_EDGE: &str = "update alert set opened = $2, opened_by = $3 where programme_id = $1 and referral_id is null
    and opened is null";
const EDGE_FAILS: &str = "insert into edge (id, failing, why) values ($1, $2, $3)
    on conflict (id) do update set failing = excluded.failing, why = excluded.why where edge.failing is null";
const EDGE_WELL: &str = "update edge set failing = null, why = null, well = $2 where id = $1 and failing is not null";
const EDGE_GONE: &str = "delete from edge where id = $1";
/// An edge that was well for too short to be well again: the alerts that told of its failing go on.
const STILL_TOLD: &str = "select count(*) from alert join edge on edge.id = alert.edge
    where alert.edge = $1 and alert.ended is null and edge.well > $2";
const TOLD_OF: &str = "select id from alert where edge = $1 and ended is null";
const END_ALL: &str = "update alert set ended = $2 where edge = $1 and ended is null";
const END: &str = "update alert set ended = $2 where id = $1";
const ABOUT_EDGE: &str = "select edge.id, edge.well from alert join edge on edge.id = alert.edge
    where alert.id = $1 and alert.ended is null and edge.failing is null and edge.well is not null";
const EDGES: &str = "select id, failing, why from edge where failing is not null order by id";

impl Tx {
    pub(super) async fn insert_alert(
        &mut self,
        programme: &ProgrammeId,
        referral: Option<ReferralId>,
        alert: Alert,
        edge: Option<&Edge>,
        now: Timestamp,
    ) -> Result<AlertId, StoreError> {
        let id = AlertId::from_uuid(random::uuid());
        query(INSERT)
            .bind(id.to_string())
            .bind(programme.as_str())
            .bind(referral.map(|r| r.to_string()))
            .bind(alert.as_str())
            .bind(ms(now))
            .bind(edge.map(|edge| json("an edge", edge)).transpose()?)
            .execute(&mut self.inner)
            .await?;
        Ok(id)
    }

    /// Counts one telling.
    pub async fn alert_told(&mut self, id: AlertId) -> Result<(), StoreError> {
        query(TOLD).bind(id.to_string()).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Somebody opened the referral: its alerts stop.
    pub async fn open_alerts_of(
        &mut self,
        referral: ReferralId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(OPEN_REFERRAL)
            .bind(referral.to_string())
            .bind(ms(now))
            .bind(by.as_str())
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Somebody opened the worklist: alerts about no single referral (a failing practice system) stop.
    pub async fn open_general_alerts(
        &mut self,
        programme: &ProgrammeId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(OPEN_EDGE).bind(programme.as_str()).bind(ms(now)).bind(by.as_str()).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Alerts ever raised about a referral. Whoever raises one on what they say has the referral's standing first.
    pub async fn alerts_of(&mut self, referral: ReferralId) -> Result<Vec<AlertRow>, StoreError> {
        let rows = query(OF_REFERRAL).bind(referral.to_string()).fetch_all(&mut self.inner).await?;
        rows.iter().map(alert_row).collect()
    }

    /// Edges that fail now; nobody else who reads them so adds another until this transaction ends.
    pub async fn failing_edges(&mut self) -> Result<Vec<FailingEdge>, StoreError> {
        self.alone("failing edges").await?;
        Ok(failing(&query(EDGES).fetch_all(&mut self.inner).await?))
    }

    /// Notes that an edge fails; true the first time, when somebody must be told: not where it was told, and it was well
    /// only for minutes since.
    pub async fn edge_fails(&mut self, edge: &Edge, why: &str, now: Timestamp) -> Result<bool, StoreError> {
        let edge = json("an edge", edge)?;
        let begins = query(EDGE_FAILS).bind(&edge).bind(ms(now)).bind(why).execute(&mut self.inner).await?;
        if begins == 0 {
            return Ok(false);
        }
        let settled = ms(now) - i64::try_from(SETTLED_AFTER.as_millis()).unwrap_or(0);
        if query(STILL_TOLD).bind(&edge).bind(settled).scalar::<i64>(&mut self.inner).await? > 0 {
            return Ok(false);
        }
        query(END_ALL).bind(edge).bind(ms(now)).execute(&mut self.inner).await?;
        Ok(true)
    }

    /// Notes that an edge is well; true where it had been failing. Whom it was told to hears of it when it lasts.
    pub async fn edge_is_well(&mut self, edge: &Edge, now: Timestamp) -> Result<bool, StoreError> {
        let edge = json("an edge", edge)?;
        if query(EDGE_WELL).bind(&edge).bind(ms(now)).execute(&mut self.inner).await? == 0 {
            return Ok(false);
        }
        let alerts: Vec<String> = query(TOLD_OF).bind(edge).scalars(&mut self.inner).await?;
        for alert in alerts {
            let settled = now.checked_add(SETTLED_AFTER).unwrap_or(now);
            self.tell(key("an alert", &alert)?, News::WellAgain, due(settled)).await?;
        }
        Ok(true)
    }

    /// Forgets an edge that nobody will see again, well or not.
    pub async fn edge_is_gone(&mut self, edge: &Edge, now: Timestamp) -> Result<(), StoreError> {
        let edge = json("an edge", edge)?;
        query(EDGE_GONE).bind(&edge).execute(&mut self.inner).await?;
        query(END_ALL).bind(edge).bind(ms(now)).execute(&mut self.inner).await?;
        Ok(())
    }

    /// What the alert told of is over for it: nothing more is told.
    pub async fn alert_ended(&mut self, id: AlertId, now: Timestamp) -> Result<(), StoreError> {
        query(END).bind(id.to_string()).bind(ms(now)).execute(&mut self.inner).await?;
        Ok(())
    }
}

impl Store {
    /// One alert.
    pub async fn alert(&self, id: AlertId) -> Result<Option<AlertRow>, StoreError> {
        let row = query(GET).bind(id.to_string()).fetch_optional(self.pool()).await?;
        row.as_ref().map(alert_row).transpose()
    }

    /// The edge that an alert told of, where it is well now and nobody has been told so yet; and since when it is well.
    pub async fn well_now(&self, id: AlertId) -> Result<Option<(Edge, Timestamp)>, StoreError> {
        let row = query(ABOUT_EDGE).bind(id.to_string()).fetch_optional(self.pool()).await?;
        let known = |r: Row| Some((serde_json::from_str(&r.get::<String>("id")).ok()?, at(r.get("well"))));
        Ok(row.and_then(known))
    }

    /// Alerts nobody has opened yet, oldest first.
    pub async fn open_alerts(&self, programme: Option<&ProgrammeId>) -> Result<Vec<AlertRow>, StoreError> {
        let rows = query(OPEN).bind(programme.map(ProgrammeId::as_str)).fetch_all(self.pool()).await?;
        rows.iter().map(alert_row).collect()
    }

    /// Alerts ever raised about a referral.
    pub async fn alerts_of(&self, referral: ReferralId) -> Result<Vec<AlertRow>, StoreError> {
        let rows = query(OF_REFERRAL).bind(referral.to_string()).fetch_all(self.pool()).await?;
        rows.iter().map(alert_row).collect()
    }

    /// Edges that fail now.
    pub async fn failing_edges(&self) -> Result<Vec<FailingEdge>, StoreError> {
        Ok(failing(&query(EDGES).fetch_all(self.pool()).await?))
    }
}

/// One that this version does not know is left out.
fn failing(rows: &[Row]) -> Vec<FailingEdge> {
    let known = |row: &Row| {
        let edge = serde_json::from_str(row.get("id")).ok()?;
        Some((edge, at(row.get("failing")), row.get("why")))
    };
    rows.iter().filter_map(known).collect()
}

fn alert_row(row: &Row) -> Result<AlertRow, StoreError> {
    let id: String = row.get("id");
    let referral: Option<String> = row.get("referral_id");
    Ok(AlertRow {
        kind: from_word("an alert", &id, row.get("kind"))?,
        id: key("an alert", &id)?,
        programme: ProgrammeId::new(row.get::<String>("programme_id")),
        referral: referral.map(|r| key("a referral", &r)).transpose()?,
        raised: at(row.get("raised")),
        told: row.get("told"),
        opened: row.get::<Option<i64>>("opened").map(at),
    })
}
