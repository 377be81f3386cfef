//! Ids that are the same in every simulation of the same catalogue.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A v4-looking id made of a kind and a name.
pub(crate) fn stable(kind: &str, name: &str) -> Uuid {
    Builder::from_random_bytes(digest(kind, name)).into_uuid()
}

/// As [`stable`] for the `index`-th of a generated kind; [`index_of`] reads the index back, so that
/// thousands of generated things need no table.
pub(crate) fn indexed(kind: &str, index: u32) -> Uuid {
    let mut bytes = digest(kind, "");
    if let Some(tail) = bytes.last_chunk_mut::<4>() {
        *tail = index.to_be_bytes();
    }
    Builder::from_random_bytes(bytes).into_uuid()
}

/// The index inside an id made by [`indexed`] for the same kind.
pub(crate) fn index_of(kind: &str, id: Uuid) -> Option<u32> {
    let index = u32::from_be_bytes(*id.as_bytes().last_chunk::<4>()?);
    (indexed(kind, index) == id).then_some(index)
}

fn digest(kind: &str, name: &str) -> [u8; 16] {
    let full = Sha256::new().chain_update(kind).chain_update([0]).chain_update(name).finalize();
    full.first_chunk::<16>().copied().unwrap_or_default()
}

/// A hash for things that are not ids: picture variations, signatures.
pub(crate) fn hash64(text: &str) -> u64 {
    let bytes = digest("hash", text);
    u64::from_be_bytes(bytes.first_chunk::<8>().copied().unwrap_or_default())
}
