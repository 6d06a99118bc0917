//! The whole road, told as stories: a referral goes in as FHIR, and what happens is looked for where people look: in the
//! partner's mailbox, on her page, in the practice's record.
//!
//! Every story runs on the pretend practice; those told with [`on_both`] run on Medplum's server too, where it is there.

mod alerts;
mod attached;
mod desk;
pub(crate) mod directory;
mod given_up;
mod mail;
mod pace;
mod partners;
mod people;
mod practice;
mod record;
mod reminders;
mod replicas;
mod tasks;
mod terminal;
mod whole;
mod withdrawal;

use crate::support::world::{Plan, World};

/// Tells a story on the pretend practice, and again on Medplum where it is installed.
async fn on_both(plan: impl Fn() -> Plan, story: impl AsyncFn(World)) {
    story(plan().open().await).await;
    if let Some(world) = plan().open_on_medplum().await {
        story(world).await;
    }
}
