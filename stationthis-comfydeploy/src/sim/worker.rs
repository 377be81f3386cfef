//! Drives a run through its life: the GPU container, ComfyUI and the plugin (ComfyDeploy protocol notes §8).

use super::failure;
use super::graph::{Graph, Node, is_image_output, is_output, is_text_output};
use super::hooks;
use super::misbehaviour::{EmptySuccess, Misbehaviour};
use super::rng::Rng;
use super::run::{OutputRow, Run};
use super::service::Sim;
use super::times;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// The longest that an empty `success` is waited for, so that the real one comes after it.
const EMPTY_SUCCESS_WAIT: Duration = Duration::from_secs(1);

/// How many times as long as other nodes a sampler takes.
const SAMPLER_WEIGHT: u32 = 3;

/// The run is over or will never be.
struct Stopped;

type Step = Result<(), Stopped>;

/// Starts the task that drives `run`, after `delay`.
pub(crate) fn start(sim: &Sim, run: Arc<Run>, delay: Duration) {
    let mut stopped = sim.inner.stopped.subscribe();
    let mut driver =
        Driver { rng: Rng::new(sim.inner.config.seed, run.facts.ordinal), sim: sim.clone(), run, times: Vec::new() };
    tokio::spawn(async move {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => {}
            // Stopped early or not, the row says how it went.
            _ = driver.life(delay) => {}
        }
    });
}

struct Driver {
    sim: Sim,
    run: Arc<Run>,
    rng: Rng,
    /// Node times so far, as the plugin reports them at the end.
    times: Vec<Value>,
}

impl Driver {
    async fn life(&mut self, delay: Duration) -> Step {
        tokio::time::sleep(delay).await;
        if self.faults().never_started {
            return Err(Stopped);
        }
        let container = self.container().await?;
        let workflow = self.run.facts.workflow.load();
        let order = workflow.graph.execution_order();
        // The plugin reports the end when the last upload is done: without one it never does (§8 trap 2).
        let ends = order.iter().any(|node| is_output(&node.class));
        let result = self.execute(&workflow.graph, &order).await;
        self.sim.keep_warm(self.run.facts.deployment_id);
        if result.is_ok() && ends && !self.faults().stuck_running {
            self.succeed().await;
        }
        drop(container);
        result
    }

    /// Until ComfyUI is up: waits for a container and boots it. Classic machines are up already.
    async fn container(&mut self) -> Result<OwnedSemaphorePermit, Stopped> {
        let timing = self.sim.inner.config.timing.clone();
        let slots = self.sim.slots(self.run.facts.deployment_id);
        let mut cancelled = self.run.cancelled.subscribe();
        let permit = tokio::select! {
            permit = slots.acquire_owned() => permit.map_err(|_| Stopped)?,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(Stopped),
        };
        let cold = !self.sim.is_warm(self.run.facts.deployment_id);
        if let Some(more) = self.faults().cold_start_long {
            self.wait(more).await?;
        }
        if !self.run.facts.machine.is_serverless() {
            return Ok(permit);
        }
        if cold {
            self.wait(timing.cold_start).await?;
        }
        self.report("queued");
        if cold {
            self.wait(timing.boot).await?;
        }
        if !self.faults().lost_started {
            self.report("started");
        }
        Ok(permit)
    }

    async fn execute(&mut self, graph: &Graph, order: &[&Node]) -> Step {
        if let Some(status) = self.faults().unknown_status.clone() {
            self.report(&status);
            self.wait(self.sim.inner.config.timing.per_node).await?;
        }
        let classic = !self.run.facts.machine.is_serverless();
        if !classic {
            self.report("running");
        }
        let last = order.len().saturating_sub(1);
        for (at, node) in order.iter().enumerate() {
            let visited = u16::try_from(at + 1).unwrap_or(u16::MAX);
            let all = u16::try_from(graph.nodes.len()).unwrap_or(u16::MAX);
            self.begin_node(node, (f64::from(visited) / f64::from(all) * 100.0).round() / 100.0);
            if classic && at == 0 {
                // On a classic machine the first node's report overtakes the status (recordings).
                self.report("running");
            }
            self.run_node(node).await;
            self.check_cancelled(order.get(at + 1).copied(), visited + 1, all)?;
            self.faults_after(at, last, node).await?;
            self.collect(node, visited).await?;
        }
        Ok(())
    }

    fn begin_node(&mut self, node: &Node, progress: f64) {
        {
            let mut row = self.run.row();
            row.live_status = Some(format!("Executing {}", node.class));
            row.progress = to_float4(progress);
            row.updated = times::now();
        }
        if self.run.facts.intermediate {
            let body = hooks::progress_body(&self.run, progress);
            self.hook(body);
        }
    }

    async fn run_node(&mut self, node: &Node) {
        let weight = if node.class.contains("KSampler") { SAMPLER_WEIGHT } else { 1 };
        let time = self.jittered(self.sim.inner.config.timing.per_node * weight);
        tokio::time::sleep(time).await;
        self.times.push(json!({
            "id": node.id,
            "class_type": node.class,
            "time": time.as_secs_f64(),
            "vram_used": 0,
        }));
    }

    /// The engine stops at a node boundary, and its next report tells of the cancel again (recordings
    /// serverless_cancel).
    fn check_cancelled(&mut self, next: Option<&Node>, visited: u16, all: u16) -> Step {
        if !*self.run.cancelled.borrow() {
            return Ok(());
        }
        if let Some(next) = next.filter(|_| !self.faults().lost_cancelled) {
            let progress = f64::from(visited) / f64::from(all);
            self.begin_node(next, (progress * 100.0).round() / 100.0);
        }
        Err(Stopped)
    }

    /// The faults that belong to the middle of a run.
    async fn faults_after(&mut self, at: usize, last: usize, node: &Node) -> Step {
        if at != last / 2 {
            return Ok(());
        }
        let faults = self.faults();
        if faults.status_regression {
            self.regress().await;
        }
        if faults.stuck_running {
            return Err(Stopped);
        }
        if faults.provider_timeout {
            self.end("timeout");
            return Err(Stopped);
        }
        if faults.run_fails || faults.duplicate_failed {
            self.fail(node);
            return Err(Stopped);
        }
        Ok(())
    }

    /// Another container takes the run over; on a classic machine only an old hook comes late.
    async fn regress(&mut self) {
        if self.run.facts.machine.is_serverless() {
            self.report("queued");
            tokio::time::sleep(self.sim.inner.config.timing.per_node).await;
            self.report("started");
            self.report("running");
        } else {
            let body = hooks::stale_body(&self.run, "not-started");
            self.hook(body);
        }
    }

    /// Uploads what a node gives out. The rows appear while the run goes on.
    async fn collect(&mut self, node: &Node, visited: u16) -> Step {
        let upload = self.jittered(self.sim.inner.config.timing.upload);
        let row = self.output_of(node, visited, upload);
        let Some(row) = row.filter(|_| !self.faults().success_without_output) else {
            return Ok(());
        };
        tokio::time::sleep(upload).await;
        if *self.run.cancelled.borrow() {
            return Err(Stopped);
        }
        self.run.row().outputs.push(row);
        if hooks::wants_outputs(&self.run)
            && let Some(body) = hooks::output_body(&self.run)
        {
            self.hook(body);
        }
        Ok(())
    }

    fn output_of(&self, node: &Node, visited: u16, upload: Duration) -> Option<OutputRow> {
        let facts = &self.run.facts;
        let (key, extension) = if is_image_output(&node.class) {
            ("images", "png")
        } else if is_text_output(&node.class) {
            ("files", "txt")
        } else {
            return None;
        };
        let prefix = node.text("filename_prefix").unwrap_or("ComfyUI");
        // A prefix may hold folders; the bucket's key has only the last part.
        let prefix = prefix.rsplit('/').next().unwrap_or_default();
        let filename = format!("{prefix}_{visited:05}_.{extension}");
        let output_id = node.text("output_id").map(str::to_owned);
        let mut file = json!({
            "url": format!("{}/outputs/runs/{}/{filename}", facts.origin, facts.id),
            "type": "output",
            "filename": filename,
            "is_public": facts.misbehaviour.presigned_urls.is_none(),
            "subfolder": "",
            "upload_duration": upload.as_secs_f64(),
        });
        if let (Some(file), Some(id)) = (file.as_object_mut(), &output_id) {
            file.insert("output_id".to_owned(), id.as_str().into());
        }
        Some(OutputRow {
            id: Uuid::new_v4(),
            created: times::now(),
            data: json!({ key: [file] }),
            node_meta: Some(json!({ "node_id": node.id })),
            output_id,
        })
    }

    async fn succeed(&mut self) {
        let faults = self.faults();
        if faults.validation_dropped_output {
            self.store(json!({ "result": [{ "seed": 7 }] }));
        }
        self.store(Value::Array(self.times.clone()));
        if !self.run.row().end("success") {
            return;
        }
        self.log_end("success");
        let empty = faults.progress_after_success_with_empty_outputs;
        let progress = f64::from(self.run.row().progress);
        let late = hooks::progress_body(&self.run, progress);
        if matches!(empty, Some(EmptySuccess::Before | EmptySuccess::Both)) {
            self.hook_and_wait(late.clone()).await;
        }
        let real = hooks::status_body(&self.run);
        if matches!(empty, Some(EmptySuccess::After | EmptySuccess::Both)) {
            self.hook_and_wait(real).await;
            self.hook(late);
        } else {
            self.hook(real);
        }
    }

    fn fail(&mut self, node: &Node) {
        let exception = failure::exception(&self.run, node, &self.times);
        // The log of somebody's own computer never reaches the service.
        if self.run.facts.machine.is_serverless() {
            for line in failure::log_lines(&exception) {
                self.sim.runs().log(self.run.facts.id, line);
            }
        }
        self.store(exception);
        self.store(Value::Array(self.times.clone()));
        self.end("failed");
        if self.faults().duplicate_failed {
            let body = hooks::status_body(&self.run);
            self.hook(body);
        }
    }

    /// Writes a final status and tells of it.
    fn end(&mut self, status: &str) {
        if self.run.row().end(status) {
            self.log_end(status);
            let body = hooks::status_body(&self.run);
            self.hook(body);
        }
    }

    fn log_end(&self, status: &str) {
        if self.run.facts.machine.is_serverless() {
            let line = format!("Prompt executed: {status}");
            self.sim.runs().log(self.run.facts.id, line);
        }
    }

    /// The worker's report of a status that is not final. Times are rewritten by every such report.
    fn report(&mut self, status: &str) {
        {
            let mut row = self.run.row();
            if row.is_final() {
                return;
            }
            status.clone_into(&mut row.status);
            let now = times::now();
            row.updated = now;
            match status {
                "queued" if self.run.has_times() => row.queued = Some(now),
                "started" if self.run.has_times() => row.started = Some(now),
                _ => {}
            }
        }
        let body = hooks::status_body(&self.run);
        self.hook(body);
    }

    fn store(&self, data: Value) {
        self.run.row().outputs.push(OutputRow {
            id: Uuid::new_v4(),
            created: times::now(),
            data,
            node_meta: None,
            output_id: None,
        });
    }

    fn hook(&mut self, body: Arc<str>) {
        self.sim.send_hook(&self.run, &mut self.rng, body);
    }

    async fn hook_and_wait(&mut self, body: Arc<str>) {
        let done = self.run.hooks_done.subscribe();
        let sent = self.run.row().counts.hooks_sent;
        self.hook(body);
        // All that were sent before, and this one.
        hooks::wait_for_hook(done, sent, EMPTY_SUCCESS_WAIT).await;
    }

    /// Sleeps unless the run is cancelled meanwhile.
    async fn wait(&mut self, time: Duration) -> Step {
        let time = self.jittered(time);
        let mut cancelled = self.run.cancelled.subscribe();
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            _ = cancelled.wait_for(|cancelled| *cancelled) => Err(Stopped),
        }
    }

    fn jittered(&mut self, time: Duration) -> Duration {
        self.rng.jittered(time, self.sim.inner.config.jitter)
    }

    fn faults(&self) -> Arc<Misbehaviour> {
        self.run.facts.misbehaviour.clone()
    }
}

/// The database column is a 4-byte float, which shows.
#[expect(clippy::cast_possible_truncation, reason = "losing the precision is the point")]
fn to_float4(progress: f64) -> f32 {
    progress as f32
}
