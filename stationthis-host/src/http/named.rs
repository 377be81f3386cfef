//! The tool that a path names.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use stationthis_core::registry::Tool;
use stationthis_core::station::Caller;

use crate::http::about::{Answer, LOCATION};
use crate::http::body;
use crate::http::mount::Mount;
use crate::http::problem::Problem;

/// What a name in a path leads to.
pub(crate) enum Named {
    /// This tool.
    Tool(Arc<Tool>),
    /// A tool that has another name now: the answer that says which.
    Moved(Response),
}

/// Where a tool of before is now.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Moved {
    /// What the tool is called now.
    slug: String,
    /// Where to ask instead; the same as the `Location` header.
    location: String,
}

/// The answer to a name of before.
pub(crate) const MOVED: Answer =
    Answer::json::<Moved>(308, "The tool has another name now: ask there.").with_headers(&[LOCATION]);

/// The tool of a name that stands last in the path below `parent`.
///
/// Ids and slugs are answered where they are asked. A name from before a rename is sent on (308, with the query), so
/// that clients learn the present one. Should be the first thing that a handler does: an unknown tool is a clearer
/// answer than a body that does not fit it.
///
/// # Errors
/// 404 or 410, with suggestions, and 409.
pub(crate) async fn tool_at(
    parent: &str,
    name: &str,
    caller: &Caller,
    request: &mut Request,
) -> Result<Named, Problem> {
    let tool = caller.resolve(name)?;
    if !tool.was_called(name) {
        return Ok(Named::Tool(tool));
    }
    // Taken first: a client that is still writing when it is answered often never sees the answer.
    let (mount, query) = (Mount::of(request.extensions()), request.uri().query());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    body::read(std::mem::take(request), body::RUN_BODY_BYTES_MAX).await?;
    let slug = tool.definition().slug.clone();
    let place = format!("{parent}/{slug}{query}");
    let moved = Moved { slug, location: mount.path(&place) };
    let mut response = (StatusCode::PERMANENT_REDIRECT, Json(moved)).into_response();
    mount.locate(&mut response, &place);
    Ok(Named::Moved(response))
}
