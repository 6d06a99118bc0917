//! Tell the duty address, without identity, with a link to the worklist.
//!
//! A safety matter is told at once, again after the programme's half hour, and then to the second address, every half
//! hour until somebody opens it. Everything else is told once; and of what was told to fail, that it is [well again](well).

mod well;

use std::time::Duration;

use jiff::SignedDuration;
use riverqueue::InsertOpts;

use super::leave::{self, Leave};
use super::schedule::{ALERT, Schedule};
use super::{About, Attempt, Effect, JobError, mail_timeout, nothing_to_do};
use crate::crash_point;
use crate::effect::EffectError;
use crate::partner::{MessageId, Outgoing, compose};
use crate::service::Wellbridge;
use crate::settings::Programme;
use crate::store::queue::{News, SendAlert, due};
use crate::store::{AlertRow, Edge, MailState, NewMail, StoreError, Tx, Whose};

impl Effect for SendAlert {
    const SCHEDULE: Schedule = ALERT;

    fn timeout(service: &Wellbridge) -> Duration {
        mail_timeout(service)
    }

    fn about(&self) -> About {
        About::Alert(self.alert)
    }

    fn edge(_: Whose) -> Edge {
        Edge::Mail
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        if self.news == News::WellAgain {
            return well::again(service, self.alert, attempt).await;
        }
        let Some(alert) = service.store.alert(self.alert).await?.filter(|a| a.opened.is_none()) else {
            return nothing_to_do(service, attempt).await;
        };
        let Some(programme) = service.programme(&alert.programme) else {
            return nothing_to_do(service, attempt).await;
        };
        let to = if self.step < 2 { &programme.duty.address } else { &programme.duty.second_address };
        let rendered = compose::alert_mail(service, programme, &alert)?;
        let domain = service.settings.mail.from.address.domain();
        let mail = Outgoing {
            message_id: MessageId::for_alert(self.alert, u32::try_from(self.step).unwrap_or(u32::MAX), domain),
            to: to.clone(),
            reply_to: None,
            in_reply_to: None,
            date: attempt.now,
            rendered,
        };
        let Leave::Now { again } = self.begin(service, &alert, programme, attempt).await? else {
            return nothing_to_do(service, attempt).await;
        };
        crash_point::step("before:alert").await?;
        let answer = service.mailer.send(&mail).await;
        crash_point::step("after:alert").await?;
        let answer = match answer {
            Ok(answer) => answer.to_string(),
            // An address that refuses is not a reason to wait: the next step goes to the second one.
            Err(failure) if failure.address_is_bad => {
                return Err(EffectError::give_up(failure.effect.to_string(), None).into());
            }
            Err(failure) => {
                let mut tx = service.store.begin().await?;
                leave::failed(&mut tx, service, &self.mail_id(self.step), &failure, again, attempt).await?;
                tx.commit().await?;
                return Err(failure.effect.into());
            }
        };
        let mut tx = service.store.begin().await?;
        leave::taken(&mut tx, &self.mail_id(self.step), &answer, again, attempt).await?;
        tx.alert_told(self.alert).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, error: &EffectError) -> Result<(), StoreError> {
        let Some(alert) = service.store.alert(self.alert).await? else { return Ok(()) };
        if self.news == News::WellAgain {
            return well::give_up(service, &alert, attempt, error).await;
        }
        tracing::error!(alert.id = %self.alert, alert.step = self.step, error = %error, "the duty address could not be told");
        let mut tx = service.store.begin().await?;
        tx.ask_for_mail(&self.mail(&alert, &self.mail_id(self.step)), attempt.now).await?;
        tx.settle_mail(&self.mail_id(self.step), MailState::Failed, Some(&error.to_string()), attempt.now).await?;
        if let Some(programme) = service.programme(&alert.programme) {
            // The first address fails: the second at once. The second fails: both stand in the worklist, and again later.
            self.queue_next(&mut tx, programme, attempt, self.step.max(1) + 1, self.step >= 2).await?;
        }
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl SendAlert {
    fn mail_id(&self, step: i64) -> String {
        format!("{}.alert.{step}", self.alert.uuid().simple())
    }

    /// Writes down that this step is being tried, and queues the next one for its time, whatever comes of this one: a
    /// full mailbox must not keep the second address waiting. A step that was overtaken counts as sent: the next one to
    /// the same address is already being tried.
    async fn begin(
        &self,
        service: &Wellbridge,
        alert: &AlertRow,
        programme: &Programme,
        attempt: Attempt,
    ) -> Result<Leave, JobError> {
        let mut tx = service.store.begin().await?;
        if attempt.number > 1 && self.step != 1 && tx.mail(&self.mail_id(self.step + 1)).await?.is_some() {
            tx.settle_mail(&self.mail_id(self.step), MailState::Dropped, None, attempt.now).await?;
            tx.commit().await?;
            return Ok(Leave::Sent);
        }
        let leave = leave::begin(&mut tx, &self.mail(alert, &self.mail_id(self.step)), attempt).await?;
        if alert.kind.escalates() {
            self.queue_next(&mut tx, programme, attempt, self.step + 1, true).await?;
        }
        tx.commit().await?;
        Ok(leave)
    }

    async fn queue_next(
        &self,
        tx: &mut Tx,
        programme: &Programme,
        attempt: Attempt,
        step: i64,
        later: bool,
    ) -> Result<(), StoreError> {
        let wait = SignedDuration::try_from(programme.duty.alert_again_after).unwrap_or(SignedDuration::from_mins(30));
        let when = attempt.now.checked_add(wait).unwrap_or(attempt.now);
        let opts = if later { due(when) } else { InsertOpts::default() };
        // Each step once, however often the one before it is tried.
        let opts = opts.with_unique(riverqueue::UniqueOpts::new().with_by_args(true));
        tx.enqueue(SendAlert { alert: self.alert, step, news: News::Trouble }, opts).await?;
        Ok(())
    }

    fn mail<'a>(&self, alert: &'a AlertRow, id: &'a str) -> NewMail<'a> {
        NewMail {
            id,
            programme: &alert.programme,
            referral: alert.referral,
            offer: None,
            kind: "alert",
            ordinal: self.step,
        }
    }
}
