//! Backups.

use bytes::Bytes;
use tempfile::TempDir;

use super::{full_task, insert, open, task};
use crate::error::ErrorKind;
use crate::id::TaskId;
use crate::store::{Document, EventQuery, RESTORED_DOCUMENT, SqliteStore, TaskStore};
use crate::testkit::store_suite::fixtures::at;
use crate::time::Timestamp;

async fn mark_of(store: &SqliteStore) -> Option<Document> {
    let (namespace, key) = RESTORED_DOCUMENT;
    store.get_document(namespace, key).await.unwrap()
}

#[tokio::test]
async fn a_backup_is_whole_and_knows_that_it_is_one() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let (first, copy) = (full_task(), dir.path().join("copy.db"));
    insert(&store, &first).await;
    store.backup(&copy, at(50)).await.unwrap();
    insert(&store, &task("anna")).await;
    let error = store.backup(&copy, at(51)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "nothing is overwritten");

    let restored = SqliteStore::open(&copy).await.unwrap();
    assert_eq!(restored.get(first.task_id).await.unwrap(), Some(first));
    assert_eq!(restored.events(&EventQuery::default()).await.unwrap().len(), 1, "as it was then");
    let mark = mark_of(&restored).await.unwrap();
    assert_eq!(serde_json::from_slice::<Timestamp>(&mark.bytes).unwrap(), at(50));
    assert_eq!(mark_of(&store).await, None, "the store itself is none");
    // A backup of a restored store says when it was made itself.
    let again = dir.path().join("again.db");
    restored.backup(&again, at(60)).await.unwrap();
    let again = SqliteStore::open(&again).await.unwrap();
    let mark = mark_of(&again).await.unwrap();
    assert_eq!(serde_json::from_slice::<Timestamp>(&mark.bytes).unwrap(), at(60));
}

#[tokio::test]
async fn a_backup_holds_up_no_writer() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    for _ in 0..200 {
        store.put_document("big", &TaskId::generate().to_string(), None, Bytes::from(vec![7; 20_000])).await.unwrap();
    }
    let copy = dir.path().join("copy.db");
    let writes = async {
        for _ in 0..20 {
            insert(&store, &task("anna")).await;
        }
    };
    let (copied, ()) = tokio::join!(store.backup(&copy, at(0)), writes);
    copied.unwrap();
    let found = SqliteStore::open(&copy).await.unwrap().events(&EventQuery::default()).await.unwrap();
    assert!(found.iter().map(|event| event.seq).eq(1..=u64::try_from(found.len()).unwrap()), "a moment, not a mixture");
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let copy = dir.path().join("copy.db");
    let nowhere = dir.path().join("no").join("copy.db");
    assert_eq!(store.backup(&nowhere, at(0)).await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
    // Somebody else's copy under way, or a broken one: not ours to remove.
    let partial = dir.path().join("copy.db.partial");
    std::fs::write(&partial, "left behind").unwrap();
    assert_eq!(store.backup(&copy, at(0)).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(partial.exists() && !copy.exists());
    std::fs::remove_file(&partial).unwrap();
    // What fails on the way is cleared away: a database that cannot be read.
    let other = rusqlite::Connection::open(store.path()).unwrap();
    other.execute_batch("DROP TABLE document").unwrap();
    store.backup(&copy, at(0)).await.unwrap_err();
    assert!(!partial.exists() && !copy.exists());
}
