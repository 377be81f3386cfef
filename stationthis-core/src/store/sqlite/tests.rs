mod backup;

use std::sync::Arc;

use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::testkit::StoreFixture;
use crate::testkit::store_suite::fixtures::{any, at, claim, commit, event, full_task, insert, kept, task};

async fn fresh() -> StoreFixture {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await.with_inbox_max(300);
    StoreFixture::new(Arc::new(store)).with_inbox_max(300).keeping(dir)
}

crate::store_suite!(fresh);

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("station.db")
}

async fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(file(dir)).await.unwrap()
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    assert_eq!(store.path(), file(&dir));
    let record = full_task();
    insert(&store, &record).await;
    let record = commit(&store, Change::new(record, vec![event(1)])).await;
    let hook = InboxItem::new(record.provider_id.clone(), Some(record.task_id), "POST", Bytes::new(), None, at(1));
    let number = kept(&store, &hook).await;
    store.put_document("cards", "a", None, Bytes::from_static(b"{}")).await.unwrap();
    store.claim_due(&claim("a", at(1)), &any()).await.unwrap();
    let events = store.events(&EventQuery::default()).await.unwrap();
    drop(store);

    let store = open(&dir).await;
    assert_eq!(store.get(record.task_id).await.unwrap().as_ref(), Some(&record));
    assert_eq!(store.events(&EventQuery::default()).await.unwrap(), events);
    assert_eq!(store.get_document("cards", "a").await.unwrap().unwrap().version, 1);
    assert_eq!(store.claim_due(&claim("b", at(2)), &any()).await.unwrap().next_at, Some(at(61)), "the lease, too");
    assert_eq!(store.claim_inbox(&claim("b", at(2))).await.unwrap().items, [(number, hook.clone())]);
    assert_eq!(insert(&store, &task("anna")).await, 3, "numbers go on");
    store.finish_inbox(&[number], InboxOutcome::Dropped).await.unwrap();
    assert!(kept(&store, &hook).await > number);
}

#[tokio::test]
async fn sums_of_the_first_schema_are_kept_by_their_month() {
    let dir = TempDir::new().unwrap();
    let first = include_str!("schema/0001_tasks.sql");
    let conn = Connection::open(file(&dir)).unwrap();
    let migrations = "CREATE TABLE schema_migration (position INTEGER PRIMARY KEY, name TEXT, sha256 TEXT) STRICT;";
    conn.execute_batch(&format!("{migrations}{first}")).unwrap();
    let hash = crate::hex(&<sha2::Sha256 as sha2::Digest>::digest(first));
    conn.execute("INSERT INTO schema_migration VALUES (1, '0001_tasks', ?1)", [hash]).unwrap();
    conn.execute("INSERT INTO total VALUES ('2026-10', 'anna', 'p:t', 3, 7, 1)", []).unwrap();
    drop(conn);
    let store = open(&dir).await;
    for by_day in [false, true] {
        let totals = store.totals(&TotalsQuery { by_day, ..TotalsQuery::default() }).await.unwrap();
        let [total] = totals.as_slice() else { panic!("{totals:?}") };
        assert_eq!((total.month.as_str(), total.day.as_ref(), total.tasks, total.unknown), ("2026-10", None, 3, 1));
    }
}

#[tokio::test]
async fn a_look_needs_no_open_store_and_makes_nothing() {
    let dir = TempDir::new().unwrap();
    assert_eq!(SqliteStore::stored_tools(file(&dir)).unwrap_err().kind(), ErrorKind::StoreUnavailable);
    assert!(!file(&dir).exists());
    let store = open(&dir).await;
    assert_eq!(SqliteStore::stored_tools(file(&dir)).unwrap(), []);
    let catalogue = r#"{"v":1,"savedAt":"2026-11-25T00:00:00Z","providers":[],"names":[],"tools":[]}"#;
    store.put_document("registry", "catalogue", None, Bytes::from_static(catalogue.as_bytes())).await.unwrap();
    assert_eq!(SqliteStore::stored_tools(file(&dir)).unwrap(), []);
    store.put_document("registry", "catalogue", Some(1), Bytes::from_static(b"{}")).await.unwrap();
    assert_eq!(SqliteStore::stored_tools(file(&dir)).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn dropping_closes_the_database() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    insert(&store, &task("anna")).await;
    let log = dir.path().join("station.db-wal");
    assert!(log.exists());
    drop(store);
    assert!(!log.exists(), "the last connection to close removes the log");
}

#[tokio::test]
async fn many_commits_at_once_are_all_durable() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let tasks: Vec<_> = (0..64).map(|i| task(&format!("caller-{i}"))).collect();
    join_all(tasks.iter().map(|task| insert(&store, task))).await;
    let changes: Vec<_> = tasks.iter().map(|task| Change::new(task.clone(), vec![event(1)])).collect();
    // One of them loses a race against itself: it alone is stale.
    let twice = changes.iter().chain(&changes[..1]);
    let answers = join_all(twice.map(|change| store.commit(1, change))).await;
    let done = answers.iter().filter(|answer| matches!(answer, Ok(Committed::Done { revision: 2, .. }))).count();
    assert_eq!((done, answers.len()), (64, 65));
    assert!(answers.iter().any(|answer| matches!(answer, Ok(Committed::Stale(_)))));
    drop(store);

    let store = open(&dir).await;
    for task in &tasks {
        assert_eq!(store.get(task.task_id).await.unwrap().unwrap().revision, 2);
    }
    let events = store.events(&EventQuery::default()).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=128).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(open(&dir).await);
    let conn = Connection::open(file(&dir)).unwrap();
    conn.execute("INSERT INTO schema_migration VALUES (4, '0004_future', '')", []).unwrap();
    let error = SqliteStore::open(file(&dir)).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreUnavailable, Retry::Never));
    assert!(error.message().unwrap().contains("newer version"), "{error}");
    conn.execute("DELETE FROM schema_migration WHERE position = 4", []).unwrap();
    open(&dir).await;
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    let dir = TempDir::new().unwrap();
    let check = async |kind, sentence: &str| {
        let error = SqliteStore::open(file(&dir)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, Retry::Never), "{error}");
        assert!(error.message().unwrap().contains(sentence), "{error}");
    };
    std::fs::write(file(&dir), "not a database, but long enough to look like something".repeat(40)).unwrap();
    check(ErrorKind::Corrupt, "not an SQLite database").await;
    std::fs::remove_file(file(&dir)).unwrap();
    Connection::open(file(&dir)).unwrap().execute("CREATE TABLE bookmarks (url TEXT)", []).unwrap();
    check(ErrorKind::Corrupt, "another program").await;
    std::fs::remove_file(file(&dir)).unwrap();
    drop(open(&dir).await);
    Connection::open(file(&dir)).unwrap().execute("UPDATE schema_migration SET sha256 = 'x'", []).unwrap();
    check(ErrorKind::Corrupt, "schema").await;
    let missing = dir.path().join("no").join("such.db");
    assert_eq!(SqliteStore::open(missing).await.unwrap_err().kind(), ErrorKind::StoreUnavailable);
}

#[tokio::test]
async fn a_locked_database_is_unavailable_and_recovers() {
    let dir = TempDir::new().unwrap();
    let store = SqliteStore::open_with(file(&dir), Duration::from_millis(20)).await.unwrap();
    let (first, second) = (task("anna"), task("bert"));
    insert(&store, &first).await;
    let other = Connection::open(file(&dir)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = store.insert(&second, &[event(0)]).await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreUnavailable, Retry::Backoff));
    assert!(error.message().unwrap().contains("locked"), "{error}");
    assert_eq!(store.get(first.task_id).await.unwrap(), Some(first), "reads go on");
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(insert(&store, &second).await, 2);
}

#[tokio::test]
async fn a_page_of_large_records_ends_early_and_the_next_goes_on() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut record = task("anna");
        let bytes = if n < 3 { 4 * 1024 * 1024 } else { 9 * 1024 * 1024 };
        record.inputs_asked.insert("image".to_owned(), "x".repeat(bytes).into());
        insert(&store, &record).await;
        ids.push(record.task_id);
    }
    let (mut query, mut pages) = (TaskQuery::default(), Vec::new());
    loop {
        let page = store.list(&query).await.unwrap();
        pages.push(page.tasks.iter().map(|task| task.task_id).collect::<Vec<_>>());
        match page.next {
            Some(next) => query.before = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [vec![ids[3]], vec![ids[2], ids[1]], vec![ids[0]]]);
}

#[tokio::test]
async fn an_unreadable_record_stops_nobody_else() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let (bad, good) = (task("anna"), task("anna"));
    insert(&store, &bad).await;
    insert(&store, &good).await;
    let other = Connection::open(file(&dir)).unwrap();
    other.execute("UPDATE task SET record = '{' WHERE task_id = ?1", [bad.task_id.as_bytes()]).unwrap();
    assert_eq!(store.get(bad.task_id).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.claim_due(&claim("a", at(1)), &any()).await.unwrap().items, [good]);
}

#[tokio::test]
async fn two_processes_share_a_file() {
    let dir = TempDir::new().unwrap();
    let (one, two) = (open(&dir).await, open(&dir).await);
    let (first, second) = (task("anna"), task("anna"));
    insert(&one, &first).await;
    assert_eq!(insert(&two, &second).await, 2, "they number their events together");
    assert_eq!(two.get(first.task_id).await.unwrap().as_ref(), Some(&first));
    let single = Claim { limit: 1, ..claim("one", at(1)) };
    assert_eq!(one.claim_due(&single, &any()).await.unwrap().items, std::slice::from_ref(&first));
    assert_eq!(two.claim_due(&claim("two", at(1)), &any()).await.unwrap().items, [second]);
    let first = commit(&two, Change::new(first, vec![])).await;
    let stale = one.commit(1, &Change::new(first.clone(), vec![])).await.unwrap();
    assert_eq!(stale, Committed::Stale(Box::new(first)));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_recovers() {
    let dir = TempDir::new().unwrap();
    let store = open(&dir).await;
    let first = task("anna");
    insert(&store, &first).await;
    let limit = async |pages: i64| {
        let set = move |conn: &Connection| -> Ran<i64> {
            Ok(conn.pragma_update_and_check(None, "max_page_count", pages, |row| row.get(0))?)
        };
        store.writer.run("limit", set).await.unwrap()
    };
    // The limit cannot be below what is in use: no further page then.
    limit(1).await;
    let body = Bytes::from(vec![0; 100_000]);
    let change = Change::new(first.clone(), vec![]);
    let (big, small) = tokio::join!(store.put_document("big", "a", None, body.clone()), store.commit(1, &change));
    let error = big.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::StoreUnavailable, Retry::Backoff));
    assert!(error.message().unwrap().contains("full"), "{error}");
    // The one that shared the transaction is whole or absent, and its answer says which.
    let revision = store.get(first.task_id).await.unwrap().unwrap().revision;
    assert_eq!(revision, if small.is_ok() { 2 } else { 1 });
    limit(1_000_000).await;
    assert_eq!(store.put_document("big", "a", None, body).await.unwrap(), Put::Done(1));
}
