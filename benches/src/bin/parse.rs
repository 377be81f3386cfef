//! How fast discovery reads a recorded page of deployments, beside a plain typed parse of the same bytes: `parse`.
//!
//! RECORDED names a folder with another `lists.json`; without it the recording of the tests is read. Both readings are
//! timed in turn in one run, so that the ratio means something on a noisy machine.
// It is for people to read.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use stationthis_benches::median;

/// Enough for a median that stays the same from run to run.
const ROUNDS: usize = 31;
/// Readings per round: some tens of milliseconds.
const READINGS: u32 = 500;

/// What the least careful client would declare: the fields of a deployment as the documentation lists them, no graph.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Plain {
    id: String,
    workflow_id: String,
    workflow_version_id: Option<String>,
    machine_id: Option<String>,
    environment: Option<String>,
    share_slug: Option<String>,
    description: Option<String>,
    input_types: Option<Vec<PlainInput>>,
    output_types: Option<Vec<Value>>,
    created_at: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct PlainInput {
    #[serde(rename = "type")]
    kind: Option<String>,
    input_id: Option<String>,
    default_value: Option<Value>,
    display_name: Option<String>,
    description: Option<String>,
    min_value: Option<Value>,
    max_value: Option<Value>,
}

fn main() -> Result<()> {
    let folder = std::env::var("RECORDED")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../stationthis-comfydeploy/tests/recordings").into());
    let path = Path::new(&folder).join("lists.json");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lists: Value = serde_json::from_str(&text)?;
    let body = lists.get("/deployments").and_then(|list| list.get("body")).context("no /deployments in it")?;
    // Recordings keep a body as the text that came or as its value.
    let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let entries = serde_json::from_str::<Vec<Plain>>(&body)?.len();
    ensure!(stationthis_comfydeploy::read_page(body.as_bytes())? == entries, "not every entry is read");
    println!("/deployments: {} bytes, {entries} deployments, from {}", body.len(), path.display());

    let (mut plain, mut discovery, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let a = mb_per_s(&body, |body| drop(black_box(serde_json::from_str::<Vec<Plain>>(body))));
        let b = mb_per_s(&body, |body| drop(black_box(stationthis_comfydeploy::read_page(body.as_bytes()))));
        plain.push(a);
        discovery.push(b);
        ratio.push(b / a);
    }
    println!("plain typed parse, MB/s    {:>8.0}", median(plain));
    println!("discovery's reading, MB/s  {:>8.0}", median(discovery));
    println!("ratio                      {:>8.2}", median(ratio));
    Ok(())
}

fn mb_per_s(body: &str, mut read: impl FnMut(&str)) -> f64 {
    let start = Instant::now();
    for _ in 0..READINGS {
        read(black_box(body));
    }
    // A page has some megabytes at most: exact in a float.
    #[allow(clippy::cast_precision_loss)]
    let bytes = body.len() as f64 * f64::from(READINGS);
    bytes / 1e6 / start.elapsed().as_secs_f64()
}
