//! The bucket: files that clients uploaded.

use bytes::Bytes;
use std::collections::{HashMap, VecDeque};

/// Bytes kept over all files; beyond that the oldest go. As much as one file may have.
const MAX_STORED_BYTES: usize = 262_144_000;

/// One stored file.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) content_type: String,
    pub(crate) bytes: Bytes,
}

/// Files by key, bounded.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    files: HashMap<String, Stored>,
    order: VecDeque<String>,
    total: usize,
}

impl Storage {
    pub(crate) fn put(&mut self, key: &str, file: Stored) {
        self.total += file.bytes.len();
        if let Some(old) = self.files.insert(key.to_owned(), file) {
            self.total = self.total.saturating_sub(old.bytes.len());
            self.order.retain(|k| k != key);
        }
        self.order.push_back(key.to_owned());
        while self.total > MAX_STORED_BYTES && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.files.remove(&oldest) {
                self.total = self.total.saturating_sub(gone.bytes.len());
            }
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Stored> {
        self.files.get(key).cloned()
    }
}
