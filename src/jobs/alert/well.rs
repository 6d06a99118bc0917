//! Tell the duty address that what was said to fail is well again: once, when it has been well for ten minutes
//! (`store::SETTLED_AFTER`), and only where its failing was told by mail. What fails anew before that is the same failing
//! still, so that something which comes and goes within minutes is one mail when it begins and one when it is over.
//!
//! Each time that it becomes well a job is queued for ten minutes later; the one that still finds it well tells it.

use std::time::Duration;

use jiff::SignedDuration;

use crate::crash_point;
use crate::effect::EffectError;
use crate::jobs::leave::{self, Leave};
use crate::jobs::schedule::ALERT;
use crate::jobs::{Attempt, JobError, nothing_to_do};
use crate::partner::{MessageId, Outgoing, compose};
use crate::referral::AlertId;
use crate::service::Wellbridge;
use crate::store::{AlertRow, MailState, NewMail, SETTLED_AFTER, StoreError};

/// How soon it is looked again whether the failing, whose mail waits for the mail server too, was told.
const FAILING_FIRST: Duration = Duration::from_mins(5);

/// Tells it, where it is so.
pub(super) async fn again(service: &Wellbridge, id: AlertId, attempt: Attempt) -> Result<(), JobError> {
    let (Some(alert), Some((edge, well))) = (service.store.alert(id).await?, service.store.well_now(id).await?) else {
        return nothing_to_do(service, attempt).await; // It fails again, or somebody else has told it.
    };
    let Some(programme) = service.programme(&alert.programme) else {
        return nothing_to_do(service, attempt).await;
    };
    let settled = attempt.now.duration_since(well);
    if settled < SETTLED_AFTER {
        return Err(JobError::Wait((SETTLED_AFTER - settled).unsigned_abs())); // It failed meanwhile.
    }
    if alert.told == 0 {
        let patient = SignedDuration::try_from(ALERT.horizon).unwrap_or(SETTLED_AFTER);
        if alert.opened.is_none() && settled < patient {
            return Err(JobError::Wait(FAILING_FIRST));
        }
        return ends(service, id, attempt).await;
    }
    let rendered = compose::well_again_mail(service, programme, (&alert, &edge), well)?;
    let mail = Outgoing {
        message_id: MessageId::for_well_again(id, service.settings.mail.from.address.domain()),
        to: programme.duty.address.clone(),
        reply_to: None,
        in_reply_to: None,
        date: attempt.now,
        rendered,
    };
    let mail_id = mail_id(id);
    let mut tx = service.store.begin().await?;
    let leave = leave::begin(&mut tx, &new_mail(&alert, &mail_id), attempt).await?;
    tx.commit().await?;
    let Leave::Now { again } = leave else {
        return ends(service, id, attempt).await;
    };
    crash_point::step("before:alert").await?;
    let answer = service.mailer.send(&mail).await;
    crash_point::step("after:alert").await?;
    let mut tx = service.store.begin().await?;
    match answer {
        Ok(answer) => {
            leave::taken(&mut tx, &mail_id, &answer.to_string(), again, attempt).await?;
            tx.alert_ended(id, attempt.now).await?;
            tx.complete(attempt.job).await?;
            Ok(tx.commit().await?)
        }
        Err(failure) => {
            leave::failed(&mut tx, service, &mail_id, &failure, again, attempt).await?;
            tx.commit().await?;
            let refused = failure.address_is_bad.then(|| EffectError::give_up(failure.effect.to_string(), None));
            Err(refused.unwrap_or(failure.effect).into())
        }
    }
}

/// It could not be told: good news need not chase anybody.
pub(super) async fn give_up(
    service: &Wellbridge,
    alert: &AlertRow,
    attempt: Attempt,
    error: &EffectError,
) -> Result<(), StoreError> {
    let mail_id = mail_id(alert.id);
    let mut tx = service.store.begin().await?;
    tx.ask_for_mail(&new_mail(alert, &mail_id), attempt.now).await?;
    tx.settle_mail(&mail_id, MailState::Failed, Some(&error.to_string()), attempt.now).await?;
    tx.alert_ended(alert.id, attempt.now).await?;
    tx.complete(attempt.job).await?;
    tx.commit().await
}

/// Nobody was mailed about the failing (somebody saw it at the desk), or all is told: nothing more is.
async fn ends(service: &Wellbridge, id: AlertId, attempt: Attempt) -> Result<(), JobError> {
    let mut tx = service.store.begin().await?;
    tx.alert_ended(id, attempt.now).await?;
    tx.complete(attempt.job).await?;
    Ok(tx.commit().await?)
}

fn mail_id(id: AlertId) -> String {
    format!("{}.well-again.1", id.uuid().simple())
}

fn new_mail<'a>(alert: &'a AlertRow, id: &'a str) -> NewMail<'a> {
    NewMail { id, programme: &alert.programme, referral: None, offer: None, kind: "well-again", ordinal: 1 }
}
