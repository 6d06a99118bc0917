//! File to the patient's record: support started, or closed. Once, whatever happens on the way.

mod message;

use std::time::Duration;

use self::message::Words;
use super::read_again::{ReadNow, read_again};
use super::schedule::{RECORD, Schedule};
use super::task::meanwhile;
use super::{About, Attempt, Effect, JobError, Place, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{ClinicalFiling, Receipt};
use crate::referral::content::RequestStatus;
use crate::referral::episode::{
    Episode, Filing, FilingStatus, Moment, Offer, OfferStatus, PersonAnswer, ReferralState,
};
use crate::referral::event::{Alert, Event};
use crate::referral::lifecycle::whose_record_is_unknown;
use crate::referral::{FilingId, OfferId};
use crate::service::Wellbridge;
use crate::store::queue::{FileRecord, KeepTask, once};
use crate::store::{Standing, StoreError};

impl Effect for FileRecord {
    const SCHEDULE: Schedule = RECORD;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(1)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    fn place(&self) -> Place {
        Place::Practice
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let done = self.file(service, attempt).await;
        if done.is_err() {
            meanwhile(service, self.referral, attempt).await;
        }
        done
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
        tx.enqueue(KeepTask { referral: self.referral }, once()).await?;
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl FileRecord {
    async fn file(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(known) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        let (Some(_), Some(system)) = (self.queued(&known), service.practices.get(&known.source.practice)) else {
            return self.nothing_to_file(service, attempt).await;
        };
        // Hours may lie between the moment and now: whose request it is and what the person shares may have changed.
        let ReadNow { standing, request } = read_again(service, self.referral).await?;
        let Some(filing) = self.queued(&standing) else {
            return self.nothing_to_file(service, attempt).await;
        };
        if let Some(why) = forbidden(service, &standing).await? {
            return Err(EffectError::give_up(why, None).into());
        }
        let clinical = clinical_filing(service, &standing, filing, request).await?;
        crash_point::step("before:file").await?;
        let receipt = system.file(&clinical).await?;
        crash_point::step("after:file").await?;
        let (event, outputs) = match receipt {
            Receipt::Filed(outputs) => (Event::Filed { filing: self.filing }, outputs),
            Receipt::Handed(receipt) => (Event::Handed { filing: self.filing }, vec![receipt]),
        };
        let programme = &standing.episode.programme;
        let mut tx = service.store.begin().await?;
        tx.settle_filing(self.filing, self.referral, programme, &outputs, None, attempt.now).await?;
        tx.record(self.referral, &event, Some(&effect_id(self.filing)), attempt.now, attempt.now).await?;
        // What is only handed over is no step, but what brought it here is.
        tx.enqueue(KeepTask { referral: self.referral }, once()).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    /// It was set aside, or written by another attempt: the Task still says the step that brought it here.
    async fn nothing_to_file(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        tx.enqueue(KeepTask { referral: self.referral }, once()).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

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
    request: Option<String>,
) -> Result<ClinicalFiling, StoreError> {
    let episode = &standing.episode;
    let events = service.store.events(episode.id).await?;
    let cause = events.iter().find(|recorded| recorded.caused(episode.id, filing.id));
    let (before, after) = match scores_of(episode, filing) {
        Some(offer) => service.store.offer_scores(offer).await?,
        None => (None, None),
    };
    let notes = service.store.notes(episode.id).await?;
    let notes = Words { service, episode, filing, cause, events: &events, notes: &notes };
    let earlier = episode.filings.iter().take_while(|f| f.id != filing.id);
    let told = |f: &&Filing| !matches!(f.status, FilingStatus::Refused | FilingStatus::SetAside);
    let already_coded = earlier.filter(told).any(|f| codes_acceptance(f.moment));
    Ok(ClinicalFiling {
        id: filing.id,
        moment: filing.moment,
        source: standing.source.clone(),
        request,
        occurred: cause.map_or(standing.changed, |recorded| recorded.occurred),
        sharing: episode.facts.sharing,
        person_accepted: episode.person == PersonAnswer::Accepted,
        already_coded,
        before,
        after: matches!(filing.moment, Moment::Closed(_)).then_some(after).flatten(),
        message: notes.message_back(),
    })
}

/// Whether an earlier filing has coded the referral to social prescribing already.
const fn codes_acceptance(moment: Moment) -> bool {
    matches!(moment, Moment::Started)
}

/// Whose scores a filing brings: those of its offer, or of the partner that had begun and could not go on.
fn scores_of(episode: &Episode, filing: &Filing) -> Option<OfferId> {
    let failed = |o: &&Offer| o.need == filing.need && matches!(o.status, OfferStatus::Failed(_));
    filing.offer.or_else(|| episode.offers.iter().rfind(failed).map(|o| o.id))
}
