//! Notices: delivered at least once, over hours, or given up and kept.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::error::Result;
use crate::notify::{Notice, Receipt};
use crate::station::driver::LEASE;
use crate::station::engine::Engine;
use crate::store::{Claim, NoticeOutcome, OutboxItem};
use crate::task::event::{Event, TaskEvent};

/// Notices delivered at a time: bounds sockets.
const BATCH: usize = 32;

/// Bound of one attempt; shorter than the lease.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The pauses before the second and each further attempt: 28 hours in all, as the Standard Webhooks specification
/// suggests; then the notice is a dead letter.
const PAUSES_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// The longest sleep: another process may have added notices.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// Runs until the station is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        let (more, pause) = match deliver_due(&engine).await {
            Ok((count, pause)) => (count > 0, pause),
            Err(error) => {
                tracing::warn!(%error, "notices could not be delivered; they are kept");
                (false, IDLE_MAX)
            }
        };
        if more && !engine.closed.is_cancelled() {
            continue;
        }
        tokio::select! {
            () = engine.closed.cancelled() => return,
            () = engine.wake_outbox.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Delivers what is due now; how many notices were tried.
pub(crate) async fn tick(engine: &Engine) -> Result<usize> {
    deliver_due(engine).await.map(|(count, _)| count)
}

async fn deliver_due(engine: &Engine) -> Result<(usize, Duration)> {
    let now = engine.now();
    let claim = Claim { owner: engine.instance.clone(), now, lease: LEASE, limit: BATCH };
    let claimed = engine.store.claim_notices(&claim).await?;
    let pause = claimed.next_at.map_or(IDLE_MAX, |at| at.since(now).min(IDLE_MAX));
    let count = claimed.items.len();
    let mut sending: FuturesUnordered<_> = claimed.items.into_iter().map(|item| deliver(engine, item)).collect();
    while let Some(result) = sending.next().await {
        if let Err(error) = result {
            // The lease ends, and it is delivered again: at least once.
            tracing::warn!(%error, "what came of a notice could not be recorded");
        }
    }
    Ok((count, pause))
}

async fn deliver(engine: &Engine, item: OutboxItem) -> Result<()> {
    let attempt = item.attempts.saturating_add(1);
    let receipt = match (engine.store.get(item.task_id).await?, engine.notifiers.get(&item.target.channel)) {
        (None, _) => Receipt::Permanent { reason: "The task is gone.".to_owned() },
        (_, None) => Receipt::Permanent { reason: format!("There is no notifier {}.", item.target.channel) },
        (Some(task), Some(notifier)) => {
            let notice = Notice::new(item.id, item.target.clone(), item.kind, attempt, task);
            match tokio::time::timeout(ATTEMPT_TIMEOUT, notifier.deliver(&notice)).await {
                Ok(receipt) => receipt,
                Err(_) => Receipt::Retry { after: None, reason: "No answer within 30 s.".to_owned() },
            }
        }
    };
    let now = engine.now();
    let outcome = match &receipt {
        Receipt::Delivered => NoticeOutcome::Delivered,
        Receipt::Permanent { reason } => NoticeOutcome::Dead(reason.clone()),
        Receipt::NoRecipient => NoticeOutcome::Dead("There is nobody at this address.".to_owned()),
        Receipt::Retry { after, reason } => match pause_after(attempt) {
            Some(pause) => NoticeOutcome::RetryAt(now.plus(after.unwrap_or(pause).max(jittered(pause, item.id)))),
            None => NoticeOutcome::Dead(reason.clone()),
        },
    };
    if let NoticeOutcome::Dead(reason) = &outcome {
        tracing::warn!(notice_id = %item.id, task_id = %item.task_id, reason, "a notice was given up");
    }
    let tried = Event::NoticeTried { notice_id: item.id, target: item.target, attempt, receipt };
    engine.store.finish_notice(item.id, &outcome, Some(&TaskEvent::new(now, tried))).await
}

fn pause_after(attempt: u32) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    PAUSES_S.get(index).copied().map(Duration::from_secs)
}

/// Up to a tenth longer, by the notice's own id: many that failed together do not come back together.
fn jittered(pause: Duration, id: crate::id::NoticeId) -> Duration {
    let spread = id.to_string().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 100;
    pause.saturating_add(pause.saturating_mul(spread) / 1000)
}
