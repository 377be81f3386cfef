//! A store in memory: the reference of the contract, for tests, examples and embedders that need no durability.

mod data;
mod inbox;
mod lanes;
mod lease;
mod log;
mod outbox;
mod sums;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use self::data::Data;
use crate::error::Result;
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, InboxOutcome, Inserted,
    NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage,
    TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

/// Keeps everything in the memory of the process and loses it with the process; otherwise the whole contract.
///
/// It grows with every task and event until they are pruned: not for long-running services.
#[derive(Debug, Default)]
pub struct MemoryStore {
    data: Mutex<Data>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As it is, but that at most `max` webhooks wait, in place of [`INBOX_MAX`](crate::store::INBOX_MAX).
    #[must_use]
    pub fn with_inbox_max(self, max: usize) -> Self {
        self.data().inbox.max = max;
        self
    }

    /// The data; every method is one critical section, so each is atomic. A poisoned lock is taken all the same: no
    /// method can stop half-way.
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        self.data().insert(task, events)
    }

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        Ok(self.data().get(id).cloned())
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        Ok(self.data().find_by_key(caller, key).cloned())
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        Ok(self.data().find_by_run(provider, run).cloned())
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        Ok(self.data().list(query))
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        Ok(self.data().events(query))
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        self.data().commit(expected, change)
    }

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        Ok(self.data().claim_due(claim, of))
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        Ok(self.data().claim_submissions(claim, provider, runs_max, but))
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        Ok(self.data().outbox.claim(claim))
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        self.data().finish_notice(id, outcome, event)
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        Ok(self.data().outbox.list(query))
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        self.data().requeue_notice(id, due_at, event)
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        self.data().inbox.append(item)
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        Ok(self.data().inbox.claim(claim))
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        self.data().inbox.finish(numbers, outcome);
        Ok(())
    }

    async fn stats(&self) -> Result<StoreStats> {
        Ok(self.data().stats())
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        self.data().totals(query)
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.data().prune(before, limit)
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        self.data().release_leases(owner);
        Ok(())
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        Ok(self.data().get_document(namespace, key))
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        Ok(self.data().put_document(namespace, key, expected, bytes))
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        Ok(self.data().prune_documents(namespace, below, limit))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::MemoryStore;
    use crate::testkit::StoreFixture;

    async fn fresh() -> StoreFixture {
        StoreFixture::new(Arc::new(MemoryStore::new().with_inbox_max(300))).with_inbox_max(300)
    }

    crate::store_suite!(fresh);
}
