//! The machines of the simulated account.

use super::ids;
use uuid::Uuid;

/// A machine that runs workflows. Every simulated account has the same ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SimMachine {
    /// `studio-a10g`, type `comfy-deploy-serverless`.
    A10g,
    /// `studio-h100`, type `comfy-deploy-serverless`.
    H100,
    /// `studio-t4`, type `comfy-deploy-serverless`.
    T4,
    /// `workshop`, type `classic`: somebody's own computer. No GPU is stated, runs on it have no
    /// `queued_at` and no `started_at` and cannot be cancelled (protocol notes §3.6).
    Classic,
    /// `retired`, deleted, yet listed by `/machines` without `is_deleted=false`, and unmarked (§2.3).
    Retired,
}

impl SimMachine {
    pub(crate) const ALL: [Self; 5] = [Self::A10g, Self::H100, Self::T4, Self::Classic, Self::Retired];

    /// The machine's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::A10g => "studio-a10g",
            Self::H100 => "studio-h100",
            Self::T4 => "studio-t4",
            Self::Classic => "workshop",
            Self::Retired => "retired",
        }
    }

    /// The GPU as the service states it; `None` for a machine of one's own.
    #[must_use]
    pub fn gpu(self) -> Option<&'static str> {
        match self {
            Self::A10g => Some("A10G"),
            Self::H100 => Some("H100"),
            Self::T4 | Self::Retired => Some("T4"),
            Self::Classic => None,
        }
    }

    /// The `type` field.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            _ => "comfy-deploy-serverless",
        }
    }

    /// Whether runs go through the GPU cloud: `queued` and `started` are reported, cancel works.
    #[must_use]
    pub fn is_serverless(self) -> bool {
        self != Self::Classic
    }

    /// The machine's id, the same in every simulation.
    #[must_use]
    pub fn id(self) -> String {
        self.uuid().to_string()
    }

    pub(crate) fn uuid(self) -> Uuid {
        ids::stable("machine", self.name())
    }

    pub(crate) fn deleted(self) -> bool {
        self == Self::Retired
    }
}
