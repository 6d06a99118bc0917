//! What an `OperationOutcome` says, as text for signed-in people. It may quote the record, so it is never logged.

use serde_json::Value;

use super::json;

/// Longest text kept of a foreign system's words.
const LONGEST: usize = 2_000;

/// The words of an `OperationOutcome` body; none for anything else (an HTML error page helps nobody).
pub(super) fn words_of(body: &str) -> Option<String> {
    words(&serde_json::from_str(body).ok()?)
}

/// The words of an `OperationOutcome`: each issue's text, diagnostics and place, a line each.
pub(super) fn words(outcome: &Value) -> Option<String> {
    if json::kind(outcome) != "OperationOutcome" {
        return None;
    }
    let lines: Vec<String> = json::list(&outcome["issue"]).map(line).filter(|l| !l.is_empty()).collect();
    let text: String = lines.join("\n").chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

fn line(issue: &Value) -> String {
    let said = json::words(&issue["details"]);
    let more = json::text(&issue["diagnostics"]).filter(|d| Some(*d) != said);
    let mut parts: Vec<String> = said.into_iter().chain(more).map(str::to_owned).collect();
    if parts.is_empty() {
        parts.extend(json::text(&issue["code"]).map(str::to_owned));
    }
    let places: Vec<&str> = json::list(&issue["expression"]).filter_map(json::text).collect();
    if !places.is_empty() {
        parts.push(format!("(at {})", places.join(", ")));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_sides_words_are_kept_and_a_web_page_is_not() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"required",
            "details":{"text":"status is missing"},"expression":["Observation.status"]},{"code":"forbidden"}]}"#;
        assert_eq!(words_of(body).as_deref(), Some("status is missing (at Observation.status)\nforbidden"));
        assert_eq!(words_of("<html>Bad gateway</html>"), None);
        assert_eq!(words_of(r#"{"resourceType":"Patient"}"#), None);
    }
}
