//! A provider inside the process, so that only the station is measured.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use async_trait::async_trait;
use serde_json::{Map, Value};
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::cost::{CostModel, PinnedRate, Quote, RateCard, Settlement, Usage};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookReading,
};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{ANY_RUN, ScriptedProvider};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{ProviderId, RunId, ToolDefinition};

/// The tool of the provider.
pub const TOOL: &str = "comfydeploy:echo";

/// Where a run is called back.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The path with its query, and the token in it.
    pub path: String,
    /// The run.
    pub run: String,
}

/// Answers every call at once; reads webhooks as ComfyDeploy's.
#[derive(Debug)]
pub struct AtOnce {
    scripted: ScriptedProvider,
    reader: ComfyDeploy,
    status: RunStatus,
    word: &'static str,
    callbacks: Mutex<Vec<Callback>>,
}

impl AtOnce {
    /// A provider whose polls say that a run is in `status`, and the answers to submissions too if that is an end.
    ///
    /// # Errors
    /// None in practice: the names are valid.
    pub fn new(status: RunStatus, word: &'static str) -> Result<Self> {
        let scripted = ScriptedProvider::named("comfydeploy")?;
        scripted.script().polls.push_back(RunReport::new(RunId::new(ANY_RUN)?, status, word));
        Ok(Self { scripted, reader: crate::provider("http://127.0.0.1:9")?, status, word, callbacks: Mutex::default() })
    }

    /// What was submitted until now.
    pub fn callbacks(&self) -> MutexGuard<'_, Vec<Callback>> {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ServiceProvider for AtOnce {
    fn id(&self) -> &ProviderId {
        self.scripted.id()
    }

    fn service_name(&self) -> &str {
        self.scripted.service_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.scripted.capabilities()
    }

    async fn discover(&self) -> stationthis_core::Result<Catalogue> {
        self.scripted.discover().await
    }

    async fn submit(&self, request: &SubmitRequest) -> stationthis_core::Result<Submission> {
        let mut submission = self.scripted.submit(request).await?;
        if self.status.is_terminal() {
            let mut report = RunReport::new(submission.run_id.clone(), self.status, self.word);
            // A success without outputs would be asked about once more, five seconds later.
            report.outputs = vec![Output::file(OutputKind::Image, "https://service.example/picture.png")];
            submission.report = Some(report);
        }
        if let Some(url) = &request.callback_url {
            let path = url.expose().find("/api/").and_then(|at| url.expose().get(at..)).unwrap_or_default().to_owned();
            self.callbacks().push(Callback { path, run: submission.run_id.as_str().to_owned() });
        }
        Ok(submission)
    }

    async fn poll(&self, run: &RunRef) -> stationthis_core::Result<RunReport> {
        self.scripted.poll(run).await
    }

    async fn cancel(&self, run: &RunRef) -> stationthis_core::Result<CancelAnswer> {
        self.scripted.cancel(run).await
    }

    async fn upload(&self, file: UploadFile) -> stationthis_core::Result<UploadedFile> {
        self.scripted.upload(file).await
    }

    async fn lookup(&self, request: &LookupRequest) -> stationthis_core::Result<Lookup> {
        self.scripted.lookup(request).await
    }

    async fn diagnose(&self, run: &RunRef) -> stationthis_core::Result<Option<Diagnosis>> {
        self.scripted.diagnose(run).await
    }

    fn read_webhook(&self, request: &WebhookRequest) -> stationthis_core::Result<WebhookReading> {
        self.reader.read_webhook(request)
    }
}

impl CostModel for AtOnce {
    fn builtin_card(&self) -> RateCard {
        self.scripted.builtin_card()
    }

    fn rate(&self, tool: &ToolDefinition, card: &RateCard) -> stationthis_core::Result<PinnedRate> {
        self.scripted.rate(tool, card)
    }

    fn quote(
        &self,
        rate: &PinnedRate,
        tool: &ToolDefinition,
        inputs: &Map<String, Value>,
        typical: Option<&Usage>,
    ) -> Quote {
        self.scripted.quote(rate, tool, inputs, typical)
    }

    fn settle(&self, rate: &PinnedRate, card: &RateCard, usage: &Usage) -> Settlement {
        self.scripted.settle(rate, card, usage)
    }
}
