//! The provider: one account of Vidu.

use crate::client::Client;
use crate::config::ViduBuilder;
use crate::details::EndpointDetails;
use crate::error::Operation;
use crate::wire::{Credits, Task};
use crate::{cancel, convert, submit, upload, webhook};
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
use stationthis_core::{Error, ErrorKind, ProviderId, Result, Secret, Timestamp, ToolDefinition};
use std::sync::Arc;

/// The kind of service.
pub const SERVICE_NAME: &str = "vidu";

/// One account of Vidu.
///
/// Cheap to clone. Remembers nothing between calls but its connections; every call may be made at any time. A
/// submission is sent once; reads are repeated twice, at most, while the service is out of order.
///
/// Its prices are per credit. What a run took is what the service says it took.
#[derive(Clone, Debug)]
pub struct Vidu {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: ProviderId,
    tools: Vec<ToolDefinition>,
    key: Secret,
    client: Client,
    costs: CardCostModel,
}

impl Vidu {
    /// Begins an instance with an API key.
    pub fn builder(api_key: Secret) -> ViduBuilder {
        ViduBuilder::new(api_key)
    }

    pub(crate) fn assemble(
        id: ProviderId,
        tools: Vec<ToolDefinition>,
        key: Secret,
        client: Client,
        costs: CardCostModel,
    ) -> Self {
        Self { inner: Arc::new(Inner { id, tools, key, client, costs }) }
    }
}

#[async_trait]
impl ServiceProvider for Vidu {
    fn id(&self) -> &ProviderId {
        &self.inner.id
    }

    fn service_name(&self) -> &str {
        SERVICE_NAME
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::poll_only();
        capabilities.webhooks = Some(WebhookAuth::RequestSignature);
        capabilities.cancel = true;
        // Data URLs are uploaded, too: the service takes pictures within a request, but the whole of it may have 20 MB.
        capabilities.upload = true;
        // There is no idempotency key, and the list of tasks does not show the payload: a task whose answer was lost
        // is found by its callback or not at all.
        capabilities.exactly_once = ExactlyOnce::None;
        capabilities
    }

    /// The catalogue that is compiled in, or the configured one: the service publishes none. It is asked all the same,
    /// for the account's credits, which costs nothing: a catalogue that no key opens would be no use.
    async fn discover(&self) -> Result<Catalogue> {
        let client = &self.inner.client;
        let credits: Credits = client.read(Operation::CheckKey, &client.api("/credits")).await?;
        let mut catalogue = Catalogue::new(self.inner.tools.clone());
        if credits.left().is_some_and(|left| left.is_zero() || left.is_sign_negative()) {
            catalogue.warnings.push("The Vidu account has no credits left: every run will be refused.".to_owned());
        }
        Ok(catalogue)
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        submit::submit(&self.inner.client, request).await
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        const OPERATION: Operation = Operation::ReadTask;
        let details = EndpointDetails::read(OPERATION, &run.endpoint_details)?;
        let client = &self.inner.client;
        let url = client.api(&format!("/tasks/{}/creations", cancel::escaped(run.run_id.as_str())));
        let task: Task = client.read(OPERATION, &url).await?;
        let owner = task.payload.as_deref().filter(|payload| !payload.is_empty());
        if details.route.takes_payload() && owner.is_some_and(|owner| owner != run.task_id.to_string()) {
            // A callback's body is not signed, and it may have named the run of another.
            return Err(Error::new(ErrorKind::Conflict, OPERATION.name())
                .with_message("Vidu says that this run was made for somebody else."));
        }
        Ok(convert::queried(details.route, &run.run_id, &task, Timestamp::now()))
    }

    async fn cancel(&self, run: &RunRef) -> Result<CancelAnswer> {
        cancel::cancel(&self.inner.client, run).await
    }

    async fn upload(&self, file: UploadFile) -> Result<UploadedFile> {
        upload::upload(&self.inner.client, file).await
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        Err(Error::new(ErrorKind::Unsupported, "look up run")
            .with_message("Vidu's list of tasks does not say for whom they were made."))
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        Err(Error::new(ErrorKind::Unsupported, "diagnose run")
            .with_message("Vidu's state of a task holds all that it says of a failure."))
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        webhook::read(request, &self.inner.key)
    }
}

impl CostModel for Vidu {
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
