//! Everything that a world left behind: what the station says, and what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard};

use crate::error::Result;
use crate::id::{CallerId, TaskId};
use crate::station::Station;
use crate::store::{
    EventQuery, NoticeQuery, NoticeRecord, PAGE_MAX, StoredEvent, TaskQuery, TaskStore, Total, TotalsQuery,
};
use crate::task::TaskRecord;
use crate::testkit::campaign::books::Books;
use crate::testkit::campaign::client::Asked;
use crate::testkit::campaign::custody::Vault;
use crate::testkit::campaign::provider::Outside;
use crate::testkit::campaign::receiver::Told;

/// What one caller can see.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) caller: CallerId,
    pub(super) tasks: BTreeSet<TaskId>,
    pub(super) events: BTreeSet<TaskId>,
    pub(super) notices: BTreeSet<TaskId>,
    /// Tasks of others that it was shown when it asked for them by id, or whose story it was told.
    pub(super) shown: Vec<TaskId>,
    pub(super) totals: Vec<Total>,
}

/// What is judged.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    outside: &'a Arc<Outside>,
    pub(super) asked: &'a [Asked],
    pub(super) tasks: BTreeMap<TaskId, TaskRecord>,
    pub(super) events: BTreeMap<TaskId, Vec<StoredEvent>>,
    pub(super) notices: BTreeMap<TaskId, Vec<NoticeRecord>>,
    pub(super) told: BTreeMap<TaskId, Vec<Told>>,
    pub(super) totals: Vec<Total>,
    pub(super) sights: Vec<Sight>,
}

/// Others' tasks that each caller asks for.
const OTHERS_ASKED: usize = 8;

impl<'a> Evidence<'a> {
    pub(super) async fn gather(
        outside: &'a Arc<Outside>,
        asked: &'a [Asked],
        all_told: Vec<Told>,
        store: &dyn TaskStore,
        station: &Station,
    ) -> Result<Self> {
        let tasks = tasks_of(station, None).await?;
        let mut events: BTreeMap<TaskId, Vec<StoredEvent>> = BTreeMap::new();
        for event in events_of(store, None).await? {
            events.entry(event.task_id).or_default().push(event);
        }
        let mut notices: BTreeMap<TaskId, Vec<NoticeRecord>> = BTreeMap::new();
        for notice in notices_of(station, None).await? {
            notices.entry(notice.task_id).or_default().push(notice);
        }
        let mut told: BTreeMap<TaskId, Vec<Told>> = BTreeMap::new();
        for one in all_told {
            told.entry(one.task).or_default().push(one);
        }
        let totals = station.admin().totals(TotalsQuery::default()).await?;
        let mut sights = Vec::new();
        let callers: BTreeSet<CallerId> = asked.iter().map(|asked| asked.caller.clone()).collect();
        for caller in callers {
            sights.push(sight(store, station, caller, &tasks).await?);
        }
        Ok(Self { outside, asked, tasks, events, notices, told, totals, sights })
    }

    /// The truth.
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.outside.books()
    }

    /// What is in custody.
    pub(super) fn vault(&self) -> MutexGuard<'_, Vault> {
        self.outside.vault()
    }

    pub(super) fn events_of(&self, id: TaskId) -> &[StoredEvent] {
        self.events.get(&id).map_or(&[], Vec::as_slice)
    }
}

async fn sight(
    store: &dyn TaskStore,
    station: &Station,
    caller: CallerId,
    all: &BTreeMap<TaskId, TaskRecord>,
) -> Result<Sight> {
    let as_caller = station.as_caller(caller.clone());
    let tasks = tasks_of(station, Some(&caller)).await?.into_keys().collect();
    let events = events_of(store, Some(&caller)).await?.into_iter().map(|event| event.task_id).collect();
    let notices = notices_of(station, Some(&caller)).await?.into_iter().map(|notice| notice.task_id).collect();
    let mut shown = Vec::new();
    for task in all.values().filter(|task| task.caller != caller).take(OTHERS_ASKED) {
        let id = task.task_id;
        let told = as_caller.task(id).await.is_ok()
            || as_caller.explain(id).await.is_ok()
            || as_caller.cancel(id).await.is_ok()
            || !as_caller.events_after(Some(id), 0).await?.is_empty();
        shown.extend(told.then_some(id));
    }
    let totals = as_caller.totals(TotalsQuery::default()).await?;
    Ok(Sight { caller, tasks, events, notices, shown, totals })
}

async fn tasks_of(station: &Station, caller: Option<&CallerId>) -> Result<BTreeMap<TaskId, TaskRecord>> {
    let viewer = caller.map_or_else(|| station.admin(), |caller| station.as_caller(caller.clone()));
    let mut tasks = BTreeMap::new();
    let mut query = TaskQuery { limit: PAGE_MAX, ..TaskQuery::default() };
    loop {
        let page = viewer.list(query.clone()).await?;
        tasks.extend(page.tasks.into_iter().map(|task| (task.task_id, task)));
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(tasks),
        }
    }
}

async fn events_of(store: &dyn TaskStore, caller: Option<&CallerId>) -> Result<Vec<StoredEvent>> {
    let mut events: Vec<StoredEvent> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.seq);
        let page = store.events(&EventQuery { task: None, caller: caller.cloned(), after, limit: 0 }).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

async fn notices_of(station: &Station, caller: Option<&CallerId>) -> Result<Vec<NoticeRecord>> {
    let viewer = caller.map_or_else(|| station.admin(), |caller| station.as_caller(caller.clone()));
    let mut notices = Vec::new();
    let mut query = NoticeQuery { limit: PAGE_MAX, ..NoticeQuery::default() };
    loop {
        let page = viewer.notices(query.clone()).await?;
        notices.extend(page.notices);
        match page.next {
            Some(next) => query.before = Some(next),
            None => return Ok(notices),
        }
    }
}
