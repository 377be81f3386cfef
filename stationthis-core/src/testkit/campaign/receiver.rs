//! Those who are told, some of whom do not listen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::id::{NoticeId, TaskId};
use crate::notify::{Notice, Notifier, Receipt};
use crate::task::state::TaskStatus;
use crate::testkit::campaign::rng::Rng;

/// The channel of the campaign's notices.
pub(super) const CHANNEL: &str = "campaign";

/// Somebody who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// Listens.
    Good,
    /// Refuses now and then, or is too slow.
    Flaky,
    /// Is not there.
    Gone,
    /// Refuses for ever.
    Deaf,
}

impl Address {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Flaky => "flaky",
            Self::Gone => "gone",
            Self::Deaf => "deaf",
        }
    }
}

/// One notice that arrived.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: NoticeId,
    pub(super) task: TaskId,
    pub(super) address: String,
    pub(super) status: TaskStatus,
}

/// Everybody who is told; outlives every process of the station.
#[derive(Debug)]
pub(super) struct Receivers {
    told: Mutex<(Vec<Told>, Rng)>,
}

impl Receivers {
    pub(super) fn new(rng: Rng) -> Arc<Self> {
        Arc::new(Self { told: Mutex::new((Vec::new(), rng)) })
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<Told>, Rng)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn told(&self) -> Vec<Told> {
        self.lock().0.clone()
    }

    fn take(&self, notice: &Notice) -> (Duration, Receipt) {
        let mut lock = self.lock();
        let (told, rng) = &mut *lock;
        let (after, kind) = (rng.millis(5, 300), rng.below(10));
        let busy = || Receipt::Retry { after: None, reason: "Busy.".to_owned() };
        let (arrives, after, receipt) = match (notice.target.address.as_str(), kind) {
            ("good", _) | ("flaky", 0..=4) => (true, after, Receipt::Delivered),
            ("flaky", 5 | 6) => (false, after, busy()),
            ("flaky", 7) => {
                let wish = Some(Duration::from_secs(40));
                (false, after, Receipt::Retry { after: wish, reason: "Not now.".to_owned() })
            }
            // It arrives, and the answer does not.
            ("flaky", _) => (true, Duration::from_secs(60), busy()),
            ("gone", _) => (false, after, Receipt::NoRecipient),
            (_, _) => (false, after, busy()),
        };
        if arrives {
            let (id, task, status) = (notice.id, notice.task.task_id, notice.task.state.status);
            told.push(Told { id, task, address: notice.target.address.clone(), status });
        }
        (after, receipt)
    }
}

/// The way to them from one process.
#[derive(Debug)]
pub(super) struct CampaignNotifier(pub(super) Arc<Receivers>);

#[async_trait]
impl Notifier for CampaignNotifier {
    fn channel(&self) -> &str {
        CHANNEL
    }

    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn destination(&self, address: &str) -> String {
        address.to_owned()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let (after, receipt) = self.0.take(notice);
        tokio::time::sleep(after).await;
        receipt
    }
}
