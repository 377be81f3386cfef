//! The statuses of generations, and which statuses of tasks they stand for.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{Error, ErrorKind, Result};

/// Where a generation is: fewer words than a task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GenerationStatus {
    /// It does not run yet, as far as is known: `accepted`, `submitting`, `inDoubt`, `queued`.
    Pending,
    /// It runs, or its end is being confirmed: `running`, `finalizing`.
    Processing,
    /// Ended well.
    Completed,
    /// Ended with an error.
    Failed,
    /// Ended by a wish: `cancelled`.
    CancelledByUser,
    /// Ended by a deadline: `timedOut`.
    Timeout,
}

impl GenerationStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Processing, Self::Completed, Self::Failed, Self::CancelledByUser, Self::Timeout];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::CancelledByUser => "cancelled_by_user",
            Self::Timeout => "timeout",
        }
    }

    /// The statuses of tasks that it stands for.
    pub fn of_tasks(self) -> impl Iterator<Item = TaskStatus> {
        TaskStatus::ALL.into_iter().filter(move |status| Self::from(*status) == self)
    }
}

impl From<TaskStatus> for GenerationStatus {
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Accepted | TaskStatus::Submitting | TaskStatus::InDoubt | TaskStatus::Queued => Self::Pending,
            TaskStatus::Running | TaskStatus::Finalizing => Self::Processing,
            TaskStatus::Completed => Self::Completed,
            TaskStatus::Failed => Self::Failed,
            TaskStatus::Cancelled => Self::CancelledByUser,
            TaskStatus::TimedOut => Self::Timeout,
        }
    }
}

impl fmt::Display for GenerationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GenerationStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::new(ErrorKind::InvalidInput, "parse generation status")
                .with_message(format!("A generation's status is one of {known}."))
        })
    }
}
