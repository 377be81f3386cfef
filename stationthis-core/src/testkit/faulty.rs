//! Wrappers that make any implementation of a trait fail by a plan.

mod costs;
mod notifier;
mod plan;
mod provider;
mod store;

pub use plan::{Fault, FaultPlan};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::error::{Effect, Error, ErrorKind, Retry};

/// How long a call that is reordered waits for another one to overtake it; there may be no other.
const OVERTAKE_WAIT_MAX: Duration = Duration::from_secs(1);

/// Hands every call to another implementation, and makes some of them fail as a [`FaultPlan`] says.
///
/// `Faulty<dyn TaskStore>`, `Faulty<dyn ServiceProvider>`, `Faulty<dyn Notifier>` and `Faulty<dyn CostModel>` implement
/// the trait that they wrap. Waits are tokio's: under paused time they take none. Which call fails depends on the plan,
/// the method's name and how often it was called before, on nothing else.
///
/// After a crash no call returns any more, as none returns to a process that died; [`restart`](Self::restart) is the
/// next process: calls made from then on are answered, those of before never.
///
/// ```
/// # use std::sync::Arc;
/// use stationthis_core::store::{MemoryStore, TaskStore};
/// use stationthis_core::testkit::{Fault, FaultPlan, Faulty};
/// use stationthis_core::TaskId;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), stationthis_core::Error> {
/// let inner: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
/// let store = Faulty::new(inner, FaultPlan::new(7).at("get", 2, Fault::FailBefore));
/// assert!(store.get(TaskId::generate()).await.is_ok());
/// assert!(store.get(TaskId::generate()).await.is_err());
/// assert_eq!(store.injected(Fault::FailBefore), 1);
/// assert_eq!(store.plan().to_string().parse::<FaultPlan>()?, store.plan());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    state: Mutex<State>,
    life: watch::Sender<Life>,
    /// Told whenever a call is done.
    done: Notify,
}

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    calls: BTreeMap<&'static str, u64>,
    injected: BTreeMap<Fault, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Life {
    /// How often it was started.
    nth: u64,
    crashed: bool,
}

impl<T: ?Sized + Send + Sync> Faulty<T> {
    /// Wraps `inner`.
    #[must_use]
    pub fn new(inner: Arc<T>, plan: FaultPlan) -> Self {
        let state = State { plan, calls: BTreeMap::new(), injected: BTreeMap::new() };
        let life = watch::Sender::new(Life { nth: 1, crashed: false });
        Self { inner, state: Mutex::new(state), life, done: Notify::new() }
    }

    /// What it wraps, to be looked at behind its back.
    #[must_use]
    pub fn inner(&self) -> &Arc<T> {
        &self.inner
    }

    /// The plan in force.
    #[must_use]
    pub fn plan(&self) -> FaultPlan {
        self.state().plan.clone()
    }

    /// Goes on by another plan; the calls are counted on.
    pub fn set_plan(&self, plan: FaultPlan) {
        self.state().plan = plan;
    }

    /// How often a fault was made so far.
    #[must_use]
    pub fn injected(&self, fault: Fault) -> u64 {
        self.state().injected.get(&fault).copied().unwrap_or(0)
    }

    /// Dies now.
    pub fn crash(&self) {
        self.life.send_modify(|life| life.crashed = true);
    }

    /// Has it crashed, and was not started again?
    #[must_use]
    pub fn is_crashed(&self) -> bool {
        self.life.borrow().crashed
    }

    /// Waits until it has crashed.
    pub async fn until_crashed(&self) {
        // The sender lives as long as this: it cannot be gone.
        let _ = self.life.subscribe().wait_for(|life| life.crashed).await;
    }

    /// Lives again after a crash, or dies and lives again: calls of before never return.
    pub fn restart(&self) {
        self.life.send_modify(|life| *life = Life { nth: life.nth.saturating_add(1), crashed: false });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of this call, and the pause that goes with it.
    fn next(&self, operation: &'static str, possible: impl Fn(Fault) -> bool) -> (Option<Fault>, Duration) {
        let mut state = self.state();
        let nth = state.calls.entry(operation).or_default();
        *nth = nth.saturating_add(1);
        let nth = *nth;
        let fault = state.plan.fault(operation, nth).filter(|fault| possible(*fault));
        let pause = state.plan.pause(operation, nth);
        if let Some(fault) = fault {
            let count = state.injected.entry(fault).or_default();
            *count = count.saturating_add(1);
        }
        (fault, pause)
    }

    /// Returns only in the life in which it was born.
    async fn alive(&self, born: u64) {
        if *self.life.borrow() != (Life { nth: born, crashed: false }) {
            std::future::pending::<()>().await;
        }
    }

    /// One call: `act` is what it does, `failed` the answer to one that could not be made, or whose own was lost.
    async fn call<R: Send, F: Future<Output = R> + Send>(
        &self,
        operation: &'static str,
        possible: impl Fn(Fault) -> bool + Send,
        act: impl Fn() -> F + Send + Sync,
        failed: impl Fn(Effect) -> R + Send + Sync,
    ) -> R {
        let born = self.life.borrow().nth;
        self.alive(born).await;
        let (fault, pause) = self.next(operation, possible);
        match fault {
            Some(Fault::FailBefore) => return failed(Effect::No),
            Some(Fault::CrashBefore) => self.crash(),
            Some(Fault::Slow) => tokio::time::sleep(pause).await,
            Some(Fault::Reorder) => {
                // Nobody may come.
                let _ = tokio::time::timeout(OVERTAKE_WAIT_MAX, self.done.notified()).await;
            }
            Some(Fault::ReplyLost | Fault::Duplicate | Fault::CrashAfter) | None => {}
        }
        self.alive(born).await;
        let answer = act().await;
        match fault {
            Some(Fault::Duplicate) => drop(act().await),
            Some(Fault::CrashAfter) => self.crash(),
            _ => {}
        }
        self.alive(born).await;
        self.done.notify_waiters();
        if fault == Some(Fault::ReplyLost) { failed(Effect::Unknown) } else { answer }
    }
}

/// The error of a call that could not be made, or whose answer was lost.
fn lost(kind: ErrorKind, operation: &'static str, effect: Effect) -> Error {
    let message = match effect {
        Effect::No => "It could not be asked.",
        Effect::Unknown => "The answer was lost.",
    };
    Error::new(kind, operation).with_message(message).with_retry(Retry::Backoff).with_effect(effect)
}

#[cfg(test)]
mod tests;
