//! Writing one object, in bounded memory.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use stationthis_core::Result;

use super::unusable;

/// What is written at a time. S3 takes parts of 5 MiB or more, ten thousand of them: 80 GiB. One part is on its way while
/// the next one comes, so a transfer holds twice that.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// An object on its way. What is dropped before [`finish`](Self::finish) has ended is not there, and what was written of
/// it is removed.
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    key: Path,
    /// What came so far, as long as that fits into one part.
    small: Vec<Bytes>,
    small_bytes: usize,
    parts: Option<WriteMultipart>,
}

impl Upload {
    pub(super) const fn new(store: Arc<dyn ObjectStore>, key: Path) -> Self {
        Self { store, key, small: Vec::new(), small_bytes: 0, parts: None }
    }

    pub(super) async fn write(&mut self, piece: Bytes) -> Result<()> {
        if let Some(parts) = &mut self.parts {
            parts.wait_for_capacity(1).await.map_err(unusable)?;
            parts.put(piece);
            return Ok(());
        }
        self.small_bytes = self.small_bytes.saturating_add(piece.len());
        self.small.push(piece);
        if self.small_bytes >= PART_BYTES {
            let upload = self.store.put_multipart(&self.key).await.map_err(unusable)?;
            let parts = self.parts.insert(WriteMultipart::new_with_chunk_size(upload, PART_BYTES));
            self.small.drain(..).for_each(|piece| parts.put(piece));
        }
        Ok(())
    }

    /// The object is there, whole, when this returns.
    pub(super) async fn finish(mut self) -> Result<()> {
        match self.parts.take() {
            Some(parts) => parts.finish().await.map_err(unusable)?,
            None => {
                let payload: PutPayload = std::mem::take(&mut self.small).into_iter().collect();
                self.store.put(&self.key, payload).await.map_err(unusable)?
            }
        };
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Storages keep parts, and charge for them, until they are told.
        if let (Some(parts), Ok(runtime)) = (self.parts.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                if let Err(error) = parts.abort().await {
                    tracing::warn!(%error, "what was written of an output could not be removed");
                }
            });
        }
    }
}
