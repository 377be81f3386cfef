//! Whom a caller's tasks tell about their end.

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::notify::NotifyTarget;
use crate::station::caller::Caller;
use crate::store::Put;

/// Destinations of one task, and of one caller's default: more is a mailing list, which is another service's work.
const NOTIFY_MAX: usize = 16;

/// The longest address: what servers commonly take as a URL.
const ADDRESS_BYTES_MAX: usize = 2048;

/// Where defaults are kept in the store: a document for each caller that has set any.
const NAMESPACE: &str = "callerNotify";

/// Writes of one default that lose against others before this one gives up: nobody sets it that often.
const PUT_ATTEMPTS: usize = 8;

impl Caller {
    /// Whom every task of this caller tells about its end, besides the policy's own; empty until it was set.
    ///
    /// # Errors
    /// `StoreUnavailable`; `Corrupt` when the stored text cannot be read.
    pub async fn default_notify(&self) -> Result<Vec<NotifyTarget>> {
        Ok(self.stored_notify().await?.0)
    }

    /// Sets whom every task that this caller runs from now on tells about its end, besides the policy's own. Tasks that
    /// were accepted before keep theirs. Of two writers at once, the later one wins.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown notifier, an address that it cannot reach, or more than 16 destinations;
    /// `StoreUnavailable`.
    pub async fn set_default_notify(&self, targets: &[NotifyTarget]) -> Result<Vec<NotifyTarget>> {
        let mut wanted = Vec::new();
        self.add(&mut wanted, targets)?;
        let bytes = serde_json::to_vec(&wanted)
            .map_err(|e| Error::new(ErrorKind::Unexpected, "write notification targets").with_source(e))?;
        let owner = self.owner()?;
        let mut expected = self.stored_notify().await?.1;
        for _ in 0..PUT_ATTEMPTS {
            let put = self.engine.store.put_document(NAMESPACE, owner.as_str(), expected, Bytes::from(bytes.clone()));
            match put.await? {
                Put::Done(_) => return Ok(wanted),
                Put::Stale(there) => expected = there,
            }
        }
        Err(Error::new(ErrorKind::Conflict, "write notification targets")
            .with_message("The targets were changed by others over and over."))
    }

    /// Whom a task tells: the policy's, then the caller's own, then those that were asked for, each once.
    pub(super) async fn targets(&self, asked: &[NotifyTarget]) -> Result<Vec<NotifyTarget>> {
        let mut targets = self.engine.policy.default_notify.clone();
        for target in self.default_notify().await? {
            // Known when it was set; should its notifier be gone, the outbox says so, and the run goes on.
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        self.add(&mut targets, asked)?;
        Ok(targets)
    }

    fn add(&self, targets: &mut Vec<NotifyTarget>, asked: &[NotifyTarget]) -> Result<()> {
        let refused =
            |message: String| Error::new(ErrorKind::InvalidInput, "take notification targets").with_message(message);
        for target in asked {
            let Some(notifier) = self.engine.notifiers.get(&target.channel) else {
                let known = self.engine.notifiers.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(refused(format!("There is no notifier {:?}; there are {known}.", target.channel)));
            };
            if target.address.len() > ADDRESS_BYTES_MAX {
                return Err(refused(format!("An address has at most {ADDRESS_BYTES_MAX} bytes.")));
            }
            notifier.check(&target.address)?;
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        if targets.len() > NOTIFY_MAX {
            return Err(refused(format!("A task tells at most {NOTIFY_MAX} destinations.")));
        }
        Ok(())
    }

    async fn stored_notify(&self) -> Result<(Vec<NotifyTarget>, Option<u64>)> {
        let owner = self.owner()?;
        let Some(document) = self.engine.store.get_document(NAMESPACE, owner.as_str()).await? else {
            return Ok((Vec::new(), None));
        };
        let targets = serde_json::from_slice(&document.bytes).map_err(|e| {
            Error::new(ErrorKind::Corrupt, "read notification targets").with_context("caller", owner).with_source(e)
        })?;
        Ok((targets, Some(document.version)))
    }
}
