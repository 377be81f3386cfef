//! Keeps the catalogue fresh, and durable.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::Result;
use crate::registry::RefreshOutcome;
use crate::station::engine::Engine;
use crate::store::Put;

/// Where the last snapshot is kept in the store.
const DOCUMENT: (&str, &str) = ("registry", "catalogue");

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
    let outcome = engine.registry.refresh().await?;
    take_rates(engine);
    save(engine).await?;
    engine.learned.save(engine.store.as_ref()).await?;
    Ok(outcome)
}

/// Runs until the station is closed.
pub(crate) async fn run(engine: Arc<Engine>) {
    loop {
        if let Err(error) = refresh(&engine).await {
            tracing::warn!(%error, "the catalogue could not be refreshed; the last good one is served");
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

async fn save(engine: &Engine) -> Result<()> {
    let bytes = Bytes::from(engine.registry.export()?);
    let mut expected = engine.store.get_document(DOCUMENT.0, DOCUMENT.1).await?.map(|d| d.version);
    // Another host may write at the same time; either catalogue is as good, so a second loss is let be.
    for _ in 0..2 {
        match engine.store.put_document(DOCUMENT.0, DOCUMENT.1, expected, bytes.clone()).await? {
            Put::Done(_) => break,
            Put::Stale(version) => expected = version,
        }
    }
    Ok(())
}
