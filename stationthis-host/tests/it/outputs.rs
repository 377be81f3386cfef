//! Outputs through the host, of a service whose URLs end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use stationthis_core::station::{RunRequest, Station};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{ANY_RUN, ManualClock, ScriptedProvider};
use stationthis_core::{CallerId, Clock, RunId, TaskRecord, Timestamp};
use stationthis_host::http::{self, HttpConfig};
use stationthis_host::outgoing::{Guard, GuardedClient};
use stationthis_host::outputs::Outputs;
use tokio::net::TcpListener;

use crate::bench::{answer, client, kind};

const PICTURE: &[u8] = b"a picture of some size";

/// Files whose URLs carry a signature, of which one is good.
#[derive(Clone, Default)]
struct Bucket {
    good: Arc<AtomicUsize>,
    /// The status that other signatures get.
    refusal: Arc<Mutex<StatusCode>>,
    asked: Arc<AtomicUsize>,
}

async fn file(
    State(bucket): State<Bucket>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, usize)>>,
    headers: HeaderMap,
) -> Response {
    bucket.asked.fetch_add(1, Ordering::SeqCst);
    if query[0].1 != bucket.good.load(Ordering::SeqCst) {
        return (*bucket.refusal.lock().unwrap(), "AccessDenied").into_response();
    }
    let kind = if name.ends_with("html") { "text/html" } else { "image/png" };
    match headers.get("range").map(|range| range.to_str().unwrap()) {
        Some("bytes=2-4") => {
            let part = [(header::CONTENT_RANGE, "bytes 2-4/22"), (header::CONTENT_TYPE, kind)];
            (StatusCode::PARTIAL_CONTENT, part, &PICTURE[2..5]).into_response()
        }
        Some("bytes=99-") => {
            (StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, "bytes */22")]).into_response()
        }
        _ => ([(header::CONTENT_TYPE, kind)], PICTURE).into_response(),
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

struct Stage {
    bucket: Bucket,
    bucket_url: String,
    provider: ScriptedProvider,
    station: Station,
    host: String,
    task: TaskRecord,
}

impl Stage {
    /// A task that has ended, with URLs of signature 1.
    async fn new(expires_at: Option<Timestamp>) -> Self {
        let bucket = Bucket::default();
        bucket.good.store(1, Ordering::SeqCst);
        let bucket_url = serve(Router::new().route("/{name}", get(file)).with_state(bucket.clone())).await;
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_micros(1_764_000_000_000_000)));
        let provider = ScriptedProvider::new().unwrap();
        let station = Station::builder().provider(Arc::new(provider.clone())).clock(clock.clone()).build().unwrap();
        station.refresh().await.unwrap();
        let guard = Guard::new(Vec::new()).trusting(&bucket_url.parse().unwrap());
        let config = HttpConfig::new(CallerId::new("ada").unwrap());
        let config = config.with_outputs(Outputs::new(GuardedClient::new(guard).unwrap()));
        let host = serve(http::router(station.clone(), &config)).await;
        let inputs = json!({ "prompt": "x" }).as_object().unwrap().clone();
        let ada = station.as_caller(CallerId::new("ada").unwrap());
        provider.script().polls = [report(&bucket_url, 1, expires_at)].into();
        let task = ada.run(RunRequest::new("echo", inputs)).await.unwrap();
        for _ in 0..10 {
            clock.set(clock.now().plus(Duration::from_secs(1)));
            while station.tick().await.unwrap() > 0 {}
        }
        let task = ada.task(task.task_id).await.unwrap();
        assert!(task.is_terminal() && task.state.outputs.len() == 4, "{task:?}");
        Self { bucket, bucket_url, provider, station, host, task }
    }

    fn request(&self, n: &str) -> reqwest::RequestBuilder {
        client().get(format!("{}/api/internal/tasks/{}/outputs/{n}", self.host, self.task.task_id))
    }

    async fn content(&self, n: &str) -> (u16, HeaderMap, Vec<u8>) {
        let answer = self.request(n).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap().to_vec())
    }

    async fn refused(&self, n: &str) -> (u16, String) {
        let (status, problem) = answer(self.request(n)).await;
        (status.as_u16(), kind(&problem).to_owned())
    }
}

fn report(bucket: &str, signature: usize, expires_at: Option<Timestamp>) -> RunReport {
    let mut report = RunReport::new(RunId::new(ANY_RUN).unwrap(), RunStatus::Succeeded, "success");
    let mut picture = Output::file(OutputKind::Image, format!("{bucket}/a.png?sig={signature}"));
    (picture.filename, picture.mime) = (Some("a.png".to_owned()), Some("image/png".to_owned()));
    picture.expires_at = expires_at;
    let page = Output::file(OutputKind::File, format!("{bucket}/a.html?sig={signature}"));
    report.outputs = vec![picture, page, Output::text("a caption"), Output::json(json!({ "a": 1 }))];
    report
}

#[tokio::test]
async fn an_output_comes_through_the_host_whole_or_in_part() {
    let stage = Stage::new(None).await;
    let (status, headers, content) = stage.content("0").await;
    assert_eq!((status, content.as_slice()), (200, PICTURE));
    assert_eq!((&headers["content-type"], &headers["content-length"]), (&"image/png".parse().unwrap(), &22.into()));
    assert_eq!(headers["content-disposition"], "inline; filename*=UTF-8''a.png");
    let part = stage.request("0").header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!((part.status().as_u16(), &part.headers()["content-range"]), (206, &"bytes 2-4/22".parse().unwrap()));
    assert_eq!(part.bytes().await.unwrap(), PICTURE[2..5]);
    let beyond = stage.request("0").header("range", "bytes=99-").send().await.unwrap();
    assert_eq!((beyond.status().as_u16(), &beyond.headers()["content-range"]), (416, &"bytes */22".parse().unwrap()));
    let (_, headers, _) = stage.content("1").await;
    assert_eq!(headers["content-disposition"], "attachment", "a page of somebody else's is never one of this host");
    assert_eq!(headers["content-security-policy"], "default-src 'none'; sandbox");
    assert_eq!(stage.content("2").await.2, b"a caption");
    let (_, headers, content) = stage.content("3").await;
    assert_eq!(
        (&headers["content-type"], content.as_slice()),
        (&"application/json".parse().unwrap(), &b"{\"a\":1}"[..])
    );
    for n in ["4", "-1", "x", "99999999999999999999999"] {
        assert_eq!(stage.refused(n).await, (404, "not-found".to_owned()), "{n}");
    }
}

#[tokio::test]
async fn a_url_that_has_ended_is_renewed_for_the_fetch_alone() {
    for refusal in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::GONE] {
        let stage = Stage::new(None).await;
        *stage.bucket.refusal.lock().unwrap() = refusal;
        stage.bucket.good.store(2, Ordering::SeqCst);
        stage.provider.script().polls = [report(&stage.bucket_url, 2, None)].into();
        let polls = stage.provider.script().calls.poll;
        assert_eq!(stage.content("0").await.2, PICTURE, "{refusal}");
        assert_eq!(stage.provider.script().calls.poll, polls + 1);
        let now = stage.station.admin().task(stage.task.task_id).await.unwrap();
        assert_eq!(now, stage.task, "the record is as it was");
        // The service has nothing better, or does not name it any more.
        stage.bucket.good.store(3, Ordering::SeqCst);
        assert_eq!(stage.refused("0").await, (410, "gone".to_owned()));
        stage.provider.script().polls[0].outputs.clear();
        assert_eq!(stage.refused("0").await, (410, "gone".to_owned()));
        stage.provider.script().polls.clear();
        assert_eq!(stage.refused("0").await.0, 503, "the service cannot be asked");
    }
}

#[tokio::test]
async fn a_url_whose_end_is_known_is_not_asked_for() {
    let stage = Stage::new(Some(Timestamp::from_micros(1_764_000_060_000_000))).await;
    stage.bucket.good.store(2, Ordering::SeqCst);
    stage.provider.script().polls = [report(&stage.bucket_url, 2, None)].into();
    assert_eq!(stage.content("0").await.2, PICTURE);
    assert_eq!(stage.bucket.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_service_that_fails_or_names_a_private_address_is_an_error_of_its_own() {
    let stage = Stage::new(None).await;
    stage.bucket.good.store(2, Ordering::SeqCst);
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND, StatusCode::NO_CONTENT] {
        *stage.bucket.refusal.lock().unwrap() = status;
        assert_eq!(stage.refused("0").await, (503, "unavailable".to_owned()), "{status}");
    }
    *stage.bucket.refusal.lock().unwrap() = StatusCode::FORBIDDEN;
    let mut inside = report("http://169.254.169.254", 2, None);
    inside.outputs[0].url = Some(format!("{}/a.png?sig=1", stage.bucket_url.replace("127.0.0.1", "127.0.0.2")));
    stage.provider.script().polls = [inside.clone()].into();
    assert_eq!(stage.refused("0").await, (410, "gone".to_owned()), "another place is another output");
    let unknown: Value = answer(stage.request("0")).await.1;
    assert!(!unknown.to_string().contains("sig="), "{unknown}");
}
