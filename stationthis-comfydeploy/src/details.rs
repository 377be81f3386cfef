//! What a tool's `endpointDetails` hold.

use crate::error::Operation;
use crate::inputs::SendAs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stationthis_core::{Error, ErrorKind, JsonDoc, Result};
use std::collections::BTreeMap;

/// The facts that later calls need: they travel with each task, so nothing has to be remembered here.
///
/// In JSON with camelCase names. Read it from a tool with
/// [`ToolDefinition::endpoint_details`](stationthis_core::ToolDefinition::endpoint_details)`.parse()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EndpointDetails {
    /// The workflow; also the key of the tool's id.
    pub workflow_id: String,
    /// The deployment that runs are queued on.
    pub deployment_id: String,
    /// Its environment: `production`, `staging`, …
    pub environment: String,
    /// Every deployment of the workflow, by environment.
    #[serde(default)]
    pub deployment_ids_by_name: BTreeMap<String, String>,
    /// The machine it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The kind of machine: `comfy-deploy-serverless`, `classic`, `runpod-serverless`; absent when it is not listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
    /// The GPU: the deployment's, else the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// The version that the deployment had when it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_version_id: Option<String>,
    /// The inputs whose values are written in a form of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub send_as: BTreeMap<String, SendAs>,
}

impl EndpointDetails {
    /// The facts of a task.
    pub(crate) fn read(operation: Operation, doc: &JsonDoc) -> Result<Self> {
        doc.parse().map_err(|e| {
            Error::new(ErrorKind::Corrupt, operation.name())
                .with_message("The tool's endpoint details are not those of a ComfyDeploy deployment.")
                .with_source(e)
        })
    }

    /// Whether the machine is of a kind whose runs the service cannot stop.
    pub(crate) fn is_uncancellable(&self) -> bool {
        matches!(self.machine_type.as_deref(), Some("classic" | "runpod-serverless"))
    }

    /// The inputs in the forms that the service's nodes understand.
    ///
    /// Null and objects are left out: the service refuses the whole run for them.
    pub(crate) fn wire_inputs(&self, inputs: &Map<String, Value>) -> Map<String, Value> {
        let sent = inputs.iter().filter(|(_, value)| !value.is_null() && !value.is_object());
        sent.map(|(name, value)| (name.clone(), written(value, self.send_as.get(name).copied()))).collect()
    }
}

fn written(value: &Value, how: Option<SendAs>) -> Value {
    match how {
        Some(SendAs::JsonText) if value.is_array() => Value::String(value.to_string()),
        Some(SendAs::Integer) => whole(value).unwrap_or_else(|| value.clone()),
        Some(SendAs::JsonText) | None => value.clone(),
    }
}

/// `3.0` as `3`.
fn whole(value: &Value) -> Option<Value> {
    let float = value.as_f64().filter(|f| value.is_f64() && f.fract() == 0.0 && f.abs() < 9.0e15)?;
    // Whole and in range by the filter.
    #[allow(clippy::cast_possible_truncation)]
    Some(Value::from(float as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_are_written_as_their_nodes_read_them() {
        let details: EndpointDetails = serde_json::from_value(json!({
            "workflowId": "w", "deploymentId": "d", "environment": "production",
            "sendAs": { "images": "jsonText", "steps": "integer" },
        }))
        .unwrap();
        let inputs = json!({
            "images": ["https://h/1.png", "https://h/2.png"], "steps": 3.0, "guidance": 3.5, "prompt": "a",
            "nothing": null, "nested": { "a": 1 }, "color": [{ "r": 0 }], "odd": 2.0,
        });
        let expected = json!({
            "images": "[\"https://h/1.png\",\"https://h/2.png\"]", "steps": 3, "guidance": 3.5, "prompt": "a",
            "color": [{ "r": 0 }], "odd": 2.0,
        });
        assert_eq!(Value::Object(details.wire_inputs(inputs.as_object().unwrap())), expected);
    }
}
