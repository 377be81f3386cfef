//! For tests of applications, providers, stores and notifiers (feature `testkit`): a clock that is moved by hand, a
//! provider that says what it is told to, a store that stops at a chosen step, for killing the process there, wrappers
//! that make any implementation fail by a plan, the contracts of the traits as suites, and a seeded campaign over the
//! whole station.

pub mod campaign;
mod clock;
mod faulty;
mod halting;
#[doc(hidden)]
pub mod notifier_suite;
mod provider;
#[doc(hidden)]
pub mod provider_suite;
mod scenario;
#[doc(hidden)]
pub mod store_suite;

pub use clock::ManualClock;
pub use faulty::{Fault, FaultPlan, Faulty};
pub use halting::{HaltPoint, HaltStep, HaltingStore, Moment};
pub use notifier_suite::{NotifierFixture, ReceiverConduct};
pub use provider::{ANY_RUN, Calls, SIGNATURE, Script, ScriptedProvider};
pub use provider_suite::{Conduct, ProviderFixture};
pub use store_suite::StoreFixture;

pub(crate) use scenario::scenario_names;
