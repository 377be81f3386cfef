//! A page that shows the [OpenAPI document](crate::http::openapi) to people, and sends requests for them.
//!
//! It is one answer without anything from elsewhere. It holds nothing: the document is asked for with the key that the
//! reader types in.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::http::about::{About, Answer};

const PAGE: &str = include_str!("docs/page.html");
const STYLE: &str = include_str!("docs/page.css");
const SCRIPT: &str = include_str!("docs/page.js");

/// The page, and what it may do: its own script and style, by their hashes, and requests to this host.
static SHOWN: LazyLock<(String, String)> = LazyLock::new(|| {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    (PAGE.replace("/*STYLE*/", STYLE).replace("/*SCRIPT*/", SCRIPT), policy)
});

pub(crate) const SHOW: About =
    About::new("The API for people", &[Answer::other(200, "A page that needs nothing from elsewhere.", "text/html")]);

/// `GET /docs`.
pub(crate) async fn show() -> Response {
    let (page, policy) = &*SHOWN;
    let mut response = Html(page.as_str()).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    // The key is typed into it: no other site is to learn where from.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
