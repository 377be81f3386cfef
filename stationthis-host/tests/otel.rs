//! Spans of a real process, as a collector gets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
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

/// Trace and name of each span of an `ExportTraceServiceRequest`.
fn spans(request: &[u8]) -> Vec<(Uuid, String)> {
    let scopes = of(request, 1).flat_map(|resource| of(resource, 2).collect::<Vec<_>>());
    let spans = scopes.flat_map(|scope| of(scope, 2).collect::<Vec<_>>());
    let read = |span: &[u8]| {
        let trace = Uuid::from_slice(of(span, 1).next().unwrap()).unwrap();
        (trace, String::from_utf8(of(span, 5).next().unwrap().to_vec()).unwrap())
    };
    spans.map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_spans_of_a_task_are_in_the_trace_that_its_id_names() {
    let bodies = Bodies::default();
    let take = |State(bodies): State<Bodies>, body: Bytes| async move { bodies.lock().unwrap().push(body) };
    let collector = Router::new().route("/v1/traces", post(take)).with_state(bodies.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move { axum::serve(listener, collector).await });

    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationthis"));
    command.args(["run", "sdxl-portrait", "--sim", "--json", "-i", "prompt=a fox"]).current_dir(dir.path()).env_clear();
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    served.abort();

    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    let trace: Uuid = task["taskId"].as_str().unwrap().parse().unwrap();
    let bodies = bodies.lock().unwrap();
    let spans: Vec<_> = bodies.iter().flat_map(|body| spans(body)).collect();
    let names: BTreeSet<_> = spans.iter().filter(|(of, _)| *of == trace).map(|(_, name)| name.as_str()).collect();
    for step in ["run", "submit", "poll", "settle", "deliver"] {
        assert!(names.contains(step), "{step} is missing in {spans:?}");
    }
    let steps = spans.iter().filter(|(_, name)| ["submit", "poll", "settle", "deliver"].contains(&name.as_str()));
    assert!(steps.into_iter().all(|(of, _)| *of == trace), "one task, one trace: {spans:?}");
}
