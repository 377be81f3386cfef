use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use serde_json::{Value, json};
use stationthis_core::station::{RunRequest, Station};
use stationthis_core::task::report::{Progress, RunReport, RunStatus};
use stationthis_core::testkit::{ManualClock, SIGNATURE, ScriptedProvider};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{CallerId, Clock, RunId, Timestamp};
use tokio::sync::mpsc;

use super::*;

/// A station that does what it is told, when it is told.
struct Stage {
    provider: ScriptedProvider,
    clock: Arc<ManualClock>,
    station: Station,
}

impl Stage {
    async fn new() -> Self {
        let provider = ScriptedProvider::new().unwrap().with_signatures();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_micros(1_764_000_000_000_000)));
        let station = Station::builder().provider(Arc::new(provider.clone())).clock(clock.clone()).build().unwrap();
        station.refresh().await.unwrap();
        Self { provider, clock, station }
    }

    fn caller(&self, name: &str) -> Caller {
        self.station.as_caller(CallerId::new(name).unwrap())
    }

    async fn settle(&self) {
        while self.station.tick().await.unwrap() > 0 {}
    }

    /// A task that runs; the first one's run is `run-1`.
    async fn run(&self, caller: &str, run: &str) -> TaskId {
        let inputs = json!({ "prompt": "a large secret" }).as_object().unwrap().clone();
        let task = self.caller(caller).run(RunRequest::new("echo", inputs)).await.unwrap();
        self.settle().await;
        self.report(run, RunStatus::Running, 0).await;
        task.task_id
    }

    async fn report(&self, run: &str, status: RunStatus, percent: u32) {
        let mut report = RunReport::new(RunId::new(run).unwrap(), status, "so");
        report.progress = Progress::from_fraction(f64::from(percent) / 100.0);
        self.provider.script().polls = [report.clone()].into();
        let body = Bytes::from(serde_json::to_vec(&report).unwrap());
        let hook = WebhookRequest::new("POST", "/api/webhook/scripted", "", body, self.clock.now());
        let signature = vec![(SIGNATURE.0.to_owned(), SIGNATURE.1.to_owned())];
        self.station.receive_webhook(hook.with_headers(signature)).await.unwrap();
        self.settle().await;
    }

    /// Ends the run; the end is confirmed by a poll, which the clock must reach.
    async fn end(&self, run: &str) {
        self.report(run, RunStatus::Cancelled, 100).await;
        for _ in 0..60 {
            self.clock.advance(Duration::from_secs(1));
            self.settle().await;
        }
    }
}

fn task(item: Option<Item>) -> (u64, Box<TaskRecord>) {
    match item {
        Some(Item::Task(seq, task)) => (seq, task),
        other => panic!("no task: {other:?}"),
    }
}

fn percent(task: &TaskRecord) -> Value {
    serde_json::to_value(task.state.progress).unwrap()
}

/// Says all that there is to say now.
fn drained(feed: &mut Feed) -> Vec<(u64, TaskId, u64)> {
    let mut all = Vec::new();
    while let Some(item) = feed.next().now_or_never() {
        let Some(item) = item.unwrap() else { break };
        if let Item::Task(seq, task) = item {
            all.push((seq, task.task_id, task.revision));
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn progress_is_said_four_times_a_second_and_an_end_at_once() {
    let stage = Stage::new().await;
    let id = stage.run("ada", "run-1").await;
    let mut feed = Feed::of_task(stage.caller("ada"), id, None).await.unwrap().unwrap();
    let (say, mut said) = mpsc::unbounded_channel();
    let reader = tokio::spawn(async move {
        while let Some(item) = feed.next().await.unwrap() {
            say.send((Instant::now(), task(Some(item)))).unwrap();
        }
    });
    let began = Instant::now();
    for n in 1..=40 {
        stage.report("run-1", RunStatus::Running, n).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(PROGRESS_PAUSE).await;
    let mut seen = Vec::new();
    while let Ok(next) = said.try_recv() {
        seen.push(next);
    }
    let took = began.elapsed().as_millis() / PROGRESS_PAUSE.as_millis();
    assert!((8..=usize::try_from(took).unwrap() + 2).contains(&seen.len()), "{} of 41 in {took} pauses", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0].1.0 < pair[1].1.0), "ids grow");
    let (_, (_, last)) = seen.last().unwrap();
    assert_eq!(percent(last), json!(0.4), "the last one is not kept back");
    assert!(last.inputs_asked.is_empty() && last.inputs_sent.is_empty());
    let began = Instant::now();
    stage.end("run-1").await;
    reader.await.unwrap();
    let mut last = None;
    while let Ok(next) = said.try_recv() {
        last = Some(next);
    }
    let (at, (_, last)) = last.unwrap();
    assert!(last.is_terminal(), "{:?}", last.state.status);
    assert!(at - began < PROGRESS_PAUSE, "after {:?}", at - began);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_and_gets_the_task_as_it_is() {
    let stage = Stage::new().await;
    let id = stage.run("ada", "run-1").await;
    let mut feed = Feed::of_task(stage.caller("ada"), id, None).await.unwrap().unwrap();
    assert_eq!(drained(&mut feed).len(), 1);
    for n in 1..=100 {
        stage.report("run-1", RunStatus::Running, n).await;
    }
    assert!(matches!(feed.next().await.unwrap(), Some(Item::Lagged(missed)) if missed >= 80));
    let (_, now) = task(feed.next().await.unwrap());
    assert_eq!(percent(&now), json!(1.0));
    tokio::time::advance(PROGRESS_PAUSE).await;
    assert_eq!(drained(&mut feed), [], "and nothing twice");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_misses_nothing_and_hears_nothing_twice() {
    let stage = Stage::new().await;
    let ada = stage.caller("ada");
    let first = stage.run("ada", "run-1").await;
    let mut feed = Feed::of_all(ada.clone(), None).await.unwrap();
    let Some(Item::Ready(from)) = feed.next().await.unwrap() else { panic!("not ready") };
    assert_eq!(drained(&mut feed), [], "what was before is not news");
    drop(feed);
    let second = stage.run("ada", "run-2").await;
    let eve_s = stage.run("eve", "run-3").await;
    stage.end("run-1").await;
    stage.report("run-2", RunStatus::Running, 20).await;
    let mut feed = Feed::of_all(ada.clone(), Some(from)).await.unwrap();
    assert!(matches!(feed.next().await.unwrap(), Some(Item::Ready(_))));
    let (seq, one) = task(feed.next().await.unwrap());
    let mut missed = vec![(seq, one.task_id, one.revision)];
    // What happens before the other is read comes with it, and not once more.
    stage.report("run-2", RunStatus::Running, 50).await;
    tokio::time::advance(PROGRESS_PAUSE).await;
    missed.extend(drained(&mut feed));
    let ids: Vec<TaskId> = missed.iter().map(|said| said.1).collect();
    assert!(ids.len() == 2 && ids.contains(&first) && ids.contains(&second), "{missed:?} without {eve_s}");
    stage.end("run-2").await;
    let live = drained(&mut feed);
    assert!(live.iter().all(|said| said.1 == second && said.0 > missed[1].0) && !live.is_empty(), "{live:?}");
    let all: Vec<_> = missed.iter().chain(&live).map(|said| (said.1, said.2)).collect();
    let mut once = all.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), all.len(), "no state is said twice: {all:?}");
    let end = live.last().unwrap().0;
    let mut after = Feed::of_all(ada.clone(), Some(end)).await.unwrap();
    assert_eq!(drained(&mut after), []);
    assert!(Feed::of_task(ada.clone(), second, Some(end)).await.unwrap().is_none(), "it has heard the end");
    let mut again = Feed::of_task(ada.clone(), second, Some(missed[1].0)).await.unwrap().unwrap();
    assert_eq!(drained(&mut again).len(), 1, "the end, once");
    let foreign = Feed::of_task(ada, eve_s, None).await.unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::NotFound);
}
