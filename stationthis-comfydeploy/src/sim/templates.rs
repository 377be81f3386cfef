//! The graphs of the demo workflows.

use super::graph::{Graph, link};
use serde_json::json;

/// Node and slot of the last model and clip in a chain.
#[derive(Debug, Clone, Copy)]
struct Model {
    model: (usize, u32),
    clip: (usize, u32),
    vae: (usize, u32),
}

/// A prompt, and what every sampler wants, to a picture.
pub(crate) fn text_to_image(name: &str) -> Graph {
    let mut g = Graph::default();
    let flux = name.to_lowercase().contains("flux");
    let prompt = g.external(
        "Text",
        "prompt",
        "Prompt",
        json!({ "default_value": "a lighthouse on a cliff at sunset, volumetric light",
                "description": "What to draw." }),
    );
    let negative =
        g.external("Text", "negative_prompt", "Negative prompt", json!({ "default_value": "blurry, watermark" }));
    let width = size(&mut g, "width", "Width", 768);
    let height = size(&mut g, "height", "Height", 512);
    let steps = g.external(
        "NumberSliderInt",
        "steps",
        "Steps",
        json!({ "default_value": if flux { 20 } else { 28 }, "min_value": 1, "max_value": 60,
                "step": 1 }),
    );
    let guidance = g.external(
        "NumberSlider",
        "guidance",
        "Guidance",
        json!({ "default_value": if flux { 3.5 } else { 6.5 }, "min_value": 0.0, "max_value": 20.0,
                "step": 0.1 }),
    );
    let sampler = g.external(
        "Enum",
        "sampler",
        "Sampler",
        json!({ "default_value": "euler",
                "options": "[\"euler\", \"dpmpp_2m\", \"ddim\"]" }),
    );
    let seed = seed(&mut g);
    let base = if flux { "flux1-dev.safetensors" } else { "sd_xl_base_1.0.safetensors" };
    let model = checkpoint(&mut g, base);
    let model = exposed_lora(&mut g, model);
    let positive = encode(&mut g, model, prompt);
    let negative = encode(&mut g, model, negative);
    let latent =
        g.node("EmptyLatentImage", json!({ "width": link(width, 0), "height": link(height, 0), "batch_size": 1 }));
    let sample = g.node(
        "KSampler",
        json!({ "model": link(model.model.0, model.model.1), "seed": link(seed, 0),
                "steps": link(steps, 0), "cfg": link(guidance, 0),
                "sampler_name": link(sampler, 0), "scheduler": "karras", "denoise": 1.0,
                "positive": link(positive, 0), "negative": link(negative, 0),
                "latent_image": link(latent, 0) }),
    );
    finish(&mut g, model, sample, "picture");
    g
}

/// A picture and a prompt to another picture.
pub(crate) fn image_to_image() -> Graph {
    let mut g = Graph::default();
    let image = g.external(
        "Image",
        "input_image",
        "Picture",
        json!({ "default_value_url": "", "description": "The picture to redraw." }),
    );
    let prompt =
        g.external("Text", "prompt", "Prompt", json!({ "default_value": "the same scene as an oil painting" }));
    let strength = g.external(
        "NumberSlider",
        "strength",
        "Strength",
        json!({ "default_value": 0.6, "min_value": 0.0, "max_value": 1.0, "step": 0.05 }),
    );
    let keep = g.external("Boolean", "keep_colors", "Keep the colours", json!({ "default_value": true }));
    let seed = seed(&mut g);
    let model = checkpoint(&mut g, "sd_xl_base_1.0.safetensors");
    let positive = encode(&mut g, model, prompt);
    let negative = g.node("ConditioningZeroOut", json!({ "conditioning": link(positive, 0) }));
    let matched = g.node("ColorMatch", json!({ "image": link(image, 0), "enabled": link(keep, 0), "method": "mkl" }));
    let latent = g.node("VAEEncode", json!({ "pixels": link(matched, 0), "vae": link(model.vae.0, model.vae.1) }));
    let sample = g.node(
        "KSampler",
        json!({ "model": link(model.model.0, model.model.1), "seed": link(seed, 0), "steps": 24,
                "cfg": 5.5, "sampler_name": "dpmpp_2m", "scheduler": "karras",
                "denoise": link(strength, 0), "positive": link(positive, 0),
                "negative": link(negative, 0), "latent_image": link(latent, 0) }),
    );
    finish(&mut g, model, sample, "restyled");
    g
}

/// A picture to a description of it.
pub(crate) fn caption() -> Graph {
    let mut g = Graph::default();
    let image = g.external("Image", "input_image", "Picture", json!({ "default_value_url": "" }));
    let question = g.external("TextAny", "question", "Question", json!({ "default_value": "Describe the picture." }));
    let length = g.external("NumberInt", "max_words", "Longest answer, in words", json!({ "default_value": 40 }));
    let model = g.node("Florence2ModelLoader", json!({ "model": "Florence-2-large" }));
    let run = g.node(
        "Florence2Run",
        json!({ "image": link(image, 0), "florence2_model": link(model, 0),
                "text_input": link(question, 0), "max_new_tokens": link(length, 0),
                "task": "more_detailed_caption" }),
    );
    g.node(
        "ComfyDeployOutputText",
        json!({ "text": link(run, 2), "output_id": "caption", "file_type": "txt",
                "filename_prefix": "caption" }),
    );
    g
}

/// A text-to-image graph of 30 to 60 nodes: the weight of a workflow as people really have them.
pub(crate) fn heavy(index: u32) -> Graph {
    let mut g = Graph::default();
    let prompt =
        g.external("Text", "prompt", "Prompt", json!({ "default_value": format!("study number {index}, soft light") }));
    let width = size(&mut g, "width", "Width", 512 + 64 * (index % 8));
    let height = size(&mut g, "height", "Height", 512);
    let seed = seed(&mut g);
    let mut model = checkpoint(&mut g, "sd_xl_base_1.0.safetensors");
    model = exposed_lora(&mut g, model);
    for n in 0..8 + index % 9 {
        model = lora(&mut g, model, json!(format!("style_{:02}.safetensors", (index + n) % 97)));
    }
    let positive = encode(&mut g, model, prompt);
    let zero = g.node("ConditioningZeroOut", json!({ "conditioning": link(positive, 0) }));
    let mut latent =
        g.node("EmptyLatentImage", json!({ "width": link(width, 0), "height": link(height, 0), "batch_size": 1 }));
    for pass in 0..3 + index % 6 {
        latent = g.node(
            "KSampler",
            json!({ "model": link(model.model.0, model.model.1), "seed": link(seed, 0),
                    "steps": 12 + pass, "cfg": 6.0, "sampler_name": "dpmpp_2m",
                    "scheduler": "karras", "denoise": 0.5, "positive": link(positive, 0),
                    "negative": link(zero, 0), "latent_image": link(latent, 0) }),
        );
        let pixels = g.node("VAEDecode", json!({ "samples": link(latent, 0), "vae": link(model.vae.0, model.vae.1) }));
        let scaled =
            g.node("ImageScaleBy", json!({ "image": link(pixels, 0), "upscale_method": "lanczos", "scale_by": 1.25 }));
        latent = g.node("VAEEncode", json!({ "pixels": link(scaled, 0), "vae": link(model.vae.0, model.vae.1) }));
    }
    finish(&mut g, model, latent, "picture");
    g
}

fn size(g: &mut Graph, id: &str, name: &str, default: u32) -> usize {
    g.external(
        "NumberSliderInt",
        id,
        name,
        json!({ "default_value": default, "min_value": 256, "max_value": 2048, "step": 8 }),
    )
}

fn seed(g: &mut Graph) -> usize {
    g.external("Seed", "seed", "Seed", json!({ "default_value": -1, "min_value": 1, "max_value": 4_294_967_295_u32 }))
}

fn checkpoint(g: &mut Graph, file: &str) -> Model {
    let id = g.node("CheckpointLoaderSimple", json!({ "ckpt_name": file }));
    Model { model: (id, 0), clip: (id, 1), vae: (id, 2) }
}

fn exposed_lora(g: &mut Graph, model: Model) -> Model {
    let file = g.external(
        "Lora",
        "lora",
        "LoRA",
        json!({ "default_lora_name": "film_grain.safetensors", "lora_save_name": "",
                "lora_url": "", "bearer_token": "" }),
    );
    lora(g, model, link(file, 0))
}

fn lora(g: &mut Graph, model: Model, file: serde_json::Value) -> Model {
    let id = g.node(
        "LoraLoader",
        json!({ "model": link(model.model.0, model.model.1), "lora_name": file,
                "clip": link(model.clip.0, model.clip.1), "strength_model": 0.8,
                "strength_clip": 0.8 }),
    );
    Model { model: (id, 0), clip: (id, 1), ..model }
}

fn encode(g: &mut Graph, model: Model, text: usize) -> usize {
    g.node("CLIPTextEncode", json!({ "text": link(text, 0), "clip": link(model.clip.0, model.clip.1) }))
}

fn finish(g: &mut Graph, model: Model, samples: usize, output: &str) {
    let pixels = g.node("VAEDecode", json!({ "samples": link(samples, 0), "vae": link(model.vae.0, model.vae.1) }));
    g.node(
        "ComfyDeployOutputImage",
        json!({ "images": link(pixels, 0), "output_id": output, "file_type": "png",
                "quality": 90, "filename_prefix": "ComfyUI" }),
    );
}
