//! Send one mail about an offer: the offer itself, its reminder, its cancellation, or "your late yes was passed on".
//!
//! Before an offer or a reminder leaves, request, patient and consent are read again at the practice and the state is
//! looked at again: withdrawn, answered or held meanwhile, it is dropped. SMTP cannot promise "once": a connection lost
//! after the last byte is written down as such, and the same mail with the same Message-ID is tried again.

use std::time::Duration;

use super::leave;
use super::matching;
use super::read_again::read_again;
use super::schedule::{MAIL, Schedule};
use super::{About, Attempt, Effect, JobError, Place, edge_failed, mail_timeout, pace};
use crate::crash_point;
use crate::effect::EffectError;
use crate::partner::smtp_reply::MailError;
use crate::partner::{MailKind, MessageId, Outgoing, compose};
use crate::referral::episode::{Actor, Cause, Episode, Offer, OfferStatus, ReferralState};
use crate::referral::event::{Alert, Decision, Event, OfferMail};
use crate::service::Wellbridge;
use crate::store::queue::SendOfferMail;
use crate::store::{Edge, MailState, Standing, StoreError, Tx, offer_mail_id};

impl Effect for SendOfferMail {
    const SCHEDULE: Schedule = MAIL;

    fn timeout(service: &Wellbridge) -> Duration {
        mail_timeout(service)
    }

    fn about(&self) -> About {
        About::Referral(self.referral)
    }

    fn place(&self) -> Place {
        if self.asks() { Place::Practice } else { Place::Elsewhere }
    }

    async fn run(&self, service: &Wellbridge, attempt: Attempt) -> Result<(), JobError> {
        let mail_id = offer_mail_id(self.offer, self.mail);
        let asked = service.store.mail(&mail_id).await?;
        let stands = |state: MailState| asked.as_ref().is_some_and(|mail| mail.state == state.as_str());
        let may_have_left = stands(MailState::Leaving) || stands(MailState::Unknown);
        if stands(MailState::Leaving) {
            self.may_have_left(service, attempt, &mail_id).await?;
        }
        let standing = if self.asks() {
            self.checked_again(service).await?
        } else {
            service.store.standing(self.referral).await?
        };
        let sent = stands(MailState::Sent);
        let offer = standing.as_ref().and_then(|s| s.episode.offer(self.offer));
        let (Some(standing), Some(offer), false) = (&standing, offer, sent) else {
            return super::nothing_to_do(service, attempt).await;
        };
        if !still_true(self.mail, offer, &standing.episode) {
            return self.drop_it(service, attempt, &mail_id).await;
        }
        if self.machine_must_not(service, standing, offer, attempt).await? {
            return self.keep_back(service, attempt, &mail_id, offer).await;
        }
        let Some((to, rendered)) = compose::offer_mail(service, standing, offer, self.mail).await? else {
            let why = "the partner's address is not confirmed, or bounced before";
            return self.undeliverable(service, attempt, &mail_id, offer, why, false).await;
        };
        let domain = service.settings.mail.from.address.domain();
        let first = MessageId::for_offer(self.offer, MailKind::Offer, 1, domain);
        let mail = Outgoing {
            message_id: MessageId::for_offer(self.offer, kind_of(self.mail), 1, domain),
            to,
            reply_to: None,
            in_reply_to: (self.mail != OfferMail::Offer).then_some(first),
            date: asked.map_or(attempt.now, |mail| mail.asked),
            rendered,
        };
        match self.leaves(service, attempt, &mail_id, offer).await? {
            Leaves::Now => {}
            Leaves::Overtaken => {
                return Err(EffectError::retry("another attempt at this mail was quicker").into());
            }
            Leaves::NoLongerTrue => return self.drop_it(service, attempt, &mail_id).await,
        }
        crash_point::step("before:smtp").await?;
        let answer = service.mailer.send(&mail).await;
        crash_point::step("after:smtp").await?;
        match answer {
            Ok(answer) => self.sent(service, attempt, &mail_id, &answer.to_string()).await,
            Err(failure) if failure.address_is_bad => {
                let why = failure.effect.to_string();
                self.undeliverable(service, attempt, &mail_id, offer, &why, true).await
            }
            Err(failure) => self.not_sent(service, attempt, &mail_id, failure, may_have_left).await,
        }
    }

    async fn give_up(&self, service: &Wellbridge, attempt: Attempt, error: &EffectError) -> Result<(), StoreError> {
        let standing = service.store.standing(self.referral).await?;
        let mut tx = service.store.begin().await?;
        tx.settle_mail(&offer_mail_id(self.offer, self.mail), MailState::Failed, Some(&error.to_string()), attempt.now)
            .await?;
        if let Some(standing) = standing {
            tx.raise(&standing.episode.programme, Some(self.referral), Alert::GivenUp, attempt.now).await?;
        }
        self.record_undeliverable(&mut tx, attempt).await?;
        tx.complete(attempt.job).await?;
        tx.commit().await
    }
}

impl SendOfferMail {
    /// The standing after request, patient and consent were read again.
    async fn checked_again(&self, service: &Wellbridge) -> Result<Option<Standing>, JobError> {
        let Some(before) = service.store.standing(self.referral).await? else { return Ok(None) };
        let needed = before.episode.offer(self.offer).is_some_and(|o| still_true(self.mail, o, &before.episode));
        if needed { Ok(Some(read_again(service, self.referral).await?.standing)) } else { Ok(Some(before)) }
    }

    /// Whether it asks a partner for something, which needs a last look and may wait; what tells a partner never does.
    const fn asks(&self) -> bool {
        matches!(self.mail, OfferMail::Offer | OfferMail::Reminder)
    }

    /// Written down before a byte leaves, if the partner may be asked this much now, and only where it is still true:
    /// reading again, matching and composing took a while, and a withdrawal may have come in between. Another attempt may
    /// have come first, too: a mail that was dropped must not leave behind the ledger's back, and none leaves twice unsaid.
    async fn leaves(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        mail_id: &str,
        offer: &Offer,
    ) -> Result<Leaves, JobError> {
        let mut tx = service.store.begin().await?;
        if self.asks()
            && let Some(wait) = pace::too_many_offers(&mut tx, service, &offer.partner, attempt).await?
        {
            tx.commit().await?;
            return Err(JobError::Wait(wait));
        }
        let mine = tx.is_running(attempt.job).await? && tx.mail_leaves(mail_id, attempt.now).await?;
        if !mine {
            return Ok(Leaves::Overtaken);
        }
        // The mail first, then the referral, as when it was sent: two that lock them in another order wait for each other.
        // Whoever takes the offer back afterwards finds a mail that is on its way.
        let standing = tx.standing(self.referral).await?;
        let offer = standing.as_ref().and_then(|s| Some((s.episode.offer(self.offer)?, &s.episode)));
        if !offer.is_some_and(|(offer, episode)| still_true(self.mail, offer, episode)) {
            return Ok(Leaves::NoLongerTrue);
        }
        tx.commit().await?;
        Ok(Leaves::Now)
    }

    /// What the request says now is read for safety matters, consent and rules of contact before a machine's mail
    /// leaves: it may have changed while the mail waited, and its match may still be waiting in the queue.
    async fn machine_must_not(
        &self,
        service: &Wellbridge,
        standing: &Standing,
        offer: &Offer,
        attempt: Attempt,
    ) -> Result<bool, JobError> {
        if offer.by != Actor::Machine || !self.asks() {
            return Ok(false);
        }
        let (Some(content), Some(programme)) =
            (service.store.content(self.referral).await?, service.programme(&standing.episode.programme))
        else {
            return Ok(true);
        };
        Ok(matching::forbids_machine(service, &content, programme, attempt.now))
    }

    /// Takes the offer back to the matcher, which puts it where it belongs and tells whoever must be told.
    async fn keep_back(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        mail_id: &str,
        offer: &Offer,
    ) -> Result<(), JobError> {
        let back =
            Event::Decided { need: offer.need.clone(), decision: Decision::PutBack, by: Actor::Machine, note: None };
        let mut tx = service.store.begin().await?;
        match tx.record(self.referral, &back, None, attempt.now, attempt.now).await {
            Ok(_) | Err(StoreError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        tx.commit().await?;
        self.drop_it(service, attempt, mail_id).await
    }

    /// An earlier attempt ended without a word, perhaps after the last byte: said like any other unknown outcome, so that
    /// a partner who may have the mail is told when it is no longer true.
    async fn may_have_left(&self, service: &Wellbridge, attempt: Attempt, mail_id: &str) -> Result<(), JobError> {
        let why = "the service stopped while the mail may have been on its way";
        let mut tx = service.store.begin().await?;
        if tx.mail(mail_id).await?.is_none_or(|mail| mail.state != MailState::Leaving.as_str()) {
            return Ok(()); // It has ended after all, and said how.
        }
        tx.settle_mail(mail_id, MailState::Unknown, Some(why), attempt.now).await?;
        match self.record_mailed(&mut tx, mail_id, true, attempt).await {
            Ok(()) | Err(StoreError::Refused(_) | StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(tx.commit().await?)
    }

    async fn drop_it(&self, service: &Wellbridge, attempt: Attempt, mail_id: &str) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        // What may have been sent is never said to have been dropped.
        let may_have_left =
            |state: &str| [MailState::Unknown, MailState::Leaving].map(MailState::as_str).contains(&state);
        if tx.mail(mail_id).await?.is_none_or(|mail| !may_have_left(&mail.state)) {
            tx.settle_mail(mail_id, MailState::Dropped, None, attempt.now).await?;
        }
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn sent(&self, service: &Wellbridge, attempt: Attempt, mail_id: &str, said: &str) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        tx.settle_mail(mail_id, MailState::Sent, Some(said), attempt.now).await?;
        tx.edge_is_well(&Edge::Mail, attempt.now).await?;
        self.record_mailed(&mut tx, mail_id, false, attempt).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    /// It will be tried again; what may already have happened is written down first.
    async fn not_sent(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        mail_id: &str,
        failure: MailError,
        may_have_left: bool,
    ) -> Result<(), JobError> {
        let mut tx = service.store.begin().await?;
        let unknown = matches!(failure.effect, EffectError::OutcomeUnknown { .. });
        // What an earlier attempt may have sent stays so, whatever this one met.
        let state = if unknown || may_have_left { MailState::Unknown } else { MailState::Asked };
        // What another attempt has said of it meanwhile stands.
        if tx.mail(mail_id).await?.is_some_and(|mail| mail.state == MailState::Leaving.as_str()) {
            tx.settle_mail(mail_id, state, Some(&failure.effect.to_string()), attempt.now).await?;
        }
        if unknown {
            self.record_mailed(&mut tx, mail_id, true, attempt).await?;
        }
        leave::server_is_away(&mut tx, service, &failure, attempt).await?;
        let told = match failure.effect {
            EffectError::NeedsPerson { why } => {
                edge_failed(&mut tx, service, &Edge::Mail, &why, attempt.now).await?;
                EffectError::retry(why)
            }
            other => other,
        };
        tx.commit().await?;
        Err(told.into())
    }

    async fn record_mailed(
        &self,
        tx: &mut Tx,
        mail_id: &str,
        outcome_unknown: bool,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        let event = Event::Mailed { offer: self.offer, mail: self.mail, outcome_unknown };
        let effect = format!("{mail_id}{}", if outcome_unknown { ".unknown" } else { "" });
        tx.record(self.referral, &event, Some(&effect), attempt.now, attempt.now).await?;
        Ok(())
    }

    async fn undeliverable(
        &self,
        service: &Wellbridge,
        attempt: Attempt,
        mail_id: &str,
        offer: &Offer,
        why: &str,
        bad_address: bool,
    ) -> Result<(), JobError> {
        let standing = service.store.standing(self.referral).await?.ok_or(StoreError::NotFound)?;
        let mut tx = service.store.begin().await?;
        tx.settle_mail(mail_id, MailState::Failed, Some(why), attempt.now).await?;
        if bad_address {
            tx.address_is_bad(&standing.episode.programme, &offer.partner, why, attempt.now).await?;
        }
        self.record_undeliverable(&mut tx, attempt).await?;
        tx.complete(attempt.job).await?;
        Ok(tx.commit().await?)
    }

    async fn record_undeliverable(&self, tx: &mut Tx, attempt: Attempt) -> Result<(), StoreError> {
        let event = Event::Undeliverable { offer: self.offer, mail: self.mail };
        match tx.record(self.referral, &event, None, attempt.now, attempt.now).await {
            Ok(_) | Err(StoreError::Refused(_) | StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a mail that was composed may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// It is written down as leaving.
    Now,
    /// Another attempt sends it, has sent it or has dropped it.
    Overtaken,
    /// What it says was taken back, answered or held meanwhile.
    NoLongerTrue,
}

/// The template of a mail about an offer.
const fn kind_of(mail: OfferMail) -> MailKind {
    match mail {
        OfferMail::Offer => MailKind::Offer,
        OfferMail::Reminder => MailKind::Reminder,
        OfferMail::Cancellation => MailKind::Cancellation,
        OfferMail::PassedOn => MailKind::PassedOn,
    }
}

/// Whether a mail that was asked for is still true when its turn comes.
fn still_true(mail: OfferMail, offer: &Offer, episode: &Episode) -> bool {
    match mail {
        OfferMail::Offer | OfferMail::Reminder => {
            offer.status == OfferStatus::Requested && may_still_ask(offer, episode)
        }
        OfferMail::Cancellation => matches!(
            offer.status,
            OfferStatus::Cancelled(Cause::Withdrawn | Cause::Superseded) | OfferStatus::EnteredInError
        ),
        OfferMail::PassedOn => {
            offer.late_yes && offer.status != OfferStatus::EnteredInError && episode.state() != ReferralState::Withdrawn
        }
    }
}

/// A coordinator may have arranged contact where the machine may not; nobody may ask against consent, after a death, or
/// while it is uncertain who the person is.
fn may_still_ask(offer: &Offer, episode: &Episode) -> bool {
    use crate::referral::lifecycle::forbids_everybody;
    if episode.person_in_question().is_some() {
        return false;
    }
    match episode.facts.hold {
        None => true,
        Some(why) => offer.by != Actor::Machine && !forbids_everybody(why),
    }
}

#[cfg(test)]
mod tests;
