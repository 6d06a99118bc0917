//! File to the patient's record: support started, or closed. Once, whatever happens on the way.

use std::time::Duration;

use super::schedule::{RECORD, Schedule};
use super::{Attempt, Effect, JobError, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::practice::{ClinicalFiling, MessageBack, Receipt};
use crate::referral::FilingId;
use crate::referral::episode::{AttentionKind, Filing, FilingStatus, Moment, PersonAnswer, ReferralState};
use crate::referral::event::{Alert, Event};
use crate::service::Wellbridge;
use crate::store::queue::FileRecord;
use crate::store::{NoteRow, Standing, StoreError};

impl Effect for FileRecord {
    const SCHEDULE: Schedule = RECORD;

    fn timeout(_service: &Wellbridge) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let Some(standing) = service.store.standing(self.referral).await? else {
            return nothing_to_do(service, attempt).await;
        };
        let queued = standing.episode.filings.iter().find(|f| f.id == self.filing && f.status == FilingStatus::Queued);
        let (Some(filing), Some(system)) = (queued, service.practices.get(&standing.source.practice)) else {
            return nothing_to_do(service, attempt).await;
        };
        if standing.episode.state() == ReferralState::Withdrawn {
            // The practice may have found that it was the wrong person: a coordinator looks before anything is written.
            let why = "the practice withdrew its request before this was filed";
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

fn effect_id(filing: FilingId) -> String {
    format!("filing.{}", filing.uuid().simple())
}

/// Everything one filing says, gathered; the adapter leaves out what sharing forbids.
async fn clinical_filing(
    service: &Wellbridge,
    standing: &Standing,
    filing: &Filing,
) -> Result<ClinicalFiling, StoreError> {
    let episode = &standing.episode;
    let (before, after) = service.store.scores(episode.id).await?;
    let notes = service.store.notes(episode.id).await?;
    let earlier = episode.filings.iter().take_while(|f| f.id != filing.id);
    let already_coded = earlier.filter(|f| f.status != FilingStatus::Refused).any(|f| codes_acceptance(f.moment));
    Ok(ClinicalFiling {
        id: filing.id,
        moment: filing.moment,
        source: standing.source.clone(),
        occurred: standing.changed,
        sharing: episode.facts.sharing,
        person_accepted: episode.person == PersonAnswer::Accepted,
        already_coded,
        before,
        after: matches!(filing.moment, Moment::Closed(_)).then_some(after).flatten(),
        message: message_back(service, standing, filing, &notes),
    })
}

/// Whether an earlier filing has coded the referral to social prescribing already.
const fn codes_acceptance(moment: Moment) -> bool {
    matches!(moment, Moment::Started)
}

/// The message back, from what the partner and the coordinator wrote.
fn message_back(service: &Wellbridge, standing: &Standing, filing: &Filing, notes: &[NoteRow]) -> MessageBack {
    let words = |kind: &str| {
        let said: Vec<&str> = notes
            .iter()
            .filter(|n| n.kind == kind && (filing.offer.is_none() || n.offer == filing.offer))
            .map(|n| n.words.as_str())
            .collect();
        (!said.is_empty()).then(|| said.join("\n"))
    };
    let offer = filing.offer.and_then(|id| standing.episode.offer(id));
    let asked =
        offer.and_then(|o| service.directory().get(&o.service).map(|s| (s.name.clone(), s.organisation.name.clone())));
    let risk = standing.episode.attention.iter().any(|a| a.kind == AttentionKind::Risk);
    MessageBack {
        service: asked.map(|(name, by)| if by.is_empty() || by == name { name } else { format!("{name} ({by})") }),
        tried: words("tried"),
        helped: words("helped"),
        did_not_help: words("did-not-help"),
        risks: words("risk")
            .or_else(|| risk.then(|| "A concern was reported; the Wellbeing Coordinator has it.".to_owned())),
        outcome: words("close"),
        sensitive: offer.is_some_and(|o| service.matcher.need(&o.need).is_some_and(|n| n.sensitive)),
    }
}
