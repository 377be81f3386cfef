use tempfile::TempDir;

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

fn caller(name: &str) -> CallerId {
    CallerId::new(name).unwrap()
}

fn open(dir: &TempDir, now: Timestamp) -> Files {
    Files::open(dir.path().join("files"), FileLimits::new(20, 30, Duration::from_secs(3600)), now).unwrap()
}

async fn put(files: &Files, owner: &str, content: &[u8]) -> Result<StoredFile> {
    let mut incoming = files.begin(&caller(owner)).await?;
    for piece in content.chunks(5) {
        incoming.write(piece).await?;
    }
    incoming.finish(None, Some("a\ncat.png")).await
}

fn names(dir: &TempDir) -> usize {
    std::fs::read_dir(dir.path().join("files")).unwrap().count()
}

#[tokio::test]
async fn a_file_is_its_owners_survives_a_restart_and_has_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp::now();
    let files = open(&dir, now);
    let file = put(&files, "ada", PNG).await.unwrap();
    assert_eq!((file.mime.as_str(), file.bytes, file.filename.as_deref()), ("image/png", 12, Some("acat.png")));
    assert_eq!(file.sha256, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(PNG)));
    drop(files);
    // What a crash may leave behind.
    for stray in ["lost", "lost.part", "alone.json"] {
        std::fs::write(dir.path().join("files").join(stray), "{}").unwrap();
    }
    let files = open(&dir, now);
    assert_eq!(names(&dir), 2);
    assert_eq!(files.get(&caller("ada"), &file.file_id, now).unwrap(), file);
    assert_eq!(files.get(&caller("eve"), &file.file_id, now).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files.remove(&caller("eve"), &file.file_id, now).await.unwrap_err().kind(), ErrorKind::NotFound);
    let read = files.read(&caller("ada"), &file.uri.parse().unwrap()).await.unwrap();
    assert_eq!((read.bytes.as_ref(), read.filename), (PNG, format!("{}.png", file.file_id)));
    let end = file.expires_at;
    assert_eq!(files.get(&caller("ada"), &file.file_id, end).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(files.sweep(end).await.unwrap(), 1);
    assert_eq!(names(&dir), 0);
}

#[tokio::test]
async fn a_file_sent_again_is_the_same_file_and_its_end_is_put_off() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir, Timestamp::now());
    let first = put(&files, "ada", PNG).await.unwrap();
    let mut nameless = files.begin(&caller("ada")).await.unwrap();
    nameless.write(PNG).await.unwrap();
    let again = nameless.finish(Some("image/png"), None).await.unwrap();
    assert!(again.expires_at > first.expires_at);
    assert_eq!(again, StoredFile { expires_at: again.expires_at, ..first.clone() });
    assert_eq!(names(&dir), 2);
    drop(files);
    let files = open(&dir, first.expires_at);
    assert_eq!(files.get(&caller("ada"), &first.file_id, first.expires_at).unwrap(), again, "the new end is durable");
    // What nobody may learn from: another's file of the same content has another name.
    let hers = put(&files, "eve", PNG).await.unwrap();
    assert_ne!(hers.file_id, first.file_id);
    let ids = ["ada", "eve"].map(|owner| id_of(&caller(owner), "video/mp4", PNG));
    assert!(ids[0] != ids[1] && !ids.contains(&id_of(&caller("ada"), "audio/mp4", PNG)), "the type tells files apart");
    assert!(!ids.contains(&id_of(&caller("4ada"), "video/mp", PNG)));
    // One that was removed, or has ended, comes back.
    files.remove(&caller("ada"), &first.file_id, first.expires_at).await.unwrap();
    assert_eq!(files.get(&caller("ada"), &first.file_id, first.expires_at).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(put(&files, "ada", PNG).await.unwrap().file_id, first.file_id);
    assert_eq!(names(&dir), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_sent_at_once_and_removed_meanwhile_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir, Timestamp::now());
    let id = id_of(&caller("ada"), "image/png", &Sha256::digest(PNG));
    for round in 0..20 {
        let send = async {
            let files = files.clone();
            tokio::spawn(async move { put(&files, "ada", PNG).await }).await.unwrap()
        };
        let remove = async {
            let (files, id) = (files.clone(), id.clone());
            tokio::spawn(async move { files.remove(&caller("ada"), &id, Timestamp::now()).await }).await.unwrap()
        };
        let (one, removed, two) = tokio::join!(send, remove, async {
            let files = files.clone();
            tokio::spawn(async move { put(&files, "ada", PNG).await }).await.unwrap()
        });
        assert_eq!((one.unwrap().file_id, two.unwrap().file_id), (id.clone(), id.clone()));
        assert!(removed.is_ok() || removed.unwrap_err().kind() == ErrorKind::NotFound);
        let there = files.content(&caller("ada"), &id, Timestamp::now()).await;
        assert!(there.is_ok() || there.unwrap_err().kind() == ErrorKind::NotFound, "round {round}");
        assert_eq!(names(&dir), if files.get(&caller("ada"), &id, Timestamp::now()).is_ok() { 2 } else { 0 });
    }
}

#[tokio::test]
async fn sizes_and_quotas_hold_and_what_is_refused_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir, Timestamp::now());
    let other = &[PNG, b"1"].concat();
    let large = put(&files, "ada", &[PNG, &[0; 9]].concat()).await.unwrap_err();
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    assert_eq!(put(&files, "ada", b"hello").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(names(&dir), 0);
    let first = put(&files, "ada", PNG).await.unwrap();
    put(&files, "ada", other).await.unwrap();
    let third = &[PNG, b"2"].concat();
    assert_eq!(put(&files, "ada", third).await.unwrap_err().kind(), ErrorKind::TooLarge, "5 of 30 bytes are left");
    put(&files, "ada", other).await.expect("what is here needs no room");
    put(&files, "eve", PNG).await.unwrap();
    let (mut one, mut two) = (files.begin(&caller("bob")).await.unwrap(), files.begin(&caller("bob")).await.unwrap());
    for (incoming, end) in [(&mut one, b"1"), (&mut two, b"2")] {
        incoming.write(PNG).await.unwrap();
        incoming.write(&[0; 7]).await.unwrap();
        incoming.write(end).await.unwrap();
    }
    one.finish(None, None).await.unwrap();
    assert_eq!(two.finish(None, None).await.unwrap_err().kind(), ErrorKind::TooLarge, "both at once are too much");
    assert_eq!(names(&dir), 8);
    files.remove(&caller("ada"), &first.file_id, Timestamp::now()).await.unwrap();
    put(&files, "ada", third).await.unwrap();
    assert_eq!(names(&dir), 8);
}
