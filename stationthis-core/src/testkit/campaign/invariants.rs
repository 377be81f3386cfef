//! What must hold of every world.

mod at_most_one_submission;
mod callers_apart;
mod completed_only_after_poll;
mod costs_as_the_books_say;
mod ends_as_the_run_did;
mod kept_before_completed;
mod no_task_past_deadline;
mod notices_delivered_or_dead;
mod outputs_kept;
mod parts_sum_to_total;
mod replay;
mod settled_once;
mod terminal_once;

use crate::testkit::campaign::evidence::Evidence;
use crate::testkit::campaign::outcome::Violation;

/// One invariant: a sentence for each place where it does not hold.
type Check = fn(&Evidence<'_>) -> Vec<String>;

const ALL: [(&str, Check); 13] = [
    ("at_most_one_submission", at_most_one_submission::check),
    ("terminal_once", terminal_once::check),
    ("settled_once", settled_once::check),
    ("notices_delivered_or_dead", notices_delivered_or_dead::check),
    ("no_task_past_deadline", no_task_past_deadline::check),
    ("parts_sum_to_total", parts_sum_to_total::check),
    ("costs_as_the_books_say", costs_as_the_books_say::check),
    ("callers_apart", callers_apart::check),
    ("replay", replay::check),
    ("completed_only_after_poll", completed_only_after_poll::check),
    ("ends_as_the_run_did", ends_as_the_run_did::check),
    ("outputs_kept", outputs_kept::check),
    ("kept_before_completed", kept_before_completed::check),
];

/// Every violation of every invariant.
pub(super) fn broken(evidence: &Evidence<'_>) -> Vec<Violation> {
    ALL.into_iter()
        .flat_map(|(invariant, check)| check(evidence).into_iter().map(move |what| Violation { invariant, what }))
        .collect()
}
