//! A small seeded random source, so that a simulation can be repeated.

use std::time::Duration;

/// SplitMix64: enough for jitter and coin tosses, and the same on every platform.
#[derive(Debug, Clone)]
pub(crate) struct Rng(u64);

impl Rng {
    /// One independent stream per (`seed`, `stream`).
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed ^ stream.wrapping_mul(0xA076_1D64_78BD_642F));
        rng.next();
        rng
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// True with `probability`; draws nothing when the answer is certain, so that an unused switch does
    /// not shift the stream of the others.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        if probability <= 0.0 {
            false
        } else if probability >= 1.0 {
            true
        } else {
            self.unit() < probability
        }
    }

    /// `base` changed by up to ± `fraction` of itself.
    pub(crate) fn jittered(&mut self, base: Duration, fraction: f64) -> Duration {
        let factor = 1.0 + fraction.clamp(0.0, 1.0) * (2.0 * self.unit() - 1.0);
        base.mul_f64(factor)
    }
}
