//! The service's spellings of a moment (ComfyDeploy protocol notes §1.5). All are UTC.

use jiff::Timestamp;
use std::time::{Duration, SystemTime};

/// Now, cut to whole milliseconds: the service shows no more than that, and so the differences of the
/// times it shows are exactly the durations it states.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// `2025-03-04T05:06:07.123000Z`, without a fraction when it is zero: `GET /run/{id}`, `/deployments`.
pub(crate) fn rest(t: Timestamp) -> String {
    if t.subsec_microsecond() == 0 && t.subsec_millisecond() == 0 {
        t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    } else {
        t.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
    }
}

/// `2025-03-04T05:06:07.123Z`: outputs in webhooks, the run lists, `version` objects, logs.
pub(crate) fn millis(t: Timestamp) -> String {
    t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2025-03-04T05:06Z`: what the code behind [`millis`] makes of a time with zero microseconds, since it
/// cuts the last three characters whatever they are.
pub(crate) fn without_seconds(t: Timestamp) -> String {
    t.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// `2025-03-04T05:06:07.123456`, without a zone: machines.
pub(crate) fn naive(t: Timestamp) -> String {
    t.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}

/// `2025-03-04 05:06:07.123456`: `/workflows`.
pub(crate) fn spaced(t: Timestamp) -> String {
    t.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
}

/// `20250304T050607Z`: the `X-Amz-Date` of a presigned URL.
pub(crate) fn amz(t: Timestamp) -> String {
    t.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads [`amz`] back.
pub(crate) fn parse_amz(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    jiff::tz::Offset::UTC.to_timestamp(civil).ok()
}

/// The same moment in the standard library's type.
pub(crate) fn to_system(t: Timestamp) -> SystemTime {
    let millis = u64::try_from(t.as_millisecond()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// `later − earlier`, zero when they are the wrong way round.
pub(crate) fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    let millis = later.as_millisecond().saturating_sub(earlier.as_millisecond());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
