//! Raw webhooks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::lease::{Lease, limit_of, release};
use crate::error::Result;
use crate::store::{Appended, Claim, Claimed, INBOX_MAX, InboxItem, InboxOutcome, StoreStats, inbox_full};
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) max: usize,
    rows: BTreeMap<u64, Row>,
    by_content: HashMap<[u8; 16], u64>,
    /// From when on each may be claimed; `None`: at once.
    free: BTreeSet<(Option<Timestamp>, u64)>,
    last: u64,
}

#[derive(Debug)]
struct Row {
    item: InboxItem,
    parked_until: Option<Timestamp>,
    lease: Option<Lease>,
}

impl Row {
    /// A webhook is due when it is here, whatever the clock of the one who took it said.
    fn free_at(&self) -> Option<Timestamp> {
        self.parked_until.max(self.lease.as_ref().map(|lease| lease.until))
    }
}

impl Default for Inbox {
    fn default() -> Self {
        let (rows, by_content, free) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        Self { max: INBOX_MAX, rows, by_content, free, last: 0 }
    }
}

impl Inbox {
    pub(super) fn append(&mut self, item: &InboxItem) -> Result<Appended> {
        let content = item.content();
        if let Some(number) = self.by_content.get(&content) {
            if let Some(row) = self.rows.get_mut(number) {
                row.item.copies = row.item.copies.saturating_add(item.copies);
            }
            return Ok(Appended::Copy(*number));
        }
        if self.rows.len() >= self.max {
            return Err(inbox_full(self.max));
        }
        self.last = self.last.saturating_add(1);
        self.by_content.insert(content, self.last);
        self.free.insert((None, self.last));
        self.rows.insert(self.last, Row { item: item.clone(), parked_until: None, lease: None });
        Ok(Appended::New(self.last))
    }

    pub(super) fn claim(&mut self, claim: &Claim) -> Claimed<(u64, InboxItem)> {
        let limit = limit_of(claim);
        let chosen = self.free.iter().take(limit).take_while(|(at, _)| at.is_none_or(|at| at <= claim.now));
        let numbers: Vec<_> = chosen.map(|(_, number)| *number).collect();
        let next = self.free.iter().nth(numbers.len());
        let next_at = next.map(|(at, _)| at.map_or(claim.now, |at| at.max(claim.now)));
        let items = numbers.iter().filter_map(|number| {
            self.change(*number, |row| {
                row.lease = Some(Lease::of(claim));
                (*number, row.item.clone())
            })
        });
        Claimed { items: items.collect(), next_at }
    }

    pub(super) fn finish(&mut self, numbers: &[u64], outcome: InboxOutcome) {
        for number in numbers {
            match outcome {
                InboxOutcome::Dropped => self.drop_one(*number),
                InboxOutcome::ParkedUntil(at) => {
                    self.change(*number, |row| (row.parked_until, row.lease) = (Some(at), None));
                }
            }
        }
    }

    pub(super) fn release(&mut self, owner: &str) {
        for (number, row) in &mut self.rows {
            let leased = row.free_at();
            if release(&mut row.lease, owner) {
                self.free.remove(&(leased, *number));
                self.free.insert((row.free_at(), *number));
            }
        }
    }

    pub(super) fn count(&self, stats: &mut StoreStats) {
        stats.inbox = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        stats.oldest_webhook_at = self.rows.values().next().map(|row| row.item.received_at);
    }

    fn drop_one(&mut self, number: u64) {
        if let Some(row) = self.rows.remove(&number) {
            self.by_content.remove(&row.item.content());
            self.free.remove(&(row.free_at(), number));
        }
    }

    fn change<T>(&mut self, number: u64, change: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let row = self.rows.get_mut(&number)?;
        self.free.remove(&(row.free_at(), number));
        let value = change(row);
        self.free.insert((row.free_at(), number));
        Some(value)
    }
}
