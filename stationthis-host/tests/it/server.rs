use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finishes_what_is_under_way_and_a_restart_goes_on_with_the_rest() {
    let slow = SimTiming { cold_start: Duration::from_secs(600), ..SimTiming::instant() };
    let bench = Bench::with(slow, None).await;
    let task = bench.run("sdxl-portrait", json!({})).await;
    let id = task["taskId"].as_str().unwrap().to_owned();
    let base = bench.base.clone();
    let dir = bench.close().await;
    assert!(crate::bench::client().get(format!("{base}/healthz")).send().await.is_err(), "the port is closed");
    let config = crate::bench::config(&dir);
    let service = stationthis_host::app::Service::simulator(None);
    let bench = Bench::over(config, dir, service, None).await;
    let (status, again) = bench.get(&format!("/api/internal/tasks/{id}")).await;
    assert_eq!((status.as_u16(), &again["taskId"]), (200, &task["taskId"]));
    bench.close().await;
}
