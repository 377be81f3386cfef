//! The contract of a provider, over the scripted server.

use crate::rig::{KEY, inputs, provider};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_core::provider::{RunRef, ServiceProvider};
use stationthis_core::testkit::{Conduct, ProviderFixture};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Timestamp, ToolDefinition};
use stationthis_vidu::Vidu;
use stationthis_vidu::sim::{Script, Sim};

struct Scripted {
    sim: Sim,
    provider: Vidu,
    nowhere: Vidu,
}

impl ProviderFixture for Scripted {
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
        let mut script = Script::default();
        match conduct {
            Conduct::Good => {}
            Conduct::Down => script.is_down = true,
            Conduct::Full => script.refuses = Some((429, "QuotaExceeded", "quota exceeded")),
            Conduct::LosesAnswers => script.loses_answers = true,
            Conduct::RunsFail => script.last = ("failed", "CreationPolicyViolation"),
            Conduct::RunsStay => script.on_the_way = vec!["queueing"; 1000],
        }
        self.sim.set_script(script);
    }

    fn runs_made(&self) -> usize {
        self.sim.books().tasks.len()
    }

    fn inputs(&self, tool: &ToolDefinition) -> Option<Map<String, Value>> {
        (tool.tool_id.as_str() == "vidu:text2video/viduq3-turbo").then(|| inputs(json!({ "prompt": "a paper boat" })))
    }

    fn webhook(&self, run: &RunRef) -> Option<WebhookRequest> {
        let url = format!("https://station.example/api/webhook/vidu/{}", run.task_id);
        let date = "Mon, 23 Nov 2026 10:00:00 GMT";
        let received_at: Timestamp = "2026-11-23T10:00:01Z".parse().unwrap();
        let unknown = || json!({ "id": run.run_id, "state": "success" }).to_string();
        let body = self.sim.callback_body(run.run_id.as_str()).unwrap_or_else(unknown);
        let headers = self.sim.callback_headers(&url, date);
        let path = url.strip_prefix("https://station.example").unwrap();
        Some(WebhookRequest::new("POST", path, "", Bytes::from(body), received_at).with_headers(headers))
    }
}

async fn fresh() -> Scripted {
    let sim = Sim::serve(KEY).await.unwrap();
    let provider = provider(sim.base_url());
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = crate::rig::provider(&format!("http://{}", listener.local_addr().unwrap()));
    Scripted { sim, provider, nowhere }
}

stationthis_core::provider_suite!(fresh);
