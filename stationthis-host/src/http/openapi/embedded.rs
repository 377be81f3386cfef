//! What is different about the document within another application.

use serde_json::{Value, json};

use crate::http::mount::Mount;
use crate::http::openapi::operation::insert;

/// Says where the paths of the document begin.
pub(super) fn place(document: &mut Value, mount: &Mount) {
    insert(document, "servers", (*mount != Mount::default()).then(|| json!([{ "url": mount.as_str() }])));
}
