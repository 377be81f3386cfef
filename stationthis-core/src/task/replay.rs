//! A task's state from its events alone.

use crate::error::{Error, ErrorKind, Result};
use crate::task::event::{Event, TaskEvent};
use crate::task::machine;
use crate::task::state::{Counters, TaskState, TaskStatus};

/// Folds a task's events through the machine, the first one first: the same state that the record has, with the
/// counters at zero (they count and decide nothing that is canonical; see [`canonical`]).
///
/// # Errors
/// `InvalidInput` when the first event is not the acceptance.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a TaskEvent>) -> Result<TaskState> {
    let mut events = events.into_iter();
    let Some(TaskEvent { at, what: Event::Accepted { terms, .. }, .. }) = events.next() else {
        return Err(Error::new(ErrorKind::InvalidInput, "replay events")
            .with_message("A task's events begin with its acceptance."));
    };
    let start = TaskState::accepted(*at, terms);
    Ok(canonical(&events.fold(start, |state, event| machine::step(&state, event).state)))
}

/// The part of a state that its events determine: all of it but the counters.
#[must_use]
pub fn canonical(state: &TaskState) -> TaskState {
    TaskState { counters: Counters::default(), ..state.clone() }
}

/// Where a task was after each of its events, the first one first: nothing when the first is not the acceptance.
#[must_use]
pub fn statuses<'a>(events: impl IntoIterator<Item = &'a TaskEvent>) -> Vec<TaskStatus> {
    let mut state: Option<TaskState> = None;
    let walk = events.into_iter().map_while(|event| {
        let next = match (&state, &event.what) {
            (None, Event::Accepted { terms, .. }) => TaskState::accepted(event.at, terms),
            (None, _) => return None,
            (Some(before), _) => machine::step(before, event).state,
        };
        let status = next.status;
        state = Some(next);
        Some(status)
    });
    walk.collect()
}
