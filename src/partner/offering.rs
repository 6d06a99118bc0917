//! Asking a partner: the one place where an offer is made, by the machine or by a coordinator.
//!
//! Everything about an offer is written in one transaction: the event, its mail, its two deadlines, and the hash of the
//! link that will act for it and for nothing else.

use jiff::{SignedDuration, Timestamp};

use crate::directory::Service;
use crate::random;
use crate::referral::episode::Actor;
use crate::referral::event::Event;
use crate::referral::{NeedCode, NoteId, OfferId, PartnerId, ReferralId};
use crate::service::Wellbridge;
use crate::settings::Programme;
use crate::settings::deadlines::{add_working_days, subtract_working_days};
use crate::store::{Appended, Partner, StoreError, Tx};

/// Why a partner could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// Nobody has confirmed the partner's address and agreement, or the address bounced since.
    #[error("the partner's address and agreement are not confirmed: confirm them first")]
    NotConfirmed,
    /// The store or the lifecycle said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is to be asked of whom.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// Of which referral.
    pub referral: ReferralId,
    /// Which need.
    pub need: &'a NeedCode,
    /// Which service.
    pub service: &'a Service,
    /// Who decided.
    pub by: Actor,
    /// What the coordinator chose to write (already kept as a note, already checked for identifiers).
    pub note: Option<NoteId>,
}

/// The partner that runs a service: its organisation, or the service itself where the feed names none.
pub fn partner_of(service: &Service) -> PartnerId {
    let organisation = service.organisation.id.trim();
    PartnerId::new(if organisation.is_empty() { service.id.as_str() } else { organisation })
}

/// Notes the partner at first sight, with the directory's email as a hint, and answers what is known of it.
pub async fn see_partner(tx: &mut Tx, programme: &Programme, service: &Service) -> Result<Option<Partner>, StoreError> {
    let id = partner_of(service);
    let name = if service.organisation.name.is_empty() { &service.name } else { &service.organisation.name };
    let hint = service.email.as_deref().or(service.organisation.email.as_deref());
    tx.see_partner(&programme.id, &id, name, hint).await?;
    tx.partner(&programme.id, &id).await
}

/// Makes the offer: refused where the partner is not confirmed or the lifecycle does not allow it.
pub async fn offer(
    tx: &mut Tx,
    service: &Wellbridge,
    programme: &Programme,
    asking: &Asking<'_>,
    now: Timestamp,
) -> Result<OfferId, OfferError> {
    let partner = see_partner(tx, programme, asking.service).await?;
    let partner = partner.filter(|p| p.usable_email().is_some()).ok_or(OfferError::NotConfirmed)?;
    let offer = OfferId::from_uuid(random::uuid());
    let holidays = &service.settings.bank_holidays;
    let reply_by = add_working_days(now, programme.deadlines.reply_by, holidays);
    let event = Event::Offered {
        need: asking.need.clone(),
        offer,
        service: asking.service.id.clone(),
        partner: partner.id,
        by: asking.by.clone(),
        remind_at: subtract_working_days(reply_by, programme.deadlines.remind_before, holidays),
        reply_by,
        note: asking.note,
    };
    if let Appended::Now(..) = tx.record(asking.referral, &event, None, now, now).await? {
        let token = service.link_key.answer_token(offer);
        let lasts = SignedDuration::try_from(service.settings.limits.link_lasts).unwrap_or(SignedDuration::MAX);
        let expires = now.checked_add(lasts).unwrap_or(Timestamp::MAX);
        tx.put_token(&token.hash(), offer, asking.referral, &programme.id, expires).await?;
    }
    Ok(offer)
}
