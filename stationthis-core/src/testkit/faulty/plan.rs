//! Which call fails, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// It fails, and nothing was done.
    FailBefore,
    /// It is done, and its answer is lost.
    ReplyLost,
    /// It takes a while.
    Slow,
    /// It is done twice; the first answer counts. A submission only where the provider promises one run of two.
    Duplicate,
    /// Another call overtakes it, if one comes within a second.
    Reorder,
    /// The process dies before it is done.
    CrashBefore,
    /// The process dies once it is done, before the answer comes.
    CrashAfter,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 7] = [
        Self::FailBefore,
        Self::ReplyLost,
        Self::Slow,
        Self::Duplicate,
        Self::Reorder,
        Self::CrashBefore,
        Self::CrashAfter,
    ];

    /// The word in a plan's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailBefore => "failBefore",
            Self::ReplyLost => "replyLost",
            Self::Slow => "slow",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::CrashBefore => "crashBefore",
            Self::CrashAfter => "crashAfter",
        }
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|fault| fault.as_str() == text);
        found.ok_or_else(|| refused(format!("There is no fault {text:?}.")))
    }
}

/// Which calls fail: so many of a thousand, drawn from a seed, and some by name and number.
///
/// A value: the same plan gives the same faults for ever, and its text (`seed=7 replyLost=20 at=commit#3:crashAfter`)
/// is the same plan again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    seed: u64,
    /// Of a thousand calls.
    shares: BTreeMap<Fault, u64>,
    slow_ms_max: u64,
    at: BTreeMap<(String, u64), Fault>,
}

/// The longest pause of a slow call, unless a plan says otherwise: long against any answer, short against a lease.
const SLOW_MS_MAX: u64 = 2_000;

const THOUSAND: u64 = 1_000;

impl FaultPlan {
    /// No faults yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, shares: BTreeMap::new(), slow_ms_max: SLOW_MS_MAX, at: BTreeMap::new() }
    }

    /// With a fault for so many of a thousand calls; what exceeds a thousand in all never comes.
    #[must_use]
    pub fn with(mut self, fault: Fault, per_mille: u64) -> Self {
        self.shares.insert(fault, per_mille);
        self
    }

    /// With a fault for the `nth` call, from one, of a method.
    #[must_use]
    pub fn at(mut self, method: impl Into<String>, nth: u64, fault: Fault) -> Self {
        self.at.insert((method.into(), nth), fault);
        self
    }

    /// With slow calls of up to so long, in place of two seconds.
    #[must_use]
    pub fn with_slow_max(mut self, max: Duration) -> Self {
        self.slow_ms_max = u64::try_from(max.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// The fault of the `nth` call, from one, of a method.
    #[must_use]
    pub fn fault(&self, method: &str, nth: u64) -> Option<Fault> {
        if let Some(fault) = self.at.get(&(method.to_owned(), nth)) {
            return Some(*fault);
        }
        let mut drawn = self.draw(method, nth, 0) % THOUSAND;
        for (fault, share) in &self.shares {
            match drawn.checked_sub(*share) {
                Some(rest) => drawn = rest,
                None => return Some(*fault),
            }
        }
        None
    }

    /// The pause of that call, should it be slow.
    pub(super) fn pause(&self, method: &str, nth: u64) -> Duration {
        Duration::from_millis(self.draw(method, nth, 1) % self.slow_ms_max.saturating_add(1).max(1))
    }

    fn draw(&self, method: &str, nth: u64, salt: u64) -> u64 {
        let start = mix(self.seed ^ mix(nth) ^ salt);
        method.bytes().fold(start, |state, byte| mix(state ^ u64::from(byte)))
    }
}

/// One step of SplitMix64. Our own, as a seed must give the same plan with every version of every library.
fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed={}", self.seed)?;
        for (fault, share) in &self.shares {
            write!(f, " {}={share}", fault.as_str())?;
        }
        if self.slow_ms_max != SLOW_MS_MAX {
            write!(f, " slowMsMax={}", self.slow_ms_max)?;
        }
        for ((method, nth), fault) in &self.at {
            write!(f, " at={method}#{nth}:{}", fault.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for FaultPlan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.parse::<u64>().map_err(|e| refused(format!("{text:?}: {e}.")));
        let mut plan = Self::new(0);
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').ok_or_else(|| refused(format!("{word:?} is not NAME=VALUE.")))?;
            match name {
                "seed" => plan.seed = number(value)?,
                "slowMsMax" => plan.slow_ms_max = number(value)?,
                "at" => {
                    let parts = value.split_once(':').and_then(|(call, fault)| Some((call.split_once('#')?, fault)));
                    let ((method, nth), fault) =
                        parts.ok_or_else(|| refused(format!("{value:?} is not METHOD#NTH:FAULT.")))?;
                    plan = plan.at(method, number(nth)?, fault.parse()?);
                }
                fault => plan = plan.with(fault.parse()?, number(value)?),
            }
        }
        Ok(plan)
    }
}

fn refused(reason: String) -> Error {
    Error::new(ErrorKind::InvalidInput, "parse fault plan").with_message(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_its_text() {
        let plan = FaultPlan::new(u64::MAX)
            .with(Fault::Slow, 5)
            .with(Fault::FailBefore, 30)
            .with_slow_max(Duration::from_secs(9))
            .at("commit", 3, Fault::CrashAfter)
            .at("claim_due", 1, Fault::Reorder);
        let text = plan.to_string();
        let max = u64::MAX;
        assert_eq!(
            text,
            format!("seed={max} failBefore=30 slow=5 slowMsMax=9000 at=claim_due#1:reorder at=commit#3:crashAfter")
        );
        assert_eq!(text.parse::<FaultPlan>().unwrap(), plan);
        for bad in ["seed", "seed=x", "often=3", "at=commit:slow", "at=commit#x:slow", "at=commit#1:never"] {
            assert_eq!(bad.parse::<FaultPlan>().unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn shares_are_kept_and_seeds_differ() {
        let of = |seed| FaultPlan::new(seed).with(Fault::ReplyLost, 100).with(Fault::Slow, 50);
        let drawn = |plan: &FaultPlan| (1..=10_000).map(|nth| plan.fault("commit", nth)).collect::<Vec<_>>();
        let (one, two) = (drawn(&of(1)), drawn(&of(2)));
        let count = |fault| one.iter().filter(|drawn| **drawn == Some(fault)).count();
        assert!((900..1100).contains(&count(Fault::ReplyLost)), "{}", count(Fault::ReplyLost));
        assert!((400..600).contains(&count(Fault::Slow)), "{}", count(Fault::Slow));
        assert_ne!(one, two);
        assert_eq!(one, drawn(&of(1)));
        assert_ne!(one, (1..=10_000).map(|nth| of(1).fault("insert", nth)).collect::<Vec<_>>());
    }

    /// A seed that somebody noted must give the same faults in every later version.
    #[test]
    fn a_seed_keeps_its_meaning() {
        let plan = FaultPlan::new(7).with(Fault::ReplyLost, 500);
        let lost: String = (1..=16).map(|nth| if plan.fault("commit", nth).is_some() { 'x' } else { '.' }).collect();
        assert_eq!(lost, ".xxx.x..x.x.xx..");
    }
}
