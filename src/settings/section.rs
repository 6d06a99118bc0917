//! Reads one section of the settings key by key, and remembers which keys it was asked for.
//!
//! Every read returns an `Option`: `None` means that a problem has been noted, and reading goes on, so that all
//! problems are found in one go. `finish` then refuses every key that nobody asked for: a slip in a key's name would
//! otherwise mean that a safety setting is silently not there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use config::{Map, Value, ValueKind};

use super::{leaf::Leaf, problem::Problems, secret::Secret};

/// One table of the settings.
pub(super) struct Section<'a> {
    path: String,
    table: Map<String, Value>,
    /// Where a key that is not in `table` is looked for: `[defaults.programme]` for a programme.
    fallback: Map<String, Value>,
    asked: RefCell<BTreeSet<String>>,
    problems: &'a Problems,
}

impl<'a> Section<'a> {
    /// The whole tree.
    pub(super) fn root(table: Map<String, Value>, problems: &'a Problems) -> Self {
        Self { path: String::new(), table, fallback: Map::new(), asked: RefCell::default(), problems }
    }

    /// The key's whole path, as messages name it.
    pub(super) fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a problem with a key of this section.
    pub(super) fn problem(&self, name: &str, what: impl Into<String>) {
        let found = self.table.get(name).or_else(|| self.fallback.get(name));
        let place = found.and_then(|v| v.origin().map(str::to_owned));
        let key = if name.is_empty() { self.path.clone() } else { self.key(name) };
        self.problems.add(key, place.as_deref(), what);
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.asked.borrow_mut().insert(name.to_owned());
        let set = |v: &&Value| !matches!(v.kind, ValueKind::Nil);
        self.table.get(name).filter(set).or_else(|| self.fallback.get(name).filter(set))
    }

    /// Says which keys this section may hold, where others read them from it.
    pub(super) fn expect_keys(&self, names: &[&str]) {
        self.asked.borrow_mut().extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// A value that may be absent: the outer `None` means that it is there and unusable.
    #[expect(clippy::option_option, reason = "unusable, absent and present are three cases; `?` serves the first")]
    pub(super) fn maybe<T: Leaf>(&self, name: &str) -> Option<Option<T>> {
        let Some(value) = self.value(name) else { return Some(None) };
        match T::read(value) {
            Ok(read) => Some(Some(read)),
            Err(what) => {
                self.problem(name, what);
                None
            }
        }
    }

    /// A value that must be there; `missing` says what it is for and what to write.
    pub(super) fn need<T: Leaf>(&self, name: &str, missing: &str) -> Option<T> {
        let read = self.maybe(name)?;
        if read.is_none() {
            self.problem(name, format!("is missing. {missing}"));
        }
        read
    }

    /// A value that the compiled-in layer always holds.
    pub(super) fn get<T: Leaf>(&self, name: &str) -> Option<T> {
        self.need(name, "Its default was removed; write it again.")
    }

    /// A length of time that must not be shorter than `least`, said as `words`.
    pub(super) fn at_least(&self, name: &str, least: Duration, words: &str) -> Option<Duration> {
        let length = self.get::<Duration>(name)?;
        if length < least {
            self.problem(name, format!("must be {words} or more."));
            return None;
        }
        Some(length)
    }

    /// A secret, written as `name` or, better, as a file named by `<name>_file`.
    #[expect(clippy::option_option, reason = "unusable, absent and present are three cases; `?` serves the first")]
    pub(super) fn secret(&self, name: &str) -> Option<Option<Secret>> {
        let file_key = format!("{name}_file");
        let (text, file) = (self.maybe::<String>(name)?, self.maybe::<std::path::PathBuf>(&file_key)?);
        match (text, file) {
            (None, None) => Some(None),
            (Some(text), None) if !text.is_empty() => Some(Some(Secret::from_text(text))),
            (Some(_), None) => {
                self.problem(name, "is empty. Write the secret, or better its file's name as the key with `_file`.");
                None
            }
            (None, Some(path)) => match Secret::from_file(&path) {
                Ok(secret) => Some(Some(secret)),
                Err(why) => {
                    self.problem(&file_key, why);
                    None
                }
            },
            (Some(_), Some(_)) => {
                self.problem(name, format!("is given twice, also as `{file_key}`. Keep one of the two."));
                None
            }
        }
    }

    /// A table of this table; an absent one reads as empty.
    pub(super) fn section(&self, name: &str) -> Section<'a> {
        let table = match self.value(name) {
            None => Map::new(),
            Some(Value { kind: ValueKind::Table(table), .. }) => table.clone(),
            Some(_) => {
                self.problem(name, format!("is one value, but it is a section: write `[{}]`.", self.key(name)));
                Map::new()
            }
        };
        Section {
            path: self.key(name),
            table,
            fallback: Map::new(),
            asked: RefCell::default(),
            problems: self.problems,
        }
    }

    /// The keys that stand in this table itself.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.table.keys().cloned().collect()
    }

    /// Every table of this table, in order of their names; keys that one does not have are looked for in `fallback`.
    pub(super) fn each(&self, fallback: Option<&Section<'_>>) -> Vec<(String, Section<'a>)> {
        self.names()
            .into_iter()
            .map(|name| {
                let mut section = self.section(&name);
                if let Some(fallback) = fallback {
                    section.fallback.clone_from(&fallback.table);
                }
                (name, section)
            })
            .collect()
    }

    /// Refuses every key that was not asked for, naming the nearest one that exists.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow().clone();
        #[cfg(test)]
        self.problems.note_keys(&asked);
        let mut unknown: Vec<&String> = self.table.keys().filter(|k| !asked.contains(*k)).collect();
        unknown.sort();
        for name in unknown {
            let near = asked.iter().map(|a| (distance(a, name), a)).min().filter(|(d, _)| *d <= 2 + name.len() / 4);
            let hint = near.map_or_else(String::new, |(_, a)| format!(" Did you mean `{a}`?"));
            let place = self.table.get(name).and_then(Value::origin);
            self.problems.add(self.key(name), place, format!("is not a setting of Wellbridge.{hint}"));
        }
    }
}

/// Reads every one before giving up on any, so that the problems of all are noted.
pub(super) fn all_or_none<K: Ord, T>(read: impl Iterator<Item = Option<(K, T)>>) -> Option<BTreeMap<K, T>> {
    let read: Vec<Option<(K, T)>> = read.collect();
    read.into_iter().collect()
}

/// Levenshtein's distance: how many letters two keys differ by.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}
