use serde_json::json;
use stationthis_comfydeploy::sim::{Sim, SimConfig, SimTiming};
use stationthis_core::{ErrorKind, Secret};
use stationthis_host::app::Service;

use crate::bench::{Bench, config};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_the_service_serves_the_stored_catalogue_and_says_so() {
    let sim = Sim::serve(SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    config.comfydeploy.api_url = sim.base_url();
    config.comfydeploy.api_key = Some(Secret::new("any"));
    let bench = Bench::over(config.clone(), dir, Service::Configured, None).await;
    bench.app.station().refresh().await.unwrap();
    let (status, ready) = bench.get("/readyz").await;
    assert_eq!(
        (status.as_u16(), &ready["status"], &ready["providers"][0]["stale"]),
        (200, &json!("ready"), &json!(false))
    );
    let dir = bench.close().await;
    sim.shutdown().await;

    let bench = Bench::over(config, dir, Service::Configured, None).await;
    let (status, tool) = bench.get("/api/internal/tools/sdxl-portrait").await;
    assert_eq!((status.as_u16(), &tool["stale"]), (200, &json!(true)), "served before the service was asked");
    assert_eq!(bench.app.station().refresh().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (status, ready) = bench.get("/readyz").await;
    assert_eq!((status.as_u16(), &ready["providers"][0]["stale"]), (200, &json!(true)));
    assert!(ready["providers"][0]["error"].is_string(), "{ready}");
    assert_eq!(bench.get("/api/internal/tools/sdxl-portrait").await.1["stale"], true);
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_without_the_service_is_alive_and_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(&dir);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    config.comfydeploy.api_url = format!("http://127.0.0.1:{port}/api");
    config.comfydeploy.api_key = Some(Secret::new("any"));
    let bench = Bench::over(config, dir, Service::Configured, None).await;
    assert_eq!(bench.app.station().refresh().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (status, ready) = bench.get("/readyz").await;
    assert_eq!((status.as_u16(), &ready["status"], &ready["store"]), (503, &json!("notReady"), &json!("ok")));
    assert_eq!(bench.get("/healthz").await.0, 200);
    assert_eq!(bench.get("/api/internal/tools").await.1, json!({ "tools": [] }));
    bench.close().await;
}
