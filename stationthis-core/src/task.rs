//! The durable record of one request to run one tool.

pub mod output;
pub mod report;

use serde::{Deserialize, Serialize};

/// Placeholder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {}
