//! What a `MemoryStore` holds, and how each method of the contract changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId};
use crate::store::{
    Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, Inserted, LeaseChange, NewNotice,
    NoticeOutcome, OutboxItem, PAGE_MAX, Put, StoredEvent, TaskPage, TaskQuery, run_taken, unknown_notice,
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
    /// The tasks that have something left to do, the longest due first.
    due: BTreeSet<(Timestamp, TaskId)>,
    /// The event with sequence number `n` stands at `n - 1`.
    events: Vec<StoredEvent>,
    notices: HashMap<NoticeId, NoticeRow>,
    /// The notices that are still to be delivered, the longest due first, then in the order in which they came.
    due_notices: BTreeSet<(Timestamp, u64, NoticeId)>,
    inbox: BTreeMap<u64, (InboxItem, Option<Lease>)>,
    inbox_last: u64,
    documents: HashMap<(String, String), Document>,
}

#[derive(Debug)]
struct TaskRow {
    record: TaskRecord,
    lease: Option<Lease>,
    events: Vec<u64>,
}

#[derive(Debug)]
struct NoticeRow {
    item: OutboxItem,
    number: u64,
    /// When it is tried next; `None` once it arrived or was given up.
    due_at: Option<Timestamp>,
    lease: Option<Lease>,
    /// What came of the last attempt; a dead letter's reason stands here.
    last: Option<NoticeOutcome>,
}

#[derive(Clone, Debug)]
struct Lease {
    owner: String,
    until: Timestamp,
}

impl Lease {
    fn of(claim: &Claim) -> Self {
        Self { owner: claim.owner.clone(), until: claim.now.plus(claim.lease) }
    }
}

impl Data {
    pub(super) fn insert(&mut self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let key = task.idempotency_key.clone().map(|key| (task.caller.clone(), key));
        let known = key.as_ref().and_then(|key| self.by_key.get(key)).copied().unwrap_or(task.task_id);
        if let Some(row) = self.tasks.get(&known) {
            return Ok(Inserted::Duplicate(Box::new(row.record.clone())));
        }
        self.index_run(task)?;
        if let Some(key) = key {
            self.by_key.insert(key, task.task_id);
        }
        self.due.extend(task.due_at.map(|at| (at, task.task_id)));
        self.tasks.insert(task.task_id, TaskRow { record: task.clone(), lease: None, events: Vec::new() });
        Ok(Inserted::New(self.append_events(task.task_id, events)))
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&TaskRecord> {
        self.tasks.get(&id).map(|row| &row.record)
    }

    pub(super) fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Option<&TaskRecord> {
        self.by_run.get(&(provider.clone(), run.clone())).and_then(|id| self.get(*id))
    }

    pub(super) fn list(&self, query: &TaskQuery) -> TaskPage {
        let mut page = TaskPage::default();
        let matches = |record: &TaskRecord| {
            query.before.is_none_or(|before| record.task_id < before)
                && query.caller.as_ref().is_none_or(|caller| record.caller == *caller)
                && query.tool.as_ref().is_none_or(|tool| record.tool_id == *tool)
                && (query.statuses.is_empty() || query.statuses.contains(&record.state.status))
        };
        for record in self.tasks.values().rev().map(|row| &row.record).filter(|record| matches(record)) {
            if page.tasks.len() == query.page_size() {
                page.next = page.tasks.last().map(|last| last.task_id);
                break;
            }
            page.tasks.push(record.clone());
        }
        page
    }

    pub(super) fn events(&self, query: &EventQuery) -> Vec<StoredEvent> {
        let of_caller = |event: &&StoredEvent| {
            query.caller.as_ref().is_none_or(|caller| self.get(event.task_id).is_some_and(|t| t.caller == *caller))
        };
        if let Some(task) = query.task {
            let seqs = self.tasks.get(&task).map_or(&[] as &[u64], |row| &row.events);
            let new = seqs.get(seqs.partition_point(|seq| *seq <= query.after)..).unwrap_or_default();
            let events = new.iter().filter_map(|seq| self.events.get(index_of(*seq)));
            return events.filter(of_caller).take(query.page_size()).cloned().collect();
        }
        let new = self.events.get(usize::try_from(query.after).unwrap_or(usize::MAX)..).unwrap_or_default();
        new.iter().filter(of_caller).take(query.page_size()).cloned().collect()
    }

    pub(super) fn commit(&mut self, expected: u64, change: &Change) -> Result<Committed> {
        let id = change.task.task_id;
        let Some(row) = self.tasks.get(&id) else { return Ok(Committed::Missing) };
        if row.record.revision != expected {
            return Ok(Committed::Stale(Box::new(row.record.clone())));
        }
        let (old_due, old_run) = (row.record.due_at, row.record.state.run_id.clone());
        self.index_run(&change.task)?;
        if let Some(run) = old_run.filter(|run| change.task.state.run_id.as_ref() != Some(run)) {
            self.by_run.remove(&(change.task.provider_id.clone(), run));
        }
        if let Some(at) = old_due {
            self.due.remove(&(at, id));
        }
        self.due.extend(change.task.due_at.map(|at| (at, id)));
        let revision = expected.saturating_add(1);
        if let Some(row) = self.tasks.get_mut(&id) {
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
        }
        let seq = self.append_events(id, &change.events);
        for notice in &change.notices {
            self.add_notice(id, notice, change.added_at(notice));
        }
        self.finish_inbox(&change.inbox_done);
        Ok(Committed::Done { revision, seq })
    }

    pub(super) fn claim_due(&mut self, claim: &Claim) -> Claimed<TaskRecord> {
        let entries = self.due.iter().filter_map(|(at, id)| Some((*at, self.tasks.get(id)?.lease.as_ref(), *id)));
        let (ids, next_at) = choose(entries, claim);
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(row) = self.tasks.get_mut(&id) {
                row.lease = Some(Lease::of(claim));
                items.push(row.record.clone());
            }
        }
        Claimed { items, next_at }
    }

    pub(super) fn claim_notices(&mut self, claim: &Claim) -> Claimed<OutboxItem> {
        let entries =
            self.due_notices.iter().filter_map(|(at, _, id)| Some((*at, self.notices.get(id)?.lease.as_ref(), *id)));
        let (ids, next_at) = choose(entries, claim);
        let mut items = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(row) = self.notices.get_mut(&id) {
                row.lease = Some(Lease::of(claim));
                items.push(row.item.clone());
            }
        }
        Claimed { items, next_at }
    }

    pub(super) fn finish_notice(&mut self, id: NoticeId, outcome: &NoticeOutcome, event: &TaskEvent) -> Result<()> {
        let Some(row) = self.notices.get_mut(&id) else { return Err(unknown_notice(id)) };
        if let Some(at) = row.due_at {
            self.due_notices.remove(&(at, row.number, id));
        }
        row.lease = None;
        row.item.attempts = row.item.attempts.saturating_add(1);
        // What arrived has arrived: a slower attempt cannot call it back.
        if row.last != Some(NoticeOutcome::Delivered) {
            row.last = Some(outcome.clone());
            row.due_at = match outcome {
                NoticeOutcome::RetryAt(at) => Some(*at),
                NoticeOutcome::Delivered | NoticeOutcome::Dead(_) => None,
            };
        }
        self.due_notices.extend(row.due_at.map(|at| (at, row.number, id)));
        let task = row.item.task_id;
        self.append_events(task, std::slice::from_ref(event));
        Ok(())
    }

    pub(super) fn append_inbox(&mut self, item: &InboxItem) -> u64 {
        self.inbox_last = self.inbox_last.saturating_add(1);
        self.inbox.insert(self.inbox_last, (item.clone(), None));
        self.inbox_last
    }

    pub(super) fn claim_inbox(&mut self, claim: &Claim) -> Claimed<(u64, InboxItem)> {
        // A webhook is due when it is here, whatever the clock of the one who took it said.
        let entries = self.inbox.iter().map(|(n, (item, lease))| (item.received_at.min(claim.now), lease.as_ref(), *n));
        let (numbers, next_at) = choose(entries, claim);
        let mut items = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some((item, lease)) = self.inbox.get_mut(&number) {
                *lease = Some(Lease::of(claim));
                items.push((number, item.clone()));
            }
        }
        Claimed { items, next_at }
    }

    pub(super) fn finish_inbox(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.inbox.remove(number);
        }
    }

    pub(super) fn release_leases(&mut self, owner: &str) {
        let tasks = self.tasks.values_mut().map(|row| &mut row.lease);
        let notices = self.notices.values_mut().map(|row| &mut row.lease);
        let inbox = self.inbox.values_mut().map(|(_, lease)| lease);
        for lease in tasks.chain(notices).chain(inbox) {
            if lease.as_ref().is_some_and(|held| held.owner == owner) {
                *lease = None;
            }
        }
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

    /// Notes the run of a task.
    fn index_run(&mut self, task: &TaskRecord) -> Result<(), Error> {
        let Some(run) = &task.state.run_id else { return Ok(()) };
        let owner = *self.by_run.entry((task.provider_id.clone(), run.clone())).or_insert(task.task_id);
        if owner == task.task_id { Ok(()) } else { Err(run_taken(&task.provider_id, run)) }
    }

    /// Writes the events; the number of the last one ever written.
    fn append_events(&mut self, task_id: TaskId, events: &[TaskEvent]) -> u64 {
        for event in events {
            let seq = seq_after(self.events.len());
            self.events.push(StoredEvent { seq, task_id, event: event.clone() });
            if let Some(row) = self.tasks.get_mut(&task_id) {
                row.events.push(seq);
            }
        }
        self.events.last().map_or(0, |last| last.seq)
    }

    fn add_notice(&mut self, task_id: TaskId, new: &NewNotice, created_at: Timestamp) {
        if self.notices.contains_key(&new.id) {
            return;
        }
        let number = seq_after(self.notices.len());
        let item =
            OutboxItem { id: new.id, task_id, kind: new.kind, target: new.target.clone(), attempts: 0, created_at };
        self.due_notices.insert((new.due_at, number, new.id));
        let row = NoticeRow { item, number, due_at: Some(new.due_at), lease: None, last: None };
        self.notices.insert(new.id, row);
    }
}

/// Chooses what a claim takes from entries in the order of their due times, and tells when the next of the rest may be
/// taken.
fn choose<'a, K>(
    entries: impl Iterator<Item = (Timestamp, Option<&'a Lease>, K)>,
    claim: &Claim,
) -> (Vec<K>, Option<Timestamp>) {
    let limit = claim.limit.min(PAGE_MAX);
    let (mut taken, mut next) = (Vec::new(), None::<Timestamp>);
    for (due, lease, key) in entries {
        let free_at = lease.filter(|lease| lease.until > claim.now).map_or(due, |lease| lease.until.max(due));
        if free_at <= claim.now && taken.len() < limit {
            taken.push(key);
        } else {
            next = Some(next.map_or(free_at, |at| at.min(free_at)));
        }
        // Nothing after this one is due earlier, so nothing after it can be taken or be the next.
        if next.is_some_and(|at| due >= at) && (due > claim.now || taken.len() == limit) {
            break;
        }
    }
    (taken, next)
}

fn seq_after(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
}

fn index_of(seq: u64) -> usize {
    usize::try_from(seq).unwrap_or(usize::MAX).saturating_sub(1)
}
