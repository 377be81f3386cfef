//! Notices, their attempts and the dead letters.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::lease::{Lease, free_at, limit_of, release};
use crate::error::Result;
use crate::id::{CallerId, NoticeId, TaskId};
use crate::store::{
    Claim, Claimed, NewNotice, NoticeOutcome, NoticePage, NoticeQuery, NoticeRecord, NoticeState, OutboxItem,
    StoreStats, unknown_notice,
};
use crate::time::Timestamp;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    rows: HashMap<NoticeId, Row>,
    by_number: BTreeMap<u64, NoticeId>,
    by_task: HashMap<TaskId, Vec<u64>>,
    /// The pending ones: when each may be claimed, then in the order in which they came.
    free: BTreeSet<(Timestamp, u64, NoticeId)>,
    last: u64,
}

#[derive(Debug)]
struct Row {
    item: OutboxItem,
    caller: CallerId,
    number: u64,
    state: NoticeState,
    /// When it is tried next; `None` when it is not pending.
    due_at: Option<Timestamp>,
    lease: Option<Lease>,
    reason: Option<String>,
}

impl Row {
    fn free(&self) -> Option<(Timestamp, u64, NoticeId)> {
        self.due_at.map(|at| (free_at(at, self.lease.as_ref()), self.number, self.item.id))
    }

    fn record(&self) -> NoticeRecord {
        NoticeRecord {
            number: self.number,
            id: self.item.id,
            task_id: self.item.task_id,
            kind: self.item.kind,
            target: self.item.target.clone(),
            state: self.state,
            attempts: self.item.attempts,
            created_at: self.item.created_at,
            due_at: self.due_at,
            reason: self.reason.clone(),
        }
    }

    fn finish(&mut self, outcome: &NoticeOutcome) {
        self.lease = None;
        if !matches!(outcome, NoticeOutcome::PutOff(_)) {
            self.item.attempts = self.item.attempts.saturating_add(1);
        }
        // What is over stays so; but that it arrived after all is good news.
        if self.state != NoticeState::Pending && *outcome != NoticeOutcome::Delivered {
            return;
        }
        (self.state, self.due_at, self.reason) = match outcome {
            NoticeOutcome::Delivered => (NoticeState::Delivered, None, None),
            NoticeOutcome::RetryAt(at) | NoticeOutcome::PutOff(at) => (NoticeState::Pending, Some(*at), None),
            NoticeOutcome::Dead(reason) => (NoticeState::Dead, None, Some(reason.clone())),
        };
    }
}

impl Outbox {
    pub(super) fn add(&mut self, task: TaskId, caller: &CallerId, new: &NewNotice, created_at: Timestamp) {
        if self.rows.contains_key(&new.id) {
            return;
        }
        self.last = self.last.saturating_add(1);
        let (id, kind, target) = (new.id, new.kind, new.target.clone());
        let row = Row {
            item: OutboxItem { id, task_id: task, kind, target, attempts: 0, created_at },
            caller: caller.clone(),
            number: self.last,
            state: NoticeState::Pending,
            due_at: Some(new.due_at),
            lease: None,
            reason: None,
        };
        self.free.extend(row.free());
        self.by_number.insert(row.number, id);
        self.by_task.entry(task).or_default().push(row.number);
        self.rows.insert(id, row);
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Claimed<OutboxItem> {
        let limit = limit_of(claim);
        let chosen = self.free.iter().take(limit).take_while(|(at, ..)| *at <= claim.now).map(|(.., id)| *id);
        let ids: Vec<_> = chosen.collect();
        let next_at = self.free.iter().nth(ids.len()).map(|(at, ..)| *at);
        let items = ids.iter().filter_map(|id| {
            self.change(*id, |row| {
                row.lease = Some(Lease::of(claim));
                row.item.clone()
            })
        });
        Claimed { items: items.collect(), next_at }
    }

    /// The task of the notice.
    pub(super) fn finish(&mut self, id: NoticeId, outcome: &NoticeOutcome) -> Result<TaskId> {
        let finished = self.change(id, |row| {
            row.finish(outcome);
            row.item.task_id
        });
        finished.ok_or_else(|| unknown_notice("finish notice", id))
    }

    /// The task of the notice; `None` when it is not dead.
    pub(super) fn requeue(&mut self, id: NoticeId, due_at: Timestamp) -> Result<Option<TaskId>> {
        let requeued = self.change(id, |row| {
            let dead = row.state == NoticeState::Dead;
            if dead {
                (row.state, row.due_at, row.reason, row.item.attempts) = (NoticeState::Pending, Some(due_at), None, 0);
            }
            dead.then_some(row.item.task_id)
        });
        requeued.ok_or_else(|| unknown_notice("requeue notice", id))
    }

    pub(super) fn list(&self, query: &NoticeQuery) -> NoticePage {
        let of_task = query.task.map(|task| self.by_task.get(&task).map_or(&[][..], Vec::as_slice));
        let before = query.before.unwrap_or(u64::MAX);
        let numbers: Box<dyn Iterator<Item = &u64>> = match of_task {
            Some(numbers) => Box::new(numbers.iter().rev()),
            None => Box::new(self.by_number.keys().rev()),
        };
        let rows = numbers
            .filter(|number| **number < before)
            .filter_map(|number| self.rows.get(self.by_number.get(number)?))
            .filter(|row| query.caller.as_ref().is_none_or(|caller| row.caller == *caller))
            .filter(|row| query.state.is_none_or(|state| row.state == state));
        let mut page = NoticePage::default();
        for row in rows {
            if page.notices.len() == query.page_size() {
                page.next = page.notices.last().map(|last| last.number);
                break;
            }
            page.notices.push(row.record());
        }
        page
    }

    pub(super) fn release(&mut self, owner: &str) {
        for row in self.rows.values_mut() {
            let leased = row.free();
            if release(&mut row.lease, owner)
                && let Some(entry) = leased
            {
                self.free.remove(&entry);
                self.free.extend(row.free());
            }
        }
    }

    /// Has a task a notice that is neither delivered nor dead?
    pub(super) fn is_pending(&self, task: TaskId) -> bool {
        let rows = self.by_task.get(&task).into_iter().flatten().filter_map(|n| self.rows.get(self.by_number.get(n)?));
        rows.into_iter().any(|row| row.state == NoticeState::Pending)
    }

    pub(super) fn forget(&mut self, task: TaskId) {
        for number in self.by_task.remove(&task).unwrap_or_default() {
            let row = self.by_number.remove(&number).and_then(|id| self.rows.remove(&id));
            if let Some(entry) = row.and_then(|row| row.free()) {
                self.free.remove(&entry);
            }
        }
    }

    pub(super) fn count(&self, stats: &mut StoreStats) {
        let in_state = |state| self.rows.values().filter(move |row| row.state == state);
        let count = |state| u64::try_from(in_state(state).count()).unwrap_or(u64::MAX);
        stats.notices_pending = count(NoticeState::Pending);
        stats.notices_dead = count(NoticeState::Dead);
        stats.oldest_notice_at = in_state(NoticeState::Pending).map(|row| row.item.created_at).min();
    }

    fn change<T>(&mut self, id: NoticeId, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self.rows.get_mut(&id)?;
        if let Some(entry) = row.free() {
            self.free.remove(&entry);
        }
        let value = change(row);
        self.free.extend(row.free());
        Some(value)
    }
}
