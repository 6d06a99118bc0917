//! The mails' templates: compiled in, and replaced file by file from an operator's folder without recompiling.
//!
//! A mail is three templates, `<kind>/<locale>/{subject.txt,body.txt,body.html}`; `layout/<locale>/` holds what they
//! share. What ends in `.html` is escaped, what ends in `.txt` is not (see `plain` for what a value may hold), and a
//! name that the mail does not have is an error, not an empty place. `check` renders every kind with sample values.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Serde};

use super::{
    mail::{Mail, MailKind},
    plain,
};

mod files;
mod sample;

use files::{compiled_in, files_below, known_place};

/// The language of the compiled-in templates; it stands in for every language that has none.
pub const LOCALE: &str = "en-GB";

const PARTS: [&str; 3] = ["subject.txt", "body.txt", "body.html"];

/// A mail, ready for an envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One neutral line.
    pub subject: String,
    /// The text part; lines end in `\n`.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl fmt::Debug for Rendered {
    /// Never the parts: they hold links and codes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rendered").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Something wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {what}", line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct TemplateProblem {
    /// The file, as an operator finds it: its path, or its name among the compiled-in ones.
    pub file: String,
    /// The line, where one is known; counted from 1.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub what: String,
}

/// All mails' templates.
#[derive(Debug)]
pub struct Templates {
    env: Environment<'static>,
    dir: Option<PathBuf>,
    /// Files that came from the operator's folder.
    replaced: BTreeSet<String>,
    /// (kind, locale) with all three parts.
    whole: BTreeSet<(MailKind, String)>,
}

impl Templates {
    /// Compiles all templates; those in `dir` stand in for the compiled-in ones of the same name.
    pub fn load(dir: Option<&Path>) -> Result<Self, Vec<TemplateProblem>> {
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        match SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            Ok(syntax) => env.set_syntax(syntax),
            Err(why) => {
                let what = why.to_string();
                return Err(vec![TemplateProblem { file: "config/email".to_owned(), line: None, what }]);
            }
        }
        env.set_auto_escape_callback(escape_by_name);
        env.set_formatter(write_value);
        let mut templates = Self {
            env,
            dir: dir.map(Path::to_owned),
            replaced: BTreeSet::new(),
            whole: MailKind::ALL.iter().map(|kind| (*kind, LOCALE.to_owned())).collect(),
        };
        let mut problems = Vec::new();
        for (name, source) in compiled_in() {
            problems.extend(templates.add(name, source.to_owned()));
        }
        if let Some(dir) = dir {
            problems.extend(templates.add_folder(dir));
        }
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    /// The languages that have at least one mail, so that a programme's `locale` can be checked.
    pub fn languages(&self) -> BTreeSet<&str> {
        self.whole.iter().map(|(_, locale)| locale.as_str()).collect()
    }

    /// Renders one mail; a language without templates gets the compiled-in one.
    pub fn render(&self, locale: &str, mail: &Mail) -> Result<Rendered, TemplateProblem> {
        let kind = mail.kind();
        let locale = if self.whole.contains(&(kind, locale.to_owned())) { locale } else { LOCALE };
        let values = Value::from(Serde(mail));
        let [subject, text, html] = PARTS.map(|part| {
            let name = format!("{}/{locale}/{part}", kind.as_str());
            self.env.get_template(&name).and_then(|t| t.render(&values)).map_err(|why| self.problem(&name, &why))
        });
        let subject = plain::subject(&subject?);
        Ok(Rendered { subject, text: tidy(&text?), html: html? })
    }

    /// Renders every kind in every language with sample values, and looks whether the parts say what they must.
    /// The number of mails that were looked at.
    pub fn check(&self) -> Result<usize, Vec<TemplateProblem>> {
        let mut problems = Vec::new();
        let mut looked_at = 0;
        for (kind, locale) in &self.whole {
            for sample in sample::mails().into_iter().filter(|s| s.mail.kind() == *kind) {
                looked_at += 1;
                match self.render(locale, &sample.mail) {
                    Ok(rendered) => problems.extend(self.missing(*kind, locale, &sample, &rendered)),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        problems.dedup();
        if problems.is_empty() { Ok(looked_at) } else { Err(problems) }
    }

    fn missing(&self, kind: MailKind, locale: &str, sample: &sample::Sample, r: &Rendered) -> Vec<TemplateProblem> {
        let mut problems = Vec::new();
        let mut note = |part: &str, what: String| {
            let file = self.place(&format!("{}/{locale}/{part}", kind.as_str()));
            problems.push(TemplateProblem { file, line: None, what });
        };
        if r.subject.is_empty() {
            note("subject.txt", "the subject is empty".to_owned());
        }
        for secret in &sample.never_in_subject {
            if r.subject.contains(secret.as_str()) {
                note(
                    "subject.txt",
                    format!("shows `{secret}`: a subject is read over shoulders and must stay neutral"),
                );
            }
        }
        for must in &sample.in_both_parts {
            if !r.text.contains(must.as_str()) {
                note("body.txt", format!("must show `{must}`"));
            }
            let escaped = escaped(must);
            if !r.html.contains(&escaped) {
                note("body.html", format!("must show `{must}`"));
            }
        }
        problems
    }

    fn add(&mut self, name: &str, source: String) -> Option<TemplateProblem> {
        let added = self.env.add_template_owned(name.to_owned(), source);
        added.err().map(|why| self.problem(name, &why))
    }

    /// Adds every file of the operator's folder; a file that no mail would ever use is a slip in its name.
    fn add_folder(&mut self, dir: &Path) -> Vec<TemplateProblem> {
        let mut problems = Vec::new();
        let mut locales = BTreeSet::new();
        for name in files_below(dir, &mut problems) {
            let Some(locale) = known_place(&name) else {
                let what =
                    "no mail uses this file: its name is <kind>/<locale>/subject.txt, body.txt or body.html, or \
                            it lies in layout/<locale>/"
                        .to_owned();
                problems.push(TemplateProblem { file: dir.join(&name).display().to_string(), line: None, what });
                continue;
            };
            locales.insert(locale.to_owned());
            match fs::read_to_string(dir.join(&name)) {
                Ok(source) => {
                    self.replaced.insert(name.clone());
                    problems.extend(self.add(&name, source));
                }
                Err(why) => problems.push(TemplateProblem {
                    file: dir.join(&name).display().to_string(),
                    line: None,
                    what: format!("cannot be read: {why}"),
                }),
            }
        }
        problems.extend(self.count_whole(&locales));
        problems
    }

    /// A language has a kind's mail whole or not at all: half of it in another language would be strange to read.
    fn count_whole(&mut self, locales: &BTreeSet<String>) -> Vec<TemplateProblem> {
        let mut problems = Vec::new();
        for locale in locales.iter().filter(|locale| *locale != LOCALE) {
            for kind in MailKind::ALL {
                let names = PARTS.map(|part| format!("{}/{locale}/{part}", kind.as_str()));
                let missing: Vec<&String> = names.iter().filter(|name| !self.replaced.contains(*name)).collect();
                match missing.len() {
                    0 => {
                        self.whole.insert((kind, locale.clone()));
                    }
                    3 => {}
                    _ => problems.extend(missing.into_iter().map(|name| self.missing_part(name))),
                }
            }
        }
        problems
    }

    fn missing_part(&self, name: &str) -> TemplateProblem {
        let file = self.dir.as_deref().map_or_else(|| name.to_owned(), |dir| dir.join(name).display().to_string());
        TemplateProblem { file, line: None, what: "is missing: a language needs all three parts of a mail".to_owned() }
    }

    fn problem(&self, name: &str, why: &minijinja::Error) -> TemplateProblem {
        let file = self.place(why.name().unwrap_or(name));
        let what = why.detail().map_or_else(|| why.kind().to_string(), |detail| format!("{}: {detail}", why.kind()));
        TemplateProblem { file, line: why.line(), what }
    }

    fn place(&self, name: &str) -> String {
        match self.dir.as_deref() {
            Some(dir) if self.replaced.contains(name) => dir.join(name).display().to_string(),
            _ => format!("config/email/{name}"),
        }
    }
}

fn escape_by_name(name: &str) -> AutoEscape {
    if Path::new(name).extension().is_some_and(|end| end == "html") { AutoEscape::Html } else { AutoEscape::None }
}

/// Writes a value as the engine does, but leaves the slashes of a link as they are (the engine writes `&#x2f;`, which
/// is right HTML and confuses simple mail scanners).
fn write_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), minijinja::Error> {
    match value.as_str() {
        Some(text) if *state.auto_escape() == AutoEscape::Html && !value.is_safe() => {
            out.write_str(&escaped(text)).map_err(minijinja::Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Text as HTML, also inside quotation marks (OWASP, "XSS Prevention", rules 1 and 2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            other => out.push(other),
        }
    }
    out
}

/// No space at a line's end, no two empty lines, one line break at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= 1 && !(out.is_empty() && line.is_empty()) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests;
