//! Wellbeing scores (ONS4) as practices send them: components of one Observation, four Observations, or answers.
//!
//! All four, whole and between 0 and 10, or none: three scores cannot be compared with four afterwards.

use jiff::Timestamp;
use serde_json::Value;

use super::codes::{Ons4Codes, Question};
use super::json::{self, text};
use crate::referral::{Ons4, Score};

/// The latest complete set among these Observations and `QuestionnaireResponses`.
pub(super) fn baseline<'a>(resources: impl Iterator<Item = &'a Value>, codes: &Ons4Codes) -> Option<Ons4> {
    let usable: Vec<&Value> = resources
        .filter(|r| !matches!(text(&r["status"]), Some("entered-in-error" | "cancelled" | "stopped")))
        .collect();
    let whole = usable.iter().filter_map(|r| Some((taken(r), of_one(r, codes)?))).max_by_key(|(at, _)| *at);
    whole.map(|(_, scores)| scores).or_else(|| of_singles(&usable, codes))
}

fn taken(resource: &Value) -> Option<Timestamp> {
    ["effectiveDateTime", "effectiveInstant", "authored", "issued"].iter().find_map(|k| json::moment(&resource[*k]))
}

fn of_one(resource: &Value, codes: &Ons4Codes) -> Option<Ons4> {
    let mut asked: Vec<Asked<'_>> = json::list(&resource["component"]).map(Asked::observed).collect();
    items(resource, &mut asked, 0);
    gather(&asked, codes)
}

fn of_singles(resources: &[&Value], codes: &Ons4Codes) -> Option<Ons4> {
    let mut singles: Vec<&Value> = resources.iter().copied().filter(|r| json::kind(r) == "Observation").collect();
    singles.sort_by_key(|r| std::cmp::Reverse(taken(r)));
    let asked: Vec<Asked<'_>> = singles.into_iter().map(Asked::observed).collect();
    gather(&asked, codes)
}

/// One question with its answer, whatever it stood in.
struct Asked<'a> {
    concept: &'a Value,
    words: Option<&'a str>,
    link: Option<&'a str>,
    answer: Option<u8>,
}

impl<'a> Asked<'a> {
    fn observed(of: &'a Value) -> Self {
        Self { concept: &of["code"], words: json::words(&of["code"]), link: None, answer: number(of) }
    }

    fn is(&self, question: &Question, system: &str) -> bool {
        let coded = json::codings(self.concept)
            .any(|(s, code)| (s == system && code == question.code) || question.also.iter().any(|c| c.is(s, code)));
        let linked = self.link == Some(question.code.as_str());
        let worded = || {
            let lower = self.words.unwrap_or("").to_lowercase();
            question.words.iter().any(|w| lower.contains(w.as_str()))
        };
        coded || linked || worded()
    }
}

/// The items of a `QuestionnaireResponse`, groups within groups, to a depth that no questionnaire has.
fn items<'a>(of: &'a Value, into: &mut Vec<Asked<'a>>, depth: u8) {
    if depth > 8 {
        return;
    }
    for item in json::list(&of["item"]) {
        let answer = json::list(&item["answer"]).find_map(number);
        into.push(Asked { concept: &Value::Null, words: text(&item["text"]), link: text(&item["linkId"]), answer });
        items(item, into, depth + 1);
    }
}

fn number(of: &Value) -> Option<u8> {
    let value = [&of["valueInteger"], &of["valueQuantity"]["value"], &of["valueDecimal"]]
        .into_iter()
        .find_map(Value::as_f64)
        .or_else(|| text(&of["valueString"]).or_else(|| text(&of["valueCoding"]["code"]))?.parse().ok())?;
    (0..=10u8).find(|n| (f64::from(*n) - value).abs() < f64::EPSILON)
}

fn gather(asked: &[Asked<'_>], codes: &Ons4Codes) -> Option<Ons4> {
    let score = |question: &Question| -> Option<Score> {
        asked.iter().find(|a| a.answer.is_some() && a.is(question, &codes.system))?.answer?.try_into().ok()
    };
    Some(Ons4 {
        satisfied: score(&codes.satisfied)?,
        worthwhile: score(&codes.worthwhile)?,
        happy: score(&codes.happy)?,
        anxious: score(&codes.anxious)?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::codes::Mappings;
    use super::*;

    fn read(resources: &[Value]) -> Option<[u8; 4]> {
        let scores = baseline(resources.iter(), &Mappings::builtin().unwrap().ons4)?;
        Some([scores.satisfied.into(), scores.worthwhile.into(), scores.happy.into(), scores.anxious.into()])
    }

    fn asked(words: &str, value: &Value) -> Value {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": words}, "valueInteger": value})
    }

    #[test]
    fn four_scores_are_read_in_each_shape() {
        let texts = [
            "Overall, how satisfied are you with your life nowadays?",
            "…things you do are worthwhile?",
            "How happy did you feel yesterday?",
            "How anxious did you feel yesterday?",
        ];
        let scores = || [3, 4, 5, 8].into_iter();
        let components: Vec<Value> = texts.iter().zip(scores()).map(|(t, n)| asked(t, &json!(n))).collect();
        let one = json!({"resourceType": "Observation", "status": "final", "component": components});
        let links = ["satisfied", "worthwhile", "happy", "anxious"];
        let items: Vec<Value> =
            links.iter().zip(scores()).map(|(l, n)| json!({"linkId": l, "answer": [{"valueDecimal": n}]})).collect();
        let answers = json!({"resourceType": "QuestionnaireResponse", "status": "completed", "item": [{"linkId": "g", "item": items}]});
        let singles: Vec<Value> = texts.iter().zip(scores()).map(|(t, n)| asked(t, &json!(n))).collect();
        assert_eq!(read(&[one]), Some([3, 4, 5, 8]));
        assert_eq!(read(&[answers]), Some([3, 4, 5, 8]));
        assert_eq!(read(&singles), Some([3, 4, 5, 8]));
    }

    #[test]
    fn a_score_missing_or_out_of_range_makes_no_set() {
        let set = |anxious: Value| {
            json!({"resourceType": "Observation", "status": "final", "component": [asked("life satisfaction", &json!(3)),
            asked("worthwhile", &json!(4)), asked("happiness", &json!(5)), asked("how anxious did you feel", &anxious)]})
        };
        assert!(read(&[set(json!(8))]).is_some());
        for bad in [json!(11), json!(-1), json!(7.5), json!(null)] {
            assert_eq!(read(&[set(bad.clone())]), None, "{bad}");
        }
        let mut wrong = set(json!(8));
        wrong["status"] = json!("entered-in-error");
        assert_eq!(read(&[wrong]), None);
    }

    #[test]
    fn the_latest_set_counts() {
        let set = |n: u8, at: &str| {
            json!({"resourceType": "Observation", "status": "final", "effectiveDateTime": at, "component": [
                asked("life satisfaction", &json!(n)), asked("worthwhile", &json!(n)), asked("happiness", &json!(n)),
                asked("how anxious did you feel", &json!(n))]})
        };
        assert_eq!(read(&[set(2, "2026-11-01"), set(1, "2026-05-01")]), Some([2, 2, 2, 2]));
    }
}
