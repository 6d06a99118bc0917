//! From checked settings to a service that can run: opens the store, reads templates and mappings, makes the adapters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Parts;
use crate::clock::Clock;
use crate::effect::EffectError;
use crate::matching::Matcher;
use crate::partner::mailer::Mailer;
use crate::partner::templates::{TemplateProblem, Templates};
use crate::partner::token::ServerKey;
use crate::practice::PracticeSystem;
use crate::practice::fhir::{Auth, Authorise, FhirPractice, FhirSettings, Mappings, OurOrganization};
use crate::referral::PracticeId;
use crate::settings::{Database, FhirAuth, OurOrganisation, Practice, Settings};
use crate::store::{Store, StoreError};

/// Why a service could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Mail templates cannot be used.
    #[error("mail templates cannot be used: {}", first(.0))]
    Templates(Vec<TemplateProblem>),
    /// Mappings cannot be used.
    #[error("the mappings in {place} cannot be used: {why}")]
    Mappings {
        /// The folder, or "the program itself".
        place: String,
        /// What is wrong, where.
        why: String,
    },
    /// A file of ours cannot be read or made.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// An adapter cannot be made.
    #[error("{what}: {why}")]
    Adapter {
        /// Which.
        what: String,
        /// Why, and what to do.
        why: EffectError,
    },
}

/// Everything `serve` needs. Takes the data directory for this process alone.
pub async fn parts(settings: Settings, clock: Clock) -> Result<Parts, AssembleError> {
    let Database::Sqlite(file) = &settings.database;
    let store = Store::open_file(&settings.data_dir, file).await?;
    let link_key = ServerKey::open(&settings.web, &settings.data_dir)
        .map_err(|why| AssembleError::File { path: settings.data_dir.clone(), why })?;
    let matcher = matcher(settings.mappings.as_deref())?;
    let templates = Templates::load(settings.templates.as_deref()).map_err(AssembleError::Templates)?;
    let mailer = mailer(&settings)?;
    let practices = practices(&settings, &clock)?;
    Ok(Parts { settings, store, clock, matcher, mailer, templates, link_key, practices })
}

/// The mail door.
pub fn mailer(settings: &Settings) -> Result<Mailer, AssembleError> {
    Mailer::new(&settings.mail).map_err(|why| AssembleError::Adapter {
        what: "mail".into(),
        why: EffectError::NeedsPerson { why: why.to_string() },
    })
}

/// The matcher with the compiled-in mappings, or an operator's.
pub fn matcher(folder: Option<&Path>) -> Result<Matcher, AssembleError> {
    Matcher::load(folder).map_err(|why| AssembleError::Mappings { place: place(folder), why: why.to_string() })
}

/// Where FHIR keeps facts: the compiled-in mapping, or an operator's.
pub fn fhir_mappings(folder: Option<&Path>) -> Result<Mappings, AssembleError> {
    let bad = |why: String| AssembleError::Mappings { place: place(folder), why };
    match folder.map(|folder| folder.join("fhir.toml")).filter(|path| path.is_file()) {
        None => Mappings::builtin().map_err(|why| bad(why.to_string())),
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|why| AssembleError::File { path, why })?;
            Mappings::parse(&text).map_err(|why| bad(why.to_string()))
        }
    }
}

/// One adapter for each practice.
pub fn practices(
    settings: &Settings,
    clock: &Clock,
) -> Result<BTreeMap<PracticeId, Arc<dyn PracticeSystem>>, AssembleError> {
    let mappings = Arc::new(fhir_mappings(settings.mappings.as_deref())?);
    let mut practices: BTreeMap<PracticeId, Arc<dyn PracticeSystem>> = BTreeMap::new();
    for (id, practice) in &settings.practices {
        let system = FhirPractice::new(fhir_settings(practice), auth(practice), Arc::clone(&mappings), clock.clone())
            .map_err(|why| AssembleError::Adapter { what: format!("practice {id}"), why })?;
        practices.insert(id.clone(), Arc::new(system));
    }
    Ok(practices)
}

fn fhir_settings(practice: &Practice) -> FhirSettings {
    let organization = match &practice.fhir.organisation {
        OurOrganisation::Id(id) => OurOrganization::Id(id.clone()),
        OurOrganisation::Identifier { system, value } => {
            OurOrganization::Identifier { system: system.clone(), value: value.clone() }
        }
    };
    FhirSettings {
        organization: Some(organization),
        practice_codes_itself: practice.practice_codes_itself,
        complete_request: practice.complete_request,
        ..FhirSettings::new(practice.id.clone(), practice.fhir.base.clone())
    }
}

/// How we sign in: a bearer token is read again for each request where it stands in a file.
fn auth(practice: &Practice) -> Arc<dyn Authorise> {
    match &practice.fhir.auth {
        FhirAuth::None => Arc::new(Auth::None),
        FhirAuth::Bearer(secret) => Arc::new(Auth::Bearer(secret.current())),
    }
}

fn place(folder: Option<&Path>) -> String {
    folder.map_or_else(|| "the program itself".to_owned(), |folder| folder.display().to_string())
}

fn first(problems: &[TemplateProblem]) -> String {
    let more = problems.len().saturating_sub(1);
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    if more == 0 { first } else { format!("{first} (and {more} more; `wellbridge check` shows all)") }
}
