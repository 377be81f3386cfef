//! What happened to a task, for people.

mod sentence;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stationthis_core::station::{Caller, Explanation, Station};
use stationthis_core::task::TaskRecord;
use stationthis_core::task::event::TaskEvent;
use stationthis_core::task::replay;
use stationthis_core::task::state::TaskStatus;
use stationthis_core::{Error, ErrorKind, Result, TaskId, Timestamp};

use crate::user_events::{UserEvent, UserEvents};

/// A task with all that happened to it, in order, and a sentence for each.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Story {
    /// The task as it is.
    pub task: TaskRecord,
    /// Does folding the events through the machine give the task's state again? `false` is a defect: report it.
    pub replays: bool,
    /// What the user did that led to it, where the task's `initiatingEventId` names an event of its caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiating_event: Option<UserEvent>,
    /// What happened; at most 10,000 events.
    pub events: Vec<StoryEvent>,
}

/// One thing that happened to a task.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoryEvent {
    /// Its number: grows with every event of every task.
    pub seq: u64,
    /// When, by the station's clock.
    pub at: Timestamp,
    /// Milliseconds since the task was accepted.
    pub after_ms: u64,
    /// What happened, in a sentence.
    pub summary: String,
    /// Where the task was after it.
    pub status: TaskStatus,
    /// The event as it is stored: `event` is its kind, `v` the version of its shape.
    pub raw: Value,
}

impl Story {
    /// Tells what a station knows of a task, as a caller may hear it.
    ///
    /// # Errors
    /// As [`Caller::explain`].
    pub async fn tell(station: &Station, caller: &Caller, id: TaskId) -> Result<Self> {
        let mut story = Self::new(caller.explain(id).await?)?;
        if let Some(event) = &story.task.initiating_event_id {
            story.initiating_event = UserEvents::new(station.clone()).find(&story.task.caller, event).await?;
        }
        Ok(story)
    }

    fn new(explanation: Explanation) -> Result<Self> {
        let Explanation { task, events, replays, .. } = explanation;
        let accepted_at = task.state.times.accepted_at;
        let statuses = replay::statuses(events.iter().map(|stored| &stored.event));
        let told = events.iter().zip(statuses).map(|(stored, status)| {
            let TaskEvent { at, what, .. } = &stored.event;
            let raw = serde_json::to_value(&stored.event)
                .map_err(|e| Error::new(ErrorKind::Unexpected, "tell a task's story").with_source(e))?;
            Ok(StoryEvent {
                seq: stored.seq,
                at: *at,
                after_ms: u64::try_from(at.since(accepted_at).as_millis()).unwrap_or(u64::MAX),
                summary: sentence::of(what, &task),
                status,
                raw,
            })
        });
        Ok(Self { events: told.collect::<Result<_>>()?, initiating_event: None, task, replays })
    }
}
