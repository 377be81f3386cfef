//! Helpers.

use serde_json::{Map, Value};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::provider::{RunRef, ServiceProvider, SubmitRequest};
use stationthis_core::{RunId, Secret, TaskId, ToolDefinition};

/// A canary: it must be in no error.
pub(crate) const KEY: &str = "canary-key-4711";

pub(crate) fn provider(base_url: impl Into<String>) -> ComfyDeploy {
    ComfyDeploy::builder(Secret::new(KEY)).base_url(base_url).build().unwrap()
}

/// The tool of a name.
pub(crate) async fn tool(provider: &ComfyDeploy, name: &str) -> ToolDefinition {
    let tools = provider.discover().await.unwrap().tools;
    tools.into_iter().find(|tool| tool.display_name == name).unwrap_or_else(|| panic!("no tool {name}"))
}

/// A submission of a new task.
pub(crate) fn request(tool: &ToolDefinition, inputs: Map<String, Value>) -> SubmitRequest {
    SubmitRequest::new(TaskId::generate(), tool.tool_id.clone(), tool.endpoint_details.clone(), inputs)
}

pub(crate) fn callback(request: &SubmitRequest) -> Secret {
    Secret::new(format!("https://station.example/api/webhook/comfydeploy/{}?t=k1.9.canary", request.task_id))
}

pub(crate) fn run_ref(request: &SubmitRequest, run_id: &RunId) -> RunRef {
    RunRef::new(request.task_id, run_id.clone(), request.endpoint_details.clone())
}
