//! For tests of applications, providers, stores and notifiers (feature `testkit`): a clock that is moved by hand, a
//! provider that says what it is told to, a store that stops at a chosen step, for killing the process there, and the
//! contracts of the traits as suites.

mod clock;
mod halting;
mod provider;
mod scenario;
#[doc(hidden)]
pub mod store_suite;

pub use clock::ManualClock;
pub use halting::{HaltPoint, HaltStep, HaltingStore, Moment};
pub use provider::{ANY_RUN, Calls, SIGNATURE, Script, ScriptedProvider};
pub use store_suite::StoreFixture;

pub(crate) use scenario::scenario_names;
