//! From checked settings to a service that can run: opens the store, reads templates and mappings, makes the adapters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{InUse, Wellbridge};
use crate::clock::Clock;
use crate::effect::EffectError;
use crate::matching::Matcher;
use crate::partner::mailer::Mailer;
use crate::partner::templates::{TemplateProblem, Templates};
use crate::partner::token::ServerKey;
use crate::practice::PracticeSystem;
use crate::practice::fhir::{Auth, Authorise, FhirPractice, FhirSettings, Mappings, OurOrganization};
use crate::referral::{NeedCode, PracticeId, ProgrammeId};
use crate::settings::{Database, FhirAuth, Mode, OurOrganisation, Practice, Secret, Settings};
use crate::store::{Store, StoreError};
use secrecy::SecretString;

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
    /// A programme lets the machine ask for a need that no mapping knows.
    #[error("programmes.{programme}.auto_needs names `{need}`, which is no need of needs.toml; it knows: {known}")]
    UnknownNeed {
        /// Which programme.
        programme: ProgrammeId,
        /// The word.
        need: NeedCode,
        /// The codes there are.
        known: String,
    },
    /// A file of ours cannot be read or made.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
    /// A key made here would open no link that another replica mailed.
    #[error(
        "replicas share one link key: name a file with 32 letters or more, drawn at random, by web.link_key_file, or put \
         an older `link-key` into {0}"
    )]
    NoSharedKey(PathBuf),
    /// An adapter cannot be made.
    #[error("{what}: {why}")]
    Adapter {
        /// Which.
        what: String,
        /// Why, and what to do.
        why: EffectError,
    },
}

/// Everything `serve` needs, with the directory as it was last synced. Takes the data directory for this process alone.
pub async fn service(settings: Settings, clock: Clock) -> Result<Wellbridge, AssembleError> {
    let store = match &settings.database {
        Database::Sqlite(file) => Store::open_file(&settings.data_dir, file).await?,
        Database::Postgres(url) => Store::open_postgres(url.expose()).await?,
    };
    let own_key = settings.web.link_key.is_some() || ServerKey::is_in(&settings.data_dir);
    if matches!(settings.database, Database::Postgres(_)) && !own_key {
        return Err(AssembleError::NoSharedKey(settings.data_dir.clone()));
    }
    let link_key = ServerKey::open(&settings.web, &settings.data_dir)
        .map_err(|why| AssembleError::File { path: settings.data_dir.clone(), why })?;
    let matcher = matcher(settings.mappings.as_deref())?;
    known_needs(&settings, &matcher)?;
    let templates = Templates::load(settings.templates.as_deref()).map_err(AssembleError::Templates)?;
    let mailer = mailer(&settings)?;
    let practices = practices(&settings, &clock)?;
    let in_use = InUse::default();
    let service = Wellbridge { settings, store, clock, matcher, mailer, templates, link_key, practices, in_use };
    service.refresh_directory().await?;
    Ok(service)
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

/// A slip in `auto_needs` would silently leave everything to coordinators.
pub fn known_needs(settings: &Settings, matcher: &Matcher) -> Result<(), AssembleError> {
    for programme in settings.programmes.values() {
        let Mode::Auto { needs, .. } = &programme.mode else { continue };
        if let Some(unknown) = needs.iter().find(|need| matcher.need(need).is_none()) {
            let known: Vec<&str> = matcher.needs().iter().map(|n| n.code.as_str()).collect();
            return Err(AssembleError::UnknownNeed {
                programme: programme.id.clone(),
                need: unknown.clone(),
                known: known.join(", "),
            });
        }
    }
    Ok(())
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

/// A bearer token that something beside the service may renew in its file.
#[derive(Debug)]
struct FromFile(Secret);

#[async_trait::async_trait]
impl Authorise for FromFile {
    async fn header(&self) -> Result<Option<SecretString>, EffectError> {
        Auth::Bearer(self.0.current()).header().await
    }
}

/// How we sign in: a bearer token is read again for each request where it stands in a file.
fn auth(practice: &Practice) -> Arc<dyn Authorise> {
    match &practice.fhir.auth {
        FhirAuth::None => Arc::new(Auth::None),
        FhirAuth::Bearer(secret) => Arc::new(FromFile(secret.clone())),
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
