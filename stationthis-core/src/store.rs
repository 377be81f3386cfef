//! The contract with durable memory.

mod memory;
mod notice;
#[cfg(feature = "sqlite")]
mod sqlite;
mod totals;
mod webhook;

pub use memory::MemoryStore;
pub use notice::{NewNotice, NoticeOutcome, NoticePage, NoticeQuery, NoticeRecord, NoticeState, OutboxItem};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use totals::{StoreStats, Total, TotalsQuery};
pub use webhook::{Appended, INBOX_MAX, InboxItem, InboxOutcome};

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::notice::unknown_notice;
use crate::store::webhook::inbox_full;
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::task::state::TaskStatus;
use crate::time::Timestamp;

/// Keeps tasks, their events, the inbox of raw webhooks, the outbox of notices, and the station's documents.
///
/// # Contract
/// - What a method acknowledged survives the death of the process (and, for durable stores, of the machine).
/// - Each method is one atomic step: all of it happened or none.
/// - Duplicates and stale writes are values, never errors. An error says whether it may be retried.
/// - Time is passed in; a store has no clock.
/// - Event sequence numbers grow by one for every event of every task, in the order in which commits became visible.
/// - A lease is held by an owner until a time. What is leased by a live lease is claimed by nobody else.
///
/// # Implementing
/// Keep the record as the JSON it serialises to, and columns only for what is searched. Nothing here may panic.
///
/// # Cancellation
/// A dropped future's effect is either whole or absent; which, the caller finds by reading.
///
/// # Errors
/// `StoreUnavailable` when it cannot write or read now (disk full, locked), `Corrupt` when what it holds is unreadable,
/// `Conflict` when a record names a run that belongs to another task of the same provider.
///
/// # Proving it
/// `store_suite!` (feature `testkit`) makes a test of each scenario of this contract. Both stores of this crate run it.
#[async_trait]
pub trait TaskStore: Send + Sync + std::fmt::Debug {
    /// Writes a new task with its first events. A second task with the same caller and idempotency key, or with the
    /// same id, is not written: the first one comes back as [`Inserted::Duplicate`].
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted>;

    /// One task.
    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>>;

    /// The task that a caller has under this key, which [`insert`](Self::insert) would answer with.
    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>>;

    /// The task of a run. A run belongs to one task; the same run id at another provider is another run.
    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>>;

    /// Tasks, newest first, a page at a time. A page may end early, but never empty, where its tasks are large: `next`
    /// alone says whether more follow.
    async fn list(&self, query: &TaskQuery) -> Result<TaskPage>;

    /// Events after a sequence number, oldest first.
    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>>;

    /// Replaces a task's record, appends events, adds notices and settles inbox items, if its revision is still
    /// `expected`. The record is stored with `expected + 1`. A notice whose id is known already is not added again.
    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed>;

    /// Leases tasks of some providers whose `due_at` is not after `claim.now`; [`PAGE_MAX`] bounds every claim. A leased
    /// task is not claimed again before its lease ends, by its owner neither. Those come first that are free the longest:
    /// due, and no longer leased.
    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>>;

    /// Leases tasks that wait for a run slot at `provider` (`submit_at` is not after `claim.now`), in the order of their
    /// turns, then the longest waiting first; at most so many that no more than `runs_max` slots are held. A slot is
    /// held by a task whose state says so ([`TaskState::holds_slot`](crate::task::state::TaskState::holds_slot)), and by
    /// a waiting one under a live lease.
    ///
    /// **Turns** make it fair (I18): at its insertion a task gets the turn after its caller's last waiting task at this
    /// provider; when none of its caller waits, the turn of the first task of the queue. So callers alternate, and one
    /// task waits for at most one of each other caller, however many those have.
    ///
    /// Tasks of the tools in `but` are passed over as if they were not there; they keep their turns. A station names those
    /// that their service takes no more runs of: few, and of this provider.
    ///
    /// `next_at` is when the next waiting task may be submitted; `None` while no slot is free, or none waits.
    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>>;

    /// Leases notices whose time has come, in the same order.
    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>>;

    /// Writes what came of one attempt to deliver, frees the lease, and appends the event, if there is one, to the
    /// notice's task. What was delivered or given up stays so, whatever a slower attempt says, but that it arrived after
    /// all. A notice that was never added is `NotFound`.
    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()>;

    /// Notices, the newest first, a page at a time.
    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage>;

    /// Makes a dead notice pending again, due at `due_at` and with no attempts, and appends the event to its task.
    /// `false`, and nothing is written, when it is not dead. A notice that was never added is `NotFound`.
    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool>;

    /// Keeps a raw webhook until it was processed. One whose [`content`](InboxItem::content) waits here already is not
    /// kept twice: its `copies` are added to the first one's.
    ///
    /// # Errors
    /// Besides the general ones `StoreUnavailable` while [`INBOX_MAX`] wait already.
    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended>;

    /// Leases inbox items: first those that nobody looked at yet, oldest first; then those that were parked or whose
    /// lease ended.
    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>>;

    /// Drops inbox items that led to no commit, or frees their lease and parks them until a time; those that are gone
    /// already are no error.
    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()>;

    /// How much of everything there is that is still to be done.
    async fn stats(&self) -> Result<StoreStats>;

    /// What ended tasks cost, in sums by caller, tool and month or day (UTC) of the end; pruned tasks are in them. In the
    /// order of month, day, caller, tool.
    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>>;

    /// Forgets tasks that ended before `before`, with their events, notices and idempotency keys, and keeps their
    /// totals; at most `limit` (bounded by [`PAGE_MAX`]), the longest ended first. Gives how many. Tasks with something
    /// left to do, with a notice that is neither delivered nor dead, or that need review, stay.
    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize>;

    /// Frees every lease of an owner: at its start (its former self may have died) and at its end.
    async fn release_leases(&self, owner: &str) -> Result<()>;

    /// A document.
    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>>;

    /// Writes a document if its version is still `expected` (`None`: if there is none).
    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put>;

    /// Forgets documents of a namespace whose keys, compared byte by byte, come before `below`; at most `limit` (bounded
    /// by [`PAGE_MAX`]), the first ones first. Gives how many. With keys that begin with a time this forgets the old ones.
    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize>;
}

/// The answer to [`TaskStore::insert`].
#[derive(Clone, Debug, PartialEq)]
pub enum Inserted {
    /// It is written; the sequence number of its last event.
    New(u64),
    /// There is one with this idempotency key already.
    Duplicate(Box<TaskRecord>),
}

/// What one commit writes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The new record; its `revision` is ignored.
    pub task: TaskRecord,
    /// What happened, in order.
    pub events: Vec<TaskEvent>,
    /// Notices to deliver from now on.
    pub notices: Vec<NewNotice>,
    /// Inbox items that are done with it.
    pub inbox_done: Vec<u64>,
    /// What becomes of the task's lease.
    pub lease: LeaseChange,
}

impl Change {
    /// A change of the record with its events, that leaves the lease as it is.
    #[must_use]
    pub const fn new(task: TaskRecord, events: Vec<TaskEvent>) -> Self {
        Self { task, events, notices: Vec::new(), inbox_done: Vec::new(), lease: LeaseChange::Keep }
    }

    /// When its notices count as added: at its last event, as a store has no clock.
    fn added_at(&self, notice: &NewNotice) -> Timestamp {
        self.events.last().map_or(notice.due_at, |event| event.at)
    }
}

/// What a commit does to the lease of its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange {
    /// Nothing: somebody else may hold it (a webhook's commit).
    Keep,
    /// The committer gives it back.
    Release,
    /// The committer keeps it until then; nothing when the task has no lease.
    Extend(Timestamp),
}

/// The answer to [`TaskStore::commit`].
#[derive(Clone, Debug, PartialEq)]
pub enum Committed {
    /// It is written: the new revision, and the sequence number of its last event.
    Done {
        /// The record's revision now.
        revision: u64,
        /// The number of the last event written, or of the last before it when none was.
        seq: u64,
    },
    /// The task was changed by somebody else meanwhile; nothing is written.
    Stale(Box<TaskRecord>),
    /// There is no such task.
    Missing,
}

/// The error of a record that names another task's run: every store gives the same.
fn run_taken(provider: &ProviderId, run: &RunId) -> Error {
    Error::new(ErrorKind::Conflict, "write task")
        .with_message("The run belongs to another task already.")
        .with_context("provider", provider)
        .with_context("run", run)
}

/// A wish to lease work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub owner: String,
    /// The present.
    pub now: Timestamp,
    /// How long the lease holds.
    pub lease: Duration,
    /// At most so many.
    pub limit: usize,
}

/// Which providers' tasks to claim: each provider has calls of its own, and none waits for another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderFilter {
    /// Of this provider.
    Only(ProviderId),
    /// Of every other provider: their tasks outlive a provider's removal from the configuration.
    AllBut(Vec<ProviderId>),
}

impl ProviderFilter {
    /// Does it let this provider's tasks through?
    #[must_use]
    pub fn contains(&self, provider: &ProviderId) -> bool {
        match self {
            Self::Only(only) => only == provider,
            Self::AllBut(others) => !others.contains(provider),
        }
    }
}

/// What was leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed<T> {
    /// The leased ones.
    pub items: Vec<T>,
    /// When the next one that was not leased is due or its lease ends; `None` when there is none.
    pub next_at: Option<Timestamp>,
}

/// Namespace and key of the document that marks a store as restored from a backup: a store's backup function writes it
/// into the copy, with the time of the backup as JSON, and the first station over it takes it off (`null`).
pub const RESTORED_DOCUMENT: (&str, &str) = ("station", "restored");

/// The most tasks or events on one page: bounds memory and the time a reader waits.
pub const PAGE_MAX: usize = 500;

/// Which tasks to list. Every condition must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskQuery {
    /// Of this caller only.
    pub caller: Option<CallerId>,
    /// In one of these states; empty: in any.
    pub statuses: Vec<TaskStatus>,
    /// Of this tool only.
    pub tool: Option<ToolId>,
    /// Only those that need review.
    pub needs_review: bool,
    /// This one or newer; with [`TaskId::first_at`], made since a time.
    pub since: Option<TaskId>,
    /// Older than this one: the cursor of the page before; with [`TaskId::first_at`], made before a time.
    pub before: Option<TaskId>,
    /// At most so many; zero means 50. Bounded by [`PAGE_MAX`].
    pub limit: usize,
}

impl TaskQuery {
    /// The page size in force.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { 50 } else { self.limit.min(PAGE_MAX) }
    }
}

/// A page of tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskPage {
    /// Newest first.
    pub tasks: Vec<TaskRecord>,
    /// The `before` of the next page; `None` at the end.
    pub next: Option<TaskId>,
}

/// Which events to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Of this task only.
    pub task: Option<TaskId>,
    /// Of this caller's tasks only.
    pub caller: Option<CallerId>,
    /// After this number.
    pub after: u64,
    /// At most so many; zero means [`PAGE_MAX`], which also bounds it.
    pub limit: usize,
}

impl EventQuery {
    /// The page size in force.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { PAGE_MAX } else { self.limit.min(PAGE_MAX) }
    }
}

/// An event with its number and task.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Grows with every event of every task.
    pub seq: u64,
    /// The task.
    pub task_id: TaskId,
    /// The event.
    pub event: TaskEvent,
}

/// A document with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Counts its writes, from one.
    pub version: u64,
    /// Its content.
    pub bytes: Bytes,
}

/// The answer to [`TaskStore::put_document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Written; the version now.
    Done(u64),
    /// Somebody wrote it meanwhile; nothing is written. The version there, `None` when there is none.
    Stale(Option<u64>),
}
