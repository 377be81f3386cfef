//! A provider that only submits, polls and reads signed webhooks, over a service in memory.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stationthis_core::notify::SigningKeys;
use stationthis_core::notify::signing::{ID_HEADER, SIGNATURE_HEADER, Signed, TIMESTAMP_HEADER};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookAuth, WebhookReading,
};
use stationthis_core::task::output::Output;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{Conduct, ProviderFixture};
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{
    Effect, Error, ErrorKind, ProviderId, Result, Retry, RunId, Secret, TaskId, Timestamp, ToolDefinition, ToolId,
};

#[derive(Debug)]
struct Service {
    conduct: Conduct,
    /// Whose run it is, and how it ends.
    runs: Vec<(TaskId, RunStatus)>,
}

#[derive(Clone, Debug)]
struct MinimalProvider {
    id: ProviderId,
    keys: SigningKeys,
    /// `None`: nobody listens.
    service: Option<Arc<Mutex<Service>>>,
}

pub(crate) struct Minimal {
    provider: MinimalProvider,
    nowhere: MinimalProvider,
    secret: Secret,
}

fn at() -> Timestamp {
    Timestamp::from_micros(1_795_000_000_000_000)
}

impl MinimalProvider {
    /// The service, unless it cannot be asked.
    fn ask(&self, operation: &'static str) -> Result<MutexGuard<'_, Service>> {
        let failed = || Error::new(ErrorKind::Unavailable, operation).with_retry(Retry::Backoff);
        let service = self.service.as_ref().ok_or_else(failed)?.lock().unwrap();
        match service.conduct {
            Conduct::Down => Err(failed().with_http(503, "down for maintenance")),
            _ => Ok(service),
        }
    }
}

fn run_id(index: usize) -> RunId {
    RunId::new(format!("run-{index}")).unwrap()
}

fn unsupported<T>(operation: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, operation))
}

#[async_trait]
impl ServiceProvider for MinimalProvider {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn service_name(&self) -> &str {
        "minimal"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::poll_only();
        capabilities.webhooks = Some(WebhookAuth::ProviderSignature);
        capabilities.exactly_once = ExactlyOnce::IdempotencyKey;
        capabilities
    }

    async fn discover(&self) -> Result<Catalogue> {
        drop(self.ask("discover tools")?);
        let id = ToolId::for_key(&self.id, "echo")?;
        let mut tool = ToolDefinition::new(id, self.id.clone(), "minimal", "Echo");
        tool.exactly_once = ExactlyOnce::IdempotencyKey;
        Ok(Catalogue::new(vec![tool.seal()]))
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        let mut service = self.ask("submit run")?;
        let known = service.runs.iter().position(|(task, _)| *task == request.task_id);
        let index = known.unwrap_or(service.runs.len());
        if known.is_none() && service.conduct == Conduct::Full {
            return Err(Error::new(ErrorKind::AtCapacity, "submit run").with_http(429, "one at a time"));
        }
        if known.is_none() {
            let end = match service.conduct {
                Conduct::RunsFail => RunStatus::Failed,
                Conduct::RunsStay => RunStatus::Running,
                _ => RunStatus::Succeeded,
            };
            service.runs.push((request.task_id, end));
        }
        if service.conduct == Conduct::LosesAnswers {
            return Err(Error::new(ErrorKind::Timeout, "submit run").with_effect(Effect::Unknown));
        }
        Ok(Submission::new(run_id(index)))
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let service = self.ask("poll run")?;
        let status = service.runs.iter().enumerate().find(|(index, _)| run_id(*index) == run.run_id);
        let (_, (_, status)) = status.ok_or_else(|| Error::new(ErrorKind::NotFound, "poll run"))?;
        let mut report = RunReport::new(run.run_id.clone(), *status, "as planned");
        if *status == RunStatus::Succeeded {
            report.outputs = vec![Output::text("done")];
        }
        Ok(report)
    }

    async fn cancel(&self, _: &RunRef) -> Result<CancelAnswer> {
        unsupported("cancel run")
    }

    async fn upload(&self, _: UploadFile) -> Result<UploadedFile> {
        unsupported("upload file")
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        unsupported("look up run")
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        unsupported("diagnose run")
    }

    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        let header = |name: &str| {
            let found = request.headers.iter().find(|(header, _)| header == name);
            found.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let signed = Signed::new(header(ID_HEADER), header(TIMESTAMP_HEADER), header(SIGNATURE_HEADER));
        self.keys.verify(&signed, &request.body, request.received_at)?;
        let refused = |e| Error::new(ErrorKind::InvalidInput, "read webhook").with_source(e);
        let report: RunReport = serde_json::from_slice(&request.body).map_err(refused)?;
        Ok(WebhookReading::new(WebhookAuth::ProviderSignature, vec![report]))
    }
}

impl Minimal {
    pub(crate) fn new() -> Self {
        let secret = SigningKeys::generate();
        let keys = SigningKeys::new(secret.clone()).unwrap();
        let service = Arc::new(Mutex::new(Service { conduct: Conduct::Good, runs: Vec::new() }));
        let nowhere = MinimalProvider { id: ProviderId::new("minimal").unwrap(), keys, service: None };
        Self { provider: MinimalProvider { service: Some(service), ..nowhere.clone() }, nowhere, secret }
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.provider.service.as_ref().unwrap().lock().unwrap()
    }
}

impl ProviderFixture for Minimal {
    fn provider(&self) -> &dyn ServiceProvider {
        &self.provider
    }

    fn unreachable(&self) -> &dyn ServiceProvider {
        &self.nowhere
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose().to_owned()]
    }

    fn set(&self, conduct: Conduct) {
        self.service().conduct = conduct;
    }

    fn runs_made(&self) -> usize {
        self.service().runs.len()
    }

    fn inputs(&self, _: &ToolDefinition) -> Option<Map<String, Value>> {
        Some(Map::new())
    }

    fn webhook(&self, run: &RunRef) -> Option<WebhookRequest> {
        let report = RunReport::new(run.run_id.clone(), RunStatus::Succeeded, "as planned");
        let body = json!(report).to_string();
        let signed = self.provider.keys.sign("hook-1", at(), body.as_bytes()).unwrap();
        let headers =
            [(ID_HEADER, signed.id), (TIMESTAMP_HEADER, signed.timestamp), (SIGNATURE_HEADER, signed.signature)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let request = WebhookRequest::new("POST", "/api/webhook/minimal", "", Bytes::from(body), at());
        Some(request.with_headers(headers))
    }
}
