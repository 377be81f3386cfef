//! The contract of a provider, over the scripted server: with webhooks, and without.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_core::provider::{RunRef, ServiceProvider};
use stationthis_core::testkit::{Conduct, ProviderFixture};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Secret, Timestamp, ToolDefinition};
use stationthis_tripo::Tripo;
use stationthis_tripo::sim::{Faults, Refusal, Sim, SimConfig, SimServer};

/// Canaries: they must show nowhere.
const KEY: &str = "tsk_canary-4711";
const SECRETS: [&str; 2] = ["whsec_canary-4712", "whsec_canary-4713"];

struct Simulated {
    server: SimServer,
    provider: Tripo,
    nowhere: Tripo,
    webhooks: bool,
}

impl ProviderFixture for Simulated {
    fn provider(&self) -> &dyn ServiceProvider {
        &self.provider
    }

    fn unreachable(&self) -> &dyn ServiceProvider {
        &self.nowhere
    }

    fn secrets(&self) -> Vec<String> {
        [KEY, SECRETS[0], SECRETS[1]].map(str::to_owned).to_vec()
    }

    fn set(&self, conduct: Conduct) {
        let mut faults = Faults::default();
        match conduct {
            Conduct::Good => {}
            Conduct::Down => faults.down = true,
            Conduct::LosesAnswers => faults.lose_answers = true,
            Conduct::RunsFail => faults.runs_fail = true,
            Conduct::RunsStay => faults.runs_stay = true,
            Conduct::Full => faults.refuse = Some(Refusal { status: 429, code: 2000, retry_after_s: Some(1) }),
        }
        self.server.sim.set_faults(faults);
    }

    fn runs_made(&self) -> usize {
        self.server.sim.books().tasks.len()
    }

    fn inputs(&self, tool: &ToolDefinition) -> Option<Map<String, Value>> {
        let inputs = json!({ "prompt": "a brass diving helmet" });
        tool.tool_id.as_str().ends_with("text-to-model-v3.1-20260211").then(|| inputs.as_object().unwrap().clone())
    }

    fn webhook(&self, run: &RunRef) -> Option<WebhookRequest> {
        let sim = &self.server.sim;
        let secrets = [SECRETS[1].to_owned()];
        // About a run that the service does not know: the body of one that it does, in another's name.
        let known = sim.books().tasks.last()?.id.clone();
        let event = sim.event_of(run.run_id.as_str(), &secrets).or_else(|| sim.event_of(&known, &secrets))?;
        let body = event.body.replace(&known, run.run_id.as_str());
        let request = WebhookRequest::new("POST", "/api/webhook/tripo", "", Bytes::from(body), Timestamp::now());
        self.webhooks.then(|| request.with_headers(event.headers))
    }
}

async fn simulated(webhooks: bool) -> Simulated {
    let server = Sim::serve(SimConfig { key: Some(KEY.to_owned()), ..SimConfig::instant() }).await.unwrap();
    let provider = |base: String| {
        let builder = Tripo::builder(Secret::new(KEY)).base_url(base);
        let secrets = SECRETS.iter().filter(|_| webhooks).map(|secret| Secret::new(*secret));
        secrets.fold(builder, |builder, secret| builder.webhook_secret(secret)).build().unwrap()
    };
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = provider(format!("http://{}/v3", listener.local_addr().unwrap()));
    let provider = provider(server.base_url());
    Simulated { server, provider, nowhere, webhooks }
}

mod with_webhooks {
    async fn fresh() -> super::Simulated {
        super::simulated(true).await
    }

    stationthis_core::provider_suite!(fresh);
}

mod poll_only {
    async fn fresh() -> super::Simulated {
        super::simulated(false).await
    }

    stationthis_core::provider_suite!(fresh);
}
