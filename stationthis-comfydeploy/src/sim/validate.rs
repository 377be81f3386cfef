//! The queue call's body, checked as FastAPI and pydantic do: every problem at once, in their words.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A queue call that passed.
#[derive(Debug, Clone)]
pub(crate) struct QueueRequest {
    pub(crate) deployment_id: Uuid,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) webhook: Option<String>,
    pub(crate) intermediate: bool,
    pub(crate) gpu: Option<String>,
    pub(crate) batch_number: u32,
}

/// The GPUs a request may name (ComfyDeploy protocol notes §7).
const GPUS: [&str; 10] = ["CPU", "T4", "L4", "A10G", "L40S", "A100", "A100-80GB", "H100", "H200", "B200"];

/// Runs that one `batch_number` may start: the service has no bound, a simulator needs one.
const MAX_BATCH: u64 = 100;

/// Reads a body.
///
/// # Errors
/// The `detail` list of the 422 answer.
pub(crate) fn queue_request(body: &[u8]) -> Result<QueueRequest, Vec<Value>> {
    if body.is_empty() {
        return Err(vec![problem("missing", json!(["body"]), "Field required", &Value::Null)]);
    }
    let value: Value = serde_json::from_slice(body).map_err(|e| vec![invalid_json(&e, body)])?;
    let Value::Object(map) = &value else {
        let text = "Input should be a valid dictionary or object to extract fields from";
        return Err(vec![problem("model_attributes_type", json!(["body"]), text, &value)]);
    };
    let mut problems = Vec::new();
    let inputs = inputs(map.get("inputs"), &mut problems);
    let webhook = webhook(map.get("webhook"), &mut problems);
    let intermediate = boolean(map.get("webhook_intermediate_status"), &mut problems);
    let gpu = gpu(map.get("gpu"), &mut problems);
    let batch_number = batch_number(map.get("batch_number"), &mut problems);
    let deployment_id = match map.get("deployment_id") {
        Some(id) => uuid_field(id, json!(["body", "deployment_id"]), &mut problems),
        None => {
            let loc = json!(["body", "deployment_id"]);
            problems.push(problem("missing", loc, "Field required", &value));
            None
        }
    };
    match deployment_id {
        Some(deployment_id) if problems.is_empty() => {
            Ok(QueueRequest { deployment_id, inputs, webhook, intermediate, gpu, batch_number })
        }
        _ => Err(problems),
    }
}

/// A uuid in a path.
///
/// # Errors
/// The `detail` list of the 422 answer.
pub(crate) fn path_uuid(name: &str, text: &str) -> Result<Uuid, Vec<Value>> {
    uuid_at(text, json!(["path", name]))
}

/// A uuid at any place.
///
/// # Errors
/// The `detail` list of the 422 answer.
pub(crate) fn uuid_at(text: &str, loc: Value) -> Result<Uuid, Vec<Value>> {
    let mut problems = Vec::new();
    let id = uuid_field(&text.into(), loc, &mut problems);
    id.ok_or(problems)
}

/// One entry of a `detail` list.
pub(crate) fn problem(kind: &str, loc: Value, text: &str, input: &Value) -> Value {
    json!({ "type": kind, "loc": loc, "msg": text, "input": input })
}

fn problem_with(kind: &str, loc: Value, text: &str, input: &Value, ctx: Value) -> Value {
    let mut value = problem(kind, loc, text, input);
    if let Some(map) = value.as_object_mut() {
        map.insert("ctx".to_owned(), ctx);
    }
    value
}

/// A value that is none of an enum's members.
pub(crate) fn enum_problem(loc: Value, members: &[&str], input: &Value) -> Value {
    let quoted: Vec<String> = members.iter().map(|member| format!("'{member}'")).collect();
    let expected = match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    };
    let text = format!("Input should be {expected}");
    problem_with("enum", loc, &text, input, json!({ "expected": expected }))
}

fn inputs(value: Option<&Value>, problems: &mut Vec<Value>) -> Map<String, Value> {
    let map = match value {
        None => return Map::new(),
        Some(Value::Object(map)) => map,
        Some(other) => {
            let text = "Input should be a valid dictionary";
            problems.push(problem("dict_type", json!(["body", "inputs"]), text, other));
            return Map::new();
        }
    };
    for (name, value) in map {
        if !matches!(value, Value::Null | Value::Object(_)) {
            continue;
        }
        // One complaint per member of the union.
        for (kind, member, what) in [
            ("string_type", "str", "string"),
            ("int_type", "int", "integer"),
            ("float_type", "float", "number"),
            ("bool_type", "bool", "boolean"),
            ("list_type", "list[any]", "list"),
        ] {
            let loc = json!(["body", "inputs", name, member]);
            let text = format!("Input should be a valid {what}");
            problems.push(problem(kind, loc, &text, value));
        }
    }
    map.clone()
}

fn webhook(value: Option<&Value>, problems: &mut Vec<Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => {
            let text = "Input should be a valid string";
            problems.push(problem("string_type", json!(["body", "webhook"]), text, other));
            None
        }
    }
}

fn boolean(value: Option<&Value>, problems: &mut Vec<Value>) -> bool {
    let Some(value) = value else {
        return false;
    };
    let word = match value {
        Value::Bool(given) => return *given,
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "1" | "on" | "t" | "true" | "y" | "yes" => return true,
        "0" | "off" | "f" | "false" | "n" | "no" => return false,
        _ => {}
    }
    let loc = json!(["body", "webhook_intermediate_status"]);
    problems.push(if matches!(value, Value::String(_) | Value::Number(_)) {
        let text = "Input should be a valid boolean, unable to interpret input";
        problem("bool_parsing", loc, text, value)
    } else {
        problem("bool_type", loc, "Input should be a valid boolean", value)
    });
    false
}

fn gpu(value: Option<&Value>, problems: &mut Vec<Value>) -> Option<String> {
    let value = value.filter(|value| !value.is_null())?;
    let known = value.as_str().filter(|gpu| GPUS.contains(gpu));
    if known.is_none() {
        problems.push(enum_problem(json!(["body", "gpu"]), &GPUS, value));
    }
    known.map(str::to_owned)
}

fn batch_number(value: Option<&Value>, problems: &mut Vec<Value>) -> u32 {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return 1;
    };
    let Some(number) = value.as_i64() else {
        let text = "Input should be a valid integer";
        problems.push(problem("int_type", json!(["body", "batch_number"]), text, value));
        return 1;
    };
    let number = u64::try_from(number).unwrap_or(1).clamp(1, MAX_BATCH);
    u32::try_from(number).unwrap_or(1)
}

fn uuid_field(value: &Value, loc: Value, problems: &mut Vec<Value>) -> Option<Uuid> {
    let Some(text) = value.as_str() else {
        let words = "UUID input should be a string, bytes or UUID object";
        problems.push(problem("uuid_type", loc, words, value));
        return None;
    };
    match Uuid::try_parse(text) {
        Ok(id) => Some(id),
        Err(_) => {
            let error = uuid_error(text);
            let words = format!("Input should be a valid UUID, {error}");
            let ctx = json!({ "error": error });
            problems.push(problem_with("uuid_parsing", loc, &words, value, ctx));
            None
        }
    }
}

/// What the parser inside pydantic says.
fn uuid_error(text: &str) -> String {
    let bad = text.chars().enumerate().find(|(_, c)| !c.is_ascii_hexdigit() && *c != '-');
    if let Some((at, c)) = bad {
        return format!(
            "invalid character: expected an optional prefix of `urn:uuid:` followed by \
             [0-9a-fA-F-], found `{c}` at {}",
            at + 1
        );
    }
    match text.matches('-').count() {
        0 => {
            let length = text.len();
            format!("invalid length: expected length 32 for simple format, found {length}")
        }
        4 => "invalid group length in group 0: expected 8, found another".to_owned(),
        hyphens => format!("invalid group count: expected 5, found {}", hyphens + 1),
    }
}

fn invalid_json(error: &serde_json::Error, body: &[u8]) -> Value {
    // Python counts characters from the start of the body; a line's column is that on the first line.
    let before: usize =
        body.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = before + error.column().saturating_sub(1);
    problem_with(
        "json_invalid",
        json!(["body", at]),
        "JSON decode error",
        &json!({}),
        json!({ "error": "Expecting property name enclosed in double quotes" }),
    )
}
