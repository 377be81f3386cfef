//! Creating tasks: what is refused, and how.

use super::answer;
use super::hooks;
use super::prices;
use super::server::Sim;
use super::task::{Kind, Phase, SimTask};
use axum::response::Response;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use stationthis_core::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The models of `*-to-model`.
const MODELS: [&str; 5] = ["v3.1-20260211", "v3.0-20250812", "v2.5-20250123", "P1-20260311", "P2-20260801"];

/// What a low-poly model of the first kind refuses, even as false.
const NOT_FOR_P1: [&str; 4] = ["quad", "smart_low_poly", "generate_parts", "geometry_quality"];

/// `POST /v3/{route}`.
pub(super) fn create(sim: &Sim, kind: Kind, body: &[u8]) -> Response {
    let faults = sim.faults();
    if let Some(refusal) = &faults.refuse {
        let response = answer::error(refusal.status, refusal.code, "refused");
        return match refusal.retry_after_s {
            Some(seconds) => answer::retry_after(response, Duration::from_secs(seconds)),
            None => response,
        };
    }
    let Ok(Value::Object(body)) = serde_json::from_slice::<Value>(body) else {
        return answer::error(400, 1003, "malformed body");
    };
    if let Err((status, code, message)) = check(sim, kind, &body) {
        return answer::error(status, code, message);
    }
    let group = kind.group(&body);
    let credits = (Decimal::from(prices::of(kind, &body)) * sim.inner.config.discount).normalize();
    let mut account = sim.account();
    if account.is_full(group) {
        sim.inner.refused_full.fetch_add(1, Ordering::SeqCst);
        let response = answer::error(429, 2000, "too many running tasks");
        return answer::retry_after(response, sim.inner.config.queue + sim.inner.config.run);
    }
    if account.balance() < credits {
        return answer::error(403, 2010, "not enough credits");
    }
    let task = SimTask {
        id: Uuid::now_v7().to_string(),
        kind,
        group,
        body,
        credits,
        created: Instant::now(),
        created_at: Timestamp::now(),
        queue: sim.inner.config.queue,
        run: sim.inner.config.run,
        faults: faults.clone(),
    };
    let id = task.id.clone();
    account.insert(task.clone());
    drop(account);
    if !faults.runs_stay {
        tokio::spawn(hooks::follow(sim.clone(), task));
    }
    if faults.lose_answers {
        return answer::dropped();
    }
    answer::ok(&json!({ "task_id": id, "type": kind.word(), "status": "queued" }))
}

type Refused = (u16, i64, &'static str);

fn check(sim: &Sim, kind: Kind, body: &Map<String, Value>) -> Result<(), Refused> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str, value: bool| body.get(name).and_then(Value::as_bool) == Some(value);
    match kind {
        Kind::TextToModel | Kind::ImageToModel | Kind::MultiviewToModel => {
            let model = text("model");
            if model.is_empty() {
                return Err((400, 1004, "model is required"));
            }
            if !MODELS.contains(&model) {
                return Err((400, 2017, "bad version"));
            }
            let geometry = model.starts_with("v2") && body.contains_key("geometry_quality");
            if geometry || model.starts_with("P1") && NOT_FOR_P1.iter().any(|name| body.contains_key(*name)) {
                return Err((400, 1004, "a parameter that this model does not take"));
            }
            if is("generate_parts", true) && !(is("texture", false) && is("pbr", false) && !is("quad", true)) {
                return Err((400, 1004, "parts are without texture, pbr and quad"));
            }
            if text("texture_quality") == "fast" && text("texture_version") != "v3.5-20260815" {
                return Err((400, 1004, "fast needs texture v3.5"));
            }
        }
        Kind::Rig if text("model").is_empty() => return Err((400, 1004, "model is required")),
        Kind::Convert if text("format").is_empty() => return Err((400, 1004, "format is required")),
        _ => {}
    }
    match kind {
        Kind::TextToModel | Kind::TextToImage => match text("prompt").chars().count() {
            1..=1800 => Ok(()),
            _ => Err((400, 1004, "prompt is required")),
        },
        Kind::MultiviewToModel => check_views(sim, body),
        _ => check_input(sim, kind, text("input")),
    }
}

fn check_views(sim: &Sim, body: &Map<String, Value>) -> Result<(), Refused> {
    let views = body.get("inputs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let views: Vec<_> = views.iter().filter_map(Value::as_object).flatten().collect();
    if views.len() < 2 || views.len() > 4 || !views.iter().any(|(name, _)| *name == "front") {
        return Err((400, 1004, "front and one more view are required"));
    }
    views.iter().try_for_each(|(_, input)| check_input(sim, Kind::MultiviewToModel, input.as_str().unwrap_or_default()))
}

/// A token, a URL, or an earlier task that succeeded.
fn check_input(sim: &Sim, kind: Kind, input: &str) -> Result<(), Refused> {
    if kind != Kind::Retarget && (input.starts_with("https://") || input.starts_with("http://")) {
        return Ok(());
    }
    let account = sim.account();
    if input.starts_with("file_") {
        let arrived = account.files.get(input).is_some_and(Option::is_some);
        return if arrived { Ok(()) } else { Err((400, 1004, "bad file token")) };
    }
    match account.task(input) {
        None => Err((404, 2001, "task not found")),
        Some(task) if task.phase() != Phase::Ended || !task.succeeds() => {
            Err((400, 2006, "the source did not succeed"))
        }
        Some(task) if kind == Kind::Retarget && task.kind != Kind::Rig => Err((400, 2007, "the source is no rig")),
        Some(_) => Ok(()),
    }
}
