//! What is counted and timed in this process, for Prometheus.

use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use axum::http::{Method, StatusCode};
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use stationthis_core::station::{BUCKETS, describe_metrics};
use stationthis_core::{Error, ErrorKind, Result};
use tokio_util::sync::CancellationToken;

const REQUESTS: &str = "stationthis_http_requests_total";
const REQUEST: &str = "stationthis_http_request_seconds";

/// Upper bounds in seconds: most answers wait for one sync of a disk, and `?wait=` takes up to a minute.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0, 60.0];

/// How often samples are put into their buckets: at a thousand a second a few thousand wait meanwhile.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process: everything that is counted goes to it, and a scrape reads it.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Makes the recorder that of this process, for good.
    ///
    /// # Errors
    /// `Conflict` when this process has one already.
    pub fn install() -> Result<Self> {
        let mut builder = PrometheusBuilder::new();
        for (name, bounds) in BUCKETS.into_iter().chain([(REQUEST, REQUEST_BUCKETS.as_slice())]) {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)
                .map_err(|e| Error::new(ErrorKind::Unexpected, "install metrics").with_source(e))?;
        }
        let handle = builder.install_recorder().map_err(|e| {
            Error::new(ErrorKind::Conflict, "install metrics")
                .with_message("This process has a recorder of metrics already.")
                .with_source(e)
        })?;
        describe();
        Ok(Self(handle))
    }

    /// Keeps the recorder small until `stop`; without it, it grows between scrapes.
    pub async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            self.0.run_upkeep();
        }
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.render()
    }
}

/// Tells the recorder what each metric is.
fn describe() {
    describe_metrics();
    describe_counter!(REQUESTS, Unit::Count, "HTTP requests, by route and status");
    describe_histogram!(REQUEST, Unit::Seconds, "How long an HTTP request takes");
}

/// A request was answered. Its route is the template, never the path: that has ids in it.
pub(crate) fn answered(method: &Method, route: Option<&MatchedPath>, status: StatusCode, began: Instant) {
    let route = route.map_or("other", MatchedPath::as_str).to_owned();
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        // Any word can be a method.
        _ => "other",
    };
    histogram!(REQUEST, "method" => method, "route" => route.clone()).record(began.elapsed());
    counter!(REQUESTS, "method" => method, "route" => route, "status" => status.as_u16().to_string()).increment(1);
}

#[cfg(test)]
mod tests;
