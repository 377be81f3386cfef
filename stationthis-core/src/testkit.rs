//! For tests of applications, providers, stores and notifiers (feature `testkit`): a clock that is moved by hand, a
//! provider that says what it is told to, and a store that stops at a chosen step, for killing the process there.

pub mod campaign;
mod clock;
mod halting;
mod provider;

pub use clock::ManualClock;
pub use halting::{HaltPoint, HaltStep, HaltingStore, Moment};
pub use provider::{Calls, Script, ScriptedProvider};
