//! Questions with their answers, as forms and observations hold them: a question alone says nothing of the person.
//!
//! "Thoughts of ending your life?" stands in every form of its kind; with "not at all" under it, it must alarm nobody,
//! and with "several days" it must. So a question is read as one line with its answer, and not at all with a no.

use serde_json::{Map, Value};

use super::json::{self, text};

/// Answers that say no.
const NOES: &[&str] = &[
    "no",
    "n",
    "none",
    "nil",
    "never",
    "false",
    "not at all",
    "negative",
    "absent",
    "not present",
    "denied",
    "denies",
    "no concerns",
    "none known",
    "none reported",
    "not applicable",
    "n/a",
];

/// What an object says, where it is a question with its answers.
#[derive(Debug, Default)]
pub(super) struct Form<'a> {
    /// Each wording of the question with each answer.
    pub(super) lines: Vec<String>,
    /// Parts that need not be read again.
    pub(super) taken: Vec<&'a str>,
    /// What this asks, for the questions within.
    pub(super) asked: String,
}

/// Reads an object with a value or answers, or a question of a form. Under `heading` stands what the groups around ask.
pub(super) fn of<'a>(parts: &'a Map<String, Value>, heading: &str) -> Form<'a> {
    let values: Vec<&str> = parts.keys().map(String::as_str).filter(|part| is_value(part)).collect();
    let question = ["code", "type", "text"].into_iter().find(|part| is_question(part, parts));
    let is_group = ["item", "component"].iter().any(|part| parts.contains_key(*part));
    let is_item = parts.contains_key("linkId");
    let mut answers: Vec<&Map<String, Value>> =
        parts.get("answer").into_iter().flat_map(json::list).filter_map(Value::as_object).collect();
    if !values.is_empty() {
        answers.push(parts);
    }
    let Some(question) = question.filter(|_| is_group || is_item || !answers.is_empty()) else {
        return Form { asked: heading.to_owned(), ..Form::default() };
    };
    let wordings = wordings(parts.get(question).unwrap_or(&Value::Null));
    let said: Vec<String> = answers.iter().flat_map(|answer| said(answer)).collect();
    let is_no = !said.is_empty() && said.iter().all(|answer| is_a_no(answer));
    let mut form = Form { asked: under(heading, wordings.first().map_or("", String::as_str)), ..Form::default() };
    for wording in &wordings {
        // "Do you feel safe at home?" is the one sort of question to which a no alarms.
        if is_no && wording.to_lowercase().contains("safe") && !wording.to_lowercase().contains("safeguarding") {
            form.lines.push(format!("Answered no about being safe: {wording}"));
        } else if !is_no {
            form.lines.extend(said.iter().map(|answer| under(&under(heading, wording), answer)));
        }
    }
    // A finding without a value is itself what was found; a question without an answer is nothing.
    if is_no || is_item || is_group {
        form.taken.push(question);
    }
    form
}

fn is_value(part: &str) -> bool {
    part.strip_prefix("value").is_some_and(|of| of.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn is_question(part: &str, parts: &Map<String, Value>) -> bool {
    let value = parts.get(part);
    if part == "text" { value.is_some_and(Value::is_string) } else { value.is_some_and(Value::is_object) }
}

/// A question's text and displays, without the mark that would end its sentence.
fn wordings(question: &Value) -> Vec<String> {
    let displays = json::list(&question["coding"]).filter_map(|c| text(&c["display"]));
    let all = text(question).into_iter().chain(text(&question["text"])).chain(displays);
    let mut found: Vec<String> = Vec::new();
    for wording in all.map(|w| w.trim_end_matches(['?', ':', '.', ' ']).to_owned()) {
        if !wording.is_empty() && !found.contains(&wording) {
            found.push(wording);
        }
    }
    found
}

/// What the values of an answer say in words.
fn said(answer: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (_, value) in answer.iter().filter(|(part, _)| is_value(part)) {
        match value {
            Value::Bool(yes) => found.push(if *yes { "yes" } else { "no" }.to_owned()),
            Value::Number(number) => found.push(number.to_string()),
            Value::String(words) => found.push(words.trim().to_owned()),
            Value::Object(parts) => {
                let words = ["text", "display"].iter().filter_map(|part| parts.get(*part).and_then(text));
                found.extend(words.chain(displays(value)).map(str::to_owned));
                found.extend(parts.get("value").filter(|v| v.is_number()).map(ToString::to_string));
            }
            _ => {}
        }
    }
    found
}

fn displays(concept: &Value) -> impl Iterator<Item = &str> {
    json::list(&concept["coding"]).filter_map(|c| text(&c["display"]))
}

fn is_a_no(answer: &str) -> bool {
    let plain = answer.trim().trim_end_matches(['.', '!']).to_lowercase();
    NOES.contains(&plain.as_str()) || plain.parse::<f64>().is_ok_and(|number| number == 0.0)
}

fn under(heading: &str, words: &str) -> String {
    match (heading.is_empty(), words.is_empty()) {
        (true, _) => words.to_owned(),
        (_, true) => heading.to_owned(),
        _ => format!("{heading}: {words}"),
    }
}
