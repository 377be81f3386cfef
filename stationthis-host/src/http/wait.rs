//! How long a client is content to wait for a task's end.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;

use crate::http::WAIT_S_MAX;
use crate::http::problem::Problem;
use crate::http::query::{self, WaitQuery};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// `?wait=SECONDS`, or `Prefer: wait=SECONDS` (RFC 7240); the query goes first. Longer wishes are cut to [`WAIT_S_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wait {
    seconds: u64,
    preferred: bool,
}

impl Wait {
    /// # Errors
    /// 400 for a query that cannot be read. A preference that cannot be is none, as its standard says.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        let (wished, preferred) = match query::parse::<WaitQuery>(uri)?.wait {
            Some(seconds) => (Some(seconds), false),
            None => (preference(headers), true),
        };
        Ok(Self { seconds: wished.unwrap_or(0).min(WAIT_S_MAX), preferred: preferred && wished.is_some() })
    }

    /// `None`: the answer is wanted at once.
    pub(crate) fn duration(self) -> Option<Duration> {
        (self.seconds > 0).then(|| Duration::from_secs(self.seconds))
    }

    /// Says that the preference was taken, where it was one.
    pub(crate) fn tell(self, mut response: Response) -> Response {
        if self.preferred {
            let applied = HeaderValue::from_str(&format!("wait={}", self.seconds)).ok();
            response.headers_mut().extend(applied.map(|applied| (PREFERENCE_APPLIED, applied)));
        }
        response
    }
}

/// The first `wait` among all preferences: `respond-async, wait=10; foo=bar`.
fn preference(headers: &HeaderMap) -> Option<u64> {
    let lines = headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
    let wishes = lines.flat_map(|line| line.split(',')).filter_map(|wish| {
        let (name, value) = wish.split(';').next()?.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())
    });
    wishes.into_iter().next().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(query: &str, prefer: &[&'static str]) -> Result<Option<u64>, u16> {
        let headers = prefer.iter().map(|line| (PREFER, HeaderValue::from_static(line))).collect();
        let wait = Wait::of(&format!("/x?{query}").parse().unwrap(), &headers);
        wait.map(|wait| wait.duration().map(|d| d.as_secs())).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn waits_are_bounded_and_typos_named() {
        assert_eq!(wait("wait=30", &[]), Ok(Some(30)));
        assert_eq!(wait("wait=9000", &[]), Ok(Some(WAIT_S_MAX)));
        assert_eq!(wait("wait=0", &["wait=5"]), Ok(None), "the query goes first");
        assert_eq!(wait("wait=-1", &[]), Err(400));
        let typo = Wait::of(&"/x?wiat=3".parse().unwrap(), &HeaderMap::new()).unwrap_err();
        assert!(typo.detail.contains("`wiat`"));
    }

    #[test]
    fn a_preference_is_found_among_others_and_never_an_error() {
        for (lines, seconds) in [
            (&["wait=10"][..], Some(10)),
            (&["respond-async, WAIT = 7; x=y"], Some(7)),
            (&["return=minimal", "wait=\"3\""], Some(3)),
            (&["wait=99999"], Some(WAIT_S_MAX)),
            (&["wait=soon", "wait=3"], None),
            (&["wait", "waiting=3"], None),
        ] {
            assert_eq!(wait("", lines), Ok(seconds), "{lines:?}");
        }
    }
}
