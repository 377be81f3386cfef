//! Keeps the catalogue fresh, and durable.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::registry::{LastChange, RefreshOutcome};
use crate::station::engine::Engine;
use crate::store::Put;

/// Where the last snapshot is kept in the store.
pub(crate) const DOCUMENT: (&str, &str) = ("registry", "catalogue");

/// Where that is kept which a refresh changed last.
const CHANGE: (&str, &str) = ("registry", "lastChange");

/// Serves what the last refresh of an earlier process found; a first start has nothing.
pub(crate) async fn restore(engine: &Engine) -> Result<()> {
    if engine.registry.snapshot().providers().iter().any(|provider| !provider.stale) {
        // It was refreshed before it was started: what is stored is no newer.
        return Ok(());
    }
    if let Some(document) = engine.store.get_document(DOCUMENT.0, DOCUMENT.1).await? {
        if let Err(error) = engine.registry.restore(&document.bytes) {
            // A newer shape or a damaged document: a refresh makes it anew.
            tracing::warn!(%error, "the stored catalogue could not be read");
        }
        take_rates(engine);
    }
    Ok(())
}

/// Asks every provider now.
pub(crate) async fn refresh(engine: &Engine) -> Result<RefreshOutcome> {
    let before = engine.registry.snapshot();
    let outcome = engine.registry.refresh().await?;
    take_rates(engine);
    save(engine, DOCUMENT, Bytes::from(engine.registry.export()?)).await?;
    if let Some(change) = LastChange::between(&before, &outcome.snapshot) {
        let bytes = serde_json::to_vec(&change)
            .map_err(|e| Error::new(ErrorKind::Unexpected, "keep the catalogue's change").with_source(e))?;
        save(engine, CHANGE, Bytes::from(bytes)).await?;
    }
    engine.learned.save(engine.store.as_ref()).await?;
    Ok(outcome)
}

/// Runs until the station is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        if let Err(error) = refresh(&engine).await {
            tracing::warn!(%error, "the catalogue could not be refreshed; what was known before is served, if anything was");
        }
        tokio::select! {
            () = engine.closed.cancelled() => return,
            () = tokio::time::sleep(engine.registry.next_refresh_in()) => {}
        }
    }
}

fn take_rates(engine: &Engine) {
    for status in engine.registry.snapshot().providers() {
        if let Some(backend) = engine.backends.get(&status.provider_id) {
            engine.rates.refresh(&status.provider_id, &backend.cost.builtin_card(), status.rate_card.as_ref());
        }
    }
}

/// What the last refresh changed that changed anything.
pub(crate) async fn last_change(engine: &Engine) -> Result<Option<LastChange>> {
    let Some(document) = engine.store.get_document(CHANGE.0, CHANGE.1).await? else { return Ok(None) };
    serde_json::from_slice(&document.bytes)
        .map(Some)
        .map_err(|e| Error::new(ErrorKind::Corrupt, "read the catalogue's change").with_source(e))
}

async fn save(engine: &Engine, (namespace, key): (&str, &str), bytes: Bytes) -> Result<()> {
    let mut expected = engine.store.get_document(namespace, key).await?.map(|d| d.version);
    // Another host may write at the same time; either catalogue is as good, so a second loss is let be.
    for _ in 0..2 {
        match engine.store.put_document(namespace, key, expected, bytes.clone()).await? {
            Put::Done(_) => break,
            Put::Stale(version) => expected = version,
        }
    }
    Ok(())
}
