//! What a file is, by its content.

use infer::MatcherType;

/// The first bytes of a binary glTF model.
const GLB: &[u8] = b"glTF";

/// The media type of a file that begins with `head`.
///
/// Pictures, films and sounds are known by their content alone. Most 3D models are plain text or have no mark, so for
/// what cannot be told the sender's word counts, when it is that it is a model. A sentence says what is wrong.
pub(super) fn media_type(head: &[u8], declared: Option<&str>) -> Result<String, String> {
    let declared = declared.map(essence).filter(|text| text != "application/octet-stream");
    if head.is_empty() {
        return Err("The file is empty.".to_owned());
    }
    if head.starts_with(GLB) {
        return fitting("model/gltf-binary", declared.as_deref());
    }
    match infer::get(head) {
        Some(found) => match found.matcher_type() {
            MatcherType::Image | MatcherType::Video | MatcherType::Audio => {
                fitting(found.mime_type(), declared.as_deref())
            }
            _ => Err(format!("It takes pictures, films, sounds and 3D models; this is {}.", found.mime_type())),
        },
        None => declared.filter(|text| is_model(text)).ok_or_else(|| {
            "It takes pictures, films, sounds and 3D models; by its content this is none. (A model is to be sent as \
             model/…, such as model/obj.)"
                .to_owned()
        }),
    }
}

/// Films and sounds share containers, so one may be called the other, and the sender knows better.
fn fitting(found: &str, declared: Option<&str>) -> Result<String, String> {
    let Some(declared) = declared else { return Ok(found.to_owned()) };
    let class = |mime: &str| mime.split('/').next().unwrap_or_default().to_owned();
    match (class(found).as_str(), class(declared).as_str()) {
        ("video", "audio") | ("audio", "video") => Ok(declared.to_owned()),
        (a, b) if a == b => Ok(found.to_owned()),
        _ => Err(format!("It was sent as {declared}; by its content it is {found}.")),
    }
}

fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_model(mime: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-');
    mime.strip_prefix("model/").is_some_and(|word| (1..=60).contains(&word.len()) && word.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_says_what_a_file_is_and_its_sender_cannot_say_otherwise() {
        let (png, mp4): (&[u8], &[u8]) = (b"\x89PNG\r\n\x1a\n0000", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41");
        let good = [
            (png, None, "image/png"),
            (png, Some("image/jpeg"), "image/png"),
            (png, Some("application/octet-stream"), "image/png"),
            (mp4, Some("video/mp4; codecs=x"), "video/mp4"),
            (mp4, Some("audio/mp4"), "audio/mp4"),
            (b"ID3\x03\0\0\0\0\0\0", None, "audio/mpeg"),
            (b"glTF\x02\0\0\0", None, "model/gltf-binary"),
            (b"v 1 2 3\nf 1 2 3", Some("Model/OBJ"), "model/obj"),
        ];
        for (head, declared, mime) in good {
            assert_eq!(media_type(head, declared).as_deref(), Ok(mime), "{declared:?}");
        }
        let bad: [(&[u8], Option<&str>, &str); 7] = [
            (b"", Some("image/png"), "empty"),
            (png, Some("video/mp4"), "sent as video/mp4"),
            (png, Some("text/html"), "sent as text/html"),
            (b"<!DOCTYPE html><p>", Some("image/png"), "text/html"),
            (b"%PDF-1.7", None, "application/pdf"),
            (b"hello", Some("image/png"), "by its content this is none"),
            (b"v 1 2 3", Some("model/\r\nx"), "by its content this is none"),
        ];
        for (head, declared, why) in bad {
            let error = media_type(head, declared).unwrap_err();
            assert!(error.contains(why), "{declared:?}: {error}");
        }
    }
}
