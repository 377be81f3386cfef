//! The form in which a snapshot outlives the process.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::registry::provider_state::ProviderStatus;
use crate::time::Timestamp;
use crate::tool::ToolDefinition;
use crate::tool::naming::Names;

/// The version of the form that is written; others are refused.
const VERSION: u32 = 1;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedRef<'a> {
    v: u32,
    pub(super) saved_at: Timestamp,
    pub(super) providers: &'a [ProviderStatus],
    pub(super) names: &'a [Names],
    pub(super) tools: Vec<&'a ToolDefinition>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Saved {
    pub(super) providers: Vec<ProviderStatus>,
    pub(super) names: Vec<Names>,
    pub(super) tools: Vec<ToolDefinition>,
}

#[derive(Debug, Deserialize)]
struct Version {
    v: u32,
}

impl<'a> SavedRef<'a> {
    pub(super) fn new(
        saved_at: Timestamp,
        providers: &'a [ProviderStatus],
        names: &'a [Names],
        tools: Vec<&'a ToolDefinition>,
    ) -> Self {
        Self { v: VERSION, saved_at, providers, names, tools }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::new(ErrorKind::Unexpected, "export catalogue").with_source(e))
    }
}

impl Saved {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "restore catalogue");
        let Version { v } = serde_json::from_slice(bytes).map_err(|e| corrupt().with_source(e))?;
        if v != VERSION {
            return Err(corrupt().with_message("it is of another version").with_context("version", v));
        }
        serde_json::from_slice(bytes).map_err(|e| corrupt().with_source(e))
    }
}
