//! Spans of a real process, as a collector gets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use uuid::Uuid;

type Bodies = Arc<Mutex<Vec<Bytes>>>;

/// The fields of a protobuf message that have a length: their numbers and bytes. Others are passed over.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let (key, rest) = varint(message);
        message = match key & 7 {
            0 => varint(rest).1,
            1 => &rest[8..],
            5 => &rest[4..],
            2 => {
                let (length, rest) = varint(rest);
                let (field, rest) = rest.split_at(usize::try_from(length).unwrap());
                found.push((key >> 3, field));
                rest
            }
            kind => panic!("no wire type {kind} is in use"),
        };
    }
    found
}

fn varint(bytes: &[u8]) -> (u64, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let number = bytes[..end].iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
    (number, &bytes[end..])
}

fn of(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter(move |(n, _)| *n == number).map(|(_, field)| field)
}

/// A span as the collector got it.
#[derive(Debug)]
struct Span {
    trace: Uuid,
    parent: Vec<u8>,
    name: String,
    /// The traces that it is linked to.
    links: Vec<Uuid>,
}

/// Each span of an `ExportTraceServiceRequest`.
fn spans(request: &[u8]) -> Vec<Span> {
    let scopes = of(request, 1).flat_map(|resource| of(resource, 2).collect::<Vec<_>>());
    let spans = scopes.flat_map(|scope| of(scope, 2).collect::<Vec<_>>());
    let trace = |message: &[u8]| Uuid::from_slice(of(message, 1).next().unwrap()).unwrap();
    let read = |span: &[u8]| Span {
        trace: trace(span),
        parent: of(span, 4).next().unwrap_or_default().to_vec(),
        name: String::from_utf8(of(span, 5).next().unwrap().to_vec()).unwrap(),
        links: of(span, 13).map(trace).collect(),
    };
    spans.map(read).collect()
}

/// A collector, and what it was sent.
async fn collector() -> (String, Bodies) {
    let bodies = Bodies::default();
    let take = |State(bodies): State<Bodies>, body: Bytes| async move { bodies.lock().unwrap().push(body) };
    let collector = Router::new().route("/v1/traces", post(take)).with_state(bodies.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, collector).await });
    (format!("http://{address}"), bodies)
}

fn program(collector: &str, args: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationthis"));
    command.args(args).current_dir(folder).env_clear().env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn received(bodies: &Bodies) -> Vec<Span> {
    bodies.lock().unwrap().iter().flat_map(|body| spans(body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_spans_of_a_task_are_in_the_trace_that_its_id_names() {
    let (collector, bodies) = collector().await;
    let dir = tempfile::tempdir().unwrap();
    let args = ["run", "sdxl-portrait", "--sim", "--json", "-i", "prompt=a fox"];
    let output = program(&collector, &args, dir.path()).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    let trace: Uuid = task["taskId"].as_str().unwrap().parse().unwrap();
    let spans = received(&bodies);
    let names: BTreeSet<_> = spans.iter().filter(|span| span.trace == trace).map(|span| span.name.as_str()).collect();
    for step in ["run", "submit", "poll", "settle", "deliver"] {
        assert!(names.contains(step), "{step} is missing in {spans:?}");
    }
    let mut steps = spans.iter().filter(|span| ["submit", "poll", "settle", "deliver"].contains(&span.name.as_str()));
    assert!(steps.all(|span| span.trace == trace), "one task, one trace: {spans:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_in_its_clients_trace_and_a_task_is_linked_to_it() {
    let (collector, bodies) = collector().await;
    let dir = tempfile::tempdir().unwrap();
    let args = ["serve", "--sim", "--listen", "127.0.0.1:0"];
    let mut host = program(&collector, &args, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let base = loop {
        let line = lines.next_line().await.unwrap().expect("the host serves");
        if let Some(base) = line.strip_prefix("listening on ") {
            break base.to_owned();
        }
    };
    let (listing, running) = (Uuid::new_v4(), Uuid::new_v4());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // Not to be sampled, as the client would have it.
    let parent = |trace: Uuid| format!("00-{}-00f067aa0ba902b7-00", trace.simple());
    let tools = format!("{base}/api/internal/tools");
    while !http.get(&tools).send().await.unwrap().text().await.unwrap().contains("sdxl-portrait") {}
    let listed = http.get(&tools).header("traceparent", parent(listing)).send().await.unwrap();
    assert_eq!(listed.status(), 200);
    let run = http.post(format!("{base}/api/internal/run/sdxl-portrait")).header("traceparent", parent(running));
    let task: Value = run.body("{}").send().await.unwrap().json().await.unwrap();
    let task: Uuid = task["taskId"].as_str().unwrap().parse().unwrap();
    assert!(Command::new("kill").arg(host.id().unwrap().to_string()).status().await.unwrap().success());
    assert!(host.wait().await.unwrap().success());

    let spans = received(&bodies);
    let in_trace = |trace: Uuid| spans.iter().filter(move |span| span.trace == trace).collect::<Vec<_>>();
    let [asked] = in_trace(listing)[..] else { panic!("not one span of the list: {spans:?}") };
    assert_eq!((asked.name.as_str(), hex::encode(&asked.parent)), ("request", "00f067aa0ba902b7".to_owned()));
    let linked: Vec<_> = spans.iter().filter(|span| span.links == [running]).collect();
    let [asked] = linked[..] else { panic!("not one span is linked: {spans:?}") };
    assert_eq!((asked.name.as_str(), asked.trace, asked.parent.len()), ("request", task, 0));
    assert!(in_trace(running).is_empty(), "{spans:?}");
}
