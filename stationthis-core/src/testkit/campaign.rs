//! A seeded campaign: the whole station under virtual time, against a provider that does everything that services
//! were seen to do, through crashes between any two steps.
//!
//! A [`Scenario`] is a seed, a load and shares of faults. [`play`] runs it: callers ask for tasks, the hostile provider
//! loses answers, executes what it refused, sends webhooks late, twice, forged or not at all; the process dies at drawn
//! writes, after which its store has what it acknowledged, and of the write under way all or nothing. In the end the
//! books of the provider and of those who were told are the truth that the station's records are held against.
//!
//! # Invariants
//!
//! Each is a file of `testkit/campaign/invariants/`:
//!
//! - `at_most_one_submission`: the provider made at most one run for a task, and a repeated request found its task;
//! - `terminal_once`: a task reaches one end, and nothing that was decided there changes afterwards;
//! - `settled_once`: every ended task has one settlement, and no other has any;
//! - `notices_delivered_or_dead`: each destination was told under one id, or the notice is a dead letter;
//! - `no_task_past_deadline`: every task ended by its deadline, or by its second one where an end was reported;
//! - `parts_sum_to_total`: the costs add up to the totals, of each caller and of all;
//! - `costs_as_the_books_say`: a known cost is what the books say, an unknown one has a bound that they do not exceed;
//! - `callers_apart`: no caller sees anything of another's;
//! - `replay`: the events of a task give its state again;
//! - `completed_only_after_poll`: no task completed on a webhook's word;
//! - `ends_as_the_run_did`: the end is the run's own, or one of the station's deadlines;
//! - `outputs_kept`: no output that was reported in time is missing;
//! - `kept_before_completed`: where custody was agreed, a task completed only with all its outputs in it.
//!
//! ```
//! use stationthis_core::testkit::campaign::{Scenario, play};
//!
//! let outcome = play(&Scenario::hostile(7, 20))?;
//! assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
//! assert_eq!(outcome.figures.tasks, 20);
//! # Ok::<(), stationthis_core::Error>(())
//! ```

mod books;
mod client;
mod custody;
mod evidence;
mod hooks;
pub(crate) mod ids;
mod invariants;
mod outcome;
mod provider;
mod receiver;
mod rng;
mod scenario;
mod store;
mod world;

pub use outcome::{Figures, Lag, Outcome, Violation};
pub use scenario::{Crashes, HookShares, Scenario};

use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{MemoryStore, TaskStore};
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::ids::SeededIds;
use crate::testkit::campaign::world::World;

/// Opens the store of a world: at its start, and again after every crash, over what was acknowledged until then.
pub type OpenStore = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Arc<dyn TaskStore>>> + Send>> + Send + Sync>;

/// Plays a world over a store in memory.
///
/// Makes a runtime of its own on this thread: not to be called within one. A few milliseconds per task.
///
/// # Errors
/// When the world cannot be played at all; what goes wrong in it is in [`Outcome::violations`].
pub fn play(scenario: &Scenario) -> Result<Outcome> {
    let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
    play_over(
        scenario,
        Arc::new(move || {
            let store = store.clone();
            Box::pin(async move { Ok(store) })
        }),
    )
}

/// As [`play`], over any store.
///
/// Every operation of the store is waited for before anything else happens, so that time stands still meanwhile and the
/// world plays the same each time, if the store's answers are.
///
/// # Errors
/// As [`play`]; what `open` gives at the first start.
pub fn play_over(scenario: &Scenario, open: OpenStore) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|e| Error::new(ErrorKind::Unexpected, "make runtime").with_source(e))?;
    let _ids = SeededIds::begin(scenario.seed);
    runtime.block_on(played(scenario, open))
}

async fn played(scenario: &Scenario, open: OpenStore) -> Result<Outcome> {
    let mut world = World::new(scenario, open)?;
    let rest = world.play().await?;
    let mut outcome = Outcome {
        scenario: scenario.clone(),
        violations: Vec::new(),
        figures: Figures::default(),
        trace: String::new(),
    };
    let seen = world.tally.wrong.iter().map(|what| Violation { invariant: "world", what: what.clone() });
    outcome.violations.extend(seen);
    if let Some((store, station)) = rest {
        let (outside, told) = (&world.outside, world.receivers.told());
        let evidence = Evidence::gather(outside, &world.asked, told, store.as_ref(), &station).await?;
        outcome.violations.extend(invariants::broken(&evidence));
        outcome.figures = Figures::of(&world, &evidence);
        outcome.trace = outcome::trace(&evidence)?;
    }
    Ok(outcome)
}
