//! The service's spellings of time, and the life of presigned URLs.

use stationthis_core::Timestamp;
use std::time::Duration;

/// Reads a time in any of the service's spellings: with `Z`, with an offset, without a zone (meant as UTC), with a
/// space for the `T`, with any number of decimals, and without seconds (the service cuts them off when the
/// microseconds are exactly zero). `None` for anything else.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (date, time) = (text.get(..10)?, text.get(11..)?);
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let zoned = time.ends_with(['Z', 'z']) || time.contains(['+', '-']);
    let zone = if zoned { "" } else { "Z" };
    format!("{date}T{time}{zone}").parse().ok()
}

/// When a presigned URL stops working: by `X-Amz-Date` and `X-Amz-Expires` (or `X-Goog-`), or by `Expires` in seconds
/// since 1970. `None` when the URL says nothing of the kind.
pub(crate) fn expiry(url: &str) -> Option<Timestamp> {
    let url = url::Url::parse(url).ok()?;
    let find = |wanted: &[&str]| {
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| wanted.iter().any(|w| name.eq_ignore_ascii_case(w))).map(|(_, value)| value.into_owned())
    };
    if let (Some(date), Some(life)) = (find(&["X-Amz-Date", "X-Goog-Date"]), find(&["X-Amz-Expires", "X-Goog-Expires"]))
    {
        return Some(compact(&date)?.plus(Duration::from_secs(life.parse().ok()?)));
    }
    let seconds: i64 = find(&["Expires"])?.parse().ok()?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?))
}

/// `20261123T221551Z`.
fn compact(text: &str) -> Option<Timestamp> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_service_is_read() {
        let exact: Timestamp = "2025-03-04T05:06:07.123Z".parse().unwrap();
        for spelling in [
            "2025-03-04T05:06:07.123000Z",
            "2025-03-04T05:06:07.123Z",
            "2025-03-04T05:06:07.123000",
            "2025-03-04 05:06:07.123",
            "2025-03-04T05:06:07.123000+00:00",
            "2025-03-04T07:06:07.123+02:00",
        ] {
            assert_eq!(parse(spelling), Some(exact), "{spelling}");
        }
        let minute: Timestamp = "2025-03-04T05:06:00Z".parse().unwrap();
        for spelling in ["2025-03-04T05:06Z", "2025-03-04T05:06", "2025-03-04 05:06:00"] {
            assert_eq!(parse(spelling), Some(minute), "{spelling}");
        }
        for nonsense in ["", "yesterday", "2025-03-04", "2025-03-04X05:06:07Z", "2025-13-04T05:06:07Z", "äöüäöüäöü"]
        {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_presigned_url_tells_its_end() {
        let end: Timestamp = "2026-11-23T23:15:51Z".parse().unwrap();
        let s3 = "https://b.example/x.png?X-Amz-Algorithm=A&X-Amz-Date=20261123T221551Z&X-Amz-Expires=3600&X-Amz-Signature=8a";
        assert_eq!(expiry(s3), Some(end));
        assert_eq!(expiry("https://b.example/x.png?Expires=1795475751&Signature=x"), Some(end));
        for none in [
            "https://b.example/x.png",
            "https://b.example/x.png?X-Amz-Expires=3600",
            "not a url",
            "https://b.example/?X-Amz-Date=2026&X-Amz-Expires=1",
        ] {
            assert_eq!(expiry(none), None, "{none}");
        }
    }
}
