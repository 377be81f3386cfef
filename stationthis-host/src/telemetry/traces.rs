//! Spans to an OpenTelemetry collector.

use std::time::Duration;

use opentelemetry::trace::{Link, SpanContext, SpanId, TraceFlags, TraceId, TraceState, TracerProvider};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use stationthis_core::{Error, ErrorKind, Result};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

/// The variables of which one says where spans go.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Ours; libraries below have spans of their own, without end.
const TARGETS: [&str; 3] = ["stationthis_core", "stationthis_host", "stationthis_comfydeploy"];

/// The field by which a span says that it is about a task.
const TASK_ID: &str = "task_id";

/// How long the last spans may take to be sent.
const END_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// `None` when the environment names no collector.
    pub(super) fn from_env() -> Result<Option<Self>> {
        if !ENDPOINTS.iter().any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
        let exporter = exporter.build().map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "send traces")
                .with_message(format!("OTEL_EXPORTER_OTLP_ENDPOINT: {e}"))
                .with_source(e)
        })?;
        let resource = Resource::builder().with_service_name("stationthis").build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(TaskTraces(exporter)).with_resource(resource);
        Ok(Some(Self(provider.build())))
    }

    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let ours = Targets::new().with_targets(TARGETS.map(|target| (target, Level::DEBUG)));
        let tracer = self.0.tracer("stationthis");
        tracing_opentelemetry::layer().with_tracer(tracer).with_threads(false).with_location(false).with_filter(ours)
    }

    pub(super) fn end(self) {
        if let Err(error) = self.0.shutdown_with_timeout(END_TIMEOUT) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Gives every span about a task that task's trace: its id is the task's, so it is the same in each process that works
/// on the task, and nothing needs to be remembered. The span's own id and its parent's stay; a parent in the trace of a
/// client becomes a link to it.
#[derive(Debug)]
struct TaskTraces<E>(E);

impl<E: SpanExporter> SpanExporter for TaskTraces<E> {
    fn export(&self, mut batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        for span in &mut batch {
            if let Some(trace) = trace_of(span) {
                if span.parent_span_is_remote {
                    let asked = SpanContext::new(
                        span.span_context.trace_id(),
                        span.parent_span_id,
                        TraceFlags::SAMPLED,
                        true,
                        TraceState::NONE,
                    );
                    span.links.links.push(Link::with_context(asked));
                    span.parent_span_id = SpanId::INVALID;
                    span.parent_span_is_remote = false;
                }
                let is = &span.span_context;
                let (state, remote) = (is.trace_state().clone(), is.is_remote());
                span.span_context = SpanContext::new(trace, is.span_id(), is.trace_flags(), remote, state);
            }
        }
        self.0.export(batch)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn trace_of(span: &SpanData) -> Option<TraceId> {
    let task = span.attributes.iter().find(|attribute| attribute.key.as_str() == TASK_ID)?;
    let id = Uuid::parse_str(&task.value.as_str()).ok()?;
    Some(TraceId::from_bytes(id.into_bytes()))
}
