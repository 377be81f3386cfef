//! What came of a world.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::scenario::Scenario;
use crate::testkit::campaign::world::World;
use crate::time::Timestamp;

/// What came of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The world.
    pub scenario: Scenario,
    /// What should not be; empty when all is well.
    pub violations: Vec<Violation>,
    /// What was counted.
    pub figures: Figures,
    /// A hash over everything that happened to every task: equal when two plays were the same.
    pub trace: String,
}

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Violation {
    /// The invariant; the name of its file.
    pub invariant: &'static str,
    /// Where, and what is there instead.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)
    }
}

/// What was counted, in one world or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Figures {
    /// Worlds.
    pub worlds: u64,
    /// Tasks.
    pub tasks: u64,
    /// Tasks by how they ended.
    pub ends: BTreeMap<String, u64>,
    /// Tasks that need review.
    pub needs_review: u64,
    /// Tasks whose cost is unknown, with a bound.
    pub cost_unknown: u64,
    /// Deaths of the process.
    pub crashes: u64,
    /// Writes to the store.
    pub writes: u64,
    /// Submissions, as the providers counted them.
    pub submissions: u64,
    /// Runs that were made.
    pub runs: u64,
    /// Polls.
    pub polls: u64,
    /// Searches for runs.
    pub lookups: u64,
    /// Webhooks that were never sent.
    pub hooks_lost: u64,
    /// Webhooks that were sent twice.
    pub hooks_doubled: u64,
    /// Forged webhooks.
    pub hooks_forged: u64,
    /// Webhooks that were sent late.
    pub hooks_reordered: u64,
    /// Webhooks that the station took.
    pub hooks_taken: u64,
    /// Webhooks that the station refused.
    pub hooks_refused: u64,
    /// Notices that arrived, repeats included.
    pub notices_arrived: u64,
    /// Notices that were given up.
    pub notices_dead: u64,
    /// Outputs that are in custody.
    pub outputs_kept: u64,
    /// Tasks whose custody was given up.
    pub not_kept: u64,
    /// Events.
    pub events: u64,
    /// How late each end was found that polls found.
    #[serde(skip)]
    pub lags: Vec<Lag>,
}

/// How late an end was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Lag {
    /// From the end at the provider to the poll that found it being answered, in milliseconds.
    pub lag_ms: u64,
    /// What it may be, in milliseconds: a tenth of the time since the submission, between 1 s and 30 s.
    pub limit_ms: u64,
}

impl Lag {
    pub(super) fn of(since: Timestamp, end: Timestamp, found: Timestamp) -> Self {
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { lag_ms: ms(found.since(end)), limit_ms: (ms(end.since(since)) / 10).clamp(1000, 30_000) }
    }
}

impl Figures {
    /// Adds another world's, or other worlds'.
    pub fn add(&mut self, other: Self) {
        for (end, count) in other.ends {
            *self.ends.entry(end).or_default() += count;
        }
        self.lags.extend(other.lags);
        let pairs = [
            (&mut self.worlds, other.worlds),
            (&mut self.tasks, other.tasks),
            (&mut self.needs_review, other.needs_review),
            (&mut self.cost_unknown, other.cost_unknown),
            (&mut self.crashes, other.crashes),
            (&mut self.writes, other.writes),
            (&mut self.submissions, other.submissions),
            (&mut self.runs, other.runs),
            (&mut self.polls, other.polls),
            (&mut self.lookups, other.lookups),
            (&mut self.hooks_lost, other.hooks_lost),
            (&mut self.hooks_doubled, other.hooks_doubled),
            (&mut self.hooks_forged, other.hooks_forged),
            (&mut self.hooks_reordered, other.hooks_reordered),
            (&mut self.hooks_taken, other.hooks_taken),
            (&mut self.hooks_refused, other.hooks_refused),
            (&mut self.notices_arrived, other.notices_arrived),
            (&mut self.notices_dead, other.notices_dead),
            (&mut self.outputs_kept, other.outputs_kept),
            (&mut self.not_kept, other.not_kept),
            (&mut self.events, other.events),
        ];
        for (sum, part) in pairs {
            *sum += part;
        }
    }

    /// The lag that so many of a thousand do not exceed, in milliseconds; `None` without any.
    #[must_use]
    pub fn lag_ms(&self, per_mille: usize) -> Option<u64> {
        quantile(self.lags.iter().map(|lag| lag.lag_ms), per_mille)
    }

    /// The lag as thousandths of its limit that so many of a thousand do not exceed; `None` without any.
    #[must_use]
    pub fn lag_share(&self, per_mille: usize) -> Option<u64> {
        quantile(self.lags.iter().map(|lag| lag.lag_ms * 1000 / lag.limit_ms.max(1)), per_mille)
    }

    pub(super) fn of(world: &World, evidence: &Evidence<'_>) -> Self {
        let books = evidence.books();
        let hooks = books.hook_counts;
        let mut figures = Self {
            worlds: 1,
            tasks: evidence.tasks.len() as u64,
            crashes: world.tally.crashes,
            writes: world.writes(),
            submissions: books.submissions,
            runs: books.runs.len() as u64,
            polls: books.polls,
            lookups: books.lookups,
            hooks_lost: hooks.lost,
            hooks_doubled: hooks.doubled,
            hooks_forged: hooks.forged,
            hooks_reordered: hooks.reordered,
            hooks_taken: hooks.taken,
            hooks_refused: hooks.refused,
            notices_arrived: evidence.told.values().map(|told| told.len() as u64).sum(),
            events: evidence.events.values().map(|events| events.len() as u64).sum(),
            ..Self::default()
        };
        let dead = |notice: &&crate::store::NoticeRecord| notice.state == crate::store::NoticeState::Dead;
        figures.notices_dead = evidence.notices.values().flatten().filter(dead).count() as u64;
        for task in evidence.tasks.values() {
            let state = &task.state;
            *figures.ends.entry(state.status.to_string()).or_default() += 1;
            figures.needs_review += u64::from(state.needs_review());
            figures.outputs_kept += state.outputs.iter().filter(|output| output.custody.is_some()).count() as u64;
            figures.not_kept += u64::from(state.status_reason.as_ref().is_some_and(|reason| reason.code == "notKept"));
            figures.cost_unknown += u64::from(state.cost_usd.is_none());
            let run = state.run_id.as_ref().and_then(|run| books.runs.get(books.nth(&task.provider_id, run)?));
            let end = run.and_then(|run| run.ended_at);
            let (since, found) = (state.times.submitting_at, state.receipts.poll_ended_at);
            // What was found by a webhook first is not a poll's merit.
            if let (Some(since), Some(end), Some(found), None) = (since, end, found, state.receipts.webhook_ended_at) {
                figures.lags.push(Lag::of(since, end, found));
            }
        }
        figures
    }
}

fn quantile(values: impl Iterator<Item = u64>, per_mille: usize) -> Option<u64> {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    let last = values.len().checked_sub(1)?;
    values.get((values.len() * per_mille / 1000).min(last)).copied()
}

/// A hash over everything that happened.
pub(super) fn trace(evidence: &Evidence<'_>) -> Result<String> {
    let mut hash = Sha256::new();
    let mut events: Vec<_> = evidence.events.values().flatten().collect();
    events.sort_unstable_by_key(|event| event.seq);
    for event in events {
        hash.update(event.seq.to_be_bytes());
        hash.update(event.task_id.as_bytes());
        let text = serde_json::to_vec(&event.event)
            .map_err(|e| crate::Error::new(crate::ErrorKind::Unexpected, "hash trace").with_source(e))?;
        hash.update(text);
    }
    Ok(crate::hex(hash.finalize().get(..16).unwrap_or_default()))
}
