//! A file that is written out in a URL (RFC 2397).

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::media::ending_of;
use crate::provider::UploadFile;

/// Its file, named for its type; `None` for what is no data URL, or cannot be decoded.
pub(crate) fn decode(text: &str) -> Option<UploadFile> {
    let (head, content) =
        text.split_at_checked(5).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("data:"))?.1.split_once(',')?;
    let mut parts = head.split(';').map(str::trim);
    let mime = parts.next().filter(|mime| !mime.is_empty()).unwrap_or("text/plain").to_ascii_lowercase();
    let is_base64 = parts.any(|part| part.eq_ignore_ascii_case("base64"));
    let bytes = if is_base64 { from_base64(content)? } else { from_percent(content) };
    let name = format!("input.{}", ending_of(&mime));
    Some(UploadFile::new(name, mime, Bytes::from(bytes)))
}

/// Both alphabets are in use, with and without padding, as the validator lets them through.
fn from_base64(content: &str) -> Option<Vec<u8>> {
    let url_safe = content.bytes().any(|byte| matches!(byte, b'-' | b'_'));
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(if url_safe { &URL_SAFE } else { &STANDARD }, config).decode(content).ok()
}

fn from_percent(content: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(content.len());
    let mut rest = content.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, after @ ..]) => digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low, after)),
            _ => None,
        };
        let (byte, after) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        let cases: [(&str, &str, &[u8]); 7] = [
            ("data:image/png;base64,iVBORw==", "image/png", b"\x89PNG"),
            ("DATA:image/png;base64,iVBORw", "image/png", b"\x89PNG"),
            ("data:image/webp; charset=x ;base64,-_-_", "image/webp", b"\xfb\xff\xbf"),
            ("data:audio/mpeg;base64,+/+/", "audio/mpeg", b"\xfb\xff\xbf"),
            ("data:,a%20b%2", "text/plain", b"a b%2"),
            ("data:text/html,%3Cp%3e%zz", "text/html", b"<p>%zz"),
            ("data:;base64,YQ", "text/plain", b"a"),
        ];
        for (text, mime, bytes) in cases {
            let file = decode(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((file.content_type.as_str(), file.bytes.as_ref()), (mime, bytes), "{text}");
        }
        assert_eq!(decode("data:audio/mpeg;base64,YQ").unwrap().filename, "input.mp3");
        for bad in
            ["", "data", "data:", "data:image/png;base64", "data:image/png;base64,a", "https://a/b,c", "dat\u{e9}:,"]
        {
            assert!(decode(bad).is_none(), "{bad}");
        }
    }
}
