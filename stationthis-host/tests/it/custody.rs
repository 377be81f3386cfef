//! Outputs in custody, over real HTTP.

#[path = "custody/bucket.rs"]
mod bucket;
#[path = "custody/stage.rs"]
mod stage;

use std::time::Duration;

use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{ErrorKind, Timestamp};
use stationthis_host::housekeeping;

use bucket::{Conduct, PICTURE};
use stage::{Stage, files_in, request};

fn picture(url: &str) -> Output {
    let mut picture = Output::file(OutputKind::Image, url);
    (picture.filename, picture.mime) = (Some("a.png".to_owned()), Some("image/png".to_owned()));
    picture
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_kept_is_served_when_its_url_has_died_whole_and_in_part_to_its_caller_alone() {
    let stage = Stage::new(1).await;
    let task = stage.run(vec![picture(&stage.bucket.url("/a.png?sig=1")), Output::text("a caption")]).await;
    assert_eq!(task.state.status, TaskStatus::Completed, "{:?}", task.state.keeping);
    let kept = task.state.outputs[0].custody.clone().unwrap();
    assert_eq!(kept.blake3, blake3::hash(PICTURE).to_hex().to_string());
    assert_eq!((kept.bytes, kept.mime.as_str()), (PICTURE.len() as u64, "image/png"));
    assert_eq!(std::fs::read(stage.folder().join(&kept.key)).unwrap(), PICTURE);
    assert_eq!(task.state.outputs[0].url.as_deref(), Some(stage.bucket.url("/a.png?sig=1").as_str()));

    stage.bucket.set(Conduct::Status(403));
    let asked = stage.bucket.asked();
    let whole = stage.content("ada", &task, 0, None).await;
    assert_eq!((whole.status().as_u16(), header(&whole, "content-type")), (200, "image/png".to_owned()));
    assert_eq!((whole.content_length(), whole.bytes().await.unwrap().as_ref()), (Some(kept.bytes), PICTURE));
    let part = stage.content("ada", &task, 0, Some("bytes=2-4")).await;
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 2-4/23".to_owned()));
    assert_eq!(part.bytes().await.unwrap(), PICTURE[2..5]);
    let end = stage.content("ada", &task, 0, Some("bytes=-3")).await;
    assert_eq!(end.bytes().await.unwrap(), PICTURE[PICTURE.len() - 3..]);
    let beyond = stage.content("ada", &task, 0, Some("bytes=99-")).await;
    assert_eq!((beyond.status().as_u16(), header(&beyond, "content-range")), (416, "bytes */23".to_owned()));
    assert_eq!(stage.content("bob", &task, 0, None).await.status(), 404, "another caller's");
    assert_eq!(stage.content("ada", &task, 1, None).await.text().await.unwrap(), "a caption");
    assert_eq!(stage.bucket.asked(), asked, "the service is not asked for what is here");

    // What somebody removed from the folder is fetched as if it had never been kept.
    std::fs::remove_file(stage.folder().join(&kept.key)).unwrap();
    stage.bucket.set(Conduct::Well);
    assert_eq!(stage.content("ada", &task, 0, None).await.bytes().await.unwrap(), PICTURE);
    assert_eq!(stage.bucket.asked(), asked + 1);
}

#[tokio::test]
async fn a_url_that_died_is_renewed_and_the_picture_kept() {
    let stage = Stage::new(1).await;
    stage.bucket.good_signature(2);
    let (old, new) = (picture(&stage.bucket.url("/a.png?sig=1")), picture(&stage.bucket.url("/a.png?sig=2")));
    stage.answers(vec![vec![old], vec![new]]);
    let task = stage.ended().await;
    assert_eq!(task.state.status, TaskStatus::Completed, "{:?}", task.state.keeping);
    assert_eq!(
        std::fs::read(stage.folder().join(&task.state.outputs[0].custody.as_ref().unwrap().key)).unwrap(),
        PICTURE
    );
}

/// Each ends the task at once, with a sentence that says why, and leaves nothing behind.
#[tokio::test]
async fn what_never_will_be_kept_is_a_failure_that_says_why() {
    let cases = [
        (Conduct::Well, "/film.mp4", "What should be a picture is video/mp4."),
        (Conduct::Bytes(2 << 20, true), "/a.png", "larger than 1 MiB"),
        (Conduct::Bytes(2 << 20, false), "/a.png", "larger than 1 MiB"),
        (Conduct::Well, "http://169.254.169.254/a.png", "private"),
        (Conduct::Well, "http://127.0.0.2:1/a.png", "private"),
        (Conduct::Well, "ftp://b.example/a.png", "Only http and https"),
    ];
    for (conduct, path, why) in cases {
        let stage = Stage::new(1).await;
        stage.bucket.set(conduct);
        let url = if path.starts_with('/') { stage.bucket.url(&format!("{path}?sig=1")) } else { path.to_owned() };
        let task = stage.run(vec![picture(&url)]).await;
        let reason = task.state.status_reason.clone().unwrap_or_else(|| panic!("{path}: {:?}", task.state));
        assert_eq!((task.state.status, reason.code.as_str()), (TaskStatus::Failed, "notKept"), "{path}");
        assert!(reason.message.contains(why) && !reason.message.contains("sig="), "{path}: {}", reason.message);
        assert!(task.state.needs_review() && task.state.cost_usd.is_some(), "{path}: it ran, and is charged");
        assert_eq!(files_in(stage.folder()), Vec::<String>::new(), "{path}");
    }
}

/// Each is tried again, and kept when all is well.
#[tokio::test]
async fn what_may_pass_is_waited_for() {
    let cases = [
        (Conduct::Page, "text/html"),
        (Conduct::Status(503), "it answers 503."),
        (Conduct::Status(302), "it answers 302."),
        (Conduct::Status(206), "it answers 206."),
        (Conduct::Bytes(0, true), "is empty"),
        (Conduct::BreaksOff(4096), "cannot be fetched"),
    ];
    for (conduct, why) in cases {
        let stage = Stage::new(1).await;
        stage.bucket.set(conduct);
        let task = stage.run(vec![picture(&stage.bucket.url("/a.png?sig=1"))]).await;
        assert_eq!(task.state.status, TaskStatus::Finalizing, "{conduct:?}: {:?}", task.state.status_reason);
        let failure = task.state.keeping.unwrap().failure.unwrap();
        assert!(failure.message.contains(why), "{conduct:?}: {}", failure.message);
        stage.bucket.set(Conduct::Well);
        stage.pass(60).await;
        assert_eq!(stage.task(task.task_id).await.state.status, TaskStatus::Completed, "{conduct:?}");
    }
}

#[tokio::test]
async fn what_was_kept_and_not_remembered_is_found_again_without_its_url() {
    let stage = Stage::new(1).await;
    let wish = request(picture(&stage.bucket.url("/a.png?sig=1")));
    let first = stage.keep(&wish).await.unwrap();
    stage.bucket.set(Conduct::Status(404));
    let asked = stage.bucket.asked();
    assert_eq!(stage.keep(&wish).await.unwrap(), first);
    assert_eq!(stage.bucket.asked(), asked);
    let mut other = wish.clone();
    other.output.url = Some(stage.bucket.url("/b.png?sig=1"));
    assert_eq!(stage.keep(&other).await.unwrap_err().kind(), ErrorKind::Gone, "another run's in its place");
}

/// Larger than what is written at a time.
#[tokio::test]
async fn a_large_output_is_written_in_parts_and_what_breaks_off_leaves_nothing() {
    const LARGE: usize = 12 << 20;
    let stage = Stage::new(32).await;
    let wish = request(picture(&stage.bucket.url("/a.png?sig=1")));
    stage.bucket.set(Conduct::BreaksOff(LARGE));
    assert_eq!(stage.keep(&wish).await.unwrap_err().kind(), ErrorKind::Unavailable);
    stage.until_empty().await;
    // Whoever asked is gone while it comes.
    stage.bucket.set(Conduct::Stalls(LARGE));
    tokio::select! {
        kept = stage.keep(&wish) => panic!("{kept:?}"),
        () = stage.until_written() => {}
    }
    stage.until_empty().await;
    stage.bucket.set(Conduct::Bytes(LARGE, false));
    let kept = stage.keep(&wish).await.unwrap();
    assert_eq!(kept.bytes, LARGE as u64);
    assert_eq!(kept.blake3, blake3::hash(&bucket::content(LARGE)).to_hex().to_string());
    assert_eq!(files_in(stage.folder()), [kept.key]);
}

#[tokio::test]
async fn outputs_go_with_their_tasks() {
    let stage = Stage::new(1).await;
    let gone = stage.run(vec![picture(&stage.bucket.url("/a.png?sig=1"))]).await;
    // The film ends it as failed and for review: it stays, with the picture that was kept.
    let film = picture(&stage.bucket.url("/film.mp4?sig=1"));
    let stays = stage.run(vec![picture(&stage.bucket.url("/a.png?sig=1")), film]).await;
    assert!(stays.state.needs_review());
    let key = |task: &stationthis_core::TaskRecord| task.state.outputs[0].custody.clone().unwrap().key;
    // Another host's, at the same place.
    let others = key(&gone).replacen("host", "another", 1);
    std::fs::create_dir_all(stage.folder().join(&others).parent().unwrap()).unwrap();
    std::fs::write(stage.folder().join(&others), PICTURE).unwrap();

    let (day, now) = (Duration::from_secs(24 * 3600), Timestamp::now());
    let early = housekeeping::prune(&stage.station, Some(&stage.custody), 1, now).await.unwrap();
    assert_eq!((early.pruned, early.outputs), (1, 0), "it was kept just now");
    let late = housekeeping::prune(&stage.station, Some(&stage.custody), 1, now.plus(day * 2)).await.unwrap();
    assert_eq!((late.pruned, late.outputs), (0, 1));
    let mut left = [key(&stays), others];
    left.sort();
    assert_eq!(files_in(stage.folder()), left);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told_before_it_is_needed() {
    let stage = Stage::new(1).await;
    stage.custody.check().await.unwrap();
    assert_eq!(files_in(stage.folder()), Vec::<String>::new());
    std::fs::remove_dir_all(stage.folder()).unwrap();
    std::fs::write(stage.folder(), "no folder").unwrap();
    let error = stage.custody.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    let name = stage.folder().display().to_string();
    assert!(!error.to_string().contains(&name), "callers see this: {error}");
}
