//! A run and everything that was told of it.

use crate::receiver::{Hook, Receiver};
use crate::support::{Client, str_of};
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{Misbehaviour, SimConfig};
use std::collections::BTreeMap;

/// A well-behaved workflow on a serverless machine.
pub(crate) const TOOL: &str = "Text to Image";

/// A run of the fault's, from the queue call to its end.
pub(crate) struct Told {
    pub(crate) client: Client,
    pub(crate) receiver: Receiver,
    pub(crate) id: String,
    pub(crate) run: Value,
}

impl Told {
    pub(crate) async fn new(fault: &str, tool: &str, intermediate: bool) -> Self {
        let client = Client::named(fault).await;
        let receiver = Receiver::new().await;
        let more = json!({ "webhook": receiver.url, "webhook_intermediate_status": intermediate });
        let id = client.queue(tool, more).await;
        let run = client.end(&id).await;
        Self { client, receiver, id, run }
    }

    /// Waits until `count` webhooks were acknowledged and none is under way.
    pub(crate) async fn hooks(&self, count: u64) -> Vec<Hook> {
        self.client.wait_books(|runs| runs[0].hooks_acked >= count && runs[0].hooks_acked == runs[0].hooks_sent).await;
        let hooks = self.receiver.hooks();
        assert_eq!(hooks.len(), usize::try_from(count).unwrap(), "{hooks:#?}");
        hooks
    }

    /// The rows of the unfiltered run list.
    pub(crate) async fn rows(&self) -> Vec<Value> {
        let path = format!("/workflow/{}/runs?limit=1&with_inputs=false", str_of(&self.run["workflow_id"]));
        let (_, list) = self.client.get(&path).await;
        assert_eq!(list[0]["id"], self.id.as_str());
        list[0]["outputs"].as_array().unwrap().clone()
    }
}

pub(crate) fn statuses(hooks: &[Hook]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for hook in hooks {
        *counts.entry(hook.status()).or_insert(0) += 1;
    }
    counts
}

pub(crate) fn positions(hooks: &[Hook], status: &str) -> Vec<usize> {
    hooks.iter().enumerate().filter(|(_, hook)| hook.status() == status).map(|(at, _)| at).collect()
}

/// One container only, so that the end of a second run shows that the first one's worker is gone.
pub(crate) fn one_at_a_time(fault: &str) -> SimConfig {
    SimConfig { concurrency_limit: 1, ..Client::config_of(fault) }
}

/// Runs another, well-behaved one to its end.
pub(crate) async fn run_another(client: &Client) {
    client.server.sim.set_misbehaviour(Misbehaviour::default());
    let id = client.queue(TOOL, json!({})).await;
    assert_eq!(client.end(&id).await["status"], "success");
}
