//! Taking in what a practice says: a referral we had not seen, a newer version of one we know, one taken back, or nothing
//! new. Also what could not be read is taken in: held, once, with an explanation for a practice manager.
//!
//! One (practice, request) is one referral, whoever reads it and however often: see [`Tx::known`].

use jiff::Timestamp;

use super::referrals::{CONTENT, PERSON, taken_on_as};
use super::rows::{from_json, json, key, ms};
use super::sql::query;
use super::{Appended, Standing, StoreError, Tx};
use crate::practice::{RawFhir, Unreadable};
use crate::referral::content::{RequestStatus, TaskState};
use crate::referral::episode::{Actor, Episode, Facts};
use crate::referral::event::Event;
use crate::referral::facts::{stopped_by_task, under_history};
use crate::referral::lifecycle::{self, Refusal};
use crate::referral::{ProgrammeId, Referral, ReferralId, Source};

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

const BY_REQUEST: &str = "select id from referral where practice_id = $1 and request_id = $2";
const SET_INPUT: &str = "update referral set input_version = $2, task_id = coalesce($3, task_id), explanation = $4,
    read_again = $5, task_version = coalesce($6, task_version) where id = $1";
/// What was read within the hour is not stamped anew: that would be a write for every look before a mail or a filing.
const SET_READ: &str = "update referral set read_again = $2, task_id = coalesce($3, task_id),
    task_version = coalesce($4, task_version) where id = $1
    and (read_again < $2 - 3600000 or task_id is distinct from coalesce($3, task_id)
    or task_version is distinct from coalesce($4, task_version))";
const PUT_CONTENT: &str =
    "insert into referral_content (referral_id, programme_id, body, read_at, person) values ($1, $2, $3, $4, $5)
    on conflict (referral_id) do update set body = excluded.body, read_at = excluded.read_at,
    person = case when $6 = 1 then referral_content.person else excluded.person end";
const SET_PERSON: &str = "update referral_content set person = $2 where referral_id = $1";

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
            let facts = under_history(facts, referral, None);
            let (episode, effects) = lifecycle::start(new_id, &source.practice, programme, facts, now);
            self.receive(&episode, source, raw.task_version.as_deref(), stopped_by_task(referral, facts), effects, now)
                .await?;
            self.put_content(new_id, programme, referral, false, now).await?;
            self.put_raw(new_id, programme, &source.version, raw, now).await?;
            return Ok(TakenIn::New(new_id));
        };
        let id = known.episode.id;
        let referral = &read_of(&known, referral, raw);
        let facts = under_history(facts, referral, Some(&known.episode));
        if self.is_erased(id).await? {
            return self.touch_erased(&known, source, Some(referral.status), None, facts, now).await;
        }
        let stored = self.content_in(id).await?;
        let told_before = stored.as_ref().is_some_and(|stored| same_content(stored.clone(), referral));
        // The patient, the consent or the Task may change while the request keeps its version.
        if known.source.version == source.version && told_before && known.episode.facts == facts {
            self.read_at(id, source, raw.task_version.as_deref(), now).await?;
            return Ok(TakenIn::Same);
        }
        let taken_on = known.episode.was_taken_on();
        self.put_content(id, programme, referral, taken_on, now).await?;
        self.put_raw(id, programme, &source.version, raw, now).await?;
        let why = stopped_by_task(referral, facts);
        self.set_input(id, source, why, raw.task_version.as_deref(), now).await?;
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
            let row = query(PERSON).bind(known.id.to_string()).fetch_optional(&mut self.inner).await?;
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
            query(SET_PERSON).bind(id.to_string()).bind(person).execute(&mut self.inner).await?;
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
            self.receive(&episode, source, raw.task_version.as_deref(), text, effects, now).await?;
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
            self.read_at(id, source, raw.task_version.as_deref(), now).await?;
            return Ok(TakenIn::Same);
        }
        self.put_raw(id, programme, &source.version, raw, now).await?;
        self.set_input(id, source, text, raw.task_version.as_deref(), now).await?;
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

    /// The referral of a request, if we know it. Where we do not, nobody else takes that request in until this
    /// transaction ends: two replicas that read one page make one referral of it.
    async fn known(&mut self, source: &Source) -> Result<Option<Standing>, StoreError> {
        let mut found = self.by_request(source).await?;
        if found.is_none() {
            self.alone(&format!("request {}/{}", source.practice, source.request)).await?;
            found = self.by_request(source).await?;
        }
        match found {
            Some(id) => self.standing(key("a referral", &id)?).await,
            None => Ok(None),
        }
    }

    async fn by_request(&mut self, source: &Source) -> Result<Option<String>, StoreError> {
        let by = query(BY_REQUEST).bind(source.practice.as_str()).bind(&source.request);
        Ok(by.maybe_scalar(&mut self.inner).await?)
    }

    async fn content_in(&mut self, id: ReferralId) -> Result<Option<Referral>, StoreError> {
        let body: Option<String> = query(CONTENT).bind(id.to_string()).maybe_scalar(&mut self.inner).await?;
        body.map(|text| from_json("a referral", &id.to_string(), &text)).transpose()
    }

    pub(super) async fn set_input(
        &mut self,
        id: ReferralId,
        source: &Source,
        explanation: Option<&str>,
        task_version: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SET_INPUT)
            .bind(id.to_string())
            .bind(&source.version)
            .bind(source.task.as_deref())
            .bind(explanation)
            .bind(ms(now))
            .bind(task_version)
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }

    /// Notes that a referral was read at its practice just now, and its Task where that is new.
    pub(super) async fn read_at(
        &mut self,
        id: ReferralId,
        source: &Source,
        task_version: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SET_READ)
            .bind(id.to_string())
            .bind(ms(now))
            .bind(source.task.as_deref())
            .bind(task_version)
            .execute(&mut self.inner)
            .await?;
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
        query(PUT_CONTENT)
            .bind(id.to_string())
            .bind(programme.as_str())
            .bind(json("a referral", content)?)
            .bind(ms(now))
            .bind(json("a person", &content.patient.identity())?)
            .bind(i64::from(taken_on))
            .execute(&mut self.inner)
            .await?;
        Ok(())
    }
}

/// What was read, in the light of what is known. A Task of ours that belongs to somebody else now was given away. That
/// may be a slip, or a colleague's name: the request stands, so nothing is withdrawn for it, and a person decides. That we
/// ended the Task is no news where the referral is over here.
fn read_of(known: &Standing, referral: &Referral, raw: &RawFhir) -> Referral {
    let given_away = known.source.task.as_ref().is_some_and(|task| raw.elsewhere.contains(task));
    let task = match referral.task {
        _ if given_away && referral.source.task.is_none() => TaskState::GivenAway,
        TaskState::EndedByUs if !known.episode.is_open() => TaskState::Open,
        as_read => as_read,
    };
    Referral { task, ..referral.clone() }
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
