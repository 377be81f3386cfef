//! Leases, and one way to claim.

use crate::store::{Claim, PAGE_MAX};
use crate::time::Timestamp;

/// Who has something, and until when.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) owner: String,
    pub(super) until: Timestamp,
}

impl Lease {
    pub(super) fn of(claim: &Claim) -> Self {
        Self { owner: claim.owner.clone(), until: claim.now.plus(claim.lease) }
    }
}

/// How much a claim takes at most.
pub(super) fn limit_of(claim: &Claim) -> usize {
    claim.limit.min(PAGE_MAX)
}

/// Takes a lease away from its owner; whether it was theirs.
pub(super) fn release(lease: &mut Option<Lease>, owner: &str) -> bool {
    let theirs = lease.as_ref().is_some_and(|held| held.owner == owner);
    if theirs {
        *lease = None;
    }
    theirs
}

/// From when on something that is due then may be claimed: not before its lease ends.
pub(super) fn free_at(due_at: Timestamp, lease: Option<&Lease>) -> Timestamp {
    lease.map_or(due_at, |lease| lease.until.max(due_at))
}
