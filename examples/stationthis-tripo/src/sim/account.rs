//! The account: its tasks, its credits, its files.

use super::config::{Capacity, SimConfig};
use super::task::{Group, Phase, SimTask};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, VecDeque};

/// The most tasks that are remembered.
const TASKS_MAX: usize = 10_000;

/// The most files that are remembered.
const FILES_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Account {
    /// Credits without those that were taken by forgotten tasks.
    balance: Decimal,
    capacity: Capacity,
    tasks: VecDeque<SimTask>,
    /// Sizes by token; absent while a presigned one was not put.
    pub(super) files: BTreeMap<String, Option<usize>>,
}

impl Account {
    pub(super) const fn new(config: &SimConfig) -> Self {
        Self { balance: config.balance, capacity: config.capacity, tasks: VecDeque::new(), files: BTreeMap::new() }
    }

    pub(super) fn tasks(&self) -> impl Iterator<Item = &SimTask> {
        self.tasks.iter()
    }

    pub(super) fn task(&self, id: &str) -> Option<&SimTask> {
        self.tasks.iter().rev().find(|task| task.id == id)
    }

    pub(super) fn insert(&mut self, task: SimTask) {
        self.tasks.push_back(task);
        if self.tasks.len() > TASKS_MAX
            && let Some(forgotten) = self.tasks.pop_front()
        {
            self.balance -= forgotten.consumed();
        }
    }

    pub(super) fn keep_file(&mut self, token: String, size: Option<usize>) {
        if self.files.len() < FILES_MAX {
            self.files.insert(token, size);
        }
    }

    /// Is there no room for one more of a group?
    pub(super) fn is_full(&self, group: Group) -> bool {
        let at_work = self.tasks.iter().filter(|task| task.group == group && task.phase() != Phase::Ended).count();
        let most = match group {
            Group::H => self.capacity.h_models,
            Group::P => self.capacity.p_models,
            Group::Images => self.capacity.images,
            Group::Animations => self.capacity.animations,
            Group::Processing => self.capacity.processing,
        };
        at_work >= most
    }

    /// What is held for tasks at work.
    pub(super) fn frozen(&self) -> Decimal {
        self.tasks.iter().filter(|task| task.phase() != Phase::Ended).map(|task| task.credits).sum()
    }

    /// What is left, without what is held.
    pub(super) fn balance(&self) -> Decimal {
        self.balance - self.tasks.iter().map(SimTask::consumed).sum::<Decimal>() - self.frozen()
    }
}
