//! The provider: one instance of ComfyDeploy.

use crate::client::Client;
use crate::config::{ComfyDeployBuilder, ComfyDeployConfig};
use crate::error::Operation;
use crate::wire::run::Run;
use crate::{cancel, convert, diagnose, discovery, lookup, submit, upload, webhook};
use async_trait::async_trait;
use serde_json::{Map, Value};
use stationthis_core::cost::{CardCostModel, CostModel, PinnedRate, Quote, RateCard, Settlement, Usage};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookAuth, WebhookReading,
};
use stationthis_core::task::report::RunReport;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{ProviderId, Result, Secret, ToolDefinition};
use std::sync::Arc;

/// The kind of service.
pub const SERVICE_NAME: &str = "comfydeploy";

/// One account of ComfyDeploy.
///
/// Cheap to clone. Remembers nothing between calls but its connections; every call may be made at any time. A
/// submission is sent once; reads are repeated twice, at most, while the service is out of order.
///
/// Its prices are per second and GPU, from the service's own list of the moment laid over the builtin one.
#[derive(Clone, Debug)]
pub struct ComfyDeploy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ProviderId,
    config: ComfyDeployConfig,
    client: Client,
    costs: CardCostModel,
}

impl ComfyDeploy {
    /// Begins an instance with an API key.
    pub fn builder(api_key: Secret) -> ComfyDeployBuilder {
        ComfyDeployBuilder::new(api_key)
    }

    pub(crate) fn assemble(id: ProviderId, config: ComfyDeployConfig, client: Client, costs: CardCostModel) -> Self {
        Self { inner: Arc::new(Inner { id, config, client, costs }) }
    }
}

#[async_trait]
impl ServiceProvider for ComfyDeploy {
    fn id(&self) -> &ProviderId {
        &self.inner.id
    }

    fn service_name(&self) -> &str {
        SERVICE_NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::poll_only();
        // Webhooks are unsigned, so the URL itself carries the proof.
        capabilities.webhooks = Some(WebhookAuth::TaskUrl);
        capabilities.cancel = true;
        capabilities.upload = true;
        // The service stores these itself and hands the machine a URL; others it would hand over as they are, which no
        // machine reads (the protocol's page on inputs).
        capabilities.inline_media = &["image/png", "image/jpeg", "image/jpg"];
        capabilities.lookup = true;
        capabilities.diagnose = true;
        capabilities.exactly_once = ExactlyOnce::Lookup;
        capabilities
    }

    async fn discover(&self) -> Result<Catalogue> {
        discovery::discover(&self.inner.client, &self.inner.id, &self.inner.config).await
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        submit::submit(&self.inner.client, request).await
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let path = format!("/run/{}", cancel::escaped(run.run_id.as_str()));
        convert::report(self.inner.client.read_json::<Run>(Operation::ReadRun, &path, &[]).await?)
    }

    async fn cancel(&self, run: &RunRef) -> Result<CancelAnswer> {
        cancel::cancel(&self.inner.client, run).await
    }

    async fn upload(&self, file: UploadFile) -> Result<UploadedFile> {
        upload::upload(&self.inner.client, file).await
    }

    async fn lookup(&self, request: &LookupRequest) -> Result<Lookup> {
        lookup::lookup(&self.inner.client, request).await
    }

    async fn diagnose(&self, run: &RunRef) -> Result<Option<Diagnosis>> {
        diagnose::diagnose(&self.inner.client, run).await
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        webhook::read(request)
    }
}

impl CostModel for ComfyDeploy {
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
