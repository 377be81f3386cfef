//! Callbacks, signed as the service's page says.

use super::state::{Shared, SimTask};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::sync::Arc;
use std::time::SystemTime;

const NONCE: &str = "123e4567-e89b-12d3-a456-426614174000";

/// The headers of a callback to a URL.
pub(super) fn headers(key: &str, url: &str, date: &str) -> Vec<(String, String)> {
    let (path, query) = match url::Url::parse(url) {
        Ok(url) => (url.path().to_owned(), url.query().unwrap_or_default().to_owned()),
        Err(_) => ("/".to_owned(), String::new()),
    };
    let text = format!("POST\n{path}\n{query}\nvidu\n{date}\nDate:{date}\nx-request-nonce:{NONCE}\n");
    let signature = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map(|mut mac| {
        mac.update(text.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    });
    [
        ("date", date),
        ("x-request-nonce", NONCE),
        ("x-hmac-signed-headers", "Date;x-request-nonce"),
        ("x-hmac-algorithm", "hmac-sha256"),
        ("x-hmac-access-key", "vidu"),
        ("x-hmac-signature", &signature.unwrap_or_default()),
        ("content-type", "application/json"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Ends a task and says so, once: the receiver answers before anybody asks, or not at all.
pub(super) fn send(server: Arc<Shared>, task: &SimTask) {
    let Some(url) = task.body.get("callback_url").and_then(Value::as_str).map(str::to_owned) else { return };
    let id = task.id.clone();
    tokio::spawn(async move {
        let body = server.finish(&id).unwrap_or_default().to_string();
        let date = httpdate::fmt_http_date(SystemTime::now());
        let Ok(http) = reqwest::Client::builder().no_proxy().build() else { return };
        let request = headers(&server.key, &url, &date).into_iter().fold(http.post(&url), |r, (k, v)| r.header(k, v));
        // A callback is no promise.
        let _ = request.body(body).send().await;
    });
}

/// The etag of a file of so many bytes, with its quotes.
pub(super) fn etag(size: usize) -> String {
    format!("\"etag-{size}\"")
}
