//! Where templates lie: the compiled-in ones, and the files of an operator's folder.

use std::{fs, path::Path};

use super::{PARTS, TemplateProblem};
use crate::partner::mail::MailKind;

/// The locale of a file that a mail can use; none for a name with a slip.
pub(super) fn known_place(name: &str) -> Option<&str> {
    let mut steps = name.split('/');
    let (folder, locale, file) = (steps.next()?, steps.next()?, steps.next()?);
    let part = folder == "layout" || (PARTS.contains(&file) && MailKind::ALL.iter().any(|k| k.as_str() == folder));
    (part && steps.next().is_none()).then_some(locale)
}

/// The files below a folder, as `a/b/c`, in order; hidden ones and editors' copies are passed over.
pub(super) fn files_below(dir: &Path, problems: &mut Vec<TemplateProblem>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(dir.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(why) => {
                let what = format!("cannot be read: {why}");
                problems.push(TemplateProblem { file: folder.display().to_string(), line: None, what });
                continue;
            }
        };
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with('.') || name.ends_with('~') {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                open.push((path, format!("{prefix}{name}/")));
            } else {
                found.push(format!("{prefix}{name}"));
            }
        }
    }
    found.sort();
    found
}

macro_rules! compiled {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../config/email/", $name)))),+]
    };
}

pub(super) fn compiled_in() -> impl IntoIterator<Item = (&'static str, &'static str)> {
    compiled![
        "layout/en-GB/body.html",
        "layout/en-GB/body.txt",
        "layout/en-GB/parts.html",
        "layout/en-GB/alert-words.txt",
        "offer/en-GB/subject.txt",
        "offer/en-GB/body.txt",
        "offer/en-GB/body.html",
        "reminder/en-GB/subject.txt",
        "reminder/en-GB/body.txt",
        "reminder/en-GB/body.html",
        "cancellation/en-GB/subject.txt",
        "cancellation/en-GB/body.txt",
        "cancellation/en-GB/body.html",
        "passed-on/en-GB/subject.txt",
        "passed-on/en-GB/body.txt",
        "passed-on/en-GB/body.html",
        "code/en-GB/subject.txt",
        "code/en-GB/body.txt",
        "code/en-GB/body.html",
        "alert/en-GB/subject.txt",
        "alert/en-GB/body.txt",
        "alert/en-GB/body.html",
        "well-again/en-GB/subject.txt",
        "well-again/en-GB/body.txt",
        "well-again/en-GB/body.html",
    ]
}
