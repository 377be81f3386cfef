//! Files as inputs: whose they are, and that they are with the service before a task is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use serde_json::{Value, json};
use stationthis_core::cost::{RateCard, RateKey, Unit};
use stationthis_core::media::{FileUri, MediaSource};
use stationthis_core::provider::{UploadFile, UploadedFile};
use stationthis_core::station::{FILES_MAX, RunRequest, Station};
use stationthis_core::store::MemoryStore;
use stationthis_core::task::replay;
use stationthis_core::testkit::{ManualClock, ScriptedProvider};
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::{
    CallerId, Clock, Error, ErrorKind, IdempotencyKey, JsonDoc, Result, Retry, TaskRecord, TaskStatus, ToolDefinition,
};

use crate::bench::{caller, inputs, start, success};

/// Files in memory.
#[derive(Debug, Default)]
struct Shelf {
    files: Mutex<BTreeMap<String, (CallerId, UploadFile)>>,
    /// Reading takes for ever.
    stuck: AtomicBool,
}

impl Shelf {
    fn put(&self, owner: &str, id: &str, mime: &str) -> String {
        let file = UploadFile::new(format!("{id}.png"), mime, Bytes::from(id.to_owned()));
        self.files.lock().unwrap().insert(id.to_owned(), (caller(owner), file));
        FileUri::new(id).unwrap().to_string()
    }

    fn find(&self, caller: &CallerId, file: &FileUri) -> Result<UploadFile> {
        let shelf = self.files.lock().unwrap();
        let found = shelf.get(file.id()).filter(|(owner, _)| owner == caller);
        found.map(|(_, file)| file.clone()).ok_or_else(|| Error::new(ErrorKind::NotFound, "find file"))
    }
}

#[async_trait]
impl MediaSource for Shelf {
    async fn media_type(&self, caller: &CallerId, file: &FileUri) -> Result<String> {
        Ok(self.find(caller, file)?.content_type)
    }

    async fn read(&self, caller: &CallerId, file: &FileUri) -> Result<UploadFile> {
        if self.stuck.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.find(caller, file)
    }
}

struct Stage {
    provider: ScriptedProvider,
    shelf: Arc<Shelf>,
    clock: Arc<ManualClock>,
    station: Station,
}

/// A tool with a picture, and further ones in a list.
fn tool(provider: &ScriptedProvider) -> (ToolDefinition, RateCard) {
    let mut tool = provider.tool().unwrap();
    tool.input_schema = JsonDoc::from_value(&json!({
        "type": "object",
        "properties": {
            "prompt": { "type": "string" },
            "image": { "type": "string", "format": "uri", "contentMediaType": "image/*" },
            "extras": { "type": "array", "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" } }
        },
        "additionalProperties": false
    }));
    let rate = "0.0005".parse().unwrap();
    (tool, RateCard::new("test").with(RateKey::Resource("GPU".to_owned()), rate, Unit::Second))
}

impl Stage {
    async fn new(provider: ScriptedProvider) -> Self {
        let (tool, card) = tool(&provider);
        let provider = provider.offering(tool, card);
        let (shelf, clock) = (Arc::new(Shelf::default()), Arc::new(ManualClock::starting_at(start())));
        let station = Station::builder()
            .provider(Arc::new(provider.clone()))
            .store(Arc::new(MemoryStore::new()))
            .clock(clock.clone())
            .media(shelf.clone())
            .instance("stage")
            .build()
            .unwrap();
        station.refresh().await.unwrap();
        Self { provider, shelf, clock, station }
    }

    async fn taking_files() -> Self {
        Self::new(ScriptedProvider::new().unwrap().with_uploads()).await
    }

    async fn run(&self, given: Value) -> Result<TaskRecord> {
        self.station.as_caller(caller("ada")).run(RunRequest::new("echo", inputs(&given))).await
    }

    async fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            while self.station.tick().await.unwrap() > 0 {}
        }
    }

    async fn task(&self, task: &TaskRecord) -> TaskRecord {
        let explained = self.station.admin().explain(task.task_id).await.unwrap();
        assert!(explained.replays, "{:?}", explained.events);
        assert_eq!(
            replay::replay(explained.events.iter().map(|event| &event.event)).unwrap().sent_files,
            explained.task.state.sent_files
        );
        explained.task
    }

    async fn refused(&self, given: Value) -> Vec<(String, String)> {
        let error = self.run(given).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        error.problems().iter().map(|problem| (problem.pointer.clone(), problem.message.clone())).collect()
    }
}

const PIXEL: &str = "data:image/png;base64,iVBORw==";

#[tokio::test]
async fn the_service_has_the_files_before_it_has_the_task_and_the_record_says_so() {
    let stage = Stage::taking_files().await;
    let file = stage.shelf.put("ada", "cat", "image/png");
    let given = json!({ "prompt": PIXEL, "image": file, "extras": ["https://a.example/b.png", PIXEL] });
    let task = stage.run(given.clone()).await.unwrap();
    assert_eq!(task.file_inputs, ["/extras/1", "/image"]);
    stage.provider.script().polls = [success(stage.clock.now())].into();
    stage.pass(5).await;
    {
        let script = stage.provider.script();
        let uploaded: Vec<_> = script.uploaded.iter().map(|file| (file.filename.as_str(), &file.bytes[..])).collect();
        assert_eq!(uploaded, [("input.png", &b"\x89PNG"[..]), ("cat.png", b"cat")]);
        let sent = json!({
            "prompt": PIXEL,
            "image": "https://files.example/2",
            "extras": ["https://a.example/b.png", "https://files.example/1"]
        });
        assert_eq!(Value::Object(script.inputs.clone()), sent);
    }
    let task = stage.task(&task).await;
    assert_eq!(task.state.status, TaskStatus::Completed);
    assert_eq!(Value::Object(task.inputs_asked.clone()), given);
    let file = &task.state.sent_files[1];
    assert_eq!((file.pointer.as_str(), file.url.as_str(), file.bytes), ("/image", "https://files.example/2", 3));
    assert_eq!(file.sha256, "77af778b51abd4a3c51c5ddd97204a9c3ae614ebccb75a606c3b6865aed6744e");
}

#[tokio::test]
async fn a_file_that_is_not_the_callers_or_does_not_fit_is_a_problem_of_its_input() {
    let stage = Stage::taking_files().await;
    let (hers, sound) = (stage.shelf.put("eve", "hers", "image/png"), stage.shelf.put("ada", "sound", "audio/mpeg"));
    let none = "must be a file that is there; there is none of yours of that name.";
    let problems = stage.refused(json!({ "image": hers, "extras": ["stationthis:file/none", sound] })).await;
    let expected = [
        ("/extras/0", format!("extras.0 {none}")),
        ("/extras/1", "extras.1 must be image/*; it is audio/mpeg.".to_owned()),
        ("/image", format!("image {none}")),
    ];
    assert_eq!(problems, expected.map(|(pointer, message)| (pointer.to_owned(), message)));
    let many: Vec<&str> = vec![PIXEL; FILES_MAX + 1];
    assert_eq!(stage.refused(json!({ "extras": many })).await[0].1, "a task takes at most 16 files.");
    let problems = stage.refused(json!({ "image": "stationthis:file/../etc" })).await;
    assert!(problems[0].1.contains("the uri of an uploaded file"), "{problems:?}");
}

#[tokio::test]
async fn a_service_without_uploads_gets_data_urls_as_they_are_and_no_files() {
    let stage = Stage::new(ScriptedProvider::new().unwrap()).await;
    let file = stage.shelf.put("ada", "cat", "image/png");
    let problems = stage.refused(json!({ "image": file })).await;
    assert_eq!(problems[0].1, "image must be a URL: the service of this tool takes no files.");
    let task = stage.run(json!({ "image": PIXEL })).await.unwrap();
    assert!(task.file_inputs.is_empty());
    stage.pass(1).await;
    assert_eq!(stage.provider.script().inputs["image"], PIXEL);
}

#[tokio::test]
async fn what_a_service_takes_as_a_data_url_by_itself_is_not_uploaded() {
    let provider = ScriptedProvider::new().unwrap().with_uploads().with_inline_media(&["image/png"]);
    let stage = Stage::new(provider).await;
    let other = "data:image/webp;base64,UklGRg==";
    let task = stage.run(json!({ "image": PIXEL, "extras": [other] })).await.unwrap();
    assert_eq!(task.file_inputs, ["/extras/0"]);
    stage.pass(1).await;
    let sent = Value::Object(stage.provider.script().inputs.clone());
    assert_eq!((&sent["image"], &sent["extras"][0]), (&json!(PIXEL), &json!("https://files.example/1")));
}

#[tokio::test]
async fn a_file_that_the_service_does_not_take_now_is_given_again_and_nothing_is_submitted_meanwhile() {
    let stage = Stage::taking_files().await;
    let file = stage.shelf.put("ada", "cat", "image/png");
    let busy = || Err(Error::new(ErrorKind::Unavailable, "upload file").with_retry(Retry::Backoff));
    stage.provider.script().uploads = [busy(), busy()].into();
    let task = stage.run(json!({ "image": file })).await.unwrap();
    stage.pass(1).await;
    let waiting = stage.task(&task).await;
    assert_eq!((waiting.state.status, waiting.state.submit_attempts), (TaskStatus::Submitting, 1));
    assert!(waiting.state.submit_retry_at.is_some() && waiting.state.doubt.is_none());
    assert_eq!(stage.provider.script().calls.submit, 0);
    stage.pass(20).await;
    assert_eq!(stage.provider.script().calls.submit, 1);
    assert_eq!(stage.provider.script().uploaded.len(), 3);
    assert_eq!(stage.task(&task).await.state.sent_files[0].url, "https://files.example/3");
}

#[tokio::test]
async fn a_file_that_is_gone_or_refused_ends_the_task_with_a_reason_and_no_cost() {
    for gone in [true, false] {
        let stage = Stage::taking_files().await;
        let file = stage.shelf.put("ada", "cat", "image/png");
        let task = stage.run(json!({ "image": file })).await.unwrap();
        if gone {
            stage.shelf.files.lock().unwrap().clear();
        } else {
            let never = Error::new(ErrorKind::InvalidInput, "upload file").with_message("No cats.");
            stage.provider.script().uploads = [Err(never)].into();
        }
        stage.pass(1).await;
        let task = stage.task(&task).await;
        assert_eq!(task.state.status, TaskStatus::Failed);
        assert_eq!(task.state.cost_usd.unwrap().nanos(), 0);
        assert_eq!(task.state.status_reason.unwrap().code, "refused");
        assert_eq!(stage.provider.script().calls.submit, 0);
    }
}

#[tokio::test]
async fn a_crash_while_files_are_given_loses_and_doubles_nothing() {
    let stage = Stage::taking_files().await;
    let file = stage.shelf.put("ada", "cat", "image/png");
    let task = stage.run(json!({ "extras": [PIXEL, file] })).await.unwrap();
    stage.shelf.stuck.store(true, Ordering::SeqCst);
    assert!(stage.station.tick().now_or_never().is_none(), "it dies after the first file");
    assert_eq!(stage.provider.script().uploaded.len(), 1);
    let after = stage.task(&task).await;
    assert_eq!((after.state.status, after.state.submit_attempts), (TaskStatus::Accepted, 0), "nothing is in doubt");
    stage.shelf.stuck.store(false, Ordering::SeqCst);
    stage.station.resume().await.unwrap();
    stage.provider.script().polls = [success(stage.clock.now())].into();
    stage.pass(5).await;
    assert_eq!(stage.task(&task).await.state.status, TaskStatus::Completed);
    let script = stage.provider.script();
    assert_eq!((script.calls.submit, script.uploaded.len()), (1, 3));
    assert_eq!(script.inputs["extras"], json!(["https://files.example/2", "https://files.example/3"]));
}

#[tokio::test]
async fn a_repeated_submission_sends_the_same_urls_while_they_are_good() {
    let refused = || {
        Err(Error::new(ErrorKind::Unavailable, "submit run")
            .with_retry(Retry::Backoff)
            .with_effect(stationthis_core::Effect::No))
    };
    let lost = || Err(Error::new(ErrorKind::Timeout, "submit run").with_effect(stationthis_core::Effect::Unknown));
    let soon = Some(start().plus(Duration::from_secs(300)));
    let late = Some(start().plus(Duration::from_secs(3600)));
    for (first, class, expires_at, times) in [
        (refused(), ExactlyOnce::Lookup, late, 1),
        (refused(), ExactlyOnce::Lookup, soon, 2),
        // What may have been sent before must be sent as it was.
        (lost(), ExactlyOnce::IdempotencyKey, soon, 1),
    ] {
        let stage = Stage::new(ScriptedProvider::new().unwrap().with_exactly_once(class).with_uploads()).await;
        let file = stage.shelf.put("ada", "cat", "image/png");
        {
            let mut script = stage.provider.script();
            script.submits = [first].into();
            script.uploads = [Ok(UploadedFile::new("https://files.example/first", expires_at))].into();
        }
        stage.run(json!({ "image": file })).await.unwrap();
        stage.pass(20).await;
        let script = stage.provider.script();
        assert_eq!((script.calls.submit, script.uploaded.len()), (2, times), "{class:?} until {expires_at:?}");
    }
}

#[tokio::test]
async fn requests_are_the_same_by_the_names_of_their_files() {
    let stage = Stage::taking_files().await;
    let ada = stage.station.as_caller(caller("ada"));
    let (cat, dog) = (stage.shelf.put("ada", "cat", "image/png"), stage.shelf.put("ada", "dog", "image/png"));
    let key = Some(IdempotencyKey::new("tap-1").unwrap());
    let request =
        |file: &str| RunRequest::new("echo", inputs(&json!({ "image": file }))).with_idempotency_key(key.clone());
    let first = ada.run(request(&cat)).await.unwrap();
    stage.pass(1).await;
    assert_eq!(ada.run(request(&cat)).await.unwrap().task_id, first.task_id);
    assert_eq!(ada.run(request(&dog)).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(stage.provider.script().uploaded.len(), 1);
    // A client that repeats its request for want of an answer is not told that its file has ended meanwhile.
    stage.shelf.files.lock().unwrap().clear();
    assert_eq!(ada.run(request(&cat)).await.unwrap().task_id, first.task_id);
    assert_eq!(ada.run(request(&dog)).await.unwrap_err().kind(), ErrorKind::Conflict);
    let anew = request(&cat).with_idempotency_key(Some(IdempotencyKey::new("tap-2").unwrap()));
    assert_eq!(ada.run(anew).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}
