//! Generations: tasks in the words of a record API that came before, and what a caller may change on them.

mod change;
mod status;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::notify::NotifyTarget;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::output::Output;
use stationthis_core::{CallerId, Error, ErrorKind, Result, TaskId, Timestamp, ToolId, Usd};

pub use change::{GenerationChange, NotificationContext};
pub use status::GenerationStatus;

/// The key of `metadata` that holds the provider's run.
const RUN_ID: &str = "run_id";

/// The key of `metadata` that holds the rate in force when the request was accepted.
const COST_RATE: &str = "costRate";

/// A task as a generation: a view, made anew each time. What is not in it is on the task, whose id is the generation's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Generation {
    /// The task's id.
    pub generation_id: TaskId,
    /// The caller.
    pub user_id: CallerId,
    /// Where it is.
    pub status: GenerationStatus,
    /// Why it did not end well, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// The kind of service.
    pub service_name: String,
    /// The tool.
    pub tool_id: ToolId,
    /// The tool's name when the request was accepted.
    pub tool_display_name: String,
    /// The event that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiating_event_id: Option<String>,
    /// The inputs as they are sent, defaults filled in.
    pub request_payload: Map<String, Value>,
    /// When it was accepted.
    pub request_timestamp: Timestamp,
    /// The outputs, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_payload: Option<Vec<Output>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_timestamp: Option<Timestamp>,
    /// From the one to the other, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// What it cost, by the last review; absent until the end, and after it when the cost is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<Usd>,
    /// Who is told about its end.
    pub notify: Vec<NotifyTarget>,
    /// The caller's facts, and beside them `run_id` and `costRate`, which are the station's: a caller's facts of those
    /// names are not shown.
    pub metadata: Map<String, Value>,
}

impl Generation {
    /// The view of a task.
    ///
    /// # Errors
    /// `Unexpected` when its rate cannot be written as JSON.
    pub fn of(task: TaskRecord) -> Result<Self> {
        let machine = machine_metadata(&task)?;
        let state = task.state;
        let ended_at = state.times.ended_at.filter(|_| state.status.is_terminal());
        let accepted_at = state.times.accepted_at;
        let mut metadata = task.metadata;
        for (key, value) in machine {
            metadata.remove(key);
            metadata.extend(value.map(|value| (key.to_owned(), value)));
        }
        Ok(Self {
            generation_id: task.task_id,
            user_id: task.caller,
            status: state.status.into(),
            cost_usd: state.charged_usd(),
            status_reason: state.status_reason.map(|reason| reason.message),
            service_name: task.service_name,
            tool_id: task.tool_id,
            tool_display_name: task.tool_name,
            initiating_event_id: task.initiating_event_id,
            request_payload: task.inputs_sent,
            request_timestamp: accepted_at,
            response_payload: ended_at.map(|_| state.outputs),
            response_timestamp: ended_at,
            duration_ms: ended_at.map(|at| u64::try_from(at.since(accepted_at).as_millis()).unwrap_or(u64::MAX)),
            notify: task.notify,
            metadata,
        })
    }
}

/// The station's own keys of `metadata`, with their values where they have one.
fn machine_metadata(task: &TaskRecord) -> Result<[(&'static str, Option<Value>); 2]> {
    let rate = task.cost_rate.as_ref().map(serde_json::to_value).transpose();
    let rate = rate.map_err(|e| Error::new(ErrorKind::Unexpected, "show generation").with_source(e))?;
    Ok([(RUN_ID, task.state.run_id.as_ref().map(|run| Value::from(run.as_str()))), (COST_RATE, rate)])
}

#[cfg(test)]
mod tests;
