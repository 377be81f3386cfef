use serde_json::json;
use stationthis_core::{JsonDoc, ProviderId, ToolId};

use super::*;

fn message(fields: Value) -> Message {
    let mut message = json!({ "message_id": 1, "chat": { "id": 1, "type": "private" } });
    message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(message).unwrap()
}

fn media(kind: &str, order: u8) -> Value {
    json!({ "type": "string", "format": "uri", "contentMediaType": kind, "x-stationthis": { "order": order } })
}

fn tool(properties: Value, required: &[&str]) -> ToolDefinition {
    let provider = ProviderId::new("p").unwrap();
    let mut tool = ToolDefinition::new(ToolId::for_key(&provider, "t").unwrap(), provider, "service", "Mix");
    tool.slug = "mix".to_owned();
    tool.input_schema =
        JsonDoc::from_value(&json!({ "type": "object", "properties": properties, "required": required }));
    tool
}

fn file(id: &str, mime: &str) -> Attachment {
    Attachment { file_id: id.to_owned(), mime: mime.to_owned(), bytes: None }
}

#[test]
fn a_message_has_its_largest_picture_or_its_file() {
    let sizes = json!([{ "file_id": "s", "file_size": 10 }, { "file_id": "l", "file_size": 99 }]);
    let photo = Attachment { bytes: Some(99), ..file("l", "image/jpeg") };
    assert_eq!(of(&message(json!({ "photo": sizes }))), [photo]);
    let png = json!({ "document": { "file_id": "d", "mime_type": "Image/PNG" } });
    assert_eq!(of(&message(png)), [file("d", "image/png")]);
    let gif = json!({ "file_id": "a", "mime_type": "video/mp4" });
    assert_eq!(of(&message(json!({ "animation": gif, "document": gif }))), [file("a", "video/mp4")]);
    assert_eq!(of(&message(json!({ "voice": { "file_id": "v" } }))), [file("v", "audio/ogg")]);
    assert_eq!(of(&message(json!({ "text": "x" }))), []);
}

#[test]
fn files_go_to_what_is_needed_first_in_order() {
    let properties = json!({
        "mask": media("image/*", 0), "first": media("image/*", 1), "second": media("image/*", 2),
        "film": media("video/*", 3), "prompt": { "type": "string" },
    });
    let tool = tool(properties, &["first", "second"]);
    let check = |inputs: Value, files: &[(&str, &str)], expected: std::result::Result<&[(&str, &str)], &str>| {
        let files = files.iter().map(|(id, mime)| file(id, mime)).collect();
        let assigned = assign(&tool, inputs.as_object().unwrap(), files);
        let assigned = assigned.map(|all| all.into_iter().map(|(name, file)| (name, file.file_id)).collect::<Vec<_>>());
        let expected = expected
            .map(|all| all.iter().map(|(name, id)| ((*name).to_owned(), (*id).to_owned())).collect())
            .map_err(str::to_owned);
        assert_eq!(assigned, expected);
    };
    let jpeg = |id| (id, "image/jpeg");
    check(json!({}), &[jpeg("a"), jpeg("b"), jpeg("c")], Ok(&[("first", "a"), ("second", "b"), ("mask", "c")]));
    check(json!({}), &[("f", "video/mp4"), jpeg("a")], Ok(&[("film", "f"), ("first", "a")]));
    check(json!({ "first": "https://a.example/x.png" }), &[jpeg("a")], Ok(&[("second", "a")]));
    let four = [jpeg("a"), jpeg("b"), jpeg("c"), jpeg("d")];
    check(json!({}), &four, Err("mix takes no file of the kind image more than 3."));
    check(json!({}), &[("x", "audio/ogg")], Err("mix takes no file of the kind audio."));
    check(json!({}), &[("x", "")], Err("mix takes no file."));
}

#[test]
fn a_list_takes_all_and_a_tool_without_files_none() {
    let images = json!({ "type": "array", "items": media("image/*", 0) });
    let list = tool(json!({ "images": images }), &[]);
    let files = vec![file("a", "image/jpeg"), file("b", "image/png")];
    let names: Vec<String> = assign(&list, &Map::new(), files.clone()).unwrap().into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["images", "images"]);
    let none = tool(json!({ "prompt": { "type": "string" } }), &[]);
    assert_eq!(assign(&none, &Map::new(), files).unwrap_err(), "mix takes no files.");
}
