//! Looking at tasks, and stopping them.

use stationthis_core::store::TaskQuery;
use stationthis_core::task::TaskRecord;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{ErrorKind, Result, TaskId, Timestamp};

use super::{Asker, Bot, PLATFORM, event};
use crate::telegram::render;
use crate::telegram::status::CANCEL;
use crate::telegram::wire::Press;

/// Tasks that one answer shows: what fits on a telephone.
const SHOWN_MAX: usize = 10;

const NO_SUCH: &str = "You have no such task.";

impl Bot {
    /// How far the asker's tasks are, or one of them.
    pub(super) async fn status(&self, asker: &Asker<'_>, rest: &str) -> Result<String> {
        if let Some(task) = self.task_meant(asker, rest) {
            let Some(task) = task else { return Ok(NO_SUCH.to_owned()) };
            return Ok(
                found(asker.caller.task(task).await)?.map_or_else(|| NO_SUCH.to_owned(), |t| render::status_line(&t))
            );
        }
        let mut tasks = under_way(asker).await?;
        if tasks.is_empty() {
            tasks = asker.caller.list(TaskQuery { limit: 1, ..TaskQuery::default() }).await?.tasks;
        }
        if tasks.is_empty() {
            return Ok("You have no tasks yet. /tools lists what there is to run.".to_owned());
        }
        Ok(tasks.iter().map(render::status_line).collect::<Vec<_>>().join("\n"))
    }

    /// Stops the task that is meant: by its id, by a reply to its status message, or the only one there is.
    pub(super) async fn cancel(&self, asker: &Asker<'_>, rest: &str) -> Result<String> {
        let task = match self.task_meant(asker, rest) {
            Some(None) => return Ok(NO_SUCH.to_owned()),
            Some(Some(task)) => task,
            None => match under_way(asker).await?.as_slice() {
                [] => return Ok("None of your tasks is under way.".to_owned()),
                [only] => only.task_id,
                several => {
                    let lines: Vec<String> = several.iter().map(render::status_line).collect();
                    return Ok(format!("Which one? /cancel and its id.\n{}", lines.join("\n")));
                }
            },
        };
        Ok(match found(asker.caller.cancel(task).await)? {
            None => NO_SUCH.to_owned(),
            Some(task) if task.is_terminal() => format!("It has ended already.\n{}", render::status_line(&task)),
            Some(task) => format!("Cancelling {} (task {}).", task.tool_name, task.task_id),
        })
    }

    /// Somebody pressed a button in a chat that is served; what they are told.
    pub(super) async fn pressed(&self, press: &Press) -> Result<&'static str> {
        let task = press.data.as_deref().and_then(|data| data.strip_prefix(CANCEL)?.parse::<TaskId>().ok());
        let Some(task) = task else { return Ok("This button does nothing any more.") };
        let id = self.users.caller_for(PLATFORM, &press.from.id.to_string()).await?;
        let caller = self.station.as_caller(id.clone());
        let facts = serde_json::json!({ "button": "cancel", "taskId": task });
        self.events.record(&id, event("button", facts, Some(press.from.id)), Timestamp::now()).await?;
        Ok(match found(caller.cancel(task).await)? {
            None => "This task is not yours.",
            Some(task) if task.is_terminal() => "It has ended already.",
            Some(_) => "Cancelling…",
        })
    }

    /// The task that an id or a reply to a status message names: `None` when neither is there, `Some(None)` for an id
    /// that is none.
    fn task_meant(&self, asker: &Asker<'_>, rest: &str) -> Option<Option<TaskId>> {
        if !rest.is_empty() {
            return Some(rest.parse().ok());
        }
        let replied = asker.message.reply_to_message.as_ref()?;
        self.post.book.task_of(asker.message.chat.id, replied.message_id).map(Some)
    }
}

async fn under_way(asker: &Asker<'_>) -> Result<Vec<TaskRecord>> {
    let statuses = TaskStatus::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
    Ok(asker.caller.list(TaskQuery { statuses, limit: SHOWN_MAX, ..TaskQuery::default() }).await?.tasks)
}

/// A task, if there is one of that caller.
fn found(task: Result<TaskRecord>) -> Result<Option<TaskRecord>> {
    match task {
        Ok(task) => Ok(Some(task)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
