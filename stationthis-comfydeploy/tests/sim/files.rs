//! Uploads, the bucket, and the pictures in it.

use crate::support::{Client, keys, str_of};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::Duration;

/// The smallest PNG there is: one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn upload(client: &Client, name: &str, bytes: &'static [u8]) -> (u16, Value) {
    let form = Form::new().text("note", "ignored").part("file", Part::bytes(bytes).file_name(name.to_owned()));
    let answer = client.request(Method::POST, "/file/upload").multipart(form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn an_upload_can_be_fetched_and_its_id_names_its_kind() {
    let client = Client::new().await;
    for (name, start, kind) in [
        ("cat.PNG", "img_", "image/png"),
        ("clip.mp4", "vid_", "video/mp4"),
        ("song.mp3", "audio_", "audio/mpeg"),
        ("all.zip", "zip_", "application/zip"),
        ("weights.unknown", "file_", "application/octet-stream"),
    ] {
        let (status, answer) = upload(&client, name, b"content").await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(keys(&answer), "file_id file_name file_url message");
        assert_eq!((&answer["message"], &answer["file_name"]), (&json!("File uploaded successfully"), &json!(name)));
        let id = answer["file_id"].as_str().unwrap();
        assert_eq!(id.strip_prefix(start).unwrap().len(), 16, "{id}");
        let url = answer["file_url"].as_str().unwrap();
        assert!(url.contains(&format!("/inputs/{id}.")), "{url}");
        // The bucket needs no key.
        let file = client.http.get(url).send().await.unwrap();
        assert_eq!(file.headers()["content-type"], kind);
        assert_eq!(file.bytes().await.unwrap(), "content");
    }
}

#[tokio::test]
async fn texts_and_models_are_refused_and_so_is_a_form_without_a_file() {
    let client = Client::new().await;
    for name in ["a.txt", "a.csv", "a.md", "a.glb", "a.obj", "a.woff2"] {
        let refusal = (400, json!({ "detail": "Unsupported file type" }));
        assert_eq!(upload(&client, name, b"x").await, refusal, "{name}");
    }
    let form = Form::new().text("other", "x");
    let answer = client.request(Method::POST, "/file/upload").multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 422);
    let problem = json!({ "type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": null });
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "detail": [problem] }));
    let answer = client.request(Method::POST, "/file/upload").body("not a form").send().await.unwrap();
    assert_eq!(answer.status(), 422);
}

#[tokio::test]
async fn a_presigned_upload_wants_the_type_it_was_signed_for() {
    let client = Client::new().await;
    let path = "/assets/presigned-url?file_name=cat.png&type=image/png&size=7";
    let (status, answer) = client.get(path).await;
    assert_eq!(status, 200);
    assert_eq!(keys(&answer), "db_path download_url file_id is_public url");
    let url = answer["url"].as_str().unwrap();
    let download = answer["download_url"].as_str().unwrap();
    assert!(url.starts_with(&format!("{download}?X-Amz-Algorithm=AWS4-HMAC-SHA256&")), "{url}");
    assert!(url.contains("&X-Amz-Expires=3600&"), "{url}");

    let put = |url: &str, kind: &str| client.http.put(url).header("content-type", kind).body("picture");
    for (url, kind, code) in [
        (url.to_owned(), "image/jpeg", "SignatureDoesNotMatch"),
        (url.replace("Expires=3600", "Expires=9999"), "image/png", "SignatureDoesNotMatch"),
        (download.to_owned(), "image/png", "AccessDenied"),
    ] {
        let refused = put(&url, kind).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{url}");
        let text = refused.text().await.unwrap();
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
    }
    let missing = client.http.get(download).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await.unwrap().contains("<Code>NoSuchKey</Code>"));

    assert_eq!(put(url, "image/png").send().await.unwrap().status(), 200);
    let file = client.http.get(download).send().await.unwrap();
    assert_eq!(file.headers()["content-type"], "image/png");
    assert_eq!(file.bytes().await.unwrap(), "picture");

    let (status, _) = client.get("/assets/presigned-url?type=image/png").await;
    assert_eq!(status, 422);
}

#[tokio::test]
async fn a_data_url_becomes_a_file_before_the_run_is_stored() {
    let client = Client::new().await;
    let inputs = json!({ "input_image": format!("data:image/png;base64,{PIXEL}"), "prompt": "data:text/plain,x" });
    let id = client.queue("Image Restyle", json!({ "inputs": inputs })).await;
    let run = client.run(&id).await;
    let url = run["workflow_inputs"]["input_image"].as_str().unwrap();
    assert!(url.contains("/inputs/img_") && url.ends_with(".png"), "{url}");
    assert_eq!(run["workflow_inputs"]["prompt"], "data:text/plain,x");
    let bytes = client.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));

    let inputs = json!({ "input_image": "data:image/png;base64,###" });
    let body = client.queue_body("Image Restyle", json!({ "inputs": inputs })).await;
    let answer = client.request(Method::POST, "/run/deployment/queue").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.text().await.unwrap(), "Internal Server Error");
    assert_eq!(client.server.sim.books().runs.len(), 1);
}

/// Runs `Text to Image` and decodes its picture: width, height, pixels.
async fn picture(client: &Client, inputs: Value) -> (u32, u32, Vec<u8>) {
    let id = client.queue("Text to Image", json!({ "inputs": inputs })).await;
    let run = client.end(&id).await;
    let url = str_of(&run["outputs"][0]["data"]["images"][0]["url"]);
    let bytes = client.http.get(url).send().await.unwrap().bytes().await.unwrap();
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    (frame.width, frame.height, pixels)
}

#[tokio::test]
async fn two_prompts_give_two_pictures_of_the_size_asked_for() {
    let client = Client::new().await;
    let fox = picture(&client, json!({ "prompt": "a red fox", "width": 96, "height": 64, "seed": 3 })).await;
    let sea = picture(&client, json!({ "prompt": "the sea at night", "width": 96, "height": 64, "seed": 3 })).await;
    assert_eq!((fox.0, fox.1, fox.2.len()), (96, 64, 96 * 64 * 3));
    assert_eq!((sea.0, sea.1), (96, 64));
    let differing = fox.2.iter().zip(&sea.2).filter(|(a, b)| a.abs_diff(**b) > 8).count();
    assert!(differing > fox.2.len() / 2, "{differing} of {} bytes differ", fox.2.len());
    // A picture, not one colour.
    let mut colors: Vec<&[u8]> = fox.2.chunks(3).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 100, "{} colours", colors.len());

    // Larger ones are scaled down, keeping their proportions.
    let wide = picture(&client, json!({ "prompt": "a red fox", "width": 2048, "height": 1024 })).await;
    assert_eq!((wide.0, wide.1), (512, 256));
}

/// A client whose bucket is private, and the first output's file of a run.
async fn private(life: Duration) -> (Client, String, Value) {
    let client = Client::faulty(|m| m.presigned_urls = Some(life)).await;
    let inputs = json!({ "width": 16, "height": 16 });
    let id = client.queue("Text to Image", json!({ "inputs": inputs })).await;
    let run = client.end(&id).await;
    let file = run["outputs"][0]["data"]["images"][0].clone();
    (client, id, file)
}

async fn fetch(client: &Client, url: &str) -> (u16, bytes::Bytes) {
    let answer = client.http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap())
}

#[tokio::test]
async fn a_private_bucket_wants_a_signature() {
    let (client, _, file) = private(Duration::from_secs(3600)).await;
    assert_eq!(file["is_public"], false);
    let url = str_of(&file["url"]);
    assert!(url.contains("?X-Amz-Algorithm=") && url.contains("&X-Amz-Expires=3600&"), "{url}");
    let (status, bytes) = fetch(&client, url).await;
    assert_eq!(status, 200);
    assert!(bytes.starts_with(b"\x89PNG"));

    let (bare, _) = url.split_once('?').unwrap();
    let (status, text) = fetch(&client, bare).await;
    assert_eq!(status, 403);
    assert!(String::from_utf8_lossy(&text).contains("Access Denied"));
    // The signature no longer fits the times.
    let longer = url.replace("Expires=3600", "Expires=7200");
    assert_eq!(fetch(&client, &longer).await.0, 403);
}

#[tokio::test]
async fn a_presigned_url_expires_and_the_next_read_gives_a_new_one() {
    // It lives until the second it was signed in is over.
    let (client, id, file) = private(Duration::ZERO).await;
    let url = str_of(&file["url"]);
    let expired = async {
        loop {
            let (status, text) = fetch(&client, url).await;
            if status == 403 {
                return String::from_utf8_lossy(&text).into_owned();
            }
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(10), expired).await.unwrap();
    assert!(text.contains("Request has expired"), "{text}");
    let again = client.run(&id).await;
    assert_ne!(again["outputs"][0]["data"]["images"][0]["url"], url);
}
