//! SIGTERM.

use std::time::{Duration, Instant};

use stationthis_comfydeploy::sim::{Misbehaviour, SimTiming};
use stationthis_core::TaskStatus;
use stationthis_core::task::event::Event;
use stationthis_host::app::SHUTDOWN_GRACE;

use crate::case::{Case, End};
use crate::check;
use crate::scene::{Machine, Scene, timing};

fn unheard() -> Misbehaviour {
    Misbehaviour { hooks_lost: 1.0, ..Misbehaviour::default() }
}

/// Starts the one task, waits for `status` and stops the host; its task, and how long the stop took.
async fn stopped_at(scene: &Scene, status: &str) -> (String, Duration) {
    let acts = async {
        let host = scene.host(None);
        let task = scene.run().await;
        let id = task["taskId"].as_str().unwrap().to_owned();
        scene.reached(&id, status).await;
        let began = Instant::now();
        assert!(host.terminate().await, "{}", scene.log());
        (id, began.elapsed())
    };
    scene.play("a stop", acts).await
}

/// The next host brings the task to its right end.
async fn finished(scene: &Scene, id: &str) {
    let acts = async {
        let host = scene.host(None);
        assert_eq!(scene.run().await["taskId"], id, "the same key finds the same task");
        scene.ended(id).await;
        assert!(host.terminate().await, "{}", scene.log());
        check::all(&Case::new(&[], scene.machine, End::Completed), scene, id).await;
    };
    scene.play("the start after a stop", acts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_a_run_is_going_is_clean_and_the_next_start_finishes_it() {
    let slow = SimTiming { per_node: Duration::from_millis(300), ..timing() };
    let scene = Scene::new(Machine::Serverless, slow, unheard()).await;
    let (id, took) = stopped_at(&scene, "running").await;
    assert!(took < SHUTDOWN_GRACE, "{took:?} with nothing to wait for");
    assert!(!scene.books().runs.iter().all(|run| run.is_final()), "the run goes on without us");
    finished(&scene, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_the_answer_to_a_submission() {
    let slow = Misbehaviour { queue_slow: Some(Duration::from_secs(2)), ..unheard() };
    let scene = Scene::new(Machine::Serverless, timing(), slow).await;
    let (id, _) = stopped_at(&scene, "submitting").await;
    let kept = scene.kept().await;
    assert_eq!(kept.tasks.first().unwrap().state.status, TaskStatus::Queued);
    assert!(!kept.events.iter().any(|event| matches!(event.what, Event::SubmitLost { .. })));
    finished(&scene, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_outlasts_the_stop_is_looked_up_by_the_next_start() {
    let slow = Misbehaviour { queue_slow: Some(Duration::from_secs(60)), ..unheard() };
    let scene = Scene::new(Machine::Classic, timing(), slow).await;
    let (id, took) = stopped_at(&scene, "submitting").await;
    // Once for the requests of clients, once for the work.
    assert!(took < 2 * SHUTDOWN_GRACE + Duration::from_secs(2), "{took:?}");
    finished(&scene, &id).await;
}
