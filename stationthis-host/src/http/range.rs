//! Which part of some bytes is asked for.

use axum::http::{HeaderMap, HeaderValue, header};

/// What a `Range` header means for bytes of a known number (RFC 9110, section 14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// All of them: nothing else was asked for, or nothing that is understood.
    Whole,
    /// So many from this one on, which is counted from zero.
    Part(u64, u64),
    /// A part that there is not.
    Beyond,
}

impl Range {
    /// What is asked of `bytes` bytes. Several parts at once are answered by the whole, as the standard allows; so is a
    /// part under a condition (`If-Range`), since what it would compare with is not given out.
    pub(crate) fn of(headers: &HeaderMap, bytes: u64) -> Self {
        Self::header_of(headers).map_or(Self::Whole, |text| Self::asked(text, bytes))
    }

    /// The header that names a part, where it counts.
    pub(crate) fn header_of(headers: &HeaderMap) -> Option<&HeaderValue> {
        headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE))
    }

    /// As [`of`](Self::of), of the header alone.
    pub(crate) fn asked(text: &HeaderValue, bytes: u64) -> Self {
        text.to_str().ok().and_then(|text| Self::parse(text, bytes)).unwrap_or(Self::Whole)
    }

    fn parse(text: &str, bytes: u64) -> Option<Self> {
        let (unit, part) = text.split_once('=')?;
        let (first, last) = part.trim().split_once('-').filter(|_| unit.trim().eq_ignore_ascii_case("bytes"))?;
        if first.is_empty() {
            let length = number(last)?.min(bytes);
            return Some(if length == 0 { Self::Beyond } else { Self::Part(bytes - length, length) });
        }
        let first = number(first)?;
        let last = if last.is_empty() { u64::MAX } else { number(last).filter(|last| *last >= first)? };
        if first >= bytes {
            return Some(Self::Beyond);
        }
        Some(Self::Part(first, (last - first).saturating_add(1).min(bytes - first)))
    }

    /// `Content-Range`, of bytes of which there are `bytes`; none for the whole.
    pub(crate) fn content_range(self, bytes: u64) -> Option<HeaderValue> {
        let text = match self {
            Self::Whole => return None,
            Self::Part(first, length) => format!("bytes {first}-{}/{bytes}", first + length.saturating_sub(1)),
            Self::Beyond => format!("bytes */{bytes}"),
        };
        HeaderValue::from_str(&text).ok()
    }
}

/// Digits alone: `u64::from_str` takes a sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_within_what_is_there_and_the_rest_is_the_whole() {
        let cases = [
            ("bytes=0-0", 10, Range::Part(0, 1), Some("bytes 0-0/10")),
            ("Bytes=2-4", 10, Range::Part(2, 3), Some("bytes 2-4/10")),
            ("bytes=7-", 10, Range::Part(7, 3), Some("bytes 7-9/10")),
            ("bytes=7-99", 10, Range::Part(7, 3), Some("bytes 7-9/10")),
            ("bytes=0-18446744073709551615", 10, Range::Part(0, 10), Some("bytes 0-9/10")),
            ("bytes=-3", 10, Range::Part(7, 3), Some("bytes 7-9/10")),
            ("bytes=-99", 10, Range::Part(0, 10), Some("bytes 0-9/10")),
            ("bytes=-0", 10, Range::Beyond, Some("bytes */10")),
            ("bytes=10-", 10, Range::Beyond, Some("bytes */10")),
            ("bytes=0-", 0, Range::Beyond, Some("bytes */0")),
            ("bytes=-1", 0, Range::Beyond, Some("bytes */0")),
            ("bytes=4-2", 10, Range::Whole, None),
            ("bytes=0-1,3-4", 10, Range::Whole, None),
            ("bytes=+1-2", 10, Range::Whole, None),
            ("bytes=99999999999999999999-", 10, Range::Whole, None),
            ("bytes=-", 10, Range::Whole, None),
            ("bytes=1", 10, Range::Whole, None),
            ("lines=1-2", 10, Range::Whole, None),
            ("", 10, Range::Whole, None),
        ];
        for (text, bytes, range, content_range) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            assert_eq!(Range::of(&headers, bytes), range, "{text}");
            assert_eq!(range.content_range(bytes), content_range.map(|text| text.parse().unwrap()), "{text}");
            headers.insert(header::IF_RANGE, "\"x\"".parse().unwrap());
            assert_eq!(Range::of(&headers, bytes), Range::Whole, "{text} under a condition");
        }
    }
}
