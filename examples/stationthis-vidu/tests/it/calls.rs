//! Each call, and what the service got of it.

use crate::rig::{KEY, inputs, provider};
use bytes::Bytes;
use serde_json::{Value, json};
use stationthis_core::cost::Unit;
use stationthis_core::provider::{CancelAnswer, RunRef, ServiceProvider, SubmitRequest, UploadFile};
use stationthis_core::task::output::OutputKind;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::{Effect, Error, ErrorKind, RunId, Secret, TaskId};
use stationthis_vidu::Vidu;
use stationthis_vidu::sim::{CreditsAs, Script, Sim};

struct Desk {
    sim: Sim,
    vidu: Vidu,
}

impl Desk {
    async fn new() -> Self {
        let sim = Sim::serve(KEY).await.unwrap();
        let vidu = provider(sim.base_url());
        Self { sim, vidu }
    }

    fn script(&self, edit: impl FnOnce(&mut Script)) {
        let mut script = Script::default();
        edit(&mut script);
        self.sim.set_script(script);
    }

    async fn request(&self, tool: &str, given: Value) -> SubmitRequest {
        let tools = self.vidu.discover().await.unwrap().tools;
        let tool = tools.iter().find(|known| known.tool_id.as_str() == format!("vidu:{tool}")).unwrap();
        SubmitRequest::new(TaskId::generate(), tool.tool_id.clone(), tool.endpoint_details.clone(), inputs(given))
    }

    async fn submit(&self, tool: &str, given: Value) -> (RunRef, RunReport) {
        let request = self.request(tool, given).await;
        let made = self.vidu.submit(&request).await.unwrap();
        (RunRef::new(request.task_id, made.run_id, request.endpoint_details), made.report.unwrap())
    }

    async fn refused(&self) -> Error {
        let request = self.request("text2video/viduq3-turbo", json!({ "prompt": "x" })).await;
        self.vidu.submit(&request).await.unwrap_err()
    }
}

#[tokio::test]
async fn each_route_sends_what_it_documents_and_nothing_else() {
    let desk = Desk::new().await;
    let image = "https://cdn.example/a.png";
    for (tool, given, sent) in [
        (
            "text2video/viduq3-turbo",
            json!({ "prompt": "x", "duration": 6.0, "seed": null }),
            json!({ "model": "viduq3-turbo", "prompt": "x", "duration": 6 }),
        ),
        ("img2video/viduq3-pro", json!({ "image": image }), json!({ "model": "viduq3-pro", "images": [image] })),
        (
            "start-end2video/vidu2.0",
            json!({ "first_frame": image, "last_frame": "ssupload:?id=2", "duration": 8 }),
            json!({ "model": "vidu2.0", "images": [image, "ssupload:?id=2"], "duration": 8 }),
        ),
        (
            "reference2video/viduq2-pro",
            json!({ "prompt": "x", "images": [image], "videos": ["https://h/a.mp4"] }),
            json!({ "model": "viduq2-pro", "prompt": "x", "images": [image], "videos": ["https://h/a.mp4"] }),
        ),
        ("reference2image/viduq2", json!({ "prompt": "x" }), json!({ "model": "viduq2", "prompt": "x" })),
        ("upscale-new", json!({ "video_creation_id": "9" }), json!({ "video_creation_id": "9" })),
        ("upscale/vidu1.0", json!({ "creation_id": "9" }), json!({ "model": "vidu1.0", "creation_id": "9" })),
        ("text2audio/audio1.0", json!({ "prompt": "rain" }), json!({ "model": "audio1.0", "prompt": "rain" })),
        ("audio-tts", json!({ "text": "hello", "speed": 1.5 }), json!({ "text": "hello", "speed": 1.5 })),
    ] {
        let request = desk.request(tool, given).await.with_callback(Some(Secret::new("https://station.example/hook")));
        desk.vidu.submit(&request).await.unwrap_or_else(|e| panic!("{tool}: {e:?}"));
        let task = desk.sim.books().tasks.pop().unwrap();
        let mut expected = sent;
        if tool != "text2audio/audio1.0" {
            expected["payload"] = json!(request.task_id);
            if tool != "audio-tts" {
                expected["callback_url"] = json!("https://station.example/hook");
            }
        }
        assert_eq!((task.body, task.route.as_str()), (expected, tool.split('/').next().unwrap()), "{tool}");
    }
}

#[tokio::test]
async fn a_task_is_followed_from_its_credits_to_its_film() {
    let desk = Desk::new().await;
    for credits_as in [CreditsAs::Number, CreditsAs::Text] {
        desk.script(|script| {
            script.credits_as = credits_as;
            script.on_the_way = vec!["queueing", "queuing", "processing", "somethingNew"];
        });
        let (run, made) = desk.submit("text2video/viduq3-turbo", json!({ "prompt": "x" })).await;
        assert_eq!((made.status, made.raw_status.as_str()), (RunStatus::Queued, "created"));
        assert_eq!(made.usage.unwrap().amounts[&Unit::Credit], 66.into());
        let mut words = Vec::new();
        let end = loop {
            let report = desk.vidu.poll(&run).await.unwrap();
            if report.status.is_terminal() {
                break report;
            }
            assert_eq!(report.usage, None, "what the submission said stands until the end");
            words.push((report.raw_status, report.status));
        };
        let (queued, running) = (RunStatus::Queued, RunStatus::Running);
        let expected =
            [("queueing", queued), ("queuing", queued), ("processing", running), ("somethingNew", RunStatus::Unknown)];
        assert_eq!(words, expected.map(|(word, status)| (word.to_owned(), status)));
        assert_eq!((end.status, end.outputs.len()), (RunStatus::Succeeded, 1));
        assert_eq!(end.outputs[0].kind, OutputKind::Video);
        assert_eq!(end.usage.unwrap().amounts[&Unit::Credit], 66.into());
    }
}

#[tokio::test]
async fn speech_is_there_with_the_answer() {
    let desk = Desk::new().await;
    let (_, made) = desk.submit("audio-tts", json!({ "text": "hello" })).await;
    assert_eq!((made.status, made.outputs.len()), (RunStatus::Succeeded, 1));
    assert_eq!((made.outputs[0].kind, made.outputs[0].mime.as_deref()), (OutputKind::Audio, Some("audio/mpeg")));
}

#[tokio::test]
async fn a_failure_is_free_and_says_why() {
    let desk = Desk::new().await;
    desk.script(|script| (script.on_the_way, script.last) = (vec![], ("failed", "CreationPolicyViolation")));
    let (run, _) = desk.submit("text2video/viduq3-turbo", json!({ "prompt": "x" })).await;
    let end = desk.vidu.poll(&run).await.unwrap();
    assert_eq!(end.status, RunStatus::Failed);
    assert_eq!(end.failure.unwrap().detail.as_deref(), Some("CreationPolicyViolation"));
    assert_eq!(end.usage.unwrap().amounts[&Unit::Credit], 0.into());
}

#[tokio::test]
async fn what_is_not_scheduled_is_cancelled_and_the_rest_goes_on() {
    let desk = Desk::new().await;
    let (run, _) = desk.submit("text2video/viduq3-turbo", json!({ "prompt": "x", "off_peak": true })).await;
    assert_eq!(desk.vidu.cancel(&run).await.unwrap(), CancelAnswer::Accepted);
    assert_eq!(desk.vidu.poll(&run).await.unwrap().status, RunStatus::Cancelled);
    desk.script(|script| script.is_scheduled = true);
    let (run, _) = desk.submit("text2video/viduq3-turbo", json!({ "prompt": "x" })).await;
    let CancelAnswer::Refused(why) = desk.vidu.cancel(&run).await.unwrap() else { panic!("it was taken") };
    assert!(why.contains("task state is scheduled") && why.ends_with("The run goes on."), "{why}");
    let nobody = RunRef::new(run.task_id, RunId::new("../credits").unwrap(), run.endpoint_details);
    assert_eq!(desk.vidu.cancel(&nobody).await.unwrap_err().kind(), ErrorKind::NotFound, "one segment of a path");
}

#[tokio::test]
async fn the_run_of_another_is_not_taken_for_ours() {
    let desk = Desk::new().await;
    let (run, _) = desk.submit("text2video/viduq3-turbo", json!({ "prompt": "x" })).await;
    let other = RunRef::new(TaskId::generate(), run.run_id, run.endpoint_details);
    assert_eq!(desk.vidu.poll(&other).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_picture_is_uploaded_in_three_steps_and_nothing_else_is() {
    let desk = Desk::new().await;
    let png = |bytes: usize| UploadFile::new("a.png", "image/png", Bytes::from(vec![0; bytes]));
    let uploaded = desk.vidu.upload(png(2_000_000)).await.unwrap();
    assert_eq!((uploaded.url.as_str(), desk.sim.books().uploads), ("ssupload:?id=0", vec![2_000_000]));
    assert!(uploaded.expires_at.is_some(), "files live for about a week");
    let film = UploadFile::new("a.mp4", "video/mp4", Bytes::from_static(b"x"));
    assert_eq!(desk.vidu.upload(film).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(desk.vidu.upload(png(10_000_001)).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(desk.sim.books().uploads.len(), 1);
}

#[tokio::test]
async fn refusals_made_nothing_and_a_fault_may_have() {
    let desk = Desk::new().await;
    for (status, reason, kind, effect) in [
        (400, "CreditInsufficient", ErrorKind::Forbidden, Effect::No),
        (400, "TaskPromptPolicyViolation", ErrorKind::InvalidInput, Effect::No),
        (429, "QuotaExceeded", ErrorKind::AtCapacity, Effect::No),
        (429, "TooManyRequests", ErrorKind::RateLimited, Effect::No),
        (500, "InternalServiceFailure", ErrorKind::Unavailable, Effect::Unknown),
    ] {
        desk.script(|script| script.refuses = Some((status, reason, "no")));
        let error = desk.refused().await;
        assert_eq!((error.kind(), error.effect(), error.http_status()), (kind, effect, Some(status)), "{reason}");
        assert!(error.message().unwrap().contains(reason), "{error}");
    }
    assert!(desk.sim.books().tasks.is_empty());
    desk.script(|script| script.loses_answers = true);
    assert_eq!(desk.refused().await.effect(), Effect::Unknown);
    assert_eq!(desk.sim.books().tasks.len(), 1, "and it was sent once");
}

#[tokio::test]
async fn the_key_is_tried_and_an_empty_account_is_told() {
    let desk = Desk::new().await;
    assert!(desk.vidu.discover().await.unwrap().warnings.is_empty());
    desk.script(|script| script.credits_left = 0);
    let warnings = desk.vidu.discover().await.unwrap().warnings;
    assert!(warnings[0].contains("no credits left"), "{warnings:?}");
    let wrong = Vidu::builder(Secret::new("vda_wrong")).base_url(desk.sim.base_url()).build().unwrap();
    assert_eq!(wrong.discover().await.unwrap_err().kind(), ErrorKind::Unauthorized);
}
