//! What a person can do about a task that the station alone cannot bring to a clear end.

use crate::cost::{Settlement, Usage, UsageBasis};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{NoticeId, TaskId};
use crate::money::Usd;
use crate::provider::RunRef;
use crate::station::caller::Caller;
use crate::station::{driver, outbox, settle};
use crate::store::{EventQuery, LeaseChange, NoticePage, NoticeQuery, PAGE_MAX, StoredEvent, Total, TotalsQuery};
use crate::task::TaskRecord;
use crate::task::event::{Event, Resolution, TaskEvent};
use crate::task::output::Output;
use crate::task::replay::{canonical, replay};
use crate::task::state::TaskStatus;

/// Events that [`Caller::explain`] reads: far more than a task has.
const EXPLAIN_EVENTS_MAX: usize = 10_000;

/// A task, all that happened to it, and whether the one follows from the other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The task as it is.
    pub task: TaskRecord,
    /// What happened, in order; at most 10,000 events.
    pub events: Vec<StoredEvent>,
    /// Does folding the events through the machine give the task's state? `false` is a defect: report it.
    pub replays: bool,
}

impl Caller {
    /// Why a task is what it is.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub async fn explain(&self, id: TaskId) -> Result<Explanation> {
        loop {
            let task = self.task(id).await?;
            let mut events: Vec<StoredEvent> = Vec::new();
            while events.len() < EXPLAIN_EVENTS_MAX {
                let after = events.last().map_or(0, |event| event.seq);
                let query = EventQuery { task: Some(id), caller: self.id.clone(), after, limit: 0 };
                let page = self.engine.store.events(&query).await?;
                let full = page.len() == PAGE_MAX;
                events.extend(page);
                if !full {
                    break;
                }
            }
            // Read again when it moved meanwhile: the story must be the record's.
            if self.task(id).await?.revision == task.revision {
                let folded = replay(events.iter().map(|stored| &stored.event));
                let replays = folded.is_ok_and(|state| state == canonical(&task.state));
                return Ok(Explanation { task, events, replays });
            }
        }
    }

    /// Says what became of a submission whose answer was lost: before the task's deadline, while it is in doubt, or
    /// after its end, while it needs review. Never submits anything.
    ///
    /// After the end, `Found` also asks the provider and reconciles, and `NotSent` reconciles to a cost of nothing.
    ///
    /// # Errors
    /// `Conflict` when the task is neither in doubt nor in need of review, or its run is known to be another; as
    /// [`reconcile`](Self::reconcile) for `Found` after the end.
    pub async fn resolve_task(&self, id: TaskId, resolution: Resolution) -> Result<TaskRecord> {
        let task = self.task(id).await?;
        let refused = |message: &str| {
            Error::new(ErrorKind::Conflict, "resolve task").with_message(message).with_context("task", id)
        };
        let ended = task.is_terminal();
        if task.state.status != TaskStatus::InDoubt && !(ended && task.state.needs_review()) {
            return Err(refused("Only a task that is in doubt or needs review can be resolved."));
        }
        match (&resolution, &task.state.run_id) {
            (Resolution::Found { run_id }, Some(known)) if run_id != known => {
                return Err(refused("Another run of this task is known."));
            }
            (Resolution::NotSent, Some(_)) => return Err(refused("There is a run: it was sent.")),
            (Resolution::Found { .. } | Resolution::NotSent | Resolution::GiveUp, _) => {}
        }
        let by = self.id.as_ref().map_or_else(|| "admin".to_owned(), ToString::to_string);
        let event = Event::Resolved { by, resolution: resolution.clone() };
        let task = self.engine.apply_one(task, event, LeaseChange::Keep).await?;
        match resolution {
            Resolution::Found { .. } if ended => self.reconcile(id).await,
            Resolution::NotSent if ended => {
                let usage = Usage::not_run();
                let settlement = Box::new(Settlement::known(Usd::ZERO, UsageBasis::NotRun));
                let event = Event::Reconciled { report: None, usage, settlement };
                self.engine.apply_one(task, event, LeaseChange::Keep).await
            }
            Resolution::Found { .. } | Resolution::NotSent | Resolution::GiveUp => Ok(task),
        }
    }

    /// The outputs of a task as the provider names them now, with URLs that are good: asks it, and writes nothing down.
    ///
    /// # Errors
    /// `Conflict` when it has no run; the provider's error when it cannot be asked.
    pub async fn outputs_now(&self, id: TaskId) -> Result<Vec<Output>> {
        let task = self.task(id).await?;
        let Some(run_id) = task.state.run_id else {
            return Err(
                Error::new(ErrorKind::Conflict, "ask for outputs").with_message("No run of this task is known.")
            );
        };
        let run = RunRef::new(id, run_id, task.endpoint_details);
        let provider = &self.engine.backend(&task.provider_id)?.provider;
        Ok(driver::bounded(self.engine.policy.call_timeout, "poll run", provider.poll(&run)).await?.outputs)
    }

    /// Asks the provider about the run of an ended task, and writes down what it cost by what is known now, and
    /// outputs that were not known: a new event; the settlement stays. The task needs no review after it.
    ///
    /// # Errors
    /// `Conflict` when it has not ended or has no run; the provider's error when it cannot be asked.
    pub async fn reconcile(&self, id: TaskId) -> Result<TaskRecord> {
        let task = self.task(id).await?;
        let refused = |message: &str| Error::new(ErrorKind::Conflict, "reconcile task").with_message(message);
        if !task.is_terminal() {
            return Err(refused("The task has not ended yet."));
        }
        let Some(run_id) = task.state.run_id.clone() else {
            return Err(refused("No run of this task is known: resolve it first."));
        };
        let provider = self.engine.backend(&task.provider_id)?.provider.clone();
        let run = RunRef::new(task.task_id, run_id, task.endpoint_details.clone());
        let report = driver::bounded(self.engine.policy.call_timeout, "poll run", provider.poll(&run)).await?;
        if !report.status.is_terminal() {
            return Err(refused("The run has not ended at the provider: cancel it there, or reconcile later."));
        }
        let (usage, settlement) = settle::reconciled(&self.engine, &task, &report).await?;
        let event = Event::Reconciled { report: Some(Box::new(report)), usage, settlement: Box::new(settlement) };
        self.engine.apply_one(task, event, LeaseChange::Keep).await
    }

    /// Notices, newest first, a page at a time; of the caller's own tasks only.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn notices(&self, mut query: NoticeQuery) -> Result<NoticePage> {
        if self.id.is_some() {
            query.caller.clone_from(&self.id);
        }
        self.engine.store.list_notices(&query).await
    }

    /// Tries a dead notice again, from the first attempt on. `false` when it is not dead.
    ///
    /// # Errors
    /// `NotFound` when there is no such notice, or it is about another caller's task.
    pub async fn requeue_notice(&self, task: TaskId, notice: NoticeId) -> Result<bool> {
        self.task(task).await?;
        let query = NoticeQuery { task: Some(task), limit: PAGE_MAX, ..NoticeQuery::default() };
        let known = self.engine.store.list_notices(&query).await?.notices.into_iter().find(|known| known.id == notice);
        let known = known.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "requeue notice")
                .with_message(format!("There is no notice {notice} about task {task}."))
        })?;
        let now = self.engine.now();
        let event = TaskEvent::new(now, Event::NoticeRequeued { notice_id: notice });
        let requeued = self.engine.store.requeue_notice(notice, now, &event).await?;
        // Whoever asks for it believes that its receiver is well again.
        outbox::forgive(&self.engine, &known.target);
        self.engine.wake_outbox.notify_one();
        Ok(requeued)
    }

    /// What ended tasks cost, in sums by caller, tool and month; a caller sees its own only.
    ///
    /// # Errors
    /// `StoreUnavailable`.
    pub async fn totals(&self, mut query: TotalsQuery) -> Result<Vec<Total>> {
        if self.id.is_some() {
            query.caller.clone_from(&self.id);
        }
        self.engine.store.totals(&query).await
    }
}
