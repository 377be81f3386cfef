//! Files that callers keep here, over real HTTP.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_host::app::Service;

use crate::bench::{Bench, answer, config, kind};
use crate::keys::key_of;

pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

const FILES: &str = "/api/internal/files";

/// A tool that takes a picture.
const TOOL: &str = "image-restyle";

fn form(content: impl Into<std::borrow::Cow<'static, [u8]>>, mime: &str) -> Form {
    let part = Part::bytes(content).file_name("my cat.png").mime_str(mime).unwrap();
    Form::new().part("file", part)
}

pub async fn keep(request: reqwest::RequestBuilder) -> Value {
    let (status, file) = answer(request.multipart(form(PNG, "image/png"))).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_kept_shown_used_and_removed() {
    let bench = Bench::new().await;
    let file = keep(bench.request(Method::POST, FILES)).await;
    assert_eq!(
        (&file["mime"], &file["bytes"], &file["filename"]),
        (&json!("image/png"), &json!(12), &json!("my cat.png"))
    );
    let path = format!("{FILES}/{}", file["fileId"].as_str().unwrap());
    assert_eq!(bench.get(&path).await, (StatusCode::OK, file.clone()));
    let content = bench.request(Method::GET, &format!("{path}/content")).send().await.unwrap();
    let headers = content.headers().clone();
    assert_eq!(content.bytes().await.unwrap(), PNG);
    assert_eq!(headers["content-type"], "image/png");
    assert_eq!(headers["content-length"], "12");
    assert_eq!(headers["content-disposition"], "inline; filename*=UTF-8''my%20cat.png");
    assert_eq!(headers["x-content-type-options"], "nosniff");

    assert_eq!(headers["accept-ranges"], "bytes");
    let part = async |range: &str| {
        let asked = bench.request(Method::GET, &format!("{path}/content")).header("range", range);
        let got = asked.send().await.unwrap();
        let said = got.headers().get("content-range").map(|value| value.to_str().unwrap().to_owned());
        (got.status().as_u16(), said, got.headers()["content-length"].clone(), got.bytes().await.unwrap())
    };
    for (range, status, said, content) in [
        ("bytes=1-3", 206, Some("bytes 1-3/12"), &PNG[1..4]),
        ("bytes=8-", 206, Some("bytes 8-11/12"), &PNG[8..]),
        ("bytes=-2", 206, Some("bytes 10-11/12"), &PNG[10..]),
        ("bytes=12-", 416, Some("bytes */12"), b""),
        ("bytes=0-0,3-4", 200, None, PNG),
    ] {
        let expected = (status, said.map(str::to_owned), content.len().into(), content.to_vec().into());
        assert_eq!(part(range).await, expected, "{range}");
    }

    let task = bench.run(TOOL, json!({ "input_image": file["uri"] })).await;
    let task = bench.ended(&task).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(task["inputsAsked"]["input_image"], file["uri"]);
    let sent = &task["sentFiles"][0];
    assert_eq!((&sent["pointer"], &sent["sha256"]), (&json!("/input_image"), &file["sha256"]));
    let run = bench.app.sim().unwrap().books().run(task["runId"].as_str().unwrap()).unwrap().clone();
    assert_eq!(run.inputs["input_image"], sent["url"]);
    let there = bench.http.get(sent["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(there.bytes().await.unwrap(), PNG, "the service has it");

    let gone = bench.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    for again in [bench.get(&path).await, answer(bench.request(Method::DELETE, &path)).await] {
        assert_eq!((again.0.as_u16(), kind(&again.1)), (404, "not-found"));
    }
    let body = json!({ "inputs": { "input_image": file["uri"] } });
    let (status, problem) = bench.post(&format!("/api/internal/run/{TOOL}"), &body).await;
    assert_eq!((status.as_u16(), kind(&problem)), (422, "invalid-input"));
    assert_eq!(problem["problems"][0]["pointer"], "/input_image");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_url_goes_the_same_way() {
    let bench = Bench::new().await;
    let url = "data:image/webp;base64,UklGRgAAAABXRUJQ";
    let task = bench.run(TOOL, json!({ "input_image": url })).await;
    let task = bench.ended(&task).await;
    assert_eq!((&task["status"], &task["sentFiles"][0]["mime"]), (&json!("completed"), &json!("image/webp")), "{task}");
    let run = bench.app.sim().unwrap().books().run(task["runId"].as_str().unwrap()).unwrap().clone();
    assert_eq!(run.inputs["input_image"], task["sentFiles"][0]["url"], "which this service itself would not have read");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    (config.file_max_mib, config.files_per_caller_mib) = (1, 2);
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let bench = Bench::over(config, dir, Service::Simulator(Box::new(sim), 0), None).await;
    let mib = |n: usize| [PNG, &vec![0; n * 1024 * 1024 - PNG.len()]].concat();
    let post = || bench.request(Method::POST, FILES);
    let two = form(PNG, "image/png").part("more", Part::bytes(PNG));
    let cases = [
        (post().body("hello"), 400, "malformed-request"),
        (post().multipart(Form::new().text("other", "x")), 400, "malformed-request"),
        (post().multipart(two), 400, "malformed-request"),
        (
            post().header("content-type", "multipart/form-data; boundary=x").body("--x\r\n\r\nhel"),
            400,
            "malformed-request",
        ),
        (post().multipart(form(PNG, "video/mp4")), 422, "invalid-input"),
        (post().multipart(form(b"<html>", "image/png")), 422, "invalid-input"),
        (post().multipart(form(b"", "image/png")), 422, "invalid-input"),
        (post().multipart(form(mib(2), "image/png")), 413, "too-large"),
    ];
    for (n, (request, status, word)) in cases.into_iter().enumerate() {
        let (got, problem) = answer(request).await;
        assert_eq!((got.as_u16(), kind(&problem)), (status, word), "case {n}: {problem}");
    }
    let left = || std::fs::read_dir(bench.dir.path().join("sim/files")).unwrap().count();
    assert_eq!(left(), 0);
    for n in 0..2 {
        let mut content = mib(1);
        content[100] = n;
        assert_eq!(answer(post().multipart(form(content, "image/png"))).await.0, 201);
    }
    let (status, problem) = answer(post().multipart(form(PNG, "image/png"))).await;
    assert_eq!((status.as_u16(), kind(&problem)), (413, "too-large"), "the quota");
    assert_eq!(left(), 4);
    let again = post().multipart(form(mib(1), "image/png"));
    assert_eq!(answer(again).await.0, 201, "what is here needs no room");
    assert_eq!(left(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_with_the_same_upload_is_the_same_request() {
    let bench = Bench::new().await;
    let ((ada, _), (eve, _)) = (key_of(&bench, "ada").await, key_of(&bench, "eve").await);
    let request =
        |key: &str, method, path: &str| bench.http.request(method, format!("{}{path}", bench.base)).bearer_auth(key);
    let upload = async |key: &str| keep(request(key, Method::POST, FILES)).await;
    let run = async |file: &Value| {
        let body = json!({ "inputs": { "input_image": file["uri"] } });
        let request = request(&ada, Method::POST, &format!("/api/internal/run/{TOOL}"));
        answer(request.header("idempotency-key", "tap-1").json(&body)).await
    };
    let first = upload(&ada).await;
    let (status, task) = run(&first).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{task}");
    let again = upload(&ada).await;
    assert_eq!(again["fileId"], first["fileId"]);
    let (_, same) = run(&again).await;
    assert_eq!(same["taskId"], task["taskId"], "{same}");
    assert_ne!(upload(&eve).await["fileId"], first["fileId"], "another's file of the same content");
    // And when the file is gone.
    let path = format!("{FILES}/{}", first["fileId"].as_str().unwrap());
    let gone = request(&ada, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let (_, same) = run(&first).await;
    assert_eq!(same["taskId"], task["taskId"], "{same}");
}
