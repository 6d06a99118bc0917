//! Chase an offer that nobody answered: one reminder, then it lapses and the next service is asked.

use super::schedule::{OWN, Schedule};
use super::{Attempt, Effect, JobError};
use crate::effect::EffectError;
use crate::referral::event::Event;
use crate::service::Wellbridge;
use crate::store::StoreError;
use crate::store::queue::{Chase, ChaseOffer};

impl Effect for ChaseOffer {
    const SCHEDULE: Schedule = OWN;

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let event = match self.why {
            Chase::Remind => Event::Reminded { offer: self.offer },
            Chase::Lapse => Event::Lapsed { offer: self.offer },
        };
        let mut tx = service.store.begin().await?;
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
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}
