//! What every part of the station shares, and the one way in which a task's state is changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::cost::CostModel;
use crate::custody::Custody;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{NoticeId, ProviderId, TaskId};
use crate::media::MediaSource;
use crate::notify::{NoticeKind, Notifier};
use crate::provider::{ServiceProvider, WebhookAuth};
use crate::registry::ToolRegistry;
use crate::secret::Secret;
use crate::station::capacity::Capacity;
use crate::station::driver;
use crate::station::events::Updates;
use crate::station::learned::Learned;
use crate::station::metrics::{self, Gauges};
use crate::station::outbox::Lanes;
use crate::station::rates::Rates;
use crate::station::settle;
use crate::store::{Change, Committed, LeaseChange, NewNotice, TaskStore};
use crate::task::TaskRecord;
use crate::task::event::{Event, OwnField, TaskEvent};
use crate::task::machine::{self, Action};
use crate::task::plan;
use crate::task::policy::Policy;
use crate::time::{Clock, Timestamp};
use crate::webhook::CallbackKeys;

/// Times a commit is tried again because somebody else changed the task meanwhile: each time somebody made progress,
/// so more than a few says that something is wrong.
const COMMIT_ATTEMPTS: usize = 32;

/// A provider with its prices.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) provider: Arc<dyn ServiceProvider>,
    pub(crate) cost: Arc<dyn CostModel>,
}

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) backends: BTreeMap<ProviderId, Backend>,
    pub(crate) notifiers: BTreeMap<String, Arc<dyn Notifier>>,
    pub(crate) registry: ToolRegistry,
    pub(crate) store: Arc<dyn TaskStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: Policy,
    pub(crate) keys: CallbackKeys,
    pub(crate) public_url: Option<String>,
    pub(crate) instance: String,
    pub(crate) rates: Rates,
    pub(crate) learned: Learned,
    pub(crate) updates: Updates,
    pub(crate) gauges: Gauges,
    pub(crate) capacity: Capacity,
    pub(crate) media: Option<Arc<dyn MediaSource>>,
    /// Places for tasks whose files are given to their services.
    pub(crate) giving: Semaphore,
    pub(crate) custody: Option<Arc<dyn Custody>>,
    /// Places for tasks whose outputs are taken into custody.
    pub(crate) keeping: Semaphore,
    /// Something may be due now at a provider: a new task, a webhook, a wish, a free run slot.
    pub(crate) wake_lane: BTreeMap<ProviderId, Notify>,
    pub(crate) outbox_lanes: Mutex<Lanes>,
    pub(crate) wake_inbox: Notify,
    pub(crate) wake_outbox: Notify,
    pub(crate) closed: CancellationToken,
}

impl Engine {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn backend(&self, id: &ProviderId) -> Result<&Backend> {
        self.backends.get(id).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "find provider").with_message(format!("No provider {id} is configured."))
        })
    }

    /// The callback URL of a task, when this host can be called back. Good for as long as the task can change.
    ///
    /// Where the service signs, it has no token: nobody would look at it, and what is cut out before a webhook is kept
    /// would be missing when the signature is checked again.
    pub(crate) fn callback_url(&self, task: &TaskRecord) -> Option<Secret> {
        let base = self.public_url.as_deref()?;
        let auth = self.backend(&task.provider_id).ok()?.provider.capabilities().webhooks;
        if let Some(WebhookAuth::ProviderSignature | WebhookAuth::RequestSignature) = auth {
            return Some(crate::webhook::plain_url(base, &task.provider_id, task.task_id));
        }
        let expires_at = task.state.deadline_at.plus(crate::webhook::CALLBACK_GRACE);
        self.keys.url(base, &task.provider_id, task.task_id, expires_at)
    }

    /// Puts events through the machine and commits what comes out, together with its settlement and its notices.
    ///
    /// When somebody else changed the task meanwhile the same events are put through the machine again, over the state
    /// that is there now: the machine decides whether they still mean anything.
    pub(crate) async fn apply(
        &self,
        task: TaskRecord,
        events: &[TaskEvent],
        lease: LeaseChange,
        inbox_done: &[u64],
    ) -> Result<TaskRecord> {
        let mut task = task;
        for _ in 0..COMMIT_ATTEMPTS {
            let (expected, counters) = (task.revision, task.state.counters);
            let mut change = self.change_of(task, events).await?;
            change.lease = lease;
            change.inbox_done = inbox_done.to_vec();
            let began = tokio::time::Instant::now();
            let committed = self.store.commit(expected, &change).await;
            metrics::commit_took(began.elapsed(), committed.is_ok());
            match committed? {
                Committed::Done { revision, seq } => {
                    let mut task = change.task;
                    task.revision = revision;
                    metrics::committed(&counters, &task, &change.events);
                    if change.events.iter().any(|event| matches!(event.what, Event::Settled { .. })) {
                        self.learned.learn(&task);
                    }
                    self.published(&task, seq, !change.notices.is_empty());
                    return Ok(task);
                }
                Committed::Stale(current) => task = *current,
                Committed::Missing => return Err(missing(change.task.task_id)),
            }
        }
        Err(contended(task.task_id))
    }

    /// Changes what is the caller's on a record, and nothing of its state: when it is due, and who holds it, stays. `edit`
    /// is done again when somebody else changed the task meanwhile; when it changes nothing, nothing is written.
    pub(crate) async fn amend(
        &self,
        task: TaskRecord,
        by: &str,
        edit: impl Fn(&mut TaskRecord) -> Result<Vec<OwnField>> + Send + Sync,
    ) -> Result<TaskRecord> {
        let mut task = task;
        for _ in 0..COMMIT_ATTEMPTS {
            let expected = task.revision;
            let fields = edit(&mut task)?;
            if fields.is_empty() {
                return Ok(task);
            }
            let event = TaskEvent::new(self.now(), Event::Amended { by: by.to_owned(), fields });
            let change = Change::new(task, vec![event]);
            match self.store.commit(expected, &change).await? {
                Committed::Done { revision, seq } => {
                    let task = TaskRecord { revision, ..change.task };
                    self.updates.publish(seq, &task);
                    return Ok(task);
                }
                Committed::Stale(current) => task = *current,
                Committed::Missing => return Err(missing(change.task.task_id)),
            }
        }
        Err(contended(task.task_id))
    }

    async fn change_of(&self, task: TaskRecord, events: &[TaskEvent]) -> Result<Change> {
        let mut change = Change::new(task, Vec::with_capacity(events.len() + 1));
        let mut at = self.now();
        for event in events {
            let step = machine::step(&change.task.state, event);
            change.task.state = step.state;
            change.events.push(event.clone());
            at = at.max(event.at);
            for action in step.actions {
                match action {
                    Action::Settle { not_run } => {
                        let (task_id, provider) = (change.task.task_id, &change.task.provider_id);
                        let span = tracing::info_span!("settle", %task_id, %provider);
                        let settled = settle::settled(self, &change.task, not_run).instrument(span).await?;
                        let settled = TaskEvent::new(event.at, settled);
                        change.task.state = machine::step(&change.task.state, &settled).state;
                        change.events.push(settled);
                    }
                    Action::Notify => change.notices = notices(&change.task, at),
                }
            }
        }
        change.task.due_at = plan::due_at(&change.task.state, at, &self.policy);
        change.task.submit_at = plan::submit_at(&change.task.state);
        Ok(change)
    }

    pub(crate) fn published(&self, task: &TaskRecord, seq: u64, has_notices: bool) {
        self.updates.publish(seq, task);
        // What is due later than a lane sleeps at most needs no wake; whatever holds no run slot may have freed one.
        let soon = task.due_at.is_some_and(|at| at.since(self.now()) <= driver::IDLE_MAX);
        if soon || !task.state.holds_slot() {
            self.wake_lane.get(&task.provider_id).inspect(|wake| wake.notify_one());
        }
        if has_notices {
            self.wake_outbox.notify_one();
        }
    }

    /// As [`apply`](Self::apply), for one event of now.
    pub(crate) async fn apply_one(&self, task: TaskRecord, event: Event, lease: LeaseChange) -> Result<TaskRecord> {
        let event = TaskEvent::new(self.now(), event);
        self.apply(task, &[event], lease, &[]).await
    }
}

fn contended(id: TaskId) -> Error {
    Error::new(ErrorKind::Conflict, "commit task")
        .with_context("task", id)
        .with_message("The task was changed by others over and over.")
}

pub(crate) fn missing(id: TaskId) -> Error {
    Error::new(ErrorKind::NotFound, "find task").with_message(format!("There is no task {id}."))
}

fn notices(task: &TaskRecord, at: Timestamp) -> Vec<NewNotice> {
    let kind = NoticeKind::Finished;
    task.notify
        .iter()
        .map(|target| {
            let name = format!("{}\n{}", target.channel, target.address);
            let id = NoticeId::derive(task.task_id, kind.as_str(), &name);
            NewNotice { id, kind, target: target.clone(), due_at: at }
        })
        .collect()
}
