//! What a chat is shown of what a task gave, and in which form.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use stationthis_core::notify::{Notice, NoticeKind, Notifier, NotifyTarget, Receipt};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::state::{TaskState, TaskStatus};
use stationthis_core::task::terms::Terms;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::{
    CallerId, FailureRecord, NoticeId, ProviderId, Secret, TaskId, Timestamp, ToolDefinition, ToolId,
};
use stationthis_host::outgoing::Guard;
use stationthis_host::telegram::{Limits, Telegram, TelegramConfig, TelegramNotifier};

use super::ANA;
use super::fake::{Fake, Manner, TOKEN};
use super::rules::Refusal;
use super::world::{FASTER, Said};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const PNG: &[u8] = b"\x89PNG ...";

struct Chat {
    fake: Fake,
    notifier: TelegramNotifier,
    /// Where files are.
    base: String,
    _dir: tempfile::TempDir,
}

impl Chat {
    async fn new() -> Self {
        let fake = Fake::start().await;
        fake.change(|state| state.world.open(ANA.0, "private").kind = "private");
        let config = TelegramConfig::new(Secret::new(TOKEN)).with_api_url(&fake.url).with_allowed([ANA.0]);
        let outputs = super::outputs(Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
        let dir = tempfile::tempdir().unwrap();
        let telegram =
            Telegram::new(config.with_limits(Limits::default().faster(FASTER)), outputs, super::files(&dir)).unwrap();
        Self { fake, notifier: telegram.notifier(), base: files().await, _dir: dir }
    }

    async fn deliver(&self, task: &TaskRecord, attempt: u32) -> Receipt {
        let target = NotifyTarget::new("telegram", ANA.0.to_string());
        let id = NoticeId::derive(task.task_id, "finished", "ana");
        self.notifier.deliver(&Notice::new(id, target, NoticeKind::Finished, attempt, task.clone())).await
    }

    fn said(&self) -> Vec<Said> {
        self.fake.state().world.of_bot(ANA.0).cloned().collect()
    }

    fn file(&self, kind: OutputKind, name: &str, mime: &str) -> Output {
        let mut output = Output::file(kind, format!("{}/{name}", self.base));
        (output.filename, output.mime) = (Some(name.to_owned()), (!mime.is_empty()).then(|| mime.to_owned()));
        output
    }

    /// Each message as `form name | words`, of a task that gave these.
    async fn shown(&self, outputs: Vec<Output>) -> Vec<String> {
        let before = self.said().len();
        assert_eq!(self.deliver(&task(outputs), 1).await, Receipt::Delivered);
        let shown = |said: &Said| format!("{} | {}", said.shows.join(", "), said.text);
        self.said().iter().skip(before).map(shown).collect()
    }
}

const DONE: &str = "mix: done in 12 s. Cost: $0.0021.";

fn task(mut outputs: Vec<Output>) -> TaskRecord {
    let provider = ProviderId::new("p").unwrap();
    let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Mix");
    tool.slug = "mix".to_owned();
    let at = |s: i64| Timestamp::from_micros(1_795_500_000_000_000 + s * 1_000_000);
    let state = TaskState::accepted(at(0), &Terms::new(at(3600), ExactlyOnce::None));
    let mut task = TaskRecord::new(ID.parse::<TaskId>().unwrap(), CallerId::new("c").unwrap(), &tool, state);
    outputs.iter_mut().zip(0..).for_each(|(output, order)| output.order = order);
    task.state.status = TaskStatus::Completed;
    task.state.times.ended_at = Some(at(12));
    task.state.cost_usd = Some("0.0021".parse().unwrap());
    task.state.outputs = outputs;
    task
}

async fn files() -> String {
    let endless = || async {
        let chunk = Bytes::from(vec![0; 1024 * 1024]);
        Body::from_stream(futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
    };
    let huge = || async {
        (
            [(CONTENT_LENGTH, "60000000")],
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()),
        )
    };
    let router = Router::new()
        .route("/endless.bin", get(endless))
        .route("/huge.bin", get(huge))
        .route("/broken.png", get(|| async { "no picture" }))
        .route("/big.png", get(|| async { [PNG, &vec![0; 11 * 1024 * 1024]].concat() }))
        .route("/gone.png", get(|| async { axum::http::StatusCode::NOT_FOUND }))
        .fallback(get(|| async { Response::new(Body::from(PNG)).into_response() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

#[tokio::test]
async fn each_kind_has_its_form() {
    let chat = Chat::new().await;
    for (kind, name, mime, form) in [
        (OutputKind::Image, "a.png", "image/png", "photo"),
        (OutputKind::Image, "a.webp", "", "photo"),
        (OutputKind::Image, "a.gif", "image/gif", "animation"),
        (OutputKind::Image, "a.svg", "image/svg+xml", "document"),
        (OutputKind::Image, "a.exr", "image/x-exr", "document"),
        (OutputKind::Video, "a.mp4", "video/mp4", "video"),
        (OutputKind::Video, "a.webm", "video/webm", "document"),
        (OutputKind::Audio, "a.mp3", "audio/mpeg", "audio"),
        (OutputKind::Audio, "a.wav", "audio/wav", "document"),
        (OutputKind::Model3d, "a.glb", "model/gltf-binary", "document"),
        (OutputKind::File, "a", "", "document"),
        (OutputKind::File, "../x/a.b;c", "no type", "document"),
    ] {
        let ending = match name {
            "a" => String::new(),
            "../x/a.b;c" => ".bc".to_owned(),
            name => format!(".{}", name.rsplit('.').next().unwrap()),
        };
        let shown = chat.shown(vec![chat.file(kind, name, mime)]).await;
        assert_eq!(shown, [format!("{form} mix-0{ending} | {DONE}")], "{name}");
    }
    chat.fake.check();
}

#[tokio::test]
async fn pictures_come_as_albums_of_ten_and_the_rest_after_them() {
    let chat = Chat::new().await;
    let mut outputs: Vec<_> = (0..11).map(|_| chat.file(OutputKind::Image, "a.png", "image/png")).collect();
    outputs.insert(3, chat.file(OutputKind::Video, "a.mp4", "video/mp4"));
    outputs.push(chat.file(OutputKind::Model3d, "a.glb", ""));
    outputs.push(Output::text("some words"));
    outputs.push(Output::json(serde_json::json!({ "score": 1 })));
    let shown = chat.shown(outputs).await;
    let first = (0..10).map(|n| if n == 3 { "video mix-3.mp4".to_owned() } else { format!("photo mix-{n}.png") });
    let first = first.collect::<Vec<_>>().join(", ");
    let expected = [
        format!("{first} | {DONE}"),
        "photo mix-10.png, photo mix-11.png | ".to_owned(),
        "document mix-12.glb | ".to_owned(),
        " | some words".to_owned(),
        " | {\n  \"score\": 1\n}".to_owned(),
    ];
    assert_eq!(shown, expected);
    let album = &chat.fake.calls("sendMediaGroup")[0].fields;
    assert!(album["media"].as_array().unwrap().iter().skip(1).all(|entry| entry.get("caption").is_none()));
    chat.fake.check();
}

#[tokio::test]
async fn words_are_a_message_or_a_file_when_they_are_too_long() {
    let chat = Chat::new().await;
    assert_eq!(chat.shown(vec![Output::text("a *fox* <b>")]).await, [format!(" | a *fox* <b>\n\n{DONE}")]);
    let long = "🦊".repeat(2048);
    assert_eq!(chat.shown(vec![Output::text(long.clone())]).await, [format!("document mix.txt | {DONE}")]);
    let sent = chat.fake.calls("sendDocument").pop().unwrap();
    assert_eq!(sent.files["file0"].bytes, long.as_bytes());
    assert_eq!(chat.shown(vec![]).await, [format!(" | {DONE} It gave nothing.")]);
    chat.fake.check();
}

#[tokio::test]
async fn telegram_fetches_what_is_public_and_what_it_cannot_fetch_is_sent() {
    let chat = Chat::new().await;
    let at = |url: &str| {
        let mut output = Output::file(OutputKind::Image, url);
        output.mime = Some("image/png".to_owned());
        output
    };
    let public = chat.shown(vec![at("https://cdn.example/a.png")]).await;
    assert_eq!(public, [format!("photo https://cdn.example/a.png | {DONE}")]);
    // A signature in a query is nobody else's to see; the download is tried, and this name does not resolve.
    for private in ["https://cdn.example.invalid/a.png?sig=1", "https://u:p@cdn.example.invalid/a.png"] {
        let mut task = task(vec![at(private)]);
        task.task_id = TaskId::generate();
        assert!(!matches!(chat.deliver(&task, 1).await, Receipt::Delivered), "{private}");
        assert_eq!(chat.deliver(&task, 4).await, Receipt::Delivered);
        let said = chat.said().pop().unwrap().text;
        let named = format!("{DONE}\nTelegram cannot carry mix-0; it is in task {}", task.task_id);
        assert!(said == named || private.contains('@'), "{said}");
        assert!(!said.contains("sig=1"), "{said}");
    }
    assert!(chat.fake.calls("sendPhoto").len() == 1, "Telegram was given the public one alone");
    let twice = vec![at("https://cdn.example/a.png"), chat.file(OutputKind::Image, "b.png", "image/png")];
    assert_eq!(chat.shown(twice).await, [format!("photo https://cdn.example/a.png, photo mix-1.png | {DONE}")]);
    chat.fake.check();
}

#[tokio::test]
async fn a_picture_that_telegram_refuses_is_a_file_and_a_file_that_is_too_large_is_named() {
    let chat = Chat::new().await;
    let broken = chat.file(OutputKind::Image, "broken.png", "image/png");
    assert_eq!(chat.shown(vec![broken.clone()]).await, [format!("document mix-0.png | {DONE}")]);
    let big = chat.file(OutputKind::Image, "big.png", "image/png");
    assert_eq!(chat.shown(vec![big]).await, [format!("document mix-0.png | {DONE}")]);
    let named = |name: &str| format!(" | {DONE}\nTelegram cannot carry mix-0.bin; it is here: {}/{name}", chat.base);
    for name in ["huge.bin", "endless.bin"] {
        assert_eq!(chat.shown(vec![chat.file(OutputKind::File, name, "")]).await, [named(name)], "{name}");
    }
    // One that is refused does not take its album with it.
    let pictures = vec![chat.file(OutputKind::Image, "a.png", "image/png"), broken];
    let shown = chat.shown(pictures).await;
    assert_eq!(shown, [format!("photo mix-0.png | {DONE}"), "document mix-1.png | ".to_owned()]);
    chat.fake.check();
}

#[tokio::test]
async fn a_file_that_cannot_be_fetched_is_tried_again_and_named_in_the_end() {
    let chat = Chat::new().await;
    let gone = task(vec![chat.file(OutputKind::Image, "gone.png", "image/png")]);
    for attempt in 1..=3 {
        let receipt = chat.deliver(&gone, attempt).await;
        let reason = "The output cannot be fetched: its URL has ended, and the bot is not at work.".to_owned();
        assert_eq!(receipt, Receipt::Retry { after: None, reason });
    }
    assert_eq!(chat.said().len(), 0);
    assert_eq!(chat.deliver(&gone, 4).await, Receipt::Delivered);
    let text = chat.said().pop().unwrap().text;
    assert_eq!(text, format!("{DONE}\nTelegram cannot carry mix-0.png; it is here: {}/gone.png", chat.base));
    chat.fake.check();
}

#[tokio::test]
async fn a_repeated_notice_goes_on_where_it_was_broken_off() {
    let chat = Chat::new().await;
    let words = |n: u8| Output::text(format!("part {n}"));
    let task = task(vec![words(1), words(2), words(3)]);
    chat.fake.manner("sendMessage", Manner::Pass);
    chat.fake.manner("sendMessage", Manner::Refuse(Refusal::new(500, "Internal Server Error")));
    assert!(matches!(chat.deliver(&task, 1).await, Receipt::Retry { .. }));
    assert_eq!(chat.deliver(&task, 2).await, Receipt::Delivered);
    let said: Vec<_> = chat.said().into_iter().map(|said| said.text).collect();
    assert_eq!(said, [format!("part 1\n\n{DONE}"), "part 2".to_owned(), "part 3".to_owned()]);
    // What was sent and not heard of is sent again.
    chat.fake.manner("sendMessage", Manner::Drop);
    let mut lost = self::task(vec![words(4)]);
    lost.task_id = TaskId::generate();
    assert!(matches!(chat.deliver(&lost, 1).await, Receipt::Retry { .. }));
    assert_eq!(chat.deliver(&lost, 2).await, Receipt::Delivered);
    assert_eq!(chat.said().iter().filter(|said| said.text.starts_with("part 4")).count(), 2);
    chat.fake.check();
}

#[tokio::test]
async fn an_end_that_is_not_good_is_one_sentence_with_the_task() {
    let chat = Chat::new().await;
    let mut task = task(vec![chat.file(OutputKind::Image, "a.png", "image/png")]);
    task.state.status = TaskStatus::Failed;
    task.state.status_reason = Some(FailureRecord::new("runFailed", "out of memory."));
    assert_eq!(chat.deliver(&task, 1).await, Receipt::Delivered);
    let said: Vec<_> = chat.said().into_iter().map(|said| (said.shows.len(), said.text)).collect();
    let sentence = format!("mix failed: out of memory (task {ID}). Cost: $0.0021.");
    assert_eq!(said, [(0, sentence), (1, String::new())], "and what it gave all the same");
    let mut elsewhere = Notice::new(
        NoticeId::derive(task.task_id, "finished", "x"),
        NotifyTarget::new("telegram", "99"),
        NoticeKind::Finished,
        1,
        task,
    );
    // The bot is not at work: it may know later that this is a group that moved.
    let reason = "The bot does not serve this chat.".to_owned();
    assert_eq!(chat.notifier.deliver(&elsewhere).await, Receipt::Retry { after: None, reason });
    elsewhere.target.address = "x".to_owned();
    let receipt = chat.notifier.deliver(&elsewhere).await;
    assert!(matches!(&receipt, Receipt::Permanent { reason } if reason.starts_with("A Telegram")), "{receipt:?}");
    chat.fake.check();
}
