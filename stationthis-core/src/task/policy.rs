//! The choices that the embedder makes for every task.

use std::time::Duration;

use crate::cost::DurationPolicy;
use crate::notify::NotifyTarget;

/// How the station treats its tasks. Every duration has a default that is right for ComfyDeploy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// From acceptance to the deadline, whatever the tool; `None`: the tool's run timeout for the inputs
    /// ([`ToolDefinition::run_timeout_s`](crate::ToolDefinition::run_timeout_s)) plus
    /// [`queue_allowance`](Self::queue_allowance).
    pub task_deadline: Option<Duration>,
    /// How long a run may wait at the service before it starts. Default 1 h.
    pub queue_allowance: Duration,
    /// The run timeout of a tool that names none. Default 300 s, which is ComfyDeploy's.
    pub default_run_timeout: Duration,
    /// The shortest pause between two polls of a run. Default 1 s.
    pub poll_interval_min: Duration,
    /// The longest pause between two polls; in between an eleventh of the time elapsed. Default 30 s.
    pub poll_interval_max: Duration,
    /// Bound of one submission. Default 150 s: longer than a provider's own limit, which gives the better error.
    pub submit_timeout: Duration,
    /// Bound of every other call to a provider. Default 45 s: shorter than a lease.
    pub call_timeout: Duration,
    /// Submissions that provably had no effect before the task fails. Default 5.
    pub submit_attempts_max: u32,
    /// Pause between two searches for a run whose submission's answer was lost. Default 10 s.
    pub lookup_interval: Duration,
    /// How long searches must find nothing, when no answer at all came. Default 120 s: a queue call was seen to take 56 s.
    pub absent_without_answer: Duration,
    /// From the report of the end to giving up its confirmation. Default 1 h.
    pub finalizing_deadline: Duration,
    /// Pause before a success without outputs is asked about once more. Default 5 s.
    pub empty_confirm_pause: Duration,
    /// How long the end of a failed task waits for the reason. Default 10 s.
    pub diagnose_wait: Duration,
    /// How long the reason is looked for in all. Default 60 s.
    pub diagnose_total: Duration,
    /// Bound of one attempt to keep a task's outputs, all of them together. Default 15 min: 4 GiB at 40 Mbit/s.
    pub keep_timeout: Duration,
    /// From the confirmed success to giving up the custody of its outputs. Default 6 h: time to free a full disk in.
    pub custody_deadline: Duration,
    /// Attempts to send a wish to cancel before it counts as refused. Default 5.
    pub cancel_attempts_max: u32,
    /// What happens to tools without a known price. Default: refused.
    pub unpriced: UnpricedPolicy,
    /// Which of the service's times are billed. Default: start to end of the work.
    pub duration: DurationPolicy,
    /// What runs cost that did not end well. Default: what they used, as providers bill.
    pub unsuccessful: UnsuccessfulPolicy,
    /// Calls to one provider under way at a time, besides submissions. Default 64: bounds sockets and memory of a burst.
    pub concurrency: usize,
    /// Runs at one provider under way at a time; further tasks wait here, their callers taking turns. Default 64: more
    /// than most accounts have GPUs, and few enough that a caller who comes later does not wait behind hundreds there.
    pub runs_max: usize,
    /// Who is told about every task, besides whom its caller names. Default: the log.
    pub default_notify: Vec<NotifyTarget>,
}

impl Default for Policy {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            task_deadline: None,
            queue_allowance: seconds(3600),
            default_run_timeout: seconds(300),
            poll_interval_min: seconds(1),
            poll_interval_max: seconds(30),
            submit_timeout: seconds(150),
            call_timeout: seconds(45),
            submit_attempts_max: 5,
            lookup_interval: seconds(10),
            absent_without_answer: seconds(120),
            finalizing_deadline: seconds(3600),
            empty_confirm_pause: seconds(5),
            diagnose_wait: seconds(10),
            diagnose_total: seconds(60),
            keep_timeout: seconds(900),
            custody_deadline: seconds(6 * 3600),
            cancel_attempts_max: 5,
            unpriced: UnpricedPolicy::default(),
            duration: DurationPolicy::default(),
            unsuccessful: UnsuccessfulPolicy::default(),
            concurrency: 64,
            runs_max: 64,
            default_notify: vec![NotifyTarget::new("log", "")],
        }
    }
}

/// What happens to tools without a known price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnpricedPolicy {
    /// Running one is refused.
    #[default]
    Refuse,
    /// They run, and their cost is `unknown`.
    Allow,
}

/// What runs cost that failed, were cancelled or timed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnsuccessfulPolicy {
    /// What they used.
    #[default]
    AsUsed,
    /// Nothing, basis `waived`.
    Waived,
}
