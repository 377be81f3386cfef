//! Where custody was agreed, a task completed only with all its outputs in custody, each kept once, each its own; and it
//! was given up only where there was no hope.

use std::collections::BTreeMap;

use crate::task::TaskRecord;
use crate::task::event::Event;
use crate::task::output::{Output, bare};
use crate::task::state::TaskStatus;
use crate::testkit::campaign::custody::Vault;
use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::world::policy;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let vault = evidence.vault();
    for (id, task) in &evidence.tasks {
        let mut say = |what: String| broken.push(format!("{id}: {what}"));
        let mut times: BTreeMap<u32, u32> = BTreeMap::new();
        for stored in evidence.events_of(*id) {
            let Event::OutputsKept { outputs } = &stored.event.what else { continue };
            outputs.iter().for_each(|output| *times.entry(output.order).or_default() += 1);
        }
        if times.values().any(|times| *times > 1) {
            say(format!("outputs were kept again: {times:?}"));
        }
        for output in task.state.outputs.iter().filter(|output| output.custody.is_some()) {
            if !is_held(task, output, &vault) {
                say(format!("output {} is not what is held", output.order));
            }
        }
        let unkept = task.state.outputs.iter().filter(|output| output.is_unkept()).count();
        match task.state.status {
            TaskStatus::Completed if task.state.custody && unkept > 0 => {
                say(format!("it completed with {unkept} outputs in no custody"));
            }
            TaskStatus::Failed if given_up(task) && !hopeless(evidence, task, &vault) => {
                say("its custody was given up too early".to_owned());
            }
            TaskStatus::Failed if given_up(task) && (unkept == 0 || !task.state.needs_review()) => {
                say("its custody was given up, and nobody is told what is missing".to_owned());
            }
            _ => {}
        }
    }
    broken
}

fn is_held(task: &TaskRecord, output: &Output, vault: &Vault) -> bool {
    let (Some(kept), Some(url)) = (&output.custody, &output.url) else { return false };
    let held = vault.held.get(&kept.key);
    task.state.custody
        && held.is_some_and(|held| {
            (held.task, held.url.as_str(), held.blake3.as_str()) == (task.task_id, bare(url), kept.blake3.as_str())
        })
}

fn given_up(task: &TaskRecord) -> bool {
    task.state.status_reason.as_ref().is_some_and(|reason| reason.code == "notKept")
}

/// It was refused for good, its deadline had passed, or the service had nothing to fetch any more.
fn hopeless(evidence: &Evidence<'_>, task: &TaskRecord, vault: &Vault) -> bool {
    let (Some(ended_at), Some(since)) = (task.state.times.ended_at, task.state.over_at()) else { return false };
    let books = evidence.books();
    vault.refused.contains(&task.task_id)
        || ended_at >= since.plus(policy().custody_deadline)
        || books.runs_of(task.task_id).any(|(_, run)| run.urls.is_some_and(|urls| urls.last_end() <= ended_at))
}
