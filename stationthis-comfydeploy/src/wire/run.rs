//! `GET /run/{id}`, the webhook body, and an entry of the light list of runs.

use super::lenient;
use serde::Deserialize;
use serde_json::value::RawValue;
use stationthis_core::Timestamp;

/// A run, as status answers and webhooks show it; a webhook has fewer fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Run {
    /// `id` in answers, `run_id` in webhooks.
    #[serde(alias = "run_id")]
    pub(crate) id: String,
    pub(crate) status: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) live_status: Option<String>,
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) progress: Option<f64>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) queued_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) ended_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) gpu: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) webhook: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) outputs: Vec<OutputRow>,
}

/// One report of one node.
#[derive(Debug, Deserialize)]
pub(crate) struct OutputRow {
    /// Any shape: unfiltered rows hold exceptions and lists too.
    #[serde(default)]
    pub(crate) data: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) output_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::shaped")]
    pub(crate) node_meta: Option<NodeMeta>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<Timestamp>,
}

/// Where an output comes from.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeMeta {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) node_id: Option<String>,
}

/// A file in an output.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct MediaItem {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) url: Option<String>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub(crate) folder: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) filename: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) content_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) format: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) output_id: Option<String>,
}

/// An entry of `GET /v2/workflow/{id}/runs`.
#[derive(Debug, Deserialize)]
pub(crate) struct LightRun {
    pub(crate) id: String,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<Timestamp>,
}
