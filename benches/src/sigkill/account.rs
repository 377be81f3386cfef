//! What must be true of every task after everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use stationthis_core::cost::UsageBasis;
use stationthis_core::store::{EventQuery, NoticeQuery, NoticeState, PAGE_MAX, StoredEvent, TaskQuery, TaskStore};
use stationthis_core::task::event::Event;
use stationthis_core::task::replay::{canonical, replay};
use stationthis_core::{TaskRecord, TaskStatus};

use crate::sigkill::Plan;
use crate::sigkill::client::Asked;
use crate::sigkill::simulator::RunTruth;

/// What was counted, and what is wrong.
#[derive(Debug, Default)]
pub struct Account {
    /// Rows of a table.
    pub rows: Vec<(&'static str, String)>,
    /// A sentence for each thing that is wrong; empty when all is well.
    pub wrong: Vec<String>,
}

impl Account {
    pub(super) async fn of(
        plan: &Plan,
        store: &dyn TaskStore,
        books: &[RunTruth],
        told: &BTreeMap<String, Vec<String>>,
        asked: &[Asked],
        took: Duration,
    ) -> Result<Self> {
        let tasks = tasks_of(store).await?;
        let events = events_of(store).await?;
        let mut account = Self::default();
        account.requests(plan, asked, &tasks);
        let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
        for task in &tasks {
            *ends.entry(task.state.status.as_str()).or_default() += 1;
            let own: Vec<&RunTruth> = books.iter().filter(|run| is_of(run, task)).collect();
            let story = events.get(&task.task_id.to_string()).map_or(&[][..], Vec::as_slice);
            let wrong = wrong_with(task, &own, story, told);
            account.wrong.extend(wrong.into_iter().map(|what| format!("{}: {what}", task.task_id)));
        }
        let pending = NoticeQuery { state: Some(NoticeState::Pending), limit: 1, ..NoticeQuery::default() };
        if !store.list_notices(&pending).await?.notices.is_empty() {
            account.wrong.push("a notice is still on its way".to_owned());
        }
        let strays = books.iter().filter(|run| !tasks.iter().any(|task| is_of(run, task))).count();
        if strays > 0 {
            account.wrong.push(format!("{strays} runs are of no task"));
        }
        let told_count: usize = told.values().map(Vec::len).sum();
        let tries: u32 = asked.iter().map(|asked| asked.tries).sum();
        account.rows = vec![
            ("kills", plan.kills.to_string()),
            ("requests", asked.len().to_string()),
            ("tries of requests", tries.to_string()),
            ("tasks", tasks.len().to_string()),
            ("runs in the simulator's books", books.len().to_string()),
            ("webhooks that told of an end", told_count.to_string()),
            ("events", events.values().map(Vec::len).sum::<usize>().to_string()),
        ];
        account.rows.extend(ends.into_iter().map(|(end, count)| (end_row(end), count.to_string())));
        account.rows.push(("seconds", format!("{:.0}", took.as_secs_f64())));
        account.rows.push(("things that are wrong", account.wrong.len().to_string()));
        Ok(account)
    }

    /// Each request has one task, and each task one request.
    fn requests(&mut self, plan: &Plan, asked: &[Asked], tasks: &[TaskRecord]) {
        let mut known = BTreeSet::new();
        for asked in asked {
            let answers: BTreeSet<&String> = asked.tasks.iter().collect();
            if answers.len() != 1 {
                self.wrong.push(format!("one request has the tasks {answers:?}"));
            }
            known.extend(answers);
        }
        let there: BTreeSet<String> = tasks.iter().map(|task| task.task_id.to_string()).collect();
        let same = known.len() == there.len() && known.iter().all(|id| there.contains(*id));
        if !same || there.len() != plan.tasks as usize {
            let (asked, known, there) = (plan.tasks, known.len(), there.len());
            self.wrong.push(format!("{asked} requests were answered with {known} tasks, and {there} are there"));
        }
    }
}

fn end_row(end: &str) -> &'static str {
    match end {
        "completed" => "  completed",
        "failed" => "  failed",
        "cancelled" => "  cancelled",
        "timedOut" => "  timed out",
        _ => "  not ended",
    }
}

fn is_of(run: &RunTruth, task: &TaskRecord) -> bool {
    run.webhook.as_ref().is_some_and(|webhook| webhook.contains(&task.task_id.to_string()))
}

fn wrong_with(
    task: &TaskRecord,
    runs: &[&RunTruth],
    story: &[StoredEvent],
    told: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let state = &task.state;
    if !task.is_terminal() || task.due_at.is_some() {
        wrong.push(format!("it is {}, and due at {:?}", state.status, task.due_at));
    }
    if runs.len() > 1 {
        wrong.push(format!("{} runs were made", runs.len()));
    }
    wrong.extend(wrong_cost(task, runs.first().copied()));
    if state.status == TaskStatus::Completed && state.outputs.is_empty() {
        wrong.push("it completed without outputs".to_owned());
    }
    let settlements = story.iter().filter(|stored| matches!(stored.event.what, Event::Settled { .. })).count();
    if settlements != 1 {
        wrong.push(format!("it was settled {settlements} times"));
    }
    match replay(story.iter().map(|stored| &stored.event)) {
        Ok(replayed) if replayed == canonical(state) => {}
        Ok(_) | Err(_) => wrong.push("its events do not lead to its state".to_owned()),
    }
    let ids: BTreeSet<&String> = told.get(&task.task_id.to_string()).into_iter().flatten().collect();
    if ids.len() != 1 {
        wrong.push(format!("it was told of under the ids {ids:?}"));
    }
    wrong
}

/// The end and the cost, held against the one run that there is, or none.
fn wrong_cost(task: &TaskRecord, run: Option<&RunTruth>) -> Option<String> {
    let state = &task.state;
    let settlement = state.settlement.as_ref()?;
    let Some(run) = run else {
        let nothing = state.cost_usd.is_some_and(|cost| cost.nanos() == 0) && settlement.basis == UsageBasis::NotRun;
        let right = nothing && state.status == TaskStatus::Failed;
        return (!right).then(|| format!("no run was made, and it is {} at {:?}", state.status, state.cost_usd));
    };
    let expected_end = match run.status.as_str() {
        "success" => TaskStatus::Completed,
        "failed" => TaskStatus::Failed,
        _ => return Some(format!("its run is {}", run.status)),
    };
    if state.status != expected_end || !run.is_final {
        return Some(format!("it is {}, and its run {}", state.status, run.status));
    }
    if state.run_id.as_ref().is_none_or(|id| id.as_str() != run.id) {
        return Some(format!("it followed {:?}, and its run is {}", state.run_id, run.id));
    }
    let price = task.cost_rate.as_ref()?.amount.to_string();
    let expected = run.running_micros.and_then(|micros| nanos(&price, micros));
    let cost = state.cost_usd.map(|cost| i128::from(cost.nanos()));
    (cost != expected).then(|| format!("it cost {cost:?} nano-dollars; by the books {expected:?}"))
}

/// Price × time in whole nano-dollars, half up; reckoned apart from the code that is tested.
fn nanos(price: &str, micros: u64) -> Option<i128> {
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    let per_second: i128 = format!("{whole}{part:0<12}").parse().ok()?;
    // Pico-dollars a second times microseconds.
    Some((per_second * i128::from(micros) + 500_000_000) / 1_000_000_000)
}

async fn tasks_of(store: &dyn TaskStore) -> Result<Vec<TaskRecord>> {
    let mut tasks = Vec::new();
    let mut query = TaskQuery { limit: PAGE_MAX, ..TaskQuery::default() };
    loop {
        let page = store.list(&query).await?;
        tasks.extend(page.tasks);
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(tasks),
        }
    }
}

async fn events_of(store: &dyn TaskStore) -> Result<BTreeMap<String, Vec<StoredEvent>>> {
    let mut events: BTreeMap<String, Vec<StoredEvent>> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = store.events(&EventQuery { after, ..EventQuery::default() }).await?;
        let Some(last) = page.last() else { return Ok(events) };
        after = last.seq;
        for event in page {
            events.entry(event.task_id.to_string()).or_default().push(event);
        }
    }
}
