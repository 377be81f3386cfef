//! A notifier that fails.

use async_trait::async_trait;

use super::Faulty;
use crate::error::{Effect, Result};
use crate::notify::{Notice, Notifier, Receipt};

#[async_trait]
impl Notifier for Faulty<dyn Notifier> {
    fn channel(&self) -> &str {
        self.inner().channel()
    }

    /// Calls nobody, so nothing can go wrong on the way.
    fn check(&self, address: &str) -> Result<()> {
        self.inner().check(address)
    }

    fn destination(&self, address: &str) -> String {
        self.inner().destination(address)
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        let failed = |effect| Receipt::Retry {
            after: None,
            reason: match effect {
                Effect::No => "It could not be sent.".to_owned(),
                Effect::Unknown => "The answer was lost.".to_owned(),
            },
        };
        self.call("deliver", |_| true, || self.inner().deliver(notice), failed).await
    }
}
