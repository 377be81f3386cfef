use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_host::http::server::{self, ServerLimits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;

#[tokio::test(start_paused = true)]
async fn a_client_that_never_finishes_its_head_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(server::serve(
        listener,
        axum::Router::new(),
        ServerLimits::default(),
        stop.clone(),
        Duration::from_secs(1),
    ));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut rest = Vec::new();
    // Ends only because the server closes; the paused clock runs ahead while both wait.
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
    stop.cancel();
    served.await.unwrap().unwrap();
}

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
