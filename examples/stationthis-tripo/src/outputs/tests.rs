use super::*;
use serde_json::json;

fn read(output: Value) -> Vec<Output> {
    let output: BTreeMap<String, Value> = serde_json::from_value(output).unwrap();
    convert(Some(&output), Timestamp::from_micros(0))
}

fn keys(output: Value) -> Vec<String> {
    read(output).into_iter().map(|output| output.output_id.unwrap_or_default()).collect()
}

#[test]
fn the_model_comes_first_and_each_url_once() {
    let found = read(json!({
        "generated_image_url": "https://c.example/reference.png",
        "rendered_image_url": "https://c.example/p.webp?k=2",
        "rendered_video_url": "https://c.example/p.mp4",
        "model_urls": ["https://c.example/m.glb?k=9", "https://c.example/m.obj"],
        "model_url": "https://c.example/m.glb?k=1",
        "pbr_model": "https://c.example/pbr.glb",
        "base_model": "",
        "seg_model_url": null,
        "prompt": "a brass diving helmet",
    }));
    let urls: Vec<&str> = found.iter().filter_map(|output| output.url.as_deref()).collect();
    assert_eq!(
        urls,
        [
            "https://c.example/m.glb?k=1",
            "https://c.example/pbr.glb",
            "https://c.example/m.obj",
            "https://c.example/p.webp?k=2",
            "https://c.example/p.mp4",
        ]
    );
    assert_eq!(found.iter().map(|output| output.order).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_reference_picture_is_a_result_only_without_a_model() {
    assert_eq!(keys(json!({ "generated_image_url": "https://c/a.png" })), ["generated_image_url"]);
    assert_eq!(
        keys(json!({ "generated_image_url": "https://c/a.png", "model_url": "https://c/a.glb" })),
        ["model_url"]
    );
}

#[test]
fn four_views_come_flat_or_in_a_group() {
    let views = json!({ "front_view_url": "https://c/f.png", "left_view_url": "https://c/l.png" });
    assert_eq!(keys(views.clone()), ["front_view_url", "left_view_url"]);
    assert_eq!(keys(json!({ "generate_multiview_image": views })), ["front_view_url", "left_view_url"]);
    assert_eq!(keys(json!({ "image_urls": ["https://c/1.png", 5, "https://c/2.png"] })), ["image_urls", "image_urls"]);
}

#[test]
fn the_path_says_what_it_is() {
    use OutputKind::{File, Image, Model3d, Video};
    for (key, url, kind, mime) in [
        ("model_url", "https://c/a.glb?x=b.png", Model3d, Some("model/gltf-binary")),
        ("model_url", "https://c/a.FBX", Model3d, Some("application/octet-stream")),
        ("model_url", "https://c/a.3mf#x", Model3d, Some("model/3mf")),
        ("model_url", "https://c/a.zip", Model3d, Some("application/zip")),
        ("model_url", "https://c.glb", Model3d, None),
        ("model_url", "https://c/blob", Model3d, None),
        ("splat_url", "https://c/a.spz", Model3d, Some("application/octet-stream")),
        ("rendered_image_url", "https://c/a", Image, None),
        ("rendered_sequence_url", "https://c/a.zip", File, Some("application/zip")),
        ("rendered_video_url", "https://c/a", Video, None),
        ("multiview_basecolor_url", "https://c/a.jpg", Image, Some("image/jpeg")),
        ("mask_url", "https://c/a", Image, None),
        ("new_thing_url", "https://c/a", File, None),
    ] {
        let found = read(json!({ key: url }));
        assert_eq!((found[0].kind, found[0].mime.as_deref()), (kind, mime), "{key} {url}");
    }
}

#[test]
fn a_check_gives_what_it_found() {
    let found = read(json!({ "riggable": true, "rig_type": "biped", "topology": null }));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].json, Some(json!({ "riggable": true, "rig_type": "biped" })));
    assert_eq!(read(json!({ "riggable": { "a": 1 } })), []);
}

#[test]
fn what_is_no_url_is_no_output_and_there_is_an_end() {
    assert_eq!(read(json!({ "model_url": "file:///etc/passwd", "a_url": "javascript:1", "b_url": 5 })), []);
    assert_eq!(convert(None, Timestamp::from_micros(0)), []);
    let many: Vec<String> = (0..1000).map(|n| format!("https://c/{n}.glb")).collect();
    assert_eq!(read(json!({ "model_urls": many })).len(), OUTPUTS_MAX);
}
