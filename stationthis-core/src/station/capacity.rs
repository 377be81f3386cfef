//! The tools whose service takes no more runs for the moment. Their tasks wait in the queue; one at a time is tried.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Retry;
use crate::id::{ProviderId, TaskId, ToolId};
use crate::task::TaskRecord;
use crate::time::Timestamp;

/// The first pause after a refusal; doubled each time the next one is refused as well.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// The longest pause of our own: a run takes minutes, and one question in half a minute is a burden to nobody.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// The longest pause that a service may ask for: a slip in its answer must not close a tool until the next start.
const ASKED_PAUSE_MAX: Duration = Duration::from_secs(600);

/// How long after the pause of its last refusal a tool's tasks still go one at a time: longer than most runs take, so that
/// what fills the service is still there, and longer than a submission takes. Who dies while it is tried closes the tool for
/// no longer.
const WARY: Duration = Duration::from_secs(300);

/// By tool, because services count kinds of runs apart. Not kept over a restart: the first refusals tell it again.
#[derive(Debug, Default)]
pub(crate) struct Capacity(Mutex<BTreeMap<ProviderId, BTreeMap<ToolId, Full>>>);

/// A tool that was refused.
#[derive(Clone, Copy, Debug)]
struct Full {
    refused_at: Timestamp,
    pause: Duration,
    /// The next one may be tried from here on.
    next_at: Timestamp,
    /// Who is being tried.
    trying: Option<TaskId>,
    /// It goes one at a time until then.
    wary_until: Timestamp,
}

/// What may be submitted now at a provider.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    /// Nothing of these tools.
    pub(crate) but: Vec<ToolId>,
    /// No more than one task at a time may be claimed: it may be one that is to be tried alone.
    pub(crate) singly: bool,
    /// When to look again for the tools that are left out.
    pub(crate) next_at: Option<Timestamp>,
}

impl Capacity {
    fn full(&self) -> MutexGuard<'_, BTreeMap<ProviderId, BTreeMap<ToolId, Full>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn room(&self, provider: &ProviderId, now: Timestamp) -> Room {
        let mut full = self.full();
        let Some(tools) = full.get_mut(provider) else { return Room::default() };
        tools.retain(|_, full| full.wary_until > now);
        let mut room = Room::default();
        for (tool, full) in tools {
            if full.next_at > now {
                room.next_at = Some(room.next_at.map_or(full.next_at, |at| at.min(full.next_at)));
            }
            match full.next_at > now || full.trying.is_some() {
                true => room.but.push(tool.clone()),
                false => room.singly = true,
            }
        }
        room
    }

    /// This task was claimed to be submitted.
    pub(crate) fn trying(&self, task: &TaskRecord) {
        if let Some(full) = self.full().get_mut(&task.provider_id).and_then(|tools| tools.get_mut(&task.tool_id)) {
            full.trying = Some(task.task_id);
        }
    }

    /// Its submission, begun at `began`, was refused for want of room; when it may be tried again.
    pub(crate) fn refused(&self, task: &TaskRecord, began: Timestamp, retry: Retry, now: Timestamp) -> Timestamp {
        let mut full = self.full();
        let tools = full.entry(task.provider_id.clone()).or_default();
        let known = tools.get(&task.tool_id).copied();
        // Those that were under way together are one refusal.
        let together = known.filter(|full| began <= full.refused_at);
        let pause = match (known, together) {
            (_, Some(full)) => full.pause,
            (Some(full), None) => full.pause.saturating_mul(2).clamp(PAUSE_MIN, PAUSE_MAX),
            (None, None) => PAUSE_MIN,
        };
        let wait = match retry {
            Retry::After(asked) => pause.max(asked.min(ASKED_PAUSE_MAX)),
            Retry::Backoff | Retry::Never => pause,
        };
        let next_at = together.map_or(now, |full| full.next_at).max(now.plus(wait));
        let wary_until = next_at.plus(WARY);
        tools.insert(task.tool_id.clone(), Full { refused_at: now, pause, next_at, trying: None, wary_until });
        next_at
    }

    /// Whatever was done with this task is done. Unless it was refused, the next one may be tried at once.
    pub(crate) fn done(&self, provider: &ProviderId, task: TaskId, now: Timestamp) {
        let mut full = self.full();
        let mut tools = full.get_mut(provider).into_iter().flat_map(BTreeMap::values_mut);
        if let Some(full) = tools.find(|full| full.trying == Some(task)) {
            (full.trying, full.pause, full.next_at) = (None, Duration::ZERO, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::store_suite::fixtures::{at, waiting};

    fn room(capacity: &Capacity, now: i64) -> (usize, bool, Option<Timestamp>) {
        let room = capacity.room(&ProviderId::new("comfydeploy").unwrap(), at(now));
        (room.but.len(), room.singly, room.next_at)
    }

    #[test]
    fn a_tool_that_was_refused_goes_one_at_a_time_until_it_was_not_for_long() {
        let capacity = Capacity::default();
        let (first, second) = (waiting("anna", at(0)), waiting("bert", at(0)));
        assert_eq!(room(&capacity, 0), (0, false, None));
        capacity.trying(&first);
        assert_eq!(room(&capacity, 0), (0, false, None), "nothing was refused yet");
        let refused = |task, began, retry, now| capacity.refused(task, at(began), retry, at(now));
        assert_eq!(refused(&first, 0, Retry::Backoff, 1), at(2));
        assert_eq!(refused(&second, 0, Retry::Backoff, 1), at(2), "they were under way together");
        assert_eq!(room(&capacity, 1), (1, false, Some(at(2))));
        assert_eq!(room(&capacity, 2), (0, true, None));
        capacity.trying(&first);
        assert_eq!(room(&capacity, 2), (1, false, None), "one at a time");
        for (now, next) in [(2, 4), (4, 8), (8, 16), (16, 32), (32, 62), (62, 92)] {
            capacity.trying(&first);
            assert_eq!(refused(&first, now, Retry::Backoff, now), at(next));
        }
        assert_eq!(refused(&first, 92, Retry::After(Duration::from_secs(45)), 92), at(137));
        assert_eq!(refused(&first, 137, Retry::After(Duration::from_secs(9_000)), 137), at(737), "bounded");
        capacity.trying(&first);
        capacity.done(&second.provider_id, second.task_id, at(738));
        assert_eq!(room(&capacity, 738).0, 1, "another one's end is not its");
        capacity.done(&first.provider_id, first.task_id, at(739));
        assert_eq!(room(&capacity, 739), (0, true, None), "it was let in: the next one, alone");
        assert_eq!(refused(&second, 740, Retry::Backoff, 740), at(741), "and the pauses begin anew");
        assert_eq!(room(&capacity, 1040), (0, true, None));
        assert_eq!(room(&capacity, 1041), (0, false, None));
    }

    #[test]
    fn who_dies_while_it_is_tried_closes_a_tool_for_a_while_only() {
        let capacity = Capacity::default();
        let task = waiting("anna", at(0));
        capacity.refused(&task, at(0), Retry::After(Duration::from_secs(600)), at(0));
        assert_eq!(room(&capacity, 599), (1, false, Some(at(600))));
        capacity.trying(&task);
        assert_eq!(room(&capacity, 899).0, 1);
        assert_eq!(room(&capacity, 900), (0, false, None));
    }
}
