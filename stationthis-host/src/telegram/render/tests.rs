use serde_json::json;
use stationthis_core::cost::Quote;
use stationthis_core::task::report::Progress;
use stationthis_core::task::state::TaskState;
use stationthis_core::task::terms::Terms;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::{CallerId, FailureRecord, JsonDoc, ProviderId, Timestamp, ToolId};

use super::*;

fn tool() -> ToolDefinition {
    let provider = ProviderId::new("p").unwrap();
    let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Mix *two*");
    tool.slug = "mix-two".to_owned();
    tool.description = "Puts one\n picture <b>into</b> another.".to_owned();
    let image = |order: u8| json!({ "type": "string", "format": "uri", "contentMediaType": "image/*", "x-stationthis": { "order": order } });
    tool.input_schema = JsonDoc::from_value(&json!({
        "type": "object",
        "required": ["image", "prompt"],
        "properties": {
            "prompt": { "type": "string", "description": "How.", "x-stationthis": { "order": 0 } },
            "image": image(1), "mask": image(2),
            "mode": { "type": "string", "enum": ["soft", "hard"], "default": "soft", "x-stationthis": { "order": 3 } },
            "words": { "type": "array", "items": { "type": "string" }, "x-stationthis": { "order": 4 } },
        },
    }));
    tool
}

#[test]
fn each_step_of_a_task_has_its_words() {
    let state =
        TaskState::accepted(Timestamp::from_micros(0), &Terms::new(Timestamp::from_micros(1), ExactlyOnce::None));
    let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
    let mut task = TaskRecord::new(id, CallerId::new("c").unwrap(), &tool(), state);
    task.quote = Quote::new(None, "0.1011".parse().ok(), "by its timeout");
    task.state.status_reason = Some(FailureRecord::new("runFailed", "out of memory."));
    task.state.times.ended_at = Some(Timestamp::from_micros(8_200_000));
    task.state.progress = Progress::from_fraction(0.399);
    let mut shown = Vec::new();
    for (at, step) in TaskStatus::ALL.into_iter().enumerate() {
        task.state.status = step;
        task.state.expected_ms = (at > 2).then_some(6_000);
        task.state.live_status = (at > 3).then(|| format!("Sampling\n{}", "very ".repeat(20)));
        shown.push(format!("{step}\n  {}\n  {}", status(&task).replace('\n', "\n  "), status_line(&task)));
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn help_says_what_a_tool_takes() {
    let view = ToolView::of_definition(tool());
    let mut structured = tool();
    structured.input_schema = JsonDoc::from_value(
        &json!({ "type": "object", "required": ["rig"], "properties": { "rig": { "type": "object" } } }),
    );
    let structured = ToolView::of_definition(structured);
    insta::assert_snapshot!([help(&view), help(&structured)].join("\n---\n"));
}
