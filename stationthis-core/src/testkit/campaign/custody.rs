//! A custody that fails as networks and storages do, and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::custody::{Custody, KeepRequest, Kept};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::id::TaskId;
use crate::task::output::bare;
use crate::testkit::campaign::provider::Outside;
use crate::testkit::campaign::rng::Rng;
use crate::time::{Clock, Timestamp};

/// What is in custody; outlives every process of the station.
#[derive(Debug)]
pub(super) struct Vault {
    rng: Rng,
    /// By key.
    pub(super) held: BTreeMap<String, Held>,
    /// Tasks of which it said that an output never will be kept.
    pub(super) refused: BTreeSet<TaskId>,
}

/// One thing that it holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) task: TaskId,
    /// Where it came from, without what changes with each signature.
    pub(super) url: String,
    pub(super) blake3: String,
}

/// How an attempt goes.
enum Fate {
    Kept,
    /// It is there, and the answer is lost.
    Unheard,
    Fails(Error),
    Hangs,
}

impl Vault {
    pub(super) fn new(seed: u64) -> Self {
        // Apart from all other numbers, so that the worlds without custody are what they were.
        Self { rng: Rng::new(!seed), held: BTreeMap::new(), refused: BTreeSet::new() }
    }

    fn fate(&mut self, request: &KeepRequest, faults: u32, now: Timestamp) -> Fate {
        let known = self.held.contains_key(&key_of(request));
        let gone = || Fate::Fails(Error::new(ErrorKind::Gone, "keep output"));
        if self.rng.chance(faults) {
            let unavailable = Error::new(ErrorKind::Unavailable, "keep output").with_retry(Retry::Backoff);
            return match self.rng.below(10) {
                0..=3 => Fate::Fails(unavailable),
                4 | 5 => Fate::Unheard,
                6 => Fate::Hangs,
                // It says so, and the URL is good.
                7 | 8 => gone(),
                _ if known => Fate::Kept,
                _ => {
                    self.refused.insert(request.task_id);
                    Fate::Fails(Error::new(ErrorKind::TooLarge, "keep output"))
                }
            };
        }
        if !known && request.output.expires_at.is_some_and(|end| end <= now) { gone() } else { Fate::Kept }
    }

    fn hold(&mut self, request: &KeepRequest) -> Kept {
        let url = bare(request.output.url.as_deref().unwrap_or_default()).to_owned();
        let blake3 = format!("hash of {url}");
        let key = key_of(request);
        self.held.entry(key.clone()).or_insert(Held { task: request.task_id, url, blake3: blake3.clone() });
        Kept::new(key, blake3, 7, "image/png", request.at)
    }
}

fn key_of(request: &KeepRequest) -> String {
    format!("{}/{}/{}", request.task_id, request.output.order, bare(request.output.url.as_deref().unwrap_or_default()))
}

/// The way to it from one process.
#[derive(Debug)]
pub(super) struct HostileCustody {
    pub(super) outside: Arc<Outside>,
    /// Attempts of a thousand that go wrong.
    pub(super) faults: u32,
}

#[async_trait]
impl Custody for HostileCustody {
    async fn keep(&self, request: &KeepRequest) -> Result<Kept> {
        let (fate, before, after) = {
            let mut vault = self.outside.vault();
            let (before, after) = (vault.rng.millis(5, 2000), vault.rng.millis(0, 500));
            (vault.fate(request, self.faults, self.outside.clock.now()), before, after)
        };
        tokio::time::sleep(before).await;
        match fate {
            Fate::Fails(error) => Err(error),
            Fate::Hangs => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(Error::new(ErrorKind::Timeout, "keep output").with_retry(Retry::Backoff))
            }
            Fate::Kept | Fate::Unheard => {
                let kept = self.outside.vault().hold(request);
                // Here it is kept, and nobody has been told.
                tokio::time::sleep(after).await;
                match fate {
                    Fate::Kept => Ok(kept),
                    Fate::Unheard | Fate::Fails(_) | Fate::Hangs => {
                        Err(Error::new(ErrorKind::Unavailable, "keep output").with_retry(Retry::Backoff))
                    }
                }
            }
        }
    }
}
