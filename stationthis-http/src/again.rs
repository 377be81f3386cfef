//! When to try again: what the service asked for, and reads that are repeated a little.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use stationthis_core::{Error, ErrorKind, Result, Retry};

/// The longest pause a `Retry-After` may ask for: beyond an hour it is a mistake of a proxy.
const RETRY_AFTER_MAX_S: u64 = 3600;

/// How often a read is repeated: enough for a restart of one of the service's processes, little enough to let the
/// caller's own policy rule.
const READ_REPEATS: usize = 2;

/// What the header `Retry-After` asks for: its seconds, of which an hour at most is believed.
///
/// [`Retry::Backoff`] without the header, and when it is no number of seconds: a date needs the service's clock.
#[must_use]
pub fn retry_after(header: Option<&str>) -> Retry {
    let seconds = header.and_then(|text| text.trim().parse::<u64>().ok());
    seconds.map_or(Retry::Backoff, |s| Retry::After(Duration::from_secs(s.min(RETRY_AFTER_MAX_S))))
}

/// Makes `read`, and up to twice again while its errors are `passing`.
///
/// `first_pause` is before the first repetition, the next is twice as long, both with jitter. For what changes nothing at
/// the service, and for nothing else. Dropping the future ends it.
///
/// # Errors
/// The last one of `read`.
pub async fn repeated<T, F, R>(first_pause: Duration, passing: fn(&Error) -> bool, read: R) -> Result<T>
where
    F: Future<Output = Result<T>> + Send,
    R: FnMut() -> F + Send,
{
    let pauses = ExponentialBuilder::default().with_min_delay(first_pause).with_max_times(READ_REPEATS).with_jitter();
    read.retry(pauses).when(passing).await
}

/// Whether a read's error may pass within a second: the service is out of order, and named no pause.
///
/// A time-out is not: the caller has waited long enough. A pause that was asked for is the caller's to wait for.
#[must_use]
pub fn is_passing(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && error.retry() == Retry::Backoff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_pause_that_is_asked_for_is_bounded() {
        let after = |s| Retry::After(Duration::from_secs(s));
        for (header, retry) in [
            (Some("7"), after(7)),
            (Some(" 7 "), after(7)),
            (Some("0"), after(0)),
            (Some("99999999"), after(RETRY_AFTER_MAX_S)),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), Retry::Backoff),
            (Some("-1"), Retry::Backoff),
            (Some("soon"), Retry::Backoff),
            (None, Retry::Backoff),
        ] {
            assert_eq!(retry_after(header), retry, "{header:?}");
        }
    }

    async fn check_repeats(kind: ErrorKind, retry: Retry, reads: u32) {
        let made = AtomicU32::new(0);
        let read = || async {
            made.fetch_add(1, Ordering::Relaxed);
            Err::<(), _>(Error::new(kind, "read run").with_retry(retry))
        };
        let error = repeated(Duration::from_millis(200), is_passing, read).await.unwrap_err();
        assert_eq!((error.kind(), made.into_inner()), (kind, reads), "{retry:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_repeated_twice_and_only_while_the_service_is_out_of_order() {
        check_repeats(ErrorKind::Unavailable, Retry::Backoff, 3).await;
        check_repeats(ErrorKind::Unavailable, Retry::After(Duration::from_secs(7)), 1).await;
        check_repeats(ErrorKind::Timeout, Retry::Backoff, 1).await;
        check_repeats(ErrorKind::NotFound, Retry::Never, 1).await;
    }
}
