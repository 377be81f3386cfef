//! Webhooks: their bodies and their delivery (ComfyDeploy protocol notes §5).

use super::pyjson;
use super::rng::Rng;
use super::run::Run;
use super::service::Sim;
use super::wire::output::{self, RawOutput};
use reqwest::{Method, header};
use serde::Serialize;
use serde_json::json;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// The body, with exactly the fields and the order recorded.
#[derive(Serialize)]
struct HookBody {
    event_type: &'static str,
    status: String,
    live_status: Option<String>,
    progress: f64,
    run_id: String,
    outputs: Vec<RawOutput>,
}

/// The longest a webhook is held back to be overtaken: longer than a busy machine takes to come to the next one.
const MAX_HOLD: Duration = Duration::from_secs(1);

/// Deliveries pending at a time, waiting ones included; more are lost. Bounds the memory that a receiver
/// which never answers can cost.
pub(crate) const MAX_PENDING: usize = 10_000;

/// A status report: all outputs so far.
pub(crate) fn status_body(run: &Run) -> Arc<str> {
    let row = run.row();
    let outputs = row.outputs.iter().filter(|o| output::fits(o));
    body(run, "run.updated", |b| {
        b.status.clone_from(&row.status);
        b.live_status.clone_from(&row.live_status);
        // The database's 4-byte float shows.
        b.progress = f64::from(row.progress);
        b.outputs = outputs.map(|o| output::hook(run, o)).collect();
    })
}

/// A cancel: all outputs, unfiltered and not presigned.
pub(crate) fn cancel_body(run: &Run) -> Arc<str> {
    let row = run.row();
    body(run, "run.updated", |b| {
        b.status.clone_from(&row.status);
        b.live_status.clone_from(&row.live_status);
        b.progress = f64::from(row.progress);
        b.outputs = row.outputs.iter().map(|o| output::raw(run, o)).collect();
    })
}

/// A stale report as an earlier status would have made it.
pub(crate) fn stale_body(run: &Run, status: &str) -> Arc<str> {
    let row = run.row();
    body(run, "run.updated", |b| {
        status.clone_into(&mut b.status);
        b.live_status.clone_from(&row.live_status);
        b.progress = f64::from(row.progress);
    })
}

/// A node's start: the status of the moment, and never any outputs.
pub(crate) fn progress_body(run: &Run, progress: f64) -> Arc<str> {
    let row = run.row();
    body(run, "run.updated", |b| {
        b.status.clone_from(&row.status);
        b.live_status.clone_from(&row.live_status);
        b.progress = progress;
    })
}

/// The newest output alone; `None` when the model drops it.
pub(crate) fn output_body(run: &Run) -> Option<Arc<str>> {
    let row = run.row();
    let newest = row.outputs.last().filter(|o| output::fits(o))?;
    let raw = output::event(run, newest);
    Some(body(run, "run.output", |b| {
        b.status.clone_from(&row.status);
        b.live_status.clone_from(&row.live_status);
        b.progress = f64::from(row.progress);
        b.outputs = vec![raw];
    }))
}

fn body(run: &Run, event_type: &'static str, fill: impl FnOnce(&mut HookBody)) -> Arc<str> {
    let mut body = HookBody {
        event_type,
        status: String::new(),
        live_status: None,
        progress: 0.0,
        run_id: run.facts.id.to_string(),
        outputs: Vec::new(),
    };
    fill(&mut body);
    pyjson::to_string(&body).into()
}

/// Whether the run's webhook asks for `run.output` events: matched undecoded, as the service does.
pub(crate) fn wants_outputs(run: &Run) -> bool {
    let Some((_, query)) = run.facts.webhook.as_ref().and_then(|w| w.split_once('?')) else {
        return false;
    };
    query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("target_events="))
        .any(|events| events.split(',').any(|event| event == "run.output"))
}

impl Sim {
    /// Sends a webhook of the run, unless a fault says otherwise. Does not wait for it.
    pub(crate) fn send_hook(&self, run: &Arc<Run>, rng: &mut Rng, body: Arc<str>) {
        if callable(run).is_none() {
            return;
        }
        let faults = &run.facts.misbehaviour;
        if rng.chance(faults.hooks_lost) {
            run.row().counts.hooks_lost += 1;
            return;
        }
        if rng.chance(faults.hooks_duplicated) {
            self.deliver_soon(run, body.clone(), None);
        }
        if !rng.chance(faults.hooks_reordered) {
            let lead = self.deliver_soon(run, body, None);
            self.release(run, lead);
            return;
        }
        let overtaken = {
            let mut held = run.held.lock().unwrap_or_else(PoisonError::into_inner);
            match held.take() {
                None => {
                    *held = Some(body.clone());
                    None
                }
                Some(earlier) => Some(earlier),
            }
        };
        match overtaken {
            Some(earlier) => {
                let lead = self.deliver_soon(run, body, None);
                self.deliver_soon(run, earlier, lead);
            }
            None => {
                let (sim, run) = (self.clone(), run.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(MAX_HOLD).await;
                    sim.release(&run, None);
                });
            }
        }
    }

    fn release(&self, run: &Arc<Run>, lead: Option<JoinHandle<()>>) {
        let held = run.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(body) = held {
            self.deliver_soon(run, body, lead);
        }
    }

    /// Each delivery is a task of its own: nothing keeps them in order. One that is to be overtaken waits
    /// until `lead` has been delivered, at most [`MAX_HOLD`]. `None` when there are too many.
    fn deliver_soon(&self, run: &Arc<Run>, body: Arc<str>, lead: Option<JoinHandle<()>>) -> Option<JoinHandle<()>> {
        let Ok(place) = self.inner.hook_queue.clone().try_acquire_owned() else {
            run.row().counts.hooks_lost += 1;
            return None;
        };
        run.row().counts.hooks_sent += 1;
        let (sim, run) = (self.clone(), run.clone());
        let mut stopped = self.inner.stopped.subscribe();
        Some(tokio::spawn(async move {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => {}
                () = async {
                    if let Some(lead) = lead {
                        // Delivered, given up or late: it is this one's turn.
                        let _ = tokio::time::timeout(MAX_HOLD, lead).await;
                    }
                    sim.deliver(&run, &body).await;
                } => {}
            }
            drop(place);
        }))
    }

    async fn deliver(&self, run: &Run, body: &Arc<str>) {
        let Some(url) = callable(run) else {
            return;
        };
        let [first, second] = self.inner.config.hooks.pauses;
        let mut rng = Rng::new(self.inner.config.seed, run.facts.ordinal);
        let mut acked = false;
        // The retries are GETs with a body: the service's retry loses the method (§5.4).
        for (method, pause) in [(Method::POST, Duration::ZERO), (Method::GET, first), (Method::GET, second)] {
            tokio::time::sleep(pause.mul_f64(1.0 + 0.1 * rng.unit())).await;
            if self.attempt(run, method, url.clone(), body).await {
                acked = true;
                break;
            }
        }
        {
            let counts = &mut run.row().counts;
            if acked {
                counts.hooks_acked += 1;
            } else {
                counts.hooks_given_up += 1;
            }
        }
        run.hooks_done.send_modify(|done| *done += 1);
    }

    async fn attempt(&self, run: &Run, method: Method, url: Url, body: &Arc<str>) -> bool {
        let Ok(_permit) = self.inner.hook_permits.acquire().await else {
            return false;
        };
        run.row().counts.hook_attempts += 1;
        let begun = Instant::now();
        let answer = self
            .inner
            .hook_client
            .request(method, url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "*/*")
            .body(body.to_string())
            .send()
            .await;
        let status = answer.as_ref().ok().map(|answer| answer.status());
        let line = json!({
            "type": "webhook",
            "status": status.map(|s| s.as_u16()),
            "latency_ms": begun.elapsed().as_secs_f64() * 1000.0,
            "url": run.facts.webhook,
            "message": answer.as_ref().err().map(ToString::to_string),
            "payload": body.as_ref(),
        });
        self.runs().log(run.facts.id, pyjson::to_string(&line));
        status.is_some_and(|s| s.as_u16() < 400)
    }
}

/// The webhook as a URL that can be called; any other text is accepted by the service and never called.
pub(crate) fn callable(run: &Run) -> Option<Url> {
    let url = Url::parse(run.facts.webhook.as_deref()?).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// Waits until more webhooks than `before` of the run came to an end, at most `limit`.
pub(crate) async fn wait_for_hook(mut done: watch::Receiver<u64>, before: u64, limit: Duration) {
    // Closed or late: the wait is over either way.
    let _ = tokio::time::timeout(limit, done.wait_for(|done| *done > before)).await;
}
