//! The station through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "it/amend.rs"]
mod amend;
#[path = "it/bench.rs"]
mod bench;
#[path = "it/callback_keys.rs"]
mod callback_keys;
#[path = "it/callers.rs"]
mod callers;
#[path = "it/campaign.rs"]
mod campaign;
#[path = "it/capacity.rs"]
mod capacity;
#[path = "it/contracts.rs"]
mod contracts;
#[path = "it/costs.rs"]
mod costs;
#[path = "it/crashes.rs"]
mod crashes;
#[path = "it/custody.rs"]
mod custody;
#[cfg(feature = "sqlite")]
#[path = "it/drivers.rs"]
mod drivers;
#[path = "it/fairness.rs"]
mod fairness;
#[path = "it/files.rs"]
mod files;
#[path = "it/hooks.rs"]
mod hooks;
#[path = "it/hostile.rs"]
mod hostile;
#[path = "it/immediate.rs"]
mod immediate;
#[path = "it/life.rs"]
mod life;
#[path = "it/minimal.rs"]
mod minimal;
#[path = "it/money.rs"]
mod money;
#[path = "it/outbox.rs"]
mod outbox;
#[path = "it/preparation.rs"]
mod preparation;
#[path = "it/review.rs"]
mod review;
