//! A provider that fails.

use async_trait::async_trait;

use super::{Fault, Faulty, lost};
use crate::error::{Effect, ErrorKind, Result};
use crate::id::ProviderId;
use crate::provider::{
    CancelAnswer, Capabilities, Catalogue, Diagnosis, Lookup, LookupRequest, RunRef, ServiceProvider, Submission,
    SubmitRequest, UploadFile, UploadedFile, WebhookReading,
};
use crate::task::report::RunReport;
use crate::tool::ExactlyOnce;
use crate::webhook::WebhookRequest;

impl Faulty<dyn ServiceProvider> {
    async fn asked<R: Send, F: Future<Output = Result<R>> + Send>(
        &self,
        operation: &'static str,
        act: impl Fn() -> F + Send + Sync,
    ) -> Result<R> {
        self.asked_if(operation, |_| true, act).await
    }

    async fn asked_if<R: Send, F: Future<Output = Result<R>> + Send>(
        &self,
        operation: &'static str,
        possible: impl Fn(Fault) -> bool + Send,
        act: impl Fn() -> F + Send + Sync,
    ) -> Result<R> {
        let failed = |effect| {
            let kind = if effect == Effect::No { ErrorKind::Unavailable } else { ErrorKind::Timeout };
            Err(lost(kind, operation, effect))
        };
        self.call(operation, possible, act, failed).await
    }
}

#[async_trait]
impl ServiceProvider for Faulty<dyn ServiceProvider> {
    fn id(&self) -> &ProviderId {
        self.inner().id()
    }

    fn service_name(&self) -> &str {
        self.inner().service_name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner().capabilities()
    }

    async fn discover(&self) -> Result<Catalogue> {
        self.asked("discover", || self.inner().discover()).await
    }

    async fn submit(&self, request: &SubmitRequest) -> Result<Submission> {
        // Without that promise a second submission is a second run, and nobody's fault but ours.
        let once =
            matches!(self.capabilities().exactly_once, ExactlyOnce::IdempotencyKey | ExactlyOnce::ClientChosenId);
        let possible = move |fault| once || fault != Fault::Duplicate;
        self.asked_if("submit", possible, || self.inner().submit(request)).await
    }

    async fn poll(&self, run: &RunRef) -> Result<RunReport> {
        self.asked("poll", || self.inner().poll(run)).await
    }

    async fn cancel(&self, run: &RunRef) -> Result<CancelAnswer> {
        self.asked("cancel", || self.inner().cancel(run)).await
    }

    async fn upload(&self, file: UploadFile) -> Result<UploadedFile> {
        self.asked("upload", || self.inner().upload(file.clone())).await
    }

    async fn lookup(&self, request: &LookupRequest) -> Result<Lookup> {
        self.asked("lookup", || self.inner().lookup(request)).await
    }

    async fn diagnose(&self, run: &RunRef) -> Result<Option<Diagnosis>> {
        self.asked("diagnose", || self.inner().diagnose(run)).await
    }

    /// Pure, so nothing can go wrong on the way.
    fn read_webhook(&self, request: &WebhookRequest) -> Result<WebhookReading> {
        self.inner().read_webhook(request)
    }
}
