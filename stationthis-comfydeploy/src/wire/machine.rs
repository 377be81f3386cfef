//! An entry of `GET /machines`.

use super::lenient;
use serde::Deserialize;

/// A machine.
#[derive(Debug, Deserialize)]
pub(crate) struct Machine {
    pub(crate) id: String,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) gpu: Option<String>,
}
