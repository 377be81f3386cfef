//! What the seeded campaign found: answers, refusals and webhooks that say less than they seem to.

use super::*;
use crate::cost::Unit;
use crate::task::report::Progress;

fn submitting(class: ExactlyOnce) -> TaskState {
    let terms = Terms { can_cancel: true, ..Terms::new(at(3600), class) };
    after(&TaskState::accepted(at(0), &terms), 1, Event::SubmitStarted).state
}

fn lost() -> Event {
    Event::SubmitLost { failure: failure("lost"), answered: false }
}

fn hook_about(name: &str, status: RunStatus) -> Event {
    heard(Witness::Webhook, RunReport { run_id: run(name), ..with_output(status) })
}

#[test]
fn a_refusal_after_a_lost_answer_says_nothing_of_the_attempt_before() {
    let again = after(&after(&submitting(ExactlyOnce::IdempotencyKey), 2, lost()).state, 7, Event::SubmitStarted).state;
    let refused = after(&again, 8, Event::SubmitRefused { failure: failure("refused") });
    assert_eq!((refused.state.status, refused.actions.len()), (S::InDoubt, 0));
    let found = after(&refused.state, 9, hook_about("r1", RunStatus::Running)).state;
    assert_eq!(found.status, S::Running);
    let given_up = after(&refused.state, 3600, Event::DeadlinePassed).state;
    assert_eq!(given_up.status, S::TimedOut);
    assert!(given_up.needs_review());
}

#[test]
fn what_may_run_is_neither_cancelled_nor_expired_as_if_it_did_not() {
    let waiting = after(&submitting(ExactlyOnce::IdempotencyKey), 2, lost()).state;
    let wished = after(&waiting, 3, Event::CancelAsked);
    assert_eq!((wished.state.status, wished.actions.len()), (S::Submitting, 0));
    assert_eq!(wished.state.cancel.unwrap().outcome, CancelOutcome::Pending);
    let late = after(&waiting, 3600, Event::DeadlinePassed);
    assert_eq!((late.state.status, late.actions.first()), (S::TimedOut, Some(&Action::Settle { not_run: false })));
}

#[test]
fn a_wish_to_cancel_what_is_not_known_to_run_ends_with_the_task() {
    let wished = after(&after(&submitting(ExactlyOnce::None), 2, lost()).state, 3, Event::CancelAsked).state;
    let ended = after(&wished, 3600, Event::DeadlinePassed).state;
    assert_eq!(ended.cancel.as_ref().unwrap().outcome, CancelOutcome::Refused);
    assert_eq!(plan::due_at(&ended, at(3600), &Policy::default()), None, "nothing is left to do");
}

#[test]
fn the_answer_names_the_run_better_than_a_webhook_before_it() {
    let heard = after(&submitting(ExactlyOnce::Lookup), 2, hook_about("another", RunStatus::Succeeded)).state;
    assert!(heard.run_heard);
    let answered = after(&heard, 3, Event::Submitted { run_id: run("r1") }).state;
    assert_eq!((answered.status, answered.run_id, answered.run_heard), (S::Queued, Some(run("r1")), false));
    assert!(answered.outputs.is_empty() && answered.ending.is_none());
    assert!(answered.flags.contains(&Flag::ForeignRun));
}

#[test]
fn a_run_that_was_only_heard_of_gives_way_to_the_next_until_a_poll_knows_it() {
    let doubted = after(&submitting(ExactlyOnce::Lookup), 2, lost()).state;
    let nothing_made = RunReport { run_id: run("another"), ..report(RunStatus::Running) };
    let first = after(&doubted, 3, heard(Witness::Webhook, nothing_made)).state;
    let polled = after(&first, 4, Event::PollFailed { failure: failure("notFound") }).state;
    assert_eq!(plan::plan(&polled, at(5)), Work::Lookup, "is there another one?");
    let second = after(&polled, 5, hook_about("r1", RunStatus::Running)).state;
    assert_eq!(second.run_id, Some(run("r1")));
    let known = after(&second, 6, poll(RunStatus::Running)).state;
    assert!(!known.run_heard);
    let third = after(&known, 7, hook_about("another", RunStatus::Succeeded)).state;
    assert_eq!((third.run_id.clone(), third.status), (Some(run("r1")), S::Running));
    let silent = after(&third, 8, Event::PollFailed { failure: failure("down") }).state;
    assert_eq!((silent.run_id, silent.rival), (Some(run("r1")), None), "the service named it once");
    let never = after(&polled, 3600, Event::DeadlinePassed).state;
    assert_eq!((never.status, never.needs_review()), (S::TimedOut, true));
    assert_eq!(never.cancel, None, "nobody knows what to stop");
}

#[test]
fn runs_that_webhooks_named_take_turns_until_the_service_knows_one() {
    let not_found = || Event::PollFailed { failure: failure("notFound") };
    let lost = after(&submitting(ExactlyOnce::IdempotencyKey), 2, lost()).state;
    let first = after(&lost, 3, hook_about("another", RunStatus::Running)).state;
    // The true run's webhook says more, but the first one named is asked about first.
    let second = after(&first, 4, hook_about("r1", RunStatus::Succeeded)).state;
    assert_eq!((second.run_id.clone(), second.outputs.len()), (Some(run("another")), 1));
    let turned = after(&second, 5, not_found()).state;
    assert_eq!((turned.run_id.clone(), turned.outputs.len()), (Some(run("r1")), 1));
    assert_eq!(turned.status, S::Finalizing);
    let stays = after(&turned, 6, not_found()).state;
    assert_eq!(stays.run_id, Some(run("r1")), "what ended with outputs is not given up for a word less");
    let known = after(&stays, 7, poll(RunStatus::Succeeded)).state;
    assert_eq!((known.status, known.rival), (S::Completed, None));
}

#[test]
fn a_run_that_gave_way_comes_back_when_the_other_is_not_known_either() {
    let not_found = || Event::PollFailed { failure: failure("notFound") };
    let lost = after(&submitting(ExactlyOnce::IdempotencyKey), 2, lost()).state;
    let live_status = Some("KSampler".to_owned());
    let progress = RunReport { progress: Progress::from_fraction(0.5), live_status, ..with_output(RunStatus::Running) };
    let first = after(&lost, 3, heard(Witness::Webhook, progress)).state;
    let second =
        after(&first, 4, heard(Witness::Webhook, RunReport { run_id: run("another"), ..report(RunStatus::Queued) }));
    let turned = after(&second.state, 5, not_found()).state;
    assert_eq!((turned.run_id.clone(), turned.progress), (Some(run("another")), None));
    let back = after(&turned, 6, not_found()).state;
    assert_eq!(
        (back.run_id.clone(), back.progress, back.status),
        (Some(run("r1")), Progress::from_fraction(0.5), S::Running)
    );
    assert_eq!((back.outputs.len(), back.live_status.as_deref()), (1, Some("KSampler")));
    let answered = after(&back, 7, Event::Submitted { run_id: run("r1") }).state;
    assert_eq!((answered.run_heard, answered.rival), (false, None));
}

#[test]
fn a_run_that_comes_back_has_all_that_was_heard_of_it() {
    let not_found = || Event::PollFailed { failure: failure("notFound") };
    let lost = after(&submitting(ExactlyOnce::IdempotencyKey), 2, lost()).state;
    let mut report = RunReport {
        resource: Some("A10G".to_owned()),
        usage: Some(Usage::of(Unit::Credit, 3.into(), UsageBasis::Reported)),
        failure: Some(failure("oom")),
        ..report(RunStatus::Failed)
    };
    report.times.ended_at = Some(at(2));
    let first = after(&lost, 3, heard(Witness::Webhook, report)).state;
    let second = after(&first, 4, hook_about("another", RunStatus::Running)).state;
    let turned = after(&second, 5, not_found()).state;
    assert_eq!((turned.run_id.clone(), turned.ending.clone()), (Some(run("another")), None));
    let back = after(&turned, 6, not_found()).state;
    assert_eq!((back.run_id, back.status), (first.run_id, S::Finalizing));
    assert_eq!((back.provider_times, back.resource), (first.provider_times, first.resource));
    assert_eq!(back.reported_usage, first.reported_usage);
    assert_eq!(back.ending.unwrap().failure, Some(failure("oom")));
}
