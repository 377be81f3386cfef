use super::*;
use std::time::Duration;

const TASK: &str = "0199c6f2-5b0e-7c11-9d3a-2f6f5f0a11aa";

fn seen() -> Timestamp {
    "2026-11-23T10:01:13Z".parse().unwrap()
}

fn read(task: &str) -> RunReport {
    report(serde_json::from_str(task).unwrap(), None, seen()).unwrap()
}

#[test]
fn each_word_has_its_status() {
    for (word, status) in [
        ("queued", RunStatus::Queued),
        ("running", RunStatus::Running),
        ("success", RunStatus::Succeeded),
        ("failed", RunStatus::Failed),
        ("cancelled", RunStatus::Cancelled),
        ("banned", RunStatus::Failed),
        ("expired", RunStatus::TimedOut),
        ("unknown", RunStatus::Unknown),
        ("SUCCESS", RunStatus::Unknown),
        ("paused", RunStatus::Unknown),
        ("", RunStatus::Unknown),
    ] {
        let report = read(&format!(r#"{{"task_id":"{TASK}","status":"{word}"}}"#));
        assert_eq!((report.status, report.raw_status.as_str()), (status, word));
        assert_eq!(report.failure.is_some(), status == RunStatus::Failed, "{word}");
    }
    assert_eq!(read(r#"{"task_id":"a"}"#).status, RunStatus::Unknown);
}

/// The two examples of the pages.
#[test]
fn a_whole_task_is_read() {
    let report = read(
        r#"{"task_id":"0199c6f2-5b0e-7c11-9d3a-2f6f5f0a11aa","type":"text_to_model","status":"success","progress":100,
        "input":{"prompt":"a brass diving helmet"},"output":{"model_url":"https://cdn.example/m.glb?k=1",
        "rendered_image_url":"https://cdn.example/p.webp?k=2"},"credits_consumed":20.0,
        "created_at":"2026-11-23T10:00:00Z","completed_at":"2026-11-23T10:01:12Z"}"#,
    );
    assert_eq!((report.run_id.as_str(), report.status), (TASK, RunStatus::Succeeded));
    assert_eq!(report.progress, Some(Progress::DONE));
    let urls: Vec<&str> = report.outputs.iter().filter_map(|output| output.url.as_deref()).collect();
    assert_eq!(urls, ["https://cdn.example/m.glb?k=1", "https://cdn.example/p.webp?k=2"]);
    assert!(report.outputs.iter().all(|output| output.expires_at == Some(seen().plus(Duration::from_secs(60)))));
    assert_eq!(report.usage, Some(Usage::of(Unit::Credit, "20.0".parse().unwrap(), UsageBasis::Reported)));
    let took = report.times.ended_at.unwrap().since(report.times.created_at.unwrap());
    assert_eq!((took.as_secs(), report.times.started_at), (72, None));

    let report = read(
        r#"{"task_id":"0199c6f2-5b0e-7c11-9d3a-2f6f5f0a11ab","type":"image_to_model","status":"failed","progress":40,
        "error_code":2008,"error_message":"input rejected","credits_consumed":0}"#,
    );
    let failure = report.failure.unwrap();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("runFailed", "The run failed (code 2008): input rejected")
    );
    assert_eq!(report.usage, Some(Usage::of(Unit::Credit, Decimal::ZERO, UsageBasis::Reported)));
}

#[test]
fn credits_are_exact_in_each_of_their_forms() {
    let credits = |status: &str, text: &str| {
        let usage = read(&format!(r#"{{"task_id":"a","status":"{status}","credits_consumed":{text}}}"#)).usage;
        usage.map(|usage| (usage.amounts[&Unit::Credit].to_string(), usage.basis))
    };
    let reported = |text: &str| Some((text.to_owned(), UsageBasis::Reported));
    assert_eq!(credits("success", "20"), reported("20"));
    assert_eq!(credits("success", "\"17.5\""), reported("17.5"));
    // As a double this would be 0.30000000000000004, or 17.100000000000001.
    assert_eq!(credits("success", "17.1000000000000000000001"), reported("17.1000000000000000000001"));
    assert_eq!(credits("success", "1.75e1"), reported("17.5"));
    for odd in ["null", "\"\"", "\"many\"", "[]", "{}", "true", "-1", "1e999"] {
        assert_eq!(credits("success", odd), None, "{odd}");
    }
    // What is held is not what is taken.
    assert_eq!(credits("running", "20"), None);
    assert_eq!(credits("unknown", "20"), None);
    for word in ["failed", "banned", "expired", "cancelled"] {
        assert_eq!(credits(word, "0"), reported("0"), "{word}");
        assert_eq!(credits(word, "null"), Some(("0".to_owned(), UsageBasis::Estimated)), "{word}");
    }
}

#[test]
fn a_reason_is_found_in_each_of_its_forms() {
    for (fields, message) in [
        (r#""error_code":2008,"error_message":"input rejected""#, "The run failed (code 2008): input rejected"),
        (r#""error_code":"2018","error_msg":"too complex""#, "The run failed (code 2018): too complex"),
        (r#""error":{"code":"2008","message":"no"}"#, "The run failed (code 2008): no"),
        (r#""error":{"code":2008}"#, "The run failed (code 2008)."),
        (r#""error_code":0,"error_message":"""#, "The run failed."),
        (r#""error":"odd","error_message":["odd"]"#, "The run failed."),
    ] {
        let report = read(&format!(r#"{{"task_id":"a","status":"failed",{fields}}}"#));
        assert_eq!(report.failure.unwrap().message, message);
    }
    let report = read(r#"{"task_id":"a","status":"banned","error_message":"no"}"#);
    assert_eq!(report.failure.unwrap().message, "Tripo's moderation ended the run: no");
}

#[test]
fn odd_types_cost_no_more_than_their_field() {
    let report = read(
        r#"{"task_id":"a","status":"running","progress":"40","created_at":"soon","completed_at":5,"output":[1],
        "running_left_time":null,"queuing_num":-1,"error":null,"input":"x"}"#,
    );
    assert_eq!(report.progress, Progress::from_fraction(0.4));
    assert_eq!((report.times, report.outputs.len()), (RunTimes::default(), 0));
    // No more than a success shows outputs.
    let report = read(r#"{"task_id":"a","status":"failed","output":{"model_url":"https://a/b.glb"}}"#);
    assert_eq!(report.outputs, []);
    for bad in [r#"{"status":"success"}"#, r#"{"task_id":5}"#, "null", "[]"] {
        assert!(serde_json::from_str::<Task>(bad).is_err(), "{bad}");
    }
    let empty: Task = serde_json::from_str(r#"{"task_id":""}"#).unwrap();
    assert!(report_of(empty).is_err());
}

fn report_of(task: Task) -> Result<RunReport> {
    report(task, None, seen())
}
