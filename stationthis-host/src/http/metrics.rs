//! What Prometheus scrapes.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use stationthis_core::ErrorKind;

use crate::http::about::{About, Answer};
use crate::http::problem::Problem;
use crate::http::router::Face;

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) const SHOW: About =
    About::new("Everything that is counted", &[Answer::other(200, "Prometheus' text format.", "text/plain")])
        .problems(&[501]);

/// `GET /metrics`.
pub(crate) async fn show(State(face): State<Face>) -> Result<Response, Problem> {
    let Some(metrics) = &face.metrics else {
        let detail = "Metrics are not recorded here.";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, ErrorKind::Unsupported, detail));
    };
    face.station.record_gauges().await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], metrics.render()).into_response())
}
