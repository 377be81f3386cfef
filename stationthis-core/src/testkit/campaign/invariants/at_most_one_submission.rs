//! At most one effective submission per task, and one task per request.

use std::collections::BTreeSet;

use crate::testkit::campaign::evidence::Evidence;

pub(super) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    let books = evidence.books();
    for (task, runs) in &books.by_task {
        if runs.len() > 1 {
            broken.push(format!("{task}: {} runs were made", runs.len()));
        }
        if !evidence.tasks.contains_key(task) {
            broken.push(format!("{task}: a run was made for a task that is not there"));
        }
    }
    let mut known = BTreeSet::new();
    for (nth, asked) in evidence.asked.iter().enumerate() {
        let answers: BTreeSet<_> = asked.answers.iter().copied().collect();
        match answers.first() {
            None => broken.push(format!("request {nth} was never answered")),
            Some(_) if answers.len() > 1 => broken.push(format!("request {nth} has several tasks: {answers:?}")),
            Some(task) if !evidence.tasks.contains_key(task) => {
                broken.push(format!("{task}: it was acknowledged and is lost"));
            }
            Some(_) => {}
        }
        known.extend(answers);
    }
    let unasked = evidence.tasks.keys().filter(|task| !known.contains(task));
    broken.extend(unasked.map(|task| format!("{task}: nobody was answered with it")));
    broken
}
