//! A Bot API in this process, over HTTP. It knows Telegram's rules and none of the bot's: a call that breaks one is
//! refused as Telegram refuses it, and noted, so that the test fails.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::rules::{self, Refusal};
use super::world::World;

pub const TOKEN: &str = "700123:AAE-canary_TELEGRAM-51c0d9e2";
pub const USERNAME: &str = "fake_station_bot";

/// Far beyond what anything here needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub fields: Map<String, Value>,
    pub files: BTreeMap<String, Upload>,
    /// What it was answered with.
    pub answer: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    pub filename: String,
    pub mime: String,
    pub bytes: Bytes,
}

/// How the next calls are answered, whatever they are.
#[derive(Clone, Debug)]
pub enum Manner {
    /// As ever.
    Pass,
    /// With an error.
    Refuse(Refusal),
    /// It is carried out, and the answer is lost.
    Drop,
    /// Never.
    Hang,
}

#[derive(Debug, Default)]
pub struct State {
    pub world: World,
    pub calls: Vec<Call>,
    /// Rules that were broken.
    pub violations: Vec<String>,
    pub floods: usize,
    /// For calls of these methods, in order; an empty name means all that send.
    pub manners: VecDeque<(String, Manner)>,
    pub polling: bool,
    pub webhook: Option<(String, String)>,
    pub commands: Vec<Value>,
    /// Answers to polls that held updates.
    pub given: usize,
}

#[derive(Clone, Debug)]
pub struct Fake {
    pub url: String,
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let fake = Self { url, state: Arc::default(), changed: watch::Sender::new(0) };
        let router = Router::new()
            .route("/{bot}/{method}", any(call))
            .route("/file/{bot}/{*path}", get(file))
            .layer(DefaultBodyLimit::disable())
            .with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes the world, and wakes who waits for it.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state());
        self.changed.send_modify(|n| *n += 1);
        done
    }

    /// Waits until something is so.
    pub async fn until<T>(&self, what: &str, mut so: impl FnMut(&State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        let waiting = async {
            loop {
                changed.mark_unchanged();
                if let Some(found) = so(&self.state()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain for {what}; the chats say:\n{}", self.state().world.transcript()),
        }
    }

    /// The next calls of a method (empty: of those that send) go so.
    pub fn manner(&self, method: &str, manner: Manner) {
        self.change(|state| state.manners.push_back((method.to_owned(), manner)));
    }

    /// Nothing was called wrongly or too fast.
    pub fn check(&self) {
        let state = self.state();
        assert_eq!(state.violations, Vec::<String>::new());
        assert_eq!(state.floods, 0, "it was too fast");
    }

    pub fn calls(&self, method: &str) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.method == method).cloned().collect()
    }
}

async fn file(Shared(fake): Shared<Fake>, Path((bot, path)): Path<(String, String)>) -> Response {
    if bot != format!("bot{TOKEN}") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match fake.state().world.files.get(&path) {
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn call(Shared(fake): Shared<Fake>, Path((bot, method)): Path<(String, String)>, request: Request) -> Response {
    if bot != format!("bot{TOKEN}") {
        return answer(&Refusal::new(401, "Unauthorized").body());
    }
    let (fields, files) = match read(request).await {
        Ok(read) => read,
        // Who sent it has gone away.
        Err(None) => return StatusCode::BAD_REQUEST.into_response(),
        Err(Some(reason)) => {
            fake.change(|state| state.violations.push(format!("{method}: {reason}")));
            return answer(&Refusal::new(400, "Bad Request: unreadable").body());
        }
    };
    if method == "getUpdates" {
        return updates(&fake, &fields).await;
    }
    let manner = fake.change(|state| {
        let sends = rules::sends(&method);
        let meant = |(name, _): &(String, Manner)| if name.is_empty() { sends } else { *name == method };
        let at = state.manners.iter().position(meant)?;
        state.manners.remove(at)
    });
    if let Some((_, Manner::Hang)) = &manner {
        std::future::pending::<()>().await;
    }
    // The call together with what it leads to: who waits for the latter may count the calls.
    let body = fake.change(|state| {
        let answer = match &manner {
            Some((_, Manner::Refuse(refusal))) => refusal.body(),
            _ => carry_out(state, &method, &fields, &files),
        };
        state.calls.push(Call { method, fields, files, answer: answer.clone() });
        answer
    });
    if let Some((_, Manner::Drop)) = manner {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    answer(&body)
}

fn answer(body: &Value) -> Response {
    let status = body.get("error_code").and_then(Value::as_u64).unwrap_or(200);
    (StatusCode::from_u16(u16::try_from(status).unwrap()).unwrap(), Json(body)).into_response()
}

fn carry_out(state: &mut State, method: &str, fields: &Map<String, Value>, files: &BTreeMap<String, Upload>) -> Value {
    if let Err(broken) = rules::check(method, fields, files) {
        state.violations.push(format!("{method}: {broken} in {}", Value::Object(fields.clone())));
        return Refusal::new(400, &format!("Bad Request: {broken}")).body();
    }
    let done = match method {
        "getMe" => Ok(json!({ "id": 700_123, "is_bot": true, "first_name": "Fake", "username": USERNAME })),
        "getMyCommands" => Ok(json!(state.commands)),
        "setMyCommands" => {
            state.commands = fields["commands"].as_array().unwrap().clone();
            Ok(json!(true))
        }
        "setWebhook" => {
            let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
            state.webhook = Some((text("url"), text("secret_token")));
            Ok(json!(true))
        }
        "deleteWebhook" => {
            state.webhook = None;
            Ok(json!(true))
        }
        "getFile" => state.world.file(fields["file_id"].as_str().unwrap()),
        "answerCallbackQuery" => state.world.answer_press(fields),
        "editMessageText" => state.world.edit(fields),
        _ => state.world.send(method, fields, files),
    };
    match done {
        Ok(result) => json!({ "ok": true, "result": result }),
        Err(refusal) => {
            state.floods += usize::from(refusal.code == 429);
            refusal.body()
        }
    }
}

/// A poll waits as long as it asks to, and two at a time are a conflict.
async fn updates(fake: &Fake, fields: &Map<String, Value>) -> Response {
    let taken = fake.change(|state| std::mem::replace(&mut state.polling, true) || state.webhook.is_some());
    if taken {
        return answer(&Refusal::new(409, "Conflict: terminated by other getUpdates request").body());
    }
    struct Polling(Fake);
    impl Drop for Polling {
        fn drop(&mut self) {
            self.0.change(|state| state.polling = false);
        }
    }
    let polling = Polling(fake.clone());
    let offset = fields.get("offset").and_then(Value::as_i64).unwrap_or_default();
    let wait = Duration::from_secs(fields.get("timeout").and_then(Value::as_u64).unwrap_or_default());
    let kinds: Vec<String> = serde_json::from_value(fields["allowed_updates"].clone()).unwrap();
    fake.change(|state| state.world.updates.retain(|update| update["update_id"].as_i64().unwrap() >= offset));
    let mut changed = fake.changed.subscribe();
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        changed.mark_unchanged();
        let found: Vec<Value> = {
            let state = fake.state();
            let kind = |update: &&Value| kinds.iter().any(|kind| update.get(kind).is_some());
            state.world.updates.iter().filter(kind).take(100).cloned().collect()
        };
        if !found.is_empty() || tokio::time::timeout_at(deadline, changed.changed()).await.is_err() {
            drop(polling);
            fake.change(|state| state.given += usize::from(!found.is_empty()));
            return answer(&json!({ "ok": true, "result": found }));
        }
    }
}

type Parts = (Map<String, Value>, BTreeMap<String, Upload>);

/// The fields of a call, however they were sent. In a form, objects are JSON text, and numbers are text.
async fn read(request: Request) -> Result<Parts, Option<String>> {
    let wrong = |error: &dyn std::fmt::Display| Some(error.to_string());
    let kind = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let Json(fields) = Json::<Map<String, Value>>::from_request(request, &()).await.map_err(|e| wrong(&e))?;
        return Ok((fields, BTreeMap::new()));
    }
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| wrong(&e))?;
    let (mut fields, mut files) = (Map::new(), BTreeMap::new());
    while let Some(part) = form.next_field().await.map_err(|_| None)? {
        let name = part.name().unwrap_or_default().to_owned();
        let Some(filename) = part.file_name().map(str::to_owned) else {
            let text = part.text().await.map_err(|_| None)?;
            let is_text = ["caption", "text", "photo", "video", "animation", "audio", "document"].contains(&&*name);
            let value = if is_text { None } else { serde_json::from_str(&text).ok() };
            fields.insert(name, value.unwrap_or(Value::String(text)));
            continue;
        };
        let mime = part.content_type().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(|_| None)?;
        files.insert(name, Upload { filename, mime, bytes });
    }
    Ok((fields, files))
}
