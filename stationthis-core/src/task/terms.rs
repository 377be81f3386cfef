//! What is agreed for a task when it is accepted, and holds until its end.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::task::policy::Policy;
use crate::time::Timestamp;
use crate::tool::ExactlyOnce;

/// What the task machine needs to know besides what happens; part of the first event, so that the events alone give
/// the state again, whatever the policy is by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Terms {
    /// After this it ends, whatever the provider says or does not say.
    pub deadline_at: Timestamp,
    /// What the provider promises about a lost answer to a submission.
    pub exactly_once: ExactlyOnce,
    /// Can the provider tell afterwards why a run failed?
    pub can_diagnose: bool,
    /// Can the provider cancel some runs?
    pub can_cancel: bool,
    /// Is the answer to the submission all that is ever heard of a run ([`Execution::Immediate`](crate::tool::Execution))?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immediate: bool,
    /// Is it completed only when its outputs are in custody?
    #[serde(default)]
    pub custody: bool,
    /// How long runs of this tool revision usually take from submission to end, in milliseconds; absent while unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_ms: Option<u64>,
    /// The machine's own limits.
    pub rules: Rules,
}

impl Terms {
    /// Terms with a deadline, of a provider that is asked about runs and can neither diagnose nor cancel, under the default
    /// rules.
    #[must_use]
    pub fn new(deadline_at: Timestamp, exactly_once: ExactlyOnce) -> Self {
        let rules = Rules::of(&Policy::default());
        Self {
            deadline_at,
            exactly_once,
            can_diagnose: false,
            can_cancel: false,
            immediate: false,
            custody: false,
            expected_ms: None,
            rules,
        }
    }
}

/// The parts of the [`Policy`] by which the machine decides, in milliseconds, as they were when the task was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Rules {
    /// [`Policy::lookup_interval`].
    pub lookup_interval_ms: u64,
    /// [`Policy::absent_without_answer`].
    pub absent_without_answer_ms: u64,
    /// [`Policy::finalizing_deadline`].
    pub finalizing_deadline_ms: u64,
    /// [`Policy::diagnose_wait`].
    pub diagnose_wait_ms: u64,
    /// [`Policy::diagnose_total`].
    pub diagnose_total_ms: u64,
    /// [`Policy::cancel_attempts_max`].
    pub cancel_attempts_max: u32,
    /// [`Policy::custody_deadline`].
    #[serde(default)]
    pub custody_deadline_ms: u64,
}

impl Rules {
    /// The rules of a policy.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            lookup_interval_ms: ms(policy.lookup_interval),
            absent_without_answer_ms: ms(policy.absent_without_answer),
            finalizing_deadline_ms: ms(policy.finalizing_deadline),
            diagnose_wait_ms: ms(policy.diagnose_wait),
            diagnose_total_ms: ms(policy.diagnose_total),
            cancel_attempts_max: policy.cancel_attempts_max,
            custody_deadline_ms: ms(policy.custody_deadline),
        }
    }

    pub(crate) const fn lookup_interval(&self) -> Duration {
        Duration::from_millis(self.lookup_interval_ms)
    }

    pub(crate) const fn absent_without_answer(&self) -> Duration {
        Duration::from_millis(self.absent_without_answer_ms)
    }

    pub(crate) const fn finalizing_deadline(&self) -> Duration {
        Duration::from_millis(self.finalizing_deadline_ms)
    }

    pub(crate) const fn diagnose_wait(&self) -> Duration {
        Duration::from_millis(self.diagnose_wait_ms)
    }

    pub(crate) const fn custody_deadline(&self) -> Duration {
        Duration::from_millis(self.custody_deadline_ms)
    }

    pub(crate) const fn diagnose_total(&self) -> Duration {
        Duration::from_millis(self.diagnose_total_ms)
    }
}
