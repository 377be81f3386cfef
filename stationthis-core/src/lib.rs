//! Turn unreliable AI-generation services into durable, priced, validated tools.

pub mod cost;
pub mod error;
pub mod id;
pub mod json_doc;
pub mod money;
pub mod notify;
pub mod provider;
pub mod registry;
pub mod secret;
pub mod station;
pub mod store;
pub mod task;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod time;
pub mod tool;
pub mod webhook;

pub use error::{Effect, Error, ErrorKind, FailureRecord, Result, Retry};
pub use id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
pub use json_doc::JsonDoc;
pub use money::{Price, Usd};
pub use secret::Secret;
pub use station::{Caller, RunRequest, Station, StationHandle};
pub use task::TaskRecord;
pub use task::policy::Policy;
pub use task::state::TaskStatus;
pub use time::{Clock, SystemClock, Timestamp, TokioClock};
pub use tool::ToolDefinition;

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal text.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
