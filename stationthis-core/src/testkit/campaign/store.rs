//! A store that forgets what it did not acknowledge, and dies at a drawn write.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Effect, Error, ErrorKind, Result, Retry};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, InboxOutcome, Inserted,
    NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage,
    TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::testkit::campaign::rng::Rng;
use crate::testkit::campaign::scenario::Crashes;
use crate::time::Timestamp;

/// What a store and the world share over all lives of the process.
#[derive(Debug)]
pub(super) struct Control {
    state: Mutex<State>,
    /// Something happened that the world must look at.
    pub(super) changed: tokio::sync::Notify,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    crashes: Crashes,
    faults: u32,
    writes: u64,
    died: bool,
    /// When the station has something to do next, as far as claims and writes tell.
    wake_at: Option<Timestamp>,
    /// Crashes and faults happen.
    hostile: bool,
    /// A write was refused, so that nobody knows what there is to do next.
    faulted: bool,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Made,
    DiesBefore,
    DiesAfter,
    FailsBefore,
    FailsAfter,
    Dead,
}

impl Control {
    pub(super) fn new(rng: Rng, crashes: Crashes, faults: u32) -> Self {
        let state =
            State { rng, crashes, faults, writes: 0, died: false, wake_at: None, hostile: false, faulted: false };
        Self { state: Mutex::new(state), changed: tokio::sync::Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Did the process die?
    pub(super) fn died(&self) -> bool {
        self.state().died
    }

    /// Another process: it lives, and knows of nothing to do.
    pub(super) fn reborn(&self) {
        let mut state = self.state();
        (state.died, state.wake_at) = (false, None);
    }

    /// From now on the store is as hostile as the scenario says.
    pub(super) fn unleash(&self) {
        self.state().hostile = true;
    }

    /// From now on nothing goes wrong.
    pub(super) fn leash(&self) {
        self.state().hostile = false;
    }

    pub(super) fn writes(&self) -> u64 {
        self.state().writes
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.state().wake_at
    }

    /// Was a write refused since this was asked last?
    pub(super) fn faulted(&self) -> bool {
        std::mem::take(&mut self.state().faulted)
    }

    /// The station looks now; what it finds tells when it must look again.
    pub(super) fn looks(&self) {
        self.state().wake_at = None;
    }

    pub(super) fn wake_by(&self, at: Option<Timestamp>) {
        if let Some(at) = at {
            let mut state = self.state();
            if state.wake_at.is_none_or(|known| at < known) {
                state.wake_at = Some(at);
                self.changed.notify_one();
            }
        }
    }

    fn fate(&self) -> Fate {
        let mut state = self.state();
        let state = &mut *state;
        if state.died {
            return Fate::Dead;
        }
        if !state.hostile {
            return Fate::Made;
        }
        state.writes += 1;
        let dies = match state.crashes {
            Crashes::Never => None,
            Crashes::PerMille(share) => state.rng.chance(share).then(|| state.rng.chance(500)),
            Crashes::At { write, made } => (state.writes == write).then_some(made),
        };
        match dies {
            Some(made) => {
                state.died = true;
                if made { Fate::DiesAfter } else { Fate::DiesBefore }
            }
            None if state.rng.chance(state.faults) => {
                state.faulted = true;
                if state.rng.chance(500) { Fate::FailsAfter } else { Fate::FailsBefore }
            }
            None => Fate::Made,
        }
    }
}

/// A store of one process, over one that outlives it.
#[derive(Debug)]
pub(super) struct MortalStore {
    inner: Arc<dyn TaskStore>,
    control: Arc<Control>,
}

impl MortalStore {
    pub(super) fn new(inner: Arc<dyn TaskStore>, control: Arc<Control>) -> Self {
        Self { inner, control }
    }

    async fn dead<T>(&self) -> T {
        self.control.changed.notify_one();
        std::future::pending().await
    }

    /// A write: made and acknowledged, or not.
    async fn write<T: Send>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match self.control.fate() {
            Fate::Made => at_once(operation),
            Fate::FailsBefore => Err(refused(Effect::No)),
            Fate::FailsAfter => {
                at_once(operation)?;
                Err(refused(Effect::Unknown))
            }
            Fate::DiesBefore | Fate::Dead => self.dead().await,
            Fate::DiesAfter => {
                // Whatever came of it, nobody is told.
                let _ = at_once(operation);
                self.dead().await
            }
        }
    }

    async fn read<T: Send>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        if self.control.died() { self.dead().await } else { at_once(operation) }
    }

    /// A claim that leases nothing writes nothing.
    async fn claim<T: Send>(
        &self,
        claim: &Claim,
        operation: impl Future<Output = Result<Claimed<T>>> + Send,
    ) -> Result<Claimed<T>> {
        let claimed = self.read(operation).await?;
        self.control.wake_by(claimed.next_at);
        if claimed.items.is_empty() {
            return Ok(claimed);
        }
        // Whoever has it may let it lie.
        self.control.wake_by(Some(claim.now.plus(claim.lease)));
        self.write(std::future::ready(Ok(claimed))).await
    }
}

fn refused(effect: Effect) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "write").with_retry(Retry::Backoff).with_effect(effect)
}

/// Waits for a store without giving way: virtual time stands still meanwhile, and nothing overtakes.
pub(super) fn at_once<T>(operation: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    // Unconstrained: the runtime's budget would be used up for good, as nothing gives way here.
    let mut operation = pin!(tokio::task::unconstrained(operation));
    loop {
        match operation.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[async_trait]
impl TaskStore for MortalStore {
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let inserted = self.write(self.inner.insert(task, events)).await?;
        self.control.wake_by(task.submit_at);
        Ok(inserted)
    }

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.read(self.inner.get(id)).await
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        self.read(self.inner.find_by_key(caller, key)).await
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        self.read(self.inner.find_by_run(provider, run)).await
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.read(self.inner.list(query)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        self.read(self.inner.events(query)).await
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        let committed = self.write(self.inner.commit(expected, change)).await?;
        let free_slot = (!change.task.state.holds_slot()).then_some(Timestamp::from_micros(0));
        let notices = change.notices.iter().map(|notice| notice.due_at).min();
        let due = [change.task.due_at, change.task.submit_at, notices, free_slot];
        self.control.wake_by(due.into_iter().flatten().min());
        Ok(committed)
    }

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        self.claim(claim, self.inner.claim_due(claim, of)).await
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        self.claim(claim, self.inner.claim_submissions(claim, provider, runs_max, but)).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        self.claim(claim, self.inner.claim_notices(claim)).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        self.write(self.inner.finish_notice(id, outcome, event)).await?;
        if let NoticeOutcome::RetryAt(at) | NoticeOutcome::PutOff(at) = outcome {
            self.control.wake_by(Some(*at));
        }
        Ok(())
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        self.read(self.inner.list_notices(query)).await
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        let requeued = self.write(self.inner.requeue_notice(id, due_at, event)).await?;
        self.control.wake_by(Some(due_at));
        Ok(requeued)
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        let appended = self.write(self.inner.append_inbox(item)).await?;
        self.control.wake_by(Some(item.received_at));
        Ok(appended)
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        self.claim(claim, self.inner.claim_inbox(claim)).await
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        self.write(self.inner.finish_inbox(numbers, outcome)).await?;
        if let InboxOutcome::ParkedUntil(at) = outcome {
            self.control.wake_by(Some(at));
        }
        Ok(())
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.read(self.inner.stats()).await
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        self.read(self.inner.totals(query)).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.write(self.inner.prune(before, limit)).await
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        self.write(self.inner.release_leases(owner)).await
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        self.read(self.inner.get_document(namespace, key)).await
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        self.write(self.inner.put_document(namespace, key, expected, bytes)).await
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        self.write(self.inner.prune_documents(namespace, below, limit)).await
    }
}
