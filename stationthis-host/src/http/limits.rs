//! How much a caller may ask of a host.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use stationthis_core::{CallerId, ErrorKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::problem::Problem;

/// Callers whose state is held: a few more than there can be keys. Of an application's own callers there may be more:
/// those that ask nothing are forgotten then, and begin anew.
const CALLERS_MAX: usize = crate::keys::KEYS_MAX + 24;

/// Failed authentications of all clients together, a minute: more are answered 429, so that a client that is set up
/// wrong is told to stop, and the log stays readable. A right key is never refused for the wrong ones of others; against
/// guessing stands the length of keys, not this.
const FAILURES_PER_MIN: NonZeroU32 = nonzero(60);

/// When to try again after too many waits: one of them may have ended by then.
const WAITS_RETRY: Duration = Duration::from_secs(1);

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What each caller may ask of a host. The operator and the webhooks of providers have no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerLimits {
    /// Requests a minute, in the long run.
    pub rate_per_min: NonZeroU32,
    /// Requests at once, after a pause.
    pub burst: NonZeroU32,
    /// Requests that wait for a task's end, and streams of events, at the same time.
    pub waits: usize,
}

impl Default for CallerLimits {
    /// 600 a minute, all of them at once if need be; 16 waits.
    fn default() -> Self {
        Self { rate_per_min: nonzero(600), burst: nonzero(600), waits: 16 }
    }
}

impl CallerLimits {
    /// Other limits.
    #[must_use]
    pub const fn new(rate_per_min: NonZeroU32, burst: NonZeroU32, waits: usize) -> Self {
        Self { rate_per_min, burst, waits }
    }
}

/// The state of every caller's limits.
#[derive(Debug)]
pub(crate) struct Limits {
    limits: CallerLimits,
    callers: Mutex<HashMap<CallerId, Arc<Allowance>>>,
    /// Those of all callers together.
    waits: Arc<Semaphore>,
    failures: Limiter,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The state of one caller's limits.
#[derive(Debug)]
pub(crate) struct Allowance {
    limits: CallerLimits,
    requests: Limiter,
    waits: Arc<Semaphore>,
    all_waits: Arc<Semaphore>,
}

/// A place among those who wait, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct WaitPlace {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Limits {
    /// `waits_max`: how many requests of all callers together may wait at the same time.
    pub(crate) fn new(limits: CallerLimits, waits_max: usize) -> Self {
        let failures = limiter(FAILURES_PER_MIN, FAILURES_PER_MIN);
        Self { limits, callers: Mutex::default(), waits: Arc::new(Semaphore::new(waits_max)), failures }
    }

    /// The state of a caller.
    pub(crate) fn of(&self, caller: &CallerId) -> Arc<Allowance> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(allowance) = callers.get(caller) {
            return Arc::clone(allowance);
        }
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, allowance| Arc::strong_count(allowance) > 1);
        }
        let allowance = Arc::new(Allowance {
            limits: self.limits,
            requests: limiter(self.limits.rate_per_min, self.limits.burst),
            waits: Arc::new(Semaphore::new(self.limits.waits)),
            all_waits: Arc::clone(&self.waits),
        });
        callers.insert(caller.clone(), Arc::clone(&allowance));
        allowance
    }

    /// Counts a failed authentication.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(crate) fn failed(&self) -> Result<(), Problem> {
        self.failures.check().map(drop).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            too_many("Too many requests had no good API key.", wait)
        })
    }
}

impl Allowance {
    /// Counts a request; gives how many more may follow at once.
    ///
    /// # Errors
    /// 429 when there were too many.
    pub(crate) fn request(&self) -> Result<u32, Problem> {
        self.requests.check().map(|state| state.remaining_burst_capacity()).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            too_many(&format!("At most {} requests a minute are answered.", self.limits.rate_per_min), wait)
        })
    }

    /// A place among those who wait.
    ///
    /// # Errors
    /// 429 when there is none, of this caller or at all.
    pub(crate) fn wait(&self) -> Result<WaitPlace, Problem> {
        let own = Arc::clone(&self.waits).try_acquire_owned().map_err(|_| {
            let detail = format!("At most {} requests of a caller wait at the same time.", self.limits.waits);
            too_many(&detail, WAITS_RETRY)
        })?;
        let of_all = Arc::clone(&self.all_waits).try_acquire_owned();
        let of_all = of_all.map_err(|_| too_many("Too many requests of all callers wait.", WAITS_RETRY))?;
        Ok(WaitPlace { _own: own, _of_all: of_all })
    }

    /// Says the limit and what is left of it, in the fields of draft-ietf-httpapi-ratelimit-headers: unlike the
    /// `X-RateLimit-…` ones they mean the same everywhere.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, remaining: u32) {
        let policy = format!("\"caller\";q={};w=60", self.limits.rate_per_min);
        let left = format!("\"caller\";r={remaining}");
        for (name, text) in [(POLICY, policy), (LIMIT, left)] {
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
    }
}

const fn nonzero(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

fn limiter(rate_per_min: NonZeroU32, burst: NonZeroU32) -> Limiter {
    RateLimiter::direct(Quota::per_minute(rate_per_min).allow_burst(burst))
        .with_middleware::<StateInformationMiddleware>()
}

fn too_many(detail: &str, wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, ErrorKind::RateLimited, detail).with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> CallerId {
        CallerId::new(name).unwrap()
    }

    fn tight() -> Limits {
        let one = NonZeroU32::MIN;
        // One a minute: no test takes that long.
        Limits::new(CallerLimits::new(one, one.saturating_add(1), 2), 3)
    }

    #[test]
    fn a_callers_burst_is_its_own_and_refusals_say_when() {
        let limits = tight();
        let ada = limits.of(&caller("ada"));
        assert_eq!(ada.request().unwrap(), 1);
        assert_eq!(limits.of(&caller("ada")).request().unwrap(), 0, "the state is one");
        let problem = ada.request().unwrap_err();
        assert_eq!(problem.status, 429);
        let wait = problem.retry_after().unwrap();
        assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(60), "{wait:?}");
        assert_eq!(limits.of(&caller("eve")).request().unwrap(), 1);
    }

    #[test]
    fn places_to_wait_are_counted_and_come_back() {
        let limits = tight();
        let ada = limits.of(&caller("ada"));
        let (first, _second) = (ada.wait().unwrap(), ada.wait().unwrap());
        assert_eq!(ada.wait().unwrap_err().status, 429);
        drop(limits.of(&caller("eve")).wait().unwrap());
        drop(first);
        let _third = ada.wait().unwrap();
        let _fourth = limits.of(&caller("eve")).wait().unwrap();
        assert_eq!(limits.of(&caller("bob")).wait().unwrap_err().status, 429, "all callers together have three");
    }

    #[test]
    fn many_callers_are_not_held_for_ever() {
        let limits = tight();
        let ada = limits.of(&caller("ada"));
        let _waiting = ada.wait().unwrap();
        for n in 0..3 * CALLERS_MAX {
            limits.of(&caller(&n.to_string())).request().unwrap();
        }
        assert!(limits.callers.lock().unwrap().len() <= CALLERS_MAX);
        let _second = limits.of(&caller("ada")).wait().unwrap();
        assert!(limits.of(&caller("ada")).wait().is_err(), "one that waits is not forgotten");
    }
}
