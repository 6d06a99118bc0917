//! File to the patient's record: support started, or closed. Once, whatever happens on the way.

use std::time::Duration;

use super::read_again::read_again;
use super::schedule::{RECORD, Schedule};
use super::{About, Attempt, Effect, JobError, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{ClinicalFiling, MessageBack, Receipt};
use crate::referral::content::RequestStatus;
use crate::referral::episode::{
    AttentionKind, Closed, Episode, Filing, FilingStatus, Moment, PersonAnswer, ReferralState,
};
use crate::referral::event::{Alert, Decision, Event};
use crate::referral::lifecycle::whose_record_is_unknown;
use crate::referral::{FilingId, NeedCode};
use crate::service::Wellbridge;
use crate::store::queue::FileRecord;
use crate::store::{NoteRow, Recorded, Standing, StoreError};

impl Effect for FileRecord {
    const SCHEDULE: Schedule = RECORD;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(1)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(known) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        let (Some(_), Some(system)) = (self.queued(&known), service.practices.get(&known.source.practice)) else {
            return nothing_to_do(service, attempt).await;
        };
        // Hours may lie between the moment and now: whose request it is and what the person shares may have changed.
        let standing = read_again(service, self.referral).await?;
        let Some(filing) = self.queued(&standing) else {
            return nothing_to_do(service, attempt).await;
        };
        if let Some(why) = forbidden(service, &standing).await? {
            return Err(EffectError::give_up(why, None).into());
        }
        let clinical = clinical_filing(service, &standing, filing).await?;
        crash_point::reached("before:file");
        let receipt = system.file(&clinical).await?;
        crash_point::reached("after:file");
        let (event, outputs) = match receipt {
            Receipt::Filed(outputs) => (Event::Filed { filing: self.filing }, outputs),
            Receipt::Handed(receipt) => (Event::Handed { filing: self.filing }, vec![receipt]),
        };
        let programme = &standing.episode.programme;
        let mut tx = service.store.begin().await?;
        tx.settle_filing(self.filing, self.referral, programme, &outputs, None, attempt.now).await?;
        tx.record(self.referral, &event, Some(&effect_id(self.filing)), attempt.now, attempt.now).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, error: &EffectError) -> Result<(), StoreError> {
        let Some(standing) = service.store.standing(self.referral).await? else { return Ok(()) };
        let detail = match error {
            EffectError::GiveUp { why, detail } => detail.as_deref().unwrap_or(why).to_owned(),
            other => other.to_string(),
        };
        let programme = &standing.episode.programme;
        let mut tx = service.store.begin().await?;
        tx.settle_filing(self.filing, self.referral, programme, &[], Some(&detail), attempt.now).await?;
        let refused = Event::FilingRefused { filing: self.filing };
        match tx.record(self.referral, &refused, None, attempt.now, attempt.now).await {
            Ok(_) => {}
            Err(StoreError::Refused(_)) => {
                tx.raise(programme, Some(self.referral), Alert::GivenUp, attempt.now).await?;
            }
            Err(other) => return Err(other),
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl FileRecord {
    /// The filing, where it still waits to be written.
    fn queued<'s>(&self, standing: &'s Standing) -> Option<&'s Filing> {
        standing.episode.filings.iter().find(|f| f.id == self.filing && f.status == FilingStatus::Queued)
    }
}

fn effect_id(filing: FilingId) -> String {
    format!("filing.{}", filing.uuid().simple())
}

/// Why nothing may be written as the practice's record stands now; a person looks, and may queue it again.
async fn forbidden(service: &Wellbridge, standing: &Standing) -> Result<Option<&'static str>, StoreError> {
    let episode = &standing.episode;
    if episode.state() == ReferralState::Withdrawn {
        return Ok(Some("the practice withdrew its request before this was filed"));
    }
    if episode.facts.hold.is_some_and(whose_record_is_unknown) {
        return Ok(Some("the request or its patient cannot be read: it is not certain in whose record this belongs"));
    }
    let content = service.store.content(episode.id).await?;
    if content.is_some_and(|c| c.status == RequestStatus::EnteredInError) {
        return Ok(Some("the practice says that its request was entered in error"));
    }
    if !service.store.is_same_person(episode.id).await? {
        return Ok(Some("the request now names another person than the one who was supported: look at both records"));
    }
    Ok(None)
}

/// Everything one filing says, gathered; the adapter leaves out what sharing forbids.
async fn clinical_filing(
    service: &Wellbridge,
    standing: &Standing,
    filing: &Filing,
) -> Result<ClinicalFiling, StoreError> {
    let episode = &standing.episode;
    let events = service.store.events(episode.id).await?;
    let cause = events.iter().find(|recorded| recorded.caused(episode.id, filing.id));
    let (before, after) = match filing.offer {
        Some(offer) => service.store.offer_scores(offer).await?,
        None => (None, None),
    };
    let notes = service.store.notes(episode.id).await?;
    let earlier = episode.filings.iter().take_while(|f| f.id != filing.id);
    let already_coded = earlier.filter(|f| f.status != FilingStatus::Refused).any(|f| codes_acceptance(f.moment));
    Ok(ClinicalFiling {
        id: filing.id,
        moment: filing.moment,
        source: standing.source.clone(),
        occurred: cause.map_or(standing.changed, |recorded| recorded.occurred),
        sharing: episode.facts.sharing,
        person_accepted: episode.person == PersonAnswer::Accepted,
        already_coded,
        before,
        after: matches!(filing.moment, Moment::Closed(_)).then_some(after).flatten(),
        message: message_back(service, episode, filing, cause, &notes),
    })
}

/// Whether an earlier filing has coded the referral to social prescribing already.
const fn codes_acceptance(moment: Moment) -> bool {
    matches!(moment, Moment::Started)
}

/// The message back, from what the partner and the coordinator wrote about this need until then.
fn message_back(
    service: &Wellbridge,
    episode: &Episode,
    filing: &Filing,
    cause: Option<&Recorded>,
    notes: &[NoteRow],
) -> MessageBack {
    let words = |kind: &str| {
        let known_then = |n: &&NoteRow| cause.is_none_or(|c| n.written <= c.recorded);
        let belongs = |n: &&NoteRow| n.kind == kind && is_about(n, episode, filing);
        let said: Vec<&str> = notes.iter().filter(known_then).filter(belongs).map(|n| n.words.as_str()).collect();
        (!said.is_empty()).then(|| said.join("\n"))
    };
    let closing = cause.and_then(|c| match c.event {
        Event::Decided { decision: Decision::Close(_), note, .. } => note,
        _ => None,
    });
    let offer = filing.offer.and_then(|id| episode.offer(id));
    let asked =
        offer.and_then(|o| service.directory().get(&o.service).map(|s| (s.name.clone(), s.organisation.name.clone())));
    let risk = episode.attention.iter().any(|a| a.kind == AttentionKind::Risk);
    MessageBack {
        service: asked.map(|(name, by)| if by.is_empty() || by == name { name } else { format!("{name} ({by})") }),
        tried: words("tried"),
        helped: words("helped"),
        did_not_help: words("did-not-help"),
        risks: words("risk")
            .or_else(|| risk.then(|| "A concern was reported; the Wellbeing Coordinator has it.".to_owned())),
        outcome: closing.and_then(|id| notes.iter().find(|n| n.id == id)).map(|n| n.words.clone()),
        sensitive: is_sensitive(service, episode, filing),
    }
}

/// A partner's words belong to the offer that was filed; where there was none, to any offer made for this need. Words
/// about another need never do: that need may be one that is filed apart.
fn is_about(note: &NoteRow, episode: &Episode, filing: &Filing) -> bool {
    let need = note.offer.and_then(|id| episode.offer(id)).map(|offer| &offer.need);
    match filing.offer {
        Some(_) => note.offer == filing.offer,
        None => need == Some(&filing.need),
    }
}

/// Whether the words are filed apart: by the need, whoever met it. A no to social prescribing as a whole speaks of
/// every need; a need that could not be named is taken to be sensitive where a safety matter was read.
fn is_sensitive(service: &Wellbridge, episode: &Episode, filing: &Filing) -> bool {
    let sensitive = |code: &NeedCode| service.matcher.need(code).map_or(episode.safety, |need| need.sensitive);
    match filing.moment {
        Moment::Closed(Closed::DeclinedSocialPrescribing) => episode.needs.iter().any(|n| sensitive(&n.code)),
        _ => sensitive(&filing.need),
    }
}
