//! The built program, as shells and scripts see it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use stationthis_comfydeploy::sim::{Misbehaviour, SimConfig, SimTiming};
use stationthis_host::app::Service;
use stationthis_host::config::{Config, Flags};

use crate::bench::Bench;
use crate::commands::{json_of, program, run};

/// Runs the program beside a host in this process.
async fn beside(dir: &Path, words: &[&str]) -> Output {
    let (dir, words) = (dir.to_owned(), words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || program(&dir).args(words).output().unwrap()).await.unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A host over such a simulator whose tasks have so many seconds.
async fn host(sim: SimConfig, deadline_s: Option<u64>) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let flags = Flags { data_dir: Some(dir.path().to_owned()), ..Flags::default() };
    let mut config = Config::load(&flags, &|_| None).unwrap();
    config.task_deadline_s = deadline_s;
    let bench = Bench::over(config, dir, Service::Simulator(Box::new(sim), 0), None).await;
    bench.app.station().refresh().await.unwrap();
    bench
}

/// Runs that go on for longer than any test.
fn endless() -> SimConfig {
    SimConfig {
        timing: SimTiming { per_node: Duration::from_secs(3600), ..SimTiming::instant() },
        ..SimConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_how_it_ended_by_its_exit_code() {
    let fails = Misbehaviour { run_fails: true, ..Misbehaviour::default() };
    let failing = SimConfig { timing: SimTiming::instant(), misbehaviour: fails, ..SimConfig::default() };
    let well = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let cases =
        [(well, None, 0, ""), (failing, None, 4, "sdxl-portrait failed"), (endless(), Some(1), 5, "no end in time")];
    for (sim, deadline_s, code, words) in cases {
        let bench = host(sim, deadline_s).await;
        let words_of_run = ["run", "sdxl-portrait", "--host", &bench.base, "--prompt", "a fox", "--no-preview"];
        let output = beside(bench.dir.path(), &words_of_run).await;
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(stdout(&output).starts_with("quote    at most $0.11"), "{}", stdout(&output));
        bench.close().await;
    }
}

#[test]
fn what_is_refused_and_what_is_not_understood_have_codes_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["run", "sdxl-portrait", "--sim", "--steps", "99"], 3, "error: steps must be at most 60; it is 99.\n"),
        (&["run", "sdxl-portrait", "--sim", "-i", "promt=x"], 3, "Did you mean prompt?"),
        (&["run", "sdxl-portrai", "--sim"], 3, "Did you mean sdxl-portrait?"),
        (&["run", "workshop-sketch", "--sim"], 3, "error: "),
        (
            &["run", "image-restyle", "--sim", "--input-image", "none.png"],
            3,
            "error: input_image: none.png: It cannot be read: No such file",
        ),
        (&["run", "sdxl-portrait", "--sim", "--promt", "x"], 2, "--prompt"),
        (&["run", "--sim"], 2, "TOOL"),
        (&["tasks", "--host", "http://127.0.0.1:1"], 1, "cannot be reached"),
    ];
    for (words, code, said) in cases {
        let output = run(dir.path(), words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(said), "{words:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{words:?}");
    }
    let help = run(dir.path(), &["run", "sdxl-portrait", "--sim", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(stdout(&help).contains("--negative-prompt <TEXT>"), "{}", stdout(&help));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_goes_on_and_says_how_to_see_it() {
    let bench = host(endless(), None).await;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_stationthis"))
        .args(["run", "sdxl-portrait", "--host", &bench.base, "--prompt", "a fox"])
        .current_dir(bench.dir.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // It has the task once it tells of it.
    tokio::io::AsyncBufReadExt::read_line(&mut lines, &mut line).await.unwrap();
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status();
    assert!(killed.unwrap().success());
    let mut rest = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut lines, &mut rest).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130), "{line}{rest}");
    let (_, tasks) = bench.get("/api/internal/tasks").await;
    let id = tasks["tasks"][0]["taskId"].as_str().unwrap();
    assert!(rest.contains(&format!("stationthis tasks watch {id} --host {}", bench.base)), "{rest}");
    assert_eq!(tasks["tasks"][0]["cancel"], serde_json::Value::Null, "nobody wished to cancel it");
    bench.close().await;
}

#[test]
fn a_file_of_this_machine_is_an_input() {
    let dir = tempfile::tempdir().unwrap();
    let made = json_of(&run(dir.path(), &["run", "sdxl-portrait", "--sim", "--json", "--prompt", "a fox"]));
    let picture = made["savedPaths"][0].as_str().unwrap();
    assert!(PathBuf::from(picture).extension().is_some_and(|ending| ending == "png"));
    let words = ["run", "image-restyle", "--sim", "--json", "--input-image", picture, "--strength", ".5"];
    let task = json_of(&run(dir.path(), &words));
    assert_eq!(task["status"], "completed");
    assert_eq!(task["inputsAsked"]["strength"], 0.5);
    assert!(task["inputsAsked"]["input_image"].as_str().unwrap().starts_with("stationthis:file/"), "{task}");
    // Its content decides, and not its name.
    std::fs::write(dir.path().join("notes.png"), "no picture").unwrap();
    let refused = run(dir.path(), &["run", "image-restyle", "--sim", "--input-image", "notes.png"]);
    assert_eq!(refused.status.code(), Some(3), "{}", stderr(&refused));
    assert!(stderr(&refused).starts_with("error: input_image: notes.png: It takes pictures"), "{}", stderr(&refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_this_machine_is_sent_to_a_host() {
    let bench = Bench::new().await;
    let words = ["--host", &bench.base, "--json", "--out", "here"];
    let made = beside(bench.dir.path(), &[&["run", "sdxl-portrait"], &words[..]].concat()).await;
    let picture = json_of(&made)["savedPaths"][0].as_str().unwrap().to_owned();
    let task = json_of(
        &beside(bench.dir.path(), &[&["run", "image-restyle", "--input-image", &picture], &words[..]].concat()).await,
    );
    assert_eq!(task["status"], "completed");
    assert!(task["inputsAsked"]["input_image"].as_str().unwrap().starts_with("stationthis:file/"), "{task}");
    bench.close().await;
}

#[test]
fn a_shell_learns_the_tools_and_their_flags_also_beside_a_host() {
    let dir = tempfile::tempdir().unwrap();
    json_of(&run(dir.path(), &["tools", "--sim", "--json"]));
    let complete = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let mut shell = program(dir.path());
        shell.args(["--", "stationthis"]).args(&words[1..]).env("COMPLETE", "bash").env("_CLAP_IFS", "\n");
        let output = shell.env("_CLAP_COMPLETE_INDEX", index).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    // Held by somebody, as by a host.
    let held = stationthis_host::data_dir::DataDir::open(dir.path().join("stationthis-data/sim")).unwrap();
    let tools = complete(&["stationthis", "run", "--sim", "s"]);
    assert_eq!(tools.trim(), "sdxl-portrait");
    assert!(complete(&["stationthis", "tools", "--sim", ""]).contains("flux-dreamscape"));
    let flags = complete(&["stationthis", "run", "--sim", "image-restyle", "--input"]);
    assert!(flags.contains("--input-image"), "{flags}");
    assert!(!complete(&["stationthis", "run", "image"]).contains("image-restyle"), "the other folder has none");
    drop(held);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&run(dir.path(), &["completions", shell])).contains("COMPLETE"), "{shell}");
    }
}

#[test]
fn a_refresh_is_told_and_costs_are_charted() {
    let dir = tempfile::tempdir().unwrap();
    let change = json_of(&run(dir.path(), &["tools", "diff", "--sim", "--json"]));
    assert_eq!(change["change"]["added"].as_array().unwrap().len(), 6, "{change}");
    let text = stdout(&run(dir.path(), &["tools", "diff", "--sim"]));
    assert!(text.contains("\n+ sdxl-portrait (SDXL Portrait)\n"), "{text}");
    json_of(&run(dir.path(), &["run", "sdxl-portrait", "--sim", "--json"]));
    let days = json_of(&run(dir.path(), &["costs", "--sim", "--json", "--by", "day"]));
    assert_eq!(days["totals"][0]["day"].as_str().unwrap().len(), 10, "{days}");
    assert_eq!(days["totals"][0]["caller"], serde_json::Value::Null, "it is the sum of all");
    let text = stdout(&run(dir.path(), &["costs", "--sim", "--by", "caller"]));
    assert!(text.contains("CALLER") && text.contains("local") && text.contains('█'), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doctor_finds_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let outcomes = |output: &Output| -> String {
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        checks
            .map(|c| format!("{}={}", c["name"].as_str().unwrap(), c["outcome"].as_str().unwrap()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let alone = beside(dir.path(), &["doctor", "--sim", "--json"]).await;
    assert_eq!(
        outcomes(&alone),
        "config=ok folder=ok store=ok custody=ok service=ok prices=warning telegram=ok public url=warning"
    );
    assert_eq!(alone.status.code(), Some(0));
    // Without a key nothing is known of the service.
    let keyless = beside(dir.path(), &["doctor", "--json"]).await;
    assert_eq!(
        outcomes(&keyless),
        "config=ok folder=ok store=ok custody=ok service=failed prices=skipped telegram=ok public url=warning"
    );
    assert_eq!(keyless.status.code(), Some(1));
    std::fs::write(dir.path().join("bad.toml"), "lisen = 1\n").unwrap();
    let broken = beside(dir.path(), &["doctor", "--config", "bad.toml", "--json"]).await;
    assert!(outcomes(&broken).starts_with("config=failed folder=skipped"), "{}", outcomes(&broken));

    // A place for outputs is tried before a task needs it.
    for (place, outcome) in [("kept", "custody=ok"), ("bad.toml/kept", "custody=failed")] {
        let custody = format!("[custody]\nenabled = true\nplace = \"{place}\"\n");
        std::fs::write(dir.path().join("custody.toml"), custody).unwrap();
        let tried = beside(dir.path(), &["doctor", "--sim", "--json", "--config", "custody.toml"]).await;
        assert!(outcomes(&tried).contains(outcome), "{place}: {}", outcomes(&tried));
    }

    // Another host answers there than the one of this folder.
    let other = Bench::new().await;
    std::fs::write(dir.path().join("own.toml"), format!("listen = \"127.0.0.1:0\"\npublic_url = \"{}\"\n", other.base))
        .unwrap();
    let wrong = beside(dir.path(), &["doctor", "--sim", "--json", "--config", "own.toml"]).await;
    assert!(outcomes(&wrong).ends_with("public url=failed"), "{}", outcomes(&wrong));
    // That host's own folder, while it runs.
    let own = dir.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let folder = other.dir.path().to_str().unwrap().to_owned();
    let right = beside(dir.path(), &["doctor", "--sim", "--json", "--config", "own.toml", "--data-dir", &folder]).await;
    assert!(outcomes(&right).ends_with("public url=ok"), "{} {}", outcomes(&right), stdout(&right));
    other.close().await;
}
