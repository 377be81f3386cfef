//! A store that fails.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Fault, Faulty, lost};
use crate::error::{ErrorKind, Result};
use crate::id::{CallerId, IdempotencyKey, NoticeId, ProviderId, RunId, TaskId, ToolId};
use crate::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, InboxOutcome, Inserted,
    NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent, TaskPage,
    TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::task::event::TaskEvent;
use crate::time::Timestamp;

impl Faulty<dyn TaskStore> {
    async fn stored<R: Send, F: Future<Output = Result<R>> + Send>(
        &self,
        operation: &'static str,
        act: impl Fn() -> F + Send + Sync,
    ) -> Result<R> {
        let possible = |_: Fault| true;
        self.call(operation, possible, act, |effect| Err(lost(ErrorKind::StoreUnavailable, operation, effect))).await
    }
}

#[async_trait]
impl TaskStore for Faulty<dyn TaskStore> {
    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        self.stored("insert", || self.inner().insert(task, events)).await
    }

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.stored("get", || self.inner().get(id)).await
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        self.stored("find_by_key", || self.inner().find_by_key(caller, key)).await
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        self.stored("find_by_run", || self.inner().find_by_run(provider, run)).await
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.stored("list", || self.inner().list(query)).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        self.stored("events", || self.inner().events(query)).await
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        self.stored("commit", || self.inner().commit(expected, change)).await
    }

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        self.stored("claim_due", || self.inner().claim_due(claim, of)).await
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        self.stored("claim_submissions", || self.inner().claim_submissions(claim, provider, runs_max, but)).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        self.stored("claim_notices", || self.inner().claim_notices(claim)).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        self.stored("finish_notice", || self.inner().finish_notice(id, outcome, event)).await
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        self.stored("list_notices", || self.inner().list_notices(query)).await
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        self.stored("requeue_notice", || self.inner().requeue_notice(id, due_at, event)).await
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        self.stored("append_inbox", || self.inner().append_inbox(item)).await
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        self.stored("claim_inbox", || self.inner().claim_inbox(claim)).await
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        self.stored("finish_inbox", || self.inner().finish_inbox(numbers, outcome)).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.stored("stats", || self.inner().stats()).await
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        self.stored("totals", || self.inner().totals(query)).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        self.stored("prune", || self.inner().prune(before, limit)).await
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        self.stored("release_leases", || self.inner().release_leases(owner)).await
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        self.stored("get_document", || self.inner().get_document(namespace, key)).await
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        self.stored("put_document", || self.inner().put_document(namespace, key, expected, bytes.clone())).await
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        self.stored("prune_documents", || self.inner().prune_documents(namespace, below, limit)).await
    }
}
