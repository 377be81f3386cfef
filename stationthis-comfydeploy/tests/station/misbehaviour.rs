//! Each fault of the service, one at a time: every task ends as it should, with one cost, one notice per target, and no
//! second run on the service's own books.

use stationthis_comfydeploy::sim::Misbehaviour;
use stationthis_core::TaskStatus;
use stationthis_core::task::event::Event;

use crate::rig::{Rig, delivered};

/// How a task ends under a fault, why, and how many runs the service then has.
fn expected(fault: &str) -> (TaskStatus, Option<&'static str>, usize) {
    use TaskStatus::{Completed, Failed, TimedOut};
    match fault {
        "duplicate_failed" | "run_fails" | "queue_500_no_run" => (Failed, Some("runFailed"), 1),
        "never_started" | "stuck_running" => (TimedOut, Some("deadline"), 1),
        "success_without_output" => (Failed, Some("noOutput"), 1),
        "provider_timeout" => (TimedOut, Some("providerTimeout"), 1),
        "queue_drop_request" => (Failed, Some("notSubmitted"), 0),
        "queue_refused_401" | "queue_refused_403" | "queue_refused_404" => (Failed, Some("refused"), 0),
        _ => (Completed, None, 1),
    }
}

async fn check(fault: &str, misbehaviour: Misbehaviour) {
    let rig = Rig::new().await;
    rig.misbehave(misbehaviour);
    let task = rig.run("text-to-image").await;
    let (done, events) = rig.end_of(&task).await;
    let (status, reason, runs) = expected(fault);
    let why = done.state.status_reason.as_ref();
    assert_eq!(done.state.status, status, "{fault}: {why:?} {:?}", done.state.doubt);
    assert_eq!(why.map(|r| r.code.as_str()), reason, "{fault}: {why:?}");
    assert_eq!(rig.books_of(&task).len(), runs, "{fault}: runs on the service's books");
    let settled = events.iter().filter(|e| matches!(e, Event::Settled { .. })).count();
    assert_eq!(settled, 1, "{fault}: settlements");
    assert_eq!(events.iter().filter(|e| delivered(e)).count(), 2, "{fault}: notices");
    let settlement = done.state.settlement.as_ref().unwrap();
    match (status, runs) {
        (TaskStatus::Completed, _) => {
            let seconds = settlement.amount.unwrap_or_default();
            let cost = stationthis_core::Usd::of(seconds, done.cost_rate.as_ref().unwrap().amount);
            // Without the service's times, who hears of the start after the end, or never, has measured nothing.
            let unheard = ["null_times", "lost_started"].contains(&fault)
                && settlement.amount.is_none()
                && settlement.bound_usd.is_some();
            assert!(unheard || (cost.is_some() && done.state.cost_usd == cost), "{fault}: {settlement:?}");
            assert!(done.state.counters.polls > 0, "{fault}: completed without having polled");
            assert!(!done.state.outputs.is_empty(), "{fault}: no outputs");
        }
        (_, 0) => assert_eq!(done.state.cost_usd, Some(stationthis_core::Usd::ZERO), "{fault}"),
        (_, _) => assert!(
            done.state.cost_usd.is_some() || settlement.bound_usd.is_some(),
            "{fault}: an unknown cost has a bound: {settlement:?}"
        ),
    }
    rig.close().await;
}

/// The cases of a share of the faults, so that four run at a time.
async fn check_share(nth: usize) {
    let all = Misbehaviour::named();
    assert!(all.len() >= 30, "the simulator lost its faults");
    for (fault, misbehaviour) in all.into_iter().skip(nth).step_by(4) {
        check(fault, misbehaviour).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_well_first_share() {
    check_share(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_well_second_share() {
    check_share(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_well_third_share() {
    check_share(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_ends_well_fourth_share() {
    check_share(3).await;
}
