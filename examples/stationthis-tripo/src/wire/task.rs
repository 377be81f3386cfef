//! A task as the service shows it, in an answer and in a webhook.

use super::lenient;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;
use stationthis_core::Timestamp;
use std::collections::BTreeMap;

/// A task. Its `type` is not read: an example of the pages shows a wrong one.
#[derive(Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) task_id: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) status: Option<String>,
    /// 0 to 100.
    #[serde(default, deserialize_with = "lenient::number")]
    pub(crate) progress: Option<f64>,
    /// Only after success.
    #[serde(default, deserialize_with = "lenient::shaped")]
    pub(crate) output: Option<BTreeMap<String, Value>>,
    /// May have decimals, and may be text.
    #[serde(default, deserialize_with = "lenient::decimal")]
    pub(crate) credits_consumed: Option<Decimal>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::time")]
    pub(crate) completed_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::text")]
    error_code: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    error_message: Option<String>,
    /// The older spelling.
    #[serde(default, deserialize_with = "lenient::text")]
    error_msg: Option<String>,
    /// The form in some webhooks.
    #[serde(default, deserialize_with = "lenient::shaped")]
    error: Option<Fault>,
}

/// Why a task failed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(crate) struct Fault {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) code: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) message: Option<String>,
}

impl Task {
    /// Why it failed, from any of the three spellings; codes of 0 and empty texts say nothing.
    pub(crate) fn fault(&self) -> Fault {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let nested = self.error.clone().unwrap_or_default();
        Fault {
            code: said(&self.error_code).or(said(&nested.code)).filter(|code| code != "0"),
            message: said(&self.error_message).or(said(&self.error_msg)).or(said(&nested.message)),
        }
    }
}
