//! An entry of `GET /deployments`.

use super::graph::Graph;
use super::lenient;
use serde::Deserialize;
use stationthis_core::Timestamp;

/// A deployment, without the graphs.
#[derive(Debug, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) workflow_id: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) workflow_version_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) machine_id: Option<String>,
    #[serde(default)]
    pub(crate) environment: String,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) workflow: Option<Workflow>,
    #[serde(default)]
    pub(crate) version: Option<Version>,
    #[serde(default, deserialize_with = "lenient::shaped")]
    pub(crate) input_types: Option<Vec<InputType>>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) gpu: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) modal_image_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) concurrency_limit: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) run_timeout: Option<u32>,
}

/// The workflow a deployment is of.
#[derive(Debug, Deserialize)]
pub(crate) struct Workflow {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: Option<String>,
}

/// The version that is deployed; `workflow`, the picture of the graph, is skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    #[serde(default)]
    pub(crate) workflow_api: Option<Graph>,
}

/// An input as the service derives it.
#[derive(Debug, Deserialize)]
pub(crate) struct InputType {
    #[serde(default)]
    pub(crate) input_id: String,
}
