//! Settings: typed, checked once at start, wrong in words that a person can act on.
//!
//! Three layers, the later one winning: `config/wellbridge.default.toml` (compiled in; it documents every key), the
//! file given by `--config`, and `WELLBRIDGE__SECTION__KEY` variables. A key that nobody knows is refused, all problems
//! are listed at once, and what may harm people has no default: a programme must say its `mode` and its duty address.
//!
//! - [`layers`] joins the layers; [`section`], [`leaf`] and [`problem`] read them;
//! - [`web`], [`mail`], [`programme`], [`practice`], [`directory`] are the sections;
//! - [`deadlines`] counts working days.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use url::Url;

use crate::referral::{PracticeId, ProgrammeId};

pub mod deadlines;
pub mod directory;
mod layers;
mod leaf;
pub mod mail;
pub mod network;
pub mod practice;
pub mod problem;
pub mod programme;
mod secret;
mod section;
pub mod web;

#[cfg(test)]
mod tests;

pub use deadlines::BankHolidays;
pub use directory::{Feed, FeedSource};
pub use layers::{ConfigFile, LoadFrom};
pub use mail::{Mail, MailAuth, MailTls};
pub use practice::{Fhir, FhirAuth, OurOrganisation, Practice};
pub use problem::{Problem, SettingsError};
pub use programme::{Deadlines, Duty, Mode, Programme};
pub use secret::Secret;
pub use web::{Limits, Web};

use problem::Problems;
use section::Section;

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where files of ours are kept; locked while the service runs.
    pub data_dir: PathBuf,
    /// Where the ledger is.
    pub database: Database,
    /// Our pages.
    pub web: Web,
    /// How much of a thing one visitor may ask for.
    pub limits: Limits,
    /// How mail leaves us.
    pub mail: Mail,
    /// Never empty.
    pub programmes: BTreeMap<ProgrammeId, Programme>,
    /// Never empty; each names a programme that is there.
    pub practices: BTreeMap<PracticeId, Practice>,
    /// Never empty: where services come from.
    pub feeds: BTreeMap<String, Feed>,
    /// Days on which nobody is expected to answer.
    pub bank_holidays: BankHolidays,
    /// A folder of mail templates that stand in for the compiled-in ones, file by file.
    pub templates: Option<PathBuf>,
    /// A folder of mappings that stand in for the compiled-in ones, file by file.
    pub mappings: Option<PathBuf>,
}

/// Where the ledger is.
#[derive(Clone, Debug)]
pub enum Database {
    /// One file.
    Sqlite(PathBuf),
    /// A PostgreSQL server that several replicas share, by its address, which holds a password.
    Postgres(Secret),
}

impl Settings {
    /// Reads and checks all layers; an error lists every problem.
    pub fn load(from: &LoadFrom) -> Result<Self, SettingsError> {
        let problems = Problems::default();
        let tree = layers::join(from, &problems)?;
        let root = Section::root(tree, &problems);
        let settings = read(&root);
        root.finish();
        match (settings, problems.into_vec()) {
            (Some(settings), problems) if problems.is_empty() => Ok(settings),
            (_, problems) => Err(SettingsError { problems }),
        }
    }

    /// The programme a practice belongs to.
    pub fn programme_of(&self, practice: &PracticeId) -> Option<&Programme> {
        self.programmes.get(&self.practices.get(practice)?.programme)
    }
}

fn read(root: &Section<'_>) -> Option<Settings> {
    let data_dir = root.get::<PathBuf>("data_dir");
    let database = read_database(root.section("database"), data_dir.as_deref());
    let web = web::read(root.section("web"));
    let limits = web::read_limits(root.section("limits"));
    let mail = mail::read(root.section("mail"));
    let defaults = root.section("defaults");
    let programme_defaults = defaults.section("programme");
    let practice_defaults = defaults.section("practice");
    let programme_sections = root.section("programmes");
    let programmes = programme::read_all(&programme_sections, &programme_defaults);
    let practices = practice::read_all(&root.section("practices"), &practice_defaults, &programme_sections.names());
    programme_defaults.finish();
    practice_defaults.finish();
    defaults.finish();
    let feeds = directory::read(root.section("directory"));
    let bank_holidays = read_bank_holidays(root);
    let templates = read_folder(root, "templates");
    let mappings = read_folder(root, "mappings");
    Some(Settings {
        data_dir: data_dir?,
        database: database?,
        web: web?,
        limits: limits?,
        mail: mail?,
        programmes: programmes?,
        practices: practices?,
        feeds: feeds?,
        bank_holidays: bank_holidays?,
        templates: templates?,
        mappings: mappings?,
    })
}

fn read_database(section: Section<'_>, data_dir: Option<&Path>) -> Option<Database> {
    let url = section.secret("url");
    let database = url.and_then(|url| match url.as_ref().map_or("sqlite", Secret::expose).trim() {
        "sqlite" => Some(Database::Sqlite(data_dir?.join("wellbridge.sqlite"))),
        address if address.starts_with("postgres://") || address.starts_with("postgresql://") => {
            // What is wrong with it is said without repeating it: it holds a password.
            let named = Url::parse(address).ok().filter(|url| !url.path().trim_start_matches('/').is_empty());
            if named.is_none() {
                section.problem("url", "must name a database: \"postgres://user:password@host:5432/wellbridge\".");
            }
            named.and(url).map(Database::Postgres)
        }
        file => match file.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() && !path.contains('?') => Some(Database::Sqlite(PathBuf::from(path))),
            _ => {
                let known = "\"sqlite\" (one file in data_dir), \"sqlite:path/to/file\" or \"postgres://…\"";
                section.problem("url", format!("must be {known}."));
                None
            }
        },
    });
    section.finish();
    database
}

fn read_bank_holidays(root: &Section<'_>) -> Option<BankHolidays> {
    let read = match root.maybe::<PathBuf>("bank_holidays")? {
        None => BankHolidays::compiled_in(),
        Some(path) => match fs::read_to_string(&path) {
            Ok(text) => BankHolidays::from_toml(&text).map_err(|why| format!("{}: {why}", path.display())),
            Err(why) => Err(format!("names a file that cannot be read ({}): {why}.", path.display())),
        },
    };
    read.map_err(|why| root.problem("bank_holidays", why)).ok()
}

#[expect(clippy::option_option, reason = "unusable, absent and present are three cases; `?` serves the first")]
fn read_folder(root: &Section<'_>, name: &str) -> Option<Option<PathBuf>> {
    match root.maybe::<PathBuf>(name)? {
        Some(path) if !path.is_dir() => {
            root.problem(name, format!("names a folder that is not there ({}).", path.display()));
            None
        }
        folder => Some(folder),
    }
}
