//! What a `MemoryStore` holds, and how each method of the contract changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::inbox::Inbox;
use super::lanes::{Chosen, Lanes};
use super::lease::{Lease, free_at, release};
use super::log::Log;
use super::outbox::Outbox;
use super::sums::Sums;
use crate::error::{Error, Result};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::totals::ended_at;
use crate::store::{
    Change, Claim, Claimed, Committed, Document, EventQuery, InboxOutcome, Inserted, LeaseChange, NoticeOutcome,
    PAGE_MAX, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage, TaskQuery, Total, TotalsQuery, run_taken,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

/// Everything the store knows.
#[derive(Debug, Default)]
pub(super) struct Data {
    tasks: BTreeMap<TaskId, TaskRow>,
    by_key: HashMap<(CallerId, IdempotencyKey), TaskId>,
    by_run: HashMap<(ProviderId, RunId), TaskId>,
    lanes: Lanes,
    /// The tasks that ended, the longest ago first.
    ended: BTreeSet<(Timestamp, TaskId)>,
    /// What those cost that are gone.
    pruned: Sums,
    log: Log,
    pub(super) outbox: Outbox,
    pub(super) inbox: Inbox,
    documents: BTreeMap<(String, String), Document>,
}

#[derive(Debug)]
pub(super) struct TaskRow {
    pub(super) record: TaskRecord,
    pub(super) lease: Option<Lease>,
    /// Its place among those that wait for a run slot.
    pub(super) turn: u64,
}

impl TaskRow {
    /// From when on it may be claimed; `None` when nothing is left to do.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        self.record.due_at.map(|at| free_at(at, self.lease.as_ref()))
    }
}

impl Data {
    pub(super) fn insert(&mut self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let key = key_of(task);
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied().unwrap_or(task.task_id);
        if let Some(row) = self.tasks.get(&known) {
            return Ok(Inserted::Duplicate(Box::new(row.record.clone())));
        }
        self.index_run(task)?;
        if let Some(key) = key {
            self.by_key.insert(key, task.task_id);
        }
        let row = TaskRow { record: task.clone(), lease: None, turn: self.lanes.turn_of(task) };
        self.lanes.put(&row);
        self.ended.extend(ended_at(task).map(|at| (at, task.task_id)));
        self.tasks.insert(task.task_id, row);
        Ok(Inserted::New(self.log.append(task.task_id, events)))
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&TaskRecord> {
        self.tasks.get(&id).map(|row| &row.record)
    }

    pub(super) fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Option<&TaskRecord> {
        self.by_key.get(&(caller.clone(), key.clone())).and_then(|id| self.get(*id))
    }

    pub(super) fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Option<&TaskRecord> {
        self.by_run.get(&(provider.clone(), run.clone())).and_then(|id| self.get(*id))
    }

    pub(super) fn list(&self, query: &TaskQuery) -> TaskPage {
        let mut page = TaskPage::default();
        let matches = |record: &TaskRecord| {
            query.caller.as_ref().is_none_or(|caller| record.caller == *caller)
                && query.tool.as_ref().is_none_or(|tool| record.tool_id == *tool)
                && (query.statuses.is_empty() || query.statuses.contains(&record.state.status))
                && (!query.needs_review || record.state.needs_review())
        };
        let newest = TaskId::from_bytes([u8::MAX; 16]);
        let (since, before) = (query.since.unwrap_or(TaskId::from_bytes([0; 16])), query.before.unwrap_or(newest));
        // A range must not end before it begins.
        let within = self.tasks.range(since.min(before)..before).rev().map(|(_, row)| &row.record);
        for record in within.filter(|record| matches(record)) {
            if page.tasks.len() == query.page_size() {
                page.next = page.tasks.last().map(|last| last.task_id);
                break;
            }
            page.tasks.push(record.clone());
        }
        page
    }

    pub(super) fn events(&self, query: &EventQuery) -> Vec<StoredEvent> {
        self.log.read(query, |event| {
            query.caller.as_ref().is_none_or(|caller| self.get(event.task_id).is_some_and(|t| t.caller == *caller))
        })
    }

    pub(super) fn commit(&mut self, expected: u64, change: &Change) -> Result<Committed> {
        let id = change.task.task_id;
        let Some(row) = self.tasks.get(&id) else { return Ok(Committed::Missing) };
        if row.record.revision != expected {
            return Ok(Committed::Stale(Box::new(row.record.clone())));
        }
        let old_run = row.record.state.run_id.clone();
        self.index_run(&change.task)?;
        if let Some(run) = old_run.filter(|run| change.task.state.run_id.as_ref() != Some(run)) {
            self.by_run.remove(&(change.task.provider_id.clone(), run));
        }
        let revision = expected.saturating_add(1);
        self.change(id, |row| {
            row.record = TaskRecord { revision, ..change.task.clone() };
            match change.lease {
                LeaseChange::Keep => {}
                LeaseChange::Release => row.lease = None,
                LeaseChange::Extend(until) => {
                    if let Some(lease) = &mut row.lease {
                        lease.until = until;
                    }
                }
            }
        });
        let seq = self.log.append(id, &change.events);
        for notice in &change.notices {
            self.outbox.add(id, &change.task.caller, notice, change.added_at(notice));
        }
        self.inbox.finish(&change.inbox_done, InboxOutcome::Dropped);
        Ok(Committed::Done { revision, seq })
    }

    pub(super) fn claim_due(&mut self, claim: &Claim, of: &ProviderFilter) -> Claimed<TaskRecord> {
        let chosen = self.lanes.due(claim, of);
        self.lease(claim, chosen)
    }

    pub(super) fn claim_submissions(
        &mut self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Claimed<TaskRecord> {
        let when = |at, id| {
            let row = self.tasks.get(&id).filter(|row| !but.contains(&row.record.tool_id))?;
            Some(free_at(at, row.lease.as_ref()))
        };
        let chosen = self.lanes.submissions(claim, provider, runs_max, when);
        self.lease(claim, chosen)
    }

    fn lease(&mut self, claim: &Claim, (ids, next_at): Chosen) -> Claimed<TaskRecord> {
        let items = ids.into_iter().filter_map(|id| {
            self.change(id, |row| {
                row.lease = Some(Lease::of(claim));
                row.record.clone()
            })
        });
        Claimed { items: items.collect(), next_at }
    }

    pub(super) fn finish_notice(
        &mut self,
        id: NoticeId,
        outcome: &NoticeOutcome,
        event: Option<&TaskEvent>,
    ) -> Result<()> {
        let task = self.outbox.finish(id, outcome)?;
        self.log.append(task, event.map_or(&[], std::slice::from_ref));
        Ok(())
    }

    pub(super) fn requeue_notice(&mut self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        let Some(task) = self.outbox.requeue(id, due_at)? else { return Ok(false) };
        self.log.append(task, std::slice::from_ref(event));
        Ok(true)
    }

    pub(super) fn stats(&self) -> StoreStats {
        let mut tasks = BTreeMap::new();
        for record in self.lanes.live().filter_map(|id| self.get(id)) {
            let count: &mut u64 = tasks.entry((record.provider_id.clone(), record.state.status)).or_default();
            *count = count.saturating_add(1);
        }
        let review = self.tasks.values().filter(|row| row.record.state.needs_review()).count();
        let mut stats = StoreStats {
            tasks: tasks.into_iter().map(|((provider, status), count)| (provider, status, count)).collect(),
            needs_review: u64::try_from(review).unwrap_or(u64::MAX),
            last_event: self.log.last(),
            ..StoreStats::default()
        };
        self.outbox.count(&mut stats);
        self.inbox.count(&mut stats);
        stats
    }

    pub(super) fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        let mut sums = self.pruned.clone();
        for (_, id) in &self.ended {
            if let Some(record) = self.get(*id) {
                sums.add(record)?;
            }
        }
        sums.read(query)
    }

    pub(super) fn prune(&mut self, before: Timestamp, limit: usize) -> Result<usize> {
        let ended = self.ended.iter().take_while(|(at, _)| *at < before).filter_map(|(_, id)| self.tasks.get(id));
        let done = ended.filter(|row| {
            let record = &row.record;
            record.due_at.is_none() && !record.state.needs_review() && !self.outbox.is_pending(record.task_id)
        });
        let ids: Vec<_> = done.take(limit.min(PAGE_MAX)).map(|row| row.record.task_id).collect();
        for id in &ids {
            self.forget(*id)?;
        }
        Ok(ids.len())
    }

    fn forget(&mut self, id: TaskId) -> Result<()> {
        let Some(row) = self.tasks.get(&id) else { return Ok(()) };
        self.pruned.add(&row.record)?;
        self.lanes.take(row);
        if let Some(at) = ended_at(&row.record) {
            self.ended.remove(&(at, id));
        }
        if let Some(key) = key_of(&row.record) {
            self.by_key.remove(&key);
        }
        if let Some(run) = row.record.state.run_id.clone() {
            self.by_run.remove(&(row.record.provider_id.clone(), run));
        }
        self.tasks.remove(&id);
        self.log.forget(id);
        self.outbox.forget(id);
        Ok(())
    }

    pub(super) fn release_leases(&mut self, owner: &str) {
        for row in self.tasks.values_mut().filter(|row| row.lease.is_some()) {
            self.lanes.take(row);
            release(&mut row.lease, owner);
            self.lanes.put(row);
        }
        self.outbox.release(owner);
        self.inbox.release(owner);
    }

    pub(super) fn get_document(&self, namespace: &str, key: &str) -> Option<Document> {
        self.documents.get(&(namespace.to_owned(), key.to_owned())).cloned()
    }

    pub(super) fn put_document(&mut self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Put {
        let name = (namespace.to_owned(), key.to_owned());
        let there = self.documents.get(&name).map(|document| document.version);
        if there != expected {
            return Put::Stale(there);
        }
        let version = there.unwrap_or(0).saturating_add(1);
        self.documents.insert(name, Document { version, bytes });
        Put::Done(version)
    }

    pub(super) fn prune_documents(&mut self, namespace: &str, below: &str, limit: usize) -> usize {
        let range = (namespace.to_owned(), String::new())..(namespace.to_owned(), below.to_owned());
        let names: Vec<_> =
            self.documents.range(range).take(limit.min(PAGE_MAX)).map(|(name, _)| name.clone()).collect();
        for name in &names {
            self.documents.remove(name);
        }
        names.len()
    }

    /// Notes the run of a task.
    fn index_run(&mut self, task: &TaskRecord) -> Result<(), Error> {
        let Some(run) = &task.state.run_id else { return Ok(()) };
        let owner = *self.by_run.entry((task.provider_id.clone(), run.clone())).or_insert(task.task_id);
        if owner == task.task_id { Ok(()) } else { Err(run_taken(&task.provider_id, run)) }
    }

    /// Changes a row and keeps what is sorted by it.
    fn change<T>(&mut self, id: TaskId, change: impl FnOnce(&mut TaskRow) -> T) -> Option<T> {
        let row = self.tasks.get_mut(&id)?;
        self.lanes.take(row);
        if let Some(at) = ended_at(&row.record) {
            self.ended.remove(&(at, id));
        }
        let value = change(row);
        self.ended.extend(ended_at(&row.record).map(|at| (at, id)));
        self.lanes.put(row);
        Some(value)
    }
}

fn key_of(task: &TaskRecord) -> Option<(CallerId, IdempotencyKey)> {
    task.idempotency_key.clone().map(|key| (task.caller.clone(), key))
}
