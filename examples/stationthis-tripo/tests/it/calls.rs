//! Single calls: what is sent, and what answers mean.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_core::provider::{RunRef, ServiceProvider, SubmitRequest, UploadFile};
use stationthis_core::task::report::RunStatus;
use stationthis_core::{Effect, Error, ErrorKind, JsonDoc, Retry, RunId, Secret, TaskId, ToolDefinition};
use stationthis_tripo::sim::{Faults, Refusal, Sim, SimConfig, SimServer};
use stationthis_tripo::{Tripo, UPLOAD_BYTES_MAX};
use std::time::Duration;

async fn served(config: SimConfig) -> (SimServer, Tripo) {
    let server = Sim::serve(config).await.unwrap();
    let provider = Tripo::builder(Secret::new("tsk_1")).base_url(server.base_url()).build().unwrap();
    (server, provider)
}

async fn tool(provider: &Tripo, key: &str) -> ToolDefinition {
    let tools = provider.discover().await.unwrap().tools;
    tools.into_iter().find(|tool| tool.tool_id.as_str() == format!("tripo:{key}")).unwrap()
}

fn request(tool: &ToolDefinition, inputs: Value) -> SubmitRequest {
    let inputs: Map<String, Value> = inputs.as_object().unwrap().clone();
    SubmitRequest::new(TaskId::generate(), tool.tool_id.clone(), tool.endpoint_details.clone(), inputs)
}

async fn run(provider: &Tripo, key: &str, inputs: Value) -> Result<RunRef, Error> {
    let request = request(&tool(provider, key).await, inputs);
    let run = provider.submit(&request).await?.run_id;
    Ok(RunRef::new(request.task_id, run, request.endpoint_details))
}

/// One tool's result is the next one's source, by the run's id as it came.
#[tokio::test]
async fn each_way_is_a_route_and_runs_follow_one_another() {
    let (server, provider) = served(SimConfig::instant()).await;
    let picture = "https://cdn.example/a.png";
    let made =
        run(&provider, "text-to-model-P1-20260311", json!({ "prompt": "a helmet", "texture": true })).await.unwrap();
    let source = made.run_id.as_str();
    let rig = run(&provider, "rig", json!({ "source_run": source, "rig_model": "v3.0-20260909" })).await.unwrap();
    for (key, inputs, ending) in [
        ("image-to-model-v2.5-20250123", json!({ "image": picture }), Some("glb")),
        ("multiview-to-model-v3.1-20260211", json!({ "front": picture, "left": picture }), Some("glb")),
        ("text-to-model-v3.0-20250812", json!({ "prompt": "a", "quad": true }), Some("fbx")),
        ("texture", json!({ "source_run": source, "texture_text": "brass" }), Some("glb")),
        ("convert", json!({ "source_run": source, "format": "USDZ" }), Some("usdz")),
        ("rig-check", json!({ "source_run": source }), None),
        ("retarget", json!({ "source_run": rig.run_id.as_str(), "animations": ["preset:walk"] }), Some("glb")),
        ("text-to-image", json!({ "prompt": "a", "draw_model": "seedream_v5" }), Some("png")),
        ("image-to-multiview", json!({ "image": picture }), Some("png")),
    ] {
        let run = run(&provider, key, inputs).await.unwrap_or_else(|e| panic!("{key}: {e}"));
        let report = provider.poll(&run).await.unwrap();
        assert_eq!((report.status, report.run_id == run.run_id), (RunStatus::Succeeded, true), "{key}");
        let name = report.outputs[0].filename.clone();
        assert_eq!(name.and_then(|name| Some(name.rsplit_once('.')?.1.to_owned())).as_deref(), ending, "{key}");
    }
    let books = server.sim.books();
    let body = |kind: &str| Value::Object(books.tasks.iter().find(|task| task.kind == kind).unwrap().body.clone());
    assert_eq!(body("multiview_to_model")["inputs"], json!([{ "front": picture }, { "left": picture }]));
    assert_eq!(body("texture_model"), json!({ "input": source, "texture_prompt": { "text": "brass" } }));
    assert_eq!(body("animate_rig")["model"], json!("v3.0-20260909"));
    server.shutdown().await;
}

#[tokio::test]
async fn files_go_as_a_form_or_past_the_service_and_come_back_as_tokens() {
    let (server, provider) = served(SimConfig::instant()).await;
    let small = UploadFile::new("a.png", "image/png", Bytes::from_static(b"\x89PNG\r\n\x1a\n"));
    let large = UploadFile::new("a.glb", "model/gltf-binary", Bytes::from(vec![0; 50_000_001]));
    let mut tokens = Vec::new();
    for file in [small, large] {
        let given = provider.upload(file).await.unwrap();
        assert!(given.url.starts_with("file_") && given.expires_at.is_none(), "{given:?}");
        tokens.push(given.url);
    }
    let mut sizes = server.sim.books().uploads;
    sizes.sort_unstable();
    assert_eq!(sizes, [8, 50_000_001]);
    run(&provider, "image-to-model-v3.1-20260211", json!({ "image": tokens[0] })).await.unwrap();
    run(&provider, "convert", json!({ "model_file": tokens[1], "format": "FBX" })).await.unwrap();
    for (kind, size) in [("image/png", 20_000_001), ("model/gltf-binary", UPLOAD_BYTES_MAX + 1)] {
        let error = provider.upload(UploadFile::new("a", kind, Bytes::from(vec![0; size]))).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::TooLarge, Effect::No), "{kind}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn refusals_say_what_they_are_with_any_status() {
    let (server, provider) = served(SimConfig::instant()).await;
    for (status, code, retry_after_s, kind, retry, effect) in [
        (401, 1000, None, ErrorKind::Unauthorized, Retry::Never, Effect::No),
        (500, 1000, None, ErrorKind::Unavailable, Retry::Backoff, Effect::Unknown),
        (403, 2010, None, ErrorKind::Forbidden, Retry::Never, Effect::No),
        (429, 2000, Some(7), ErrorKind::AtCapacity, Retry::After(Duration::from_secs(7)), Effect::No),
        (429, 1007, None, ErrorKind::RateLimited, Retry::Backoff, Effect::No),
        (200, 2010, None, ErrorKind::Forbidden, Retry::Never, Effect::No),
        (200, 2000, Some(7), ErrorKind::AtCapacity, Retry::After(Duration::from_secs(7)), Effect::No),
        (200, 77, None, ErrorKind::Unexpected, Retry::Never, Effect::Unknown),
    ] {
        server.sim.set_faults(Faults { refuse: Some(Refusal { status, code, retry_after_s }), ..Faults::default() });
        let error = run(&provider, "text-to-model-v3.1-20260211", json!({ "prompt": "a" })).await.unwrap_err();
        assert_eq!((error.kind(), error.retry(), error.effect()), (kind, retry, effect), "{status}/{code}");
        assert_eq!(error.http_status(), Some(status));
        assert!(error.context().any(|fact| fact == ("trace", "trace-4711")), "{error}");
    }
    assert_eq!(server.sim.books().tasks.len(), 0);
    server.sim.set_faults(Faults::default());
    let nobody = RunRef::new(TaskId::generate(), RunId::new("../files").unwrap(), JsonDoc::default());
    assert_eq!(provider.poll(&nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = run(&provider, "texture", json!({ "source_run": "0199" })).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::InvalidInput, Effect::No));
    server.shutdown().await;
}

#[tokio::test]
async fn discovery_proves_the_key_and_says_when_no_credits_are_left() {
    let (server, provider) = served(SimConfig { key: Some("tsk_1".to_owned()), ..SimConfig::instant() }).await;
    assert_eq!(provider.discover().await.unwrap().warnings, [""; 0]);
    let wrong = Tripo::builder(Secret::new("tcli_1")).base_url(server.base_url()).build().unwrap();
    assert_eq!(wrong.discover().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    server.shutdown().await;
    let (server, provider) = served(SimConfig { balance: 0.into(), ..SimConfig::instant() }).await;
    let catalogue = provider.discover().await.unwrap();
    assert_eq!((catalogue.tools.len(), catalogue.warnings.len()), (22, 1));
    let error = run(&provider, "text-to-model-v3.1-20260211", json!({ "prompt": "a" })).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Forbidden, Effect::No));
    server.shutdown().await;
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    let built = |change: fn(stationthis_tripo::TripoBuilder) -> stationthis_tripo::TripoBuilder| {
        change(Tripo::builder(Secret::new("tsk_1"))).build().err().map(|error| error.kind())
    };
    assert_eq!(built(|b| b), None);
    let timeless = |b: stationthis_tripo::TripoBuilder| {
        let mut config = stationthis_tripo::TripoConfig::default();
        config.submit_timeout_s = 0;
        b.config(config)
    };
    for refused in [
        built(|b| b.base_url("ftp://a")),
        built(|b| b.base_url("https://a/?b=c")),
        built(|b| b.provider_id("A B")),
        built(|b| b.webhook_secret(Secret::new(""))),
        built(timeless),
        Tripo::builder(Secret::new("")).build().err().map(|error| error.kind()),
        Tripo::builder(Secret::new("a b")).build().err().map(|error| error.kind()),
    ] {
        assert_eq!(refused, Some(ErrorKind::InvalidInput));
    }
}
