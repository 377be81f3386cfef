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
async fn sizes_and_quotas_hold_and_what_is_refused_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = open(&dir, Timestamp::now());
    let large = put(&files, "ada", &[PNG, &[0; 9]].concat()).await.unwrap_err();
    assert_eq!(large.kind(), ErrorKind::TooLarge);
    assert_eq!(put(&files, "ada", b"hello").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(names(&dir), 0);
    let first = put(&files, "ada", PNG).await.unwrap();
    put(&files, "ada", PNG).await.unwrap();
    assert_eq!(put(&files, "ada", PNG).await.unwrap_err().kind(), ErrorKind::TooLarge, "6 of 30 bytes are left");
    put(&files, "eve", PNG).await.unwrap();
    let (mut one, mut two) = (files.begin(&caller("bob")).await.unwrap(), files.begin(&caller("bob")).await.unwrap());
    for incoming in [&mut one, &mut two] {
        incoming.write(PNG).await.unwrap();
        incoming.write(&[0; 8]).await.unwrap();
    }
    one.finish(None, None).await.unwrap();
    assert_eq!(two.finish(None, None).await.unwrap_err().kind(), ErrorKind::TooLarge, "both at once are too much");
    assert_eq!(names(&dir), 8);
    files.remove(&caller("ada"), &first.file_id, Timestamp::now()).await.unwrap();
    put(&files, "ada", PNG).await.unwrap();
    assert_eq!(names(&dir), 8);
}
