//! The service, put together: the one value that jobs and pages are given.
//!
//! Built once at start from checked settings; everything in it is shared and immutable, but for the directory, which a
//! sync replaces as a whole.

pub mod assemble;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

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
    directory: RwLock<Arc<Directory>>,
    /// When the newest sync in it was; a sync by another process (`directory sync`) is noticed by it.
    synced: Mutex<Option<Timestamp>>,
}

impl std::fmt::Debug for Wellbridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wellbridge").finish_non_exhaustive()
    }
}

/// The parts that differ between a real service, the demo and a test.
#[expect(missing_debug_implementations, reason = "holds keys")]
pub struct Parts {
    /// What was configured.
    pub settings: Settings,
    /// Open.
    pub store: Store,
    /// The machine's, or one that can be moved.
    pub clock: Clock,
    /// With the mappings that were checked.
    pub matcher: Matcher,
    /// Ready to send.
    pub mailer: Mailer,
    /// Checked.
    pub templates: Templates,
    /// Read or made at the first start.
    pub link_key: ServerKey,
    /// One for each practice in `settings`.
    pub practices: BTreeMap<PracticeId, Arc<dyn PracticeSystem>>,
}

impl Wellbridge {
    /// Puts the parts together and reads the directory as it was last synced.
    pub async fn new(parts: Parts) -> Result<Self, StoreError> {
        let service = Self {
            settings: parts.settings,
            store: parts.store,
            clock: parts.clock,
            matcher: parts.matcher,
            mailer: parts.mailer,
            templates: parts.templates,
            link_key: parts.link_key,
            practices: parts.practices,
            directory: RwLock::new(Arc::new(Directory::new(Vec::new()))),
            synced: Mutex::new(None),
        };
        service.refresh_directory().await?;
        Ok(service)
    }

    /// The directory as it was last synced; a snapshot that stays whole however long it is held.
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the directory anew from the store: after a sync.
    pub async fn reload_directory(&self) -> Result<(), StoreError> {
        let fresh = Arc::new(Directory::new(self.store.services().await?));
        *self.directory.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Reads the directory anew where a feed was synced since it was read, by whatever process.
    pub async fn refresh_directory(&self) -> Result<(), StoreError> {
        let newest = self.store.newest_sync().await?;
        if *self.synced.lock().unwrap_or_else(PoisonError::into_inner) == newest {
            return Ok(());
        }
        // Noted only once it was read: a reading that fails is tried again at the next look.
        self.reload_directory().await?;
        *self.synced.lock().unwrap_or_else(PoisonError::into_inner) = newest;
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
