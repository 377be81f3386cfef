//! What a caller writes on a task for itself, and how much of it.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::station::caller::RunRequest;

/// Metadata is a caller's notes, not its storage.
const METADATA_BYTES_MAX: usize = 64 * 1024;

/// A name, not what it names.
const EVENT_ID_BYTES_MAX: usize = 256;

/// Those of a request.
pub(super) fn check(request: &RunRequest) -> Result<()> {
    check_metadata(&request.metadata)?;
    request.initiating_event_id.as_deref().map_or(Ok(()), check_event_id)
}

pub(super) fn check_metadata(metadata: &Map<String, Value>) -> Result<()> {
    let text = serde_json::to_string(metadata).map_err(|e| refused("Unusable metadata.").with_source(e))?;
    if text.len() > METADATA_BYTES_MAX {
        return Err(refused("Metadata has at most 64 KiB."));
    }
    // Stores differ on it, so it is refused here as in inputs.
    if metadata.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)) {
        return Err(refused("Metadata must not hold U+0000."));
    }
    Ok(())
}

/// As deep as JSON is read at all, which is 128 levels.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

pub(super) fn check_event_id(event: &str) -> Result<()> {
    if event.len() > EVENT_ID_BYTES_MAX {
        return Err(refused("An initiating event id has at most 256 bytes."));
    }
    if event.contains('\0') { Err(refused("An initiating event id must not hold U+0000.")) } else { Ok(()) }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, "take request").with_message(message)
}
