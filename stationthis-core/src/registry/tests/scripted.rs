//! A provider whose catalogues are written in advance.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use crate::cost::RateCard;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProviderId;
use crate::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookReading,
};
use crate::task::report::RunReport;
use crate::tool::ToolDefinition;
use crate::webhook::WebhookRequest;

/// One answer to `discover`.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Tools(Vec<ToolDefinition>),
    Fails,
    Takes(Duration, Vec<ToolDefinition>),
}

/// Answers by a script; the last line of it for ever. It does nothing but discover.
#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) id: ProviderId,
    script: Mutex<VecDeque<Answer>>,
    asked: AtomicU32,
}

impl Scripted {
    pub(super) fn new(id: &str, script: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let script = Mutex::new(script.into_iter().collect());
        Arc::new(Self { id: ProviderId::new(id).unwrap(), script, asked: AtomicU32::new(0) })
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn not_scripted<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "do what is not scripted"))
}

#[async_trait]
impl ServiceProvider for Scripted {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn service_name(&self) -> &str {
        "scripted"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::poll_only()
    }

    async fn discover(&self) -> Result<Catalogue> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = {
            let mut script = self.script.lock().unwrap();
            if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
        };
        let tools = match answer.unwrap() {
            Answer::Tools(tools) => tools,
            Answer::Takes(time, tools) => {
                tokio::time::sleep(time).await;
                tools
            }
            Answer::Fails => {
                return Err(Error::new(ErrorKind::Unavailable, "list workflows").with_http(502, "bad gateway"));
            }
        };
        Ok(Catalogue { rate_card: Some(RateCard::new("script")), ..Catalogue::new(tools) })
    }

    async fn submit(&self, _: &SubmitRequest) -> Result<Submission> {
        not_scripted()
    }

    async fn poll(&self, _: &RunRef) -> Result<RunReport> {
        not_scripted()
    }

    async fn cancel(&self, _: &RunRef) -> Result<CancelAnswer> {
        not_scripted()
    }

    async fn upload(&self, _: UploadFile) -> Result<UploadedFile> {
        not_scripted()
    }

    async fn lookup(&self, _: &LookupRequest) -> Result<Lookup> {
        not_scripted()
    }

    async fn diagnose(&self, _: &RunRef) -> Result<Option<Diagnosis>> {
        not_scripted()
    }

    fn read_webhook(&self, _: &WebhookRequest) -> Result<WebhookReading> {
        not_scripted()
    }
}
