//! Tools of every kind of input, and what people ask of them: good and bad.

use serde_json::{Value, json};

/// How the runs of a tool end.
pub enum Run {
    /// With a picture and a text.
    Well,
    /// With an error, in these words.
    Badly(&'static str),
}

/// A tool of the corpus.
pub struct Tool {
    /// Its key at its provider, and what requests call it.
    pub key: &'static str,
    /// What its author called it.
    pub name: &'static str,
    pub price: Price,
    pub run: Run,
    pub properties: Value,
    pub required: &'static [&'static str],
}

pub enum Price {
    PerSecond,
    PerRun,
    Free,
    Unknown,
}

/// What a person asks, in no face's spelling.
pub struct Ask {
    pub tool: &'static str,
    pub inputs: Vec<(&'static str, Given)>,
    pub end: End,
}

#[derive(Clone, Debug)]
pub enum Given {
    /// A value. A text that is no number stands for what a person types where a number belongs.
    Value(Value),
    /// A picture of the person's own.
    Picture,
}

/// What must come of it, on every face.
pub enum End {
    /// It runs with these inputs; `null` stands for the person's picture.
    Sent(Value),
    /// It is refused: pointer and sentence of each problem.
    Refused(&'static [(&'static str, &'static str)]),
    /// It is refused with a sentence about no input.
    Denied(&'static str),
}

const PICTURE: (&str, Given) = ("image", Given::Picture);

#[rustfmt::skip]
pub fn tools() -> Vec<Tool> {
    let text = |order: u8| json!({ "type": "string", "x-stationthis": { "kind": "text", "order": order } });
    let image = json!({ "type": "string", "format": "uri", "contentMediaType": "image/*" });
    vec![
        Tool { key: "draw", name: "L4 draw", price: Price::PerSecond, run: Run::Well, required: &["prompt"], properties: json!({
            "prompt": text(0),
            "style": { "type": "string", "default": "photo", "minLength": 3, "maxLength": 12 },
            "steps": { "type": "integer", "default": 20, "minimum": 1, "maximum": 60 },
            "guidance": { "type": "number", "default": 7.5, "exclusiveMinimum": 0, "maximum": 30 },
            "width": { "type": "integer", "default": 512, "multipleOf": 64 },
            "hires": { "type": "boolean", "default": false },
            "sampler": { "type": "string", "enum": ["euler", "ddim", "dpm++ 2m"], "default": "euler" },
            "size": { "enum": [512, 768], "default": 512 },
            "seed": { "type": ["integer", "null"], "default": null },
        }) },
        Tool { key: "lists", name: "Lists", price: Price::PerRun, run: Run::Well, required: &[], properties: json!({
            "caption": text(0),
            "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 3, "uniqueItems": true },
            "weights": { "type": "array", "items": { "type": "number", "maximum": 1 } },
            "extra": { "type": "object", "properties": { "depth": { "type": "integer" } }, "additionalProperties": false },
            "points": { "type": "array", "items": { "type": "array", "items": { "type": "number" } } },
            "any": { "type": ["string", "number"] },
        }) },
        Tool { key: "edit", name: "Edit a picture", price: Price::PerSecond, run: Run::Well, required: &["prompt", "image"], properties: json!({
            "prompt": text(0),
            "image": image,
            "strength": { "type": "number", "minimum": 0, "maximum": 1, "default": 0.5 },
        }) },
        Tool { key: "unicode", name: "Портрет ёжика 肖像", price: Price::Free, run: Run::Well, required: &["подсказка"], properties: json!({
            "подсказка": text(0),
            "размер": { "type": "integer", "minimum": 64, "maximum": 1024, "default": 256 },
            "出力": { "type": "string", "enum": ["写真", "絵"], "default": "絵" },
        }) },
        Tool { key: "surprise", name: "Surprise me", price: Price::PerRun, run: Run::Well, required: &[], properties: json!({}) },
        Tool { key: "blend", name: "Blend", price: Price::PerRun, run: Run::Well, required: &["pictures"], properties: json!({
            "pictures": { "type": "array", "items": image, "minItems": 1, "maxItems": 4 },
            "film": { "type": "string", "format": "uri", "contentMediaType": "video/*" },
            "sound": { "type": "string", "format": "uri", "contentMediaType": "audio/*" },
            "shape": { "type": "string", "format": "uri", "contentMediaType": "model/*" },
            "weights": { "type": "string", "format": "uri", "contentMediaType": "application/octet-stream" },
        }) },
        Tool { key: "scene", name: "Scene", price: Price::PerRun, run: Run::Well, required: &["camera"], properties: json!({
            "camera": { "type": "object", "properties": { "x": { "type": "number", "maximum": 9 } }, "required": ["x"] },
        }) },
        Tool { key: "broken", name: "Broken", price: Price::PerSecond, required: &[],
            run: Run::Badly("The machine ran out of memory."), properties: json!({ "prompt": text(0) }) },
        Tool { key: "unpriced", name: "Nobody knows", price: Price::Unknown, run: Run::Well, required: &[], properties: json!({
            "prompt": text(0),
        }) },
    ]
}

fn ask<const N: usize>(tool: &'static str, inputs: [(&'static str, Value); N], end: End) -> Ask {
    Ask { tool, inputs: inputs.map(|(name, value)| (name, Given::Value(value))).into(), end }
}

impl Ask {
    fn and(mut self, input: (&'static str, Given)) -> Self {
        self.inputs.push(input);
        self
    }
}

/// The inputs of `draw` as they are sent, with these besides a prompt.
fn drawn(prompt: &str, other: &Value) -> End {
    let mut sent = json!({
        "prompt": prompt, "style": "photo", "steps": 20, "guidance": 7.5, "width": 512, "hires": false,
        "sampler": "euler", "size": 512, "seed": null,
    });
    for (name, value) in other.as_object().unwrap() {
        sent[name] = value.clone();
    }
    End::Sent(sent)
}

pub fn asks() -> Vec<Ask> {
    [good(), bad()].into_iter().flatten().collect()
}

#[rustfmt::skip]
fn good() -> Vec<Ask> {
    let fox = || ("prompt", json!("a red fox in snow"));
    let drawn = |other: Value| drawn("a red fox in snow", &other);
    vec![
        ask("draw", [fox()], drawn(json!({}))),
        ask("draw", [fox(), ("steps", json!(1))], drawn(json!({ "steps": 1 }))),
        ask("draw", [fox(), ("steps", json!(60)), ("guidance", json!(0.25))], drawn(json!({ "steps": 60, "guidance": 0.25 }))),
        ask("draw", [fox(), ("guidance", json!(30)), ("width", json!(1024))], drawn(json!({ "guidance": 30, "width": 1024 }))),
        ask("draw", [fox(), ("hires", json!(true))], drawn(json!({ "hires": true }))),
        ask("draw", [fox(), ("hires", json!(false))], drawn(json!({}))),
        ask("draw", [fox(), ("sampler", json!("dpm++ 2m")), ("size", json!(768))], drawn(json!({ "sampler": "dpm++ 2m", "size": 768 }))),
        ask("draw", [fox(), ("seed", json!(-42))], drawn(json!({ "seed": -42 }))),
        ask("draw", [fox(), ("seed", json!(null))], drawn(json!({}))),
        ask("draw", [fox(), ("style", json!("ink & wash"))], drawn(json!({ "style": "ink & wash" }))),
        ask("draw", [("prompt", json!("ёжик в тумане, 42 % 絵 🦔"))], self::drawn("ёжик в тумане, 42 % 絵 🦔", &json!({}))),
        ask("draw", [("prompt", json!("7"))], self::drawn("7", &json!({}))),
        ask("lists", [("tags", json!(["a", "b c", "d"]))], End::Sent(json!({ "tags": ["a", "b c", "d"] }))),
        ask("lists", [("weights", json!([0.5, -1, 1]))], End::Sent(json!({ "weights": [0.5, -1, 1] }))),
        ask("lists", [("extra", json!({ "depth": 3 }))], End::Sent(json!({ "extra": { "depth": 3 } }))),
        ask("draw", [("prompt", json!("a \"red\" fox\nin the snow"))], self::drawn("a \"red\" fox\nin the snow", &json!({}))),
        ask("lists", [("points", json!([[1, 2.5], [-3, 0]]))], End::Sent(json!({ "points": [[1, 2.5], [-3, 0]] }))),
        ask("lists", [("any", json!(1.5))], End::Sent(json!({ "any": 1.5 }))),
        ask("lists", [("any", json!("both ways")), ("tags", json!([]))], End::Sent(json!({ "any": "both ways", "tags": [] }))),
        ask("lists", [], End::Sent(json!({}))),
        ask("blend", [], End::Sent(json!({ "pictures": null }))).and(("pictures", Given::Picture)),
        ask("blend", [
                ("pictures", json!(["https://a.example/1.png", "http://b.example/2,3.jpg"])),
                ("film", json!("https://a.example/f.mp4")), ("sound", json!("https://a.example/s.mp3")),
                ("shape", json!("https://a.example/m.glb")), ("weights", json!("https://a.example/w.safetensors")),
            ], End::Sent(json!({
                "pictures": ["https://a.example/1.png", "http://b.example/2,3.jpg"], "film": "https://a.example/f.mp4",
                "sound": "https://a.example/s.mp3", "shape": "https://a.example/m.glb",
                "weights": "https://a.example/w.safetensors",
            }))),
        ask("scene", [("camera", json!({ "x": 1.5 }))], End::Sent(json!({ "camera": { "x": 1.5 } }))),
        ask("broken", [fox()], End::Sent(json!({ "prompt": "a red fox in snow" }))),
        ask("edit", [fox()], End::Sent(json!({ "prompt": "a red fox in snow", "image": null, "strength": 0.5 }))).and(PICTURE),
        ask("edit", [fox(), ("image", json!("https://a.example/b.png?c=d,e"))],
            End::Sent(json!({ "prompt": "a red fox in snow", "image": "https://a.example/b.png?c=d,e", "strength": 0.5 }))),
        ask("unicode", [("подсказка", json!("ёжик")), ("размер", json!(64)), ("出力", json!("写真"))],
            End::Sent(json!({ "подсказка": "ёжик", "размер": 64, "出力": "写真" }))),
        ask("surprise", [], End::Sent(json!({}))),
    ]
}

#[rustfmt::skip]
fn bad() -> Vec<Ask> {
    let fox = || ("prompt", json!("a red fox in snow"));
    vec![
        ask("draw", [("steps", json!(5))], End::Refused(&[("/prompt", "prompt is required.")])),
        ask("draw", [fox(), ("steps", json!(0))], End::Refused(&[("/steps", "steps must be at least 1; it is 0.")])),
        ask("draw", [fox(), ("steps", json!(61))], End::Refused(&[("/steps", "steps must be at most 60; it is 61.")])),
        ask("draw", [fox(), ("steps", json!(2.5))], End::Refused(&[("/steps", "steps must be of type integer; it is 2.5.")])),
        ask("draw", [fox(), ("steps", json!("many"))],
            End::Refused(&[("/steps", "steps must be of type integer; it is \"many\".")])),
        ask("draw", [fox(), ("guidance", json!(0))], End::Refused(&[("/guidance", "guidance must be more than 0; it is 0.")])),
        ask("draw", [fox(), ("width", json!(500))], End::Refused(&[("/width", "width must be a multiple of 64; it is 500.")])),
        ask("draw", [fox(), ("hires", json!("maybe"))],
            End::Refused(&[("/hires", "hires must be of type boolean; it is \"maybe\".")])),
        ask("draw", [fox(), ("sampler", json!("eular"))],
            End::Refused(&[("/sampler", "sampler must be one of \"euler\", \"ddim\", \"dpm++ 2m\"; it is \"eular\". Did you mean euler?")])),
        ask("draw", [fox(), ("size", json!(600))], End::Refused(&[("/size", "size must be one of 512, 768; it is 600.")])),
        ask("draw", [fox(), ("style", json!("ab"))],
            End::Refused(&[("/style", "style must have at least 3 characters; it has 2.")])),
        ask("draw", [fox(), ("style", json!("ёжик в тумане"))],
            End::Refused(&[("/style", "style must have at most 12 characters; it has 13.")])),
        ask("draw", [fox(), ("step", json!(5))],
            End::Refused(&[("/step", "there is no input step. Did you mean steps?")])),
        ask("draw", [fox(), ("gpu", json!("big"))], End::Refused(&[("/gpu", "there is no input gpu.")])),
        ask("draw", [("promt", json!("a fox")), ("steps", json!(99)), ("sampler", json!("lms"))], End::Refused(&[
            ("/prompt", "prompt is required."),
            ("/promt", "there is no input promt. Did you mean prompt?"),
            ("/sampler", "sampler must be one of \"euler\", \"ddim\", \"dpm++ 2m\"; it is \"lms\"."),
            ("/steps", "steps must be at most 60; it is 99."),
        ])),
        ask("lists", [("tags", json!(["a", "b", "c", "d"]))],
            End::Refused(&[("/tags", "tags must have at most 3 entries; it has 4.")])),
        ask("lists", [("tags", json!(["a", "a"]))], End::Refused(&[("/tags", "tags must not have the same entry twice.")])),
        ask("lists", [("weights", json!([0.5, 1.5]))],
            End::Refused(&[("/weights/1", "weights.1 must be at most 1; it is 1.5.")])),
        ask("lists", [("weights", json!([0.5, "heavy"]))],
            End::Refused(&[("/weights/1", "weights.1 must be of type number; it is \"heavy\".")])),
        ask("lists", [("extra", json!({ "deep": 3 }))], End::Refused(&[("/extra/deep", "there is no input extra.deep.")])),
        ask("edit", [fox()], End::Refused(&[("/image", "image is required.")])),
        ask("edit", [fox(), ("image", json!("http:///nowhere.png"))],
            End::Refused(&[("/image", "image must be a URL with a host.")])),
        ask("edit", [("strength", json!(1.5))], End::Refused(&[
            ("/prompt", "prompt is required."),
            ("/strength", "strength must be at most 1; it is 1.5."),
        ])).and(PICTURE),
        ask("unicode", [("размер", json!(2048))], End::Refused(&[
            ("/подсказка", "подсказка is required."),
            ("/размер", "размер must be at most 1024; it is 2048."),
        ])),
        ask("surprise", [("prompt", json!("a fox"))], End::Refused(&[("/prompt", "there is no input prompt.")])),
        ask("lists", [("any", json!({ "a": 1 }))],
            End::Refused(&[("/any", "any must be of type number or string; it is an object.")])),
        ask("lists", [("points", json!([[1, "x"]]))],
            End::Refused(&[("/points/0/1", "points.0.1 must be of type number; it is \"x\".")])),
        ask("blend", [("film", json!("https://a.example/f.mp4"))], End::Refused(&[("/pictures", "pictures is required.")])),
        ask("blend", [("pictures", json!(["https://a.example/1.png", "http://"]))],
            End::Refused(&[("/pictures/1", "pictures.1 must be a URL with a host.")])),
        ask("scene", [("camera", json!({ "x": 10 }))],
            End::Refused(&[("/camera/x", "camera.x must be at most 9; it is 10.")])),
        ask("unpriced", [], End::Denied("Nobody knows has no known price per second: give one for any of \
            tool:at-unpriced:unpriced in the rates file, or set unpriced = \"allow\".")),
    ]
}
