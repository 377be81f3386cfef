//! What must never be read: secrets in every place that can hold one, and a search of everything that comes out.

#[path = "secrets/canaries.rs"]
mod canaries;
#[path = "secrets/scene.rs"]
mod scene;

use reqwest::Method;
use serde_json::json;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::Misbehaviour;
use stationthis_core::{CallerId, Secret};
use stationthis_host::app::{App, Service};
use stationthis_host::client::HostClient;
use stationthis_host::data_dir::KeyFile;
use stationthis_host::http::HttpConfig;
use stationthis_host::keys::{ApiKeys, KeyWish};

use crate::telegram::fake::TOKEN;
use canaries::{Canaries, MISTYPED_KEY, OPERATOR_KEY, SERVICE_KEY};
use scene::Scene;

/// I14: a host with secrets of each kind goes through success, failure, refusal and attack, with every log line on;
/// then its log, its answers, the bytes of its database, its records and what its callers' receivers were sent are
/// searched for each of them.
#[tokio::test(flavor = "multi_thread")]
async fn i14_secrets_never_serialise() {
    let mut scene = Scene::start().await;
    let key = scene.make_key("ada").await;
    let run = "/api/internal/run/sdxl-portrait?wait=30";
    let mut tasks = Vec::new();

    // Ends of every kind, asked for by the operator and by a caller.
    for (key, misbehaviour, status) in [
        (OPERATOR_KEY, Misbehaviour::default(), "completed"),
        (&*key, Misbehaviour::default(), "completed"),
        (&key, Misbehaviour { run_fails: true, ..Misbehaviour::default() }, "failed"),
        (&key, Misbehaviour { queue_refused: Some(401), ..Misbehaviour::default() }, "failed"),
        (&key, Misbehaviour { queue_400_but_runs: true, ..Misbehaviour::default() }, "completed"),
        (&key, Misbehaviour { get_run_500: 1, hooks_duplicated: 1.0, ..Misbehaviour::default() }, "completed"),
    ] {
        scene.sim.sim.set_misbehaviour(misbehaviour);
        let task = scene.ask(Method::POST, run, key, Some(&json!({ "metadata": { "order": 17 } }))).await;
        assert_eq!(task["status"], status, "{task}");
        tasks.push(task);
    }
    assert!(tasks.iter().any(|task| task["counters"]["webhooks"].as_u64() > Some(0)), "a callback token was used");
    let known = scene.canaries.add_callback_tokens(&tasks);

    // Refusals of every kind.
    for (method, path, body) in [
        (Method::POST, run, json!({ "inputs": { "steps": 99, "promt": "x" } })),
        (Method::POST, run, json!({ "notify": [{ "channel": "webhook", "address": "http://10.0.0.1/x" }] })),
        (Method::POST, "/api/internal/run/no-such-tool", json!({})),
        (Method::POST, run, json!([])),
        (Method::GET, "/api/internal/tasks?status=none", json!(null)),
        (Method::GET, "/api/internal/admin/keys", json!(null)),
        (Method::POST, "/api/internal/admin/keys", json!({ "caller": "eve", "expiresInDays": 0 })),
        (Method::DELETE, "/api/internal/tasks", json!(null)),
    ] {
        for key in [OPERATOR_KEY, &key, MISTYPED_KEY, &format!("{key}0")] {
            scene.ask(method.clone(), path, key, Some(&body)).await;
        }
    }
    // Webhooks: of another task, mistyped, of an end that is long known, and of no sense.
    for token in &known {
        for (path, token) in [
            (&tasks[0], token.clone()),
            (&tasks[1], token.replace("t=k1", "t=k2")),
            (&tasks[1], token.get(..token.len() - 2).unwrap().to_owned()),
            (&tasks[1], format!("x=y&{token}")),
        ] {
            let path = format!("/api/webhook/comfydeploy/{}?{token}", path["taskId"].as_str().unwrap());
            for body in [json!({ "run_id": "x", "status": "success" }), json!("no sense")] {
                scene.ask(Method::POST, &path, "", Some(&body)).await;
            }
        }
    }
    // A service that is down, with a catalogue that cannot be read.
    scene.sim.sim.set_misbehaviour(Misbehaviour {
        queue_drop_answer: true,
        lists_500: true,
        ..Misbehaviour::default()
    });
    scene.ask(Method::POST, "/api/internal/run/sdxl-portrait?wait=1", &key, Some(&json!({}))).await;
    let described = ["docs", "api/internal/openapi.json", "api/internal/run/sdxl-portrait"];
    for path in described.into_iter().chain([
        "readyz",
        "api/internal/tools",
        "api/internal/tasks",
        "api/internal/notify",
        "api/internal/notices",
    ]) {
        scene.ask(Method::GET, &format!("/{path}"), &key, None).await;
        scene.ask(Method::GET, &format!("/{path}"), OPERATOR_KEY, None).await;
    }
    // What the operator reads.
    for task in &tasks {
        let path = format!("/api/internal/admin/tasks/{}/explain", task["taskId"].as_str().unwrap());
        let story = scene.ask(Method::GET, &path, OPERATOR_KEY, None).await;
        assert_eq!(story["replays"], true, "{story}");
    }
    for path in ["metrics", "api/internal/admin/notices", "api/internal/admin/costs", "api/internal/admin/tasks"] {
        scene.ask(Method::GET, &format!("/{path}"), OPERATOR_KEY, None).await;
    }
    let backup = json!({ "file": "copy.sqlite3" });
    let made = scene.ask(Method::POST, "/api/internal/admin/backup", OPERATOR_KEY, Some(&backup)).await;
    assert!(made.is_object() && made["type"].is_null(), "{made}");
    scene.command(&["tasks"], OPERATOR_KEY).await;
    scene.command(&["keys", "list"], OPERATOR_KEY).await;
    scene.command(&["tools"], MISTYPED_KEY).await;
    scene.told(&tasks).await;
    scene.sim.sim.set_misbehaviour(Misbehaviour::default());
    scene.chat().await;
    scene.stop().await;

    let hits = scene.search().await;
    assert!(hits.is_empty(), "secrets were found:\n{}", hits.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_hold_secrets_do_not_print_them() {
    let dir = tempfile::tempdir().unwrap();
    let canaries = Canaries::new();
    canaries.write_key_files(dir.path());
    let mut config = crate::bench::config(&dir);
    config.api_key = Some(Secret::new(OPERATOR_KEY));
    config.comfydeploy.api_key = Some(Secret::new(SERVICE_KEY));
    config.comfydeploy.api_url = "http://127.0.0.1:9/api".to_owned();
    config.telegram.token = Some(Secret::new(TOKEN));
    config.telegram.webhook = true;
    let public_url = Some("http://127.0.0.1:9".to_owned());
    let app = App::start(&config, Service::Configured, public_url).await.unwrap();
    let caller = CallerId::new("ada").unwrap();
    let keys = ApiKeys::new(app.station().clone());
    let made = keys.create(KeyWish::new(caller.clone()), stationthis_core::Timestamp::now()).await.unwrap();
    let face = HttpConfig::new(caller.clone()).with_api_key(config.api_key.clone());
    let (callbacks, signing) = (canaries.callback_keys(), canaries.signing_keys());
    let shown = [
        ("Config", format!("{config:#?}")),
        ("HttpConfig", format!("{face:#?}")),
        ("App", format!("{app:#?}")),
        ("Station", format!("{:#?}", app.station())),
        ("Caller", format!("{:#?}", app.caller().unwrap())),
        ("ApiKeys", format!("{keys:#?}")),
        ("NewKey", format!("{made:#?}")),
        ("CallbackKeys", format!("{callbacks:#?}")),
        ("SigningKeys", format!("{signing:#?} {:#?}", signing.for_caller(&caller).unwrap())),
        ("KeyFile", format!("{:#?}", KeyFile::callback(dir.path()).open().unwrap())),
        ("KeyFile", format!("{:#?}", KeyFile::webhooks(dir.path()).open().unwrap())),
        ("HostClient", format!("{:#?}", HostClient::new("http://127.0.0.1:9", config.api_key.clone()).unwrap())),
        ("Telegram", format!("{:#?} {:#?}", app.telegram().unwrap(), app.telegram().unwrap().notifier())),
        ("ComfyDeploy", format!("{:#?}", ComfyDeploy::builder(Secret::new(SERVICE_KEY)))),
    ];
    let mut canaries = canaries;
    canaries.add("the bot's token", TOKEN.split_once(':').unwrap().1);
    canaries.add("the caller's key", made.key.expose().rsplit_once('_').unwrap().1);
    for (name, text) in shown {
        assert!(!text.is_empty(), "{name} shows nothing");
        assert_eq!(canaries.found_in(name, text.as_bytes()), Vec::<String>::new());
    }
    app.shutdown().await.unwrap();
}
