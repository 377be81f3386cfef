//! Uploads and the bucket (ComfyDeploy protocol notes §4.3, §6).

use super::answer;
use super::params::Params;
use super::queue::origin;
use crate::sim::service::Sim;
use crate::sim::sign::{self, Refusal};
use crate::sim::storage::Stored;
use crate::sim::{ids, picture, validate};
use axum::body::{Bytes, to_bytes};
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

/// The service's limit for `/file/upload`.
const MAX_UPLOAD: usize = 262_144_000;

/// The life of a presigned upload URL.
const PRESIGNED_LIFE: Duration = Duration::from_secs(3600);

/// `POST /file/upload`.
pub(super) async fn upload(
    State(sim): State<Sim>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let origin = origin(&sim, &headers);
    let Ok(mut form) = form else {
        return no_file();
    };
    while let Ok(Some(mut field)) = form.next_field().await {
        if field.name() != Some("file") {
            continue;
        }
        let Some(name) = field.file_name().map(str::to_owned) else {
            return no_file();
        };
        let Some(kind) = accepted_type(&name) else {
            return answer::detail(StatusCode::BAD_REQUEST, "Unsupported file type");
        };
        let mut bytes = Vec::new();
        while let Ok(Some(chunk)) = field.chunk().await {
            if bytes.len() + chunk.len() > MAX_UPLOAD {
                let text = "File size exceeds 250MB limit";
                return answer::detail(StatusCode::BAD_REQUEST, text);
            }
            bytes.extend_from_slice(&chunk);
        }
        let (id, key) = new_key(&name, kind);
        let content_type = kind.to_owned();
        sim.storage().put(&key, Stored { content_type, bytes: bytes.into() });
        return answer::ok(&json!({
            "message": "File uploaded successfully",
            "file_id": id,
            "file_name": name,
            "file_url": format!("{origin}/{key}"),
        }));
    }
    no_file()
}

fn no_file() -> Response {
    let loc = json!(["body", "file"]);
    answer::invalid(vec![validate::problem("missing", loc, "Field required", &Value::Null)])
}

/// `GET /assets/presigned-url`.
pub(super) async fn presigned(
    State(sim): State<Sim>,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let params = Params(query);
    let Some(name) = params.text("file_name") else {
        let loc = json!(["query", "file_name"]);
        let problem = validate::problem("missing", loc, "Field required", &Value::Null);
        return answer::invalid(vec![problem]);
    };
    let kind = params.text("type").unwrap_or("application/octet-stream");
    let (id, key) = new_key(name, kind);
    let url = format!("{}/{key}", origin(&sim, &headers));
    answer::ok(&json!({
        "url": sign::presign(&url, PRESIGNED_LIFE, Some(kind)),
        "download_url": url,
        "file_id": id,
        "db_path": key,
        "is_public": true,
    }))
}

/// `PUT` to a presigned URL: the type must be the signed one.
pub(super) async fn put_input(
    State(sim): State<Sim>,
    Path(file): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    request: Request,
) -> Response {
    let headers = request.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_owned();
    let key = format!("inputs/{file}");
    if let Err(refusal) = sign::check(&format!("/{key}"), &query, Some(&kind)) {
        return refused(refusal);
    }
    let Ok(bytes) = to_bytes(request.into_body(), MAX_UPLOAD).await else {
        return answer::bucket(StatusCode::BAD_REQUEST, "EntityTooLarge", "Too large");
    };
    sim.storage().put(&key, Stored { content_type: kind, bytes });
    StatusCode::OK.into_response()
}

/// A stored upload.
pub(super) async fn input(State(sim): State<Sim>, Path(file): Path<String>) -> Response {
    match sim.storage().get(&format!("inputs/{file}")) {
        Some(stored) => ([(header::CONTENT_TYPE, stored.content_type)], stored.bytes).into_response(),
        None => no_such_key(),
    }
}

/// An output: drawn, or written, when it is asked for.
pub(super) async fn output(
    State(sim): State<Sim>,
    Path((run, file)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let found = Uuid::try_parse(&run).ok().and_then(|id| sim.runs().get(id));
    let Some(found) = found.filter(|found| has_file(&found.row().outputs, &file)) else {
        return no_such_key();
    };
    if found.facts.misbehaviour.presigned_urls.is_some() {
        let path = format!("/outputs/runs/{run}/{file}");
        if let Err(refusal) = sign::check(&path, &query, None) {
            return refused(refusal);
        }
    }
    let scene = found.facts.scene.clone();
    if file.ends_with(".txt") {
        return answer::text(StatusCode::OK, "text/plain; charset=utf-8", scene.caption());
    }
    let variant = ids::hash64(&file);
    let drawn = tokio::task::spawn_blocking(move || picture::png(&scene, variant)).await;
    match drawn {
        Ok(Ok(bytes)) => answer::text(StatusCode::OK, "image/png", bytes),
        _ => answer::crash(),
    }
}

fn has_file(rows: &[crate::sim::run::OutputRow], file: &str) -> bool {
    let named = |item: &Value| item.get("filename").and_then(Value::as_str) == Some(file);
    rows.iter()
        .filter_map(|row| row.data.as_object())
        .flat_map(|data| data.values())
        .filter_map(Value::as_array)
        .any(|items| items.iter().any(named))
}

fn no_such_key() -> Response {
    let text = "The specified key does not exist.";
    answer::bucket(StatusCode::NOT_FOUND, "NoSuchKey", text)
}

fn refused(refusal: Refusal) -> Response {
    let (code, text) = match refusal {
        Refusal::Missing => ("AccessDenied", "Access Denied"),
        Refusal::Expired => ("AccessDenied", "Request has expired"),
        Refusal::Mismatch => {
            ("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
        }
    };
    answer::bucket(StatusCode::FORBIDDEN, code, text)
}

/// Stores an inline picture and gives its URL; `None` when it is not base64.
pub(super) fn store_base64(sim: &Sim, origin: &str, data: &str, ext: &str) -> Option<String> {
    let bytes = Bytes::from(BASE64_STANDARD.decode(data).ok()?);
    let content_type = format!("image/{ext}");
    let (_, key) = new_key(&format!("inline.{ext}"), &content_type);
    sim.storage().put(&key, Stored { content_type, bytes });
    Some(format!("{origin}/{key}"))
}

/// A fresh id with the service's prefix, and the key under which the file is stored.
fn new_key(name: &str, kind: &str) -> (String, String) {
    let prefix = match kind.split('/').next() {
        Some("video") => "vid",
        Some("audio") => "audio",
        Some("image") => "img",
        _ if kind == "application/zip" => "zip",
        _ => "file",
    };
    let random = Uuid::new_v4().simple().to_string();
    let id = format!("{prefix}_{}", random.get(..16).unwrap_or_default());
    let extension = extension(name).map(|e| format!(".{e}")).unwrap_or_default();
    let key = format!("inputs/{id}{extension}");
    (id, key)
}

fn extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    let plain = extension.chars().all(|c| c.is_ascii_alphanumeric());
    (plain && !stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
}

/// The type guessed from the file's name alone; `None` for types that the service refuses.
fn accepted_type(name: &str) -> Option<&'static str> {
    Some(match extension(name).unwrap_or_default().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "avi" => "video/x-msvideo",
        "wav" => "audio/x-wav",
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" | "aac" => "audio/aac",
        "zip" => "application/zip",
        "json" => "application/json",
        "pdf" => "application/pdf",
        // text/*, model/* and font/*.
        "txt" | "csv" | "md" | "html" | "htm" | "css" | "xml" | "js" | "py" | "tsv" | "glb" | "gltf" | "obj"
        | "stl" | "ttf" | "otf" | "woff" | "woff2" => return None,
        _ => "application/octet-stream",
    })
}
