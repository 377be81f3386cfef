//! A whole conversation, as `docs/telegram.md` shows it.

use serde_json::json;
use stationthis_comfydeploy::sim::SimTiming;

use super::{ANA, Scene};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/telegram.md");

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_as_the_docs_show_it() {
    let scene = Scene::new(SimTiming::instant()).await;
    let ana = ANA.0;
    for text in ["/start", "/tools portrait", "/help sdxl_portrait"] {
        scene.ask(ana, ANA, text).await;
    }
    let run = scene.write(ana, ANA, "/sdxl_portrait a red fox in snow steps=5");
    ended(&scene, run).await;
    scene.ask(ana, ANA, "/sdxl_portrait a red fox stepps=5 guidance=99").await;
    let photo = scene.fake.change(|state| state.world.picture("garden", b"\xff\xd8\xff\xe0 a garden"));
    let restyle = scene.write_more(ana, ANA, "/image_restyle as a woodcut", json!({ "photo": photo }));
    ended(&scene, restyle).await;
    let of = json!({ "message_id": restyle, "chat": { "id": ana, "type": "private" }, "photo": photo });
    let caption = scene.write_more(ana, ANA, "/caption_writer", json!({ "reply_to_message": of }));
    ended(&scene, caption).await;
    scene.ask(ana, ANA, "/status").await;
    scene.ask(ana, ANA, "/cost").await;
    scene.ask(ana, ANA, "what else?").await;

    let text = plain(&scene.fake.state().world.transcript());
    let page = std::fs::read_to_string(PAGE).unwrap();
    let shown = page.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap_or_default();
    assert!(shown == text.trim_end(), "docs/telegram.md shows another conversation than this:\n{text}");
    scene.end().await;
}

/// The result is there, and the status message says so.
async fn ended(scene: &Scene, command: i64) {
    let status = scene.said(ANA.0, command, 0).await;
    scene.said(ANA.0, command, 1).await;
    scene.reads(ANA.0, status.id, "done").await;
}

/// Without what differs from run to run: amounts, times and ids.
fn plain(transcript: &str) -> String {
    let mut text = String::new();
    for line in transcript.lines() {
        let mut line = line.to_owned();
        for (start, until, put) in [("Cost: $", ". ", "0.000152"), (" done in ", " s", "1.2"), ("task ", ")", "01a2…")]
        {
            line = replaced(&line, start, until, put);
        }
        // Sums of such amounts, and the months.
        if line.contains(" task") && line.contains(": $") {
            let sum = if line.contains(", 3 tasks") { "0.000456" } else { "0.000152" };
            line = replaced(&replaced(&line, ": $", ",", sum), "    20", ":", "26-11");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What stands between `start` and `until`, or the end of the line but for a full stop, as `put`.
fn replaced(line: &str, start: &str, until: &str, put: &str) -> String {
    let Some((before, rest)) = line.split_once(start) else { return line.to_owned() };
    let end = rest.find(until).unwrap_or(rest.trim_end_matches('.').len());
    format!("{before}{start}{put}{}", &rest[end..])
}
