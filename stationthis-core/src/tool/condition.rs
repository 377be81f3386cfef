//! Whether the inputs of a request are such as a row of a tool's tables asks for.

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};

/// Is each input as `when` says? See [`TableRow::when`](crate::tool::TableRow::when).
pub(crate) fn holds(when: &Map<String, Value>, inputs: &Map<String, Value>) -> bool {
    when.iter().all(|(name, wanted)| is(wanted, inputs.get(name).unwrap_or(&Value::Null)))
}

/// How many an input is: a number its value, a list its length; `None` for anything else, and below nothing.
pub(crate) fn count(input: Option<&Value>) -> Option<Decimal> {
    match input? {
        Value::Number(number) => decimal(number).filter(|number| !number.is_sign_negative()),
        Value::Array(entries) => Some(entries.len().into()),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => None,
    }
}

fn is(wanted: &Value, given: &Value) -> bool {
    match (wanted, given) {
        (Value::Number(wanted), Value::Number(given)) => wanted == given || decimal(wanted) == decimal(given),
        (Value::Object(bounds), _) if is_range(bounds) => within(bounds, given),
        _ => wanted == given,
    }
}

fn is_range(bounds: &Map<String, Value>) -> bool {
    !bounds.is_empty() && bounds.iter().all(|(name, value)| matches!(name.as_str(), "min" | "max") && value.is_number())
}

fn within(bounds: &Map<String, Value>, given: &Value) -> bool {
    let given = match given {
        Value::Number(number) => decimal(number),
        given => count(Some(given)),
    };
    let Some(given) = given else { return false };
    let bound = |name| bounds.get(name).and_then(Value::as_number).map(decimal);
    bound("min").is_none_or(|min| min.is_some_and(|min| given >= min))
        && bound("max").is_none_or(|max| max.is_some_and(|max| given <= max))
}

/// The number to the letter; `None` for one that a decimal cannot hold.
fn decimal(number: &Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(when: &Value, inputs: &Value, expected: bool) {
        let map = |value: &Value| value.as_object().unwrap().clone();
        assert_eq!(holds(&map(when), &map(inputs)), expected, "{when} of {inputs}");
    }

    #[test]
    fn inputs_are_equal_absent_or_in_a_range() {
        let inputs = json!({ "size": "big", "seconds": 5.0, "images": ["a", "b"], "off": false, "note": null });
        for (when, expected) in [
            (json!({}), true),
            (json!({ "size": "big", "off": false }), true),
            (json!({ "size": "big", "off": true }), false),
            (json!({ "size": "BIG" }), false),
            (json!({ "seconds": 5 }), true),
            (json!({ "seconds": "5" }), false),
            (json!({ "seed": null, "note": null }), true),
            (json!({ "size": null }), false),
            (json!({ "seed": 5 }), false),
            (json!({ "seconds": { "min": 5, "max": 5 } }), true),
            (json!({ "seconds": { "min": 5.1 } }), false),
            (json!({ "seconds": { "max": 4.9 } }), false),
            (json!({ "images": { "min": 1, "max": 2 } }), true),
            (json!({ "images": { "min": 3 } }), false),
            (json!({ "images": ["a", "b"] }), true),
            (json!({ "size": { "min": 0 } }), false),
            (json!({ "seed": { "max": 9 } }), false),
            // Not a range, so it is what the input must be.
            (json!({ "seconds": { "min": "five" } }), false),
        ] {
            check(&when, &inputs, expected);
        }
        check(&json!({ "box": { "min": 1, "top": 2 } }), &json!({ "box": { "min": 1, "top": 2 } }), true);
    }

    #[test]
    fn what_can_be_counted_is_counted_exactly() {
        let cases = [
            (json!(5), Some("5")),
            (json!(0.1), Some("0.1")),
            (json!(1e2), Some("100")),
            (json!([1, 2]), Some("2")),
            (json!([]), Some("0")),
            (json!(-1), None),
            (json!("5"), None),
            (json!(null), None),
            (json!(1e300), None),
        ];
        for (input, expected) in cases {
            let counted = count(Some(&input)).map(|n| n.normalize().to_string());
            assert_eq!(counted.as_deref(), expected, "{input}");
        }
        assert_eq!(count(None), None);
    }
}
