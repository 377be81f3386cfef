//! Outputs whose URLs are dead before anybody fetched them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use stationthis_core::custody::{Custody, KeepRequest, Kept};
use stationthis_core::{Error, ErrorKind, Result, TaskStatus};
use stationthis_tripo::sim::SimConfig;

use crate::rig::Rig;

/// Comes too late, the first time that it is asked for each output.
#[derive(Debug, Default)]
struct Late {
    http: reqwest::Client,
    asked: AtomicUsize,
}

#[async_trait]
impl Custody for Late {
    async fn keep(&self, request: &KeepRequest) -> Result<Kept> {
        let url = request.output.url.clone().unwrap();
        let late = self.asked.fetch_add(1, Ordering::SeqCst) < 2;
        loop {
            let answer = self.http.get(&url).send().await.unwrap();
            match answer.status().as_u16() {
                403 => return Err(Error::new(ErrorKind::Gone, "keep output").with_message("The URL has ended.")),
                200 if !late => {
                    let bytes = answer.bytes().await.unwrap();
                    let (hash, size) = ("0".repeat(64), bytes.len() as u64);
                    return Ok(Kept::new(url, hash, size, "model/gltf-binary", request.at));
                }
                _ => tokio::task::yield_now().await,
            }
        }
    }
}

#[tokio::test]
async fn a_task_whose_urls_died_is_completed_with_fresh_ones() {
    let config = SimConfig { url_life: Duration::from_millis(500), ..SimConfig::instant() };
    let custody = Arc::new(Late::default());
    let rig = Rig::keeping(config, custody.clone()).await;
    let done = rig.end_of(&rig.run("text-to-model-P1-20260311", json!({ "prompt": "a" })).await).await;
    assert_eq!(done.state.status, TaskStatus::Completed, "{:?}", done.state.status_reason);
    assert_eq!(done.state.outputs.len(), 2, "the same outputs, however often they were named");
    assert!(done.state.outputs.iter().all(|output| output.custody.is_some()), "{:?}", done.state.outputs);
    assert!(custody.asked.load(Ordering::SeqCst) >= 4, "each came too late once");
    assert_eq!(rig.sim.sim.books().tasks.len(), 1);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.400000000");
    rig.close().await;
}
