//! What a simulated service is made of: seed, key, speed, catalogue, faults.

use super::catalogue::SimCatalogue;
use super::misbehaviour::Misbehaviour;
use std::time::Duration;

/// Configuration of one simulated service.
///
/// The default is a well-behaved, fast service with the demo catalogue that accepts any token.
///
/// ```
/// use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
///
/// let config = SimConfig { timing: SimTiming::instant(), seed: 7, ..SimConfig::default() };
/// assert_eq!(config.seed, 7);
/// ```
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Seed of every random decision (jitter, faults with a probability). The n-th run of a simulator
    /// draws from its own stream, so concurrent runs do not disturb each other's luck. Run ids are not
    /// seeded: they never repeat, as those of the service.
    pub seed: u64,
    /// `None` accepts any bearer token (but wants one, as the service does); `Some` accepts only this one
    /// and answers 401 `Invalid or expired token` to others.
    pub api_key: Option<String>,
    /// How long things take.
    pub timing: SimTiming,
    /// Every delay of [`timing`](Self::timing) is changed by up to ± this fraction (0 to 1). Default 0.2.
    pub jitter: f64,
    /// The deployments on offer.
    pub catalogue: SimCatalogue,
    /// The faults switched on from the start; [`Sim::set_misbehaviour`](super::Sim::set_misbehaviour)
    /// changes them later.
    pub misbehaviour: Misbehaviour,
    /// How webhooks are retried.
    pub hooks: HookPolicy,
    /// How many runs of one deployment are in containers at a time; the others wait as `not-started`. The
    /// service's own default is 2; the default here is 64, so that a burst does not take minutes.
    pub concurrency_limit: u32,
    /// How many runs are remembered (default 10,000). Beyond that the oldest ended run is forgotten:
    /// `GET /run/{id}` answers 404 and it leaves the books.
    pub max_runs: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            api_key: None,
            timing: SimTiming::default(),
            jitter: 0.2,
            catalogue: SimCatalogue::demo(),
            misbehaviour: Misbehaviour::default(),
            hooks: HookPolicy::default(),
            concurrency_limit: 64,
            max_runs: 10_000,
        }
    }
}

/// How long each part of a run takes.
///
/// The sequence of a run on a `comfy-deploy-serverless` machine is: answer to the queue call after
/// `queue_latency`, `cold_start` until a container takes it (`queued`), `boot` until ComfyUI answers
/// (`started`), then `per_node` for each executed node (three times that for a sampler) and `upload` for
/// each output. A `classic` machine is always up: no `cold_start`, no `boot`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimTiming {
    /// From the queue call to its answer.
    pub queue_latency: Duration,
    /// Wait for a container (not billed by the service).
    pub cold_start: Duration,
    /// Start of ComfyUI inside the container (billed).
    pub boot: Duration,
    /// One node; samplers take three times as long.
    pub per_node: Duration,
    /// Upload of one output file.
    pub upload: Duration,
    /// How long a container stays warm after a run: a run of the same deployment within it has neither
    /// `cold_start` nor `boot`. Zero: every run is cold.
    pub idle: Duration,
    /// From the end of a run until its log can be read.
    pub archive: Duration,
}

impl SimTiming {
    /// A whole run in under a second, with every state long enough to be seen: for demos.
    #[must_use]
    pub fn fast() -> Self {
        Self {
            queue_latency: Duration::from_millis(15),
            cold_start: Duration::from_millis(120),
            boot: Duration::from_millis(80),
            per_node: Duration::from_millis(20),
            upload: Duration::from_millis(40),
            idle: Duration::ZERO,
            archive: Duration::ZERO,
        }
    }

    /// Times as seen on the real service: tens of seconds for a cold run.
    #[must_use]
    pub fn realistic() -> Self {
        Self {
            queue_latency: Duration::from_millis(400),
            cold_start: Duration::from_secs(12),
            boot: Duration::from_secs(8),
            per_node: Duration::from_millis(900),
            upload: Duration::from_millis(700),
            idle: Duration::from_secs(60),
            archive: Duration::from_secs(10),
        }
    }

    /// A whole run in a few tens of milliseconds: for tests.
    #[must_use]
    pub fn instant() -> Self {
        Self {
            queue_latency: Duration::from_millis(1),
            cold_start: Duration::from_millis(4),
            boot: Duration::from_millis(3),
            per_node: Duration::from_millis(1),
            upload: Duration::from_millis(2),
            idle: Duration::ZERO,
            archive: Duration::ZERO,
        }
    }
}

impl Default for SimTiming {
    fn default() -> Self {
        Self::fast()
    }
}

/// How webhooks are delivered (ComfyDeploy protocol notes §5.4). The default is what the service does.
///
/// The number of attempts is fixed at three, and the second and third are sent as `GET` with the same
/// JSON body: that is the service's behaviour, and a receiver has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookPolicy {
    /// Limit of one attempt, redirects included. Default 20 s.
    pub timeout: Duration,
    /// Pauses before the second and the third attempt, each lengthened by up to 10 %. Default 0.5 s, 1 s.
    pub pauses: [Duration; 2],
    /// Attempts under way at a time. Default 64: bounds the sockets of a burst.
    pub concurrency: usize,
}

impl Default for HookPolicy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(20),
            pauses: [Duration::from_millis(500), Duration::from_secs(1)],
            concurrency: 64,
        }
    }
}
