//! What the simulator itself knows about everything that happened: the truth to compare a client with.

use super::run::Run;
use super::times::to_system;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// A copy of the books at one moment.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Every remembered run, oldest first.
    pub runs: Vec<RunBook>,
    /// The last 5,000 requests to paths under `/api`, oldest first.
    pub requests: Vec<RequestBook>,
    /// How many there were in all.
    pub requests_total: u64,
}

/// One run as it really was.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunBook {
    /// The run's id.
    pub id: String,
    /// The deployment it was queued on.
    pub deployment_id: String,
    /// The workflow of that deployment.
    pub workflow_id: String,
    /// Its name when the run was queued.
    pub workflow_name: String,
    /// `classic` or `comfy-deploy-serverless`.
    pub machine_type: String,
    /// The GPU as `GET /run/{id}` states it.
    pub gpu: Option<String>,
    /// The webhook as given, whether or not it is a URL.
    pub webhook: Option<String>,
    /// Whether a webhook per node was asked for.
    pub webhook_intermediate_status: bool,
    /// The inputs as stored: data URLs replaced.
    pub inputs: Map<String, Value>,
    /// The status in the service's spelling.
    pub status: String,
    /// When the row was made.
    pub created_at: SystemTime,
    /// When a container took it; `None` on classic machines and under `null_times`.
    pub queued_at: Option<SystemTime>,
    /// When ComfyUI answered; `None` as above, and under `lost_started`.
    pub started_at: Option<SystemTime>,
    /// When the row became final.
    pub ended_at: Option<SystemTime>,
    /// `ended_at − queued_at`, to the millisecond the same as from the times in `GET /run/{id}`: what a
    /// client can bill (protocol notes §7). `None` where one of the two is missing.
    pub container: Option<Duration>,
    /// `ended_at − started_at`.
    pub running: Option<Duration>,
    /// `ended_at − created_at`: the only duration of a run on a classic machine.
    pub whole: Option<Duration>,
    /// Files and texts that `GET /run/{id}` can show.
    pub outputs: usize,
    /// Webhooks due and handed to delivery (duplicates counted).
    pub hooks_sent: u64,
    /// Webhooks due that `hooks_lost` swallowed.
    pub hooks_lost: u64,
    /// HTTP attempts for them.
    pub hook_attempts: u64,
    /// Webhooks answered with a status below 400.
    pub hooks_acked: u64,
    /// Webhooks dropped after three attempts.
    pub hooks_given_up: u64,
    /// Calls of `/run/{id}/cancel`, successful or not.
    pub cancel_calls: u64,
    /// Calls of `GET /run/{id}`.
    pub gets: u64,
}

/// One request as received.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequestBook {
    /// When it came in.
    pub at: SystemTime,
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, with the `/api` in front.
    pub path: String,
    /// The body of a JSON request, as sent; bodies over 16 KiB and uploads are left out.
    pub body: Option<String>,
}

impl Books {
    /// The run of that id.
    #[must_use]
    pub fn run(&self, id: &str) -> Option<&RunBook> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The runs whose webhook contains `text`: a client's own id, usually.
    #[must_use]
    pub fn runs_with_webhook(&self, text: &str) -> Vec<&RunBook> {
        let contains = |run: &&RunBook| run.webhook.as_ref().is_some_and(|w| w.contains(text));
        self.runs.iter().filter(contains).collect()
    }

    /// How many of the remembered requests have this method and a path that starts so.
    #[must_use]
    pub fn count_requests(&self, method: &str, path: &str) -> usize {
        let matches = |r: &&RequestBook| r.method == method && r.path.starts_with(path);
        self.requests.iter().filter(matches).count()
    }

    /// Container time of all remembered runs.
    #[must_use]
    pub fn container_total(&self) -> Duration {
        self.runs.iter().filter_map(|run| run.container).sum()
    }
}

impl RunBook {
    /// Whether the run has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        super::run::is_final(&self.status)
    }

    pub(crate) fn of(run: &Run) -> Self {
        let facts = &run.facts;
        let row = run.row();
        let counts = row.counts;
        Self {
            id: facts.id.to_string(),
            deployment_id: facts.deployment_id.to_string(),
            workflow_id: facts.workflow_id.to_string(),
            workflow_name: facts.workflow_name.clone(),
            machine_type: facts.machine.kind().to_owned(),
            gpu: facts.gpu.clone(),
            webhook: facts.webhook.clone(),
            webhook_intermediate_status: facts.intermediate,
            inputs: facts.inputs.clone(),
            status: row.status.clone(),
            created_at: to_system(facts.created),
            queued_at: row.queued.map(to_system),
            started_at: row.started.map(to_system),
            ended_at: row.ended.map(to_system),
            container: row.container(),
            running: row.running(),
            whole: row.whole(facts.created),
            outputs: row.outputs.iter().filter(|o| super::wire::output::fits(o)).count(),
            hooks_sent: counts.hooks_sent,
            hooks_lost: counts.hooks_lost,
            hook_attempts: counts.hook_attempts,
            hooks_acked: counts.hooks_acked,
            hooks_given_up: counts.hooks_given_up,
            cancel_calls: counts.cancel_calls,
            gets: counts.gets,
        }
    }
}

/// Requests remembered: with bodies of at most [`MAX_BODY`] a bounded share of memory.
const MAX_REQUESTS: usize = 5_000;

/// The longest body remembered: a queue call without data URLs is far smaller.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// The running list behind [`Books::requests`].
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    entries: VecDeque<RequestBook>,
    total: u64,
}

impl RequestLog {
    pub(crate) fn push(&mut self, method: &str, path: &str, body: Option<String>) {
        if self.entries.len() >= MAX_REQUESTS {
            self.entries.pop_front();
        }
        self.total += 1;
        self.entries.push_back(RequestBook {
            at: SystemTime::now(),
            method: method.to_owned(),
            path: path.to_owned(),
            body: body.filter(|body| body.len() <= MAX_BODY),
        });
    }

    pub(crate) fn copy(&self) -> (Vec<RequestBook>, u64) {
        (self.entries.iter().cloned().collect(), self.total)
    }
}
