//! Tripo in a host: a section, polls, and webhooks that its console sends to the host's own address.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use stationthis_core::Secret;
use stationthis_host::app::Service;
use stationthis_host::config::ProviderSettings;
use stationthis_tripo::sim::{Sim, SimConfig, SimWebhook};

use crate::bench::{Bench, config};

const KEY: &str = "tsk_canary-5d1c77ab";
const SECRET: &str = "whsec_canary-90ee12f4";

const P1: &str = "text-to-3d-tripo-p1";

#[tokio::test(flavor = "multi_thread")]
async fn signed_webhooks_come_in_at_the_hosts_address_and_no_secret_shows() {
    let run = Duration::from_millis(200);
    let sim = Sim::serve(SimConfig { key: Some(KEY.to_owned()), run, ..SimConfig::instant() }).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut settings = ProviderSettings::default();
    settings.api_key = Some(Secret::new(KEY));
    settings.api_url = Some(sim.base_url());
    settings.webhook_secrets = vec![Secret::new("whsec_older"), Secret::new(SECRET)];
    let mut config = config(&dir);
    config.providers.insert("tripo".to_owned(), settings);
    let bench = Bench::over(config.clone(), dir, Service::Configured, None).await;
    bench.app.station().refresh().await.unwrap();
    let url = format!("{}/api/webhook/tripo", bench.base);
    sim.sim.set_webhook(Some(SimWebhook { url: url.clone(), secrets: vec![SECRET.to_owned()] }));
    let mut seen = vec![format!("{config:#?} {:#?}", bench.app)];

    let done = bench.ended(&bench.run(P1, json!({ "prompt": "a brass diving helmet" })).await).await;
    assert_eq!((&done["status"], &done["costUsd"]), (&json!("completed"), &json!("0.400000000")), "{done}");
    let task = done["taskId"].as_str().unwrap();
    let output = bench.request(Method::GET, &format!("/api/internal/tasks/{task}/outputs/0")).send().await.unwrap();
    assert_eq!(output.status(), 200);
    assert!(output.bytes().await.unwrap().starts_with(b"glTF"));
    while sim.sim.books().webhooks_taken == 0 {
        tokio::task::yield_now().await;
    }
    // The same, signed by somebody else.
    let run_id = sim.sim.books().tasks[0].id.clone();
    let forged = sim.sim.event_of(&run_id, &["whsec_of_somebody".to_owned()]).unwrap();
    let post = forged.headers.iter().fold(bench.http.post(&url), |post, (name, value)| post.header(name, value));
    assert_eq!(post.body(forged.body).send().await.unwrap().status(), 401);
    let path = format!("/api/internal/admin/tasks/{task}/explain");
    seen.extend([done.to_string(), bench.get(&path).await.1.to_string()]);
    bench.close().await;
    for canary in ["tsk_canary", "whsec_canary"] {
        assert!(seen.iter().all(|text| !text.contains(canary)), "{seen:?}");
    }
    sim.shutdown().await;
}
