//! Webhooks: stored raw first, understood after.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, FailureRecord, Result};
use crate::id::TaskId;
use crate::provider::WebhookAuth;
use crate::station::driver::LEASE;
use crate::station::engine::Engine;
use crate::store::{Claim, InboxItem, LeaseChange};
use crate::task::event::{Event, TaskEvent, Witness};
use crate::webhook::WebhookRequest;

/// The largest webhook: recorded ones have a few kilobytes, a run with hundreds of outputs some hundred.
pub const WEBHOOK_BYTES_MAX: usize = 1024 * 1024;

/// Items taken at a time: reports of one task among them share one commit.
const BATCH: usize = 256;

/// The longest sleep: another process may have received a webhook.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// How much of an unreadable body goes into the task's events.
const EXCERPT_CHARS: usize = 300;

/// Checks where a webhook comes from and makes it durable; what it says is looked at afterwards.
pub(crate) async fn receive(engine: &Engine, request: WebhookRequest) -> Result<()> {
    let refused = |kind, message: &str| Error::new(kind, "receive webhook").with_message(message);
    let (provider_id, task_id) =
        request.target().ok_or_else(|| refused(ErrorKind::NotFound, "The path names no provider and task."))?;
    let backend = engine.backend(&provider_id)?;
    if request.body.len() > WEBHOOK_BYTES_MAX {
        return Err(refused(ErrorKind::TooLarge, "A webhook has at most 1 MiB."));
    }
    let key_id = match backend.provider.capabilities().webhooks {
        Some(WebhookAuth::TaskUrl) => Some(engine.keys.verify(&request).inspect_err(|error| {
            tracing::warn!(provider = %provider_id, task_id = %task_id, %error, "a webhook was refused");
        })?),
        // The signature is over the headers and the body, so it is checked while both are here.
        Some(WebhookAuth::ProviderSignature) => backend.provider.read_webhook(&request).map(|_| None)?,
        None => return Err(refused(ErrorKind::NotFound, "This provider sends no webhooks.")),
    };
    let item = InboxItem::new(provider_id, task_id, request.method, request.body, key_id, request.received_at);
    engine.store.append_inbox(&item).await?;
    engine.wake_inbox.notify_one();
    Ok(())
}

/// Runs until the station is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        let more = match tick(&engine).await {
            Ok(count) => count == BATCH,
            Err(error) => {
                tracing::warn!(%error, "webhooks could not be processed; they are kept");
                false
            }
        };
        if more {
            continue;
        }
        tokio::select! {
            () = engine.closed.cancelled() => return,
            () = engine.wake_inbox.notified() => {}
            () = tokio::time::sleep(IDLE_MAX) => {}
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
        by_task.entry(item.task_id).or_default().push((number, item));
    }
    for (task_id, items) in by_task {
        if let Err(error) = process(engine, task_id, items).await {
            // They stay in the inbox and are claimed again when the lease ends.
            tracing::warn!(%task_id, %error, "webhooks of a task could not be processed; they are kept");
        }
    }
    Ok(count)
}

async fn process(engine: &Engine, task_id: TaskId, items: Vec<(u64, InboxItem)>) -> Result<()> {
    let numbers: Vec<u64> = items.iter().map(|(number, _)| *number).collect();
    let Some(task) = engine.store.get(task_id).await? else {
        tracing::warn!(%task_id, count = numbers.len(), "webhooks for a task that is not here were dropped");
        return engine.store.finish_inbox(&numbers).await;
    };
    let events: Vec<TaskEvent> = items.into_iter().flat_map(|(_, item)| read(engine, item)).collect();
    engine.apply(task, &events, LeaseChange::Keep, &numbers).await.map(drop)
}

/// What a webhook says, as events of the time at which it arrived.
fn read(engine: &Engine, item: InboxItem) -> Vec<TaskEvent> {
    let at = item.received_at;
    let path = format!("{}{}/{}", crate::webhook::WEBHOOK_PATH, item.provider_id, item.task_id);
    let excerpt: String = String::from_utf8_lossy(&item.body).chars().take(EXCERPT_CHARS).collect();
    let request = WebhookRequest::new(item.method, path, "", item.body, at);
    let reading = engine.backend(&item.provider_id).and_then(|backend| backend.provider.read_webhook(&request));
    match reading {
        Ok(reading) => reading
            .reports
            .into_iter()
            .map(|report| {
                let (report, key_id) = (Box::new(report), item.key_id.clone());
                TaskEvent::new(at, Event::Reported { witness: Witness::Webhook, report, key_id })
            })
            .collect(),
        Err(error) => {
            let failure = FailureRecord::from_error("unreadable", &error);
            vec![TaskEvent::new(at, Event::WebhookUnreadable { failure, excerpt })]
        }
    }
}
