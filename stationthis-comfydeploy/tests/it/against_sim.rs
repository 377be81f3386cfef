//! Everything against the simulator.

use crate::support::{callback, provider, request, run_ref, tool};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Misbehaviour, Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::provider::{CancelAnswer, Lookup, LookupRequest, RunRef, ServiceProvider, UploadFile};
use stationthis_core::task::output::OutputKind;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::{Effect, ErrorKind, Timestamp};
use std::time::Duration;

async fn start(set: impl FnOnce(&mut SimConfig)) -> (SimServer, ComfyDeploy) {
    let mut config = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    set(&mut config);
    let server = Sim::serve(config).await.unwrap();
    let provider = provider(server.base_url());
    (server, provider)
}

async fn faulty(set: impl FnOnce(&mut Misbehaviour)) -> (SimServer, ComfyDeploy) {
    start(|config| set(&mut config.misbehaviour)).await
}

fn prompt() -> Map<String, Value> {
    json!({ "prompt": "a red fox" }).as_object().unwrap().clone()
}

async fn end(provider: &ComfyDeploy, run: &RunRef) -> RunReport {
    let poll = async {
        loop {
            let report = provider.poll(run).await.unwrap();
            if report.status.is_terminal() {
                return report;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), poll).await.expect("not in time")
}

#[tokio::test]
async fn the_demo_catalogue_becomes_tools() {
    let (_server, provider) = start(|_| {}).await;
    let catalogue = provider.discover().await.unwrap();
    assert_eq!(catalogue.warnings, [] as [String; 0]);
    assert_eq!(catalogue.tools.len(), 6);
    let portrait = tool(&provider, "SDXL Portrait").await;
    let schema = portrait.input_schema.to_value();
    let kind = |name: &str| schema["properties"][name]["x-stationthis"]["kind"].clone();
    assert_eq!((kind("seed"), kind("sampler"), kind("steps")), (json!("seed"), json!("choice"), json!("slider")));
    assert_eq!(schema["properties"]["sampler"]["enum"], json!(["euler", "dpmpp_2m", "ddim"]));
    assert_eq!(schema["properties"]["prompt"]["x-stationthis"]["order"], 0);
}

#[tokio::test]
async fn a_run_is_queued_followed_and_found() {
    let (server, provider) = faulty(|m| m.presigned_urls = Some(Duration::from_secs(3600))).await;
    let tool = tool(&provider, "SDXL Portrait").await;
    let request = request(&tool, prompt());
    let before = Timestamp::now();
    let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
    let report = end(&provider, &run).await;
    assert_eq!((report.status, report.resource.as_deref()), (RunStatus::Succeeded, Some("A10G")));
    assert!(report.times.started_at.is_some() && report.times.ended_at >= report.times.started_at);
    assert_eq!(report.outputs[0].kind, OutputKind::Image);
    assert!(report.outputs[0].expires_at.unwrap() > before);
    assert_eq!(server.sim.books().run(run.run_id.as_str()).unwrap().inputs["prompt"], "a red fox");
    let mut search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), before);
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Found(run.run_id));
    search.task_id = stationthis_core::TaskId::generate();
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Absent);
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_run_is_found() {
    let (_server, provider) = faulty(|m| m.queue_drop_answer = true).await;
    let tool = tool(&provider, "Flux Dreamscape").await;
    let mut request = request(&tool, prompt());
    request = {
        let url = callback(&request);
        request.with_callback(Some(url))
    };
    let error = provider.submit(&request).await.unwrap_err();
    assert_eq!(error.effect(), Effect::Unknown);
    let search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), Timestamp::now());
    assert!(matches!(provider.lookup(&search).await.unwrap(), Lookup::Found(_)));
}

#[tokio::test]
async fn a_failed_run_says_why() {
    let (_server, provider) = faulty(|m| m.run_fails = true).await;
    let tool = tool(&provider, "SDXL Portrait").await;
    let request = request(&tool, prompt());
    let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
    assert_eq!(end(&provider, &run).await.status, RunStatus::Failed);
    let diagnosis = provider.diagnose(&run).await.unwrap().unwrap();
    assert!(diagnosis.failure.message.contains("failed: Allocation on device 0"), "{:?}", diagnosis.failure);
    assert!(diagnosis.failure.detail.unwrap().starts_with("torch.OutOfMemoryError: "));
}

#[tokio::test]
async fn cancels_depend_on_the_machine() {
    let (_server, provider) = faulty(|m| m.stuck_running = true).await;
    for (name, accepted) in [("SDXL Portrait", true), ("Workshop Sketch", false)] {
        let tool = tool(&provider, name).await;
        let request = request(&tool, prompt());
        let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
        let answer = provider.cancel(&run).await.unwrap();
        assert_eq!(answer == CancelAnswer::Accepted, accepted, "{name}: {answer:?}");
        if accepted {
            assert_eq!(end(&provider, &run).await.status, RunStatus::Cancelled);
        }
    }
}

#[tokio::test]
async fn an_uploaded_picture_is_an_input() {
    let (server, provider) = start(|_| {}).await;
    let file = UploadFile::new("fox.png", "image/png", Bytes::from_static(b"not really a png"));
    let url = provider.upload(file).await.unwrap().url;
    let tool = tool(&provider, "Image Restyle").await;
    assert_eq!(tool.input_schema.to_value()["required"], json!(["input_image"]));
    let request = request(&tool, json!({ "input_image": url }).as_object().unwrap().clone());
    let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
    assert_eq!(end(&provider, &run).await.status, RunStatus::Succeeded);
    assert_eq!(server.sim.books().run(run.run_id.as_str()).unwrap().inputs["input_image"], url);
    let large = UploadFile::new("film.mp4", "video/mp4", Bytes::from(vec![0; (50 << 20) + 1]));
    assert!(provider.upload(large).await.unwrap().url.ends_with(".mp4"));
    let text = UploadFile::new("notes.txt", "text/plain", Bytes::from_static(b"hi"));
    assert_eq!(provider.upload(text).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn odd_spellings_and_an_outage_are_survived() {
    let (server, provider) = faulty(|m| {
        m.string_durations = true;
        m.seconds_less_timestamps = true;
        m.unknown_status = Some("warming".to_owned());
        m.get_run_500 = 1;
    })
    .await;
    let tool = tool(&provider, "Caption Writer").await;
    let request = request(&tool, Map::new());
    let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
    assert_eq!(end(&provider, &run).await.status, RunStatus::Succeeded);
    server.sim.set_misbehaviour(Misbehaviour { lists_500: true, ..Misbehaviour::default() });
    assert_eq!(provider.discover().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_large_account_is_read_whole() {
    let (_server, provider) =
        start(|config| config.catalogue = stationthis_comfydeploy::sim::SimCatalogue::sized(230)).await;
    let catalogue = provider.discover().await.unwrap();
    assert_eq!((catalogue.tools.len(), catalogue.warnings), (230, Vec::new()));
}
