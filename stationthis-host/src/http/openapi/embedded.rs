//! What is different about the document within another application.

use serde_json::{Value, json};

use crate::http::mount::Mount;
use crate::http::openapi::operation::{OPERATOR, insert};

/// Says where the paths of the document begin.
pub(super) fn place(document: &mut Value, mount: &Mount) {
    insert(document, "servers", (*mount != Mount::default()).then(|| json!([{ "url": mount.as_str() }])));
}

/// Callers are whom the application around says, however it knows: the key is the operator's alone.
pub(super) fn leave_keys_out(document: &mut Value) {
    let items =
        document.get_mut("paths").and_then(Value::as_object_mut).into_iter().flat_map(|paths| paths.values_mut());
    let operations = items.filter_map(Value::as_object_mut).flat_map(|item| item.values_mut());
    for operation in operations.filter_map(Value::as_object_mut) {
        if operation.get("tags") != Some(&json!([OPERATOR])) {
            operation.remove("security");
        }
    }
    if let Some(key) = document.pointer_mut("/components/securitySchemes/key") {
        insert(key, "description", Some("The operator's key.".into()));
    }
}
