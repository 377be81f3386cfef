//! The provider of `docs/guides/provider.md`.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use stationthis_core::cost::{RateCard, RateKey, Unit};
use stationthis_core::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookReading,
};
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::tool::{CostingModel, ExactlyOnce, Execution};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{
    Effect, Error, ErrorKind, JsonDoc, Price, ProviderId, Result, Retry, RunId, Secret, Timestamp, ToolDefinition,
    ToolId,
};

/// The largest answer that is read: the service's own limit for a text is 64 KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// How long one call may take, from the connection to the last byte. The service answers within a second.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// The Echo service: gives a text back, in capitals or backwards.
#[derive(Debug)]
pub struct Echo {
    id: ProviderId,
    http: reqwest::Client,
    base_url: String,
    key: Secret,
}

impl Echo {
    /// An account of the service; `base_url` has no slash at its end.
    ///
    /// # Errors
    /// `Unexpected` when there is no TLS on this machine.
    pub fn new(id: ProviderId, base_url: impl Into<String>, key: Secret) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            // A redirect would take the key elsewhere; a repeated submission would make a second run.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .build()
            .map_err(|e| Error::new(ErrorKind::Unexpected, "configure Echo").with_source(e))?;
        Ok(Self { id, http, base_url: base_url.into(), key })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    async fn call<T: DeserializeOwned>(&self, operation: &'static str, request: RequestBuilder) -> Result<T> {
        let sent = request.bearer_auth(self.key.expose()).send().await;
        let mut answer = sent.map_err(|e| unanswered(operation, e))?;
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| unanswered(operation, e))? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(Error::new(ErrorKind::TooLarge, operation).with_effect(Effect::Unknown));
            }
        }
        if !status.is_success() {
            return Err(refused(operation, status, after, &String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body)
            .map_err(|e| Error::new(ErrorKind::Corrupt, operation).with_effect(Effect::Unknown).with_source(e))
    }
}

/// No whole answer came.
fn unanswered(operation: &'static str, error: reqwest::Error) -> Error {
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    // Without a connection nothing was sent. Everything later may have made a run.
    let effect = if error.is_connect() { Effect::No } else { Effect::Unknown };
    Error::new(kind, operation).with_retry(Retry::Backoff).with_effect(effect).with_source(error.without_url())
}

/// What a refusal means. The service checks a request before it makes a run, and answers 4xx when it does not make one.
fn refused(operation: &'static str, status: StatusCode, after: Option<u64>, body: &str) -> Error {
    let (kind, retry) = match status.as_u16() {
        401 => (ErrorKind::Unauthorized, Retry::Never),
        403 => (ErrorKind::Forbidden, Retry::Never),
        404 => (ErrorKind::NotFound, Retry::Never),
        // As many of our runs are at work as the account may have: the task waits for its turn.
        429 => (ErrorKind::AtCapacity, after.map_or(Retry::Backoff, |s| Retry::After(Duration::from_secs(s)))),
        400..=499 => (ErrorKind::InvalidInput, Retry::Never),
        _ => (ErrorKind::Unavailable, Retry::Backoff),
    };
    let effect = if status.is_client_error() { Effect::No } else { Effect::Unknown };
    Error::new(kind, operation).with_http(status.as_u16(), body).with_retry(retry).with_effect(effect)
}

/// A tool, as the service lists it.
#[derive(Deserialize)]
struct Listed {
    name: String,
    title: String,
    price_usd: Price,
}

/// A run, as the service shows it.
#[derive(Deserialize)]
struct Shown {
    id: RunId,
    state: String,
    text: Option<String>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

impl Shown {
    fn report(self) -> RunReport {
        let status = match self.state.as_str() {
            "waiting" => RunStatus::Queued,
            "working" => RunStatus::Running,
            "done" => RunStatus::Succeeded,
            "failed" => RunStatus::Failed,
            _ => RunStatus::Unknown,
        };
        let mut report = RunReport::new(self.id, status, self.state);
        (report.times.started_at, report.times.ended_at) = (self.started_at, self.ended_at);
        report.outputs = self.text.into_iter().map(Output::text).collect();
        report
    }
}

fn unsupported<T>(operation: &'static str) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, operation))
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
        let mut capabilities = Capabilities::poll_only();
        capabilities.exactly_once = ExactlyOnce::IdempotencyKey;
        capabilities
    }

    async fn discover(&self) -> Result<Catalogue> {
        let listed: Vec<Listed> = self.call("discover tools", self.http.get(self.url("/tools"))).await?;
        let (mut tools, mut card) = (Vec::new(), RateCard::new("GET /tools of the Echo service, live"));
        for Listed { name, title, price_usd } in listed {
            let id = ToolId::for_key(&self.id, &name)?;
            let mut tool = ToolDefinition::new(id.clone(), self.id.clone(), "echo", title);
            tool.input_schema = JsonDoc::from_value(&json!({
                "type": "object",
                "properties": { "text": { "type": "string", "title": "Text", "maxLength": 65536 } },
                "required": ["text"],
                "additionalProperties": false
            }));
            tool.costing_model = CostingModel::PerRequest;
            tool.execution = Execution::Poll;
            tool.exactly_once = ExactlyOnce::IdempotencyKey;
            tool.outputs = vec![OutputKind::Text];
            tool.endpoint_details = JsonDoc::from_value(&json!({ "name": name }));
            tools.push(tool.seal());
            card = card.with(RateKey::Tool(id.to_string()), price_usd, Unit::Request);
        }
        let mut catalogue = Catalogue::new(tools);
        catalogue.rate_card = Some(card);
        Ok(catalogue)
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        let tool = request.endpoint_details.to_value();
        let body = json!({ "tool": tool.get("name"), "text": request.inputs.get("text") });
        let key = request.task_id.to_string();
        let post = self.http.post(self.url("/runs")).header("idempotency-key", key).json(&body);
        let made: Shown = self.call("submit run", post).await?;
        Ok(Submission::new(made.id))
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        let get = self.http.get(self.url(&format!("/runs/{}", run.run_id)));
        self.call("poll run", get).await.map(Shown::report)
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

    fn read_webhook(&self, _: &WebhookRequest) -> Result<WebhookReading> {
        unsupported("read webhook")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use axum::extract::{Path, State};
    use axum::http::HeaderMap;
    use axum::response::{IntoResponse, Response};
    use axum::routing::{get, post};
    use axum::{Json, Router};
    use serde_json::{Map, Value};
    use stationthis_core::cost::CardCostModel;
    use stationthis_core::testkit::{Conduct, ProviderFixture};
    use stationthis_core::{CallerId, RunRequest, Station, TaskStatus};

    use super::*;

    /// The service's books: which key made which run, and what it shows.
    #[derive(Debug)]
    struct Books {
        conduct: Conduct,
        runs: Vec<(String, Value)>,
    }

    type Service = Arc<Mutex<Books>>;

    fn down(service: &Service) -> Option<Response> {
        let down = service.lock().unwrap().conduct == Conduct::Down;
        down.then(|| (StatusCode::SERVICE_UNAVAILABLE, "down for maintenance").into_response())
    }

    async fn tools(State(service): State<Service>) -> Response {
        let tools = json!([{ "name": "shout", "title": "Shout", "price_usd": "0.001" }]);
        down(&service).unwrap_or_else(|| Json(tools).into_response())
    }

    async fn submit(State(service): State<Service>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
        if let Some(answer) = down(&service) {
            return answer;
        }
        let mut books = service.lock().unwrap();
        if books.conduct == Conduct::Full {
            return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")], "one at a time").into_response();
        }
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        let at = books.runs.iter().position(|(known, _)| *known == key).unwrap_or(books.runs.len());
        if at == books.runs.len() {
            let text = body["text"].as_str().unwrap_or_default().to_uppercase();
            let id = format!("run-{at}");
            let shown = match books.conduct {
                Conduct::RunsFail => json!({ "id": id, "state": "failed" }),
                Conduct::RunsStay => json!({ "id": id, "state": "working" }),
                _ => json!({ "id": id, "state": "done", "text": text }),
            };
            books.runs.push((key, shown));
        }
        if books.conduct == Conduct::LosesAnswers {
            // The connection breaks after the headers.
            let cut = futures_util::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("cut"))]);
            return Body::from_stream(cut).into_response();
        }
        Json(books.runs[at].1.clone()).into_response()
    }

    async fn show(State(service): State<Service>, Path(id): Path<String>) -> Response {
        if let Some(answer) = down(&service) {
            return answer;
        }
        let books = service.lock().unwrap();
        let run = books.runs.iter().find(|(_, shown)| shown["id"] == id.as_str());
        run.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |(_, shown)| Json(shown.clone()).into_response())
    }

    struct Fixture {
        provider: Echo,
        nowhere: Echo,
        service: Service,
    }

    fn echo(base_url: &str) -> Echo {
        Echo::new(ProviderId::new("echo").unwrap(), base_url, Secret::new("canary-key")).unwrap()
    }

    async fn fresh() -> Fixture {
        let service = Service::new(Mutex::new(Books { conduct: Conduct::Good, runs: Vec::new() }));
        let routes = Router::new()
            .route("/tools", get(tools))
            .route("/runs", post(submit))
            .route("/runs/{id}", get(show))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        // Nobody listens on port 1.
        Fixture { provider: echo(&base_url), nowhere: echo("http://127.0.0.1:1"), service }
    }

    impl ProviderFixture for Fixture {
        fn provider(&self) -> &dyn ServiceProvider {
            &self.provider
        }

        fn unreachable(&self) -> &dyn ServiceProvider {
            &self.nowhere
        }

        fn secrets(&self) -> Vec<String> {
            vec!["canary-key".to_owned()]
        }

        fn set(&self, conduct: Conduct) {
            self.service.lock().unwrap().conduct = conduct;
        }

        fn runs_made(&self) -> usize {
            self.service.lock().unwrap().runs.len()
        }

        fn inputs(&self, _: &ToolDefinition) -> Option<Map<String, Value>> {
            Some(Map::from_iter([("text".to_owned(), json!("hello"))]))
        }

        fn webhook(&self, _: &RunRef) -> Option<WebhookRequest> {
            None
        }
    }

    stationthis_core::provider_suite!(fresh);

    #[tokio::test]
    async fn a_text_is_shouted_for_a_tenth_of_a_cent() {
        let Fixture { provider, service, .. } = fresh().await;
        let costs = Arc::new(CardCostModel::new(RateCard::new("nothing builtin")));
        let station = Station::builder().provider_with_costs(Arc::new(provider), costs).build().unwrap();
        station.refresh().await.unwrap();
        let handle = station.start().await.unwrap();
        let caller = station.as_caller(CallerId::new("ada").unwrap());

        let inputs = Map::from_iter([("text".to_owned(), json!("hello"))]);
        let task = caller.run(RunRequest::new("shout", inputs)).await.unwrap();
        let task = caller.wait(task.task_id, Duration::from_secs(20)).await.unwrap();

        assert_eq!(task.state.status, TaskStatus::Completed);
        assert_eq!(task.state.outputs[0].text.as_deref(), Some("HELLO"));
        assert_eq!(task.state.cost_usd.unwrap().to_string(), "0.001000000");
        assert_eq!(service.lock().unwrap().runs.len(), 1);
        handle.shutdown(Duration::from_secs(5)).await.unwrap();
    }
}
