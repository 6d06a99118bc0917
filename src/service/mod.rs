//! The service, put together: the one value that jobs and pages are given.
//!
//! Built once at start from checked settings; everything in it is shared and immutable, but for the directory, which a
//! sync replaces as a whole.

pub mod assemble;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::matching::Matcher;
use crate::partner::mailer::Mailer;
use crate::partner::templates::Templates;
use crate::partner::token::ServerKey;
use crate::practice::PracticeSystem;
use crate::referral::{PracticeId, ProgrammeId};
use crate::settings::{Practice, Programme, Settings};
use crate::store::{Edge, Store, StoreError};

/// Everything the service is made of.
pub struct Wellbridge {
    /// What was configured.
    pub settings: Settings,
    /// Where everything is kept.
    pub store: Store,
    /// What time it is.
    pub clock: Clock,
    /// Reads referrals.
    pub matcher: Matcher,
    /// Speaks SMTP.
    pub mailer: Mailer,
    /// Writes mails.
    pub templates: Templates,
    /// What partners' links and codes are made from.
    pub link_key: ServerKey,
    /// The practices' systems.
    pub practices: BTreeMap<PracticeId, Arc<dyn PracticeSystem>>,
    /// The directory that matching reads.
    pub in_use: InUse,
}

/// The directory as it was last synced, replaced as a whole; empty until it was first read from the store.
#[derive(Debug, Default)]
pub struct InUse {
    synced: RwLock<Synced>,
    /// Held while it is read anew: of many jobs that notice a sync at once, one reads and the others wait for it.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Synced {
    directory: Arc<Directory>,
    /// When the newest sync in it was; a sync by another process (`directory sync`) is noticed by it.
    at: Option<Timestamp>,
}

impl InUse {
    fn is_of(&self, sync: Option<Timestamp>) -> bool {
        self.synced.read().unwrap_or_else(PoisonError::into_inner).at == sync
    }
}

impl std::fmt::Debug for Wellbridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wellbridge").finish_non_exhaustive()
    }
}

impl Wellbridge {
    /// The directory as it was last synced; a snapshot that stays whole however long it is held.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.in_use.synced.read().unwrap_or_else(PoisonError::into_inner).directory)
    }

    /// Reads the directory anew where a feed was synced since it was read, by whatever process.
    pub async fn refresh_directory(&self) -> Result<(), StoreError> {
        if self.in_use.is_of(self.store.newest_sync().await?) {
            return Ok(());
        }
        let _reading = self.in_use.reading.lock().await;
        let newest = self.store.newest_sync().await?;
        if self.in_use.is_of(newest) {
            return Ok(());
        }
        // Noted only once it was read: a reading that fails is tried again at the next look.
        let directory = Arc::new(Directory::new(self.store.services().await?));
        *self.in_use.synced.write().unwrap_or_else(PoisonError::into_inner) = Synced { directory, at: newest };
        Ok(())
    }

    /// A programme's rules. Every stored row names a programme; one that was taken out of the settings has no rules.
    pub fn programme(&self, id: &ProgrammeId) -> Option<&Programme> {
        self.settings.programmes.get(id)
    }

    /// The programmes that hear of a failing edge: its own, or all where it has none or one that the settings no longer
    /// know.
    pub fn concerned_by(&self, edge: &Edge) -> Vec<&ProgrammeId> {
        match edge.programme().and_then(|id| self.settings.programmes.get_key_value(id)) {
            Some((programme, _)) => vec![programme],
            None => self.settings.programmes.keys().collect(),
        }
    }

    /// A practice as configured.
    pub fn practice(&self, id: &PracticeId) -> Option<&Practice> {
        self.settings.practices.get(id)
    }
}
