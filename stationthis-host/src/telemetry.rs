//! Log lines, and traces where they are wanted.

#[cfg(feature = "otel")]
mod traces;

use stationthis_core::{Error, ErrorKind, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// What this process tells about its work. Let it [`end`](Self::end) when the runtime is gone.
#[derive(Debug)]
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Log lines of `level` and above go to standard error; `RUST_LOG` overrides. With the feature `otel`, and
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` set, spans go there. Not within a runtime.
    ///
    /// # Errors
    /// `InvalidInput` when spans cannot go where they should; `Conflict` when this process has a subscriber already.
    pub fn start(level: &str) -> Result<Self> {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        // By the rule of all other output: NO_COLOR, the kind of terminal, and whether it is one.
        let colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        #[cfg(feature = "otel")]
        let traces = traces::Traces::from_env()?;
        #[cfg(feature = "otel")]
        let subscriber = subscriber.with(traces.as_ref().map(traces::Traces::layer));
        subscriber.try_init().map_err(|e| Error::new(ErrorKind::Conflict, "start logging").with_source(e))?;
        Ok(Self {
            #[cfg(feature = "otel")]
            traces,
        })
    }

    /// Sends the spans that were not sent yet; waits a few seconds at most. Not within a runtime.
    pub fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}
