//! What an output is, by its content: an error page with status 200 is no picture.

use infer::MatcherType;
use stationthis_core::task::output::{Output, OutputKind};
use stationthis_core::{Error, ErrorKind, Result, Retry};

const ANY: &str = "application/octet-stream";

/// The media type under which an output is kept that begins with `head`.
///
/// A picture, film or sound is known by its content, or, where that has no known mark, by its declared type, as long as it
/// is no text. 3D models are text or have no mark as often as not: they are what they are declared to be. Any other file is
/// taken, but for a page where none was announced.
///
/// # Errors
/// One to try again for what looks like an error page or is empty; one that is final for what is something else.
pub(super) fn media_type(output: &Output, head: &[u8]) -> Result<String> {
    let declared = output.mime.as_deref().map(essence).filter(|mime| mime != ANY && is_type(mime));
    let found = found(head);
    let fits = match output.kind {
        OutputKind::Image => is_medium(&["image/"], declared.as_deref(), found, head),
        OutputKind::Video => is_medium(&["video/", "image/"], declared.as_deref(), found, head),
        OutputKind::Audio => is_medium(&["audio/", "video/"], declared.as_deref(), found, head),
        OutputKind::Model3d => is_model(declared.as_deref(), found, head),
        OutputKind::File | OutputKind::Text | OutputKind::Json => is_file(output, declared.as_deref(), found),
    };
    if let Some(mime) = fits {
        return Ok(mime);
    }
    let word = word_for(output.kind);
    if head.is_empty() {
        return Err(page(format!("What should be {word} is empty.")));
    }
    match found {
        Some(found) if !is_text(found) => Err(Error::new(ErrorKind::InvalidInput, "keep output")
            .with_message(format!("What should be {word} is {found}."))),
        Some(found) => Err(page(format!("What should be {word} is {found}."))),
        None if is_written(head) => Err(page(format!("What should be {word} is a text."))),
        None => Err(Error::new(ErrorKind::InvalidInput, "keep output")
            .with_message(format!("What should be {word} is none by its content."))),
    }
}

/// A proxy or a storage that is out of order answers so, and may be well again.
fn page(message: String) -> Error {
    Error::new(ErrorKind::Unavailable, "keep output").with_message(message).with_retry(Retry::Backoff)
}

fn is_medium(classes: &[&str], declared: Option<&str>, found: Option<&str>, head: &[u8]) -> Option<String> {
    let of_class = |mime: &&str| classes.iter().any(|class| mime.starts_with(class));
    let declared = declared.filter(of_class);
    match found {
        // Films and sounds share containers, and whoever made it knows better.
        Some(found) if of_class(&found) => Some(match declared {
            Some(declared) if class_of(declared) != class_of(found) => declared.to_owned(),
            _ => found.to_owned(),
        }),
        Some(found) if is_text(found) => drawing(declared, head),
        Some(_) => None,
        None if head.is_empty() => None,
        None if is_written(head) => drawing(declared, head),
        None => declared.map(str::to_owned),
    }
}

/// An SVG is the one picture that is written.
fn drawing(declared: Option<&str>, head: &[u8]) -> Option<String> {
    let drawn = head.windows(4).any(|window| window.eq_ignore_ascii_case(b"<svg"));
    declared.filter(|mime| *mime == "image/svg+xml" && drawn).map(str::to_owned)
}

fn is_model(declared: Option<&str>, found: Option<&str>, head: &[u8]) -> Option<String> {
    let declared = declared.filter(|mime| mime.starts_with("model/"));
    match found {
        _ if head.is_empty() => None,
        Some("text/html") => None,
        Some("text/xml") => declared.filter(|mime| mime.ends_with("xml")).map(str::to_owned),
        // USDZ and 3MF are archives.
        Some(found @ "application/zip") => Some(declared.unwrap_or(found).to_owned()),
        Some(found) if class_of(found) == "model" => Some(found.to_owned()),
        Some(_) => None,
        // Without a mark nothing tells a text of an error from a model that is written.
        None if is_written(head) => declared.map(str::to_owned),
        None => Some(declared.unwrap_or(ANY).to_owned()),
    }
}

fn is_file(output: &Output, declared: Option<&str>, found: Option<&str>) -> Option<String> {
    let named = |ending: &str| output.filename.as_deref().is_some_and(|name| name.to_lowercase().ends_with(ending));
    let page = declared == Some("text/html") || (declared.is_none() && (named(".html") || named(".htm")));
    (found != Some("text/html") || page).then(|| declared.or(found).unwrap_or(ANY).to_owned())
}

/// The type by the marks of the content.
fn found(head: &[u8]) -> Option<&'static str> {
    // The first bytes of a binary glTF model.
    if head.starts_with(b"glTF") {
        return Some("model/gltf-binary");
    }
    let found = infer::get(head)?;
    // A script is a text like any other.
    (found.matcher_type() != MatcherType::Text || is_text(found.mime_type())).then(|| found.mime_type())
}

fn is_text(mime: &str) -> bool {
    matches!(mime, "text/html" | "text/xml")
}

/// Is it text, as far as one sees? It has no character that no text has.
fn is_written(head: &[u8]) -> bool {
    let odd = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    // The last character may be cut by the end of the head.
    let is_utf8 = std::str::from_utf8(head).err().is_none_or(|error| error.error_len().is_none());
    is_utf8 && !head.iter().any(odd)
}

fn class_of(mime: &str) -> &str {
    mime.split('/').next().unwrap_or_default()
}

fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_type(mime: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'+' | b'-' | b'_');
    mime.len() <= 100 && mime.contains('/') && mime.bytes().all(fits)
}

const fn word_for(kind: OutputKind) -> &'static str {
    match kind {
        OutputKind::Image => "a picture",
        OutputKind::Video => "a film",
        OutputKind::Audio => "a sound",
        OutputKind::Model3d => "a 3D model",
        OutputKind::File | OutputKind::Text | OutputKind::Json => "a file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";
    const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
    const WEBP: &[u8] = b"RIFF\0\0\0\0WEBPVP8 ";
    const HTML: &[u8] = b"<!DOCTYPE html><p>Bad gateway";
    const S3: &[u8] = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>";

    fn check(kind: OutputKind, mime: Option<&str>, filename: Option<&str>, head: &[u8]) -> Result<String> {
        let mut output = Output::file(kind, "https://b.example/a");
        (output.mime, output.filename) = (mime.map(str::to_owned), filename.map(str::to_owned));
        media_type(&output, head)
    }

    #[test]
    fn what_fits_is_kept_under_its_true_type() {
        use OutputKind as K;
        let good: [(K, Option<&str>, &[u8], &str); 17] = [
            (K::Image, None, PNG, "image/png"),
            (K::Image, Some("image/jpeg"), PNG, "image/png"),
            (K::Image, Some("application/octet-stream"), PNG, "image/png"),
            (K::Image, Some("image/svg+xml"), b"<svg xmlns=\"x\">", "image/svg+xml"),
            (K::Image, Some("image/svg+xml"), b"<?xml version=\"1.0\"?>\n<SVG>", "image/svg+xml"),
            (K::Image, Some("image/x-exr"), b"\x76\x2f\x31\x01\0\0", "image/x-exr"),
            (K::Video, Some("video/mp4; codecs=x"), MP4, "video/mp4"),
            (K::Video, None, WEBP, "image/webp"),
            (K::Audio, Some("audio/mp4"), MP4, "audio/mp4"),
            (K::Audio, None, b"ID3\x03\0\0\0\0\0\0", "audio/mpeg"),
            (K::Model3d, None, b"glTF\x02\0\0\0", "model/gltf-binary"),
            (K::Model3d, Some("model/obj"), b"v 1 2 3\nf 1 2 3", "model/obj"),
            (K::Model3d, Some("model/vnd.usdz+zip"), b"PK\x03\x04\0\0", "model/vnd.usdz+zip"),
            (K::Model3d, None, b"Kaydara FBX Binary  \0\x1a\0", ANY),
            (K::File, None, b"anything", ANY),
            (K::File, Some("text/csv"), b"a,b", "text/csv"),
            (K::File, Some("text/html"), HTML, "text/html"),
        ];
        for (kind, mime, head, expected) in good {
            assert_eq!(check(kind, mime, None, head).ok().as_deref(), Some(expected), "{kind:?} {mime:?}");
        }
        assert_eq!(check(K::File, None, Some("Report.HTML"), HTML).unwrap(), "text/html");
        assert_eq!(check(K::File, None, None, b"").unwrap(), ANY, "an empty file is one");
        assert_eq!(check(K::File, Some("text/\r\nx: y"), None, b"a").unwrap(), ANY);
    }

    #[test]
    fn what_looks_like_an_error_may_pass_and_what_is_something_else_never_will() {
        use OutputKind as K;
        type Bad<'a> = (K, Option<&'a str>, &'a [u8], Retry, &'a str);
        let bad: [Bad<'_>; 14] = [
            (K::Image, Some("image/png"), HTML, Retry::Backoff, "a picture is text/html"),
            (K::Image, Some("image/png"), S3, Retry::Backoff, "text/xml"),
            (K::Image, Some("image/png"), b"{\"error\": \"no\"}", Retry::Backoff, "is a text"),
            (K::Image, Some("image/svg+xml"), S3, Retry::Backoff, "text/xml"),
            (K::Image, Some("image/png"), b"", Retry::Backoff, "is empty"),
            (K::Video, None, HTML, Retry::Backoff, "a film"),
            (K::Model3d, Some("model/obj"), HTML, Retry::Backoff, "a 3D model"),
            (K::Model3d, Some("model/obj"), S3, Retry::Backoff, "text/xml"),
            (K::File, None, HTML, Retry::Backoff, "a file"),
            (K::File, Some("application/pdf"), HTML, Retry::Backoff, "a file"),
            (K::Image, Some("image/png"), MP4, Retry::Never, "a picture is video/mp4"),
            (K::Image, None, b"\x01\x02\x03\x04", Retry::Never, "none by its content"),
            (K::Audio, None, PNG, Retry::Never, "a sound is image/png"),
            (K::Model3d, None, PNG, Retry::Never, "a 3D model is image/png"),
        ];
        for (kind, mime, head, retry, why) in bad {
            let error = check(kind, mime, None, head).unwrap_err();
            assert_eq!(error.retry(), retry, "{kind:?} {mime:?} {error}");
            assert!(error.message().unwrap().contains(why), "{error}");
        }
    }

    #[test]
    fn a_text_whose_last_character_is_cut_is_a_text() {
        assert!(is_written("na\u{ef}ve".as_bytes()) && is_written(b"caf\xc3"));
        assert!(!is_written(b"\xff\xfe\x41") && !is_written(b"a\0b"));
    }
}
