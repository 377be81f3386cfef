//! Webhooks that need no token of ours: signed by their service, known by their run alone.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stationthis_core::store::{Claim, MemoryStore};
use stationthis_core::task::event::Event;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{SIGNATURE, ScriptedProvider};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{Clock, ErrorKind, TaskStatus};

use crate::bench::{Bench, report, success};

async fn bench() -> Bench {
    let provider = ScriptedProvider::new().unwrap().with_signatures();
    Bench::over(Arc::new(MemoryStore::new()), provider).await
}

fn signed(bench: &Bench, report: &RunReport, value: &str) -> WebhookRequest {
    let body = Bytes::from(serde_json::to_vec(report).unwrap());
    let credentials = ("authorization".to_owned(), "Bearer canary".to_owned());
    WebhookRequest::new("POST", "/api/webhook/scripted", "", body, bench.clock.now())
        .with_headers(vec![(SIGNATURE.0.to_owned(), value.to_owned()), credentials])
}

async fn waiting(bench: &Bench) -> usize {
    bench.station.stats().await.unwrap().inbox.try_into().unwrap()
}

/// I2, where no task is in the URL: the run is not known yet when its webhook comes.
#[tokio::test]
async fn a_webhook_before_its_run_is_known_waits_for_it() {
    let bench = bench().await;
    bench.provider.close_gate();
    let task = bench.run("x").await;
    let submitting = tokio::spawn({
        let station = bench.station.clone();
        async move { station.tick().await }
    });
    while bench.provider.script().calls.submit == 0 {
        tokio::task::yield_now().await;
    }
    let mut running = report(RunStatus::Running);
    running.live_status = Some("early".to_owned());
    bench.station.receive_webhook(signed(&bench, &running, SIGNATURE.1)).await.unwrap();
    bench.station.tick().await.unwrap();
    assert_eq!((bench.task(task.task_id).await.state.run_id, waiting(&bench).await), (None, 1), "parked");
    bench.provider.open_gate();
    submitting.await.unwrap().unwrap();
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.pass(2).await;
    let state = bench.task(task.task_id).await.state;
    assert_eq!((state.status, state.counters.webhooks, waiting(&bench).await), (TaskStatus::Running, 1, 0), "joined");
    bench.provider.script().polls = [success(bench.clock.now())].into();
    bench.station.receive_webhook(signed(&bench, &report(RunStatus::Succeeded), SIGNATURE.1)).await.unwrap();
    bench.settle().await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::Completed);
}

#[tokio::test]
async fn forged_webhooks_are_refused_and_strangers_expire() {
    let bench = bench().await;
    let forged = bench.station.receive_webhook(signed(&bench, &report(RunStatus::Succeeded), "forged")).await;
    assert_eq!(forged.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(waiting(&bench).await, 0);
    bench.station.receive_webhook(signed(&bench, &report(RunStatus::Succeeded), SIGNATURE.1)).await.unwrap();
    bench.settle().await;
    assert_eq!(waiting(&bench).await, 1, "its run may become known");
    let claim = Claim {
        owner: "look".to_owned(),
        now: bench.clock.now().plus(Duration::from_secs(5)),
        lease: Duration::ZERO,
        limit: 1,
    };
    let kept = bench.store.claim_inbox(&claim).await.unwrap().items;
    assert!(!format!("{kept:?}").contains("canary"), "no credentials are kept: {kept:?}");
    bench.clock.advance(Duration::from_secs(3_601));
    bench.settle().await;
    assert_eq!(waiting(&bench).await, 0, "it expired");
}

#[tokio::test]
async fn copies_are_kept_once_and_counted_and_the_raw_body_is_in_the_story() {
    let bench = Bench::new().await;
    let task = bench.run("x").await;
    bench.provider.script().polls = [report(RunStatus::Running)].into();
    bench.settle().await;
    for _ in 0..3 {
        bench.hook(&task, &report(RunStatus::Running)).await;
    }
    assert_eq!(waiting(&bench).await, 1);
    bench.settle().await;
    let explained = bench.station.admin().explain(task.task_id).await.unwrap();
    let state = &explained.task.state;
    assert_eq!((state.counters.webhooks, state.counters.webhooks_ignored), (3, 2));
    let raw: Vec<_> = explained
        .events
        .iter()
        .filter_map(|stored| match &stored.event.what {
            Event::WebhookReceived { body, key_id, copies, .. } => {
                Some((body.contains("run-1"), key_id.clone(), *copies))
            }
            _ => None,
        })
        .collect();
    assert_eq!(raw, [(true, Some("k1".to_owned()), 3)]);
    assert!(explained.replays);
}

/// The first of a burst is processed at once; those behind it wait a moment, and become one commit.
#[tokio::test(start_paused = true)]
async fn webhooks_that_follow_closely_share_a_commit() {
    let bench = Bench::new().await;
    let id = bench.run("x").await.task_id;
    bench.settle().await;
    let task = bench.task(id).await;
    let hook = |nth: u32| {
        let mut running = report(RunStatus::Running);
        running.live_status = Some(format!("step {nth}"));
        bench.hook_request(&task, &running)
    };
    // While somebody works the paused time stands still.
    let processed = async |count: u32| {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
            let task = bench.task(id).await;
            if task.state.counters.webhooks == count {
                return task.revision;
            }
        }
        panic!("{count} webhooks are not processed");
    };
    let handle = bench.station.start().await.unwrap();
    bench.station.receive_webhook(hook(1)).await.unwrap();
    let first = processed(1).await;
    for nth in 2..5 {
        bench.station.receive_webhook(hook(nth)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((bench.task(id).await.revision, waiting(&bench).await), (first, 3), "they gather");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(processed(4).await, first + 1, "one commit for all");
    handle.shutdown(Duration::from_secs(5)).await.unwrap();
}
