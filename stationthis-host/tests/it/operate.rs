//! What whoever runs a host asks and does, over HTTP and on the command line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::http::StatusCode;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Misbehaviour, SimConfig, SimTiming};
use stationthis_host::app::Service;
use stationthis_host::config::{Config, Flags};

use crate::bench::{Bench, kind};
use crate::commands::{json_of, run};

const ADMIN: &str = "/api/internal/admin";

/// What an event list says, as soon as it has one of this kind.
async fn story_with(bench: &Bench, task: &Value, event: &str) -> Value {
    let path = format!("/api/internal/tasks/{}/explain", task["taskId"].as_str().unwrap());
    loop {
        let (status, story) = bench.get(&path).await;
        assert_eq!(status, 200, "{story}");
        if story["events"].as_array().unwrap().iter().any(|told| told["raw"]["event"] == event) {
            return story;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_story_tells_every_event_and_replays() {
    let bench = Bench::new().await;
    let body = json!({ "inputs": {}, "notify": [{ "channel": "log" }] });
    let (_, task) = bench.post("/api/internal/run/sdxl-portrait?wait=30", &body).await;
    let story = story_with(&bench, &task, "noticeTried").await;
    assert_eq!((&story["replays"], &story["task"]["taskId"]), (&json!(true), &task["taskId"]));
    let events = story["events"].as_array().unwrap();
    let told = |event: &str| {
        let found = events.iter().find(|told| told["raw"]["event"] == event);
        found.unwrap_or_else(|| panic!("no {event} in {story}"))["summary"].as_str().unwrap()
    };
    let rate = task["costRate"]["amount"].as_str().unwrap();
    for (event, word) in [
        ("accepted", "Accepted from local: sdxl-portrait"),
        ("accepted", rate),
        ("submitted", task["runId"].as_str().unwrap()),
        ("webhookReceived", "authenticated by key k1"),
        ("settled", task["costUsd"].as_str().unwrap()),
        ("noticeTried", "Notice to log, attempt 1: delivered."),
    ] {
        assert!(told(event).contains(word), "{event}: {}", told(event));
    }
    assert!(events.iter().any(|told| told["summary"].as_str().unwrap().starts_with("The service was polled and says")));
    assert_eq!((&events[0]["status"], &events[0]["afterMs"]), (&json!("accepted"), &json!(0)));
    assert_eq!(events.last().unwrap()["status"], "completed");
    assert!(events.windows(2).all(|pair| pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64()));
    bench.close().await;
}

/// A host whose submissions lose their answers while searches cannot be done.
async fn in_doubt() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let service = Service::Simulator(Box::new(sim), 0);
    let bench = Bench::over(crate::bench::config(&dir), dir, service, None).await;
    bench.app.station().refresh().await.unwrap();
    let faults = Misbehaviour { queue_drop_answer: true, lists_500: true, hooks_lost: 1.0, ..Misbehaviour::default() };
    bench.app.sim().unwrap().set_misbehaviour(faults);
    bench
}

/// The task when it has this status.
async fn at(bench: &Bench, task: &Value, status: &str) -> Value {
    let path = format!("/api/internal/tasks/{}", task["taskId"].as_str().unwrap());
    loop {
        let (_, now) = bench.get(&path).await;
        if now["status"] == status {
            return now;
        }
        assert!(now["times"]["endedAt"].is_null(), "it ended before it was {status}: {now}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_says_what_became_of_a_lost_submission() {
    let bench = in_doubt().await;
    let mut tasks = Vec::new();
    for steps in 1..=3 {
        let task = bench.run("sdxl-portrait", json!({ "steps": steps })).await;
        tasks.push(at(&bench, &task, "inDoubt").await);
    }
    let admin = |n: usize, what: &str| format!("{ADMIN}/tasks/{}/{what}", tasks[n]["taskId"].as_str().unwrap());
    let books = bench.app.sim().unwrap().books();
    let run = books.runs_with_webhook(tasks[0]["taskId"].as_str().unwrap())[0].id.clone();

    let (status, found) = bench.post(&admin(0, "resolve"), &json!({ "outcome": "found", "runId": run })).await;
    assert_eq!((status.as_u16(), &found["runId"]), (200, &json!(run)), "{found}");
    assert_eq!(bench.ended(&tasks[0]).await["status"], "completed");
    let (_, absent) = bench.post(&admin(1, "resolve"), &json!({ "outcome": "notSent" })).await;
    assert_eq!((&absent["status"], &absent["costUsd"]), (&json!("failed"), &json!("0.000000000")), "{absent}");
    let (_, unknown) = bench.post(&admin(2, "resolve"), &json!({ "outcome": "giveUp" })).await;
    assert_eq!((&unknown["status"], &unknown["costUsd"]), (&json!("timedOut"), &Value::Null), "{unknown}");

    let (status, problem) = bench.post(&admin(0, "resolve"), &json!({ "outcome": "notSent" })).await;
    assert_eq!((status.as_u16(), kind(&problem)), (409, "conflict"));
    let (status, problem) = bench.post(&admin(2, "reconcile"), &json!({})).await;
    assert_eq!((status.as_u16(), kind(&problem)), (409, "conflict"), "no run of it is known");
    let (status, problem) = bench.post(&admin(0, "resolve"), &json!({ "outcome": "perhaps" })).await;
    assert_eq!((status.as_u16(), kind(&problem)), (400, "malformed-request"));
    let (status, reviewed) = bench.post(&admin(0, "reconcile"), &json!({})).await;
    assert_eq!(status, 200, "{reviewed}");
    assert_eq!(reviewed["reconciled"]["settlement"]["costUsd"], reviewed["costUsd"], "nothing else is known now");

    let (_, costs) = bench.get("/api/internal/costs").await;
    assert_eq!((&costs["tasks"], &costs["unknown"], &costs["costUsd"]), (&json!(3), &json!(1), &reviewed["costUsd"]));
    let month = &costs["totals"][0]["month"].as_str().unwrap().to_owned();
    assert_eq!(bench.get(&format!("{ADMIN}/costs?month={month}")).await.1, costs, "there is one caller");
    assert_eq!(bench.get("/api/internal/costs?month=1999-01").await.1["tasks"], 0);
    assert_eq!(bench.get("/api/internal/costs?month=november").await.0, 422);
    for task in &tasks {
        let path = format!("/api/internal/tasks/{}/explain", task["taskId"].as_str().unwrap());
        assert_eq!(bench.get(&path).await.1["replays"], true);
    }
    assert_eq!(bench.app.sim().unwrap().books().runs.len(), 3, "and nothing was sent again");
    bench.close().await;
}

/// A receiver on loopback that answers with the status it is told.
async fn receiver(status: Arc<AtomicU16>) -> String {
    let answer = move || {
        let status = status.clone();
        async move { StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap() }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(dir.path().to_owned()), ..Flags::default() };
    let open = |name: &str| (name == "STATIONTHIS_ALLOW_PRIVATE_TARGETS").then(|| "127.0.0.0/8".to_owned());
    let config = Config::load(&flags, &open).unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let bench = Bench::over(config, dir, Service::Simulator(Box::new(sim), 0), None).await;
    bench.app.station().refresh().await.unwrap();
    let status = Arc::new(AtomicU16::new(410));
    let url = receiver(status.clone()).await;
    let body = json!({ "inputs": {}, "notify": [{ "channel": "webhook", "address": url }] });
    let (_, task) = bench.post("/api/internal/run/sdxl-portrait?wait=30", &body).await;
    let id = task["taskId"].as_str().unwrap();
    let dead = async |query: &str| loop {
        let (status, page) = bench.get(&format!("/api/internal/notices?task={id}{query}")).await;
        assert_eq!(status, 200, "{page}");
        let hook = page["notices"].as_array().unwrap().iter().find(|notice| notice["target"]["channel"] == "webhook");
        match hook {
            Some(notice) if notice["state"] != "pending" => return notice.clone(),
            _ => tokio::task::yield_now().await,
        }
    };
    let notice = dead("&state=dead").await;
    assert_eq!((&notice["attempts"], &notice["taskId"]), (&json!(1), &task["taskId"]));
    assert!(notice["reason"].as_str().unwrap().contains("nobody"), "{notice}");
    let path = format!("/api/internal/tasks/{id}/notices/{}/requeue", notice["id"].as_str().unwrap());
    status.store(200, Ordering::SeqCst);
    assert_eq!(bench.post(&path, &json!({})).await, (StatusCode::OK, json!({ "requeued": true })));
    let delivered = loop {
        let now = dead("").await;
        if now["state"] == "delivered" {
            break now;
        }
    };
    assert_eq!(delivered["id"], notice["id"], "its id is the same");
    assert_eq!(bench.post(&path, &json!({})).await.1, json!({ "requeued": false }), "it is not dead any more");
    let story = story_with(&bench, &task, "noticeRequeued").await;
    assert_eq!(story["replays"], true);
    let unknown = path.replace(notice["id"].as_str().unwrap(), "00000000-0000-4000-8000-000000000000");
    assert_eq!(bench.post(&unknown, &json!({})).await.0, 404);
    assert_eq!(bench.get("/api/internal/notices?state=lost").await.0, 400);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_new_private_file_of_a_bare_name_and_pruning_has_an_age() {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let bench = Bench::over(crate::bench::config(&dir), dir, Service::Simulator(Box::new(sim), 0), None).await;
    bench.app.station().refresh().await.unwrap();
    let task = bench.run("sdxl-portrait", json!({})).await;
    bench.ended(&task).await;
    let wish = |file: &str| json!({ "file": file });
    let (status, made) = bench.post(&format!("{ADMIN}/backup"), &wish("one.sqlite3")).await;
    assert_eq!(status, 201, "{made}");
    let path = bench.dir.path().join("sim/backups/one.sqlite3");
    assert_eq!(made, json!({ "path": path, "bytes": std::fs::metadata(&path).unwrap().len() }));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
    let before = std::fs::read(&path).unwrap();
    let (status, problem) = bench.post(&format!("{ADMIN}/backup"), &wish("one.sqlite3")).await;
    assert_eq!((status.as_u16(), kind(&problem)), (409, "conflict"), "{problem}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "nothing is overwritten");
    for bad in ["../two.sqlite3", "/tmp/two.sqlite3", "a/b", "..", ".hidden", "", "zwei\u{0}", "a b", &"x".repeat(101)]
    {
        assert_eq!(bench.post(&format!("{ADMIN}/backup"), &wish(bad)).await.0, 422, "{bad}");
    }
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "and nothing half done is left");

    let prune = async |days: u32| bench.post(&format!("{ADMIN}/prune"), &json!({ "olderThanDays": days })).await;
    assert_eq!(prune(0).await.0, 422);
    assert_eq!(prune(1).await.1["pruned"], 0, "it ended a moment ago");
    assert_eq!(bench.get("/api/internal/costs").await.1["tasks"], 1);
    bench.close().await;
}

#[test]
fn the_same_is_asked_and_done_on_a_data_folder() {
    let dir = tempfile::tempdir().unwrap();
    let here = |args: &[&str]| run(dir.path(), &[args, ["--sim", "--json"].as_slice()].concat());
    let task = json_of(&here(&["run", "sdxl-portrait"]));
    let id = task["taskId"].as_str().unwrap();
    let story = json_of(&here(&["explain", id]));
    assert_eq!((&story["replays"], &story["task"]["costUsd"]), (&json!(true), &task["costUsd"]));
    let lines = String::from_utf8(run(dir.path(), &["explain", id, "--sim"]).stdout).unwrap();
    assert!(lines.contains("-> completed") && lines.contains("Accepted from local"), "{lines}");
    assert_eq!(json_of(&here(&["costs", "--all"]))["costUsd"], task["costUsd"]);
    assert_eq!(json_of(&here(&["tasks", "--needs-review"]))["tasks"], json!([]));
    assert_eq!(json_of(&here(&["notices", "--dead"]))["notices"], json!([]));
    assert_eq!(json_of(&here(&["prune", "--older-than", "90d"]))["pruned"], 0);
    let refused = here(&["resolve", id, "not-sent"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("in doubt"));
    let tool = String::from_utf8(run(dir.path(), &["tools", "sdxl-portrait", "--sim"]).stdout).unwrap();
    assert!(tool.contains("looked up by our task id, never sent again"), "{tool}");

    assert!(json_of(&here(&["backup", "copy.sqlite3"]))["bytes"].as_u64().unwrap() > 0);
    let later = json_of(&here(&["run", "sdxl-portrait", "-i", "steps=2"]));
    let kept = run(dir.path(), &["restore", "copy.sqlite3", "--sim"]);
    assert!(!kept.status.success() && String::from_utf8_lossy(&kept.stderr).contains("--force"));
    std::fs::write(dir.path().join("noise"), "this is no database, whatever its name says").unwrap();
    assert!(!here(&["restore", "noise", "--force"]).status.success());
    assert_eq!(json_of(&here(&["tasks"]))["tasks"].as_array().unwrap().len(), 2, "and all is as it was");
    let restored = json_of(&here(&["restore", "copy.sqlite3", "--force"]));
    assert!(dir.path().join(restored["movedAside"].as_str().unwrap()).exists(), "{restored}");
    let tasks = json_of(&here(&["tasks"]));
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "{tasks}");
    assert_eq!(tasks["tasks"][0]["taskId"], task["taskId"]);
    assert_ne!(later["taskId"], task["taskId"]);
}
