use super::*;
use serde_json::{Value, json};

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn run() -> RunId {
    RunId::new("871234567890123456").unwrap()
}

fn task(body: &Value) -> Task {
    serde_json::from_value(body.clone()).unwrap()
}

fn poll(body: &Value) -> RunReport {
    queried(Route::Text2Video, &run(), &task(body), now())
}

#[test]
fn each_word_has_its_status() {
    for (word, error, status) in [
        ("created", "", RunStatus::Queued),
        ("queueing", "", RunStatus::Queued),
        ("queuing", "", RunStatus::Queued),
        ("processing", "", RunStatus::Running),
        ("success", "", RunStatus::Succeeded),
        ("failed", "CreationPolicyViolation", RunStatus::Failed),
        ("failed", "", RunStatus::Failed),
        ("failed", "UserCancelled", RunStatus::Cancelled),
        ("failed", "Canceled", RunStatus::Cancelled),
        ("paused", "", RunStatus::Unknown),
        ("Success", "", RunStatus::Unknown),
        ("", "", RunStatus::Unknown),
    ] {
        for field in ["state", "status"] {
            let report = poll(&json!({ field: word, "err_code": error }));
            assert_eq!((report.status, report.raw_status.as_str()), (status, word), "{field} {word} {error}");
            assert_eq!(report.failure.is_some(), status == RunStatus::Failed, "{word} {error}");
        }
    }
    assert_eq!(poll(&json!({})).status, RunStatus::Unknown);
    assert_eq!(poll(&json!({ "state": "x".repeat(1000) })).raw_status.len(), WORD_CHARS_MAX);
}

#[test]
fn a_failure_keeps_the_services_word() {
    let failure = poll(&json!({ "state": "failed", "err_code": "CreationPolicyViolation" })).failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.detail.as_deref()), ("runFailed", Some("CreationPolicyViolation")));
    assert!(failure.message.contains("content policy"));
    let failure = poll(&json!({ "state": "failed", "err_code": "SomethingNew" })).failure.unwrap();
    assert_eq!(failure.detail.as_deref(), Some("SomethingNew"));
    let failure = poll(&json!({ "state": "failed" })).failure.unwrap();
    assert_eq!((failure.message.as_str(), failure.detail), ("The run failed; Vidu gave no reason.", None));
}

/// The page's two examples of a state query.
#[test]
fn the_pages_examples_are_read() {
    let success = json!({"id":"871234567890123456","state":"success","err_code":"","credits":66,"payload":"job-018f",
        "bgm":false,"off_peak":false,"creations":[{"id":"990001","url":"https://files.example/out.mp4?sig=a",
        "cover_url":"https://files.example/out.jpg?sig=b","watermarked_url":"https://files.example/out-wm.mp4?sig=c"}]});
    let report = poll(&success);
    let [output] = report.outputs.as_slice() else { panic!("{:?}", report.outputs) };
    assert_eq!((output.kind, output.url.as_deref()), (OutputKind::Video, Some("https://files.example/out.mp4?sig=a")));
    assert_eq!((output.mime.as_deref(), output.filename.as_deref()), (Some("video/mp4"), Some("out.mp4")));
    assert_eq!((output.output_id.as_deref(), output.order), (Some("990001"), 0));
    assert_eq!(output.expires_at, Some("2026-11-23T11:00:00Z".parse().unwrap()), "the shorter of two lives");
    assert_eq!(report.usage, Some(Usage::of(Unit::Credit, 66.into(), UsageBasis::Reported)));
    let failed = json!({"id":"871234567890123457","state":"failed","err_code":"CreationPolicyViolation","credits":0,
        "payload":"job-0191","creations":[]});
    let report = poll(&failed);
    assert_eq!(report.usage, Some(Usage::of(Unit::Credit, 0.into(), UsageBasis::Reported)), "nothing is an amount");
    assert!(report.outputs.is_empty());
}

#[test]
fn credits_count_at_the_end_alone_and_never_below_zero() {
    let usage = |state: &str, credits: Value| poll(&json!({ "state": state, "credits": credits })).usage;
    assert_eq!(usage("processing", json!(0)), None, "what the submission said stands");
    assert_eq!(usage("success", json!("66")), Some(Usage::of(Unit::Credit, 66.into(), UsageBasis::Reported)));
    assert_eq!(
        (usage("success", json!(-1)), usage("success", json!("many")), usage("success", json!(null))),
        (None, None, None)
    );
}

#[test]
fn a_created_task_has_its_credits_and_an_immediate_one_its_result() {
    let made = |route, body: Value| created(route, &task(&body), RunId::new("spare").unwrap(), now());
    let report =
        made(Route::Text2Video, json!({ "task_id": "871234567890123456", "state": "created", "credits": "66" }))
            .unwrap();
    assert_eq!((report.run_id, report.status), (run(), RunStatus::Queued));
    assert_eq!(report.usage.unwrap().amounts[&Unit::Credit], 66.into());
    for nothing in [json!({}), json!({ "state": "created" }), json!({ "task_id": "" }), json!({ "task_id": "a\u{0}" })]
    {
        let error = made(Route::Text2Video, nothing.clone()).unwrap_err();
        assert_eq!(error.effect(), stationthis_core::Effect::Unknown, "{nothing}: a task may have been made");
    }
    for body in [
        json!({ "task_id": "1", "state": "success", "file_url": "https://f.example/a.mp3", "credits": 2 }),
        json!({ "speech_url": "https://f.example/a.mp3" }),
        json!({ "id": "1", "creations": [{ "url": "https://f.example/a.mp3" }] }),
    ] {
        let report = made(Route::AudioTts, body.clone()).unwrap();
        assert_eq!((report.status, report.outputs.len()), (RunStatus::Succeeded, 1), "{body}");
        assert_eq!(report.outputs[0].kind, OutputKind::Audio);
        assert_eq!(report.run_id.as_str(), if body["speech_url"].is_string() { "spare" } else { "1" });
    }
    assert!(made(Route::AudioTts, json!({ "task_id": "1", "state": "success" })).is_err(), "a result without a file");
    let failed = made(Route::AudioTts, json!({ "task_id": "1", "state": "failed", "err_code": "AuditSubmitIllegal" }));
    assert_eq!(failed.unwrap().status, RunStatus::Failed);
}

#[test]
fn files_are_told_apart_by_their_ending_else_by_the_route() {
    for (route, url, kind, mime) in [
        (Route::Reference2Image, "https://f/a.PNG?x=1", OutputKind::Image, Some("image/png")),
        (Route::Reference2Image, "https://f/a", OutputKind::Image, None),
        (Route::Text2Audio, "https://f/a.wav#t", OutputKind::Audio, Some("audio/wav")),
        (Route::Img2Video, "https://f/a.bin", OutputKind::Video, None),
    ] {
        let body = json!({ "state": "success", "creations": [{ "url": url }] });
        let report = queried(route, &run(), &task(&body), now());
        assert_eq!((report.outputs[0].kind, report.outputs[0].mime.as_deref()), (kind, mime), "{url}");
    }
    let marked =
        poll(&json!({ "state": "success", "creations": [{ "url": "", "watermarked_url": "https://f/w.mp4" }, {}] }));
    assert_eq!(marked.outputs.len(), 1, "better with a mark than not at all");
}

#[test]
fn a_callback_brings_neither_files_nor_credits() {
    let body = json!({ "id": "871234567890123456", "state": "success", "credits": 1,
        "creations": [{ "url": "https://evil.example/x.mp4" }] });
    let report = called_back(run(), &task(&body));
    assert_eq!(report.status, RunStatus::Succeeded);
    assert!(report.outputs.is_empty() && report.usage.is_none());
}
