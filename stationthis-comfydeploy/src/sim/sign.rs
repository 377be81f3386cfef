//! Presigned URLs: made and checked as an S3 bucket would, with a signature of our own.

use super::{ids, times};
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::Duration;

/// Why a presigned URL is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No signature at all.
    Missing,
    /// The signature does not fit path, times or content type.
    Mismatch,
    /// Its time has passed.
    Expired,
}

/// Adds a signature to an absolute URL, valid for `life` from now. With a `content_type` it is one for a
/// PUT that must send exactly that type.
pub(crate) fn presign(url: &str, life: Duration, content_type: Option<&str>) -> String {
    let now = times::now();
    let date = times::amz(now);
    let day = date.split('T').next().unwrap_or_default();
    let expires = life.as_secs().to_string();
    let signature = signature(path_of(url), &date, &expires, content_type);
    let headers = if content_type.is_some() { "content-type%3Bhost" } else { "host" };
    format!(
        "{url}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=sim%2F{day}%2Fus-east-2%2Fs3%2F\
         aws4_request&X-Amz-Date={date}&X-Amz-Expires={expires}&X-Amz-SignedHeaders={headers}\
         &X-Amz-Signature={signature}"
    )
}

/// Checks the query of a request for `path`.
pub(crate) fn check(path: &str, query: &HashMap<String, String>, content_type: Option<&str>) -> Result<(), Refusal> {
    let get = |name: &str| query.get(name).map(String::as_str);
    let given = get("X-Amz-Signature").ok_or(Refusal::Missing)?;
    let date = get("X-Amz-Date").ok_or(Refusal::Mismatch)?;
    let expires = get("X-Amz-Expires").ok_or(Refusal::Mismatch)?;
    if given != signature(path, date, expires, content_type) {
        return Err(Refusal::Mismatch);
    }
    let signed = times::parse_amz(date).ok_or(Refusal::Mismatch)?;
    let life = expires.parse().map_err(|_| Refusal::Mismatch)?;
    // The date has whole seconds: a URL lives until the end of its last one.
    let age = Timestamp::now().as_second().saturating_sub(signed.as_second());
    if age > life {
        return Err(Refusal::Expired);
    }
    Ok(())
}

fn signature(path: &str, date: &str, expires: &str, content_type: Option<&str>) -> String {
    let text = format!("{path}\n{date}\n{expires}\n{}", content_type.unwrap_or_default());
    // Four hashes side by side have the length of the real thing.
    (0..4).map(|n| format!("{:016x}", ids::hash64(&format!("{n}\n{text}")))).collect()
}

/// The path of an absolute URL without a query.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}
