//! The menu of commands follows the catalogue.

use std::time::Duration;

use stationthis_comfydeploy::sim::{SimDeployment, SimMachine, SimTiming, SimWorkflow};

use super::{ANA, Scene};

fn names(scene: &Scene) -> Vec<String> {
    scene.fake.state().commands.iter().map(|entry| entry["command"].as_str().unwrap().to_owned()).collect()
}

async fn has(scene: &Scene, command: &str, there: bool) {
    let shown = |state: &super::fake::State| state.commands.iter().any(|entry| entry["command"] == command) == there;
    let changed = scene.fake.until(command, |state| shown(state).then_some(()));
    tokio::time::timeout(Duration::from_secs(1), changed).await.expect("within a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_is_set_when_it_changes_and_only_then() {
    let scene = Scene::new(SimTiming::instant()).await;
    has(&scene, "sdxl_portrait", true).await;
    let first = names(&scene);
    assert_eq!(first[..7], ["tools", "help", "status", "cancel", "cost", "run", "start"]);
    assert!(first[7..].is_sorted(), "tools by name: {first:?}");
    let count = scene.fake.calls("setMyCommands").len();

    scene.bench.app.station().refresh().await.unwrap();
    let scene = scene.restart().await;
    scene.ask(ANA.0, ANA, "/status").await;
    scene.bench.app.station().refresh().await.unwrap();
    assert_eq!(scene.fake.calls("setMyCommands").len(), count, "it is as it was");

    let late = SimWorkflow::text_to_image("Late Arrival").deployed(SimDeployment::production(SimMachine::A10g));
    scene.sim.sim.add_workflow(late);
    scene.bench.app.station().refresh().await.unwrap();
    has(&scene, "late_arrival", true).await;
    let run = scene.write(ANA.0, ANA, "/late_arrival a fox");
    scene.said(ANA.0, run, 1).await;

    assert!(scene.sim.sim.rename_workflow("Late Arrival", "Later Arrival"));
    scene.bench.app.station().refresh().await.unwrap();
    has(&scene, "later_arrival", true).await;
    has(&scene, "late_arrival", false).await;
    let run = scene.write(ANA.0, ANA, "/late_arrival a hare");
    scene.said(ANA.0, run, 1).await;

    assert!(scene.sim.sim.remove_workflow("Later Arrival"));
    scene.bench.app.station().refresh().await.unwrap();
    has(&scene, "later_arrival", false).await;
    let gone = scene.ask(ANA.0, ANA, "/later_arrival a fox").await;
    assert!(gone.contains("later-arrival"), "{gone}");
    assert_eq!(names(&scene), first);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_menu_cannot_hold_runs_by_its_name() {
    let scene = Scene::new(SimTiming::instant()).await;
    for n in 0..100 {
        let name = format!("Series {n:03}");
        let workflow = SimWorkflow::text_to_image(&name).deployed(SimDeployment::production(SimMachine::A10g));
        scene.sim.sim.add_workflow(workflow);
    }
    // Its command would be one of the bot's own.
    let status = SimWorkflow::text_to_image("Status").deployed(SimDeployment::production(SimMachine::A10g));
    scene.sim.sim.add_workflow(status);
    scene.bench.app.station().refresh().await.unwrap();
    has(&scene, "series_050", true).await;
    assert_eq!(names(&scene).len(), 100);
    assert!(!names(&scene).contains(&"text_to_image".to_owned()));
    for text in ["/text_to_image a fox", "/run text-to-image a fox", "/run Status a fox", "/run /series_000 a fox"] {
        let run = scene.write(ANA.0, ANA, text);
        assert_eq!(scene.said(ANA.0, run, 1).await.shows.len(), 1, "{text}");
    }
    assert!(scene.ask(ANA.0, ANA, "/status").await.contains("done in"), "it is still the bot's own");
    let tools = scene.ask(ANA.0, ANA, "/tools status").await;
    assert_eq!(tools, "status – /status is a command of the bot itself. Use /run status instead.");
    let all = scene.ask(ANA.0, ANA, "/tools").await;
    assert!(all.encode_utf16().count() <= 4096 && all.contains("more. /tools WORD"), "{all}");
    scene.end().await;
}
