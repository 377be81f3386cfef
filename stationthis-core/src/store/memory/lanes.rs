//! The tasks that have something left to do, in the orders in which they are claimed.

use std::collections::{BTreeMap, BTreeSet};

use super::data::TaskRow;
use super::lease::limit_of;
use crate::id::{CallerId, ProviderId, TaskId};
use crate::store::{Claim, ProviderFilter};
use crate::task::TaskRecord;
use crate::time::Timestamp;

/// A lane per provider. Each task stands in the lane of its provider as its row was when it was put there: a row is
/// taken out before it changes and put in after.
#[derive(Debug, Default)]
pub(super) struct Lanes(BTreeMap<ProviderId, Lane>);

#[derive(Debug, Default)]
struct Lane {
    /// When each may be claimed.
    free: BTreeSet<(Timestamp, TaskId)>,
    /// Those that wait for a run slot: turn, then when they may be submitted.
    turns: BTreeSet<(u64, Timestamp, TaskId)>,
    /// The same by caller.
    by_caller: BTreeSet<(CallerId, u64, TaskId)>,
    /// How many hold a slot by their state.
    slots: usize,
    /// Waiting ones with a lease, by its end: until then each holds a slot, too.
    leased: BTreeSet<(Timestamp, TaskId)>,
}

/// Which tasks a claim takes, and when to come back.
pub(super) type Chosen = (Vec<TaskId>, Option<Timestamp>);

impl Lanes {
    pub(super) fn put(&mut self, row: &TaskRow) {
        let (record, id) = (&row.record, row.record.task_id);
        let lane = self.0.entry(record.provider_id.clone()).or_default();
        lane.free.extend(row.free_at().map(|at| (at, id)));
        if let Some(at) = record.submit_at {
            lane.turns.insert((row.turn, at, id));
            lane.by_caller.insert((record.caller.clone(), row.turn, id));
        }
        lane.slots += usize::from(record.state.holds_slot());
        lane.leased.extend(waits_leased(row));
    }

    pub(super) fn take(&mut self, row: &TaskRow) {
        let (record, id) = (&row.record, row.record.task_id);
        let Some(lane) = self.0.get_mut(&record.provider_id) else { return };
        if let Some(at) = row.free_at() {
            lane.free.remove(&(at, id));
        }
        if let Some(at) = record.submit_at {
            lane.turns.remove(&(row.turn, at, id));
            lane.by_caller.remove(&(record.caller.clone(), row.turn, id));
        }
        lane.slots = lane.slots.saturating_sub(usize::from(record.state.holds_slot()));
        if let Some(entry) = waits_leased(row) {
            lane.leased.remove(&entry);
        }
    }

    /// The turn of a new task.
    pub(super) fn turn_of(&self, task: &TaskRecord) -> u64 {
        let Some(lane) = self.0.get(&task.provider_id) else { return 0 };
        let first = lane.turns.first().map_or(0, |(turn, ..)| *turn);
        let of = |turn, byte| (task.caller.clone(), turn, TaskId::from_bytes([byte; 16]));
        let last = lane.by_caller.range(of(0, u8::MIN)..=of(u64::MAX, u8::MAX)).next_back();
        last.map_or(first, |(_, turn, _)| turn.saturating_add(1))
    }

    pub(super) fn due(&self, claim: &Claim, of: &ProviderFilter) -> Chosen {
        let limit = limit_of(claim);
        let lanes = self.0.iter().filter(|(provider, _)| of.contains(provider));
        let mut first: Vec<_> = lanes.flat_map(|(_, lane)| lane.free.iter().take(limit.saturating_add(1))).collect();
        first.sort_unstable();
        let taken: Vec<_> =
            first.iter().take(limit).take_while(|(at, _)| *at <= claim.now).map(|(_, id)| *id).collect();
        let next_at = first.get(taken.len()).map(|(at, _)| *at);
        (taken, next_at)
    }

    /// `free_at` tells from when on a waiting task may be taken; `None`: it is passed over.
    pub(super) fn submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        free_at: impl Fn(Timestamp, TaskId) -> Option<Timestamp>,
    ) -> Chosen {
        let Some(lane) = self.0.get(provider) else { return (Vec::new(), None) };
        let leased = lane.leased.iter().rev().take_while(|(until, _)| *until > claim.now).count();
        let room = runs_max.saturating_sub(lane.slots.saturating_add(leased));
        let limit = room.min(limit_of(claim));
        let (mut taken, mut next) = (Vec::new(), None::<Timestamp>);
        if room == 0 {
            return (taken, None);
        }
        for (_, submit_at, id) in &lane.turns {
            let Some(at) = free_at(*submit_at, *id) else { continue };
            if at > claim.now {
                next = Some(next.map_or(at, |next| next.min(at)));
            } else if taken.len() < limit {
                taken.push(*id);
            } else {
                next = Some(*submit_at);
                break;
            }
        }
        let full = taken.len() == room;
        (taken, next.filter(|_| !full))
    }

    /// Every task with something left to do.
    pub(super) fn live(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.0.values().flat_map(|lane| lane.free.iter().map(|(_, id)| *id))
    }
}

fn waits_leased(row: &TaskRow) -> Option<(Timestamp, TaskId)> {
    let waits = row.record.submit_at.is_some() && !row.record.state.holds_slot();
    row.lease.as_ref().filter(|_| waits).map(|lease| (lease.until, row.record.task_id))
}
