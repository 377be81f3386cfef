//! A message runs a tool once, however often it comes, and its answer comes whatever happens in between.

use std::time::Duration;

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_core::task::state::TaskStatus;

use super::{ANA, BEN, GROUP, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_edited_messages_run_nothing_again() {
    let scene = Scene::new(SimTiming::instant()).await;
    let id = scene.write(ANA.0, ANA, "/sdxl_portrait a fox");
    scene.said(ANA.0, id, 1).await;
    // The same message in other updates: delivered twice, and edited.
    let message = json!({
        "message_id": id, "date": 1_795_500_000, "chat": { "id": ANA.0, "type": "private" },
        "from": { "id": ANA.0, "is_bot": false, "first_name": "Ana" }, "text": "/sdxl_portrait a fox",
    });
    let mut edited = message.clone();
    edited["text"] = json!("/sdxl_portrait a hare");
    scene.fake.change(|state| {
        state.world.update("message", message.clone());
        state.world.update("edited_message", edited.clone());
        state.world.update("message", edited);
    });
    let after = scene.ask(ANA.0, ANA, "/status").await;
    assert!(after.contains("done in"), "{after}");
    let tasks = scene.tasks(ANA).await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(tasks[0].inputs_asked["prompt"], "a fox");
    assert_eq!(tasks[0].idempotency_key.as_ref().unwrap().as_str(), format!("telegram:77:{id}"));
    let answers = scene.fake.state().world.of_bot(ANA.0).filter(|said| said.reply_to == Some(id)).count();
    assert_eq!(answers, 2, "one status message and one result");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_an_event_that_its_task_names() {
    let scene = Scene::new(SimTiming::instant()).await;
    let id = scene.write(GROUP, BEN, "/sdxl_portrait a fox");
    scene.said(GROUP, id, 1).await;
    let task = scene.tasks(BEN).await.remove(0);
    let events = stationthis_host::user_events::UserEvents::new(scene.bench.app.station().clone());
    let event = events.get(&task.caller, task.initiating_event_id.as_deref().unwrap()).await.unwrap();
    assert_eq!((event.kind.as_str(), event.user_id.as_deref()), ("command", Some("78")));
    assert_eq!(event.payload["text"], "a fox");
    assert_eq!(scene.tasks(ANA).await, [], "what is run in a group is its runner's");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_confirmed_only_when_its_run_is_durable() {
    let Scene { fake, sim, bench, stop, serving } = Scene::new(SimTiming::instant()).await;
    // The bot goes on over a station that accepts nothing any more.
    let dir = bench.close().await;
    let id = fake.change(|state| state.world.write(ANA.0, ANA, "/sdxl_portrait a fox", json!({})));
    fake.until("the update to be given again", |state| (state.given >= 3).then_some(())).await;
    assert_eq!(fake.state().world.updates.len(), 1, "nobody has said that it is done");
    stop.cancel();
    serving.await.unwrap().unwrap();
    let scene = Scene::over(dir, fake, sim).await;
    scene.said(ANA.0, id, 1).await;
    assert_eq!(scene.tasks(ANA).await.len(), 1);
    scene.caught_up().await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_answer_and_goes_on_with_the_status_message() {
    let timing = SimTiming { cold_start: Duration::from_millis(1500), ..SimTiming::instant() };
    let scene = Scene::new(timing).await;
    let id = scene.write(ANA.0, ANA, "/sdxl_portrait a fox");
    let status = scene.said(ANA.0, id, 0).await;
    let (dir, fake, sim) = scene.stop().await;
    // The run goes on and ends while there is no host.
    let ends = async {
        while !sim.sim.books().runs.iter().all(|run| run.is_final()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ends).await.expect("the run ends");
    let scene = Scene::over(dir, fake, sim).await;
    let result = scene.said(ANA.0, id, 1).await;
    assert_eq!(result.shows, ["photo sdxl-portrait-0.png"]);
    let status = scene.reads(ANA.0, status.id, "done").await;
    assert_eq!(status.buttons, None, "nothing is left to cancel");
    assert_eq!(scene.tasks(ANA).await[0].state.status, TaskStatus::Completed);
    scene.end().await;
}
