//! Bytes that somebody else made, as an answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// A page made of them may do nothing: no script, no form, no request.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// What a browser shows by itself without running anything in it. Not SVG, which is a page.
const SHOWN: [&str; 3] = ["image/", "video/", "audio/"];

/// Says what bytes are, in a way that no browser takes them for a page of this host. (`nosniff` is on every answer.)
pub(crate) fn harmless(headers: &mut HeaderMap, mime: &str, filename: Option<&str>) {
    let shown = SHOWN.iter().any(|class| mime.starts_with(class)) && !mime.starts_with("image/svg");
    let kind = HeaderValue::from_str(mime).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_SECURITY_POLICY, NOTHING);
    headers.insert(header::CONTENT_DISPOSITION, disposition(shown, filename));
    // It is the caller's, and shows up in no other page.
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
}

/// The name as RFC 6266 has it: in percent signs, so that it holds nothing that ends a header.
fn disposition(shown: bool, filename: Option<&str>) -> HeaderValue {
    let way = if shown { "inline" } else { "attachment" };
    let name = filename.map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default()).filter(|name| !name.is_empty());
    let text = match name {
        Some(name) => format!("{way}; filename*=UTF-8''{}", escaped(name)),
        None => way.to_owned(),
    };
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

fn escaped(name: &str) -> String {
    use std::fmt::Write;
    name.bytes().fold(String::with_capacity(name.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_cannot_break_out() {
        let cases = [
            ("image/png", Some("a.png"), "image/png", "inline; filename*=UTF-8''a.png"),
            ("image/svg+xml", Some("a.svg"), "image/svg+xml", "attachment; filename*=UTF-8''a.svg"),
            ("text/html", None, "text/html", "attachment"),
            (
                "model/obj",
                Some("../\u{e9}\"\r\n;.obj"),
                "model/obj",
                "attachment; filename*=UTF-8''%C3%A9%22%0D%0A%3B.obj",
            ),
            ("a\r\nb: c", Some("x/"), "application/octet-stream", "attachment"),
        ];
        for (mime, name, kind, disposition) in cases {
            let mut headers = HeaderMap::new();
            harmless(&mut headers, mime, name);
            assert_eq!(headers[header::CONTENT_TYPE], kind);
            assert_eq!(headers[header::CONTENT_DISPOSITION], disposition, "{mime} {name:?}");
        }
    }
}
