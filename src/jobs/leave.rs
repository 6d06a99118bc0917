//! A mail that one job alone sends (an alert, a one-time code) leaves once: it is written down before a byte leaves, so
//! that an attempt which ended without a word is known to have come so far, and of two attempts at once one waits.
//!
//! SMTP cannot promise more. Where a first copy may have left, the second one's answer in the ledger of mails says so.

use super::runner::TELLING;
use super::{Attempt, JobError, edge_failed};
use crate::effect::EffectError;
use crate::partner::smtp_reply::MailError;
use crate::service::Wellbridge;
use crate::store::{Edge, MailState, NewMail, StoreError, Tx};

/// What is to be done about a mail now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It is sent. `again`: an earlier attempt may have sent it too.
    Now { again: bool },
    /// It has left already.
    Sent,
}

/// Written into the answer of a mail of which there may be two copies.
const TWO_COPIES: &str = "an earlier attempt may have left too: there may be two copies with one Message-ID";

/// Writes down that the mail is asked for and leaves now. An error where another attempt was quicker.
pub(super) async fn begin(tx: &mut Tx, mail: &NewMail<'_>, attempt: Attempt) -> Result<Leave, JobError> {
    // First there is a row; then this attempt has it alone.
    tx.ask_for_mail(mail, attempt.now).await?;
    let before = tx.mail(mail.id).await?;
    let stood = |state: MailState| before.as_ref().is_some_and(|mail| mail.state == state.as_str());
    if stood(MailState::Sent) {
        return Ok(Leave::Sent);
    }
    if stood(MailState::Leaving) {
        tx.settle_mail(mail.id, MailState::Unknown, Some(TWO_COPIES), attempt.now).await?;
    }
    if tx.is_running(attempt.job).await? && tx.mail_leaves(mail.id, attempt.now).await? {
        return Ok(Leave::Now { again: stood(MailState::Leaving) || stood(MailState::Unknown) });
    }
    Err(EffectError::retry("another attempt at this mail was quicker").into())
}

/// The mail server took it. `again`, or where another attempt has begun meanwhile: there may be two copies.
pub(super) async fn taken(
    tx: &mut Tx,
    id: &str,
    answer: &str,
    again: bool,
    attempt: Attempt,
) -> Result<(), StoreError> {
    let said = tx.mail(id).await?.and_then(|mail| mail.answer);
    let two = again || said.is_some_and(|said| said.contains(TWO_COPIES));
    let answer = if two { format!("{answer} ({TWO_COPIES})") } else { answer.to_owned() };
    tx.settle_mail(id, MailState::Sent, Some(&answer), attempt.now).await?;
    tx.edge_is_well(&Edge::Mail, attempt.now).await?;
    Ok(())
}

/// It will be tried again; whether it may have left is written down, and what an earlier attempt may have sent stays so.
pub(super) async fn failed(
    tx: &mut Tx,
    service: &Wellbridge,
    id: &str,
    failure: &MailError,
    again: bool,
    attempt: Attempt,
) -> Result<(), StoreError> {
    let unknown = again || matches!(failure.effect, EffectError::OutcomeUnknown { .. });
    let state = if unknown { MailState::Unknown } else { MailState::Asked };
    tx.settle_mail(id, state, Some(&failure.effect.to_string()), attempt.now).await?;
    server_is_away(tx, service, failure, attempt).await
}

/// A mail server that is away, or ends every connection, is told of from the third attempt on: before that it may be
/// chance, and a mailbox that is busy is not the server's failing.
pub(super) async fn server_is_away(
    tx: &mut Tx,
    service: &Wellbridge,
    failure: &MailError,
    attempt: Attempt,
) -> Result<(), StoreError> {
    if failure.server_is_away && attempt.number >= TELLING {
        edge_failed(tx, service, &Edge::Mail, &failure.effect.to_string(), attempt.now).await?;
    }
    Ok(())
}
