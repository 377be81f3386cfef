//! A service that answers a submission with its result: nobody can be asked afterwards.

use std::sync::Arc;
use std::time::Duration;

use stationthis_core::cost::{RateCard, RateKey, Unit, Usage, UsageBasis};
use stationthis_core::error::FailureRecord;
use stationthis_core::provider::Submission;
use stationthis_core::store::MemoryStore;
use stationthis_core::task::output::Output;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::testkit::ScriptedProvider;
use stationthis_core::tool::{CostingModel, ExactlyOnce, Execution};
use stationthis_core::{Effect, Error, ErrorKind, TaskStatus};

use crate::bench::{Bench, report};

async fn bench() -> Bench {
    let provider = ScriptedProvider::new().unwrap().with_exactly_once(ExactlyOnce::None);
    let mut tool = provider.tool().unwrap();
    tool.execution = Execution::Immediate;
    tool.costing_model = CostingModel::PerCredit;
    let card =
        RateCard::new("test").with(RateKey::Resource("scripted".to_owned()), "0.005".parse().unwrap(), Unit::Credit);
    Bench::over(Arc::new(MemoryStore::new()), provider.offering(tool, card)).await
}

fn answer(report: RunReport) -> stationthis_core::Result<Submission> {
    let mut submission = Submission::new(report.run_id.clone());
    submission.report = Some(report);
    Ok(submission)
}

#[tokio::test]
async fn the_answer_is_the_end() {
    let credits = |n: i64| Some(Usage::of(Unit::Credit, n.into(), UsageBasis::Reported));
    let mut said = report(RunStatus::Succeeded);
    (said.outputs, said.usage) = (vec![Output::text("spoken")], credits(3));
    let mut nothing = report(RunStatus::Succeeded);
    nothing.usage = credits(3);
    let mut failed = report(RunStatus::Failed);
    (failed.failure, failed.usage) = (Some(FailureRecord::new("policy", "Not that.")), credits(0));
    let cases = [
        (said, TaskStatus::Completed, None, "0.015000000"),
        (nothing, TaskStatus::Failed, Some("noOutput"), "0.015000000"),
        (failed, TaskStatus::Failed, Some("policy"), "0.000000000"),
    ];
    for (report, status, reason, cost) in cases {
        let bench = bench().await;
        bench.provider.script().submits = [answer(report)].into();
        let task = bench.run("x").await;
        bench.settle().await;
        bench.pass(15).await;
        let done = bench.task(task.task_id).await;
        assert_eq!(done.state.status, status);
        assert_eq!(done.state.status_reason.map(|reason| reason.code).as_deref(), reason);
        assert_eq!(done.state.cost_usd.unwrap().to_string(), cost);
        let calls = bench.provider.script().calls;
        assert_eq!((calls.submit, calls.poll), (1, 0), "nobody is asked");
    }
}

#[tokio::test]
async fn a_lost_answer_is_for_a_person_to_look_at() {
    let bench = bench().await;
    let lost = Error::new(ErrorKind::Timeout, "submit run").with_effect(Effect::Unknown);
    bench.provider.script().submits = [Err(lost)].into();
    let task = bench.run("x").await;
    bench.pass(60).await;
    assert_eq!(bench.task(task.task_id).await.state.status, TaskStatus::InDoubt);
    bench.clock.set(task.state.deadline_at.plus(Duration::from_secs(1)));
    bench.settle().await;
    let done = bench.task(task.task_id).await;
    assert_eq!((done.state.status, done.state.needs_review()), (TaskStatus::TimedOut, true));
    assert_eq!((done.state.cost_usd, done.state.settlement.unwrap().basis), (None, UsageBasis::Unknown));
    let calls = bench.provider.script().calls;
    assert_eq!((calls.submit, calls.poll, calls.lookup), (1, 0, 0));
}
