//! Referrals as they are taken in, listed and read: content, raw FHIR, notes, scores, what the matcher read.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{at, from_json, from_word, json, key, ms};
use super::{Appended, Standing, Store, StoreError, Tx};
use crate::matching::Match;
use crate::practice::{RawFhir, Taken, Unreadable};
use crate::referral::content::RequestStatus;
use crate::referral::episode::{Actor, Episode, Facts, Hold};
use crate::referral::event::Event;
use crate::referral::facts::under_history;
use crate::referral::lifecycle::{self, Refusal};
use crate::referral::{NoteId, OfferId, Ons4, Patient, PracticeId, ProgrammeId, Referral, ReferralId, Score, Source};

/// What taking in one input did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// A referral we had not seen.
    New(ReferralId),
    /// A newer version of one we know.
    Changed(ReferralId),
    /// The practice took one back.
    Withdrawn(ReferralId),
    /// Nothing new: the same version, or the echo of our own Task write.
    Same,
    /// Withdrawn before we ever knew it: nothing to do.
    NeverKnown,
}

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

const BY_REQUEST: &str = "select id from referral where practice_id = $1 and request_id = $2";
const SET_INPUT: &str = "update referral set input_version = $2, task_id = coalesce($3, task_id), explanation = $4,
    read_again = $5 where id = $1";
/// What was read within the hour is not stamped anew: that would be a write for every look before a mail or a filing.
const SET_READ: &str = "update referral set read_again = $2, task_id = coalesce($3, task_id) where id = $1
    and (read_again < $2 - 3600000 or task_id is distinct from coalesce($3, task_id))";
const SET_TASK: &str = "update referral set task_id = $2, task_version = $3 where id = $1";
const PUT_CONTENT: &str =
    "insert into referral_content (referral_id, programme_id, body, read_at, person) values ($1, $2, $3, $4, $5)
    on conflict (referral_id) do update set body = excluded.body, read_at = excluded.read_at,
    person = case when $6 = 1 then referral_content.person else excluded.person end";
const PERSON: &str = "select body, person from referral_content where referral_id = $1";
const SET_PERSON: &str = "update referral_content set person = $2 where referral_id = $1";
const CONTENT: &str = "select body from referral_content where referral_id = $1";
const PUT_RAW_BODY: &str = "insert into raw_body (hash, bytes) values ($1, $2) on conflict do nothing";
const PUT_RAW_INPUT: &str = "insert into raw_input (referral_id, programme_id, version, position, hash, received)
    values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
const RAW: &str = "select b.bytes from raw_input i join raw_body b on b.hash = i.hash where i.referral_id = $1
    order by i.received desc, i.position";
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
const OPEN_REQUESTS: &str = "select request_id, task_id, input_version from referral
    where practice_id = $1 and state not in ('closed', 'withdrawn') order by read_again limit $2";
const STAMP_READ_AGAIN: &str = "update referral set read_again = $2 where id = $1";
const WAITING_TOO_LONG: &str = "select r.id, r.programme_id from referral r where r.programme_id = $1
    and r.state in ('received', 'held', 'proposed', 'offered') and (r.state in ('received', 'held', 'proposed') and r.since < $2 or r.state = 'offered' and r.since < $3)
    and not exists (select 1 from alert a where a.referral_id = r.id and a.kind = 'waits-too-long' and a.raised >= r.since)";

impl Tx {
    /// Takes in a referral that could be read: new, changed, withdrawn, or nothing new.
    pub async fn take_in(
        &mut self,
        new_id: ReferralId,
        programme: &ProgrammeId,
        referral: &Referral,
        facts: Facts,
        raw: &RawFhir,
        now: Timestamp,
    ) -> Result<TakenIn, StoreError> {
        let source = &referral.source;
        let Some(known) = self.known(source).await? else {
            if referral.status.is_withdrawn() {
                return Ok(TakenIn::NeverKnown);
            }
            let now = super::ledger::floor_ms(now);
            let facts = under_history(facts, referral.status, None);
            let (episode, effects) = lifecycle::start(new_id, &source.practice, programme, facts, now);
            self.receive(&episode, source, None, effects, now).await?;
            self.put_content(new_id, programme, referral, false, now).await?;
            self.put_raw(new_id, programme, &source.version, raw, now).await?;
            return Ok(TakenIn::New(new_id));
        };
        let id = known.episode.id;
        let facts = under_history(facts, referral.status, Some(known.episode.facts));
        if self.is_erased(id).await? {
            return self.touch_erased(&known, source, Some(referral.status), None, facts, now).await;
        }
        let stored = self.content_in(id).await?;
        let told_before = stored.as_ref().is_some_and(|stored| same_content(stored.clone(), referral));
        // The patient, the consent or the Task may change while the request keeps its version.
        if known.source.version == source.version && told_before && known.episode.facts == facts {
            self.read_at(id, source, now).await?;
            return Ok(TakenIn::Same);
        }
        let taken_on = known.episode.was_taken_on();
        self.put_content(id, programme, referral, taken_on, now).await?;
        self.put_raw(id, programme, &source.version, raw, now).await?;
        self.set_input(id, source, None, now).await?;
        if referral.status.is_withdrawn() {
            let by = Actor::Practice;
            return match self.record(id, &Event::Withdrawn { by }, None, now, now).await {
                Ok(Appended::Now(..)) => Ok(TakenIn::Withdrawn(id)),
                Ok(Appended::Already) | Err(StoreError::Refused(_)) => Ok(TakenIn::Same),
                Err(error) => Err(error),
            };
        }
        let told_now = self.told_otherwise(&known.episode, stored.as_ref(), referral).await?;
        let change = if !known.episode.is_open() && was_sent_again(stored.as_ref(), referral) {
            self.record(id, &Event::SentAgain { facts }, None, now, now).await?;
            TakenIn::Changed(id)
        } else {
            self.changed(id, facts, now).await?
        };
        for event in told_now {
            match self.record(id, &event, None, now, now).await {
                Ok(_) | Err(StoreError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(change)
    }

    /// What whoever took the person on knows and what no longer holds: how to reach them safely, or who they are.
    async fn told_otherwise(
        &mut self,
        known: &Episode,
        stored: Option<&Referral>,
        now: &Referral,
    ) -> Result<Vec<Event>, StoreError> {
        let Some(stored) = stored else { return Ok(Vec::new()) };
        let mut events = Vec::new();
        if stored.safe_contact != now.safe_contact {
            events.push(Event::ContactChanged);
        }
        let changed = stored.patient.identity() != now.patient.identity();
        if changed && known.was_taken_on() {
            let row = sqlx::query(PERSON).bind(known.id.to_string()).fetch_optional(&mut *self.inner).await?;
            let person = row.map(|row| taken_on_as(known.id, &row)).transpose()?;
            match person.is_none_or(|person| person.is_same_person(&now.patient)) {
                true if known.person_in_question().is_some() => {
                    events.push(Event::SamePerson { by: Actor::Practice, since: None });
                }
                true => {}
                false => events.push(Event::PersonChanged),
            }
        }
        Ok(events)
    }

    /// Records that it is the same person: who the request names now is who was taken on, from now on.
    pub async fn same_person(
        &mut self,
        id: ReferralId,
        by: Actor,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let event = Event::SamePerson { by, since: Some(since) };
        let appended = self.record(id, &event, None, now, now).await?;
        if let (Appended::Now(..), Some(content)) = (&appended, self.content_in(id).await?) {
            let person = json("a person", &content.patient.identity())?;
            sqlx::query(SET_PERSON).bind(id.to_string()).bind(person).execute(&mut *self.inner).await?;
        }
        Ok(appended)
    }

    /// Takes in an entry that could not be read: a referral held, once.
    pub async fn take_in_unreadable(
        &mut self,
        new_id: ReferralId,
        programme: &ProgrammeId,
        unreadable: &Unreadable,
        raw: &RawFhir,
        now: Timestamp,
    ) -> Result<TakenIn, StoreError> {
        let source = &unreadable.source;
        let facts = Facts { hold: Some(unreadable.hold), ..Facts::default() };
        let text = Some(unreadable.explanation.as_str());
        let Some(known) = self.known(source).await? else {
            let now = super::ledger::floor_ms(now);
            let (episode, effects) = lifecycle::start(new_id, &source.practice, programme, facts, now);
            self.receive(&episode, source, text, effects, now).await?;
            self.put_raw(new_id, programme, &source.version, raw, now).await?;
            return Ok(TakenIn::New(new_id));
        };
        let id = known.episode.id;
        // What the person agreed to is not forgotten because their record cannot be read today.
        let facts = Facts { hold: facts.hold, urgent: false, ..known.episode.facts };
        if self.is_erased(id).await? {
            return self.touch_erased(&known, source, None, text, facts, now).await;
        }
        if known.source.version == source.version
            && known.explanation.as_deref() == text
            && known.episode.facts == facts
        {
            self.read_at(id, source, now).await?;
            return Ok(TakenIn::Same);
        }
        self.put_raw(id, programme, &source.version, raw, now).await?;
        self.set_input(id, source, text, now).await?;
        self.changed(id, facts, now).await
    }

    pub(super) async fn changed(
        &mut self,
        id: ReferralId,
        facts: Facts,
        now: Timestamp,
    ) -> Result<TakenIn, StoreError> {
        match self.record(id, &Event::Updated { facts }, None, now, now).await {
            Ok(_) => Ok(TakenIn::Changed(id)),
            // A withdrawn referral stays withdrawn; its newer version is kept to be read.
            Err(StoreError::Refused(Refusal::Withdrawn)) => Ok(TakenIn::Same),
            Err(error) => Err(error),
        }
    }

    async fn known(&mut self, source: &Source) -> Result<Option<Standing>, StoreError> {
        let id: Option<String> = sqlx::query_scalar(BY_REQUEST)
            .bind(source.practice.as_str())
            .bind(&source.request)
            .fetch_optional(&mut *self.inner)
            .await?;
        match id {
            Some(id) => self.standing(key("a referral", &id)?).await,
            None => Ok(None),
        }
    }

    async fn content_in(&mut self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        let body: Option<String> =
            sqlx::query_scalar(CONTENT).bind(id.to_string()).fetch_optional(&mut *self.inner).await?;
        body.map(|text| from_json("a referral", &id.to_string(), &text)).transpose()
    }

    pub(super) async fn set_input(
        &mut self,
        id: ReferralId,
        source: &Source,
        explanation: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(SET_INPUT)
            .bind(id.to_string())
            .bind(&source.version)
            .bind(source.task.as_deref())
            .bind(explanation)
            .bind(ms(now))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Notes that a referral was read at its practice just now, and its Task where that is new.
    pub(super) async fn read_at(&mut self, id: ReferralId, source: &Source, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(SET_READ)
            .bind(id.to_string())
            .bind(ms(now))
            .bind(source.task.as_deref())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Notes that a referral is to be read again now, so that the next in line is another one.
    pub async fn will_be_read_again(&mut self, id: ReferralId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(STAMP_READ_AGAIN).bind(id.to_string()).bind(ms(now)).execute(&mut *self.inner).await?;
        Ok(())
    }

    /// Remembers the coordination Task and the version of it that we wrote.
    pub async fn set_task(&mut self, id: ReferralId, task: &str, version: Option<&str>) -> Result<(), StoreError> {
        sqlx::query(SET_TASK).bind(id.to_string()).bind(task).bind(version).execute(&mut *self.inner).await?;
        Ok(())
    }

    /// Who the person is stands fixed from when somebody took them on: what is filed goes into that person's record.
    async fn put_content(
        &mut self,
        id: ReferralId,
        programme: &ProgrammeId,
        content: &Referral,
        taken_on: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(PUT_CONTENT)
            .bind(id.to_string())
            .bind(programme.as_str())
            .bind(json("a referral", content)?)
            .bind(ms(now))
            .bind(json("a person", &content.patient.identity())?)
            .bind(i64::from(taken_on))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    async fn put_raw(
        &mut self,
        id: ReferralId,
        programme: &ProgrammeId,
        version: &str,
        raw: &RawFhir,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let kept: Vec<(String, Vec<u8>)> =
            raw.documents.iter().map(|text| compressed(text)).collect::<Result<_, _>>()?;
        // What the request refers to may change while the request keeps its version: each whole input is kept.
        let (digest, _) = compressed(&kept.iter().map(|(hash, _)| hash.as_str()).collect::<String>())?;
        for (position, (hash, bytes)) in kept.iter().enumerate() {
            sqlx::query(PUT_RAW_BODY).bind(hash).bind(bytes).execute(&mut *self.inner).await?;
            sqlx::query(PUT_RAW_INPUT)
                .bind(id.to_string())
                .bind(programme.as_str())
                .bind(format!("{version} {}", &digest[..12]))
                .bind(i64::try_from(position).unwrap_or(i64::MAX))
                .bind(hash)
                .bind(ms(now))
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }

    /// Keeps words somebody wrote.
    pub async fn put_note(&mut self, note: &NewNote<'_>, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query(PUT_NOTE)
            .bind(note.id.to_string())
            .bind(note.referral.to_string())
            .bind(note.programme.as_str())
            .bind(note.offer.map(|o| o.to_string()))
            .bind(note.kind)
            .bind(note.author)
            .bind(note.words)
            .bind(ms(now))
            .execute(&mut *self.inner)
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
            sqlx::query(PUT_SCORE).bind(id.to_string()).bind(programme.as_str()).bind(offer.to_string()).bind(moment);
        for score in [scores.satisfied, scores.worthwhile, scores.happy, scores.anxious] {
            query = query.bind(i64::from(u8::from(score)));
        }
        query.bind(ms(now)).execute(&mut *self.inner).await?;
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
        sqlx::query(PUT_MATCH)
            .bind(id.to_string())
            .bind(programme.as_str())
            .bind(json("a match", found)?)
            .bind(ms(now))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

impl Store {
    /// What the practice told us about a referral, where it could be read.
    pub async fn content(&self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        let body: Option<String> = sqlx::query_scalar(CONTENT).bind(id.to_string()).fetch_optional(self.pool()).await?;
        body.map(|text| from_json("a referral", &id.to_string(), &text)).transpose()
    }

    /// The FHIR it was read from, newest version first.
    pub async fn raw(&self, id: ReferralId) -> Result<Vec<String>, StoreError> {
        let all: Vec<Vec<u8>> = sqlx::query_scalar(RAW).bind(id.to_string()).fetch_all(self.pool()).await?;
        all.iter().map(|bytes| decompressed(bytes)).collect()
    }

    /// The referrals that a filter lets through, longest waiting first.
    pub async fn list(&self, filter: &ListFilter) -> Result<Vec<ReferralRow>, StoreError> {
        let limit = if filter.limit > 0 { filter.limit } else { i64::MAX };
        let text = match filter.which {
            Which::All => LIST,
            Which::Open => LIST_OPEN,
            Which::Waiting => LIST_WAITING,
        };
        let rows = sqlx::query(text)
            .bind(filter.programme.as_ref().map(ProgrammeId::as_str))
            .bind(filter.state.as_deref())
            .bind(limit)
            .fetch_all(self.pool())
            .await?;
        rows.iter().map(list_row).collect()
    }

    /// Everything anybody wrote about a referral, oldest first.
    pub async fn notes(&self, id: ReferralId) -> Result<Vec<NoteRow>, StoreError> {
        let rows = sqlx::query(NOTES).bind(id.to_string()).fetch_all(self.pool()).await?;
        rows.iter()
            .map(|row| {
                Ok(NoteRow {
                    id: key("a note", row.get("id"))?,
                    offer: row.get::<Option<String>, _>("offer_id").map(|o| key("an offer", &o)).transpose()?,
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
        let rows = sqlx::query(SCORES).bind(id.to_string()).fetch_all(self.pool()).await?;
        Ok((score_at(&rows, "before"), score_at(&rows, "after")))
    }

    /// Scores before and after that the partner of one offer took: another partner's say nothing about its support.
    pub async fn offer_scores(&self, offer: OfferId) -> Result<(Option<Taken>, Option<Taken>), StoreError> {
        let rows = sqlx::query(OFFER_SCORES).bind(offer.to_string()).fetch_all(self.pool()).await?;
        let taken = |moment: &str| {
            let row = rows.iter().find(|r| r.get::<String, _>("moment") == moment)?;
            Some(Taken { offer, at: at(row.get("taken")), scores: ons4(row)? })
        };
        Ok((taken("before"), taken("after")))
    }

    /// Who the person was when somebody took them on, and who the request names now; none where nothing is kept any more.
    pub async fn then_and_now(&self, id: ReferralId) -> Result<Option<(Patient, Patient)>, StoreError> {
        let row = sqlx::query(PERSON).bind(id.to_string()).fetch_optional(self.pool()).await?;
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
        let body: Option<String> = sqlx::query_scalar(MATCH).bind(id.to_string()).fetch_optional(self.pool()).await?;
        body.map(|text| from_json("a match", &id.to_string(), &text)).transpose()
    }

    /// Open referrals that were not read at their practice since `before`.
    pub async fn to_read_again(&self, before: Timestamp, most: i64) -> Result<Vec<ReferralId>, StoreError> {
        let ids: Vec<String> =
            sqlx::query_scalar(TO_READ_AGAIN).bind(ms(before)).bind(most).fetch_all(self.pool()).await?;
        ids.iter().map(|id| key("a referral", id)).collect()
    }

    /// The requests of a practice's open referrals, those not read at the practice for longest first.
    pub async fn open_requests(&self, practice: &PracticeId, most: i64) -> Result<Vec<Source>, StoreError> {
        let rows = sqlx::query(OPEN_REQUESTS).bind(practice.as_str()).bind(most).fetch_all(self.pool()).await?;
        let source = |row: &sqlx::sqlite::SqliteRow| Source {
            practice: practice.clone(),
            request: row.get("request_id"),
            task: row.get("task_id"),
            version: row.get("input_version"),
        };
        Ok(rows.iter().map(source).collect())
    }

    /// Referrals of a programme that nobody was told of yet and that have waited for a person (or for the matcher) since
    /// before `since`, or for an answer since before `overdue`, when the offer should long have lapsed.
    pub async fn waiting_too_long(
        &self,
        programme: &ProgrammeId,
        since: Timestamp,
        overdue: Timestamp,
    ) -> Result<Vec<ReferralId>, StoreError> {
        let query = sqlx::query(WAITING_TOO_LONG).bind(programme.as_str()).bind(ms(since)).bind(ms(overdue));
        let rows = query.fetch_all(self.pool()).await?;
        rows.iter().map(|row| key("a referral", row.get("id"))).collect()
    }
}

/// Whether the practice tells us the same again; which version and which Task it stands in is no news.
fn same_content(mut stored: Referral, now: &Referral) -> bool {
    stored.source = now.source.clone();
    stored == *now
}

/// Whether a practice asks once more in a request that is over here: it took the request up again, or wrote something
/// else in it. A new telephone number or address is no new request.
fn was_sent_again(stored: Option<&Referral>, now: &Referral) -> bool {
    now.status == RequestStatus::Active
        && stored.is_none_or(|stored| {
            stored.status != now.status || stored.reasons != now.reasons || stored.priority != now.priority
        })
}

/// Who the person was when somebody took them on.
fn taken_on_as(id: ReferralId, row: &SqliteRow) -> Result<Patient, StoreError> {
    from_json("a person", &id.to_string(), row.get("person"))
}

fn list_row(row: &SqliteRow) -> Result<ReferralRow, StoreError> {
    let id: String = row.get("id");
    let hold: Option<String> = row.get("hold");
    let body: Option<String> = row.get("body");
    Ok(ReferralRow {
        id: key("a referral", &id)?,
        programme: ProgrammeId::new(row.get::<String, _>("programme_id")),
        practice: PracticeId::new(row.get::<String, _>("practice_id")),
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

fn score_at(rows: &[SqliteRow], moment: &str) -> Option<Ons4> {
    rows.iter().find(|r| r.get::<String, _>("moment") == moment).and_then(ons4)
}

fn ons4(row: &SqliteRow) -> Option<Ons4> {
    let score = |name: &str| u8::try_from(row.get::<i64, _>(name)).ok().and_then(|n| Score::try_from(n).ok());
    Some(Ons4 {
        satisfied: score("satisfied")?,
        worthwhile: score("worthwhile")?,
        happy: score("happy")?,
        anxious: score("anxious")?,
    })
}

/// SHA-256 of the text (hex), and the text compressed.
fn compressed(text: &str) -> Result<(String, Vec<u8>), StoreError> {
    use std::io::Write as _;
    let mut zip = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    let bytes = zip.write_all(text.as_bytes()).and_then(|()| zip.finish());
    let bytes =
        bytes.map_err(|e| StoreError::Unreadable { what: "raw FHIR", id: String::new(), why: e.to_string() })?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hash = digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok((hash, bytes))
}

fn decompressed(bytes: &[u8]) -> Result<String, StoreError> {
    use std::io::Read as _;
    let mut text = String::new();
    flate2::read::DeflateDecoder::new(bytes).read_to_string(&mut text).map_err(|e| StoreError::Unreadable {
        what: "raw FHIR",
        id: String::new(),
        why: e.to_string(),
    })?;
    Ok(text)
}
