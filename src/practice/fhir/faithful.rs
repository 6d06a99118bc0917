//! Writing back what somebody else wrote: only what we changed is written anew, all else goes back byte for byte.
//!
//! A number read and written again is not always the same text (`1.50` becomes `1.5`, and FHIR counts the digits of a
//! decimal as part of what it says), so an edited resource is put together from its own raw text.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// The text of `after`, which is `before` edited, which was read from `raw`.
pub(super) fn edited(raw: &str, before: &Value, after: &Value) -> String {
    let mut text = String::with_capacity(raw.len() + 256);
    write(&mut text, raw, before, after);
    text
}

fn write(text: &mut String, raw: &str, before: &Value, after: &Value) {
    if before == after {
        return text.push_str(raw.trim());
    }
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            if let Ok(parts) = serde_json::from_str::<HashMap<String, &RawValue>>(raw) {
                text.push('{');
                for (n, (key, value)) in new.iter().enumerate() {
                    text.push_str(if n == 0 { "" } else { "," });
                    text.push_str(&Value::from(key.as_str()).to_string());
                    text.push(':');
                    part(text, parts.get(key).copied(), old.get(key), value);
                }
                return text.push('}');
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            if let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(raw) {
                text.push('[');
                for (n, value) in new.iter().enumerate() {
                    text.push_str(if n == 0 { "" } else { "," });
                    part(text, parts.get(n).copied(), old.get(n), value);
                }
                return text.push(']');
            }
        }
        _ => {}
    }
    text.push_str(&after.to_string());
}

fn part(text: &mut String, raw: Option<&RawValue>, before: Option<&Value>, after: &Value) {
    match (raw, before) {
        (Some(raw), Some(before)) => write(text, raw.get(), before, after),
        _ => text.push_str(&after.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_not_changed_goes_back_byte_for_byte() {
        let raw = r#" {"resourceType":"Task", "status":"requested","input":[{"valueDecimal":1.50},
            {"valueQuantity":{"value":0.100,"unit":"mg"}}],"big":12345678901234567890.10,"odd \"name\"":"\u00e9",
            "output":[{"valueDecimal":2.00}]} "#;
        let before: Value = serde_json::from_str(raw).unwrap();
        let mut after = before.clone();
        after["status"] = json!("completed");
        after["output"].as_array_mut().unwrap().push(json!({"valueString": "new"}));
        after["input"][1]["valueQuantity"]["unit"] = json!("g");
        after["lastModified"] = json!("2026-11-24T12:00:00Z");
        let written = edited(raw, &before, &after);
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), after);
        for kept in [r#""valueDecimal":1.50"#, r#""value":0.100"#, "12345678901234567890.10", "2.00", r"\u00e9"] {
            assert!(written.contains(kept), "{kept} in {written}");
        }
    }

    #[test]
    fn whatever_is_taken_out_or_turned_into_something_else_is_written_so() {
        let raw = r#"{"a":{"b":1.0},"c":[1.0,2.0],"d":"x"}"#;
        let before: Value = serde_json::from_str(raw).unwrap();
        for after in [json!({"a": [1], "c": [2.0]}), json!({}), json!([]), json!({"d": {"e": null}})] {
            assert_eq!(serde_json::from_str::<Value>(&edited(raw, &before, &after)).unwrap(), after);
        }
        assert_eq!(edited(raw, &before, &before), raw);
    }
}
