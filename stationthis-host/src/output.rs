//! What people see: tables, progress, saved files.

pub mod preview;
pub mod progress;
pub mod save;
pub mod screen;
pub mod table;

use stationthis_core::tool::ExactlyOnce;

/// What becomes of a submission whose answer is lost, in a sentence.
#[must_use]
pub const fn exactly_once_text(class: ExactlyOnce) -> &'static str {
    match class {
        ExactlyOnce::IdempotencyKey => "A lost submission is sent again under the same idempotency key.",
        ExactlyOnce::ClientChosenId => "A lost submission is asked for by the run id that we chose, never sent again.",
        ExactlyOnce::Lookup => "A lost submission is looked up by our task id, never sent again.",
        ExactlyOnce::None => "A lost submission waits for a callback or a person, and is never sent again.",
    }
}
