//! Chase an offer that nobody answered: one reminder, then it lapses and the next service is asked.

use jiff::SignedDuration;

use super::schedule::{OWN, Schedule};
use super::{About, Attempt, Effect, JobError, tell_given_up};
use crate::effect::EffectError;
use crate::referral::episode::OfferStatus;
use crate::referral::event::Event;
use crate::service::Wellbridge;
use crate::store::StoreError;
use crate::store::queue::{Chase, ChaseOffer, due};

/// How long a reminder waits for a mail that has not left yet, or for a coordinator to say whose the referral is.
const NOT_YET: SignedDuration = SignedDuration::from_hours(4);

impl Effect for ChaseOffer {
    const SCHEDULE: Schedule = OWN;

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let event = match self.why {
            Chase::Remind => Event::Reminded { offer: self.offer },
            Chase::Lapse => Event::Lapsed { offer: self.offer },
        };
        let mut tx = service.store.begin().await?;
        let standing = tx.standing(self.referral).await?;
        let offer = standing.as_ref().and_then(|s| s.episode.offer(self.offer));
        let in_question = standing.as_ref().is_some_and(|s| s.episode.person_in_question().is_some());
        if let (Chase::Remind, Some(offer)) = (self.why, offer)
            && offer.status == OfferStatus::Requested
            && (!offer.mailed || in_question)
        {
            // Its reminder comes after what it waits for, while there is time before the deadline.
            let later = attempt.now.checked_add(NOT_YET).unwrap_or(offer.reply_by);
            if later < offer.reply_by {
                tx.enqueue(self.clone(), due(later)).await?;
            }
            tx.complete(attempt.job).await?;
            return Ok(tx.commit().await?);
        }
        match tx.record(self.referral, &event, None, attempt.now, attempt.now).await {
            // Answered or taken back meanwhile: nothing to chase.
            Ok(_) | Err(StoreError::Refused(_) | StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, _: &EffectError) -> Result<(), StoreError> {
        let mut tx = service.store.begin().await?;
        if let Some(standing) = tx.standing(self.referral).await? {
            tell_given_up(&mut tx, &standing.episode.programme, self.referral, attempt.now).await?;
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}
