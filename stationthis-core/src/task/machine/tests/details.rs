//! What an event changes besides the status: nothing that is not its own to change.

use super::*;
use crate::cost::Unit;
use crate::task::report::{NodeTime, Progress, RunTimes};

fn all(state: &TaskState, events: &[(i64, Event)]) -> TaskState {
    events.iter().fold(state.clone(), |state, (second, event)| after(&state, *second, event.clone()).state)
}

fn deferred() -> TaskState {
    let busy = Event::SubmitDeferred { failure: failure("busy"), retry_at: at(30), at_capacity: false };
    after(&reached(S::Submitting), 5, busy).state
}

fn lost(answered: bool) -> Event {
    Event::SubmitLost { failure: failure("lost"), answered }
}

#[test]
fn a_refusal_for_want_of_room_is_counted_apart() {
    let mut state = after(&accepted(), 1, Event::SubmitStarted).state;
    let busy =
        |at_capacity, second| Event::SubmitDeferred { failure: failure("busy"), retry_at: at(second), at_capacity };
    for (second, at_capacity) in [(10, true), (20, false), (30, true)] {
        state = after(&state, second, busy(at_capacity, second + 5)).state;
        assert_eq!((state.status, plan::submit_at(&state)), (S::Submitting, Some(at(second + 5))));
        state = after(&state, second + 6, Event::SubmitStarted).state;
    }
    assert_eq!((state.submit_attempts, state.capacity_refusals), (4, 2));
    let waits = after(&state, 40, busy(true, 9_999)).state;
    let over = after(&waits, 3600, Event::DeadlinePassed);
    assert_eq!((over.state.status, over.actions.first()), (S::Failed, Some(&Action::Settle { not_run: true })));
    let reason = over.state.status_reason.unwrap();
    assert_eq!(reason.code, "notSubmitted");
    assert!(reason.message.contains("no more runs"), "{}", reason.message);
}

#[test]
fn only_the_first_settlement_after_the_end_counts() {
    let settled = |nanos: i64, changed: bool, over_ceiling: bool| {
        let mut settlement = Settlement::known(Usd::from_nanos(nanos), UsageBasis::Reported);
        settlement.resource_changed = changed;
        let usage = Usage::of(Unit::Second, nanos.into(), UsageBasis::Reported);
        Event::Settled { usage, settlement: Box::new(settlement), over_ceiling }
    };
    for early in [S::Accepted, S::Running, S::Finalizing] {
        let before = reached(early);
        assert_eq!(after(&before, 20, settled(7, true, true)).state, before, "{early}");
    }
    let done = after(&reached(S::Completed), 20, settled(7, false, false)).state;
    assert_eq!((done.cost_usd, done.flags.len()), (Some(Usd::from_nanos(7)), 0));
    assert_eq!(done.usage.as_ref().unwrap().amounts[&Unit::Second], 7.into());
    assert_eq!(after(&done, 21, settled(9, true, true)).state, done, "the second one is not believed");
    let flagged = after(&reached(S::Failed), 20, settled(7, true, true)).state;
    assert_eq!(flagged.flags, [Flag::ResourceChanged, Flag::OverCeiling].into());
}

#[test]
fn node_times_are_taken_once() {
    let node = |id: &str| NodeTime { node_id: id.to_owned(), class_type: "KSampler".to_owned(), micros: 1 };
    let told = |nodes: Vec<NodeTime>| Event::Diagnosed { failure: None, nodes };
    let running = reached(S::Running);
    let state =
        all(&running, &[(5, told(vec![])), (6, told(vec![node("1")])), (7, told(vec![node("2")])), (8, told(vec![]))]);
    assert_eq!(state.nodes, [node("1")]);
}

#[test]
fn an_attempt_to_submit_counts_only_where_one_may_be_made() {
    let submitting = reached(S::Submitting);
    assert_eq!((submitting.submit_attempts, submitting.times.submitting_at), (1, Some(at(1))));
    assert_eq!(after(&submitting, 9, Event::SubmitStarted).state, submitting, "it is under way");
    let waiting = deferred();
    assert_eq!(waiting.submit_retry_at, Some(at(30)));
    assert_eq!(after(&waiting, 10, lost(true)).state, waiting, "nothing was sent since");
    let again = after(&waiting, 30, Event::SubmitStarted).state;
    assert_eq!((again.submit_attempts, again.times.submitting_at, again.submit_retry_at), (2, Some(at(30)), None));
    for other in [S::Accepted, S::InDoubt, S::Queued, S::Completed] {
        let busy = Event::SubmitDeferred { failure: failure("busy"), retry_at: at(30), at_capacity: false };
        assert_eq!(after(&reached(other), 20, busy).state, reached(other), "{other}");
    }
    let queued = after(&waiting, 31, Event::Submitted { run_id: run("r1") }).state;
    assert_eq!((queued.submit_retry_at, queued.times.queued_at), (None, Some(at(31))));
    let early = after(&waiting, 20, Event::CancelAsked);
    let cancel = early.state.cancel.unwrap();
    assert_eq!((early.state.status, cancel.outcome, cancel.asked_at), (S::Cancelled, CancelOutcome::Accepted, at(20)));
    assert_eq!(early.actions, [Action::Settle { not_run: true }, Action::Notify]);
    let expired = after(&waiting, 3600, Event::DeadlinePassed);
    assert_eq!((expired.state.status, expired.actions[0]), (S::Failed, Action::Settle { not_run: true }));
}

#[test]
fn a_lost_answer_is_kept_with_what_it_was() {
    let doubted = after(&reached(S::Submitting), 7, lost(false)).state;
    let doubt = doubted.doubt.clone().unwrap();
    assert_eq!((doubt.since, doubt.answered, doubt.failure.code.as_str()), (at(7), false, "lost"));
    assert_eq!(doubted.times.in_doubt_at, Some(at(7)));
    let looked = all(&doubted, &[(8, Event::LookupAbsent), (9, Event::LookupFailed { failure: failure("down") })]);
    let doubt = looked.doubt.clone().unwrap();
    assert_eq!((doubt.lookups, doubt.absent_count, doubt.absent_since), (2, 0, None));
    let found = after(&looked, 10, Event::LookupFound { run_id: run("r1") }).state;
    assert_eq!(after(&found, 11, Event::LookupAbsent).state, found, "the run is known");
    // Where the same key makes no second run, it is sent again after a pause; that there may be one is not forgotten.
    let mut keyed = reached(S::Submitting);
    keyed.exactly_once = ExactlyOnce::IdempotencyKey;
    let again = after(&keyed, 7, lost(false)).state;
    assert_eq!((again.status, again.submit_retry_at), (S::Submitting, Some(at(12))));
    assert_eq!(again.doubt.map(|doubt| doubt.since), Some(at(7)), "the first attempt may have had an effect");
}

#[test]
fn the_provider_s_own_answer_goes_before_what_a_webhook_said() {
    let mut stray = with_output(RunStatus::Running);
    stray.run_id = run("stray");
    stray.progress = Progress::from_fraction(0.5);
    stray.resource = Some("GPU".to_owned());
    let misled = after(&reached(S::Submitting), 2, heard(Witness::Webhook, stray)).state;
    assert_eq!((misled.status, misled.outputs.len()), (S::Running, 1));
    let right = after(&misled, 3, Event::Submitted { run_id: run("r1") }).state;
    assert_eq!(
        (right.status, right.run_id.clone(), right.flags.clone()),
        (S::Queued, Some(run("r1")), [Flag::ForeignRun].into())
    );
    assert_eq!((right.outputs.len(), right.progress, right.resource.clone()), (0, None, None));
    assert_eq!((right.receipts, right.times.running_at), (crate::cost::Receipts::default(), None));
    // The same name again changes nothing, whatever the state.
    for status in [S::Queued, S::Running, S::Finalizing, S::Completed] {
        let before = reached(status);
        assert_eq!(after(&before, 20, Event::Submitted { run_id: run("r1") }).state, before, "{status}");
    }
    let other = after(&reached(S::Completed), 20, Event::LookupFound { run_id: run("other") }).state;
    assert_eq!((other.run_id, other.flags, other.outputs.len()), (Some(run("r1")), [Flag::ForeignRun].into(), 1));
    let given_up = after(&reached(S::Failed), 20, Event::LookupFound { run_id: run("r1") }).state;
    assert_eq!((given_up.run_id, given_up.flags), (None, [Flag::LateReport, Flag::NeedsReview].into()));
}

#[test]
fn reports_add_to_what_is_known_and_take_nothing_back() {
    let mut first = report(RunStatus::Running);
    first.progress = Progress::from_fraction(0.5);
    first.live_status = Some("sampling".to_owned());
    first.resource = Some("GPU".to_owned());
    first.usage = Some(Usage::of(Unit::Credit, 3.into(), UsageBasis::Reported));
    first.times = RunTimes { started_at: Some(at(4)), ..RunTimes::default() };
    let known = after(&reached(S::Queued), 5, heard(Witness::Webhook, first.clone())).state;
    let mut second = report(RunStatus::Running);
    second.progress = Progress::from_fraction(0.2);
    second.live_status = Some("loading".to_owned());
    second.times = RunTimes { ended_at: Some(at(9)), ..RunTimes::default() };
    let state = after(&known, 6, heard(Witness::Poll, second)).state;
    assert_eq!((state.progress, state.live_status.as_deref()), (Progress::from_fraction(0.5), Some("sampling")));
    assert_eq!((state.resource.as_deref(), &state.reported_usage), (Some("GPU"), &first.usage));
    assert_eq!((state.provider_times.started_at, state.provider_times.ended_at), (Some(at(4)), Some(at(9))));
    assert_eq!(state.times.running_at, Some(at(5)), "the first time counts");
    let mut same = first.clone();
    same.live_status = Some("decoding".to_owned());
    let state = after(&state, 7, heard(Witness::Poll, same)).state;
    assert_eq!(state.live_status.as_deref(), Some("sampling"), "which of two came first is not known");
    let on = RunReport { progress: Progress::from_fraction(0.7), ..report(RunStatus::Running) };
    let state = after(&state, 7, heard(Witness::Poll, on)).state;
    assert_eq!((state.progress, state.live_status.as_deref()), (Progress::from_fraction(0.7), Some("sampling")));
}

#[test]
fn the_first_running_and_the_first_end_are_measured_for_each_witness() {
    let events = [
        (5, hook(RunStatus::Queued)),
        (6, hook(RunStatus::Running)),
        (7, poll(RunStatus::Running)),
        (8, hook(RunStatus::Running)),
        (9, hook(RunStatus::Failed)),
        (10, hook(RunStatus::Failed)),
        (11, poll(RunStatus::Running)),
        (12, poll(RunStatus::Failed)),
        (13, poll(RunStatus::Failed)),
    ];
    let receipts = all(&reached(S::Queued), &events).receipts;
    assert_eq!((receipts.webhook_running_at, receipts.webhook_ended_at), (Some(at(6)), Some(at(9))));
    assert_eq!((receipts.poll_running_at, receipts.poll_ended_at), (Some(at(7)), Some(at(12))));
    let straggler = all(&reached(S::Queued), &[(5, hook(RunStatus::Failed)), (6, hook(RunStatus::Running))]).receipts;
    assert_eq!((straggler.webhook_running_at, straggler.webhook_ended_at), (None, Some(at(5))));
}

#[test]
fn counters_count() {
    let down = || Event::PollFailed { failure: failure("down") };
    let queued = reached(S::Queued);
    let failed = all(&queued, &[(5, down()), (6, down())]).counters;
    assert_eq!((failed.polls_failed, failed.polls), (2, 0));
    let answered = all(&queued, &[(5, down()), (6, poll(RunStatus::Unknown)), (7, hook(RunStatus::Unknown))]).counters;
    assert_eq!((answered.polls_failed, answered.polls, answered.unknown_statuses), (0, 1, 2));
    assert_eq!((answered.webhooks_kept, answered.webhooks_ignored), (0, 1), "an unknown word changes nothing");
    let heard = all(&queued, &[(5, poll(RunStatus::Queued)), (6, down()), (7, hook(RunStatus::Running))]).counters;
    assert_eq!((heard.polls_failed, heard.polls), (1, 1), "a webhook is no answer to a poll");
    let hooks = [(5, hook(RunStatus::Running)), (6, hook(RunStatus::Running)), (7, hook(RunStatus::Queued))];
    let told = all(&queued, &hooks).counters;
    assert_eq!((told.webhooks_kept, told.webhooks_ignored), (1, 2));
    let unreadable = after(&queued, 5, Event::WebhookUnreadable { failure: failure("x") }).state.counters;
    assert_eq!((unreadable.webhooks_kept, unreadable.webhooks_ignored), (0, 1));
}

#[test]
fn polls_that_do_not_confirm_an_end_are_counted_until_it() {
    let ending = |state: &TaskState| state.ending.as_ref().map_or(99, |ending| ending.unconfirmed_polls);
    let waiting = reached(S::Finalizing);
    assert_eq!(ending(&after(&waiting, 5, hook(RunStatus::Running)).state), 0, "a webhook is no poll");
    let down = Event::PollFailed { failure: failure("down") };
    let events = [(5, poll(RunStatus::Running)), (6, poll(RunStatus::Unknown)), (7, down.clone())];
    assert_eq!(ending(&all(&waiting, &events)), 3);
    let done = after(&waiting, 8, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state;
    assert_eq!(ending(&after(&done, 9, down).state), 0, "after the end nothing is waited for");
}

#[test]
fn an_end_keeps_when_it_was_first_told_and_what_the_last_poll_said_of_it() {
    let mut failed = report(RunStatus::Failed);
    failed.failure = Some(failure("outOfMemory"));
    let state = all(&reached(S::Running), &[(5, heard(Witness::Webhook, failed)), (6, hook(RunStatus::Succeeded))]);
    let ending = state.ending.clone().unwrap();
    assert_eq!((ending.status, ending.confirmed_at, state.times.finalizing_at), (RunStatus::Failed, None, Some(at(5))));
    let confirmed = all(&state, &[(8, poll(RunStatus::Failed)), (9, poll(RunStatus::Failed))]);
    assert_eq!(confirmed.ending.as_ref().unwrap().confirmed_at, Some(at(8)));
    let ended = after(&confirmed, 20, Event::Diagnosed { failure: None, nodes: vec![] }).state;
    assert_eq!(ended.status_reason.unwrap().code, "outOfMemory", "the report's own reason");
    // Without a way to find the reason, nothing is waited for.
    let mut plain = reached(S::Running);
    plain.can_diagnose = false;
    assert_eq!(after(&plain, 8, poll(RunStatus::Failed)).state.status, S::Failed);
    let late = after(&confirmed, 3700, Event::DeadlinePassed).state;
    assert_eq!((late.status, late.needs_review()), (S::Failed, false), "it was confirmed");
    let unverified = after(&reached(S::Finalizing), 3602, Event::DeadlinePassed);
    assert_eq!(unverified.state.status, S::Finalizing, "not before its hour is over");
    assert!(after(&reached(S::Finalizing), 3603, Event::DeadlinePassed).state.needs_review());
}

#[test]
fn the_search_for_a_reason_ends() {
    let none = || Event::Diagnosed { failure: None, nodes: vec![] };
    let confirmed = after(&reached(S::Running), 10, poll(RunStatus::Failed)).state;
    let tried = after(&confirmed, 19, none()).state;
    assert_eq!((tried.status, tried.ending.as_ref().unwrap().diagnose_attempts), (S::Finalizing, 1));
    let ended = after(&tried, 20, none()).state;
    assert_eq!((ended.status, ended.ending.as_ref().unwrap().diagnosed), (S::Failed, false));
    let searched = after(&ended, 69, none()).state;
    assert_eq!(searched.status_reason, ended.status_reason, "what is known of the reason is kept");
    assert!(!searched.ending.unwrap().diagnosed);
    let given_up = after(&ended, 70, none()).state;
    assert!(given_up.ending.as_ref().unwrap().diagnosed);
    let found = Event::Diagnosed { failure: Some(failure("late")), nodes: vec![] };
    assert_eq!(after(&given_up, 71, found.clone()).state, given_up, "too late");
    let told = after(&ended, 30, found.clone()).state;
    assert_eq!((told.status_reason.as_ref().unwrap().code.as_str(), told.ending.unwrap().diagnosed), ("late", true));
    let other = reached(S::Finalizing);
    assert_eq!(after(&other, 9, found).state, other, "a success has no reason");
}

#[test]
fn what_agrees_with_the_end_is_no_news() {
    use RunStatus::{Cancelled, Failed, Queued, Running, Succeeded, TimedOut, Unknown};
    let ends = [(S::Completed, Succeeded), (S::Cancelled, Cancelled), (S::TimedOut, TimedOut)];
    for (end, agreed) in ends {
        for status in [Queued, Running, Succeeded, Failed, TimedOut, Cancelled, Unknown] {
            let said = if end == S::Completed { with_output(status) } else { report(status) };
            let step = after(&reached(end), 50, heard(Witness::Webhook, said));
            let news = status.is_terminal() && status != agreed;
            let flags = if news { vec![Flag::LateReport, Flag::NeedsReview] } else { vec![] };
            assert_eq!(step.state.flags, flags.into_iter().collect(), "{status:?} after {end}");
            assert!(step.actions.is_empty());
        }
    }
    let failed = after(&reached(S::Running), 10, poll(Failed)).state;
    let failed = after(&failed, 30, Event::Diagnosed { failure: None, nodes: vec![] }).state;
    assert!(!after(&failed, 50, hook(Failed)).state.needs_review());
    assert!(after(&failed, 50, hook(Succeeded)).state.needs_review());
    let late = after(&failed, 50, heard(Witness::Webhook, with_output(Failed))).state;
    assert_eq!(late.flags, [Flag::LateOutputs, Flag::NeedsReview].into());
    assert!(after(&reached(S::Cancelled), 50, hook(Succeeded)).state.needs_review());
}

#[test]
fn a_wish_to_cancel_is_kept_with_its_answer() {
    let cancel = |state: &TaskState| state.cancel.clone().unwrap();
    for status in [S::Submitting, S::InDoubt, S::Queued, S::Running] {
        let wished = after(&reached(status), 5, Event::CancelAsked).state;
        assert_eq!((cancel(&wished).outcome, cancel(&wished).asked_at), (CancelOutcome::Pending, at(5)), "{status}");
        assert_eq!(cancel(&wished).by, CancelledBy::Caller);
        assert_eq!(after(&wished, 6, Event::CancelAsked).state, wished, "once");
    }
    let late = after(&reached(S::Finalizing), 5, Event::CancelAsked).state;
    assert_eq!((cancel(&late).outcome, cancel(&late).reason.is_some()), (CancelOutcome::Refused, true));
    assert_eq!(after(&late, 6, Event::CancelAsked).state, late);

    let wished = after(&reached(S::Running), 5, Event::CancelAsked).state;
    let mut state = wished.clone();
    for attempt in 1..=5 {
        assert_eq!(cancel(&state).outcome, CancelOutcome::Pending, "{attempt}");
        state = after(&state, 6, Event::CancelFailed { failure: failure("down") }).state;
        assert_eq!((cancel(&state).attempts, cancel(&state).reason.as_deref()), (attempt, Some("It went wrong.")));
    }
    assert_eq!(cancel(&state).outcome, CancelOutcome::Refused);
    let taken = after(&wished, 6, Event::CancelAnswered { accepted: true, reason: None }).state;
    assert_eq!((cancel(&taken).outcome, cancel(&taken).attempts), (CancelOutcome::Accepted, 1));
    let done = after(&taken, 7, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state;
    assert_eq!(cancel(&done), cancel(&taken), "an answered wish stays answered");
    // What was not answered by the deadline is still sent; a service that cannot cancel is not asked.
    let overdue = after(&wished, 3600, Event::DeadlinePassed).state;
    assert_eq!((cancel(&overdue).by, cancel(&overdue).outcome), (CancelledBy::Caller, CancelOutcome::Pending));
    let mut cannot = reached(S::Running);
    cannot.can_cancel = false;
    assert_eq!(after(&cannot, 3600, Event::DeadlinePassed).state.cancel, None);
}

#[test]
fn a_deadline_is_reached_at_its_moment() {
    for status in [S::Accepted, S::Submitting, S::InDoubt, S::Queued, S::Running] {
        let before = reached(status);
        assert_eq!(after(&before, 3599, Event::DeadlinePassed).state, before, "{status}");
        assert!(after(&before, 3600, Event::DeadlinePassed).state.status.is_terminal(), "{status}");
    }
}

#[test]
fn a_person_s_word_counts_only_where_there_is_a_question() {
    let doubted = reached(S::InDoubt);
    let not_sent = after(&doubted, 20, resolved(Resolution::NotSent));
    assert_eq!((not_sent.state.status, not_sent.actions[0]), (S::Failed, Action::Settle { not_run: true }));
    let gave_up = after(&doubted, 20, resolved(Resolution::GiveUp));
    assert_eq!((gave_up.state.status, gave_up.actions[0]), (S::TimedOut, Action::Settle { not_run: false }));
    let found = after(&doubted, 20, resolved(Resolution::Found { run_id: run("r1") })).state;
    assert_eq!((found.status, found.run_id), (S::Queued, Some(run("r1"))));
    let words = [Resolution::Found { run_id: run("other") }, Resolution::NotSent, Resolution::GiveUp];
    for status in [S::Accepted, S::Submitting, S::Queued, S::Running, S::Finalizing, S::Completed, S::Failed] {
        for word in words.clone() {
            assert_eq!(after(&reached(status), 20, resolved(word)).state, reached(status), "{status}");
        }
    }
    let known = Event::Reconciled { report: None, usage: Usage::not_run(), settlement: nothing() };
    assert_eq!(after(&reached(S::Running), 20, known).state, reached(S::Running), "not before the end");
    // A restore leaves alone what was under way: its answer is looked up.
    for status in [S::Submitting, S::InDoubt, S::Queued, S::Running, S::Finalizing, S::Completed] {
        assert_eq!(
            after(&reached(status), 20, Event::Restored { backup_at: at(6) }).state,
            reached(status),
            "{status}"
        );
    }
}
