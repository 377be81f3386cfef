//! Webhooks: stored raw first, understood after.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tracing::Instrument;

use crate::error::{Error, ErrorKind, FailureRecord, Result};
use crate::id::TaskId;
use crate::provider::{WebhookAuth, WebhookReading};
use crate::station::driver::LEASE;
use crate::station::engine::Engine;
use crate::station::metrics;
use crate::store::{Claim, InboxItem, InboxOutcome, LeaseChange};
use crate::task::TaskRecord;
use crate::task::event::{Event, TaskEvent, Witness};
use crate::webhook::{WEBHOOK_PATH, WebhookRequest, without_tokens};

/// The largest webhook: recorded ones have a few kilobytes, a run with hundreds of outputs some hundred.
pub const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;

/// Items taken at a time: reports of one task among them share one commit.
const BATCH: usize = 256;

/// Tasks whose webhooks are processed at a time: enough that their commits share the wait for the disk, few enough that a
/// webhook that comes in finds room in the same transaction.
const SIDE_BY_SIDE: usize = 64;

/// The shortest time between two looks: the first webhook is processed at once, and those that follow it closely together,
/// so that answering them comes first and several of a task share one commit. Nobody notices so little.
const GATHER: Duration = Duration::from_millis(200);

/// The longest sleep: another process may have received a webhook.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// How much of a body goes into the task's events: a usual one whole, of the largest what tells it apart.
const BODY_CHARS_MAX: usize = 16 * 1024;

/// The headers and the path kept for a second reading: more than any signature scheme needs.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Headers that are somebody's credentials and no signature.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// How long a webhook waits for the run that it names to be known: the answer to a submission comes within minutes, and
/// what nobody submitted is not ours.
const PARKED_MAX: Duration = Duration::from_secs(3600);

/// The pauses between two looks for the run: at most this, at first as long as it has waited already.
const PARK_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Webhooks of one task that are kept as events; a task has some dozen, and one with thousands is an attack or a fault,
/// and is followed by polls.
const WEBHOOKS_PER_TASK_MAX: u32 = 2_000;

/// Checks where a webhook comes from and makes it durable; what it says is looked at afterwards.
pub(crate) async fn receive(engine: &Engine, mut request: WebhookRequest) -> Result<()> {
    let refused = |kind, message: &str| Error::new(kind, "receive webhook").with_message(message);
    let (provider_id, task_id) =
        request.target().ok_or_else(|| refused(ErrorKind::NotFound, "The path names no provider."))?;
    let backend = engine.backend(&provider_id)?;
    if request.body.len() > WEBHOOK_BYTES_MAX {
        return Err(refused(ErrorKind::TooLarge, "A webhook has at most 1 MiB."));
    }
    let query = request.query_without_token();
    let item =
        match backend.provider.capabilities().webhooks {
            Some(WebhookAuth::TaskUrl) => {
                let key_id = engine.keys.verify(&request).inspect_err(|error| {
                    tracing::warn!(provider = %provider_id, ?task_id, %error, "a webhook was refused");
                })?;
                InboxItem::new(provider_id, task_id, request.method, request.body, Some(key_id), request.received_at)
                    .with_request(request.path, query, Vec::new())
            }
            // The signature is over path, headers and perhaps the body, so it is checked while all are here, and all
            // are kept.
            Some(WebhookAuth::ProviderSignature | WebhookAuth::RequestSignature) => {
                request.path = public_path(engine.public_url.as_deref(), request.path);
                let reading = backend.provider.read_webhook(&request).inspect_err(|error| {
                    tracing::warn!(provider = %provider_id, %error, "a webhook was refused");
                })?;
                if task_id.is_none() && reading.reports.is_empty() {
                    // About the account, say: there is no run to wait for.
                    tracing::debug!(provider = %provider_id, "a webhook tells of no run");
                    return Ok(());
                }
                let mut headers = request.headers;
                headers.retain(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
                let head_bytes = headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
                if head_bytes + request.path.len() + query.len() > HEAD_BYTES_MAX {
                    return Err(refused(ErrorKind::TooLarge, "A webhook's path and headers have at most 8 KiB."));
                }
                InboxItem::new(provider_id, task_id, request.method, request.body, None, request.received_at)
                    .with_request(request.path, query, headers)
            }
            None => return Err(refused(ErrorKind::NotFound, "This provider sends no webhooks.")),
        };
    engine.store.append_inbox(&item).await?;
    engine.wake_inbox.notify_one();
    Ok(())
}

/// The path as the service was told it, which is what it signs: a proxy may have cut off what `public_url` has before
/// ours, or put something else there.
fn public_path(public_url: Option<&str>, path: String) -> String {
    let told = public_url.and_then(|base| {
        let after_host = base.split_once("://")?.1.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
        let ours = path.get(path.find(WEBHOOK_PATH)?..)?;
        Some(if after_host.is_empty() { ours.to_owned() } else { format!("/{after_host}{ours}") })
    });
    told.unwrap_or(path)
}

/// Runs until the station is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        let began = tokio::time::Instant::now();
        let count = tick(&engine).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks could not be processed; they are kept");
            0
        });
        let gathered = match count {
            BATCH => began,
            0 => began + IDLE_MAX,
            _ => began + GATHER,
        };
        tokio::select! {
            () = engine.closed.cancelled() => return,
            () = engine.wake_inbox.notified(), if count == 0 => {}
            () = tokio::time::sleep_until(gathered) => {}
        }
    }
}

/// Processes what is there now; how many webhooks that were.
pub(crate) async fn tick(engine: &Engine) -> Result<usize> {
    let claim = Claim { owner: engine.instance.clone(), now: engine.now(), lease: LEASE, limit: BATCH };
    let claimed = engine.store.claim_inbox(&claim).await?;
    let count = claimed.items.len();
    let mut by_task: BTreeMap<TaskId, Vec<(u64, InboxItem)>> = BTreeMap::new();
    for (number, item) in claimed.items {
        match tasks_of(engine, &item).await {
            Ok(tasks) if tasks.is_empty() => park(engine, number, &item).await?,
            Ok(tasks) => {
                for task_id in tasks {
                    by_task.entry(task_id).or_default().push((number, item.clone()));
                }
            }
            // It stays in the inbox and is claimed again when the lease ends.
            Err(error) => tracing::warn!(%error, "the task of a webhook could not be looked for; it is kept"),
        }
    }
    let work = by_task.into_iter().map(|(task_id, items)| {
        let provider = items.first().map(|(_, item)| tracing::field::display(&item.provider_id));
        let span = tracing::info_span!("webhook", %task_id, provider, count = items.len());
        let processed = async move {
            if let Err(error) = process(engine, task_id, items).await {
                tracing::warn!(%task_id, %error, "webhooks of a task could not be processed; they are kept");
            }
        };
        processed.instrument(span)
    });
    futures_util::stream::iter(work).buffer_unordered(SIDE_BY_SIDE).collect::<()>().await;
    Ok(count)
}

/// The tasks that a webhook is about: by its path, else by the runs that it names.
async fn tasks_of(engine: &Engine, item: &InboxItem) -> Result<BTreeSet<TaskId>> {
    if let Some(task_id) = item.task_id {
        return Ok(BTreeSet::from([task_id]));
    }
    let mut tasks = BTreeSet::new();
    for report in read(engine, item).map_or_else(|_| Vec::new(), |reading| reading.reports) {
        let task = engine.store.find_by_run(&item.provider_id, &report.run_id).await?;
        tasks.extend(task.map(|task| task.task_id));
    }
    Ok(tasks)
}

/// A webhook may be faster than the answer to the submission: it waits for its run to be known, or expires.
async fn park(engine: &Engine, number: u64, item: &InboxItem) -> Result<()> {
    let now = engine.now();
    let waited = now.since(item.received_at);
    if waited >= PARKED_MAX {
        tracing::warn!(provider = %item.provider_id, "a webhook about a run that nobody submitted expired");
        metrics::webhooks_dropped(&item.provider_id, "expired", item.copies);
        return engine.store.finish_inbox(&[number], InboxOutcome::Dropped).await;
    }
    let pause = waited.clamp(Duration::from_secs(1), PARK_PAUSE_MAX);
    engine.store.finish_inbox(&[number], InboxOutcome::ParkedUntil(now.plus(pause))).await
}

async fn process(engine: &Engine, task_id: TaskId, items: Vec<(u64, InboxItem)>) -> Result<()> {
    let numbers: Vec<u64> = items.iter().map(|(number, _)| *number).collect();
    let Some(task) = engine.store.get(task_id).await? else {
        tracing::warn!(%task_id, count = numbers.len(), "webhooks for a task that is not here were dropped");
        dropped(&items, "unknown");
        return engine.store.finish_inbox(&numbers, InboxOutcome::Dropped).await;
    };
    if task.state.counters.webhooks >= WEBHOOKS_PER_TASK_MAX {
        tracing::warn!(%task_id, "a task has too many webhooks; further ones are dropped");
        dropped(&items, "tooMany");
        return engine.store.finish_inbox(&numbers, InboxOutcome::Dropped).await;
    }
    let mut events = Vec::new();
    for event in items.iter().flat_map(|(_, item)| events_of(engine, &task, item)) {
        if !is_anothers(engine, &task, &event).await? {
            events.push(event);
        }
    }
    engine.apply(task, &events, LeaseChange::Keep, &numbers).await.map(drop)
}

fn dropped(items: &[(u64, InboxItem)], outcome: &'static str) {
    items.iter().for_each(|(_, item)| metrics::webhooks_dropped(&item.provider_id, outcome, item.copies));
}

/// Does it tell a task without a run about the run of another one? That one is not to be had twice, whoever says so.
async fn is_anothers(engine: &Engine, task: &TaskRecord, event: &TaskEvent) -> Result<bool> {
    let Event::Reported { report, .. } = &event.what else { return Ok(false) };
    if task.state.run_id.is_some() {
        return Ok(false);
    }
    let owner = engine.store.find_by_run(&task.provider_id, &report.run_id).await?;
    Ok(owner.is_some_and(|owner| owner.task_id != task.task_id))
}

fn read(engine: &Engine, item: &InboxItem) -> Result<WebhookReading> {
    let request = WebhookRequest::new(&*item.method, &*item.path, &*item.query, item.body.clone(), item.received_at)
        .with_headers(item.headers.clone());
    engine.backend(&item.provider_id)?.provider.read_webhook(&request)
}

/// A webhook and what it says about the task, as events of the time at which it arrived.
fn events_of(engine: &Engine, task: &TaskRecord, item: &InboxItem) -> Vec<TaskEvent> {
    let at = item.received_at;
    let body: String = String::from_utf8_lossy(&item.body).chars().take(BODY_CHARS_MAX).collect();
    let received = Event::WebhookReceived {
        method: item.method.clone(),
        body: without_tokens(&body),
        bytes: item.body.len() as u64,
        key_id: item.key_id.clone(),
        copies: item.copies,
    };
    let mut events = vec![TaskEvent::new(at, received)];
    match read(engine, item) {
        Ok(reading) => {
            // One without a task in its path may be about several runs, each of another task.
            let ours = |run: &crate::RunId| item.task_id.is_some() || task.state.run_id.as_ref() == Some(run);
            events.extend(reading.reports.into_iter().filter(|report| ours(&report.run_id)).map(|report| {
                TaskEvent::new(at, Event::Reported { witness: Witness::Webhook, report: Box::new(report) })
            }));
        }
        Err(error) => {
            let failure = FailureRecord::from_error("unreadable", &error);
            events.push(TaskEvent::new(at, Event::WebhookUnreadable { failure }));
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_path_is_the_one_that_the_service_was_told() {
        for (base, path, told) in [
            (Some("https://h.example"), "/api/webhook/vidu/1", "/api/webhook/vidu/1"),
            (Some("https://h.example/"), "/inner/api/webhook/vidu/1", "/api/webhook/vidu/1"),
            (Some("https://h.example/tools/a/"), "/api/webhook/vidu/1", "/tools/a/api/webhook/vidu/1"),
            (Some("https://h.example/tools"), "/tools/api/webhook/vidu/1", "/tools/api/webhook/vidu/1"),
            (Some("https://h.example/tools"), "/other", "/other"),
            (None, "/x/api/webhook/vidu/1", "/x/api/webhook/vidu/1"),
        ] {
            assert_eq!(public_path(base, path.to_owned()), told, "{base:?} {path}");
        }
    }
}
