//! Who is served, where, and as whom.

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_core::task::state::TaskStatus;

use super::fake::USERNAME;
use super::rules::Refusal;
use super::{ANA, BEN, EVE, GROUP, Scene, TOPIC, slow};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_chat_is_turned_away_once_and_hears_nothing_more() {
    let scene = Scene::new(SimTiming::instant()).await;
    let first = scene.write(EVE.0, EVE, "/sdxl_portrait a fox");
    let said = scene.said(EVE.0, first, 0).await;
    assert_eq!(said.text, "This bot serves a closed circle. Its operator can add this chat: 79.");
    scene.write(EVE.0, EVE, "/tools");
    scene.write(EVE.0, EVE, "please");
    scene.caught_up().await;
    let scene = scene.restart().await;
    scene.write(EVE.0, EVE, "/start");
    scene.caught_up().await;
    scene.ask(ANA.0, ANA, "/status").await;
    assert_eq!(scene.fake.state().world.of_bot(EVE.0).count(), 1);
    assert_eq!(scene.tasks(EVE).await, []);
    assert_eq!(scene.sim.sim.books().runs.len(), 0);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_group_it_answers_commands_of_its_own_in_their_topic() {
    let scene = Scene::new(SimTiming::instant()).await;
    let topic = json!({ "message_thread_id": TOPIC, "is_topic_message": true });
    scene.write(GROUP, ANA, "hello everybody");
    scene.write(GROUP, ANA, "/sdxl_portrait@other_bot a fox");
    scene.write(GROUP, ANA, "/weather");
    let bot = json!({ "from": { "id": 5, "is_bot": true, "first_name": "Bot" } });
    scene.write_more(GROUP, ANA, "/tools", bot);
    let mine = format!("/SDXL_Portrait@{} a fox", USERNAME.to_uppercase());
    let run = scene.write_more(GROUP, ANA, &mine, topic.clone());
    let result = scene.said(GROUP, run, 1).await;
    assert_eq!((result.thread, result.shows.len()), (Some(TOPIC), 1));
    let said: Vec<_> = scene.fake.state().world.of_bot(GROUP).map(|said| (said.reply_to, said.thread)).collect();
    assert_eq!(said, [(Some(run), Some(TOPIC)); 2], "and of nothing else it took notice");
    // The topic is closed while a task runs: its answer comes outside.
    scene.fake.change(|state| state.world.open(GROUP, "supergroup").topics.clear());
    let gone = scene.write_more(GROUP, ANA, "/tools", topic);
    assert_eq!(scene.said(GROUP, gone, 0).await.thread, None);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_owner_stops_a_task() {
    let scene = Scene::new(slow()).await;
    let run = scene.write(GROUP, ANA, "/sdxl_portrait a fox");
    let status = scene.said(GROUP, run, 0).await;
    let task = scene.tasks(ANA).await[0].task_id;
    let press = |who| scene.fake.change(|state| state.world.press(who, GROUP, status.id, "Cancel"));
    let answered =
        async |id: String| scene.fake.until("the press to be answered", |state| state.world.presses[&id].clone()).await;
    assert_eq!(answered(press(BEN)).await, "This task is not yours.");
    assert_eq!(answered(press(EVE)).await, "This task is not yours.");
    for text in [format!("/cancel {task}"), format!("/status {task}"), "/cancel nonsense".to_owned()] {
        assert_eq!(scene.ask(GROUP, BEN, &text).await, "You have no such task.", "{text}");
    }
    assert_eq!(scene.ask(GROUP, BEN, "/cancel").await, "None of your tasks is under way.");
    assert_eq!(scene.ask(GROUP, BEN, "/cost").await.split_once(": ").unwrap().1, "none of your tasks has ended yet.");
    assert!(scene.tasks(ANA).await[0].state.cancel.is_none(), "nothing of that was a wish of hers");
    assert!(scene.ask(GROUP, ANA, "/status").await.contains(&task.to_string()));

    assert_eq!(answered(press(ANA)).await, "Cancelling…");
    let end = scene.said(GROUP, run, 1).await;
    assert!(
        end.text.starts_with("sdxl-portrait was cancelled") && end.text.contains(&task.to_string()),
        "{}",
        end.text
    );
    assert_eq!(answered(press_again(&scene, &status.buttons)).await, "It has ended already.");
    assert_eq!(scene.tasks(ANA).await[0].state.status, TaskStatus::Cancelled);
    scene.reads(GROUP, status.id, "sdxl-portrait: cancelled").await;
    scene.end().await;
}

/// Somebody whose client still shows the button.
fn press_again(scene: &Scene, buttons: &Option<serde_json::Value>) -> String {
    let data = buttons.as_ref().unwrap()["inline_keyboard"][0][0]["callback_data"].clone();
    scene.fake.change(|state| {
        state.world.presses.insert("late".to_owned(), None);
        let from = json!({ "id": ANA.0, "is_bot": false, "first_name": "Ana" });
        let message = json!({ "message_id": 1, "date": 0, "chat": { "id": GROUP, "type": "supergroup" } });
        state.world.update("callback_query", json!({ "id": "late", "from": from, "message": message, "data": data }));
        "late".to_owned()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_stopped_by_a_reply_or_by_its_id() {
    let scene = Scene::new(slow()).await;
    let first = scene.write(ANA.0, ANA, "/sdxl_portrait a fox");
    let second = scene.write(ANA.0, ANA, "/sdxl_portrait a hare");
    let status = scene.said(ANA.0, first, 0).await;
    scene.said(ANA.0, second, 0).await;
    let which = scene.ask(ANA.0, ANA, "/cancel").await;
    assert!(which.starts_with("Which one?") && which.lines().count() == 3, "{which}");
    let of = json!({ "message_id": status.id, "chat": { "id": ANA.0, "type": "private" } });
    let cancel = scene.write_more(ANA.0, ANA, "/cancel", json!({ "reply_to_message": of }));
    let said = scene.said(ANA.0, cancel, 0).await.text;
    let tasks = scene.tasks(ANA).await;
    let fox = tasks.iter().find(|task| task.inputs_asked["prompt"] == "a fox").unwrap();
    assert_eq!(said, format!("Cancelling sdxl-portrait (task {}).", fox.task_id));
    scene.said(ANA.0, first, 1).await;
    assert!(scene.ask(ANA.0, ANA, "/cancel").await.starts_with("Cancelling"), "only one is left");
    scene.said(ANA.0, second, 1).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_the_operator_linked_acts_for_that_caller() {
    let scene = Scene::new(SimTiming::instant()).await;
    let ada = stationthis_core::CallerId::new("ada").unwrap();
    let users = stationthis_host::users::Users::new(scene.bench.app.station().clone());
    users.link(&ada, &stationthis_host::users::Identity::new("telegram", "77")).await.unwrap();
    let run = scene.write(ANA.0, ANA, "/sdxl_portrait a fox");
    scene.said(ANA.0, run, 1).await;
    let tasks = scene.bench.app.station().as_caller(ada).list(stationthis_core::store::TaskQuery::default()).await;
    assert_eq!(tasks.unwrap().tasks.len(), 1);
    assert_eq!(scene.tasks(ANA).await, []);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_tells_served_chats_alone() {
    let scene = Scene::new(SimTiming::instant()).await;
    let ask = async |address: &str| {
        let body = json!({ "notify": [{ "channel": "telegram", "address": address }] });
        scene.bench.post("/api/internal/run/sdxl-portrait?wait=30", &body).await
    };
    for (address, sentence) in [
        ("79", "The bot does not serve this chat."),
        ("@ana", "A Telegram address is CHAT, CHAT:THREAD or CHAT:THREAD:MESSAGE, in numbers."),
    ] {
        let (status, problem) = ask(address).await;
        assert_eq!((status.as_u16(), problem["detail"].as_str()), (422, Some(sentence)));
    }
    assert_eq!(ask("77").await.0, 200);
    let shown =
        scene.fake.until("the picture", |state| state.world.of_bot(ANA.0).next().map(|said| said.shows.clone()));
    assert_eq!(shown.await, ["photo sdxl-portrait-0.png"]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_moved_is_found_again() {
    let scene = Scene::new(slow()).await;
    let run = scene.write(GROUP, ANA, "/sdxl_portrait a fox");
    let status = scene.said(GROUP, run, 0).await;
    let new = -1_009_999;
    scene.fake.change(|state| {
        state.world.open(GROUP, "group").closed = Some(Refusal::migrated(new));
        state.world.open(new, "supergroup");
        // The supergroup has the messages of the group.
        let mut moved: Vec<_> = state.world.of_bot(GROUP).cloned().collect();
        moved.iter_mut().for_each(|said| said.chat = new);
        state.world.said.extend(moved);
    });
    scene.caller(ANA).cancel(scene.tasks(ANA).await[0].task_id).await.unwrap();
    let end = scene
        .fake
        .until("the end in the new group", |state| {
            state.world.of_bot(new).find(|said| said.text.contains("was cancelled") && said.id != status.id).cloned()
        })
        .await;
    assert_eq!(end.reply_to, None, "messages have other numbers there");
    // It is let in by its former id.
    let help = scene.write(new, BEN, "/help");
    scene.said(new, help, 0).await;
    let scene = scene.restart().await;
    let help = scene.write(new, BEN, "/help");
    scene.said(new, help, 0).await;
    scene.end().await;
}
