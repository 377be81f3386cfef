//! One way to ask a station, whether it is in this process or behind a host's HTTP API.

mod callers;
mod operate;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stationthis_core::station::{Caller, QuoteAnswer, RunRequest};
use stationthis_core::store::{TaskPage, TaskQuery};
use stationthis_core::task::TaskRecord;
use stationthis_core::{IdempotencyKey, Result, TaskId, ToolDefinition, ToolId};

use crate::app::{self, App, Service};
use crate::client::HostClient;
use crate::config::Config;
use crate::files::StoredFile;
use crate::outputs::Content;
use crate::view::ToolView;

pub use operate::NoticeFilter;

/// A station that a command asks: this process's own, or a running host.
#[derive(Debug)]
pub struct Desk {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Host(HostClient),
    Own(Box<App>, Caller),
}

/// Which tasks to list.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Statuses, separated by commas.
    pub status: Option<String>,
    /// A tool, by any of its names.
    pub tool: Option<String>,
    /// Only those that need review.
    pub needs_review: bool,
    /// Of every caller, which is the operator's alone to see; else those of who asks.
    pub all: bool,
    /// At most so many.
    pub limit: u16,
}

#[derive(Deserialize)]
struct ToolList {
    tools: Vec<ToolView>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskList {
    tasks: Vec<TaskRecord>,
    next_cursor: Option<TaskId>,
}

impl Desk {
    /// A running host at `host`, or a station of our own over the configuration's data folder.
    ///
    /// # Errors
    /// As [`HostClient::new`] and [`App::start`].
    pub async fn open(config: &Config, host: Option<&str>, service: Service) -> Result<Self> {
        if let Some(url) = host {
            let client = HostClient::new(url, config.api_key.clone())?;
            return Ok(Self { place: Place::Host(client) });
        }
        let app = App::start(config, service, None).await?;
        let caller = app.caller()?;
        Ok(Self { place: Place::Own(Box::new(app), caller) })
    }

    /// The content of output number `n` of a task, from zero; where its URL has ended, by one that the service gives anew.
    ///
    /// # Errors
    /// As [`Outputs::fetch`](crate::outputs::Outputs::fetch).
    pub async fn output(&self, task: TaskId, n: usize) -> Result<Content> {
        match &self.place {
            Place::Host(host) => host.output(task, n).await,
            Place::Own(app, caller) => Ok(app.outputs().fetch(caller, task, n, None).await?.content),
        }
    }

    /// Every listed tool; a station of our own asks its provider first.
    ///
    /// # Errors
    /// `Unavailable` when there is no catalogue at all.
    pub async fn tools(&self) -> Result<Vec<ToolView>> {
        match &self.place {
            Place::Host(host) => Ok(host.call::<ToolList>(Method::GET, &["tools"], &[], &[], None).await?.tools),
            Place::Own(app, caller) => {
                discover(app, true).await?;
                Ok(ToolView::all(caller))
            }
        }
    }

    /// The slugs of tools as they are known by now, by their ids; a station of our own asks nobody.
    ///
    /// # Errors
    /// `Unavailable` while the host cannot be reached.
    pub async fn slugs(&self) -> Result<BTreeMap<ToolId, String>> {
        let named = |tool: &ToolDefinition| (tool.tool_id.clone(), tool.slug.clone());
        match &self.place {
            Place::Host(_) => Ok(self.tools().await?.iter().map(|tool| named(&tool.definition)).collect()),
            Place::Own(_, caller) => Ok(caller.tools().tools().iter().map(|tool| named(tool.definition())).collect()),
        }
    }

    /// One tool, by id, slug or alias.
    ///
    /// # Errors
    /// `NotFound`, with suggestions in its message.
    pub async fn tool(&self, name: &str) -> Result<ToolView> {
        match &self.place {
            Place::Host(host) => host.call(Method::GET, &["tools", name], &[], &[], None).await,
            Place::Own(app, caller) => {
                discover(app, false).await?;
                Ok(ToolView::new(caller.resolve(name)?.as_ref(), &caller.tools(), caller))
            }
        }
    }

    /// Keeps a file of this machine for the caller, to be named by inputs, as of this type where it is known.
    ///
    /// # Errors
    /// As [`HostClient::send_file`].
    pub async fn keep_file(&self, path: &Path, declared: Option<&str>) -> Result<StoredFile> {
        match &self.place {
            Place::Host(host) => host.send_file(path, declared).await,
            Place::Own(app, _) => app.files().keep(&app::caller_id()?, path, declared).await,
        }
    }

    /// Runs a tool.
    ///
    /// # Errors
    /// As [`Caller::run`].
    pub async fn run(&self, tool: &str, inputs: Map<String, Value>, key: Option<&str>) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => {
                let headers: Vec<(&str, &str)> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
                let body = json!({ "inputs": inputs });
                host.call(Method::POST, &["run", tool], &[], &headers, Some(&body)).await
            }
            Place::Own(app, caller) => {
                discover(app, false).await?;
                let key = key.map(IdempotencyKey::new).transpose()?;
                caller.run(RunRequest::new(tool, inputs).with_idempotency_key(key)).await
            }
        }
    }

    /// What a run with these inputs would cost.
    ///
    /// # Errors
    /// As [`Caller::quote`].
    pub async fn quote(&self, tool: &str, inputs: &Map<String, Value>) -> Result<QuoteAnswer> {
        match &self.place {
            Place::Host(host) => {
                host.call(Method::POST, &["quote", tool], &[], &[], Some(&json!({ "inputs": inputs }))).await
            }
            Place::Own(_, caller) => caller.quote(tool, inputs),
        }
    }

    /// Asks to cancel a task.
    ///
    /// # Errors
    /// As [`Caller::cancel`].
    pub async fn cancel(&self, id: TaskId) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => host.call(Method::POST, &["tasks", &id.to_string(), "cancel"], &[], &[], None).await,
            Place::Own(_, caller) => caller.cancel(id).await,
        }
    }

    /// The task at its end, or as it is after a moment, whichever comes first: for showing progress.
    ///
    /// # Errors
    /// `NotFound`, or `Unavailable` while the host cannot be reached.
    pub async fn glance(&self, id: TaskId) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => {
                let wait = [("wait", "1".to_owned())];
                host.call(Method::GET, &["tasks", &id.to_string()], &wait, &[], None).await
            }
            Place::Own(_, caller) => caller.wait(id, Duration::from_millis(150)).await,
        }
    }

    /// One task; `all`: whoever's it is.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn task(&self, id: TaskId, all: bool) -> Result<TaskRecord> {
        match &self.place {
            Place::Host(host) => {
                let id = id.to_string();
                host.call(Method::GET, &operate::scoped(all, &["tasks", &id]), &[], &[], None).await
            }
            Place::Own(app, caller) => operate::as_whom(app, caller, all).task(id).await,
        }
    }

    /// Tasks, newest first.
    ///
    /// # Errors
    /// `InvalidInput` for an unknown status.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRecord>> {
        let (mut tasks, mut before) = (Vec::new(), None);
        // A page ends early where its tasks are large.
        while let Some(left) = usize::from(filter.limit).checked_sub(tasks.len()).filter(|left| *left > 0) {
            let page = self.page(filter, left, before).await?;
            tasks.extend(page.tasks);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        Ok(tasks)
    }

    async fn page(&self, filter: &TaskFilter, limit: usize, before: Option<TaskId>) -> Result<TaskPage> {
        match &self.place {
            Place::Host(host) => {
                let mut query = vec![("limit", limit.to_string())];
                query.extend(before.map(|before| ("cursor", before.to_string())));
                query.extend(filter.status.clone().map(|status| ("status", status)));
                query.extend(filter.tool.clone().map(|tool| ("tool", tool)));
                query.extend(filter.needs_review.then(|| ("needsReview", "true".to_owned())));
                let path = operate::scoped(filter.all, &["tasks"]);
                let list = host.call::<TaskList>(Method::GET, &path, &query, &[], None).await?;
                Ok(TaskPage { tasks: list.tasks, next: list.next_cursor })
            }
            Place::Own(app, caller) => {
                let caller = operate::as_whom(app, caller, filter.all);
                let mut query = TaskQuery { needs_review: filter.needs_review, before, limit, ..TaskQuery::default() };
                if let Some(words) = &filter.status {
                    query.statuses = words.split(',').map(|word| word.trim().parse()).collect::<Result<_>>()?;
                }
                if let Some(tool) = &filter.tool {
                    query.tool = Some(caller.resolve(tool)?.definition().tool_id.clone());
                }
                caller.list(query).await
            }
        }
    }

    /// Lets work under way finish for a few seconds; a host goes on by itself.
    ///
    /// # Errors
    /// As [`App::shutdown`].
    pub async fn close(self) -> Result<()> {
        match self.place {
            Place::Host(_) => Ok(()),
            Place::Own(app, _) => app.shutdown().await,
        }
    }
}

/// Makes sure that there is a catalogue; `fresh` asks for one of now, and is content with an older one.
async fn discover(app: &App, fresh: bool) -> Result<()> {
    let station = app.station();
    let known = || station.registry().snapshot().providers().iter().any(|provider| provider.refreshed_at.is_some());
    if known() && !fresh {
        return Ok(());
    }
    match station.refresh().await {
        // Tools of before are served all the same, and marked as stale.
        Err(_) if known() => Ok(()),
        refreshed => refreshed.map(drop),
    }
}
