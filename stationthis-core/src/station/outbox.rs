//! Notices: delivered at least once, over hours, or given up and kept.

mod breaker;
mod lanes;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::Instrument;

use crate::error::Result;
use crate::id::NoticeId;
use crate::notify::{Notice, NotifyTarget, Receipt};
use crate::station::driver::LEASE;
use crate::station::engine::Engine;
use crate::station::metrics;
use crate::store::{Claim, NoticeOutcome, OutboxItem};
use crate::task::event::{Event, TaskEvent};
use lanes::{PutOff, Receiver, Work};

pub(crate) use lanes::Lanes;

/// Notices claimed at a time: a page of the store.
const BATCH: usize = 256;

/// Bound of one attempt. With the wait in a lane (25 s) it is shorter than the lease.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The pauses before the second and each further attempt: 28 hours in all, as the Standard Webhooks specification
/// suggests; then the notice is a dead letter.
const PAUSES_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

/// Notices of a receiver that does not answer are put off without an attempt; older ones are given up. Longer than the
/// eight attempts take, so that it matters only where they are too many for the few that are made meanwhile.
const SPARED_MAX: Duration = Duration::from_secs(3 * 24 * 3600);

/// Notices put off at a time: they share the store's commits.
const PUT_OFF_TOGETHER: usize = 16;

/// The longest pause that a receiver may ask for: one that wants more is as good as gone.
const WISH_MAX: Duration = Duration::from_secs(24 * 3600);

/// The longest sleep: another process may have added notices.
const IDLE_MAX: Duration = Duration::from_secs(2);

/// Runs until the station is closed; then what is under way is finished.
pub(crate) async fn run(engine: Arc<Engine>) {
    let mut sending = FuturesUnordered::new();
    let mut look_at = tokio::time::Instant::now();
    loop {
        let closed = engine.closed.is_cancelled();
        if closed && sending.is_empty() {
            return;
        }
        if !closed {
            if look_at <= tokio::time::Instant::now() {
                let pause = match take_due(&engine).await {
                    Ok((BATCH.., _)) => Duration::ZERO,
                    Ok((_, pause)) => pause,
                    Err(error) => {
                        tracing::warn!(%error, "notices could not be claimed; they are kept");
                        IDLE_MAX
                    }
                };
                look_at = tokio::time::Instant::now() + pause;
            }
            sending.extend(next(&engine).map(|job| carry_out(&engine, job)));
        }
        tokio::select! {
            Some(_) = sending.next() => {}
            () = tokio::time::sleep_until(look_at), if !closed => {}
            () = engine.wake_outbox.notified(), if !closed => look_at = tokio::time::Instant::now(),
            () = engine.closed.cancelled(), if !closed => {}
        }
    }
}

/// Delivers what is due now; how many notices were tried.
pub(crate) async fn tick(engine: &Engine) -> Result<usize> {
    take_due(engine).await?;
    let mut tried = 0;
    let mut sending = FuturesUnordered::new();
    loop {
        sending.extend(next(engine).map(|job| carry_out(engine, job)));
        match sending.next().await {
            Some(count) => tried += count,
            None => return Ok(tried),
        }
    }
}

/// Somebody says that the receiver of a target is well again: it is not spared any longer.
pub(crate) fn forgive(engine: &Engine, target: &NotifyTarget) {
    let to = receiver(engine, target);
    with_lanes(engine, |lanes| lanes.forgive(&to));
}

/// Claims what is due and lines it up; how many notices, and when to look again.
async fn take_due(engine: &Engine) -> Result<(usize, Duration)> {
    let now = engine.now();
    let claim = Claim { owner: engine.instance.clone(), now, lease: LEASE, limit: BATCH };
    let claimed = engine.store.claim_notices(&claim).await?;
    let pause = claimed.next_at.map_or(IDLE_MAX, |at| at.since(now).min(IDLE_MAX));
    let count = claimed.items.len();
    let mut full = Vec::new();
    for item in claimed.items {
        let to = receiver(engine, &item.target);
        full.extend(with_lanes(engine, |lanes| lanes.take(to, item, now)));
    }
    put_off(engine, full).await;
    Ok((count, pause))
}

/// One piece of work.
enum Job {
    Deliver(Receiver, OutboxItem),
    PutOff(Vec<PutOff>),
}

/// What can be done now.
fn next(engine: &Engine) -> impl Iterator<Item = Job> {
    let Work { start, put_off } = with_lanes(engine, |lanes| lanes.next(engine.now()));
    let put_off = (!put_off.is_empty()).then_some(Job::PutOff(put_off));
    start.into_iter().map(|(to, item)| Job::Deliver(to, item)).chain(put_off)
}

/// Does it; how many notices were tried.
async fn carry_out(engine: &Engine, job: Job) -> usize {
    match job {
        Job::Deliver(to, item) => {
            deliver(engine, to, item).await;
            1
        }
        Job::PutOff(notices) => {
            put_off(engine, notices).await;
            0
        }
    }
}

/// Gives notices back to the store, for later.
async fn put_off(engine: &Engine, notices: Vec<PutOff>) {
    let each = |PutOff { item, until, spared }: PutOff| async move {
        let id = item.id;
        let done = if spared && engine.now().since(item.created_at) > SPARED_MAX {
            let reason = "Its receiver has not answered for days.".to_owned();
            record(engine, item, Receipt::Permanent { reason }).await
        } else {
            engine.store.finish_notice(id, &NoticeOutcome::PutOff(until), None).await
        };
        if let Err(error) = done {
            // Its lease ends, and it is claimed again.
            tracing::warn!(notice_id = %id, %error, "a notice could not be put off");
        }
    };
    futures_util::stream::iter(notices).for_each_concurrent(PUT_OFF_TOGETHER, each).await;
}

fn with_lanes<T>(engine: &Engine, work: impl FnOnce(&mut Lanes) -> T) -> T {
    work(&mut engine.outbox_lanes.lock().unwrap_or_else(PoisonError::into_inner))
}

fn receiver(engine: &Engine, target: &NotifyTarget) -> Receiver {
    let notifier = engine.notifiers.get(&target.channel);
    let destination = notifier.map(|notifier| notifier.destination(&target.address));
    (target.channel.clone(), destination.unwrap_or_default())
}

/// Tries one notice, frees its slot and records what came of it.
async fn deliver(engine: &Engine, to: Receiver, item: OutboxItem) {
    let id = item.id;
    let span = tracing::info_span!("deliver", task_id = %item.task_id, channel = item.target.channel);
    let receipt = attempt(engine, &item).instrument(span).await;
    let answered = !matches!(receipt, Ok(Receipt::Retry { .. }));
    with_lanes(engine, |lanes| lanes.end(&to, answered, engine.now()));
    let recorded = match receipt {
        Ok(receipt) => record(engine, item, receipt).await,
        Err(error) => Err(error),
    };
    if let Err(error) = recorded {
        // The lease ends, and it is delivered again: at least once.
        tracing::warn!(notice_id = %id, %error, "what came of a notice could not be recorded");
    }
}

async fn attempt(engine: &Engine, item: &OutboxItem) -> Result<Receipt> {
    let Some(task) = engine.store.get(item.task_id).await? else {
        return Ok(Receipt::Permanent { reason: "The task is gone.".to_owned() });
    };
    let Some(notifier) = engine.notifiers.get(&item.target.channel) else {
        return Ok(Receipt::Permanent { reason: format!("There is no notifier {}.", item.target.channel) });
    };
    let notice = Notice::new(item.id, item.target.clone(), item.kind, item.attempts.saturating_add(1), task);
    Ok(match tokio::time::timeout(ATTEMPT_TIMEOUT, notifier.deliver(&notice)).await {
        Ok(receipt) => receipt,
        Err(_) => Receipt::Retry { after: None, reason: "No answer within 30 s.".to_owned() },
    })
}

async fn record(engine: &Engine, item: OutboxItem, receipt: Receipt) -> Result<()> {
    let now = engine.now();
    let attempt = item.attempts.saturating_add(1);
    let outcome = match &receipt {
        Receipt::Delivered => NoticeOutcome::Delivered,
        Receipt::Permanent { reason } => NoticeOutcome::Dead(reason.clone()),
        Receipt::NoRecipient => NoticeOutcome::Dead("There is nobody at this address.".to_owned()),
        Receipt::Retry { after, reason } => match pause_after(attempt) {
            Some(pause) => {
                let wish = after.unwrap_or_default().min(WISH_MAX);
                NoticeOutcome::RetryAt(now.plus(jittered(pause, item.id).max(wish)))
            }
            None => NoticeOutcome::Dead(reason.clone()),
        },
    };
    if let NoticeOutcome::Dead(reason) = &outcome {
        tracing::warn!(notice_id = %item.id, task_id = %item.task_id, reason, "a notice was given up");
    }
    let notifier = engine.notifiers.get(&item.target.channel);
    metrics::notice_tried(notifier.map(|notifier| notifier.channel()), &receipt);
    let tried = Event::NoticeTried { notice_id: item.id, target: item.target, attempt, receipt };
    engine.store.finish_notice(item.id, &outcome, Some(&TaskEvent::new(now, tried))).await
}

fn pause_after(attempt: u32) -> Option<Duration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    PAUSES_S.get(index).copied().map(Duration::from_secs)
}

/// Up to a tenth longer, by the notice's own id: many that failed together do not come back together.
fn jittered(pause: Duration, id: NoticeId) -> Duration {
    let spread = id.to_string().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 100;
    pause.saturating_add(pause.saturating_mul(spread) / 1000)
}
