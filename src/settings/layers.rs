//! The three layers, joined into one tree whose every value knows where it stands.
//!
//! The environment is read as text only (see `leaf`), and cannot make a new programme, practice or feed: whole
//! sections belong in the file, where they can be read by the next person. A variable names an existing one, its
//! hyphens written as underscores: `WELLBRIDGE__PRACTICES__BURTON_CROFT__TOKEN`.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use config::{Config, ConfigError, File, FileFormat, Map, Value, ValueKind};

use super::problem::{Problem, Problems, SettingsError};

/// The layer at the bottom: every key with its default and what it is for.
pub(super) const DEFAULTS: &str = include_str!("../../config/wellbridge.default.toml");

const DEFAULT_FILE: &str = "wellbridge.toml";
const PREFIX: &str = "WELLBRIDGE__";

/// Where settings are read from.
#[derive(Clone, Debug, Default)]
pub struct LoadFrom {
    /// The layer of the operator.
    pub file: ConfigFile,
    /// The environment; only names that begin with `WELLBRIDGE__` are looked at.
    pub env: BTreeMap<String, String>,
}

/// The layer of the operator.
#[derive(Clone, Debug, Default)]
pub enum ConfigFile {
    /// `wellbridge.toml` in the working directory, where there is one.
    #[default]
    Usual,
    /// The file named by `--config`; it must be there.
    Named(PathBuf),
    /// A text made in the process: the demo's.
    Text(String),
}

impl LoadFrom {
    /// The usual way: `--config` and the process's environment.
    pub fn process(file: Option<PathBuf>) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { file: file.map_or(ConfigFile::Usual, ConfigFile::Named), env }
    }
}

/// Joins the layers; an unreadable file ends it here, a misnamed variable is a problem among others.
pub(super) fn join(from: &LoadFrom, problems: &Problems) -> Result<Map<String, Value>, SettingsError> {
    let builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let builder = match operator_layer(&from.file)? {
        Some((name, text)) => {
            // Parsed here and not by path, so that one message says where the slip is, whatever the file's name.
            if let Err(why) = text.parse::<toml::Table>() {
                let why = why.to_string();
                return Err(SettingsError::one(Problem { key: String::new(), place: Some(name), what: why }));
            }
            builder.add_source(Named { name, text })
        }
        None => builder,
    };
    let built = builder.build().and_then(|config| config.cache.into_table());
    let mut tree = built.map_err(|why: ConfigError| {
        SettingsError::one(Problem { key: String::new(), place: None, what: why.to_string() })
    })?;
    for (name, text) in &from.env {
        if let Some(path) = name.strip_prefix(PREFIX)
            && let Err(what) = set(&mut tree, path, name, text)
        {
            problems.add("", Some(name), what);
        }
    }
    Ok(tree)
}

fn operator_layer(file: &ConfigFile) -> Result<Option<(String, String)>, SettingsError> {
    let (path, must_be_there) = match file {
        ConfigFile::Text(text) => return Ok(Some(("settings".to_owned(), text.clone()))),
        ConfigFile::Usual => (Path::new(DEFAULT_FILE), false),
        ConfigFile::Named(path) => (path.as_path(), true),
    };
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(why) if why.kind() == io::ErrorKind::NotFound && !must_be_there => Ok(None),
        Err(why) => Err(SettingsError::one(Problem {
            key: String::new(),
            place: Some(path.display().to_string()),
            what: format!("cannot be read: {why}. Name the settings file with --config."),
        })),
    }
}

/// A text whose values say that they stand in `name`.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    text: String,
}

impl config::Source for Named {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let read = config::Source::collect(&File::from_str(&self.text, FileFormat::Toml))?;
        Ok(read.into_iter().map(|(key, value)| (key, stamped(value, &self.name))).collect())
    }
}

fn stamped(value: Value, name: &String) -> Value {
    let kind = match value.kind {
        ValueKind::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(key, value)| (key, stamped(value, name))).collect())
        }
        ValueKind::Array(items) => ValueKind::Array(items.into_iter().map(|item| stamped(item, name)).collect()),
        other => other,
    };
    Value::new(Some(name), kind)
}

/// Sets one value from the environment. The error completes "`WELLBRIDGE__…`: …".
fn set(tree: &mut Map<String, Value>, path: &str, name: &str, text: &str) -> Result<(), String> {
    let parts: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
    let Some((leaf, sections)) = parts.split_last() else { return Ok(()) };
    let mut table = tree;
    let mut above: Vec<&str> = Vec::new();
    for part in sections {
        let named_by_people = matches!(above.as_slice(), ["programmes" | "practices"] | ["directory", "feeds"]);
        let key = existing(table, part);
        if key.is_none() && named_by_people {
            let kind = above.join(".");
            return Err(format!("there is no `{kind}.{part}` in the settings file. Add the section there first."));
        }
        let entry = table.entry(key.unwrap_or_else(|| part.clone()));
        let value = entry.or_insert_with(|| Value::new(Some(&name.to_owned()), Map::<String, Value>::new()));
        let ValueKind::Table(inner) = &mut value.kind else {
            return Err(format!("`{part}` is one value, not a section."));
        };
        table = inner;
        above.push(part);
    }
    let key = existing(table, leaf).unwrap_or_else(|| leaf.clone());
    if let Some(Value { kind: ValueKind::Table(_), .. }) = table.get(&key) {
        return Err(format!("`{key}` is a section, not one value."));
    }
    table.insert(key, Value::new(Some(&name.to_owned()), text));
    Ok(())
}

/// The key of `table` that a variable's part means: letters' case and `-` or `_` do not matter there.
fn existing(table: &Map<String, Value>, part: &str) -> Option<String> {
    let same = |key: &str| key.to_ascii_lowercase().replace('-', "_") == part.replace('-', "_");
    table.keys().find(|key| same(key)).cloned()
}
