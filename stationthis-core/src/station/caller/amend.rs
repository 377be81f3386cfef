//! What of a task is its caller's to change.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result};
use crate::id::TaskId;
use crate::notify::NotifyTarget;
use crate::station::caller::{Caller, notes};
use crate::task::TaskRecord;
use crate::task::event::OwnField;

/// A wish to change what is the caller's on a task; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TaskAmendment {
    /// In place of the metadata, all of it.
    pub metadata: Option<Map<String, Value>>,
    /// In place of the event that led to the task.
    pub initiating_event_id: Option<String>,
    /// Who is told about the end, besides the policy's and the caller's own, in place of those of the request.
    pub notify: Option<Vec<NotifyTarget>>,
}

impl TaskAmendment {
    /// With other metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Option<Map<String, Value>>) -> Self {
        self.metadata = metadata;
        self
    }

    /// With another event.
    #[must_use]
    pub fn with_initiating_event_id(mut self, id: Option<String>) -> Self {
        self.initiating_event_id = id;
        self
    }

    /// With whom to tell instead.
    #[must_use]
    pub fn with_notify(mut self, notify: Option<Vec<NotifyTarget>>) -> Self {
        self.notify = notify;
        self
    }
}

impl Caller {
    /// Changes what is the caller's on a task, at any time of its life, in one commit with an event that names what
    /// changed. It disturbs nothing: no state, no poll, no lease; the task's idempotency key still finds it by what was
    /// asked first. Of two writers at once, the later one wins.
    ///
    /// # Errors
    /// As [`task`](Self::task); `InvalidInput` as for [`run`](Self::run); `Conflict` for other targets once the task has
    /// ended: those that were to be told are being told.
    pub async fn amend(&self, id: TaskId, amendment: TaskAmendment) -> Result<TaskRecord> {
        let task = self.task(id).await?;
        let TaskAmendment { metadata, initiating_event_id, notify } = amendment;
        if let Some(metadata) = &metadata {
            notes::check_metadata(metadata)?;
        }
        if let Some(event) = &initiating_event_id {
            notes::check_event_id(event)?;
        }
        let notify = match notify {
            // The defaults are those of the task's caller, whoever amends it.
            Some(asked) => {
                let owner = Self { engine: self.engine.clone(), id: Some(task.caller.clone()) };
                Some(owner.targets(&asked).await?)
            }
            None => None,
        };
        let by = self.id.as_ref().map_or_else(|| "admin".to_owned(), ToString::to_string);
        let edit = |task: &mut TaskRecord| {
            let mut changed = Vec::new();
            if let Some(metadata) = metadata.as_ref().filter(|metadata| **metadata != task.metadata) {
                task.metadata.clone_from(metadata);
                changed.push(OwnField::Metadata);
            }
            if initiating_event_id.is_some() && initiating_event_id != task.initiating_event_id {
                task.initiating_event_id.clone_from(&initiating_event_id);
                changed.push(OwnField::InitiatingEventId);
            }
            if let Some(notify) = notify.as_ref().filter(|notify| **notify != task.notify) {
                if task.is_terminal() {
                    return Err(Error::new(ErrorKind::Conflict, "amend task")
                        .with_message("The task has ended: whom it tells cannot be changed any more.")
                        .with_context("task", id));
                }
                task.notify.clone_from(notify);
                changed.push(OwnField::Notify);
            }
            Ok(changed)
        };
        self.engine.amend(task, &by, edit).await
    }
}
