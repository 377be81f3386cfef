//! A station with custody: a task is completed when what it gave is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use stationthis_core::custody::{Custody, KeepRequest, Kept};
use stationthis_core::task::event::Event;
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::{ANY_RUN, ScriptedProvider};
use stationthis_core::{Error, ErrorKind, Policy, Result, Retry, RunId, Station, TaskRecord, TaskStatus, TokioClock};
use tokio::sync::Semaphore;

use crate::bench::{Bench, caller, request, start, success};

/// What keeping comes to, in order; then it is kept.
#[derive(Debug)]
struct Shelf {
    refusals: Mutex<VecDeque<Error>>,
    asked: Mutex<Vec<KeepRequest>>,
    /// Closed: what is kept is not answered until permits are added.
    gate: Semaphore,
}

impl Shelf {
    fn new(refusals: impl IntoIterator<Item = Error>) -> Arc<Self> {
        let refusals = Mutex::new(refusals.into_iter().collect());
        Arc::new(Self { refusals, asked: Mutex::default(), gate: Semaphore::new(Semaphore::MAX_PERMITS) })
    }

    fn closed() -> Arc<Self> {
        Arc::new(Self { refusals: Mutex::default(), asked: Mutex::default(), gate: Semaphore::new(0) })
    }

    fn urls(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|request| request.output.url.clone().unwrap()).collect()
    }
}

#[async_trait]
impl Custody for Shelf {
    async fn keep(&self, request: &KeepRequest) -> Result<Kept> {
        self.asked.lock().unwrap().push(request.clone());
        if let Some(refusal) = self.refusals.lock().unwrap().pop_front() {
            return Err(refusal);
        }
        let _passed = self.gate.acquire().await.unwrap();
        let key = format!("{}/{}", request.task_id, request.output.order);
        Ok(Kept::new(key, "cafe", 4, "image/png", request.at))
    }
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "keep output").with_message("It is down.").with_retry(Retry::Backoff)
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, "keep output").with_message("The URL has ended.")
}

/// A task whose run ends with a picture at this URL, once a few seconds have passed.
async fn ended(bench: &Bench) -> TaskRecord {
    bench.provider.script().polls = [success(start())].into();
    let task = bench.run("x").await;
    bench.pass(3).await;
    bench.task(task.task_id).await
}

async fn kinds(bench: &Bench, task: &TaskRecord) -> Vec<&'static str> {
    let events = bench.station.admin().explain(task.task_id).await.unwrap().events;
    let kind = |event: &Event| match event {
        Event::Reported { .. } => "reported",
        Event::OutputsKept { .. } => "kept",
        Event::KeepFailed { .. } => "not kept",
        Event::Settled { .. } => "settled",
        _ => "else",
    };
    events.iter().map(|stored| kind(&stored.event.what)).filter(|kind| *kind != "else").collect()
}

#[tokio::test]
async fn a_task_is_completed_and_told_of_when_its_outputs_are_kept() {
    let shelf = Shelf::new([down(), down()]);
    let mut bench = Bench::with_custody(shelf.clone()).await;
    let early = ended(&bench).await;
    assert_eq!((early.state.status, early.state.outputs.len()), (TaskStatus::Finalizing, 1));
    assert_eq!((bench.told().len(), early.state.cost_usd), (0, None));
    bench.pass(3).await;
    let done = bench.task(early.task_id).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    assert_eq!(kinds(&bench, &done).await, ["reported", "not kept", "not kept", "kept", "settled"]);
    let output = &done.state.outputs[0];
    assert_eq!(output.url.as_deref(), Some("https://b.example/a.png"), "where it came from");
    let kept = output.custody.as_ref().unwrap();
    assert_eq!((kept.key.clone(), kept.kept_at), (format!("{}/0", done.task_id), done.state.times.ended_at.unwrap()));
    let asked = shelf.asked.lock().unwrap()[0].clone();
    assert_eq!((asked.task_id, asked.caller), (done.task_id, caller("ada")));
    assert_eq!(bench.told().len(), 1);
    // What it costs is what the run took, not what its outputs took to arrive.
    let plain = Bench::new().await;
    assert_eq!(done.state.cost_usd, ended(&plain).await.state.cost_usd);
}

#[tokio::test]
async fn a_url_that_has_ended_is_renewed_by_a_poll() {
    let shelf = Shelf::new([gone()]);
    let bench = Bench::with_custody(shelf.clone()).await;
    let mut fresh = success(start());
    fresh.outputs = vec![Output::file(OutputKind::Image, "https://b.example/a.png?sig=2")];
    bench.provider.script().polls = [success(start()), fresh].into();
    let task = bench.run("x").await;
    bench.pass(6).await;
    let done = bench.task(task.task_id).await;
    assert_eq!(kinds(&bench, &done).await, ["reported", "not kept", "reported", "kept", "settled"]);
    assert_eq!(shelf.urls(), ["https://b.example/a.png", "https://b.example/a.png?sig=2"]);
    assert_eq!(done.state.status, TaskStatus::Completed);
}

#[tokio::test]
async fn what_never_will_be_kept_ends_the_task_charged_and_for_review() {
    let refusal = Error::new(ErrorKind::TooLarge, "keep output").with_message("The output is larger than 1 MiB.");
    let shelf = Shelf::new([refusal]);
    let mut bench = Bench::with_custody(shelf.clone()).await;
    let done = ended(&bench).await;
    let reason = done.state.status_reason.clone().unwrap();
    assert_eq!((done.state.status, reason.code.as_str()), (TaskStatus::Failed, "notKept"));
    assert!(reason.message.ends_with("The output is larger than 1 MiB."), "{}", reason.message);
    assert_eq!(done.state.cost_usd.unwrap().to_string(), "0.012500000");
    assert_eq!((done.state.outputs.len(), done.state.needs_review()), (1, true));
    assert_eq!((bench.told().len(), done.due_at), (1, None));
    bench.pass(60).await;
    assert_eq!(shelf.urls().len(), 1, "it is not tried again");
}

#[tokio::test]
async fn attempts_end_with_the_deadline_of_the_custody() {
    let shelf = Shelf::new((0..500).map(|_| down()));
    let bench = Bench::with_custody(shelf.clone()).await;
    let task = ended(&bench).await;
    for _ in 0..400 {
        bench.pass(1).await;
        bench.clock.advance(Duration::from_secs(59));
        bench.settle().await;
    }
    let done = bench.task(task.task_id).await;
    assert_eq!((done.state.status, done.due_at), (TaskStatus::Failed, None));
    let late = done.state.times.ended_at.unwrap().since(done.state.over_at().unwrap());
    assert!(late >= Duration::from_secs(6 * 3600) && late < Duration::from_secs(6 * 3600 + 120), "{late:?}");
    let attempts = shelf.urls().len();
    assert!((60..200).contains(&attempts), "{attempts} attempts in six hours");
}

/// The process ends after the fetch and before the commit.
#[tokio::test]
async fn what_was_fetched_and_not_remembered_is_kept_once_more_and_counted_once() {
    let shelf = Shelf::closed();
    let bench = Bench::with_custody(shelf.clone()).await;
    bench.provider.script().polls = [success(start())].into();
    let task = bench.run("x").await;
    bench.station.tick().await.unwrap();
    bench.clock.advance(Duration::from_secs(2));
    bench.station.tick().await.unwrap();
    let fetching = tokio::time::timeout(Duration::from_millis(50), bench.station.tick()).await;
    assert!(fetching.is_err() && shelf.urls().len() == 1);
    // The lease outlasts any attempt: nobody else takes the silence for a death.
    bench.clock.advance(bench.policy.keep_timeout);
    assert_eq!(bench.station.tick().await.unwrap(), 0);
    let mut bench = bench.restarted().await;
    shelf.gate.add_permits(1);
    bench.settle().await;
    let done = bench.task(task.task_id).await;
    assert_eq!((done.state.status, shelf.urls().len()), (TaskStatus::Completed, 2));
    assert_eq!(kinds(&bench, &done).await, ["reported", "kept", "settled"]);
    assert_eq!(bench.told().len(), 1);
}

#[tokio::test]
async fn custody_is_agreed_at_the_acceptance() {
    let plain = Bench::new().await;
    plain.provider.script().polls = [success(start())].into();
    let before = plain.run("before").await;
    let mut with = Bench { custody: Some(Shelf::new([])), ..plain }.restarted().await;
    with.pass(3).await;
    let done = with.task(before.task_id).await;
    assert_eq!((done.state.status, done.state.outputs[0].is_unkept()), (TaskStatus::Completed, true));
    let mut another = success(start());
    another.run_id = RunId::new(ANY_RUN).unwrap();
    with.provider.script().polls = [another].into();
    let after = with.run("after").await;
    // Taken out of the configuration meanwhile: it waits for it to come back.
    with.custody = None;
    let without = with.restarted().await;
    without.pass(3).await;
    let waiting = without.task(after.task_id).await;
    assert_eq!(waiting.state.status, TaskStatus::Finalizing);
    assert_eq!(waiting.state.keeping.unwrap().failure.unwrap().code, "noCustody");
    let again = Bench { custody: Some(Shelf::new([])), ..without }.restarted().await;
    again.pass(60).await;
    assert_eq!(again.task(after.task_id).await.state.status, TaskStatus::Completed);
}

/// Transfers of one task have a limit, and none of them holds up the polls of another's.
#[tokio::test(start_paused = true)]
async fn slow_transfers_keep_no_other_task_waiting() {
    let provider = ScriptedProvider::new().unwrap();
    let mut film = RunReport::new(RunId::new(ANY_RUN).unwrap(), RunStatus::Succeeded, "success");
    film.outputs = (0..5).map(|n| Output::file(OutputKind::Video, format!("https://b.example/{n}.mp4"))).collect();
    let mut note = film.clone();
    note.outputs = vec![Output::text("done")];
    let mut policy = Policy::default();
    policy.concurrency = 1;
    let shelf = Shelf::closed();
    let station = Station::builder()
        .provider(Arc::new(provider.clone()))
        .clock(Arc::new(TokioClock::starting_at(start())))
        .policy(policy.clone())
        .custody(shelf.clone())
        .build()
        .unwrap();
    station.refresh().await.unwrap();
    let handle = station.start().await.unwrap();
    let ada = station.as_caller(caller("ada"));
    provider.script().polls = [film].into();
    let slow = ada.run(request("film")).await.unwrap();
    while shelf.urls().is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    provider.script().polls = [note].into();
    let quick = ada.run(request("note")).await.unwrap();
    let quick = ada.wait(quick.task_id, Duration::from_secs(60)).await.unwrap();
    assert_eq!(quick.state.status, TaskStatus::Completed);
    assert_eq!(shelf.urls().len(), 2, "two transfers of a task at a time");
    tokio::time::sleep(policy.keep_timeout).await;
    let slow = ada.task(slow.task_id).await.unwrap();
    assert_eq!(slow.state.status, TaskStatus::Finalizing);
    assert_eq!(slow.state.keeping.unwrap().failure.unwrap().message, "The output did not arrive in time.");
    handle.shutdown(Duration::from_secs(1)).await.unwrap();
}
