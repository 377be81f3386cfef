//! The faults of the service, one switch each.

use std::time::Duration;

/// Faults of the simulated service; the default is a service that behaves.
///
/// Every switch is independent and reproduces something recorded from, or read in the source of, the real
/// service; "§" refers to the ComfyDeploy protocol notes, "recordings" to the recorded traffic.
/// Probabilities go from 0.0 (never) to 1.0 (always) and are drawn from
/// [`SimConfig::seed`](super::SimConfig::seed).
///
/// A run keeps for life the switches that were set when it was queued. Only `get_run_500`, `lists_500`,
/// `string_durations`, `seconds_less_timestamps` and `cancel_500` look at the present.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Misbehaviour {
    /// Probability that a webhook is never sent (§5.4, §5.5: deliveries live in the API process's memory).
    pub hooks_lost: f64,
    /// Probability that a webhook is sent twice (recordings: exact duplicates occur).
    pub hooks_duplicated: f64,
    /// Probability that a webhook is held back until the run's next one has been sent, at most 1 s
    /// (§5.5: no ordering; recordings classic_success).
    pub hooks_reordered: f64,
    /// The first webhook arrives before the answer to the queue call (§3.6: the dispatch happens inside it).
    pub early_hook: bool,
    /// The run fails, and `failed` is reported twice (§5.5: plugin and worker both report it).
    pub duplicate_failed: bool,
    /// A `run.updated` with status `success` and no outputs beside the real one (§5.5).
    pub progress_after_success_with_empty_outputs: Option<EmptySuccess>,
    /// `queued` and `started` are reported again in the middle of the run, with their times rewritten
    /// (§5.5, §8 trap 1: re-run after preemption). On a classic machine a stale `not-started` hook.
    pub status_regression: bool,
    /// The worker's `started` report is lost: no hook, `started_at` stays null (§5.5: sent once).
    pub lost_started: bool,
    /// A cancel succeeds but no webhook tells of it (§5.5).
    pub lost_cancelled: bool,
    /// The queue call answers 200 and nothing follows: `not-started` for ever, no webhook (recordings:
    /// unknown node class on a classic machine).
    pub never_started: bool,
    /// The run stays `running` for ever (§8 trap 2; recordings: engine killed).
    pub stuck_running: bool,
    /// The run has one more output than `GET /run` and the webhooks show, because its data does not fit
    /// the response model; only the unfiltered run list has it (§4.3).
    pub validation_dropped_output: bool,
    /// `success` with no output at all: the upload failed (§4.3; recordings put_always_500).
    pub success_without_output: bool,
    /// The engine raises an exception half-way; only the unfiltered run list says which (recordings
    /// failed_run_four_views).
    pub run_fails: bool,
    /// The queue call answers plain-text 500 after the row exists, and the run goes on (§3.5, §3.10).
    pub queue_500_but_runs: bool,
    /// The queue call answers 400 `Error creating run: 400 Bad Request`, and the run goes on (recordings:
    /// partly invalid prompt on a classic machine).
    pub queue_400_but_runs: bool,
    /// The queue call answers 500 `Error creating run: 500 Internal Server Error`; the row is `failed`, no
    /// webhook is sent (§3.5; recordings classic_machine_500).
    pub queue_500_no_run: bool,
    /// The answer to the queue call comes so much later; the run does not wait for it (§1.4: 56 s seen).
    pub queue_slow: Option<Duration>,
    /// The connection of the queue call is closed without an answer, and the run goes on (§1.4).
    pub queue_drop_answer: bool,
    /// The connection of the queue call is closed without an answer, and there is no run.
    pub queue_drop_request: bool,
    /// The queue call is refused before anything happens, with 401, 403 or 404 (§3.5, §3.7). Other codes
    /// give a bare `{"detail": …}`.
    pub queue_refused: Option<u16>,
    /// So many `GET /run/{id}` of each run answer plain-text 500 (§8 trap 9; recordings: database down).
    pub get_run_500: u32,
    /// Every discovery list and every run list answers plain-text 500 (§2.2: one bad node fails the list).
    pub lists_500: bool,
    /// `queued_at` and `started_at` stay null on serverless machines too (on classic ones they always
    /// are, §3.6).
    pub null_times: bool,
    /// `GET /run/{id}` spells durations as strings, as the run lists always do (§1.6).
    pub string_durations: bool,
    /// Times in the run lists and in hook outputs lose their seconds, `2025-03-04T05:06Z`, and `updated_at`
    /// of `GET /run/{id}` has zero ones (§1.5). `queued_at` … `ended_at` of `GET /run/{id}` stay right.
    pub seconds_less_timestamps: bool,
    /// The bucket is private: output URLs are presigned, expire after this long (the service: 3600 s) and
    /// are new on each read; the bare URL answers 403 (§4.3).
    pub presigned_urls: Option<Duration>,
    /// Cancelling a serverless run answers 500 and changes nothing, as for classic ones always (§4.5).
    pub cancel_500: bool,
    /// The run passes through a status that is in no list (§8 trap 12).
    pub unknown_status: Option<String>,
    /// The run ends as `timeout` (§8: the worker's alarm).
    pub provider_timeout: bool,
    /// So much more wait for a container (§8.1: up to a minute).
    pub cold_start_long: Option<Duration>,
}

/// Where the empty `success` webhook arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptySuccess {
    /// Before the one with the outputs.
    Before,
    /// After it (recordings: api_killed_midrun, 1.8 s later).
    After,
    /// Both.
    Both,
}

impl Misbehaviour {
    /// Each case alone, by name: the rows of a table test. Delays are short enough for tests.
    #[must_use]
    pub fn named() -> Vec<(&'static str, Self)> {
        vec![
            case("hooks_lost", |m| m.hooks_lost = 1.0),
            case("hooks_lost_half", |m| m.hooks_lost = 0.5),
            case("hooks_duplicated", |m| m.hooks_duplicated = 1.0),
            case("hooks_reordered", |m| m.hooks_reordered = 1.0),
            case("early_hook", |m| m.early_hook = true),
            case("duplicate_failed", |m| m.duplicate_failed = true),
            case("empty_success_before", empty_success(EmptySuccess::Before)),
            case("empty_success_after", empty_success(EmptySuccess::After)),
            case("empty_success_both", empty_success(EmptySuccess::Both)),
            case("status_regression", |m| m.status_regression = true),
            case("lost_started", |m| m.lost_started = true),
            case("lost_cancelled", |m| m.lost_cancelled = true),
            case("never_started", |m| m.never_started = true),
            case("stuck_running", |m| m.stuck_running = true),
            case("validation_dropped_output", |m| {
                m.validation_dropped_output = true;
            }),
            case("success_without_output", |m| m.success_without_output = true),
            case("run_fails", |m| m.run_fails = true),
            case("queue_500_but_runs", |m| m.queue_500_but_runs = true),
            case("queue_400_but_runs", |m| m.queue_400_but_runs = true),
            case("queue_500_no_run", |m| m.queue_500_no_run = true),
            case("queue_slow", |m| m.queue_slow = Some(Duration::from_secs(1))),
            case("queue_drop_answer", |m| m.queue_drop_answer = true),
            case("queue_drop_request", |m| m.queue_drop_request = true),
            case("queue_refused_401", |m| m.queue_refused = Some(401)),
            case("queue_refused_403", |m| m.queue_refused = Some(403)),
            case("queue_refused_404", |m| m.queue_refused = Some(404)),
            case("get_run_500", |m| m.get_run_500 = 2),
            case("lists_500", |m| m.lists_500 = true),
            case("null_times", |m| m.null_times = true),
            case("string_durations", |m| m.string_durations = true),
            case("seconds_less_timestamps", |m| {
                m.seconds_less_timestamps = true;
            }),
            case("presigned_urls", |m| {
                m.presigned_urls = Some(Duration::from_secs(3600));
            }),
            case("cancel_500", |m| m.cancel_500 = true),
            case("unknown_status", |m| {
                m.unknown_status = Some("warming-up".to_owned());
            }),
            case("provider_timeout", |m| m.provider_timeout = true),
            case("cold_start_long", |m| {
                m.cold_start_long = Some(Duration::from_millis(1500));
            }),
        ]
    }
}

fn case(name: &'static str, set: impl FnOnce(&mut Misbehaviour)) -> (&'static str, Misbehaviour) {
    let mut misbehaviour = Misbehaviour::default();
    set(&mut misbehaviour);
    (name, misbehaviour)
}

fn empty_success(place: EmptySuccess) -> impl FnOnce(&mut Misbehaviour) {
    move |m| m.progress_after_success_with_empty_outputs = Some(place)
}
