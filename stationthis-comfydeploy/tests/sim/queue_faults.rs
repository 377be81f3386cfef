//! Faults of the queue call: what the caller sees, and what the books say really happened.

use crate::receiver::Receiver;
use crate::support::{Client, millis, str_of};
use crate::told::TOOL;
use reqwest::Method;
use serde_json::{Value, json};
use stationthis_comfydeploy::sim::{RunBook, SimConfig};
use std::time::{Duration, Instant};

/// The named faults tested here.
pub(crate) const TESTED: [&str; 10] = [
    "queue_500_but_runs",
    "queue_400_but_runs",
    "queue_500_no_run",
    "queue_slow",
    "queue_drop_answer",
    "queue_drop_request",
    "queue_refused_401",
    "queue_refused_403",
    "queue_refused_404",
    "cold_start_long",
];

/// A queue call under a fault.
struct Call {
    client: Client,
    receiver: Receiver,
    answer: Result<(u16, String), reqwest::Error>,
    deployment: Value,
}

impl Call {
    async fn new(fault: &str) -> Self {
        let client = Client::named(fault).await;
        let receiver = Receiver::new().await;
        let webhook = format!("{}?task=t1", receiver.url);
        let deployment = client.deployment(TOOL, "production").await;
        let body = json!({ "deployment_id": deployment["id"], "inputs": { "prompt": "a fox" }, "webhook": webhook });
        let answer = match client.request(Method::POST, "/run/deployment/queue").json(&body).send().await {
            Ok(answer) => Ok((answer.status().as_u16(), answer.text().await.unwrap())),
            Err(error) => Err(error),
        };
        Self { client, receiver, answer, deployment }
    }

    /// The run goes on whatever the answer was: it ends well and is told of, and the caller can find it by
    /// its webhook.
    async fn assert_runs(&self) {
        self.client.wait_books(|runs| runs[0].is_final()).await;
        self.receiver.wait_for("success").await;
        let books = self.client.server.sim.books();
        assert_eq!(books.count_requests("POST", "/api/run/deployment/queue"), 1);
        assert_eq!(books.runs.len(), 1);
        let book = &books.runs[0];
        assert_eq!((book.status.as_str(), book.outputs), ("success", 1));
        assert!(book.container.is_some());
        let path = format!(
            "/v2/workflow/{}/runs?deployment_id={}&limit=5",
            str_of(&self.deployment["workflow_id"]),
            str_of(&self.deployment["id"])
        );
        let (_, list) = self.client.get(&path).await;
        let found = self.client.run(str_of(&list[0]["id"])).await;
        assert!(found["webhook"].as_str().unwrap().ends_with("?task=t1"));
    }

    /// The only run there is, if any, never comes to a container or a webhook.
    fn assert_nothing(&self, runs: usize) -> Option<RunBook> {
        let books = self.client.server.sim.books();
        assert_eq!(books.count_requests("POST", "/api/run/deployment/queue"), 1);
        assert_eq!(books.runs.len(), runs);
        let book = books.runs.first().cloned();
        if let Some(book) = &book {
            assert_eq!((book.queued_at, book.hooks_sent, book.outputs), (None, 0, 0));
        }
        assert!(self.receiver.hooks().is_empty());
        book
    }
}

#[tokio::test]
async fn queue_500_but_runs() {
    let call = Call::new("queue_500_but_runs").await;
    assert_eq!(call.answer.as_ref().unwrap(), &(500, "Internal Server Error".to_owned()));
    call.assert_runs().await;
}

#[tokio::test]
async fn queue_400_but_runs() {
    let call = Call::new("queue_400_but_runs").await;
    let text = r#"{"detail":"Error creating run: 400 Bad Request"}"#;
    assert_eq!(call.answer.as_ref().unwrap(), &(400, text.to_owned()));
    call.assert_runs().await;
}

#[tokio::test]
async fn queue_drop_answer() {
    let call = Call::new("queue_drop_answer").await;
    assert!(call.answer.is_err(), "{:?}", call.answer);
    call.assert_runs().await;
}

#[tokio::test]
async fn queue_drop_request() {
    let call = Call::new("queue_drop_request").await;
    assert!(call.answer.is_err(), "{:?}", call.answer);
    call.assert_nothing(0);
}

#[tokio::test]
async fn queue_500_no_run() {
    let call = Call::new("queue_500_no_run").await;
    let text = r#"{"detail":"Error creating run: 500 Internal Server Error"}"#;
    assert_eq!(call.answer.as_ref().unwrap(), &(500, text.to_owned()));
    let book = call.assert_nothing(1).unwrap();
    assert_eq!(book.status, "failed");
    // The row is there for whoever looks for it.
    let run = call.client.run(&book.id).await;
    assert_eq!((&run["status"], &run["queued_at"]), (&json!("failed"), &json!(null)));
    assert!(run["ended_at"].is_string());
}

#[tokio::test]
async fn queue_refused() {
    for (fault, status, text) in [
        ("queue_refused_401", 401, "Invalid or expired token"),
        ("queue_refused_403", 403, "Insufficient deployment owner's GPU credits to create run"),
        ("queue_refused_404", 404, "Deployment not found"),
    ] {
        let call = Call::new(fault).await;
        let expected = (status, json!({ "detail": text }).to_string());
        assert_eq!(call.answer.as_ref().unwrap(), &expected);
        call.assert_nothing(0);
    }
}

#[tokio::test]
async fn queue_slow() {
    let client = Client::named("queue_slow").await;
    let body = client.queue_body(TOOL, json!({})).await;
    let begun = Instant::now();
    let call = client.post("/run/deployment/queue", &body);
    let ended = async {
        client.wait_books(|runs| runs.first().is_some_and(RunBook::is_final)).await;
        begun.elapsed()
    };
    let ((status, answer), run_took) = tokio::join!(call, ended);
    assert_eq!(status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // The run did not wait for the answer.
    assert!(run_took < begun.elapsed());
    assert_eq!(client.server.sim.books().runs[0].id, str_of(&answer["run_id"]));
}

#[tokio::test]
async fn cold_start_long() {
    let config = SimConfig { jitter: 0.0, ..Client::config_of("cold_start_long") };
    let client = Client::with(config).await;
    let id = client.queue(TOOL, json!({})).await;
    let waiting = client.run(&id).await;
    assert_eq!((&waiting["status"], &waiting["queued_at"]), (&json!("not-started"), &json!(null)));
    let run = client.end(&id).await;
    assert!(millis(&run["queued_at"]) - millis(&run["created_at"]) >= 1_500);
    // Waiting for a container is not billed.
    assert!(client.book(&id).container.unwrap() < Duration::from_millis(1_500));
}
