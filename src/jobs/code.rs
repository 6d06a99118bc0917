//! Mail the one-time code that opens who the person is, to the partner's confirmed address.

use std::time::Duration;

use super::leave::{self, Leave};
use super::schedule::Schedule;
use super::{About, Attempt, Effect, JobError, mail_timeout, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::partner::{MailKind, MessageId, Outgoing, compose};
use crate::referral::episode::OfferStatus;
use crate::referral::event::Alert;
use crate::service::Wellbridge;
use crate::store::queue::SendCode;
use crate::store::{Edge, MailState, NewMail, StoreError, Whose, code_mail_id};

impl Effect for SendCode {
    /// Somebody sits before the page: quickly or not at all. She can ask for another.
    const SCHEDULE: Schedule = Schedule {
        waits: &[Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(30)],
        horizon: Duration::from_mins(10),
    };

    fn timeout(service: &Wellbridge) -> Duration {
        mail_timeout(service)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    fn edge(_: Whose) -> Edge {
        Edge::Mail
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let standing = service.store.standing(self.referral).await?;
        let offer = standing.as_ref().and_then(|s| s.episode.offer(self.offer));
        let (Some(standing), Some(offer)) = (&standing, offer) else {
            return nothing_to_do(service, attempt).await;
        };
        if !matches!(offer.status, OfferStatus::Accepted | OfferStatus::InProgress | OfferStatus::OnHold) {
            return nothing_to_do(service, attempt).await; // Withdrawn or ended meanwhile: there is nothing to open.
        }
        let mut tx = service.store.begin().await?;
        let live = tx.code(self.offer).await?.is_some_and(|code| code.ordinal == self.ordinal);
        drop(tx);
        if !live {
            return nothing_to_do(service, attempt).await; // A newer one was asked for, or this one was used.
        }
        let Some((to, rendered)) = compose::code_mail(service, standing, offer, self.ordinal).await? else {
            return nothing_to_do(service, attempt).await;
        };
        let id = code_mail_id(self.offer, self.ordinal);
        let domain = service.settings.mail.from.address.domain();
        let ordinal = u32::try_from(self.ordinal).unwrap_or(u32::MAX);
        let outgoing = Outgoing {
            message_id: MessageId::for_offer(self.offer, MailKind::Code, ordinal, domain),
            to,
            reply_to: None,
            in_reply_to: None,
            date: attempt.now,
            rendered,
        };
        let mail = NewMail {
            id: &id,
            programme: &standing.episode.programme,
            referral: Some(self.referral),
            offer: Some(self.offer),
            kind: "code",
            ordinal: self.ordinal,
        };
        let mut tx = service.store.begin().await?;
        let Leave::Now { again } = leave::begin(&mut tx, &mail, attempt).await? else {
            drop(tx);
            return nothing_to_do(service, attempt).await;
        };
        tx.commit().await?;
        crash_point::step("before:code").await?;
        let sent = service.mailer.send(&outgoing).await;
        crash_point::step("after:code").await?;
        let mut tx = service.store.begin().await?;
        match sent {
            Ok(answer) => {
                leave::taken(&mut tx, &id, &answer.to_string(), again, attempt).await?;
                tx.complete(attempt.job).await?;
                Ok(tx.commit().await?)
            }
            Err(failure) => {
                if failure.address_is_bad {
                    let (programme, why) = (&standing.episode.programme, failure.effect.to_string());
                    tx.address_is_bad(programme, &offer.partner, &why, attempt.now).await?;
                }
                leave::failed(&mut tx, service, &id, &failure, again, attempt).await?;
                tx.commit().await?;
                Err(failure.effect.into())
            }
        }
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, error: &EffectError) -> Result<(), StoreError> {
        let id = code_mail_id(self.offer, self.ordinal);
        let mut tx = service.store.begin().await?;
        if let Some(standing) = tx.standing(self.referral).await? {
            tx.raise(&standing.episode.programme, Some(self.referral), Alert::GivenUp, attempt.now).await?;
        }
        tx.settle_mail(&id, MailState::Failed, Some(&error.to_string()), attempt.now).await?;
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}
