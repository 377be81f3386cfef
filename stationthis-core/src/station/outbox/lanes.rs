//! Who is told next: a lane for each receiver, so that none of them holds up the others.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::station::outbox::breaker::{Admission, Breaker};
use crate::store::OutboxItem;
use crate::time::Timestamp;

/// Attempts under way to one receiver: enough for a fast one, and few of the slots of all for a slow one.
const PER_RECEIVER: usize = 4;

/// Attempts under way to all: bounds sockets. Sixteen slow receivers are needed to take them all.
const IN_FLIGHT_MAX: usize = 64;

/// Notices that wait in memory for one receiver and for all: some hundred bytes each; the rest waits in the store.
const WAITING_PER_RECEIVER: usize = 1024;
const WAITING_MAX: usize = 4096;

/// How long a notice waits in the store when its lane is full.
const FULL_PAUSE: Duration = Duration::from_secs(10);

/// How long one waits here before it goes back to the store: what is left of its lease must be enough for an attempt.
const WAIT_MAX: Duration = Duration::from_secs(25);

/// Receivers that are remembered without a notice for them: callers choose them, so their number is theirs.
const REMEMBERED_MAX: usize = 1024;

/// A channel, and the receiver behind the address there.
pub(super) type Receiver = (String, String);

/// What waits and what is under way, by receiver.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<Receiver, Lane>,
    waiting: usize,
    in_flight: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    in_flight: usize,
    breaker: Breaker,
}

#[derive(Debug)]
struct Waiting {
    item: OutboxItem,
    since: Timestamp,
}

/// What to do with notices now.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Work {
    /// To be tried; each ends with [`Lanes::end`].
    pub(super) start: Vec<(Receiver, OutboxItem)>,
    /// Back to the store, not to be tried before then.
    pub(super) put_off: Vec<PutOff>,
}

/// A notice that is not tried now.
#[derive(Debug, PartialEq)]
pub(super) struct PutOff {
    pub(super) item: OutboxItem,
    pub(super) until: Timestamp,
    /// Because its receiver does not answer.
    pub(super) spared: bool,
}

impl Lanes {
    /// Takes a notice that was claimed; gives it back when there is no room for it here.
    pub(super) fn take(&mut self, receiver: Receiver, item: OutboxItem, now: Timestamp) -> Option<PutOff> {
        let lane = self.lanes.entry(receiver).or_default();
        if lane.waiting.len() >= WAITING_PER_RECEIVER || self.waiting >= WAITING_MAX {
            return Some(PutOff { item, until: now.plus(FULL_PAUSE), spared: false });
        }
        lane.waiting.push_back(Waiting { item, since: now });
        self.waiting += 1;
        None
    }

    /// What can begin now, the receivers with the least under way first, and what has to wait elsewhere.
    pub(super) fn next(&mut self, now: Timestamp) -> Work {
        let mut work = Work::default();
        for lane in self.lanes.values_mut() {
            lane.put_off(now, &mut work.put_off);
        }
        self.waiting = self.waiting.saturating_sub(work.put_off.len());
        while self.in_flight < IN_FLIGHT_MAX {
            let ready = self.lanes.iter_mut().filter(|(_, lane)| lane.is_ready(now));
            let Some((receiver, lane)) = ready.min_by_key(|(_, lane)| (lane.in_flight, lane.since())) else { break };
            let Some(waiting) = lane.waiting.pop_front() else { break };
            lane.breaker.begin();
            lane.in_flight += 1;
            self.in_flight += 1;
            self.waiting = self.waiting.saturating_sub(1);
            work.start.push((receiver.clone(), waiting.item));
        }
        work
    }

    /// An attempt ended; did the receiver answer?
    pub(super) fn end(&mut self, receiver: &Receiver, answered: bool, now: Timestamp) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(receiver) {
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.breaker.end(answered, now);
        }
        self.lanes.retain(|_, lane| !lane.is_idle() || lane.breaker != Breaker::Closed);
        if self.lanes.len() > REMEMBERED_MAX {
            // Who is forgotten is tried again, as by a new process.
            self.lanes.retain(|_, lane| !lane.is_idle());
        }
    }

    /// Somebody says that the receiver is well again.
    pub(super) fn forgive(&mut self, receiver: &Receiver) {
        if let Some(lane) = self.lanes.get_mut(receiver) {
            lane.breaker = Breaker::Closed;
        }
    }
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight == 0
    }

    fn is_ready(&self, now: Timestamp) -> bool {
        !self.waiting.is_empty() && self.in_flight < PER_RECEIVER && self.breaker.admits(now) == Admission::Yes
    }

    fn since(&self) -> Option<Timestamp> {
        self.waiting.front().map(|waiting| waiting.since)
    }

    /// All of them while the receiver is spared, else those whose lease would not last for an attempt.
    fn put_off(&mut self, now: Timestamp, put_off: &mut Vec<PutOff>) {
        if let Admission::NotBefore(until) = self.breaker.admits(now) {
            put_off.extend(self.waiting.drain(..).map(|waiting| PutOff { item: waiting.item, until, spared: true }));
            return;
        }
        while self.since().is_some_and(|since| now.since(since) > WAIT_MAX) {
            let Some(waiting) = self.waiting.pop_front() else { return };
            put_off.push(PutOff { item: waiting.item, until: now, spared: false });
        }
    }
}

#[cfg(test)]
mod tests;
