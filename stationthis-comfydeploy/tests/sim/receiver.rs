//! A webhook receiver that remembers what it got.

use crate::support::PATIENCE;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::watch;

#[derive(Debug, Clone)]
pub(crate) struct Hook {
    pub(crate) at: Instant,
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Hook {
    pub(crate) fn status(&self) -> &str {
        self.body["status"].as_str().unwrap()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.body["outputs"].as_array().unwrap().len()
    }
}

type Answers = Arc<dyn Fn(usize) -> StatusCode + Send + Sync>;

#[derive(Clone)]
struct Inbox {
    hooks: Arc<Mutex<Vec<Hook>>>,
    count: watch::Sender<usize>,
    answers: Answers,
}

pub(crate) struct Receiver {
    inbox: Inbox,
    pub(crate) url: String,
}

impl Receiver {
    /// Answers every webhook with 200.
    pub(crate) async fn new() -> Self {
        Self::answering(|_| StatusCode::OK).await
    }

    /// Answers the n-th webhook (from 0) with `answers(n)`.
    pub(crate) async fn answering(answers: impl Fn(usize) -> StatusCode + Send + Sync + 'static) -> Self {
        let inbox = Inbox { hooks: Arc::default(), count: watch::Sender::new(0), answers: Arc::new(answers) };
        let app = Router::new().fallback(take).with_state(inbox.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inbox, url }
    }

    pub(crate) fn hooks(&self) -> Vec<Hook> {
        self.inbox.hooks.lock().unwrap().clone()
    }

    /// Waits until what has arrived satisfies `wanted`, and gives it.
    pub(crate) async fn wait(&self, wanted: impl Fn(&[Hook]) -> bool) -> Vec<Hook> {
        let mut count = self.inbox.count.subscribe();
        let arrived = count.wait_for(|_| wanted(&self.hooks()));
        let in_time = tokio::time::timeout(PATIENCE, arrived).await;
        let hooks = self.hooks();
        assert!(in_time.is_ok(), "only these arrived: {hooks:#?}");
        hooks
    }

    /// Waits for a webhook with this status.
    pub(crate) async fn wait_for(&self, status: &str) -> Vec<Hook> {
        self.wait(|hooks| hooks.iter().any(|hook| hook.status() == status)).await
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, request: Request) -> StatusCode {
    let method = request.method().to_string();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let bytes: Bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let hook = Hook { at: Instant::now(), method, query, headers, body: serde_json::from_str(&text).unwrap(), text };
    let at = {
        let mut hooks = inbox.hooks.lock().unwrap();
        hooks.push(hook);
        hooks.len() - 1
    };
    inbox.count.send_replace(at + 1);
    (inbox.answers)(at)
}
