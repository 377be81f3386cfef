use super::*;
use serde_json::json;

fn outputs(rows: Value) -> Vec<Output> {
    let rows: Vec<OutputRow> = serde_json::from_value(rows).unwrap();
    convert(&rows)
}

fn check_item(key: &str, item: Value, kind: OutputKind, mime: Option<&str>) {
    let outputs = outputs(json!([{ "data": { key: [item] }, "node_meta": { "node_id": 7 } }]));
    assert_eq!(outputs.len(), 1, "{key}");
    assert_eq!((outputs[0].kind, outputs[0].mime.as_deref()), (kind, mime), "{outputs:?}");
    assert_eq!(outputs[0].node_id.as_deref(), Some("7"));
}

#[test]
fn the_kind_comes_from_what_the_file_is_not_from_where_it_stands() {
    let file = |name: &str| json!({ "url": format!("https://b/{name}?sig=1"), "filename": name, "type": "output" });
    check_item("images", file("a.png"), OutputKind::Image, Some("image/png"));
    check_item("files", file("a.mp4"), OutputKind::Video, Some("video/mp4"));
    check_item("files", file("a.wav"), OutputKind::Audio, Some("audio/wav"));
    check_item("files", file("a.glb"), OutputKind::Model3d, Some("model/gltf-binary"));
    check_item("text_file", file("a.txt"), OutputKind::File, Some("text/plain"));
    check_item("gifs", file("a.gif"), OutputKind::Image, Some("image/gif"));
    check_item("gifs", json!({ "url": "https://b/noending" }), OutputKind::Video, None);
    check_item(
        "gifs",
        json!({ "url": "https://b/a.mp4", "format": "video/h264-mp4" }),
        OutputKind::Video,
        Some("video/mp4"),
    );
    check_item(
        "images",
        json!({ "url": "https://b/a", "content_type": "image/webp" }),
        OutputKind::Image,
        Some("image/webp"),
    );
    check_item("mesh", json!({ "url": "https://b/a.bin" }), OutputKind::Model3d, None);
    check_item(
        "files",
        json!({ "url": "https://b/a.mp4", "content_type": "application/octet-stream" }),
        OutputKind::Video,
        Some("video/mp4"),
    );
    check_item("result", json!("https://b/x.obj"), OutputKind::Model3d, Some("model/obj"));
    check_item("whatever", json!({ "url": "https://b/x.xyz" }), OutputKind::File, None);
}

#[test]
fn several_texts_are_several_outputs() {
    let outputs = outputs(json!([
        { "data": { "text": ["a fox in snow", "a cat"] }, "node_meta": { "node_id": "31" } },
        { "data": { "tags": ["1girl"] } },
        { "data": { "string": "alone" } },
    ]));
    let texts: Vec<_> = outputs.iter().map(|o| o.text.as_deref().unwrap()).collect();
    assert_eq!(texts, ["a fox in snow", "a cat", "1girl", "alone"]);
    assert_eq!(outputs.iter().map(|o| o.order).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn what_is_no_output_is_left_out() {
    let outputs = outputs(json!([
        { "data": { "images": [{ "url": "https://b/p.png", "type": "temp" }, { "filename": "x.png" }, null, 3, true, [1]] } },
        { "data": [{ "id": "1", "time": 0.1 }] },
        { "data": { "exception_type": "RuntimeError", "exception_message": "no", "node_id": "1" } },
        { "data": { "error": { "message": "no" } } },
        { "data": "text" },
        { "data": null },
        {},
    ]));
    assert_eq!(outputs, []);
}

#[test]
fn repeated_rows_count_once_and_rows_are_ordered_by_time() {
    let row = |name: &str, at: &str| json!({ "data": { "images": [{ "url": format!("https://b/{name}?X-Amz-Signature={at}"), "output_id": "hero" }] }, "created_at": at });
    let outputs = outputs(json!([
        row("b.png", "2026-11-23T22:11:05.000Z"),
        row("a.png", "2026-11-23T22:11:04.000Z"),
        row("b.png", "2026-11-23T22:11:06.000Z"),
    ]));
    let urls: Vec<_> = outputs.iter().map(|o| path_of(o.url.as_deref().unwrap())).collect();
    assert_eq!(urls, ["https://b/a.png", "https://b/b.png"]);
    assert_eq!(outputs[0].output_id.as_deref(), Some("hero"));
}

#[test]
fn output_nodes_tell_what_a_tool_gives() {
    for (class, kind) in [
        ("SaveImage", Some(OutputKind::Image)),
        ("PreviewImage", Some(OutputKind::Image)),
        ("SaveAnimatedWEBP", Some(OutputKind::Image)),
        ("VHS_VideoCombine", Some(OutputKind::Video)),
        ("SaveVideo", Some(OutputKind::Video)),
        ("SaveAudioMP3", Some(OutputKind::Audio)),
        ("SaveGLB", Some(OutputKind::Model3d)),
        ("ShowText|pysssss", Some(OutputKind::Text)),
        ("ComfyDeployOutputText", Some(OutputKind::File)),
        ("KSampler", None),
    ] {
        assert_eq!(node_kind(class), kind, "{class}");
    }
}
