//! An entry of `GET /workflow/{id}/runs`: the stored rows, unfiltered; and the archived log.

use super::lenient;
use super::run::OutputRow;
use serde::Deserialize;

/// A run with everything its nodes reported; the graphs beside it are skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct RunRow {
    pub(crate) id: String,
    /// Our callback URL, to be cut from texts.
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) webhook: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) outputs: Vec<OutputRow>,
}

/// What an exception's row, or a refused prompt's, says.
#[derive(Debug, Deserialize)]
pub(crate) struct Trouble {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) exception_type: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) exception_message: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) node_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) node_type: Option<String>,
    #[serde(default)]
    pub(crate) error: Option<serde_json::Value>,
}

/// One entry of the per-node list.
#[derive(Debug, Deserialize)]
pub(crate) struct NodeTiming {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) id: Option<String>,
    #[serde(default)]
    pub(crate) class_type: String,
    /// Seconds.
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) time: Option<f64>,
}

/// One line of the archived log.
#[derive(Debug, Deserialize)]
pub(crate) struct LogLine {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) log: Option<String>,
}
