//! One input as a property of the schema.

use super::Class;
use crate::wire::given::Given;
use crate::wire::graph::{Fields, Node};
use serde_json::{Map, Number, Value, json};
use stationthis_core::JsonDoc;
use stationthis_core::tool::validate::InputValidator;

/// The property, and whether the run fails without it.
pub(super) struct Property {
    pub(super) schema: Value,
    pub(super) required: bool,
}

/// The default upper end of a seed node.
const SEED_MAX: i64 = 4_294_967_295;

/// The most choices of an enumeration: an input with more is as good as free text.
const CHOICES_MAX: usize = 1000;

/// The property of a node's input, the `order`th of its tool.
pub(super) fn of(node: &Node, class: Class, name: &str, order: usize) -> Property {
    let fields = &node.inputs;
    let mut schema = body(fields, class);
    schema.insert("title".to_owned(), fields.display_name.text().unwrap_or(name).into());
    if let Some(description) = fields.description.text() {
        schema.insert("description".to_owned(), description.into());
    }
    let mut hints = json!({ "order": order, "kind": kind(class, name) });
    let meta = node.meta.as_ref();
    if let Some(group) = meta.and_then(|m| m.cd_group_name.as_ref().or(m.cd_input_group_id.as_ref())) {
        put(&mut hints, "group", group.as_str());
    }
    if let Some(step) = number(&fields.step).filter(|_| matches!(class, Class::Slider | Class::SliderInt)) {
        put(&mut hints, "step", step);
    }
    schema.insert("x-stationthis".to_owned(), hints);
    let required = is_media(class) && schema.get("default").is_none() && !has_fallback(fields);
    Property { schema: Value::Object(schema), required }
}

fn body(fields: &Fields, class: Class) -> Map<String, Value> {
    let value = match class {
        Class::Text | Class::Realtime => {
            with_default(json!({ "type": "string" }), fields.default_value.value(), Value::is_string)
        }
        Class::Image => media("image/*", &fields.default_value_url),
        Class::ImageBatch => batch(fields),
        Class::Number => with_default(json!({ "type": "number" }), fields.default_value.value(), Value::is_number),
        // The node reads digits only: a minus sign makes it take its default.
        Class::NumberInt => integer(fields, 0, None),
        Class::Slider => slider(fields),
        Class::SliderInt => {
            integer(fields, whole(&fields.min_value).unwrap_or(0), Some(whole(&fields.max_value).unwrap_or(10)))
        }
        // Everything outside the node's own range, −1 above all, means "a random one".
        Class::Seed => integer(fields, -1, Some(whole(&fields.max_value).unwrap_or(SEED_MAX))),
        Class::Boolean => with_default(json!({ "type": "boolean" }), fields.default_value.value(), Value::is_boolean),
        Class::Choice => choice(fields),
        Class::Lora => text_of([&fields.lora_url, &fields.default_lora_name]),
        Class::Checkpoint => text_of([&fields.default_value, &Given::Absent]),
        Class::FaceModel => text_of([&fields.face_model_url, &fields.default_face_model_name]),
        Class::Video => media("video/*", &fields.default_value_url),
        Class::Audio => media("audio/*", &fields.audio_file),
        Class::Exr => media("image/x-exr", &fields.exr_file),
        Class::File => media("*/*", &fields.file_url),
        Class::Color => json!({ "type": "array", "minItems": 1, "items": {
            "type": "object",
            "properties": { "r": channel(), "g": channel(), "b": channel() },
            "required": ["r", "g", "b"],
        } }),
        Class::Unknown => json!({ "type": ["string", "number", "boolean"] }),
    };
    match value {
        Value::Object(map) => map,
        // Every arm above makes an object.
        _ => Map::new(),
    }
}

/// Sets a field of an object.
pub(super) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

fn channel() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": 255 })
}

fn with_default(mut schema: Value, default: Option<Value>, fits: fn(&Value) -> bool) -> Value {
    // No input may hold U+0000.
    let sendable = |value: &Value| value.as_str().is_none_or(|text| !text.contains('\0'));
    if let Some(default) = default.filter(|value| fits(value) && sendable(value)) {
        put(&mut schema, "default", default);
    }
    schema
}

/// A text whose default is the first of two fields that says something.
fn text_of(defaults: [&Given; 2]) -> Value {
    let default = defaults.into_iter().find_map(Given::text);
    with_default(json!({ "type": "string" }), default.map(Value::from), Value::is_string)
}

/// A file by URL. A default that is not one (a file name on the machine) stays the node's own affair.
fn media(content_type: &str, default: &Given) -> Value {
    let schema = json!({ "type": "string", "format": "uri", "contentMediaType": content_type });
    let default = default.text().map(Value::from).filter(|default| is_taken(&schema, default));
    with_default(schema, default, Value::is_string)
}

fn batch(fields: &Fields) -> Value {
    let schema = json!({
        "type": "array",
        "items": { "type": "string", "format": "uri", "contentMediaType": "image/*" },
    });
    let default = fields.images.text().and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    let default = default.filter(|urls| !urls.is_empty()).map(Value::from).filter(|urls| is_taken(&schema, urls));
    with_default(schema, default, Value::is_array)
}

/// Would it be taken as a file? Asked of the one that checks inputs, so that no default is stated that it refuses.
fn is_taken(schema: &Value, default: &Value) -> bool {
    let tool = JsonDoc::from_value(&json!({ "type": "object", "properties": { "file": schema } }));
    let inputs = Map::from_iter([("file".to_owned(), default.clone())]);
    InputValidator::compile(&tool).is_ok_and(|validator| validator.check(&inputs).is_ok())
}

fn integer(fields: &Fields, minimum: i64, maximum: Option<i64>) -> Value {
    let mut schema = json!({ "type": "integer" });
    let highest = maximum.unwrap_or(i64::MAX);
    if minimum <= highest {
        put(&mut schema, "minimum", minimum);
        maximum.into_iter().for_each(|m| put(&mut schema, "maximum", m));
    }
    let default = whole(&fields.default_value).filter(|d| (minimum..=highest).contains(d));
    with_default(schema, default.map(Value::from), Value::is_i64)
}

fn slider(fields: &Fields) -> Value {
    let minimum = fields.min_value.as_f64().unwrap_or(0.0);
    let maximum = fields.max_value.as_f64().unwrap_or(1.0);
    let mut schema = json!({ "type": "number" });
    if minimum <= maximum {
        put(&mut schema, "minimum", number(&fields.min_value).unwrap_or_else(|| 0.into()));
        put(&mut schema, "maximum", number(&fields.max_value).unwrap_or_else(|| 1.into()));
    }
    let fits = fields.default_value.as_f64().is_some_and(|d| d >= minimum && d <= maximum);
    let default = number(&fields.default_value).filter(|_| fits);
    with_default(schema, default.map(Value::Number), Value::is_number)
}

fn choice(fields: &Fields) -> Value {
    let listed = fields.options.text().and_then(|text| serde_json::from_str::<Vec<Given>>(text).ok());
    let mut choices: Vec<String> = Vec::new();
    for option in listed.iter().flatten() {
        let text = match option {
            Given::Text(text) => text.clone(),
            Given::Number(number) => number.to_string(),
            _ => continue,
        };
        if !choices.contains(&text) {
            choices.push(text);
        }
    }
    let default = fields.default_value.text();
    if choices.is_empty() || choices.len() > CHOICES_MAX {
        return with_default(json!({ "type": "string" }), default.map(Value::from), Value::is_string);
    }
    let default = default.filter(|d| choices.iter().any(|c| c == d)).map(Value::from);
    with_default(json!({ "type": "string", "enum": choices }), default, Value::is_string)
}

/// A number as it stands in the graph (1 stays 1, not 1.0).
fn number(given: &Given) -> Option<Number> {
    match given {
        Given::Number(number) => Some(number.clone()),
        other => Number::from_f64(other.as_f64()?),
    }
}

/// A whole number; `20.0` is one.
fn whole(given: &Given) -> Option<i64> {
    let number = number(given)?;
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9.0e15)?;
    // Whole and in range by the filter.
    #[allow(clippy::cast_possible_truncation)]
    Some(float as i64)
}

const fn is_media(class: Class) -> bool {
    matches!(class, Class::Image | Class::ImageBatch | Class::Video | Class::Audio | Class::Exr)
}

/// Whether a media node has something to go by: a link, or a file that is on the machine.
fn has_fallback(fields: &Fields) -> bool {
    let given =
        [&fields.default_value, &fields.default_video, &fields.default_value_url, &fields.audio_file, &fields.exr_file];
    fields.default_value.is_link()
        || fields.default_image.is_link()
        || given.into_iter().any(|field| field.text().is_some())
}

/// Graphs made before there was a seed node have a plain number of that name.
fn kind(class: Class, name: &str) -> &'static str {
    let name = name.to_lowercase();
    let seed = name == "seed" || name.ends_with("_seed") || name.ends_with(" seed");
    if matches!(class, Class::NumberInt | Class::SliderInt) && seed { Class::Seed.kind() } else { class.kind() }
}
