//! Answers that a client may hold and ask for again only when they have changed.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use stationthis_core::ErrorKind;
use stationthis_core::task::TaskRecord;

use crate::http::problem::Problem;

/// Half of a SHA-256: enough that no two answers of one path ever share it.
const HASH_BYTES: usize = 16;

/// A task. Its tag is its revision, and weak: the same state may be written otherwise by another version of this program.
pub(crate) fn task(asked: &HeaderMap, task: &TaskRecord) -> Result<Response, Problem> {
    let tag = format!("W/\"{}\"", task.revision);
    if held(asked, &tag) { Ok(unchanged(&tag)) } else { Ok(whole(json(task)?, &tag)) }
}

/// Anything. Its tag is the hash of what is sent, and strong: what it depends on (the catalogue, prices, learned times)
/// has no number of its own that would outlive a restart.
pub(crate) fn hashed<T: Serialize>(asked: &HeaderMap, value: &T) -> Result<Response, Problem> {
    let body = json(value)?;
    let tag = tag_of(&body);
    Ok(prepared(asked, body, &tag))
}

/// As [`hashed`], of JSON whose tag was made before.
pub(crate) fn prepared(asked: &HeaderMap, body: Bytes, tag: &str) -> Response {
    if held(asked, tag) { unchanged(tag) } else { whole(body, tag) }
}

/// The strong tag of a body.
pub(crate) fn tag_of(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Sha256::digest(body).get(..HASH_BYTES).unwrap_or_default()))
}

/// Is it among those that the client holds? Weak or strong makes no difference to a `GET`.
fn held(asked: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let lines = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
}

fn whole(body: Bytes, tag: &str) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    with_tag((kind, body).into_response(), tag)
}

fn unchanged(tag: &str) -> Response {
    with_tag(StatusCode::NOT_MODIFIED.into_response(), tag)
}

/// May be kept, by who asked alone, and is asked for again before each use.
fn with_tag(mut response: Response, tag: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("authorization"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// As it is sent.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Bytes, Problem> {
    let refused = |error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Unexpected, "")
    };
    serde_json::to_vec(value).map(Bytes::from).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[&'static str]) -> HeaderMap {
        let lines = lines.iter().map(|line| (header::IF_NONE_MATCH, HeaderValue::from_static(line)));
        lines.collect()
    }

    #[test]
    fn a_tag_is_held_when_it_is_listed_weak_or_strong() {
        for lines in [&["\"7\""][..], &["W/\"7\""], &["\"1\", W/\"7\""], &["\"1\"", "\"7\""], &["*"]] {
            assert!(held(&asked(lines), "\"7\"") && held(&asked(lines), "W/\"7\""), "{lines:?}");
        }
        for lines in [&[][..], &["\"8\""], &["7"], &["\"77\""], &[""]] {
            assert!(!held(&asked(lines), "\"7\""), "{lines:?}");
        }
    }

    #[test]
    fn a_strong_tag_follows_what_is_sent() {
        let answer = |asked: &HeaderMap, value: u8| hashed(asked, &[value]).unwrap();
        let first = answer(&HeaderMap::new(), 1);
        let held = HeaderMap::from_iter([(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone())]);
        assert_eq!(answer(&held, 1).status(), StatusCode::NOT_MODIFIED);
        let changed = answer(&held, 2);
        assert_eq!(changed.status(), StatusCode::OK);
        assert_ne!(changed.headers()[header::ETAG], first.headers()[header::ETAG]);
    }
}
