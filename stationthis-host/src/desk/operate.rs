//! What whoever runs a host asks and does.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use stationthis_core::registry::LastChange;
use stationthis_core::station::Caller;
use stationthis_core::store::{NoticeQuery, NoticeRecord, NoticeState};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::Resolution;
use stationthis_core::{NoticeId, Result, TaskId, Timestamp};

use crate::app::App;
use crate::costs::{Costs, Span};
use crate::desk::{Desk, Place, discover};
use crate::housekeeping::{self, Backup, Pruned};
use crate::story::Story;

/// Which notices to list.
#[derive(Clone, Debug, Default)]
pub struct NoticeFilter {
    /// Only those that were given up.
    pub dead: bool,
    /// Only those about this task.
    pub task: Option<TaskId>,
    /// Of every caller, which is the operator's alone to see; else those of who asks.
    pub all: bool,
    /// At most so many.
    pub limit: u16,
}

#[derive(Deserialize)]
struct NoticeList {
    notices: Vec<NoticeRecord>,
}

#[derive(Deserialize)]
struct Changes {
    change: Option<LastChange>,
}

#[derive(Deserialize)]
struct Requeued {
    requeued: bool,
}

impl Desk {
    /// All that happened to a task; `all`: whoever's it is.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn explain(&self, id: TaskId, all: bool) -> Result<Story> {
        match &self.place {
            Place::Host(host) => {
                let id = id.to_string();
                host.call(Method::GET, &scoped(all, &["tasks", &id, "explain"]), &[], &[], None).await
            }
            Place::Own(app, caller) => Story::tell(app.station(), &as_whom(app, caller, all), id).await,
        }
    }

    /// Says what became of a submission whose answer was lost. On a host this needs the operator's key.
    ///
    /// # Errors
    /// As [`Caller::resolve_task`].
    pub async fn resolve(&self, id: TaskId, resolution: &Resolution) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => {
                let (id, body) = (id.to_string(), json!(resolution));
                host.call(Method::POST, &["admin", "tasks", &id, "resolve"], &[], &[], Some(&body)).await
            }
            Place::Own(app, _) => app.station().admin().resolve_task(id, resolution.clone()).await,
        }
    }

    /// Writes down what an ended task cost by what the service says now. On a host this needs the operator's key.
    ///
    /// # Errors
    /// As [`Caller::reconcile`].
    pub async fn reconcile(&self, id: TaskId) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => {
                let id = id.to_string();
                host.call(Method::POST, &["admin", "tasks", &id, "reconcile"], &[], &[], None).await
            }
            Place::Own(app, _) => app.station().admin().reconcile(id).await,
        }
    }

    /// Notices, newest first.
    ///
    /// # Errors
    /// As [`Caller::notices`].
    pub async fn notices(&self, filter: &NoticeFilter) -> Result<Vec<NoticeRecord>> {
        match &self.place {
            Place::Host(host) => {
                let mut query = vec![("limit", filter.limit.to_string())];
                query.extend(filter.dead.then(|| ("state", NoticeState::Dead.as_str().to_owned())));
                query.extend(filter.task.map(|task| ("task", task.to_string())));
                let path = scoped(filter.all, &["notices"]);
                Ok(host.call::<NoticeList>(Method::GET, &path, &query, &[], None).await?.notices)
            }
            Place::Own(app, caller) => {
                let query = NoticeQuery {
                    state: filter.dead.then_some(NoticeState::Dead),
                    task: filter.task,
                    limit: filter.limit.into(),
                    ..NoticeQuery::default()
                };
                Ok(as_whom(app, caller, filter.all).notices(query).await?.notices)
            }
        }
    }

    /// Tries a dead notice again; `false` when it is not dead.
    ///
    /// # Errors
    /// As [`Caller::requeue_notice`].
    pub async fn requeue_notice(&self, task: TaskId, notice: NoticeId, all: bool) -> Result<bool> {
        match &self.place {
            Place::Host(host) => {
                let (task, notice) = (task.to_string(), notice.to_string());
                let path = scoped(all, &["tasks", &task, "notices", &notice, "requeue"]);
                Ok(host.call::<Requeued>(Method::POST, &path, &[], &[], None).await?.requeued)
            }
            Place::Own(app, caller) => as_whom(app, caller, all).requeue_notice(task, notice).await,
        }
    }

    /// What the last refresh changed that changed anything; a station of our own asks its provider first.
    ///
    /// # Errors
    /// As [`Station::last_change`](stationthis_core::station::Station::last_change).
    pub async fn last_change(&self) -> Result<Option<LastChange>> {
        match &self.place {
            Place::Host(host) => Ok(host.call::<Changes>(Method::GET, &["changes"], &[], &[], None).await?.change),
            Place::Own(app, _) => {
                discover(app, true).await?;
                app.station().last_change().await
            }
        }
    }

    /// What ended tasks cost, in one month or in all, with a sum for each span.
    ///
    /// # Errors
    /// As [`Costs::of`].
    pub async fn costs(&self, month: Option<String>, span: Span, all: bool) -> Result<Costs> {
        match &self.place {
            Place::Host(host) => {
                let mut query = vec![("by", span.as_str().to_owned())];
                query.extend(month.map(|month| ("month", month)));
                host.call(Method::GET, &scoped(all, &["costs"]), &query, &[], None).await
            }
            Place::Own(app, caller) => Costs::of(&as_whom(app, caller, all), month, span).await,
        }
    }

    /// Forgets tasks that ended more than so many days ago. On a host this needs the operator's key.
    ///
    /// # Errors
    /// As [`housekeeping::prune`].
    pub async fn prune(&self, days: u32) -> Result<Pruned> {
        match &self.place {
            Place::Host(host) => {
                let body = json!({ "olderThanDays": days });
                host.call(Method::POST, &["admin", "prune"], &[], &[], Some(&body)).await
            }
            Place::Own(app, _) => housekeeping::prune(app.station(), app.custody(), days, Timestamp::now()).await,
        }
    }

    /// Copies the database into the folder of backups, under a bare file name. On a host this needs the operator's key.
    ///
    /// # Errors
    /// As [`Backups::make`](housekeeping::Backups::make).
    pub async fn backup(&self, file: &str) -> Result<Backup> {
        match &self.place {
            Place::Host(host) => {
                host.call(Method::POST, &["admin", "backup"], &[], &[], Some(&json!({ "file": file }))).await
            }
            Place::Own(app, _) => app.backups().make(file).await,
        }
    }
}

/// The station as who asks sees it, or the operator.
pub(super) fn as_whom(app: &App, own: &Caller, all: bool) -> Caller {
    if all { app.station().admin() } else { own.clone() }
}

/// The path of who asks, or of the operator who asks about everybody.
pub(super) fn scoped<'a>(all: bool, path: &[&'a str]) -> Vec<&'a str> {
    all.then_some("admin").into_iter().chain(path.iter().copied()).collect()
}
