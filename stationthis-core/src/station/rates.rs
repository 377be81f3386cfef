//! The rate cards in force, and the ones that are pinned.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use crate::cost::RateCard;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ProviderId;
use crate::store::TaskStore;

/// Where pinned cards are kept in the store, by their hash.
const NAMESPACE: &str = "rateCard";

/// Builtin prices, the service's own list laid over them, the operator's over both.
#[derive(Debug)]
pub(crate) struct Rates {
    over: RateCard,
    current: RwLock<BTreeMap<ProviderId, Arc<RateCard>>>,
    /// Cards that are in the store already. As many as price lists ever changed: few.
    pinned: RwLock<HashMap<String, Arc<RateCard>>>,
}

impl Rates {
    pub(crate) fn new(builtin: impl IntoIterator<Item = (ProviderId, RateCard)>, over: RateCard) -> Self {
        let current = builtin.into_iter().map(|(id, card)| (id, Arc::new(card.overlaid(&over)))).collect();
        Self { over, current: RwLock::new(current), pinned: RwLock::default() }
    }

    /// Takes over what a service publishes.
    pub(crate) fn refresh(&self, provider: &ProviderId, builtin: &RateCard, live: Option<&RateCard>) {
        let card = live.map_or_else(|| builtin.clone(), |live| builtin.overlaid(live)).overlaid(&self.over);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        current.insert(provider.clone(), Arc::new(card));
    }

    pub(crate) fn current(&self, provider: &ProviderId) -> Arc<RateCard> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.get(provider).cloned().unwrap_or_default()
    }

    /// Makes a card durable, so that a task may refer to it by its hash.
    pub(crate) async fn pin(&self, store: &dyn TaskStore, card: &Arc<RateCard>) -> Result<()> {
        let hash = card.hash();
        if self.known(&hash).is_some() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(card.as_ref())
            .map_err(|e| Error::new(ErrorKind::Unexpected, "write rate card").with_source(e))?;
        // The hash names the content, so a document that is there already is the same.
        store.put_document(NAMESPACE, &hash, None, Bytes::from(bytes)).await?;
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).insert(hash, card.clone());
        Ok(())
    }

    /// A pinned card.
    pub(crate) async fn card(&self, store: &dyn TaskStore, hash: &str) -> Result<Arc<RateCard>> {
        if let Some(card) = self.known(hash) {
            return Ok(card);
        }
        let lost = || Error::new(ErrorKind::Corrupt, "read rate card").with_context("hash", hash);
        let document = store.get_document(NAMESPACE, hash).await?.ok_or_else(lost)?;
        let card: RateCard = serde_json::from_slice(&document.bytes).map_err(|e| lost().with_source(e))?;
        let card = Arc::new(card);
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).insert(hash.to_owned(), card.clone());
        Ok(card)
    }

    fn known(&self, hash: &str) -> Option<Arc<RateCard>> {
        self.pinned.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }
}
