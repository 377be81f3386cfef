//! How often and how long the registry asks.

use std::time::Duration;

/// How often and how long a [`ToolRegistry`](super::ToolRegistry) asks its providers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RegistryPolicy {
    /// How long a provider may take for its catalogue, a second look at a suspicious one included. 60 seconds.
    pub discover_timeout: Duration,
    /// The time between refreshes. 5 minutes.
    pub refresh_interval: Duration,
    /// The part of the interval, 0 to 1, by which it is made longer or shorter at random, so that many hosts do not ask
    /// at the same moment. 0.1.
    pub refresh_jitter: f64,
}

/// The first pause after a refresh that failed; it doubles each time up to the interval. Most outages last seconds.
const FIRST_RETRY: Duration = Duration::from_secs(10);

impl Default for RegistryPolicy {
    fn default() -> Self {
        Self {
            discover_timeout: Duration::from_secs(60),
            refresh_interval: Duration::from_secs(300),
            refresh_jitter: 0.1,
        }
    }
}

impl RegistryPolicy {
    /// The time until the next refresh, after so many failed ones in a row; `chance` from 0 to 1 chooses in the range
    /// of the jitter.
    pub(super) fn pause(&self, failures: u32, chance: f64) -> Duration {
        let pause = match failures {
            0 => self.refresh_interval,
            // Sixteen doublings are a week: more cannot matter and could overflow.
            _ => FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16)).min(self.refresh_interval),
        };
        let jitter = if self.refresh_jitter.is_finite() { self.refresh_jitter.clamp(0.0, 1.0) } else { 0.0 };
        let factor = 1.0 + jitter * (2.0 * chance - 1.0);
        Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_in_the_range_of_the_jitter() {
        let policy = RegistryPolicy::default();
        assert_eq!(policy.pause(0, 0.5), Duration::from_secs(300));
        assert_eq!(policy.pause(0, 0.0).as_secs(), 270);
        assert_eq!(policy.pause(0, 1.0).as_secs(), 330);
        let odd = RegistryPolicy { refresh_jitter: f64::NAN, ..policy };
        assert_eq!(odd.pause(0, 1.0), Duration::from_secs(300));
    }

    #[test]
    fn after_failures_the_next_try_comes_sooner() {
        let policy = RegistryPolicy::default();
        let pauses: Vec<u64> = [1, 2, 3, 6, 1000].map(|failures| policy.pause(failures, 0.5).as_secs()).to_vec();
        assert_eq!(pauses, [10, 20, 40, 300, 300]);
    }
}
