//! A service beside ComfyDeploy, switched on by its section alone.

use std::path::Path;

use serde_json::{Value, json};
use stationthis_core::Secret;
use stationthis_host::app::Service;
use stationthis_host::config::ProviderSettings;
use stationthis_vidu::sim::{Script, Sim};

use crate::bench::{Bench, config};

const KEY: &str = "vda_canary-3c9f02d1";

const TURBO: &str = "vidu-q3-turbo-text-to-video";

#[tokio::test(flavor = "multi_thread")]
async fn a_section_alone_brings_tools_runs_costs_and_outputs_and_its_key_shows_nowhere() {
    let sim = Sim::serve(KEY).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut settings = ProviderSettings::default();
    settings.api_key = Some(Secret::new(KEY));
    settings.api_url = Some(sim.base_url().to_owned());
    settings.price_per_credit = Some("0.0045".parse().unwrap());
    let mut config = config(&dir);
    config.providers.insert("vidu".to_owned(), settings);
    let bench = Bench::over(config.clone(), dir, Service::Configured, None).await;
    bench.app.station().refresh().await.unwrap();
    let mut seen = vec![format!("{config:#?} {:#?}", bench.app)];
    let (_, tools) = bench.get("/api/internal/tools").await;
    assert!(tools["tools"].as_array().unwrap().iter().all(|tool| tool["serviceName"] == "vidu"), "{tools}");
    assert!(tools["tools"].as_array().unwrap().iter().any(|tool| tool["slug"] == TURBO), "{tools}");
    seen.push(tools.to_string());

    let done = bench.ended(&bench.run(TURBO, json!({ "prompt": "a paper boat", "duration": 6 })).await).await;
    assert_eq!((&done["status"], &done["costUsd"]), (&json!("completed"), &json!("0.297000000")), "{done}");
    let task = done["taskId"].as_str().unwrap();
    let output = bench.request(reqwest::Method::GET, &format!("/api/internal/tasks/{task}/outputs/0")).send().await;
    assert_eq!(output.unwrap().status(), 200, "an address that the operator configured may be called");
    let mut script = Script::default();
    script.refuses = Some((400, "CreditInsufficient", "no credits for vda_canary-3c9f02d1"));
    sim.set_script(script);
    let failed = bench.ended(&bench.run(TURBO, json!({ "prompt": "x" })).await).await;
    assert_eq!((&failed["status"], &failed["costUsd"]), (&json!("failed"), &json!("0.000000000")), "{failed}");
    for task in [&done, &failed] {
        let path = format!("/api/internal/admin/tasks/{}/explain", task["taskId"].as_str().unwrap());
        seen.extend([task.to_string(), bench.get(&path).await.1.to_string()]);
    }
    let dir = bench.close().await;
    assert!(seen.iter().all(|text| !text.contains(KEY)), "{seen:?}");
    assert!(files_in(dir.path()).iter().all(|bytes| !bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes())));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_variables_are_enough_for_the_commands() {
    let sim = Sim::serve(KEY).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let command = async |words: &[&str]| -> Value {
        let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_stationthis"))
            .args(words)
            .env_clear()
            .env("STATIONTHIS_DATA_DIR", dir.path().join("data"))
            .env("VIDU_API_KEY", KEY)
            .env("VIDU_API_URL", sim.base_url())
            .output()
            .await
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{out}{err}");
        assert!(!out.contains(KEY) && !err.contains(KEY), "{out}{err}");
        serde_json::from_str(&out).unwrap()
    };
    let checks = command(&["doctor", "--json"]).await;
    let of = |name: &str| checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap();
    assert_eq!(of("service")["message"], "It answers with this key, and has 34 tools.");
    assert_eq!(of("prices")["message"], "All of 34 tools have a price.");
    let tools = command(&["tools", "--json"]).await;
    assert!(tools.to_string().contains(TURBO), "{tools}");
}

/// Every file of a folder and the folders in it.
fn files_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![std::fs::read(&path).unwrap()] }).collect()
}
