//! A client that asks until it is answered, each request under one idempotency key.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::sigkill::TOOL;

/// Between two tries: the next host may be there.
const PAUSE: Duration = Duration::from_millis(80);

/// The longest wait for an answer: a host that was killed gives none.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// One request, and the tasks that it was answered with: all the same, if all is well.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) tasks: Vec<String>,
    pub(super) tries: u32,
}

/// A client of hosts that come and go at one address.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    receiver: String,
}

impl Client {
    pub(super) fn new(address: &str, receiver: &str) -> Result<Self> {
        // Connections to a host that was killed are of no use with the next one.
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(ANSWER_WAIT).build()?;
        Ok(Self { http, base: format!("http://{address}/api/internal"), receiver: receiver.to_owned() })
    }

    /// Makes `count` requests, one every `pace`, and waits for their answers.
    pub(super) async fn load(self: Arc<Self>, count: u32, pace: Duration) -> Result<Vec<Asked>> {
        let mut asking = JoinSet::new();
        for nth in 0..count {
            let client = self.clone();
            asking.spawn(async move { client.ask(nth).await });
            tokio::time::sleep(pace).await;
        }
        let mut asked = Vec::new();
        while let Some(done) = asking.join_next().await {
            asked.push(done??);
        }
        Ok(asked)
    }

    /// One request; every fourth one is made once more although it was answered.
    async fn ask(&self, nth: u32) -> Result<Asked> {
        let mut asked = Asked { tasks: Vec::new(), tries: 0 };
        let answers = if nth.is_multiple_of(4) { 2 } else { 1 };
        while asked.tasks.len() < answers {
            asked.tries += 1;
            if let Some(task) = self.try_once(nth).await? {
                asked.tasks.push(task);
            } else {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(asked)
    }

    /// `None` when there was no answer, or none of a host that is ready.
    async fn try_once(&self, nth: u32) -> Result<Option<String>> {
        let notify = json!([{ "channel": "webhook", "address": self.receiver }]);
        let body = json!({ "inputs": { "prompt": format!("fox number {nth}") }, "notify": notify });
        let url = format!("{}/run/{TOOL}", self.base);
        let request = self.http.post(url).header("idempotency-key", format!("request-{nth}")).json(&body);
        let Ok(answer) = request.send().await else { return Ok(None) };
        let status = answer.status();
        let Ok(text) = answer.text().await else { return Ok(None) };
        // The catalogue comes a moment after the port, and a host that is full says so.
        if status == StatusCode::NOT_FOUND || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Ok(None);
        }
        if !status.is_success() {
            bail!("request {nth} was refused: {status} {text}");
        }
        let answer: Value = serde_json::from_str(&text)?;
        Ok(Some(answer.get("taskId").and_then(Value::as_str).context("an answer without a task")?.to_owned()))
    }

    /// Until every task has ended.
    pub(super) async fn all_ended(&self, asked: &[Asked]) -> Result<()> {
        for task in asked.iter().filter_map(|asked| asked.tasks.first()) {
            while !self.has_ended(task).await? {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    async fn has_ended(&self, task: &str) -> Result<bool> {
        let Ok(answer) = self.http.get(format!("{}/tasks/{task}", self.base)).send().await else { return Ok(false) };
        if answer.status() == StatusCode::NOT_FOUND {
            bail!("{task} was acknowledged and is not there");
        }
        let Ok(record) = answer.json::<Value>().await else { return Ok(false) };
        Ok(record.pointer("/times/endedAt").is_some_and(Value::is_string))
    }
}
