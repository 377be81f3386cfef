//! Reading request bodies within their limits.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use stationthis_core::ErrorKind;

use crate::http::problem::Problem;

/// The most bytes of a request to run or quote a tool: room for a picture as a data URL of a reasonable size, too
/// little to fill memory with a few requests.
pub const RUN_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How much of a body that is too large is read and thrown away before the answer: a client that is still writing
/// when the connection closes often never sees why.
pub(crate) const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The whole body, at most `max` bytes.
///
/// # Errors
/// 413 for a larger one, 400 when the client broke off or was too slow.
pub async fn read(request: Request, max: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let declared = declared_bytes(&parts.headers);
    if declared > max && (parts.headers.contains_key(header::EXPECT) || declared > DRAIN_BYTES_MAX) {
        return Err(too_large(max));
    }
    collect(body, declared, max).await
}

async fn collect(body: Body, declared: usize, max: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::with_capacity(declared.min(max));
    let mut seen = 0usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::malformed("The body ended early or came too slowly."))?;
        seen = seen.saturating_add(chunk.len());
        if seen > DRAIN_BYTES_MAX {
            break;
        }
        if seen <= max {
            bytes.extend_from_slice(&chunk);
        }
    }
    if seen > max { Err(too_large(max)) } else { Ok(bytes.freeze()) }
}

/// A JSON body, at most [`RUN_BODY_BYTES_MAX`] bytes. The media type is not asked for.
///
/// # Errors
/// As [`read`], and 400 with line and column for what is no JSON of this shape.
pub async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let bytes = read(request, RUN_BODY_BYTES_MAX).await?;
    if bytes.is_empty() {
        return Err(Problem::malformed("A JSON body is needed: an object."));
    }
    // serde would take an array for a structure, its items in the order of the fields.
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::malformed("The body is a JSON array; an object is needed."));
    }
    serde_json::from_slice(&bytes).map_err(|e| Problem::malformed(format!("The body cannot be read: {e}.")))
}

fn declared_bytes(headers: &HeaderMap) -> usize {
    headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

fn too_large(max: usize) -> Problem {
    let detail = format!("The body is larger than {} KiB. Give large files as URLs.", max / 1024);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorKind::TooLarge, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status_of(bytes: usize, max: usize) -> Result<usize, u16> {
        let request = Request::new(Body::from(vec![b' '; bytes]));
        read(request, max).await.map(|b| b.len()).map_err(|p| p.status.as_u16())
    }

    #[tokio::test]
    async fn the_limit_is_the_last_size_that_fits() {
        assert_eq!(status_of(10, 10).await, Ok(10));
        assert_eq!(status_of(11, 10).await, Err(413));
    }

    #[tokio::test]
    async fn bad_json_is_named_with_its_place() {
        let request = Request::new(Body::from("{\"a\": ]"));
        let problem = read_json::<serde_json::Value>(request).await.unwrap_err();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.contains("line 1 column 7"), "{}", problem.detail);
    }
}
