//! A whole provider in a hundred lines of code, for a service that gives a text back in capitals. Copy it, and fill it in.
//!
//! The service: `POST /runs` with `{"text": …}` and `GET /runs/{id}` both answer `{"id", "state", "text"}`. It checks a
//! request before it makes a run, and lists no tools and no prices.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect, retry};
use serde::Deserialize;
use serde_json::json;
use stationthis_core::cost::{CardCostModel, RateCard, RateKey, Unit};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookReading,
};
use stationthis_core::task::output::Output;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::tool::CostingModel;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Effect, Error, ErrorKind, JsonDoc, ProviderId, Result, Retry, RunId, ToolDefinition, ToolId};

/// The largest answer that is read: a text has at most 64 KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long one call may take; the service answers within a second.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// An account of the service.
#[derive(Debug)]
pub struct Echo {
    id: ProviderId,
    url: String,
    http: Client,
}

/// A run, as the service shows it.
#[derive(Deserialize)]
struct Run {
    id: RunId,
    state: String,
    text: Option<String>,
}

impl Echo {
    /// The service at a URL without a slash at its end.
    ///
    /// # Errors
    /// `Unexpected` where the HTTP client cannot be made.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        // A redirect or a repetition could make a second run.
        let once = Client::builder().redirect(redirect::Policy::none()).retry(retry::never()).timeout(CALL_TIMEOUT);
        let http = once.build().map_err(|e| Error::new(ErrorKind::Unexpected, "make client").with_source(e))?;
        Ok(Self { id: ProviderId::new("echo")?, url: url.into(), http })
    }

    /// Its prices, with their source and date.
    ///
    /// # Errors
    /// None: the price is a number.
    pub fn costs() -> Result<CardCostModel> {
        let key = RateKey::Resource("echo".to_owned());
        Ok(CardCostModel::new(RateCard::new("echo price list, 2026-11").with(key, "0.001".parse()?, Unit::Request)))
    }

    /// One call, and what its answer says of whether there may be a run.
    async fn call(&self, operation: &'static str, request: RequestBuilder) -> Result<Run> {
        let fail = |kind, effect| Error::new(kind, operation).with_retry(Retry::Backoff).with_effect(effect);
        let unanswered = |e: reqwest::Error| {
            // Without a connection nothing was sent. Everything later may have made a run.
            let effect = if e.is_connect() { Effect::No } else { Effect::Unknown };
            fail(ErrorKind::Unavailable, effect).with_source(e.without_url())
        };
        let mut answer = request.send().await.map_err(unanswered)?;
        let (status, mut body) = (answer.status(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(unanswered)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(fail(ErrorKind::TooLarge, Effect::Unknown));
            }
        }
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|e| fail(ErrorKind::Corrupt, Effect::Unknown).with_source(e));
        }
        let refused = match status.as_u16() {
            // The task waits for its turn.
            429 => fail(ErrorKind::AtCapacity, Effect::No),
            400..=499 => fail(ErrorKind::InvalidInput, Effect::No).with_retry(Retry::Never),
            _ => fail(ErrorKind::Unavailable, Effect::Unknown),
        };
        Err(refused.with_http(status.as_u16(), &String::from_utf8_lossy(&body)))
    }
}

#[async_trait::async_trait]
impl ServiceProvider for Echo {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn service_name(&self) -> &str {
        "echo"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::poll_only()
    }

    async fn discover(&self) -> Result<Catalogue> {
        // The key is for ever: it stands on tasks and in scripts.
        let mut tool = ToolDefinition::new(ToolId::for_key(&self.id, "capitals")?, self.id.clone(), "echo", "Capitals");
        let text = json!({ "text": { "type": "string", "title": "Text", "maxLength": 65_536 } });
        let form = json!({ "type": "object", "properties": text, "required": ["text"], "additionalProperties": false });
        tool.input_schema = JsonDoc::from_value(&form);
        tool.costing_model = CostingModel::PerRequest;
        Ok(Catalogue::new(vec![tool.seal()]))
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        let post = self.http.post(format!("{}/runs", self.url)).json(&request.inputs);
        Ok(Submission::new(self.call("submit run", post).await?.id))
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let shown = self.call("poll run", self.http.get(format!("{}/runs/{}", self.url, run.run_id))).await?;
        let status = match shown.state.as_str() {
            "working" => RunStatus::Running,
            "done" => RunStatus::Succeeded,
            "failed" => RunStatus::Failed,
            // Changes nothing, and is asked about again.
            _ => RunStatus::Unknown,
        };
        let mut report = RunReport::new(shown.id, status, shown.state);
        report.outputs = shown.text.into_iter().map(Output::text).collect();
        Ok(report)
    }

    async fn cancel(&self, _: &RunRef) -> Result<CancelAnswer> {
        Err(Error::new(ErrorKind::Unsupported, "cancel run"))
    }

    async fn upload(&self, _: UploadFile) -> Result<UploadedFile> {
        Err(Error::new(ErrorKind::Unsupported, "upload file"))
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        Err(Error::new(ErrorKind::Unsupported, "look up run"))
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        Err(Error::new(ErrorKind::Unsupported, "diagnose run"))
    }

    fn read_webhook(&self, _: &WebhookRequest) -> Result<WebhookReading> {
        Err(Error::new(ErrorKind::Unsupported, "read webhook"))
    }
}
