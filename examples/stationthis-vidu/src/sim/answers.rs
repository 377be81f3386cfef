//! The API under `/ent/v2`.

use super::callbacks;
use super::state::{Shared, SimTask, put};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

type Server = State<Arc<Shared>>;

/// What each route documents, the required ones first, up to `|`.
const ROUTES: [(&str, &str); 9] = [
    (
        "text2video",
        "model prompt | duration seed resolution aspect_ratio movement_amplitude style bgm audio audio_type \
      off_peak watermark wm_position wm_url meta_data payload callback_url",
    ),
    (
        "img2video",
        "model images | prompt duration seed resolution movement_amplitude bgm audio audio_type voice_id is_rec \
      off_peak watermark wm_position wm_url meta_data payload callback_url",
    ),
    (
        "start-end2video",
        "model images | prompt duration seed resolution movement_amplitude bgm audio audio_type is_rec \
      off_peak watermark wm_position wm_url meta_data payload callback_url",
    ),
    (
        "reference2video",
        "model prompt | images videos subjects duration seed resolution aspect_ratio movement_amplitude \
      bgm audio audio_type voice_id off_peak watermark wm_position wm_url meta_data payload callback_url",
    ),
    ("reference2image", "model prompt | images seed resolution aspect_ratio payload callback_url"),
    ("upscale-new", "| video_url video_creation_id upscale_resolution payload callback_url"),
    ("upscale", "model creation_id | payload callback_url"),
    ("text2audio", "model prompt | duration seed"),
    ("audio-tts", "text | voice_setting_voice_id speed volume pitch emotion payload"),
];

/// A refusal in the service's form.
pub(super) fn refusal(status: u16, reason: &str, message: &str) -> Response {
    let body = json!({ "code": status, "reason": reason, "message": message, "metadata": { "trace_id": "0af1" } });
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
}

/// Is the key the account's, and the service in order?
pub(super) fn checked(server: &Shared, headers: &HeaderMap) -> Result<(), Box<Response>> {
    if server.script().is_down {
        return Err(Box::new(refusal(500, "InternalServiceFailure", "try again later")));
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given == format!("Token {}", server.key) {
        Ok(())
    } else {
        Err(Box::new(refusal(401, "Unauthorized", "the token is not valid")))
    }
}

pub(super) async fn credits(State(server): Server, headers: HeaderMap) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    let left = server.script().credits_left;
    Json(json!({
        "remains": [{ "type": "metered", "credit_remain": left, "concurrency_limit": 5, "current_concurrency": 0,
            "queue_count": 0 }],
        "packages": [],
    }))
    .into_response()
}

pub(super) async fn create(
    State(server): Server,
    Path(route): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return refusal(400, "BadRequest", "the body is no JSON");
    };
    let Some((_, fields)) = ROUTES.iter().find(|(known, _)| *known == route) else {
        return refusal(404, "NotFound", "there is no such route");
    };
    if let Err((reason, message)) = documented(fields, &body) {
        return refusal(400, reason, &message);
    }
    if let Some((status, reason, message)) = server.refusal() {
        return refusal(status, reason, message);
    }
    let script = server.script();
    let Some(task) = server.make(&route, body) else {
        return refusal(429, "SystemThrottling", "the simulator keeps no more tasks");
    };
    if script.calls_back {
        callbacks::send(server.clone(), &task);
    }
    if script.loses_answers {
        let cut = futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("cut")) });
        return Body::from_stream(cut).into_response();
    }
    if route == "audio-tts" {
        return Json(spoken(&server, &task)).into_response();
    }
    Json(created(&task)).into_response()
}

fn documented(fields: &str, body: &Value) -> Result<(), (&'static str, String)> {
    let (required, optional) = fields.split_once('|').unwrap_or((fields, ""));
    let given = body.as_object().ok_or(("BadRequest", "the body is no object".to_owned()))?;
    if let Some(lacking) = required.split_whitespace().find(|name| !given.contains_key(*name)) {
        return Err(("FieldLacking", format!("{lacking} is lacking")));
    }
    let known = |name: &&String| !required.split_whitespace().chain(optional.split_whitespace()).any(|f| f == **name);
    match given.keys().find(known) {
        Some(unwanted) => Err(("FieldUnwanted", format!("{unwanted} is unwanted"))),
        None => Ok(()),
    }
}

/// The answer to a submission: `task_id` here, `id` everywhere else.
fn created(task: &SimTask) -> Value {
    let mut answer = json!({
        "task_id": task.id, "state": "created", "seed": 90211, "created_at": "2026-11-23T10:00:00.123456789Z",
        "images": [], "cus_priority": 0,
    });
    for name in ["model", "prompt", "duration", "resolution", "aspect_ratio", "off_peak", "payload"] {
        if let Some(value) = task.body.get(name) {
            put(&mut answer, name, value.clone());
        }
    }
    task.write_credits(&mut answer);
    answer
}

/// Speech is there at once.
fn spoken(server: &Shared, task: &SimTask) -> Value {
    server.finish(&task.id);
    let file = format!("{}/outputs/{}.mp3?sig=a", server.origin, task.id);
    let mut answer = json!({ "task_id": task.id, "state": "success", "file_url": file });
    task.write_credits(&mut answer);
    answer
}

pub(super) async fn query(State(server): Server, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    match server.step(&id) {
        Some(shown) => Json(shown).into_response(),
        None => refusal(404, "TaskNotFound", "there is no such task"),
    }
}

pub(super) async fn cancel(
    State(server): Server,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if let Err(refused) = checked(&server, &headers) {
        return *refused;
    }
    if body.get("id") != Some(&json!(id)) {
        return refusal(400, "FieldInvalid", "id is invalid");
    }
    match server.cancel(&id) {
        Some(Ok(())) => Json(json!({})).into_response(),
        Some(Err(why)) => refusal(400, "BadRequest", &why),
        None => refusal(404, "TaskNotFound", "there is no such task"),
    }
}
