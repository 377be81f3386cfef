//! The contract of a provider, over the simulator.

use crate::replay::recorded;
use crate::support::{KEY, provider};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_comfydeploy::sim::{Misbehaviour, Sim, SimConfig, SimServer, SimTiming};
use stationthis_core::provider::{RunRef, ServiceProvider};
use stationthis_core::testkit::{Conduct, ProviderFixture};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Timestamp, ToolDefinition};

struct Simulated {
    server: SimServer,
    provider: ComfyDeploy,
    nowhere: ComfyDeploy,
}

impl ProviderFixture for Simulated {
    fn provider(&self) -> &dyn ServiceProvider {
        &self.provider
    }

    fn unreachable(&self) -> &dyn ServiceProvider {
        &self.nowhere
    }

    fn secrets(&self) -> Vec<String> {
        vec![KEY.to_owned()]
    }

    fn set(&self, conduct: Conduct) {
        let mut misbehaviour = Misbehaviour::default();
        match conduct {
            // It lets any number wait in its own queue.
            Conduct::Good | Conduct::Full => {}
            Conduct::Down => {
                misbehaviour.lists_500 = true;
                misbehaviour.get_run_500 = u32::MAX;
                misbehaviour.queue_refused = Some(503);
            }
            Conduct::LosesAnswers => misbehaviour.queue_drop_answer = true,
            Conduct::RunsFail => misbehaviour.run_fails = true,
            Conduct::RunsStay => misbehaviour.stuck_running = true,
        }
        self.server.sim.set_misbehaviour(misbehaviour);
    }

    fn runs_made(&self) -> usize {
        self.server.sim.books().runs.len()
    }

    fn inputs(&self, tool: &ToolDefinition) -> Option<Map<String, Value>> {
        let inputs = json!({ "prompt": "a red fox" });
        (tool.display_name == "SDXL Portrait").then(|| inputs.as_object().unwrap().clone())
    }

    fn webhook(&self, run: &RunRef) -> Option<WebhookRequest> {
        let hooks = recorded("serverless_success");
        let last = hooks["webhooks"].as_array().unwrap().last().unwrap();
        let mut body: Value = serde_json::from_str(last["body"].as_str().unwrap()).unwrap();
        body["run_id"] = json!(run.run_id);
        let path = format!("/api/webhook/comfydeploy/{}", run.task_id);
        Some(WebhookRequest::new("POST", path, "", Bytes::from(body.to_string()), Timestamp::from_micros(0)))
    }
}

async fn fresh() -> Simulated {
    let server = Sim::serve(SimConfig { timing: SimTiming::instant(), ..SimConfig::default() }).await.unwrap();
    let provider = provider(server.base_url());
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = crate::support::provider(format!("http://{}", listener.local_addr().unwrap()));
    Simulated { server, provider, nowhere }
}

stationthis_core::provider_suite!(fresh);
