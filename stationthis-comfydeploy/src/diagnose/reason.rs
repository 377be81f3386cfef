//! From what the engine reported to a sentence.

use crate::wire::run::OutputRow;
use crate::wire::run_row::{NodeTiming, Trouble};
use serde_json::Value;
use stationthis_core::FailureRecord;
use stationthis_core::task::report::NodeTime;
use stationthis_http::{one_line, scrub};

/// The code of every failure read here.
const CODE: &str = "runFailed";

/// The longest sentence, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// The longest detail, in characters.
const DETAIL_CHARS_MAX: usize = 1000;

/// How many last lines of a log are kept: what fails is said at the end.
const LOG_LINES_MAX: usize = 20;

/// The most node times taken from one run: the largest graphs have some hundred nodes.
const NODES_MAX: usize = 2000;

/// The reason in a run's rows: the engine's exception, or its refusal of the prompt.
pub(super) fn of_rows(rows: &[OutputRow], secrets: &[&str]) -> Option<FailureRecord> {
    rows.iter().find_map(|row| {
        let data = row.data.as_ref()?;
        of_trouble(&serde_json::from_str(data.get()).ok()?, secrets)
    })
}

fn of_trouble(trouble: &Trouble, secrets: &[&str]) -> Option<FailureRecord> {
    if let Some(said) = &trouble.exception_message {
        let said = clean(said, secrets);
        let at = match (&trouble.node_type, &trouble.node_id) {
            (Some(class), Some(id)) => format!("{class} (node {id})"),
            (Some(class), None) => class.clone(),
            (None, Some(id)) => format!("Node {id}"),
            (None, None) => "The run".to_owned(),
        };
        let kind = trouble.exception_type.as_deref().unwrap_or("Error");
        return Some(failure(&format!("{at} failed: {said}"), &format!("{kind}: {said}")));
    }
    let said = refusal(trouble.error.as_ref()?)?;
    let said = clean(&said, secrets);
    Some(failure(&format!("The workflow was refused: {said}"), &said))
}

/// `{"error": "text"}`, or ComfyUI's `{"error": {"type", "message", "details"}}`.
fn refusal(error: &Value) -> Option<String> {
    if let Some(text) = error.as_str() {
        return Some(text.to_owned());
    }
    let part = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let parts: Vec<&str> = [part("message").or_else(|| part("type")), part("details")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// The reason at the end of an archived log, without the webhook attempts that are logged there too.
pub(super) fn of_log(lines: &[&str], secrets: &[&str]) -> Option<FailureRecord> {
    let mut kept: Vec<String> = Vec::new();
    for line in lines.iter().rev().filter(|line| is_telling(line)).take(LOG_LINES_MAX) {
        kept.push(one_line(&scrub(line, secrets), MESSAGE_CHARS_MAX));
    }
    let last = kept.first()?.clone();
    kept.reverse();
    Some(failure(&format!("The run failed; its log ends with: {last}"), &kept.join(" | ")))
}

fn is_telling(line: &str) -> bool {
    let text = line.trim();
    // Python's frames are indented, and marked with carets.
    let traceback = line.starts_with("  ") || text.starts_with("Traceback (") || text.starts_with("File \"");
    !text.is_empty()
        && text != "__END__"
        && !traceback
        && !text.starts_with("{\"type\": \"webhook\"")
        && !is_webhook(text)
}

fn is_webhook(text: &str) -> bool {
    let parsed = text.starts_with('{').then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    parsed.is_some_and(|value| value.get("type").and_then(Value::as_str) == Some("webhook"))
}

/// The text before any traceback, without secrets.
fn clean(text: &str, secrets: &[&str]) -> String {
    let text = text.split("Traceback (most recent call last)").next().unwrap_or_default();
    scrub(text.trim(), secrets)
}

fn failure(message: &str, detail: &str) -> FailureRecord {
    let record = FailureRecord::new(CODE, one_line(message, MESSAGE_CHARS_MAX));
    record.with_detail(one_line(detail, DETAIL_CHARS_MAX))
}

/// The time of each node, from the list that the worker posts at the end.
pub(super) fn nodes(rows: &[OutputRow]) -> Vec<NodeTime> {
    let lists = rows.iter().filter_map(|row| row.data.as_ref());
    let lists = lists.filter_map(|data| serde_json::from_str::<Vec<NodeTiming>>(data.get()).ok());
    lists.flatten().filter_map(node).take(NODES_MAX).collect()
}

fn node(timing: NodeTiming) -> Option<NodeTime> {
    let micros = timing.time.filter(|s| (0.0..1.0e9).contains(s))? * 1_000_000.0;
    // In range by the filter.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(NodeTime { node_id: timing.id?, class_type: timing.class_type, micros: micros.round() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(value: Value) -> Vec<OutputRow> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_exception_becomes_a_sentence_without_its_traceback() {
        let rows = rows(json!([
            { "data": { "images": [] } },
            { "data": {
                "node_id": "1", "node_type": "EmptyImage", "exception_type": "RuntimeError",
                "exception_message": "can't allocate\nmemory\nTraceback (most recent call last):\n  File \"x.py\"",
                "traceback": ["  File \"/srv/comfyui/execution.py\""],
            } },
            { "data": [{ "id": "1", "time": 0.072_451_6, "class_type": "EmptyImage" }, { "time": 1.0 }, { "id": "2", "time": -1 }] },
        ]));
        let failure = of_rows(&rows, &[]).unwrap();
        assert_eq!(failure.code, "runFailed");
        assert_eq!(failure.message, "EmptyImage (node 1) failed: can't allocate memory");
        assert_eq!(failure.detail.as_deref(), Some("RuntimeError: can't allocate memory"));
        let nodes = nodes(&rows);
        assert_eq!((nodes.len(), nodes[0].micros, nodes[0].node_id.as_str()), (1, 72_452, "1"));
    }

    #[test]
    fn a_refused_prompt_says_why() {
        let message = |error: Value| of_rows(&rows(json!([{ "data": { "error": error } }])), &[]).map(|f| f.message);
        let engine = json!({ "type": "prompt_no_outputs", "message": "Prompt has no outputs", "details": "" });
        assert_eq!(message(engine).unwrap(), "The workflow was refused: Prompt has no outputs");
        assert_eq!(message(json!("no")).unwrap(), "The workflow was refused: no");
        assert_eq!(message(json!(5)), None);
        assert_eq!(of_rows(&rows(json!([{ "data": { "text": ["hi"] } }, { "data": [] }, {}])), &[]), None);
    }

    #[test]
    fn a_log_gives_its_last_lines_without_webhooks_and_frames() {
        let hook = r#"{"type": "webhook", "url": "https://h/api/webhook/comfydeploy/1?t=k1.2.3", "payload": "x"}"#;
        let lines = [
            "got prompt",
            "Traceback (most recent call last):",
            "  File \"x.py\", line 1",
            "OSError: disk full at https://h/hook?x",
            hook,
            "__END__",
        ];
        let failure = of_log(&lines, &["https://h/hook?x"]).unwrap();
        assert_eq!(failure.message, "The run failed; its log ends with: OSError: disk full at [cut]");
        assert_eq!(failure.detail.as_deref(), Some("got prompt | OSError: disk full at [cut]"));
        assert_eq!(of_log(&[hook, "__END__", "__END__"], &[]), None);
        let long = "x".repeat(100_000);
        let failure = of_log(&vec![long.as_str(); 500], &[]).unwrap();
        assert!(failure.message.chars().count() <= 301 && failure.detail.unwrap().chars().count() <= 1001);
    }
}
