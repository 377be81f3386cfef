//! What stands in the messages of a stream, and how that is described.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};
use stationthis_core::task::TaskRecord;

/// What does not change is left out, and may be large: inputs can hold whole pictures.
const LEFT_OUT: [&str; 7] = ["inputsAsked", "inputsSent", "metadata", "notify", "endpointDetails", "costRate", "quote"];

/// Where the kinds of messages stand in the schema of a stream, each with the schema of its data: OpenAPI 3.1 has no
/// words for events.
const EVENTS: &str = "x-stationthis-events";

/// The first message of the stream of all tasks.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StreamReady")]
pub(super) struct Ready {
    /// Each change after the event of this number will be said.
    pub(super) after: u64,
}

/// The reader was slow.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StreamLagged")]
pub(super) struct Lagged {
    /// At least so many changes were not said one by one.
    pub(super) missed: u64,
}

/// A task as everywhere, but for [`LEFT_OUT`].
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct StreamedTask(Map<String, Value>);

impl StreamedTask {
    pub(super) fn of(task: &TaskRecord) -> Result<Self, axum::Error> {
        let mut value = serde_json::to_value(task).map_err(axum::Error::new)?;
        let fields = value.as_object_mut().map(std::mem::take).unwrap_or_default();
        Ok(Self(fields.into_iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())).collect()))
    }
}

impl JsonSchema for StreamedTask {
    fn schema_name() -> Cow<'static, str> {
        "StreamedTask".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = TaskRecord::json_schema(generator);
        schema.insert("description".to_owned(), "A task, without what does not change.".into());
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| !LEFT_OUT.iter().any(|left| name == left));
        }
        schema
    }
}

/// The stream of all tasks, as a schema.
pub(super) struct AllEvents;

impl JsonSchema for AllEvents {
    fn schema_name() -> Cow<'static, str> {
        "TaskStream".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let ready = generator.subschema_for::<Ready>();
        let mut events = of_task(generator);
        events.insert("ready".to_owned(), ready.to_value());
        stream(events)
    }
}

/// The stream of one task, as a schema.
pub(super) struct TaskEvents;

impl JsonSchema for TaskEvents {
    fn schema_name() -> Cow<'static, str> {
        "OneTaskStream".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        stream(of_task(generator))
    }
}

fn of_task(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let task = generator.subschema_for::<StreamedTask>().to_value();
    let lagged = generator.subschema_for::<Lagged>().to_value();
    Map::from_iter([("task".to_owned(), task.clone()), ("end".to_owned(), task), ("lagged".to_owned(), lagged)])
}

fn stream(events: Map<String, Value>) -> Schema {
    let mut schema = json_schema!({
        "type": "string",
        "description": format!("Server-sent events. `{EVENTS}` has the schema of each kind's `data`, which is JSON."),
    });
    schema.insert(EVENTS.to_owned(), json!(events));
    schema
}
