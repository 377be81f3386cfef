//! How a scripted server behaves.

use rust_decimal::Decimal;
use std::time::Duration;

/// The account and the pace.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The only key that is good; `None`: any.
    pub key: Option<String>,
    /// How long a task waits.
    pub queue: Duration,
    /// How long it runs.
    pub run: Duration,
    /// How long the URL of an output works.
    pub url_life: Duration,
    /// Credits at the start.
    pub balance: Decimal,
    /// What prices are multiplied by: 0.875 is a discount of an eighth.
    pub discount: Decimal,
    /// How many tasks may be at work at a time.
    pub capacity: Capacity,
    /// The webhook that the console has.
    pub webhook: Option<SimWebhook>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            key: None,
            queue: Duration::from_secs(2),
            run: Duration::from_secs(8),
            url_life: Duration::from_secs(60),
            balance: Decimal::from(1_000_000),
            discount: Decimal::ONE,
            capacity: Capacity::default(),
            webhook: None,
        }
    }
}

impl SimConfig {
    /// Everything ends as soon as it began.
    #[must_use]
    pub fn instant() -> Self {
        Self { queue: Duration::ZERO, run: Duration::ZERO, ..Self::default() }
    }
}

/// Tasks at work at a time, by the group of their model; more are refused, not queued.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// 3D models of the v families.
    pub h_models: usize,
    /// 3D models of the P families.
    pub p_models: usize,
    /// Pictures.
    pub images: usize,
    /// Rigs and animations.
    pub animations: usize,
    /// Textures and conversions.
    pub processing: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { h_models: 10, p_models: 5, images: 1, animations: 10, processing: 5 }
    }
}

/// A webhook of the console.
#[derive(Clone, Debug)]
pub struct SimWebhook {
    /// Where events go.
    pub url: String,
    /// Each signs: two during a rotation.
    pub secrets: Vec<String>,
}

/// What goes wrong from now on.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Everything is answered with 503, and nothing is done.
    pub down: bool,
    /// A creation makes its task, and the connection is cut.
    pub lose_answers: bool,
    /// Tasks created now fail.
    pub runs_fail: bool,
    /// Tasks created now go on for ever.
    pub runs_stay: bool,
    /// Creations are answered so, and no task is made.
    pub refuse: Option<Refusal>,
    /// Ended tasks show this word in place of their own.
    pub word: Option<String>,
    /// Credits are text, as some answers have them.
    pub credits_as_text: bool,
    /// Tasks do not say what they took.
    pub no_credits: bool,
    /// Reasons are in an `error` object, as some webhooks have them.
    pub nested_error: bool,
    /// Webhooks are not sent.
    pub no_webhooks: bool,
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status; 200 is possible.
    pub status: u16,
    /// The code of the envelope.
    pub code: i64,
    /// Seconds of `Retry-After`.
    pub retry_after_s: Option<u64>,
}
