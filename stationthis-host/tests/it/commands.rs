use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The program in a folder, with an environment that says nothing of stations.
pub fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stationthis"));
    command.current_dir(dir).env_clear().stdin(Stdio::null());
    command
}

pub fn run(dir: &Path, args: &[&str]) -> Output {
    program(dir).args(args).output().unwrap()
}

pub fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_demo_gives_a_picture_its_cost_and_only_json_on_stdout() {
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let task = json_of(&run(dir.path(), &["demo", "--json", "a", "green", "hare"]));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(task["status"], "completed");
    assert_eq!(task["inputsAsked"]["prompt"], "a green hare");
    assert!(task["costUsd"].is_string() && task["costRate"]["amount"].is_string());
    let saved = dir.path().join(task["savedPaths"][0].as_str().unwrap());
    assert!(saved.starts_with(dir.path().join("stationthis-out")));
    assert!(std::fs::read(saved).unwrap().starts_with(PNG));
}

#[test]
fn the_demo_tells_people_what_happened() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(dir.path(), &["demo"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["sdxl-portrait", "quote", "saved", "took", "rate", "cost", "notified log, events"] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

/// Arguments, environment, and a word of the refusal.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn a_configuration_that_cannot_work_is_refused_at_start_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("typo.toml"), "lisen = \"127.0.0.1:0\"\n").unwrap();
    let cases: [Case; 5] = [
        (&["serve", "--sim", "--config", "typo.toml"], &[], "lisen"),
        (&["serve", "--sim"], &[("STATIONTHIS_POLL_INTERVAL_MS", "often")], "poll_interval_ms"),
        (&["serve", "--sim", "--listen", "0.0.0.0:0"], &[], "api_key"),
        (&["serve", "--listen", "127.0.0.1:0"], &[], "COMFY_DEPLOY_API_KEY"),
        (&["serve", "--sim", "--listen", "127.0.0.1:0"], &[("STATIONTHIS_RATES", "none.toml")], "rates"),
    ];
    for (args, env, word) in cases {
        let output = program(dir.path()).args(args).envs(env.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.starts_with("error: ") && text.contains(word), "{text}");
    }
}

/// A host that ends with its test, however that ends.
pub struct Host(pub std::process::Child);

impl Drop for Host {
    fn drop(&mut self) {
        // Gone already when all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The catalogue comes a moment after the port.
fn wait_for_tools(tools: impl Fn() -> Output) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while json_of(&tools())["tools"].as_array().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no catalogue");
    }
}

/// A host of the simulator, and its address.
fn serve(dir: &Path, env: &[(&str, &str)]) -> (Host, String) {
    let mut serve = program(dir);
    serve.args(["serve", "--sim", "--listen", "127.0.0.1:0"]).envs(env.iter().copied());
    let mut host = Host(serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(host.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (host, url)
}

#[cfg(unix)]
#[test]
fn a_served_host_answers_the_other_commands_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (mut host, url) = serve(dir.path(), &[]);
    let second = run(dir.path(), &["tasks", "--sim"]);
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another host"), "one holder of a folder");
    wait_for_tools(|| run(dir.path(), &["tools", "--json", "--host", &url]));
    let tool =
        ["run", "sdxl-portrait", "--host", &url, "--json", "-i", "prompt=a fox", "-i", "steps=3", "--out", "pictures"];
    let task = json_of(&run(dir.path(), &tool));
    assert_eq!(task["inputsAsked"]["steps"], 3);
    assert!(std::fs::read(dir.path().join(task["savedPaths"][0].as_str().unwrap())).unwrap().starts_with(PNG));
    let tasks = json_of(&run(dir.path(), &["tasks", "--json", "--host", &url]));
    assert_eq!(tasks["tasks"][0]["taskId"], task["taskId"]);
    let bad = run(dir.path(), &["run", "sdxl-portrait", "--host", &url, "-i", "promt=x", "--steps", "99"]);
    let text = String::from_utf8_lossy(&bad.stderr).into_owned();
    let said = "error: there is no input promt. Did you mean prompt?\nerror: steps must be at most 60; it is 99.\n";
    assert_eq!((bad.status.code(), text.as_str()), (Some(3), said));

    let killed = Command::new("kill").arg(host.0.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert!(host.0.wait().unwrap().success(), "SIGTERM is a clean end");
}

#[test]
fn a_tool_runs_without_a_host_and_its_task_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let task = json_of(&run(dir.path(), &["run", "sdxl-portrait", "--sim", "--json", "--idempotency-key", "k1"]));
    assert_eq!(task["status"], "completed");
    let tasks = json_of(&run(dir.path(), &["tasks", "--sim", "--json"]));
    assert_eq!(tasks["tasks"][0]["taskId"], task["taskId"]);
    let again = json_of(&run(dir.path(), &["tasks", "--sim", "--json", task["taskId"].as_str().unwrap()]));
    assert_eq!(again["costUsd"], task["costUsd"]);
}

#[test]
fn keys_are_rotated_and_revoked_beside_a_host_and_a_callers_secret_is_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let states = |args: &[&str]| {
        let list = json_of(&run(dir.path(), args))["keys"].as_array().unwrap().clone();
        let state = |key: &Value| format!("{} {}", key["keyId"].as_str().unwrap(), key["state"].as_str().unwrap());
        list.iter().map(state).collect::<Vec<_>>().join(", ")
    };
    for (command, letter) in [("callback-keys", 'k'), ("webhooks", 'w')] {
        assert_eq!(states(&[command, "list", "--json"]), format!("{letter}1 signs"));
        assert_eq!(states(&[command, "rotate", "--json"]), format!("{letter}2 signs, {letter}1 kept"));
        let first = format!("{letter}1");
        assert_eq!(states(&[command, "revoke", &first, "--json"]), format!("{letter}2 signs, {letter}1 revoked"));
        let again = run(dir.path(), &[command, "revoke", &first]);
        assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains(&first));
        assert_eq!(states(&[command, "list", "--json", "--sim"]), format!("{letter}1 signs"), "the simulator's own");
    }
    let secret = |caller: &str| String::from_utf8(run(dir.path(), &["webhooks", "secret", "--caller", caller]).stdout);
    let (ada, eve) = (secret("ada").unwrap(), secret("eve").unwrap());
    assert!(ada.starts_with("whsec_") && ada.len() == 51 && ada != eve, "{ada}");
    assert_eq!(secret("ada").unwrap(), ada);
    json_of(&run(dir.path(), &["webhooks", "rotate", "--json"]));
    assert_ne!(secret("ada").unwrap(), ada);
}

#[test]
fn a_key_made_without_a_host_opens_it_later() {
    let dir = tempfile::tempdir().unwrap();
    let made =
        run(dir.path(), &["keys", "create", "--sim", "--caller", "ada", "--label", "laptop", "--expires-in", "30"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let (key_id, secret) = key.strip_prefix("st_").unwrap().split_once('_').unwrap();
    assert_eq!((key_id.len(), secret.len()), (16, 64), "nothing but the key is on standard output");
    let listed = json_of(&run(dir.path(), &["keys", "list", "--sim", "--json"]));
    assert_eq!((&listed["keys"][0]["keyId"], &listed["keys"][0]["label"]), (&json!(key_id), &json!("laptop")));
    let set = run(dir.path(), &["notify", "set", "--sim", "--caller", "ada", "webhook:https://ada.example/x", "log"]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));

    let operator = "correct-horse-battery";
    let (_host, url) = serve(dir.path(), &[("STATIONTHIS_API_KEY", operator)]);
    let as_who = |who: &str, args: &[&str]| {
        program(dir.path())
            .args(args)
            .args(["--host", &url, "--json"])
            .env("STATIONTHIS_API_KEY", who)
            .output()
            .unwrap()
    };
    let told = json_of(&as_who(&key, &["notify", "show"]));
    assert_eq!(
        told["notify"],
        json!([{ "channel": "webhook", "address": "https://ada.example/x" }, { "channel": "log" }])
    );
    let refused = as_who(&key, &["keys", "list"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("operator"), "{refused:?}");
    assert_eq!(json_of(&as_who(operator, &["notify", "set", "--caller", "ada"]))["notify"], json!([]));
    assert_eq!(json_of(&as_who(&key, &["notify", "show"]))["notify"], json!([]));
    let second = json_of(&as_who(operator, &["keys", "create", "--caller", "eve"]));
    assert!(as_who(second["key"].as_str().unwrap(), &["tasks"]).status.success());
    assert!(json_of(&as_who(operator, &["keys", "revoke", key_id]))["keys"][0]["revokedAt"].is_string());
    assert!(!as_who(&key, &["tasks"]).status.success());
}

#[test]
fn a_run_goes_on_when_the_host_is_asked_too_often() {
    let dir = tempfile::tempdir().unwrap();
    let operator = "correct-horse-battery";
    let limits = [("STATIONTHIS_RATE_LIMIT_PER_MIN", "60"), ("STATIONTHIS_RATE_LIMIT_BURST", "1")];
    let (_host, url) = serve(dir.path(), &[limits[0], limits[1], ("STATIONTHIS_API_KEY", operator)]);
    let as_who = |who: &str, args: &[&str]| {
        program(dir.path())
            .args(args)
            .args(["--host", &url, "--json"])
            .env("STATIONTHIS_API_KEY", who)
            .output()
            .unwrap()
    };
    wait_for_tools(|| as_who(operator, &["tools"]));
    let made = json_of(&as_who(operator, &["keys", "create", "--caller", "ada"]));
    // The first request is the run, and the second comes too early.
    let task = json_of(&as_who(made["key"].as_str().unwrap(), &["run", "sdxl-portrait", "-i", "prompt=a fox"]));
    assert_eq!((&task["status"], &task["caller"]), (&json!("completed"), &json!("ada")));
}
