//! Files that callers keep here, to name them as inputs.

use std::io::SeekFrom;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use stationthis_core::{CallerId, Error, ErrorKind, Result, Timestamp};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::files::{Files, Incoming, StoredFile};
use crate::http::about::{About, Answer, Header, LOCATION};
use crate::http::asker::Asker;
use crate::http::body::DRAIN_BYTES_MAX;
use crate::http::download;
use crate::http::mount::Mount;
use crate::http::problem::Problem;
use crate::http::range::Range;
use crate::http::router::Face;

/// The one part of the form.
const PART: &str = "file";

/// The slowest rate at which a file is taken whole, half a Mbit/s: a poor mobile line. Slower ones hold a connection for
/// nothing; what comes in pieces with pauses is cut off before (`ServerLimits::body_pause`).
const BYTES_PER_S: u64 = 64 * 1024;

/// What sending the largest file may take, besides what any request may.
pub(crate) fn upload_time(files: &Files) -> Duration {
    Duration::from_secs(files.file_bytes_max().div_ceil(BYTES_PER_S))
}

pub(crate) const KEEP: About = About::new(
    "Keep a file, to be named as an input",
    &[Answer::json::<StoredFile>(201, "The file; its `uri` is the input.").with_headers(&[LOCATION])],
)
.form::<FileForm>()
.problems(&[413, 422, 501]);

/// What is sent: one part.
#[derive(JsonSchema)]
struct FileForm {
    /// The file, with its name and type.
    #[schemars(extend("format" = "binary"))]
    #[allow(dead_code)]
    file: String,
}

/// `POST /api/internal/files`: 201 when it is durable.
pub(crate) async fn keep(
    asker: Asker,
    State(face): State<Face>,
    mount: Mount,
    request: Request,
) -> Result<Response, Problem> {
    let (files, caller) = shelf(&face, &asker)?;
    // A file on its way holds a connection and a file here as long as its sender likes.
    let _place = asker.wait()?;
    let refused = |_| Problem::malformed("A file is sent as multipart/form-data.");
    let mut form = Multipart::from_request(request, &()).await.map_err(refused)?;
    let Some(field) = form.next_field().await.map_err(broken)?.filter(|field| field.name() == Some(PART)) else {
        return Err(Problem::malformed(format!("The form begins with a part named {PART:?}, the file.")));
    };
    let (declared, name) = (field.content_type().map(str::to_owned), field.file_name().map(str::to_owned));
    let incoming = receive(files.begin(caller).await?, field).await?;
    if form.next_field().await.map_err(broken)?.is_some() {
        return Err(Problem::malformed("One file is sent at a time, and nothing else."));
    }
    let file = incoming.finish(declared.as_deref(), name.as_deref()).await?;
    let place = format!("/api/internal/files/{}", file.file_id);
    let mut response = (StatusCode::CREATED, Json(file)).into_response();
    mount.locate(&mut response, &place);
    Ok(response)
}

async fn receive(mut incoming: Incoming, mut field: Field<'_>) -> Result<Incoming, Problem> {
    while let Some(piece) = field.chunk().await.map_err(broken)? {
        if let Err(error) = incoming.write(&piece).await {
            // Read on for a while: a client that is still writing when the connection closes often never sees why.
            let mut drained = 0_usize;
            while let (true, Ok(Some(piece))) = (drained < DRAIN_BYTES_MAX, field.chunk().await) {
                drained = drained.saturating_add(piece.len());
            }
            return Err(error.into());
        }
    }
    Ok(incoming)
}

pub(crate) const SHOW: About =
    About::new("A file", &[Answer::json::<StoredFile>(200, "What is known of it.")]).problems(&[501]);

/// `GET /api/internal/files/{id}`.
pub(crate) async fn show(
    asker: Asker,
    State(face): State<Face>,
    Path(id): Path<String>,
) -> Result<Json<StoredFile>, Problem> {
    let (files, caller) = shelf(&face, &asker)?;
    Ok(Json(files.get(caller, &id, Timestamp::now())?))
}

const RANGE: Header = Header { name: "Range", text: "One part of it: `bytes=0-1023`, `bytes=1024-`, `bytes=-1024`." };

pub(crate) const CONTENT: About = About::new(
    "A file's content",
    &[
        Answer::other(200, "The bytes, with their type.", "*/*"),
        Answer::other(206, "The part that was asked for.", "*/*"),
        Answer { content: None, ..Answer::other(416, "There is no such part.", "*/*") },
    ],
)
.headers(&[RANGE])
.problems(&[501]);

/// `GET /api/internal/files/{id}/content`.
pub(crate) async fn content(
    asker: Asker,
    State(face): State<Face>,
    Path(id): Path<String>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let (files, caller) = shelf(&face, &asker)?;
    let (file, mut content) = files.content(caller, &id, Timestamp::now()).await?;
    let range = Range::of(&asked, file.bytes);
    let (status, first, bytes) = match range {
        Range::Whole => (StatusCode::OK, 0, file.bytes),
        Range::Part(first, bytes) => (StatusCode::PARTIAL_CONTENT, first, bytes),
        Range::Beyond => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
    };
    content
        .seek(SeekFrom::Start(first))
        .await
        .map_err(|e| Error::new(ErrorKind::StoreUnavailable, "read file").with_source(e))?;
    let mut response = (status, Body::from_stream(ReaderStream::new(content.take(bytes)))).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    range.content_range(file.bytes).into_iter().for_each(|part| drop(headers.insert(header::CONTENT_RANGE, part)));
    download::harmless(headers, &file.mime, file.filename.as_deref());
    Ok(response)
}

pub(crate) const REMOVE: About =
    About::new("Forget a file", &[Answer { content: None, ..Answer::other(204, "It is gone.", "*/*") }])
        .problems(&[501]);

/// `DELETE /api/internal/files/{id}`.
pub(crate) async fn remove(
    asker: Asker,
    State(face): State<Face>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let (files, caller) = shelf(&face, &asker)?;
    files.remove(caller, &id, Timestamp::now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shelf<'a>(face: &'a Face, asker: &'a Asker) -> Result<(&'a Files, &'a CallerId), Problem> {
    let none = || Problem::new(StatusCode::NOT_IMPLEMENTED, ErrorKind::Unsupported, "This host keeps no files.");
    // An operator across callers is no owner; it has no such route.
    face.files.as_ref().zip(asker.caller.id()).ok_or_else(none)
}

fn broken(_: MultipartError) -> Problem {
    Problem::malformed("The form cannot be read: it is no multipart/form-data, ended early, or came too slowly.")
}
