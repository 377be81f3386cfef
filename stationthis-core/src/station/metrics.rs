//! What the station counts and times, through the `metrics` facade: nothing is kept unless the application installs a
//! recorder.
//!
//! Counters of tasks are taken from commits that were acknowledged, so they agree with the records. No label is a task,
//! a caller or a text of others: providers, statuses, channels and reasons are few.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::custody::KeptOutput;
use crate::error::{Error, Result};
use crate::id::ProviderId;
use crate::notify::Receipt;
use crate::station::Station;
use crate::station::engine::Engine;
use crate::store::StoreStats;
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent, Witness};
use crate::task::state::{Counters, TaskStatus};
use crate::time::Timestamp;

const TASKS: &str = "stationthis_tasks";
const TASKS_NEED_REVIEW: &str = "stationthis_tasks_need_review";
const TASKS_ACCEPTED: &str = "stationthis_tasks_accepted_total";
const TASKS_ENDED: &str = "stationthis_tasks_ended_total";
const SETTLED: &str = "stationthis_settled_nanousd_total";
const COSTS_UNKNOWN: &str = "stationthis_costs_unknown_total";
const SUBMISSIONS: &str = "stationthis_submissions_total";
const LOOKUPS: &str = "stationthis_lookups_total";
const POLLS: &str = "stationthis_polls_total";
const POLL_LATE: &str = "stationthis_poll_late_seconds";
const END_LAG: &str = "stationthis_end_lag_seconds";
const WEBHOOKS: &str = "stationthis_webhooks_total";
const WEBHOOKS_REFUSED: &str = "stationthis_webhooks_refused_total";
const INBOX: &str = "stationthis_inbox_webhooks";
const INBOX_OLDEST: &str = "stationthis_inbox_oldest_seconds";
const OUTBOX_PENDING: &str = "stationthis_outbox_pending_notices";
const OUTBOX_DEAD: &str = "stationthis_outbox_dead_notices";
const OUTBOX_OLDEST: &str = "stationthis_outbox_oldest_seconds";
const OUTPUTS_KEPT: &str = "stationthis_outputs_kept_total";
const KEPT_BYTES: &str = "stationthis_kept_bytes_total";
const KEEP_FAILURES: &str = "stationthis_keep_failures_total";
const NOTICE_ATTEMPTS: &str = "stationthis_notice_attempts_total";
const COMMIT: &str = "stationthis_commit_seconds";
const COMMIT_ERRORS: &str = "stationthis_commit_errors_total";

/// The histograms with upper bounds (in seconds) that suit them; for exporters that need to be told.
pub const BUCKETS: [(&str, &[f64]); 3] = [
    // A commit waits for one or two syncs of a disk: 1 to 20 ms where all is well.
    (COMMIT, &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
    // A poll step is at most 30 s, and a service out of order is tried for an hour.
    (END_LAG, &[0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0, 3600.0]),
    (POLL_LATE, &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0]),
];

/// Tells the installed recorder what each metric is.
pub fn describe_metrics() {
    describe_gauge!(TASKS, Unit::Count, "Tasks with something left to do");
    describe_gauge!(TASKS_NEED_REVIEW, Unit::Count, "Tasks that a person should look at");
    describe_counter!(TASKS_ACCEPTED, Unit::Count, "Tasks accepted");
    describe_counter!(TASKS_ENDED, Unit::Count, "Tasks that ended, by status");
    describe_counter!(SETTLED, Unit::Count, "Known costs of ended tasks, in billionths of a US dollar");
    describe_counter!(COSTS_UNKNOWN, Unit::Count, "Ended tasks whose cost is unknown");
    describe_counter!(SUBMISSIONS, Unit::Count, "Submissions, by what came of them");
    describe_counter!(LOOKUPS, Unit::Count, "Searches for the run of a lost answer, by what they found");
    describe_counter!(POLLS, Unit::Count, "Polls of runs");
    describe_histogram!(POLL_LATE, Unit::Seconds, "How long after its due time a poll began");
    describe_histogram!(END_LAG, Unit::Seconds, "From a run's end by the provider's clock to our confirmation");
    describe_counter!(WEBHOOKS, Unit::Count, "Webhooks that were let in, by what became of them");
    describe_counter!(WEBHOOKS_REFUSED, Unit::Count, "Webhooks that were not let in, by reason");
    describe_gauge!(INBOX, Unit::Count, "Webhooks that wait to be looked at");
    describe_gauge!(INBOX_OLDEST, Unit::Seconds, "Age of the oldest webhook that waits");
    describe_gauge!(OUTBOX_PENDING, Unit::Count, "Notices to be delivered");
    describe_gauge!(OUTBOX_DEAD, Unit::Count, "Notices that were given up");
    describe_gauge!(OUTBOX_OLDEST, Unit::Seconds, "Age of the oldest notice to be delivered");
    describe_counter!(OUTPUTS_KEPT, Unit::Count, "Outputs that were taken into custody");
    describe_counter!(KEPT_BYTES, Unit::Bytes, "Bytes of outputs that were taken into custody");
    describe_counter!(
        KEEP_FAILURES,
        Unit::Count,
        "Attempts that did not keep all outputs of a task, by what is left to hope for"
    );
    describe_counter!(NOTICE_ATTEMPTS, Unit::Count, "Attempts to deliver notices, by channel and outcome");
    describe_histogram!(COMMIT, Unit::Seconds, "How long a commit of the store takes");
    describe_counter!(COMMIT_ERRORS, Unit::Count, "Commits that the store could not make");
}

/// Providers whose gauges were set: a gauge keeps its value until it is set again.
#[derive(Debug, Default)]
pub(crate) struct Gauges(Mutex<BTreeSet<ProviderId>>);

impl Station {
    /// Sets the gauges of the `metrics` facade to what the store holds now: call it before each scrape.
    ///
    /// # Errors
    /// `StoreUnavailable`; the gauges then keep their last values.
    pub async fn record_gauges(&self) -> Result<()> {
        let stats = self.engine.store.stats().await?;
        self.engine.gauges.set(&self.engine, &stats);
        Ok(())
    }
}

impl Gauges {
    fn set(&self, engine: &Engine, stats: &StoreStats) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(engine.backends.keys().cloned());
        seen.extend(stats.tasks.iter().map(|(provider, ..)| provider.clone()));
        for provider in seen.iter() {
            for status in TaskStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
                let of = |(p, s, _): &&(ProviderId, TaskStatus, u64)| p == provider && *s == status;
                let count = stats.tasks.iter().find(of).map_or(0, |(.., count)| *count);
                gauge!(TASKS, "provider" => provider.to_string(), "status" => status.as_str()).set(count as f64);
            }
        }
        let age = |at: Option<Timestamp>| at.map_or(0.0, |at| engine.now().since(at).as_secs_f64());
        gauge!(TASKS_NEED_REVIEW).set(stats.needs_review as f64);
        gauge!(INBOX).set(stats.inbox as f64);
        gauge!(INBOX_OLDEST).set(age(stats.oldest_webhook_at));
        gauge!(OUTBOX_PENDING).set(stats.notices_pending as f64);
        gauge!(OUTBOX_DEAD).set(stats.notices_dead as f64);
        gauge!(OUTBOX_OLDEST).set(age(stats.oldest_notice_at));
    }
}

/// A task was accepted, and is durable.
pub(super) fn accepted(task: &TaskRecord) {
    counter!(TASKS_ACCEPTED, "provider" => task.provider_id.to_string()).increment(1);
}

/// A commit was acknowledged (`true`, also when it came too late) or failed.
pub(super) fn commit_took(took: Duration, done: bool) {
    if done {
        histogram!(COMMIT).record(took);
    } else {
        counter!(COMMIT_ERRORS).increment(1);
    }
}

/// Events of a task are durable, which made `before` its counters of now.
pub(super) fn committed(before: &Counters, task: &TaskRecord, events: &[TaskEvent]) {
    let provider = || task.provider_id.to_string();
    let mut copies = 0_u32;
    let mut unreadable = 0_u32;
    for event in events {
        match &event.what {
            Event::Submitted { .. } => submission(provider(), "submitted"),
            Event::SubmitRefused { .. } => submission(provider(), "refused"),
            Event::SubmitDeferred { .. } => submission(provider(), "deferred"),
            Event::SubmitLost { .. } => submission(provider(), "lost"),
            Event::LookupFound { .. } => lookup(provider(), "found"),
            Event::LookupAbsent => lookup(provider(), "absent"),
            Event::LookupFailed { .. } => lookup(provider(), "failed"),
            Event::Reported { witness: Witness::Poll, .. } => poll(provider(), "answered"),
            Event::PollFailed { .. } => poll(provider(), "failed"),
            Event::WebhookReceived { copies: count, .. } => copies = copies.saturating_add(count.saturating_sub(1)),
            Event::WebhookUnreadable { .. } => unreadable = unreadable.saturating_add(1),
            Event::OutputsKept { outputs } => kept(provider(), outputs),
            Event::KeepFailed { outlook, .. } => {
                counter!(KEEP_FAILURES, "provider" => provider(), "outlook" => outlook.as_str()).increment(1);
            }
            Event::Settled { settlement, .. } => {
                ended(task);
                match settlement.cost_usd {
                    Some(cost) => counter!(SETTLED, "provider" => provider())
                        .increment(u64::try_from(cost.nanos()).unwrap_or_default()),
                    None => counter!(COSTS_UNKNOWN, "provider" => provider()).increment(1),
                }
            }
            Event::Accepted { .. }
            | Event::FilesSent { .. }
            | Event::SubmitStarted
            | Event::Reported { witness: Witness::Webhook, .. }
            | Event::Diagnosed { .. }
            | Event::CancelAsked
            | Event::CancelAnswered { .. }
            | Event::CancelFailed { .. }
            | Event::DeadlinePassed
            | Event::NoticeTried { .. }
            | Event::NoticeRequeued { .. }
            | Event::Resolved { .. }
            | Event::Reconciled { .. }
            | Event::Amended { .. }
            | Event::Restored { .. } => {}
        }
    }
    let after = &task.state.counters;
    let ignored = after.webhooks_ignored.saturating_sub(before.webhooks_ignored);
    webhooks(task, "kept", after.webhooks_kept.saturating_sub(before.webhooks_kept));
    webhooks(task, "copy", copies);
    webhooks(task, "unreadable", unreadable);
    webhooks(task, "ignored", ignored.saturating_sub(copies).saturating_sub(unreadable));
}

fn ended(task: &TaskRecord) {
    let (provider, state) = (task.provider_id.to_string(), &task.state);
    counter!(TASKS_ENDED, "provider" => provider.clone(), "status" => state.status.as_str()).increment(1);
    if let (Some(here), Some(there)) = (state.over_at(), state.provider_times.ended_at) {
        histogram!(END_LAG, "provider" => provider).record(here.since(there));
    }
}

fn kept(provider: String, outputs: &[KeptOutput]) {
    let bytes = outputs.iter().fold(0_u64, |sum, output| sum.saturating_add(output.kept.bytes));
    counter!(OUTPUTS_KEPT, "provider" => provider.clone()).increment(u64::try_from(outputs.len()).unwrap_or(u64::MAX));
    counter!(KEPT_BYTES, "provider" => provider).increment(bytes);
}

fn submission(provider: String, outcome: &'static str) {
    counter!(SUBMISSIONS, "provider" => provider, "outcome" => outcome).increment(1);
}

fn lookup(provider: String, outcome: &'static str) {
    counter!(LOOKUPS, "provider" => provider, "outcome" => outcome).increment(1);
}

fn poll(provider: String, outcome: &'static str) {
    counter!(POLLS, "provider" => provider, "outcome" => outcome).increment(1);
}

fn webhooks(task: &TaskRecord, outcome: &'static str, count: u32) {
    if count > 0 {
        webhooks_dropped(&task.provider_id, outcome, count);
    }
}

/// Webhooks that led to no commit: their task is unknown, or they waited too long for their run.
pub(super) fn webhooks_dropped(provider: &ProviderId, outcome: &'static str, count: u32) {
    counter!(WEBHOOKS, "provider" => provider.to_string(), "outcome" => outcome).increment(count.into());
}

/// A webhook was not let in.
pub(super) fn webhook_refused(error: &Error) {
    counter!(WEBHOOKS_REFUSED, "reason" => error.kind().to_string().replace(' ', "-")).increment(1);
}

/// A poll begins that was due then.
pub(super) fn poll_begins(task: &TaskRecord, now: Timestamp) {
    if let Some(due_at) = task.due_at {
        histogram!(POLL_LATE, "provider" => task.provider_id.to_string()).record(now.since(due_at));
    }
}

/// One attempt to deliver a notice; `None` for a channel that has no notifier (any more).
pub(super) fn notice_tried(channel: Option<&str>, receipt: &Receipt) {
    let outcome = match receipt {
        Receipt::Delivered => "delivered",
        Receipt::Retry { .. } => "retry",
        Receipt::Permanent { .. } => "permanent",
        Receipt::NoRecipient => "noRecipient",
    };
    let channel = channel.unwrap_or("unknown").to_owned();
    counter!(NOTICE_ATTEMPTS, "channel" => channel, "outcome" => outcome).increment(1);
}
