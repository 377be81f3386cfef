//! A store that stops at a chosen step.

mod point;

pub use point::{HaltPoint, HaltStep, Moment};

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, InboxOutcome, Inserted,
    NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage,
    TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

/// Hands everything to another store until a chosen step is about to be written, or just was; then it writes a marker
/// file, and from there on no operation of it ever returns.
///
/// For killing a process at a known point of its work: wait for the marker, kill, start again over the same store.
/// What was under way in the inner store when the step came may still be written there, as at any other death.
#[derive(Debug)]
pub struct HaltingStore {
    inner: Arc<dyn TaskStore>,
    at: HaltPoint,
    marker: PathBuf,
    halted: AtomicBool,
}

impl HaltingStore {
    /// Stops at the first occurrence of a point, and says so by a file at `marker`.
    pub fn new(inner: Arc<dyn TaskStore>, at: HaltPoint, marker: impl Into<PathBuf>) -> Self {
        Self { inner, at, marker: marker.into(), halted: AtomicBool::new(false) }
    }

    fn is_at(&self, step: HaltStep) -> bool {
        self.at.step == step
    }

    fn any_at(&self, events: &[TaskEvent]) -> bool {
        events.iter().any(|event| self.is_at(HaltStep::from(&event.what)))
    }

    /// Stops here for ever when the step is reached, or was before.
    async fn stop_if(&self, reached: bool) -> Result<()> {
        if reached && !self.halted.swap(true, Ordering::SeqCst) {
            std::fs::write(&self.marker, "").map_err(|e| {
                Error::new(ErrorKind::StoreUnavailable, "write halt marker")
                    .with_message(format!("{}: {e}", self.marker.display()))
                    .with_source(e)
            })?;
        }
        if self.halted.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// A write that is the step when `here`, and was done when `wrote` says so.
    async fn step<T: Send>(
        &self,
        here: bool,
        wrote: fn(&T) -> bool,
        operation: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.stop_if(here && self.at.moment == Moment::Before).await?;
        let done = operation.await?;
        self.stop_if(here && self.at.moment == Moment::After && wrote(&done)).await?;
        Ok(done)
    }

    /// A driver claims all the time; a claim means something only once there is a task.
    async fn claim_counts(&self) -> Result<bool> {
        let one = TaskQuery { limit: 1, ..TaskQuery::default() };
        Ok(self.is_at(HaltStep::Claimed) && !self.inner.list(&one).await?.tasks.is_empty())
    }

    /// An operation that is no step.
    async fn pass<T: Send>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.step(false, |_| false, operation).await
    }
}

#[async_trait]
impl TaskStore for HaltingStore {
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let wrote = |done: &Inserted| matches!(done, Inserted::New(_));
        self.step(self.any_at(events), wrote, self.inner.insert(task, events)).await
    }

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.pass(self.inner.get(id)).await
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        self.pass(self.inner.find_by_key(caller, key)).await
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        self.pass(self.inner.find_by_run(provider, run)).await
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.pass(self.inner.list(query)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        self.pass(self.inner.events(query)).await
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        let wrote = |done: &Committed| matches!(done, Committed::Done { .. });
        self.step(self.any_at(&change.events), wrote, self.inner.commit(expected, change)).await
    }

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        let here = self.claim_counts().await?;
        self.step(here, |done| !done.items.is_empty(), self.inner.claim_due(claim, of)).await
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        let here = self.claim_counts().await?;
        let claimed = self.inner.claim_submissions(claim, provider, runs_max, but);
        self.step(here, |done| !done.items.is_empty(), claimed).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        self.pass(self.inner.claim_notices(claim)).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        let here = event.is_some_and(|event| self.any_at(std::slice::from_ref(event)));
        self.step(here, |()| true, self.inner.finish_notice(id, outcome, event)).await
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        self.pass(self.inner.list_notices(query)).await
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        self.pass(self.inner.requeue_notice(id, due_at, event)).await
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        self.step(self.is_at(HaltStep::Inbox), |_| true, self.inner.append_inbox(item)).await
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        self.pass(self.inner.claim_inbox(claim)).await
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        self.pass(self.inner.finish_inbox(numbers, outcome)).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.pass(self.inner.stats()).await
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        self.pass(self.inner.totals(query)).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.pass(self.inner.prune(before, limit)).await
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        self.pass(self.inner.release_leases(owner)).await
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        self.pass(self.inner.get_document(namespace, key)).await
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        self.pass(self.inner.put_document(namespace, key, expected, bytes)).await
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        self.pass(self.inner.prune_documents(namespace, below, limit)).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::MemoryStore;

    fn halting(point: &str, folder: &tempfile::TempDir) -> (Arc<MemoryStore>, HaltingStore) {
        let inner = Arc::new(MemoryStore::new());
        let store = HaltingStore::new(inner.clone(), point.parse().unwrap(), folder.path().join("marker"));
        (inner, store)
    }

    fn webhook() -> InboxItem {
        let at = crate::time::Timestamp::from_micros(1);
        InboxItem::new(ProviderId::new("p").unwrap(), Some(TaskId::generate()), "POST", Bytes::new(), None, at)
    }

    fn claim() -> Claim {
        let now = crate::time::Timestamp::from_micros(2);
        Claim { owner: "o".to_owned(), now, lease: Duration::from_secs(1), limit: 10 }
    }

    async fn check(point: &str, written: usize) {
        let folder = tempfile::tempdir().unwrap();
        let (inner, store) = halting(point, &folder);
        assert!(store.get(TaskId::generate()).await.unwrap().is_none(), "it works until then");
        assert!(!folder.path().join("marker").exists());
        let short = Duration::from_secs(1);
        assert!(tokio::time::timeout(short, store.append_inbox(&webhook())).await.is_err());
        assert!(folder.path().join("marker").exists());
        assert!(tokio::time::timeout(short, store.get(TaskId::generate())).await.is_err(), "nothing returns after it");
        assert_eq!(inner.claim_inbox(&claim()).await.unwrap().items.len(), written);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_on_the_side_of_the_write_that_was_asked_for() {
        check("before:inbox", 0).await;
        check("after:inbox", 1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_marker_that_cannot_be_written_is_an_error() {
        let store = HaltingStore::new(Arc::new(MemoryStore::new()), "before:inbox".parse().unwrap(), "/nowhere/marker");
        assert_eq!(store.append_inbox(&webhook()).await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    }
}
