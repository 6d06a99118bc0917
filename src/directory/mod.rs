//! The local directory: what services there are, for whom, where, and how they take people.
//!
//! Services come from an Open Referral UK feed ([`feed`]), are read into the plain [`Service`] of this module, and are
//! held in one immutable [`Directory`] that matching borrows: no copy is made for a match.

pub mod feed;
pub mod index;
pub mod localities;
pub(crate) mod plain;
mod sync;
pub mod words;

use std::collections::HashMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use sync::{SyncVerdict, sync_verdict};

use crate::referral::ServiceId;

/// All services as they stood at one moment, with the word index built over them. Immutable; share it in an `Arc`.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    services: Vec<Service>,
    by_id: HashMap<ServiceId, u32>,
    index: index::Index,
    localities: localities::Localities,
}

impl Directory {
    /// Indexes the services. Of two with the same id the later one stands (a page read again while it changed).
    pub fn new(services: Vec<Service>) -> Self {
        let mut kept: Vec<Service> = Vec::with_capacity(services.len());
        let mut by_id: HashMap<ServiceId, u32> = HashMap::with_capacity(services.len());
        for service in services {
            let known = by_id.get(&service.id).and_then(|&n| kept.get_mut(n as usize));
            if let Some(earlier) = known {
                *earlier = service;
            } else {
                by_id.insert(service.id.clone(), u32::try_from(kept.len()).unwrap_or(u32::MAX));
                kept.push(service);
            }
        }
        let index = index::Index::build(&kept);
        let localities = localities::Localities::learn(&kept);
        Self { services: kept, by_id, index, localities }
    }

    /// Every service, in the feed's order.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The service with this id.
    pub fn get(&self, id: &ServiceId) -> Option<&Service> {
        self.by_id.get(id).and_then(|&n| self.services.get(n as usize))
    }

    /// The word index; it numbers services as [`Directory::services`] orders them.
    pub fn index(&self) -> &index::Index {
        &self.index
    }

    /// The neighbourhoods its services name.
    pub fn localities(&self) -> &localities::Localities {
        &self.localities
    }

    /// How many services.
    pub fn len(&self) -> usize {
        self.services.len()
    }

    /// No service at all.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty()
    }
}

/// One service of the directory, its texts already plain (HTML gone, entities read).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// `service.id`.
    pub id: ServiceId,
    /// `service.name`.
    pub name: String,
    /// `service.description` as plain text.
    pub description: String,
    /// The organisation that runs it: `organization.id` and `.name`.
    pub organisation: Organisation,
    /// The email a professional may send a referral to, where the feed gives a usable one (a hint until confirmed).
    pub email: Option<String>,
    /// Telephone numbers as written.
    pub phones: Vec<String>,
    /// Web address.
    pub url: Option<String>,
    /// `service.status`.
    pub status: ServiceStatus,
    /// Years; none where the feed does not say (−1 and nonsense count as not said).
    pub minimum_age: Option<u8>,
    /// Years.
    pub maximum_age: Option<u8>,
    /// `eligibility_description` as plain text.
    pub eligibility: Option<String>,
    /// `application_process` as plain text.
    pub application_process: Option<String>,
    /// `wait_time` as written.
    pub wait_time: Option<String>,
    /// `fees` and cost options, in words.
    pub fees: Option<String>,
    /// Names of `service_areas`.
    pub areas: Vec<String>,
    /// Where it happens.
    pub places: Vec<Place>,
    /// Names of languages.
    pub languages: Vec<String>,
    /// When it happens, in words ("Tue 10:00–12:00").
    pub times: Vec<String>,
    /// Taxonomy terms and attributes, in words.
    pub terms: Vec<String>,
    /// `assured_date`: when somebody last checked it.
    pub assured: Option<Date>,
    /// `last_modified`, as a day.
    pub modified: Option<Date>,
}

/// Who runs a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// `organization.id`.
    pub id: String,
    /// `organization.name`.
    pub name: String,
    /// `organization.email`.
    pub email: Option<String>,
}

/// A place where a service happens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Building or street.
    pub name: String,
    /// Town.
    pub city: Option<String>,
    /// Postcode as written.
    pub postcode: Option<String>,
    /// Degrees WGS84, (latitude, longitude).
    pub position: Option<(f64, f64)>,
    /// What the feed says about access.
    pub accessibility: Vec<String>,
}

/// `service.status` (HSDS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum ServiceStatus {
    #[default]
    Active,
    Inactive,
    Defunct,
    TemporarilyClosed,
}
