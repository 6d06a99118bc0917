//! Referrals as they are listed and read: content, notes, scores, what the matcher read.

use jiff::Timestamp;

use super::rows::{at, from_json, from_word, json, key, ms};
use super::sql::{Row, query};
use super::{Store, StoreError, Tx};
use crate::matching::Match;
use crate::practice::{Taken, Versions};
use crate::referral::episode::{Episode, Hold};
use crate::referral::{NoteId, OfferId, Ons4, Patient, PracticeId, ProgrammeId, Referral, ReferralId, Score, Source};

/// A row of `referrals list` and of the worklist.
#[derive(Clone, Debug)]
pub struct ReferralRow {
    /// Ours.
    pub id: ReferralId,
    /// Whose.
    pub programme: ProgrammeId,
    /// From where.
    pub practice: PracticeId,
    /// The practice's id of it.
    pub request: String,
    /// `held`, `proposed` …
    pub state: String,
    /// Why it waits for a person.
    pub hold: Option<Hold>,
    /// The need that gives it its state.
    pub need: String,
    /// Since when it stands there.
    pub since: Timestamp,
    /// When it came.
    pub received: Timestamp,
    /// Questions, risks and refusals to look at.
    pub attention: i64,
    /// For a held one: why, for a practice manager.
    pub explanation: Option<String>,
    /// Where it stands, whole.
    pub episode: Episode,
    /// What the practice told us, where it could be read (personal data).
    pub content: Option<Referral>,
}

/// Which referrals to list.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only this programme's.
    pub programme: Option<ProgrammeId>,
    /// Only in this state.
    pub state: Option<String>,
    /// All, or only some of them.
    pub which: Which,
    /// At most so many; 0 is all.
    pub limit: i64,
}

/// Which referrals a list looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Every one.
    #[default]
    All,
    /// Those that are not over, and those that are and have something to look at.
    Open,
    /// What waits for a person: held, proposed, or with something to look at.
    Waiting,
}

/// Words to be kept.
#[derive(Clone, Debug)]
pub struct NewNote<'a> {
    /// Its id, drawn by the caller, who names it in an event.
    pub id: NoteId,
    /// About which referral.
    pub referral: ReferralId,
    /// Whose.
    pub programme: &'a ProgrammeId,
    /// About which offer.
    pub offer: Option<OfferId>,
    /// `reason`, `question`, `tried`, `helped`, `did-not-help`, `to-partner`, `risk`, `close`, `in-error`, `set-aside`.
    pub kind: &'a str,
    /// `partner`, or a coordinator's account.
    pub author: &'a str,
    /// The words.
    pub words: &'a str,
}

/// Words as they were kept.
#[derive(Clone, Debug)]
pub struct NoteRow {
    /// Its id.
    pub id: NoteId,
    /// About which offer.
    pub offer: Option<OfferId>,
    /// What kind.
    pub kind: String,
    /// By whom.
    pub author: String,
    /// The words.
    pub words: String,
    /// When.
    pub written: Timestamp,
}

const SET_TASK: &str = "update referral set task_id = $2, task_version = $3 where id = $1";
pub(super) const PERSON: &str = "select body, person from referral_content where referral_id = $1";
pub(super) const CONTENT: &str = "select body from referral_content where referral_id = $1";
/// Rows of a list. The conditions that are written out are those of partial indexes: an open or a waiting referral is
/// found without looking at the many that are over.
macro_rules! list {
    ($which:literal) => {
        concat!(
            "select r.id, r.programme_id, r.practice_id, r.request_id, r.state, r.hold, r.need, r.since, r.received,
            r.attention, r.explanation, r.episode, c.body from referral r
            left join referral_content c on c.referral_id = r.id
            where ($1 is null or r.programme_id = $1) and ($2 is null or r.state = $2)",
            $which,
            " order by r.since limit $3"
        )
    };
}
const LIST: &str = list!("");
const LIST_OPEN: &str = list!(
    " and r.id in (select id from referral where state not in ('closed', 'withdrawn')
    union select id from referral where (state in ('held', 'proposed') or attention > 0))"
);
const LIST_WAITING: &str = list!(" and (r.state in ('held', 'proposed') or r.attention > 0)");
const PUT_NOTE: &str = "insert into note (id, referral_id, programme_id, offer_id, kind, author, words, written)
    values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing";
const NOTES: &str =
    "select id, offer_id, kind, author, words, written from note where referral_id = $1 order by written, id";
const PUT_SCORE: &str =
    "insert into score (referral_id, programme_id, offer_id, moment, satisfied, worthwhile, happy, anxious, taken)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (offer_id, moment) do update set
    satisfied = excluded.satisfied, worthwhile = excluded.worthwhile, happy = excluded.happy,
    anxious = excluded.anxious, taken = excluded.taken";
const SCORES: &str = "select moment, satisfied, worthwhile, happy, anxious from score where referral_id = $1
    order by taken desc, offer_id";
const OFFER_SCORES: &str = "select moment, satisfied, worthwhile, happy, anxious, taken from score where offer_id = $1";
const PUT_MATCH: &str = "insert into match_result (referral_id, programme_id, body, matched) values ($1, $2, $3, $4)
    on conflict (referral_id) do update set body = excluded.body, matched = excluded.matched";
const MATCH: &str = "select body from match_result where referral_id = $1";
const TO_READ_AGAIN: &str = "select id from referral where read_again < $1
    and state not in ('closed', 'withdrawn') order by read_again limit $2";
const OPEN_REFERRALS: &str = "select count(*) from referral where state not in ('closed', 'withdrawn')";
const OPEN_REQUESTS: &str = "select request_id, task_id, input_version from referral
    where practice_id = $1 and state not in ('closed', 'withdrawn') order by read_again limit $2";
/// One that is held, or could not be read, is to be read whatever its version: what held it may be gone.
const LAST_READ: &str = "select input_version, task_id, task_version from referral
    where practice_id = $1 and request_id = $2 and hold is null and explanation is null";
const STAMP_READ_AGAIN: &str = "update referral set read_again = $2 where id = $1";
const WAITING_TOO_LONG: &str = "select r.id, r.programme_id from referral r where r.programme_id = $1
    and r.state in ('received', 'held', 'proposed', 'offered') and (r.state in ('received', 'held', 'proposed') and r.since < $2 or r.state = 'offered' and r.since < $3)
    and not exists (select 1 from alert a where a.referral_id = r.id and a.kind = 'waits-too-long' and a.raised >= r.since)";

impl Tx {
    /// Notes that a referral is to be read again now, so that the next in line is another one.
    pub async fn will_be_read_again(&mut self, id: ReferralId, now: Timestamp) -> Result<(), StoreError> {
        query(STAMP_READ_AGAIN).bind(id.to_string()).bind(ms(now)).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Remembers the coordination Task and the version of it that we wrote.
    pub async fn set_task(&mut self, id: ReferralId, task: &str, version: Option<&str>) -> Result<(), StoreError> {
        query(SET_TASK).bind(id.to_string()).bind(task).bind(version).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Keeps words somebody wrote.
    pub async fn put_note(&mut self, note: &NewNote<'_>, now: Timestamp) -> Result<(), StoreError> {
        query(PUT_NOTE)
            .bind(note.id.to_string())
            .bind(note.referral.to_string())
            .bind(note.programme.as_str())
            .bind(note.offer.map(|o| o.to_string()))
            .bind(note.kind)
            .bind(note.author)
            .bind(note.words)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Keeps the wellbeing scores that a partner took; `moment` is `before` or `after`, the latest of each stands.
    pub async fn put_scores(
        &mut self,
        id: ReferralId,
        programme: &ProgrammeId,
        offer: OfferId,
        moment: &str,
        scores: Ons4,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut query =
            query(PUT_SCORE).bind(id.to_string()).bind(programme.as_str()).bind(offer.to_string()).bind(moment);
        for score in [scores.satisfied, scores.worthwhile, scores.happy, scores.anxious] {
            query = query.bind(i64::from(u8::from(score)));
        }
        query.bind(ms(now)).execute(&mut self.inner).await?;
        Ok(())
    }

    /// Keeps what the matcher read, for the coordinator's page.
    pub async fn put_match(
        &mut self,
        id: ReferralId,
        programme: &ProgrammeId,
        found: &Match,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(PUT_MATCH)
            .bind(id.to_string())
            .bind(programme.as_str())
            .bind(json("a match", found)?)
            .bind(ms(now))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// What the practice told us about a referral, where it could be read.
    pub async fn content(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        let body: Option<String> = query(CONTENT).bind(id.to_string()).maybe_scalar(self.pool()).await?;
        body.map(|text| from_json("a referral", &id.to_string(), &text)).transpose()
    }

    /// The referrals that a filter lets through, longest waiting first.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<ReferralRow>, StoreError> {
        let limit = if filter.limit > 0 { filter.limit } else { i64::MAX };
        let text = match filter.which {
            Which::All => LIST,
            Which::Open => LIST_OPEN,
            Which::Waiting => LIST_WAITING,
        };
        let rows = query(text)
            .bind(filter.programme.as_ref().map(ProgrammeId::as_str))
            .bind(filter.state.as_deref())
            .bind(limit)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(list_row).collect()
    }

    /// Everything anybody wrote about a referral, oldest first.
    pub async fn notes(&self, id: ReferralId) -> Result<Vec<NoteRow>, StoreError> {
        let rows = query(NOTES).bind(id.to_string()).fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| {
                Ok(NoteRow {
                    id: key("a note", row.get("id"))?,
                    offer: row.get::<Option<String>>("offer_id").map(|o| key("an offer", &o)).transpose()?,
                    kind: row.get("kind"),
                    author: row.get("author"),
                    words: row.get("words"),
                    written: at(row.get("written")),
                })
            })
            .collect()
    }

    /// Scores before and after, where they were taken: the latest of each, whoever took them.
    pub async fn scores(&self, id: ReferralId) -> Result<(Option<Ons4>, Option<Ons4>), StoreError> {
        let rows = query(SCORES).bind(id.to_string()).fetch_all(self.pool()).await?;
        Ok((score_at(&rows, "before"), score_at(&rows, "after")))
    }

    /// Scores before and after that the partner of one offer took: another partner's say nothing about its support.
    pub async fn offer_scores(&self, offer: OfferId) -> Result<(Option<Taken>, Option<Taken>), StoreError> {
        let rows = query(OFFER_SCORES).bind(offer.to_string()).fetch_all(self.pool()).await?;
        let taken = |moment: &str| {
            let row = rows.iter().find(|r| r.get::<String>("moment") == moment)?;
            Some(Taken { offer, at: at(row.get("taken")), scores: ons4(row)? })
        };
        Ok((taken("before"), taken("after")))
    }

    /// Who the person was when somebody took them on, and who the request names now; none where nothing is kept any more.
    pub async fn then_and_now(&self, id: ReferralId) -> Result<Option<(Patient, Patient)>, StoreError> {
        let row = query(PERSON).bind(id.to_string()).fetch_optional(self.pool()).await?;
        let Some(row) = row else { return Ok(None) };
        let now: Referral = from_json("a referral", &id.to_string(), row.get("body"))?;
        Ok(Some((taken_on_as(id, &row)?, now.patient)))
    }

    /// Whether the request still names the person who was taken on (also true where nothing is kept any more).
    pub async fn is_same_person(&self, id: ReferralId) -> Result<bool, StoreError> {
        Ok(self.then_and_now(id).await?.is_none_or(|(then, now)| then.is_same_person(&now)))
    }

    /// What the matcher read last.
    pub async fn matched(&self, id: ReferralId) -> Result<Option<Match>, StoreError> {
        let body: Option<String> = query(MATCH).bind(id.to_string()).maybe_scalar(self.pool()).await?;
        body.map(|text| from_json("a match", &id.to_string(), &text)).transpose()
    }

    /// Open referrals that were not read at their practice since `before`.
    pub async fn to_read_again(&self, before: Timestamp, most: i64) -> Result<Vec<ReferralId>, StoreError> {
        let ids: Vec<String> = query(TO_READ_AGAIN).bind(ms(before)).bind(most).scalars(self.pool()).await?;
        ids.iter().map(|id| key("a referral", id)).collect()
    }

    /// How many referrals are not over.
    pub async fn open_referrals(&self) -> Result<i64, StoreError> {
        Ok(query(OPEN_REFERRALS).scalar(self.pool()).await?)
    }

    /// The requests of a practice's open referrals, those not read at the practice for longest first.
    pub async fn open_requests(&self, practice: &PracticeId, most: i64) -> Result<Vec<Source>, StoreError> {
        let rows = query(OPEN_REQUESTS).bind(practice.as_str()).bind(most).fetch_all(self.pool()).await?;
        let source = |row: &Row| Source {
            practice: practice.clone(),
            request: row.get("request_id"),
            task: row.get("task_id"),
            version: row.get("input_version"),
        };
        Ok(rows.iter().map(source).collect())
    }

    /// In which versions a request and its Task were last read, or written by us; none where it is new, or held.
    pub async fn last_read(&self, practice: &PracticeId, request: &str) -> Result<Option<Versions>, StoreError> {
        let found = query(LAST_READ).bind(practice.as_str()).bind(request).fetch_optional(self.pool()).await?;
        Ok(found.map(|row| {
            let task: (Option<String>, Option<String>) = (row.get("task_id"), row.get("task_version"));
            Versions { request: row.get("input_version"), task: task.0.zip(task.1) }
        }))
    }

    /// Referrals of a programme that nobody was told of yet and that have waited for a person (or for the matcher) since
    /// before `since`, or for an answer since before `overdue`, when the offer should long have lapsed.
    pub async fn waiting_too_long(
        &self,
        programme: &ProgrammeId,
        since: Timestamp,
        overdue: Timestamp,
    ) -> Result<Vec<ReferralId>, StoreError> {
        let query = query(WAITING_TOO_LONG).bind(programme.as_str()).bind(ms(since)).bind(ms(overdue));
        let rows = query.fetch_all(self.pool()).await?;
        rows.iter().map(|row| key("a referral", row.get("id"))).collect()
    }
}

/// Who the person was when somebody took them on.
pub(super) fn taken_on_as(id: ReferralId, row: &Row) -> Result<Patient, StoreError> {
    from_json("a person", &id.to_string(), row.get("person"))
}

fn list_row(row: &Row) -> Result<ReferralRow, StoreError> {
    let id: String = row.get("id");
    let hold: Option<String> = row.get("hold");
    let body: Option<String> = row.get("body");
    Ok(ReferralRow {
        id: key("a referral", &id)?,
        programme: ProgrammeId::new(row.get::<String>("programme_id")),
        practice: PracticeId::new(row.get::<String>("practice_id")),
        request: row.get("request_id"),
        state: row.get("state"),
        hold: hold.map(|word| from_word("a hold", &id, &word)).transpose()?,
        need: row.get("need"),
        since: at(row.get("since")),
        received: at(row.get("received")),
        attention: row.get("attention"),
        explanation: row.get("explanation"),
        episode: from_json("a standing", &id, row.get("episode"))?,
        content: body.map(|text| from_json("a referral", &id, &text)).transpose()?,
    })
}

fn score_at(rows: &[Row], moment: &str) -> Option<Ons4> {
    rows.iter().find(|r| r.get::<String>("moment") == moment).and_then(ons4)
}

fn ons4(row: &Row) -> Option<Ons4> {
    let score = |name: &str| u8::try_from(row.get::<i64>(name)).ok().and_then(|n| Score::try_from(n).ok());
    Some(Ons4 {
        satisfied: score("satisfied")?,
        worthwhile: score("worthwhile")?,
        happy: score("happy")?,
        anxious: score("anxious")?,
    })
}
