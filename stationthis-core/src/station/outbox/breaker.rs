//! Sparing a receiver that does not answer.

use std::time::Duration;

use crate::time::Timestamp;

/// Failures in a row after which a receiver is spared: fewer happen to one that works.
const FAILURES_MAX: u32 = 5;

/// How long it is spared at first, twice as long after each probe that fails, and at most.
const PAUSE_MIN: Duration = Duration::from_secs(30);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Whether attempts to one receiver make sense. Forgotten with the process: a new one finds out again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Breaker {
    /// They do.
    #[default]
    Closed,
    /// They did; so many failed since the last that did not.
    Failing(u32),
    /// They do not before `until`.
    Open { until: Timestamp, pause: Duration },
    /// One is under way, to see.
    Probing { pause: Duration },
}

/// What a [`Breaker`] says to one more attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Go on.
    Yes,
    /// Wait for what comes of the attempt under way.
    Wait,
    /// Not before then.
    NotBefore(Timestamp),
}

impl Breaker {
    /// May one more attempt begin?
    pub(super) fn admits(&self, now: Timestamp) -> Admission {
        match self {
            Self::Closed | Self::Failing(_) => Admission::Yes,
            Self::Open { until, .. } if now < *until => Admission::NotBefore(*until),
            Self::Open { .. } => Admission::Yes,
            Self::Probing { .. } => Admission::Wait,
        }
    }

    /// An attempt that was admitted begins.
    pub(super) fn begin(&mut self) {
        if let Self::Open { pause, .. } = *self {
            *self = Self::Probing { pause };
        }
    }

    /// An attempt ended; did the receiver answer?
    pub(super) fn end(&mut self, answered: bool, now: Timestamp) {
        let opened = |pause: Duration| Self::Open { until: now.plus(pause), pause };
        *self = match (&*self, answered) {
            (_, true) => Self::Closed,
            (Self::Closed, false) => Self::Failing(1),
            (Self::Failing(before), false) if before.saturating_add(1) < FAILURES_MAX => Self::Failing(before + 1),
            (Self::Failing(_), false) => opened(PAUSE_MIN),
            // One that began before it opened says nothing new.
            (Self::Open { until, pause }, false) => Self::Open { until: *until, pause: *pause },
            (Self::Probing { pause }, false) => opened(pause.saturating_mul(2).min(PAUSE_MAX)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn failed(times: u32) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..times {
            assert_eq!(breaker.admits(at(0)), Admission::Yes);
            breaker.begin();
            breaker.end(false, at(0));
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_alone() {
        assert_eq!(failed(4).admits(at(0)), Admission::Yes);
        assert_eq!(failed(5).admits(at(0)), Admission::NotBefore(at(30)));
        let mut breaker = failed(4);
        breaker.end(true, at(0));
        assert_eq!(breaker, Breaker::Closed);
        breaker.end(false, at(0));
        assert_eq!(breaker.admits(at(0)), Admission::Yes, "counted anew");
    }

    #[test]
    fn after_the_pause_one_probe_decides() {
        let mut breaker = failed(5);
        assert_eq!(breaker.admits(at(29)), Admission::NotBefore(at(30)));
        assert_eq!(breaker.admits(at(30)), Admission::Yes);
        breaker.begin();
        assert_eq!(breaker.admits(at(30)), Admission::Wait, "one alone");
        breaker.end(true, at(31));
        assert_eq!(breaker, Breaker::Closed);
    }

    #[test]
    fn each_failed_probe_doubles_the_pause_up_to_five_minutes() {
        let mut breaker = failed(5);
        let mut now = at(30);
        for pause_s in [60, 120, 240, 300, 300] {
            assert_eq!(breaker.admits(now), Admission::Yes);
            breaker.begin();
            breaker.end(false, now);
            now = now.plus(Duration::from_secs(pause_s));
            assert_eq!(breaker.admits(now.minus(Duration::from_micros(1))), Admission::NotBefore(now));
        }
    }

    #[test]
    fn an_attempt_of_before_closes_it_when_it_succeeds_and_else_says_nothing() {
        let mut breaker = failed(5);
        breaker.end(false, at(20));
        assert_eq!(breaker.admits(at(20)), Admission::NotBefore(at(30)));
        breaker.end(true, at(21));
        assert_eq!(breaker, Breaker::Closed);
    }
}
