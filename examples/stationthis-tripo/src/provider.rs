//! The provider: one instance of Tripo.

use crate::client::Client;
use crate::config::TripoBuilder;
use crate::error::Operation;
use crate::webhook::WebhookSecrets;
use crate::wire::{Balance, Task};
use crate::{convert, submit, upload, webhook};
use async_trait::async_trait;
use serde_json::{Map, Value};
use stationthis_core::cost::{CardCostModel, CostModel, PinnedRate, Quote, RateCard, Settlement, Usage};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookAuth, WebhookReading,
};
use stationthis_core::task::report::RunReport;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Error, ErrorKind, ProviderId, Result, Secret, Timestamp, ToolDefinition};
use std::sync::Arc;

/// The kind of service.
pub const SERVICE_NAME: &str = "tripo";

/// One account of Tripo.
///
/// Cheap to clone. Remembers nothing between calls but its connections; every call may be made at any time. A
/// submission is sent once; reads are repeated twice, at most, while the service is out of order.
///
/// Its prices are per credit, at [`TripoConfig::price_per_credit`](crate::TripoConfig::price_per_credit). A run is read
/// with the very key that made it: another key of the same account does not find it.
#[derive(Clone, Debug)]
pub struct Tripo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ProviderId,
    client: Client,
    secrets: WebhookSecrets,
    tools: Vec<ToolDefinition>,
    costs: CardCostModel,
}

impl Tripo {
    /// Begins an instance with an API key (`tsk_…`).
    pub fn builder(api_key: Secret) -> TripoBuilder {
        TripoBuilder::new(api_key)
    }

    pub(crate) fn assemble(
        id: ProviderId,
        client: Client,
        secrets: WebhookSecrets,
        tools: Vec<ToolDefinition>,
        costs: CardCostModel,
    ) -> Self {
        Self { inner: Arc::new(Inner { id, client, secrets, tools, costs }) }
    }
}

#[async_trait]
impl ServiceProvider for Tripo {
    fn id(&self) -> &ProviderId {
        &self.inner.id
    }

    fn service_name(&self) -> &str {
        SERVICE_NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::poll_only();
        capabilities.webhooks = (!self.inner.secrets.is_empty()).then_some(WebhookAuth::ProviderSignature);
        capabilities.upload = true;
        capabilities
    }

    /// The catalogue is data, but it is the account's only while its key is good: so the balance is asked for.
    async fn discover(&self) -> Result<Catalogue> {
        let balance: Balance = self.inner.client.read_json(Operation::ReadBalance, "/account/balance").await?;
        let mut catalogue = Catalogue::new(self.inner.tools.clone());
        if balance.is_empty() {
            catalogue.warnings.push("The account has no credits left: Tripo will refuse every run.".to_owned());
        }
        Ok(catalogue)
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        submit::submit(&self.inner.client, request).await
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let path = format!("/tasks/{}", escaped(run.run_id.as_str()));
        let task: Task = self.inner.client.read_json(Operation::ReadTask, &path).await?;
        convert::report(task, None, Timestamp::now())
    }

    async fn cancel(&self, _: &RunRef) -> Result<CancelAnswer> {
        Err(unsupported("cancel run", "Tripo cannot stop a run."))
    }

    async fn upload(&self, file: UploadFile) -> Result<UploadedFile> {
        upload::upload(&self.inner.client, file).await
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        Err(unsupported("look up run", "Tripo keeps nothing of ours with a run to find it by."))
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        Err(unsupported("diagnose run", "Tripo says why a run failed where it says that it did."))
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        webhook::read(&self.inner.secrets, request)
    }
}

fn unsupported(operation: &'static str, why: &str) -> Error {
    Error::new(ErrorKind::Unsupported, operation).with_message(why)
}

/// A run id as one segment of a path: ids come from answers, and a slash in one must not lead elsewhere.
fn escaped(id: &str) -> String {
    url::form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

impl CostModel for Tripo {
    fn builtin_card(&self) -> RateCard {
        self.inner.costs.builtin_card()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> Result<PinnedRate> {
        self.inner.costs.rate(tool, card)
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        self.inner.costs.quote(rate, tool, inputs, typical)
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        self.inner.costs.settle(rate, card, usage)
    }
}
