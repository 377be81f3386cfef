//! A store in memory: the reference of the contract, for tests, examples and embedders that need no durability.

mod data;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use self::data::Data;
use crate::error::Result;
use crate::id::{NoticeId, ProviderId, RunId, TaskId};
use crate::store::{
    Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, Inserted, NoticeOutcome, OutboxItem, Put,
    StoredEvent, TaskPage, TaskQuery, TaskStore,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;

/// Keeps everything in the memory of the process and loses it with the process; otherwise the whole contract.
///
/// It grows with every task and event and never forgets one: not for long-running services.
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

    async fn claim_due(&self, claim: &Claim) -> Result<Claimed<TaskRecord>> {
        Ok(self.data().claim_due(claim))
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        Ok(self.data().claim_notices(claim))
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: &TaskEvent) -> Result<()> {
        self.data().finish_notice(id, outcome, event)
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<u64> {
        Ok(self.data().append_inbox(item))
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        Ok(self.data().claim_inbox(claim))
    }

    async fn finish_inbox(&self, numbers: &[u64]) -> Result<()> {
        self.data().finish_inbox(numbers);
        Ok(())
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
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn fresh() -> (Arc<dyn TaskStore>, ()) {
        (Arc::new(MemoryStore::new()), ())
    }

    crate::store::suite::store_suite!(fresh);
}
