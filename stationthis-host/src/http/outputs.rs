//! What tasks gave, as answers of this host.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use stationthis_core::ErrorKind;

use crate::http::about::{About, Answer, Header};
use crate::http::asker::Asker;
use crate::http::problem::Problem;
use crate::http::range::Range;
use crate::http::router::Face;
use crate::http::{download, frame, tasks};

const RANGE: Header = Header { name: "Range", text: "A part of it, where it is kept here or its service gives parts." };

pub(crate) const CONTENT: About = About::new(
    "What a task gave, from here",
    &[
        Answer::other(200, "The bytes, with their type.", "*/*"),
        Answer::other(206, "The part that was asked for.", "*/*"),
        Answer::other(416, "There is no such part.", "*/*"),
    ],
)
.headers(&[RANGE])
.problems(&[410, 413, 422, 501]);

/// `GET /api/internal/tasks/{id}/outputs/{n}`.
pub(crate) async fn content(
    asker: Asker,
    State(face): State<Face>,
    Path((id, n)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let none = |kind, status, detail: &str| Problem::new(status, kind, detail);
    let unsupported = || none(ErrorKind::Unsupported, StatusCode::NOT_IMPLEMENTED, "This host fetches no outputs.");
    let outputs = face.outputs.as_ref().ok_or_else(unsupported)?;
    let id = tasks::task_id(&id)?;
    let number = || none(ErrorKind::NotFound, StatusCode::NOT_FOUND, "There is no such output.");
    let n: usize = n.parse().map_err(|_| number())?;
    // A transfer takes as long as its reader likes.
    let place = asker.wait()?;
    let fetched = outputs.fetch(&asker.caller, id, n, Range::header_of(&headers)).await?;
    frame::about(id);
    let content = fetched.content.map(move |piece| {
        let _held = &place;
        piece.inspect_err(|error| tracing::warn!(%error, "an output broke off"))
    });
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    download::harmless(headers, &fetched.mime, fetched.output.filename.as_deref());
    fetched.bytes.map(|bytes| headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes)));
    if let Some(part) = fetched.part {
        headers.insert(header::CONTENT_RANGE, part);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    if fetched.out_of_range {
        *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
    }
    Ok(response)
}
