//! The store of `docs/guides/store.md`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use stationthis_core::notify::{NoticeKind, NotifyTarget};
use stationthis_core::store::{
    Appended, Change, Claim, Claimed, Committed, Document, EventQuery, InboxItem, InboxOutcome, Inserted, MemoryStore,
    NewNotice, NoticeOutcome, NoticePage, NoticeQuery, OutboxItem, ProviderFilter, Put, StoreStats, StoredEvent,
    TaskPage, TaskQuery, TaskStore, Total, TotalsQuery,
};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::TaskEvent;
use stationthis_core::{
    CallerId, Error, ErrorKind, IdempotencyKey, NoticeId, ProviderId, Result, Retry, RunId, TaskId, Timestamp, ToolId,
};
use tokio::sync::{Mutex, MutexGuard};

/// One write, as a line of the journal has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Entry {
    Insert { task: Box<TaskRecord>, events: Vec<TaskEvent> },
    Commit { expected: u64, task: Box<TaskRecord>, events: Vec<TaskEvent>, notices: Vec<Added>, inbox_done: Vec<u64> },
    FinishNotice { id: NoticeId, outcome: Outcome, event: Option<TaskEvent> },
    RequeueNotice { id: NoticeId, due_at: Timestamp, event: TaskEvent },
    AppendInbox { item: Webhook },
    FinishInbox { numbers: Vec<u64>, parked_until: Option<Timestamp> },
    Prune { before: Timestamp, limit: usize },
    PutDocument { namespace: String, key: String, expected: Option<u64>, bytes: Vec<u8> },
    PruneDocuments { namespace: String, below: String, limit: usize },
}

#[derive(Debug, Serialize, Deserialize)]
struct Added {
    id: NoticeId,
    kind: NoticeKind,
    target: NotifyTarget,
    due_at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Delivered,
    RetryAt(Timestamp),
    Dead(String),
    PutOff(Timestamp),
}

#[derive(Debug, Serialize, Deserialize)]
struct Webhook {
    provider_id: ProviderId,
    task_id: Option<TaskId>,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    key_id: Option<String>,
    received_at: Timestamp,
    copies: u32,
}

/// Keeps everything in memory, and every write in a file of JSON lines from which the memory is built again.
#[derive(Debug)]
pub struct JournalStore {
    memory: MemoryStore,
    /// Held during every write, so that the lines stand in the order in which the memory took them.
    journal: Mutex<Journal>,
}

#[derive(Debug)]
struct Journal {
    file: File,
    /// Where the last whole line ends; `None` after a write that could be neither made nor undone.
    end: Option<u64>,
}

impl JournalStore {
    /// Opens a journal, or begins one. One process at a time has it open. `memory` is an empty store, with the same limits
    /// each time: what was refused then must be refused when it is replayed.
    ///
    /// # Errors
    /// `StoreUnavailable` when the file cannot be read or another process has it; `Corrupt` for a line that is no write.
    pub async fn open(path: &Path, memory: MemoryStore) -> Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(unavailable)?;
        file.try_lock().map_err(unavailable)?;
        let (mut lines, mut line, mut end) = (BufReader::new(&mut file), Vec::new(), 0);
        while lines.read_until(b'\n', &mut line).map_err(unavailable)? > 0 && line.ends_with(b"\n") {
            let entry: Entry = serde_json::from_slice(&line)
                .map_err(|e| Error::new(ErrorKind::Corrupt, "read journal").with_context("at", end).with_source(e))?;
            replay(&memory, entry).await;
            end += line.len() as u64;
            line.clear();
        }
        // A line without its end was never acknowledged: whoever wrote it died on the way.
        file.set_len(end).and_then(|()| file.sync_all()).map_err(unavailable)?;
        // A new file is there after a power cut when its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unavailable)?;
        Ok(Self { memory, journal: Mutex::new(Journal { file, end: Some(end) }) })
    }

    /// Makes a write durable. Until the guard is dropped nobody else writes, so the memory can follow.
    async fn write(&self, entry: &Entry) -> Result<MutexGuard<'_, Journal>> {
        let mut journal = self.journal.lock().await;
        journal.append(entry)?;
        Ok(journal)
    }
}

impl Journal {
    fn append(&mut self, entry: &Entry) -> Result<()> {
        let mut line =
            serde_json::to_vec(entry).map_err(|e| Error::new(ErrorKind::Corrupt, "write journal").with_source(e))?;
        line.push(b'\n');
        let end = self.end.take().ok_or_else(|| unavailable("an earlier write could not be undone"))?;
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would spoil the next one.
            self.file.set_len(end).and_then(|()| self.file.sync_data()).map_err(unavailable)?;
            self.end = Some(end);
            return Err(unavailable(error));
        }
        self.end = Some(end + line.len() as u64);
        Ok(())
    }
}

fn unavailable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::StoreUnavailable, "use journal").with_retry(Retry::Backoff).with_source(cause)
}

/// Does to the memory what was done then. What was refused then is refused again: the answers are of no use.
async fn replay(memory: &MemoryStore, entry: Entry) {
    let _ = match entry {
        Entry::Insert { task, events } => memory.insert(&task, &events).await.map(drop),
        Entry::Commit { expected, task, events, notices, inbox_done } => {
            let mut change = Change::new(*task, events);
            let added = |Added { id, kind, target, due_at }| NewNotice { id, kind, target, due_at };
            change.notices = notices.into_iter().map(added).collect();
            change.inbox_done = inbox_done;
            memory.commit(expected, &change).await.map(drop)
        }
        Entry::FinishNotice { id, outcome, event } => {
            let outcome = match outcome {
                Outcome::Delivered => NoticeOutcome::Delivered,
                Outcome::RetryAt(at) => NoticeOutcome::RetryAt(at),
                Outcome::Dead(reason) => NoticeOutcome::Dead(reason),
                Outcome::PutOff(at) => NoticeOutcome::PutOff(at),
            };
            memory.finish_notice(id, &outcome, event.as_ref()).await
        }
        Entry::RequeueNotice { id, due_at, event } => memory.requeue_notice(id, due_at, &event).await.map(drop),
        Entry::AppendInbox { item } => {
            let (body, at) = (Bytes::from(item.body), item.received_at);
            let mut kept = InboxItem::new(item.provider_id, item.task_id, item.method, body, item.key_id, at)
                .with_request(item.path, item.query, item.headers);
            kept.copies = item.copies;
            memory.append_inbox(&kept).await.map(drop)
        }
        Entry::FinishInbox { numbers, parked_until } => {
            let outcome = parked_until.map_or(InboxOutcome::Dropped, InboxOutcome::ParkedUntil);
            memory.finish_inbox(&numbers, outcome).await
        }
        Entry::Prune { before, limit } => memory.prune(before, limit).await.map(drop),
        Entry::PutDocument { namespace, key, expected, bytes } => {
            memory.put_document(&namespace, &key, expected, bytes.into()).await.map(drop)
        }
        Entry::PruneDocuments { namespace, below, limit } => {
            memory.prune_documents(&namespace, &below, limit).await.map(drop)
        }
    };
}

#[async_trait::async_trait]
impl TaskStore for JournalStore {
    // Writes: first the line, then the memory. Nothing is waited for between the two, so a future that is dropped has
    // done both or neither.

    async fn insert(&self, task: &TaskRecord, events: &[TaskEvent]) -> Result<Inserted> {
        let _writing = self.write(&Entry::Insert { task: task.clone().into(), events: events.to_vec() }).await?;
        self.memory.insert(task, events).await
    }

    async fn commit(&self, expected: u64, change: &Change) -> Result<Committed> {
        let added = |NewNotice { id, kind, target, due_at }| Added { id, kind, target, due_at };
        let entry = Entry::Commit {
            expected,
            task: change.task.clone().into(),
            events: change.events.clone(),
            notices: change.notices.iter().cloned().map(added).collect(),
            inbox_done: change.inbox_done.clone(),
        };
        let _writing = self.write(&entry).await?;
        self.memory.commit(expected, change).await
    }

    async fn finish_notice(&self, id: NoticeId, outcome: &NoticeOutcome, event: Option<&TaskEvent>) -> Result<()> {
        let written = match outcome {
            NoticeOutcome::Delivered => Outcome::Delivered,
            NoticeOutcome::RetryAt(at) => Outcome::RetryAt(*at),
            NoticeOutcome::Dead(reason) => Outcome::Dead(reason.clone()),
            NoticeOutcome::PutOff(at) => Outcome::PutOff(*at),
        };
        let _writing = self.write(&Entry::FinishNotice { id, outcome: written, event: event.cloned() }).await?;
        self.memory.finish_notice(id, outcome, event).await
    }

    async fn requeue_notice(&self, id: NoticeId, due_at: Timestamp, event: &TaskEvent) -> Result<bool> {
        let _writing = self.write(&Entry::RequeueNotice { id, due_at, event: event.clone() }).await?;
        self.memory.requeue_notice(id, due_at, event).await
    }

    async fn append_inbox(&self, item: &InboxItem) -> Result<Appended> {
        let InboxItem { provider_id, task_id, method, path, query, headers, body, key_id, received_at, copies, .. } =
            item.clone();
        let body = body.to_vec();
        let item_written =
            Webhook { provider_id, task_id, method, path, query, headers, body, key_id, received_at, copies };
        let _writing = self.write(&Entry::AppendInbox { item: item_written }).await?;
        self.memory.append_inbox(item).await
    }

    async fn finish_inbox(&self, numbers: &[u64], outcome: InboxOutcome) -> Result<()> {
        let parked_until = match outcome {
            InboxOutcome::Dropped => None,
            InboxOutcome::ParkedUntil(at) => Some(at),
        };
        let _writing = self.write(&Entry::FinishInbox { numbers: numbers.to_vec(), parked_until }).await?;
        self.memory.finish_inbox(numbers, outcome).await
    }

    async fn prune(&self, before: Timestamp, limit: usize) -> Result<usize> {
        let _writing = self.write(&Entry::Prune { before, limit }).await?;
        self.memory.prune(before, limit).await
    }

    async fn put_document(&self, namespace: &str, key: &str, expected: Option<u64>, bytes: Bytes) -> Result<Put> {
        let (namespace_, key_, bytes_) = (namespace.to_owned(), key.to_owned(), bytes.to_vec());
        let entry = Entry::PutDocument { namespace: namespace_, key: key_, expected, bytes: bytes_ };
        let _writing = self.write(&entry).await?;
        self.memory.put_document(namespace, key, expected, bytes).await
    }

    async fn prune_documents(&self, namespace: &str, below: &str, limit: usize) -> Result<usize> {
        let (namespace_, below_) = (namespace.to_owned(), below.to_owned());
        let _writing = self.write(&Entry::PruneDocuments { namespace: namespace_, below: below_, limit }).await?;
        self.memory.prune_documents(namespace, below, limit).await
    }

    // Leases: those of a process that died are nobody's. One process at a time has the journal, so they need no line.

    async fn claim_due(&self, claim: &Claim, of: &ProviderFilter) -> Result<Claimed<TaskRecord>> {
        self.memory.claim_due(claim, of).await
    }

    async fn claim_submissions(
        &self,
        claim: &Claim,
        provider: &ProviderId,
        runs_max: usize,
        but: &[ToolId],
    ) -> Result<Claimed<TaskRecord>> {
        self.memory.claim_submissions(claim, provider, runs_max, but).await
    }

    async fn claim_notices(&self, claim: &Claim) -> Result<Claimed<OutboxItem>> {
        self.memory.claim_notices(claim).await
    }

    async fn claim_inbox(&self, claim: &Claim) -> Result<Claimed<(u64, InboxItem)>> {
        self.memory.claim_inbox(claim).await
    }

    async fn release_leases(&self, owner: &str) -> Result<()> {
        self.memory.release_leases(owner).await
    }

    // Reads.

    async fn get(&self, id: TaskId) -> Result<Option<TaskRecord>> {
        self.memory.get(id).await
    }

    async fn find_by_key(&self, caller: &CallerId, key: &IdempotencyKey) -> Result<Option<TaskRecord>> {
        self.memory.find_by_key(caller, key).await
    }

    async fn find_by_run(&self, provider: &ProviderId, run: &RunId) -> Result<Option<TaskRecord>> {
        self.memory.find_by_run(provider, run).await
    }

    async fn list(&self, query: &TaskQuery) -> Result<TaskPage> {
        self.memory.list(query).await
    }

    async fn events(&self, query: &EventQuery) -> Result<Vec<StoredEvent>> {
        self.memory.events(query).await
    }

    async fn list_notices(&self, query: &NoticeQuery) -> Result<NoticePage> {
        self.memory.list_notices(query).await
    }

    async fn stats(&self) -> Result<StoreStats> {
        self.memory.stats().await
    }

    async fn totals(&self, query: &TotalsQuery) -> Result<Vec<Total>> {
        self.memory.totals(query).await
    }

    async fn get_document(&self, namespace: &str, key: &str) -> Result<Option<Document>> {
        self.memory.get_document(namespace, key).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use stationthis_core::testkit::campaign::{OpenStore, Scenario, play_over};
    use stationthis_core::testkit::{ScriptedProvider, StoreFixture};
    use stationthis_core::{RunRequest, Station, TaskStatus};

    use super::*;

    async fn fresh() -> StoreFixture {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new().with_inbox_max(16);
        let store = JournalStore::open(&folder.path().join("journal"), memory).await.unwrap();
        StoreFixture::new(Arc::new(store)).with_inbox_max(16).keeping(folder)
    }

    stationthis_core::store_suite!(fresh);

    /// What the suite cannot know: how this store comes back.
    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let provider = ScriptedProvider::new().unwrap();
        let open = async || {
            let store = JournalStore::open(&path, MemoryStore::new()).await?;
            Station::builder().provider(Arc::new(provider.clone())).store(Arc::new(store)).instance("one").build()
        };

        let station = open().await.unwrap();
        station.refresh().await.unwrap();
        let inputs = serde_json::from_str(r#"{ "prompt": "a red fox" }"#).unwrap();
        let ada = CallerId::new("ada").unwrap();
        let task = station.as_caller(ada.clone()).run(RunRequest::new("echo", inputs)).await.unwrap();
        while station.tick().await.unwrap() > 0 {}
        let before = station.as_caller(ada.clone()).task(task.task_id).await.unwrap();
        assert_eq!(before.state.status, TaskStatus::Queued);
        drop(station);

        // The process died in the middle of a line.
        let whole = std::fs::read(&path).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"insert\":{\"ta").unwrap();
        let station = open().await.unwrap();
        assert_eq!(station.as_caller(ada).task(task.task_id).await.unwrap(), before);
        drop(station);
        assert_eq!(std::fs::read(&path).unwrap(), whole, "half a line is cut off");
        assert_eq!(provider.script().calls.submit, 1);
    }

    /// Stations that die at random writes, over a journal that is opened again each time.
    #[test]
    fn whole_stations_die_and_lose_nothing() {
        for seed in 1..=6 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("journal");
            let open: OpenStore = Arc::new(move || {
                let path = path.clone();
                Box::pin(async move {
                    let store: Arc<dyn TaskStore> = Arc::new(JournalStore::open(&path, MemoryStore::new()).await?);
                    Ok(store)
                })
            });
            let outcome = play_over(&Scenario::hostile(seed, 8), open).unwrap();
            assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
        }
    }
}
