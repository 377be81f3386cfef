//! What the service sends. Only what cannot be done without is required; the rest may be absent, null, or of a wrong
//! type.

pub(crate) mod lenient;
mod task;

pub(crate) use task::Task;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Around every answer. Its `status` says no more than the code.
#[derive(Debug, Deserialize)]
pub(crate) struct Envelope {
    #[serde(default, deserialize_with = "lenient::whole")]
    pub(crate) code: Option<i64>,
    #[serde(default)]
    pub(crate) data: Option<Box<RawValue>>,
}

/// A task that was created.
#[derive(Debug, Deserialize)]
pub(crate) struct Created {
    pub(crate) task_id: String,
}

/// A file that the service has.
#[derive(Debug, Deserialize)]
pub(crate) struct Uploaded {
    pub(crate) file_token: String,
}

/// Where to put a large file.
#[derive(Deserialize)]
pub(crate) struct Presigned {
    /// `upload_url` is its older name.
    #[serde(alias = "upload_url")]
    pub(crate) presigned_url: String,
    pub(crate) file_token: String,
}

/// Credits that are left.
#[derive(Debug, Deserialize)]
pub(crate) struct Balance {
    #[serde(default, deserialize_with = "lenient::decimal")]
    balance: Option<Decimal>,
}

impl Balance {
    /// Is it known to be nothing?
    pub(crate) fn is_empty(&self) -> bool {
        self.balance.is_some_and(|balance| balance <= Decimal::ZERO)
    }
}

/// What a webhook says.
#[derive(Debug, Deserialize)]
pub(crate) struct Hook {
    /// `task.completed`, `task.failed`, `balance.low`, …
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) data: Option<Box<RawValue>>,
}
