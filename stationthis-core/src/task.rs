//! The durable record of one request to run one tool.

pub mod event;
pub mod machine;
pub mod output;
pub mod plan;
pub mod policy;
pub mod replay;
pub mod report;
pub mod state;
pub mod terms;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cost::{PinnedRate, Quote};
use crate::id::{CallerId, IdempotencyKey, ProviderId, TaskId, ToolId};
use crate::json_doc::JsonDoc;
use crate::notify::NotifyTarget;
use crate::task::state::TaskState;
use crate::time::Timestamp;
use crate::tool::ToolDefinition;

/// One request of one caller to run one tool, and everything that became of it.
///
/// Outlives runs, restarts and lost webhooks. What is fixed when the request is accepted stands here; what the task
/// machine decides stands in [`TaskState`], which is part of the same JSON object on the wire. `metadata` is the
/// caller's and is never merged into a typed field (I11).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaskRecord {
    /// Our name for it.
    pub task_id: TaskId,
    /// Counts the commits of its state, from one; stores refuse a commit that expects another.
    pub revision: u64,
    /// Who it belongs to and is charged to.
    pub caller: CallerId,
    /// The caller's name for this request, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Hash of what was asked, by which a repeated key is told from a reused one.
    pub request_hash: String,
    /// The event in the caller's own system that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiating_event_id: Option<String>,
    /// The tool.
    pub tool_id: ToolId,
    /// The tool's revision when the request was accepted.
    pub tool_revision: String,
    /// The tool's name when the request was accepted.
    pub tool_name: String,
    /// The configured instance that runs it.
    pub provider_id: ProviderId,
    /// The kind of service.
    pub service_name: String,
    /// The provider's facts about the tool, as they were when the request was accepted.
    pub endpoint_details: JsonDoc,
    /// The inputs as the caller gave them.
    pub inputs_asked: Map<String, Value>,
    /// The inputs as they are sent: validated, defaults filled in. In place of files stands what `sentFiles` says.
    pub inputs_sent: Map<String, Value>,
    /// Those of them that are files to be given to the service, as JSON pointers into `inputsSent`; what was sent in
    /// their place is in `sentFiles`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_inputs: Vec<String>,
    /// The rate in force when it was accepted; absent for an unpriced tool that policy lets run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_rate: Option<PinnedRate>,
    /// What it was expected to cost.
    pub quote: Quote,
    /// Who is told about its end.
    #[serde(default)]
    pub notify: Vec<NotifyTarget>,
    /// Free facts of the caller's.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// When the driver looks at it next; absent when nothing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// From when on it waits for a run slot at its provider; absent when it does not wait for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submit_at: Option<Timestamp>,
    /// What the task machine decides.
    #[serde(flatten)]
    pub state: TaskState,
}

impl TaskRecord {
    /// The record of a request for `tool`, accepted with `state`.
    #[must_use]
    pub fn new(task_id: TaskId, caller: CallerId, tool: &ToolDefinition, state: TaskState) -> Self {
        Self {
            task_id,
            revision: 1,
            caller,
            idempotency_key: None,
            request_hash: String::new(),
            initiating_event_id: None,
            tool_id: tool.tool_id.clone(),
            tool_revision: tool.revision.clone(),
            tool_name: if tool.slug.is_empty() { tool.display_name.clone() } else { tool.slug.clone() },
            provider_id: tool.provider_id.clone(),
            service_name: tool.service_name.clone(),
            endpoint_details: tool.endpoint_details.clone(),
            inputs_asked: Map::new(),
            inputs_sent: Map::new(),
            file_inputs: Vec::new(),
            cost_rate: None,
            quote: Quote::default(),
            notify: Vec::new(),
            metadata: Map::new(),
            due_at: Some(state.deadline_at),
            submit_at: Some(state.times.accepted_at),
            state,
        }
    }

    /// A copy without what may be large and never changes.
    pub(crate) fn without_inputs(&self) -> Self {
        Self {
            task_id: self.task_id,
            revision: self.revision,
            caller: self.caller.clone(),
            idempotency_key: self.idempotency_key.clone(),
            request_hash: self.request_hash.clone(),
            initiating_event_id: self.initiating_event_id.clone(),
            tool_id: self.tool_id.clone(),
            tool_revision: self.tool_revision.clone(),
            tool_name: self.tool_name.clone(),
            provider_id: self.provider_id.clone(),
            service_name: self.service_name.clone(),
            endpoint_details: self.endpoint_details.clone(),
            inputs_asked: Map::new(),
            inputs_sent: Map::new(),
            file_inputs: self.file_inputs.clone(),
            cost_rate: self.cost_rate.clone(),
            quote: self.quote.clone(),
            notify: self.notify.clone(),
            metadata: self.metadata.clone(),
            due_at: self.due_at,
            submit_at: self.submit_at,
            state: self.state.clone(),
        }
    }

    /// Has it ended?
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.state.status.is_terminal()
    }
}
