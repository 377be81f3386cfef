//! Task ids from a seed: what sorts by id plays the same each time.

use std::cell::Cell;

thread_local! {
    static NEXT: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// While it lives, this thread's new task ids come from a seed, in order.
#[derive(Debug)]
pub(super) struct SeededIds(());

impl SeededIds {
    pub(super) fn begin(seed: u64) -> Self {
        NEXT.set(Some((seed, 0)));
        Self(())
    }
}

impl Drop for SeededIds {
    fn drop(&mut self) {
        NEXT.set(None);
    }
}

/// The next id, where ids come from a seed.
pub(crate) fn next() -> Option<[u8; 16]> {
    let (seed, count) = NEXT.get()?;
    NEXT.set(Some((seed, count + 1)));
    // The layout of a version 7 UUID: what orders it comes first.
    let mut bytes = [0; 16];
    let ordered = (u128::from(count) << 80) | u128::from(seed & 0x3fff_ffff_ffff_ffff) | (0x7 << 76) | (0x2 << 62);
    bytes.copy_from_slice(&ordered.to_be_bytes());
    Some(bytes)
}
