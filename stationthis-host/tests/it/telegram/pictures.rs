//! Pictures that people send, as inputs.

use serde_json::{Value, json};
use stationthis_comfydeploy::sim::SimTiming;
use stationthis_core::Timestamp;

use super::fake::TOKEN;
use super::{ANA, Scene};

/// What the service was given as the picture of its latest run, and the bytes behind it.
async fn given(scene: &Scene) -> Vec<u8> {
    let books = scene.sim.sim.books();
    let url = books.runs.last().unwrap().inputs["input_image"].as_str().unwrap().to_owned();
    assert!(!url.contains(&scene.fake.url), "the service is never sent to Telegram: {url}");
    assert!(books.requests.iter().all(|request| !format!("{request:?}").contains(TOKEN)), "nor does it see the token");
    scene.bench.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
}

fn photo(scene: &Scene, name: &str) -> Value {
    let bytes = [b"\xff\xd8\xff\xe0 ", name.as_bytes()].concat();
    scene.fake.change(|state| state.world.picture(name, &bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_with_the_command_below_it_is_an_input() {
    let scene = Scene::new(SimTiming::instant()).await;
    let run = scene.write_more(ANA.0, ANA, "/image_restyle as a woodcut", json!({ "photo": photo(&scene, "garden") }));
    assert_eq!(scene.said(ANA.0, run, 1).await.shows, ["photo image-restyle-0.png"]);
    assert_eq!(given(&scene).await, b"\xff\xd8\xff\xe0 garden");
    let task = scene.tasks(ANA).await.remove(0);
    assert_eq!(task.inputs_asked["prompt"], "as a woodcut");
    // It is hers alone, here.
    let uri = task.inputs_asked["input_image"].as_str().unwrap();
    let id = uri.rsplit(['/', ':']).next().unwrap();
    let files = scene.bench.app.files();
    assert_eq!(files.get(&task.caller, id, Timestamp::now()).unwrap().mime, "image/jpeg");
    let ben = stationthis_core::CallerId::new("telegram-78").unwrap();
    assert!(files.get(&ben, id, Timestamp::now()).is_err());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_a_picture_that_is_replied_to_and_a_file_of_that_kind() {
    let scene = Scene::new(SimTiming::instant()).await;
    let of = |photo| json!({ "message_id": 900, "chat": { "id": ANA.0, "type": "private" }, "photo": photo });
    let reply = json!({ "reply_to_message": of(photo(&scene, "street")) });
    let run = scene.write_more(ANA.0, ANA, "/caption_writer what is it?", reply);
    assert_eq!(scene.said(ANA.0, run, 1).await.shows, ["document caption-writer-0.txt"]);
    assert_eq!(given(&scene).await, b"\xff\xd8\xff\xe0 street");
    photo(&scene, "scan");
    let document = json!({ "document": { "file_id": "scan", "mime_type": "image/jpeg", "file_size": 7 } });
    let run = scene.write_more(ANA.0, ANA, "", document);
    assert!(scene.said(ANA.0, run, 0).await.text.starts_with("I only understand commands."));
    let document =
        json!({ "document": { "file_id": "scan", "mime_type": "image/jpeg" }, "caption": "/caption_writer" });
    let run = scene.write_more(ANA.0, ANA, "", document);
    scene.said(ANA.0, run, 1).await;
    assert_eq!(given(&scene).await, b"\xff\xd8\xff\xe0 scan");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_is_one_request_however_it_arrives() {
    let scene = Scene::new(SimTiming::instant()).await;
    let first = json!({ "photo": photo(&scene, "one"), "media_group_id": "album" });
    let second = json!({ "photo": photo(&scene, "two"), "media_group_id": "album" });
    let run = scene.write_more(ANA.0, ANA, "/image_restyle", first);
    scene.fake.until("the first part to be given", |state| (state.given > 0).then_some(())).await;
    scene.write_more(ANA.0, ANA, "", second);
    // Both were looked at together: one too many for this tool.
    assert_eq!(scene.said(ANA.0, run, 0).await.text, "image-restyle takes no file of the kind image more than 1.");
    scene.caught_up().await;
    assert_eq!(scene.tasks(ANA).await, []);
    assert_eq!(scene.fake.state().world.of_bot(ANA.0).count(), 1, "nothing is said to the other part");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_picture_is_said() {
    let scene = Scene::new(SimTiming::instant()).await;
    let none = scene.ask(ANA.0, ANA, "/image_restyle as a woodcut").await;
    assert_eq!(none, "input_image is required.\n/help image_restyle says what it takes.");
    let run = scene.write_more(ANA.0, ANA, "/sdxl_portrait", json!({ "photo": photo(&scene, "x") }));
    assert_eq!(scene.said(ANA.0, run, 0).await.text, "sdxl-portrait takes no files.");
    let huge = json!({ "caption": "/image_restyle",
        "document": { "file_id": "huge", "mime_type": "image/png", "file_size": 21_000_000 } });
    let run = scene.write_more(ANA.0, ANA, "", huge);
    assert!(scene.said(ANA.0, run, 0).await.text.starts_with("A bot can fetch files of 20 MB at most"));
    let lost = json!({ "photo": [{ "file_id": "lost" }] });
    let run = scene.write_more(ANA.0, ANA, "/image_restyle", lost);
    assert!(scene.said(ANA.0, run, 0).await.text.contains("Please send it again."));
    let bytes = scene.fake.change(|state| state.world.picture("words", b"plain words"));
    let run = scene.write_more(ANA.0, ANA, "/image_restyle", json!({ "photo": bytes }));
    let said = scene.said(ANA.0, run, 0).await.text;
    assert!(said.contains("by its content this is none"), "{said}");
    // The picture of a request that is refused stays until its end: another task may wait with the same one.
    let refused = json!({ "photo": photo(&scene, "fine") });
    let run = scene.write_more(ANA.0, ANA, "/image_restyle strength=9", refused);
    assert!(scene.said(ANA.0, run, 0).await.text.starts_with("strength must be at most"));
    let kept = std::fs::read_dir(scene.bench.dir.path().join("files")).unwrap().count();
    assert_eq!(kept, 2, "the picture and what is known of it");
    assert_eq!(scene.tasks(ANA).await, []);
    scene.end().await;
}
