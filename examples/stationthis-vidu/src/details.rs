//! What a tool's `endpointDetails` hold.

use crate::error::Operation;
use crate::route::Route;
use serde::{Deserialize, Serialize};
use stationthis_core::{Error, ErrorKind, JsonDoc, Result};

/// The facts that later calls need: they travel with each task, so nothing has to be remembered here.
///
/// In JSON with camelCase names. Read it from a tool with
/// [`ToolDefinition::endpoint_details`](stationthis_core::ToolDefinition::endpoint_details)`.parse()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EndpointDetails {
    /// The route.
    pub route: Route,
    /// The model, as this route calls it; absent where the route takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

impl EndpointDetails {
    pub(crate) const fn new(route: Route, model: Option<String>) -> Self {
        Self { route, model }
    }

    /// The facts of a task.
    pub(crate) fn read(operation: Operation, doc: &JsonDoc) -> Result<Self> {
        doc.parse().map_err(|e| {
            Error::new(ErrorKind::Corrupt, operation.name())
                .with_message("The tool's endpoint details are not those of a Vidu route.")
                .with_source(e)
        })
    }
}
