//! Bodies within bounds.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// The start of a refusal's body, up to `limit_bytes`; empty when it broke off.
///
/// The status is what counts, so a lost body is no error of its own. What broke off is dropped: it may end amid a secret,
/// which [`scrub`](crate::scrub) would not know.
pub async fn refusal(answer: Response, limit_bytes: usize) -> Bytes {
    read(answer, limit_bytes).await.map(|(start, _)| start).unwrap_or_default()
}

/// The body up to `limit_bytes`, and whether that was all of it.
pub(crate) async fn read(mut answer: Response, limit_bytes: usize) -> reqwest::Result<(Bytes, bool)> {
    let mut all = BytesMut::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = limit_bytes.saturating_sub(all.len());
        if chunk.len() > room {
            all.extend_from_slice(chunk.get(..room).unwrap_or_default());
            return Ok((all.freeze(), false));
        }
        all.extend_from_slice(&chunk);
    }
    Ok((all.freeze(), true))
}
