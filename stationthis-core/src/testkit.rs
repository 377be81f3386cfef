//! For tests of applications, providers, stores and notifiers (feature `testkit`): a clock that is moved by hand, and a
//! provider that says what it is told to.

mod clock;
mod provider;

pub use clock::ManualClock;
pub use provider::{Calls, Script, ScriptedProvider};
