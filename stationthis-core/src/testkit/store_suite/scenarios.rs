//! The scenarios, each a function of its own name.

#![allow(missing_docs, reason = "the name of a scenario says what it proves")]

pub mod documents;
pub mod inbox;
pub mod leases;
pub mod outbox;
pub mod tasks;
pub mod totals;
pub mod turns;

use crate::testkit::scenario_names;

/// Every scenario that there is, in order.
#[must_use]
pub fn names() -> Vec<&'static str> {
    scenario_names(&[
        include_str!("scenarios/tasks.rs"),
        include_str!("scenarios/documents.rs"),
        include_str!("scenarios/leases.rs"),
        include_str!("scenarios/turns.rs"),
        include_str!("scenarios/outbox.rs"),
        include_str!("scenarios/inbox.rs"),
        include_str!("scenarios/totals.rs"),
    ])
}
