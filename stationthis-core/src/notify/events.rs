//! Notices inside the process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::error::Result;
use crate::notify::{Notice, Notifier, Receipt};

/// Notices that a slow subscriber may be behind; further ones push out the oldest, and it is told so.
const CAPACITY: usize = 1024;

/// Hands each notice to everybody who subscribed in this process. Channel `events`.
///
/// Delivers when nobody listens, too: who needs every notice reads the tasks.
#[derive(Clone, Debug)]
pub struct EventsNotifier(broadcast::Sender<Arc<Notice>>);

impl EventsNotifier {
    /// A channel without subscribers.
    #[must_use]
    pub fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Every notice from now on; `Lagged` when more than 1,024 were missed.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.0.subscribe()
    }
}

impl Default for EventsNotifier {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Notifier for EventsNotifier {
    fn channel(&self) -> &str {
        "events"
    }

    /// Any address is good: it is a label that subscribers may tell notices apart by.
    fn check(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn destination(&self, _: &str) -> String {
        String::new()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        // No subscriber is no failure.
        let _ = self.0.send(Arc::new(notice.clone()));
        Receipt::Delivered
    }
}
