//! Cancelling on the service's two kinds of machines.

use std::time::Duration;

use stationthis_comfydeploy::sim::Misbehaviour;
use stationthis_core::TaskStatus;
use stationthis_core::task::state::CancelOutcome;

use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serverless_run_is_cancelled_even_when_no_webhook_tells_of_it() {
    let rig = Rig::new().await;
    rig.misbehave(Misbehaviour { stuck_running: true, lost_cancelled: true, ..Misbehaviour::default() });
    let task = rig.run("text-to-image").await;
    rig.cancel_once_submitted(&task).await;
    let (done, _) = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Cancelled, "{:?}", done.state.cancel);
    assert_eq!(done.state.cancel.unwrap().outcome, CancelOutcome::Accepted);
    assert_eq!(rig.books_of(&task)[0].status, "cancelled");
    rig.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_cancel_leaves_the_run_going_and_says_so() {
    let rig = Rig::new().await;
    let long = Some(Duration::from_millis(600));
    rig.misbehave(Misbehaviour { cancel_500: true, cold_start_long: long, ..Misbehaviour::default() });
    let task = rig.run("text-to-image").await;
    rig.cancel_once_submitted(&task).await;
    let (done, _) = rig.end_of(&task).await;
    assert_eq!(done.state.status, TaskStatus::Completed);
    let cancel = done.state.cancel.unwrap();
    assert_eq!(cancel.outcome, CancelOutcome::Refused, "{cancel:?}");
    rig.close().await;
}
