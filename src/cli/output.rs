//! What goes to the terminal: tables and lines for people, JSON for programs, bars only where somebody watches.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A line for the person at the terminal.
pub(super) fn say(line: &str) {
    // A closed pipe (`| head`) is the reader's wish, not an error of ours.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What went wrong, on standard error.
pub(super) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "wellbridge: {line}");
}

/// A value for a program to read.
pub(super) fn say_json<T: serde::Serialize>(value: &T) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// A plain table that fits the terminal.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(160);
    }
    table.set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A bar on a terminal, nothing elsewhere.
pub(super) fn bar(total: u64, what: &'static str) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(total), target);
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {eta}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_message(what)
}

/// Green for good and red for bad on a terminal; the word alone elsewhere and where `NO_COLOR` is set.
pub(super) fn mark(good: bool, word: &str) -> String {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    match (colours, good) {
        (true, true) => format!("\u{1b}[32m{word}\u{1b}[0m"),
        (true, false) => format!("\u{1b}[31m{word}\u{1b}[0m"),
        (false, _) => word.to_owned(),
    }
}
