//! Recorded runs, played back.

use crate::replay::{Recording, Replay};
use crate::support::{KEY, callback, provider, request, run_ref, tool};
use bytes::Bytes;
use serde_json::Value;
use stationthis_core::provider::{CancelAnswer, Lookup, LookupRequest, ServiceProvider};
use stationthis_core::task::output::OutputKind;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Effect, ErrorKind, Timestamp};

async fn start(name: &str) -> Replay {
    Replay::start(Recording::load(name)).await
}

fn read_hooks(replay: &Replay) -> Vec<RunReport> {
    let provider = provider(replay.base_url());
    let hooks = replay.recording().hooks().iter();
    hooks
        .flat_map(|hook| {
            let body = Bytes::from(hook.body.clone());
            let at = Timestamp::from_micros(0);
            let request = WebhookRequest::new(&hook.method, "/api/webhook/comfydeploy/x", "", body, at);
            provider.read_webhook(&request).unwrap().reports
        })
        .collect()
}

#[tokio::test]
async fn every_recorded_run_is_queued_followed_and_read_to_its_end() {
    let names = Recording::names();
    assert_eq!(names.len(), 27, "{names:?}");
    for name in names {
        let replay = start(&name).await;
        for report in read_hooks(&replay) {
            assert_ne!(report.status, RunStatus::Unknown, "{name}");
        }
        if !replay.recording().queue().path.ends_with("/queue") {
            continue;
        }
        let provider = provider(replay.base_url());
        let tools = provider.discover().await.unwrap().tools;
        assert_eq!(tools.len(), 1, "{name}");
        let mut request = request(&tools[0], replay.recording().inputs());
        request = {
            let url = callback(&request);
            request.with_callback(Some(url))
        };
        let answer = provider.submit(&request).await;
        assert_eq!(replay.problems(), [] as [String; 0], "{name}");
        let Some(run_id) = replay.recording().run_id() else {
            let error = answer.unwrap_err();
            assert_eq!(error.effect(), Effect::Unknown, "{name}");
            assert_eq!(error.http_status(), Some(replay.recording().queue().status), "{name}");
            continue;
        };
        let run = run_ref(&request, &answer.unwrap().run_id);
        assert_eq!(run.run_id.as_str(), run_id);
        for poll in replay.recording().polls() {
            replay.advance_to(poll.rel);
            let report = provider.poll(&run).await.unwrap();
            assert_ne!(report.status, RunStatus::Unknown, "{name}");
            assert!(report.times.created_at.is_some(), "{name}");
        }
        replay.advance_to(f64::INFINITY);
        let last = provider.poll(&run).await.unwrap();
        let word: Value = serde_json::from_str(replay.recording().last().unwrap()).unwrap();
        assert_eq!(last.raw_status, word["status"], "{name}");
        assert!(last.status.is_terminal() && last.times.ended_at.is_some(), "{name}");
        assert_eq!(last.outputs.is_empty(), last.status != RunStatus::Succeeded, "{name}");
        let search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), Timestamp::now());
        assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Found(run.run_id.clone()), "{name}");
    }
}

#[tokio::test]
async fn hooks_and_status_answers_tell_the_same_outputs() {
    for name in ["classic_success", "serverless_success", "classic_target_events", "hook_500_once_each"] {
        let replay = start(name).await;
        let told =
            read_hooks(&replay).into_iter().rev().find(|r| r.status == RunStatus::Succeeded && !r.outputs.is_empty());
        let provider = provider(replay.base_url());
        let tool = provider.discover().await.unwrap().tools.remove(0);
        let request = request(&tool, replay.recording().inputs());
        let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
        replay.advance_to(f64::INFINITY);
        assert_eq!(told.unwrap().outputs, provider.poll(&run).await.unwrap().outputs, "{name}");
    }
}

#[tokio::test]
async fn outputs_of_a_recorded_run_are_named_typed_and_ordered() {
    let replay = start("classic_success").await;
    let end = read_hooks(&replay).into_iter().rev().find(|r| !r.outputs.is_empty()).unwrap();
    let shown: Vec<_> = end
        .outputs
        .iter()
        .map(|o| {
            (o.kind, o.filename.as_deref(), o.mime.as_deref(), o.node_id.as_deref(), o.output_id.as_deref(), o.order)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (OutputKind::File, Some("txt_00006_.txt"), Some("text/plain"), Some("13"), Some("caption"), 0),
            (OutputKind::Image, Some("cd_00001_.png"), Some("image/png"), Some("4"), None, 1),
            (OutputKind::Image, Some("cdout_00009_.webp"), Some("image/webp"), Some("12"), Some("final"), 2),
        ]
    );
}

#[tokio::test]
async fn a_failed_run_s_reason_is_found_without_traceback_and_callback() {
    let replay = start("classic_runtime_failure").await;
    let provider = provider(replay.base_url());
    let tool = tool(&provider, "lab-oom").await;
    let request = request(&tool, replay.recording().inputs());
    let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
    assert_eq!(provider.diagnose(&run).await.unwrap(), None);
    replay.advance_to(f64::INFINITY);
    let diagnosis = provider.diagnose(&run).await.unwrap().unwrap();
    assert_eq!(diagnosis.failure.code, "runFailed");
    assert!(diagnosis.failure.message.starts_with("EmptyImage (node 1) failed: [enforce fail at alloc_cpu.cpp:124]"));
    let detail = diagnosis.failure.detail.unwrap();
    assert!(
        detail.starts_with("RuntimeError: ") && !detail.contains("File \"") && !detail.contains("http"),
        "{detail}"
    );
    assert_eq!((diagnosis.nodes[0].class_type.as_str(), diagnosis.nodes[0].micros), ("EmptyImage", 72_452));
}

#[tokio::test]
async fn recorded_cancels_are_understood() {
    for (name, accepted, asked) in [("serverless_cancel", true, 1), ("classic_cancel", false, 0)] {
        let replay = start(name).await;
        let provider = provider(replay.base_url());
        let tool = provider.discover().await.unwrap().tools.remove(0);
        let request = request(&tool, replay.recording().inputs());
        let run = run_ref(&request, &provider.submit(&request).await.unwrap().run_id);
        let answer = provider.cancel(&run).await.unwrap();
        assert_eq!(answer == CancelAnswer::Accepted, accepted, "{name}: {answer:?}");
        assert_eq!(replay.cancels(), asked, "{name}");
    }
}

#[tokio::test]
async fn a_run_without_a_callback_carries_a_mark_and_is_found_by_it() {
    let replay = start("no_webhook").await;
    let provider = provider(replay.base_url());
    let tool = tool(&provider, "lab-ok").await;
    let request = request(&tool, replay.recording().inputs());
    let search = LookupRequest::new(request.task_id, request.endpoint_details.clone(), Timestamp::now());
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Absent);
    let run_id = provider.submit(&request).await.unwrap().run_id;
    let sent = &replay.queued()[0];
    assert_eq!(sent["webhook"], format!("stationthis:task/{}", request.task_id));
    assert_eq!(provider.lookup(&search).await.unwrap(), Lookup::Found(run_id));
}

#[tokio::test]
async fn an_unknown_run_is_not_found_and_errors_hold_no_secret() {
    let replay = start("classic_success").await;
    let provider = provider(replay.base_url());
    let tool = tool(&provider, "lab-ok").await;
    let request = request(&tool, serde_json::Map::new());
    let request = {
        let url = callback(&request);
        request.with_callback(Some(url))
    };
    let run = run_ref(&request, &stationthis_core::RunId::new("../other").unwrap());
    let error = provider.poll(&run).await.unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::NotFound, Some(404)));
    let error = provider.submit(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::InvalidInput, Effect::No));
    let shown = format!("{error:?} {error} {provider:?}");
    assert!(!shown.contains(KEY) && !shown.contains("canary"), "{shown}");
}
