mod custody;
mod details;
mod doubts;
mod page;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::cost::{Settlement, Usage, UsageBasis};
use crate::custody::KeepOutlook;
use crate::money::Usd;
use crate::task::event::{Event, Resolution, TaskEvent, Witness};
use crate::task::output::{Output, OutputKind};
use crate::task::plan::{self, Work};
use crate::task::policy::Policy;
use crate::task::report::{RunReport, RunStatus};
use crate::task::state::{CancelOutcome, CancelledBy, TaskStatus as S};
use crate::task::terms::Terms;

const T0: i64 = 1_000_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(T0 + seconds * 1_000_000)
}

fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn failure(code: &str) -> FailureRecord {
    FailureRecord::new(code, "It went wrong.")
}

fn report(status: RunStatus) -> RunReport {
    RunReport::new(run("r1"), status, format!("{status:?}"))
}

fn with_output(status: RunStatus) -> RunReport {
    RunReport { outputs: vec![Output::file(OutputKind::Image, "https://b.example/a.png")], ..report(status) }
}

fn heard(witness: Witness, report: RunReport) -> Event {
    Event::Reported { witness, report: Box::new(report) }
}

fn hook(status: RunStatus) -> Event {
    heard(Witness::Webhook, report(status))
}

fn poll(status: RunStatus) -> Event {
    heard(Witness::Poll, report(status))
}

fn terms() -> Terms {
    Terms { can_diagnose: true, can_cancel: true, ..Terms::new(at(3600), ExactlyOnce::Lookup) }
}

fn accepted() -> TaskState {
    TaskState::accepted(at(0), &terms())
}

fn after(state: &TaskState, second: i64, what: Event) -> Step {
    step(state, &TaskEvent::new(at(second), what))
}

fn received(copies: u32) -> Event {
    Event::WebhookReceived { method: "POST".into(), body: "{".into(), bytes: 1, key_id: Some("k1".into()), copies }
}

fn resolved(resolution: Resolution) -> Event {
    Event::Resolved { by: "admin".into(), resolution }
}

fn nothing() -> Box<Settlement> {
    Box::new(Settlement::known(Usd::ZERO, UsageBasis::NotRun))
}

fn notice() -> crate::NoticeId {
    crate::NoticeId::derive(crate::TaskId::from_bytes([1; 16]), "finished", "log")
}

/// A state of each status, reached as in life, at second 10 or before.
fn reached(status: S) -> TaskState {
    let events = match status {
        S::Accepted => vec![],
        S::Submitting => vec![Event::SubmitStarted],
        S::InDoubt => {
            vec![Event::SubmitStarted, Event::SubmitLost { failure: failure("submitLost"), answered: true }]
        }
        S::Queued => vec![Event::SubmitStarted, Event::Submitted { run_id: run("r1") }],
        S::Running => {
            vec![Event::SubmitStarted, Event::Submitted { run_id: run("r1") }, hook(RunStatus::Running)]
        }
        S::Finalizing => {
            vec![Event::SubmitStarted, Event::Submitted { run_id: run("r1") }, hook(RunStatus::Succeeded)]
        }
        S::Completed => vec![Event::SubmitStarted, heard(Witness::Poll, with_output(RunStatus::Succeeded))],
        S::Failed => vec![Event::SubmitStarted, Event::SubmitRefused { failure: failure("refused") }],
        S::Cancelled => vec![Event::SubmitStarted, poll(RunStatus::Cancelled)],
        S::TimedOut => vec![Event::SubmitStarted, poll(RunStatus::TimedOut)],
    };
    let mut state = accepted();
    for (second, event) in (1..).zip(events) {
        state = after(&state, second, event).state;
    }
    assert_eq!(state.status, status);
    state
}

/// Every event, each in its telling forms, with the status it leads to from each status in `S::ALL`'s order.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, Event, [S; 10])> {
    use S::{Accepted as Ac, Cancelled as Ca, Completed as Co, Failed as Fa, Finalizing as Fi, InDoubt as Do,
            Queued as Qu, Running as Ru, Submitting as Su, TimedOut as Ti};
    let same = [Ac, Su, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti];
    let settled = Event::Settled {
        usage: Usage::not_run(),
        settlement: nothing(),
        over_ceiling: false,
    };
    let tried = Event::NoticeTried {
        notice_id: notice(),
        target: crate::notify::NotifyTarget::new("log", ""),
        attempt: 1,
        receipt: crate::notify::Receipt::Delivered,
    };
    vec![
        ("accepted", Event::Accepted { tool_revision: "1".into(), terms: Box::new(terms()) }, same),
        ("files sent", Event::FilesSent { files: vec![] }, same),
        ("submit started", Event::SubmitStarted, [Su, Su, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("submitted", Event::Submitted { run_id: run("r1") }, [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("submit refused", Event::SubmitRefused { failure: failure("refused") }, [Ac, Fa, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("submit deferred", Event::SubmitDeferred { failure: failure("busy"), retry_at: at(99), at_capacity: false }, same),
        ("submit lost", Event::SubmitLost { failure: failure("lost"), answered: false }, [Ac, Do, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("lookup found", Event::LookupFound { run_id: run("r1") }, [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("lookup absent", Event::LookupAbsent, same),
        ("lookup failed", Event::LookupFailed { failure: failure("down") }, same),
        ("hook unknown", hook(RunStatus::Unknown), [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("hook queued", hook(RunStatus::Queued), [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("hook running", hook(RunStatus::Running), [Ru, Ru, Ru, Ru, Ru, Fi, Co, Fa, Ca, Ti]),
        ("hook succeeded", hook(RunStatus::Succeeded), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("hook failed", hook(RunStatus::Failed), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("hook cancelled", hook(RunStatus::Cancelled), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("hook timed out", hook(RunStatus::TimedOut), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("poll unknown", poll(RunStatus::Unknown), [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("poll queued", poll(RunStatus::Queued), [Qu, Qu, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("poll running", poll(RunStatus::Running), [Ru, Ru, Ru, Ru, Ru, Fi, Co, Fa, Ca, Ti]),
        ("poll succeeded, no output", poll(RunStatus::Succeeded), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("poll succeeded", heard(Witness::Poll, with_output(RunStatus::Succeeded)), [Co, Co, Co, Co, Co, Co, Co, Fa, Ca, Ti]),
        ("poll failed run", poll(RunStatus::Failed), [Fi, Fi, Fi, Fi, Fi, Fi, Co, Fa, Ca, Ti]),
        ("poll cancelled", poll(RunStatus::Cancelled), [Ca, Ca, Ca, Ca, Ca, Ca, Co, Fa, Ca, Ti]),
        ("poll timed out", poll(RunStatus::TimedOut), [Ti, Ti, Ti, Ti, Ti, Ti, Co, Fa, Ca, Ti]),
        ("webhook", received(2), same),
        ("unreadable", Event::WebhookUnreadable { failure: failure("x") }, same),
        ("poll failed", Event::PollFailed { failure: failure("down") }, same),
        ("diagnosed", Event::Diagnosed { failure: Some(failure("runFailed")), nodes: vec![] }, same),
        ("not diagnosed", Event::Diagnosed { failure: None, nodes: vec![] }, same),
        ("kept", Event::OutputsKept { outputs: vec![] }, same),
        ("not kept", Event::KeepFailed { failure: failure("full"), outlook: KeepOutlook::GiveUp }, same),
        ("cancel asked", Event::CancelAsked, [Ca, Su, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("cancel answered", Event::CancelAnswered { accepted: true, reason: None }, same),
        ("cancel failed", Event::CancelFailed { failure: failure("down") }, same),
        ("deadline early", Event::DeadlinePassed, same),
        ("settled", settled, same),
        ("notice tried", tried, same),
        ("notice requeued", Event::NoticeRequeued { notice_id: notice() }, same),
        ("resolved: found", resolved(Resolution::Found { run_id: run("r1") }), [Ac, Su, Qu, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("resolved: not sent", resolved(Resolution::NotSent), [Ac, Su, Fa, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("resolved: gave up", resolved(Resolution::GiveUp), [Ac, Su, Ti, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
        ("reconciled", Event::Reconciled { report: None, usage: Usage::not_run(), settlement: nothing() }, same),
        ("amended", Event::Amended { by: "ada".into(), fields: vec![] }, same),
        ("restored", Event::Restored { backup_at: at(0) }, [Do, Su, Do, Qu, Ru, Fi, Co, Fa, Ca, Ti]),
    ]
}

#[test]
fn every_event_in_every_state_leads_where_the_table_says() {
    for (name, event, expected) in table() {
        for (from, expected) in S::ALL.into_iter().zip(expected) {
            let before = reached(from);
            let step = after(&before, 20, event.clone());
            assert_eq!(step.state.status, expected, "{name} from {from}");
            let ends = expected.is_terminal() && !from.is_terminal();
            assert_eq!(step.actions.contains(&Action::Notify), ends, "{name} from {from}: notices");
            assert_eq!(step.state.times.ended_at.is_some(), expected.is_terminal(), "{name} from {from}: time of end");
            if from.is_terminal() {
                assert_eq!(step.state.outputs, before.outputs, "{name} from {from}: outputs");
                assert_eq!(step.state.times, before.times, "{name} from {from}: times");
            }
        }
    }
}

#[test]
fn deadlines_end_every_state() {
    // Accepted, submitting, in doubt, queued, running end at the task's deadline; finalizing at its own, an hour on.
    let expected = [S::Failed, S::TimedOut, S::TimedOut, S::TimedOut, S::TimedOut, S::TimedOut];
    let codes = ["notSubmitted", "inDoubt", "inDoubt", "deadline", "deadline", "unverified"];
    for ((from, expected), code) in S::ALL.into_iter().zip(expected).zip(codes) {
        let step = after(&reached(from), 3604, Event::DeadlinePassed);
        assert_eq!(step.state.status, expected, "{from}");
        assert_eq!(step.state.status_reason.unwrap().code, code, "{from}");
        let not_run = from == S::Accepted;
        assert_eq!(step.actions, [Action::Settle { not_run }, Action::Notify], "{from}");
    }
}

#[test]
fn a_search_that_finds_nothing_twice_proves_that_there_is_no_run() {
    let doubted = reached(S::InDoubt);
    let once = after(&doubted, 10, Event::LookupAbsent).state;
    assert_eq!(after(&once, 15, Event::LookupAbsent).state.status, S::InDoubt, "too soon");
    let step = after(&once, 20, Event::LookupAbsent);
    assert_eq!((step.state.status, step.actions[0]), (S::Failed, Action::Settle { not_run: true }));
    assert_eq!(step.state.status_reason.unwrap().code, "notSubmitted");
    // A search that could not be done breaks the row.
    let broken = after(&once, 15, Event::LookupFailed { failure: failure("down") }).state;
    assert_eq!(after(&broken, 30, Event::LookupAbsent).state.status, S::InDoubt);
}

#[test]
fn without_any_answer_the_search_goes_on_for_two_minutes() {
    let submitting = reached(S::Submitting);
    let doubted = after(&submitting, 5, Event::SubmitLost { failure: failure("lost"), answered: false }).state;
    let mut state = doubted;
    for second in (10..130).step_by(10) {
        state = after(&state, second, Event::LookupAbsent).state;
        assert_eq!(state.status, S::InDoubt, "{second}");
    }
    assert_eq!(after(&state, 130, Event::LookupAbsent).state.status, S::Failed);
}

#[test]
fn success_without_outputs_is_asked_about_once_more() {
    let once = after(&reached(S::Finalizing), 5, poll(RunStatus::Succeeded)).state;
    assert_eq!(plan::due_at(&once, at(5), &Policy::default()), Some(at(10)));
    let step = after(&once, 10, poll(RunStatus::Succeeded));
    assert_eq!(step.state.status_reason.as_ref().unwrap().code, "noOutput");
    assert_eq!(step.actions[0], Action::Settle { not_run: false });
    let late = after(&once, 10, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state;
    assert_eq!(late.status, S::Completed);
}

#[test]
fn an_empty_success_takes_no_outputs_away() {
    let known = after(&reached(S::Running), 5, heard(Witness::Webhook, with_output(RunStatus::Succeeded))).state;
    let emptied = after(&known, 6, hook(RunStatus::Succeeded)).state;
    assert_eq!(emptied.outputs.len(), 1);
    assert_eq!(emptied.counters.webhooks_ignored, 1);
}

#[test]
fn the_end_of_a_failed_task_waits_ten_seconds_for_its_reason() {
    let confirmed = after(&reached(S::Running), 10, poll(RunStatus::Failed)).state;
    assert_eq!(plan::plan(&confirmed, at(10)), Work::Diagnose);
    let none = Event::Diagnosed { failure: None, nodes: vec![] };
    let waiting = after(&confirmed, 12, none.clone()).state;
    assert_eq!(waiting.status, S::Finalizing);
    let ended = after(&waiting, 20, none).state;
    assert_eq!((ended.status, ended.status_reason.as_ref().unwrap().code.as_str()), (S::Failed, "runFailed"));
    assert_eq!(plan::plan(&ended, at(20)), Work::Diagnose, "the search goes on after the end");
    let found = Event::Diagnosed { failure: Some(failure("runFailed").with_detail("OOM")), nodes: vec![] };
    let told = after(&ended, 30, found);
    assert_eq!(told.state.status_reason.unwrap().detail.as_deref(), Some("OOM"));
    assert!(told.actions.is_empty(), "told and settled once");
}

#[test]
fn a_webhook_during_the_call_settles_what_the_lost_answer_left_open() {
    let early = after(&reached(S::Submitting), 2, hook(RunStatus::Queued)).state;
    assert_eq!((early.status, early.run_id.clone()), (S::Queued, Some(run("r1"))));
    let lost = after(&early, 3, Event::SubmitLost { failure: failure("lost"), answered: false }).state;
    assert_eq!(lost.status, S::Queued);
}

#[test]
fn another_run_changes_nothing_but_a_flag() {
    let foreign = RunReport::new(run("other"), RunStatus::Failed, "failed");
    let state = after(&reached(S::Running), 5, heard(Witness::Webhook, foreign)).state;
    assert_eq!((state.status, state.flags.contains(&Flag::ForeignRun)), (S::Running, true));
}

#[test]
fn what_comes_after_the_end_is_flagged() {
    let done = reached(S::Completed);
    let more = RunReport { outputs: vec![Output::text("late")], ..report(RunStatus::Failed) };
    let state = after(&done, 50, heard(Witness::Webhook, more)).state;
    assert!(state.flags.contains(&Flag::LateOutputs) && state.flags.contains(&Flag::LateReport));
    assert!(state.needs_review());
    assert_eq!(state.outputs, done.outputs);
}

#[test]
fn a_review_ends_with_what_is_known_then_and_leaves_the_settlement() {
    let lost = after(&reached(S::InDoubt), 3601, Event::DeadlinePassed).state;
    let settled = Event::Settled {
        usage: Usage::unknown(None),
        settlement: Box::new(Settlement::unknown(Some(Usd::from_nanos(9)))),
        over_ceiling: false,
    };
    let lost = after(&lost, 3601, settled).state;
    assert_eq!((lost.needs_review(), lost.charged_usd()), (true, None));
    let found = after(&lost, 4000, resolved(Resolution::Found { run_id: run("r1") })).state;
    assert_eq!((found.status, found.run_id.clone(), found.needs_review()), (S::TimedOut, Some(run("r1")), true));
    let known = Settlement::known(Usd::from_nanos(7), UsageBasis::ProviderRun);
    let report = Some(Box::new(with_output(RunStatus::Succeeded)));
    let event = Event::Reconciled { report, usage: Usage::not_run(), settlement: Box::new(known) };
    let done = after(&found, 4001, event);
    assert_eq!((done.state.status, done.state.needs_review()), (S::TimedOut, false));
    assert_eq!((done.state.charged_usd(), done.state.cost_usd), (Some(Usd::from_nanos(7)), None));
    assert_eq!((done.state.settlement, done.state.outputs.len()), (lost.settlement.clone(), 1));
    assert!(done.actions.is_empty(), "told and settled once");
    let given_up = after(&lost, 4000, resolved(Resolution::GiveUp)).state;
    assert_eq!((given_up.needs_review(), given_up.charged_usd()), (false, None));
}

#[test]
fn a_run_that_outlasts_the_deadline_is_asked_to_stop_after_the_end() {
    let ended = after(&reached(S::Running), 3600, Event::DeadlinePassed).state;
    assert_eq!((ended.status, plan::plan(&ended, at(3600))), (S::TimedOut, Work::Cancel));
    assert_eq!(plan::due_at(&ended, at(3600), &Policy::default()), Some(at(3600)));
    let answered = after(&ended, 3601, Event::CancelAnswered { accepted: true, reason: None }).state;
    assert_eq!(
        answered.cancel.as_ref().map(|c| (c.by, c.outcome)),
        Some((CancelledBy::Deadline, CancelOutcome::Accepted))
    );
    assert_eq!(plan::due_at(&answered, at(3601), &Policy::default()), None);
    assert!(!after(&answered, 3602, hook(RunStatus::Cancelled)).state.needs_review(), "that was our own doing");
    assert!(after(&answered, 3602, hook(RunStatus::Succeeded)).state.needs_review());
    // A service that does not answer is not asked for ever.
    let mut state = ended;
    for attempt in 1..=5 {
        assert_eq!(plan::plan(&state, at(3600)), Work::Cancel, "{attempt}");
        state = after(&state, 3601, Event::CancelFailed { failure: failure("down") }).state;
    }
    assert_eq!(plan::due_at(&state, at(3700), &Policy::default()), None);
}

#[test]
fn a_wish_that_the_end_overtook_is_answered() {
    let wished = after(&reached(S::Running), 5, Event::CancelAsked).state;
    let done = after(&wished, 6, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state;
    assert_eq!(done.cancel.as_ref().map(|c| c.outcome), Some(CancelOutcome::Refused));
    let gone = after(&wished, 6, poll(RunStatus::Cancelled)).state;
    assert_eq!(gone.cancel.as_ref().map(|c| c.outcome), Some(CancelOutcome::Accepted));
}

#[test]
fn after_a_restore_nothing_is_submitted_that_may_have_been() {
    let waiting = Event::SubmitDeferred { failure: failure("busy"), retry_at: at(30), at_capacity: false };
    let deferred = after(&reached(S::Submitting), 5, waiting).state;
    for state in [accepted(), deferred] {
        assert!(plan::submit_at(&state).is_some());
        let restored = after(&state, 10, Event::Restored { backup_at: at(6) }).state;
        assert_eq!((restored.status, plan::submit_at(&restored)), (S::InDoubt, None));
        assert_eq!(plan::plan(&restored, at(10)), Work::Lookup);
    }
    let mut keyed = accepted();
    keyed.exactly_once = ExactlyOnce::IdempotencyKey;
    assert_eq!(
        after(&keyed, 10, Event::Restored { backup_at: at(6) }).state.status,
        S::Accepted,
        "a repeat is harmless"
    );
}

#[test]
fn copies_of_a_webhook_are_counted() {
    let state = after(&reached(S::Running), 5, received(3)).state;
    assert_eq!((state.counters.webhooks, state.counters.webhooks_ignored), (3, 2));
}

#[test]
fn the_machine_follows_the_rules_of_the_acceptance() {
    let mut state = reached(S::InDoubt);
    state.rules.lookup_interval_ms = 50;
    let once = after(&state, 10, Event::LookupAbsent).state;
    assert_eq!(after(&once, 11, Event::LookupAbsent).state.status, S::Failed, "50 ms are over");
}

#[test]
fn a_wish_to_cancel_is_refused_truthfully() {
    let wished = after(&reached(S::Running), 5, Event::CancelAsked).state;
    assert_eq!(plan::plan(&wished, at(5)), Work::Cancel);
    let refused = Event::CancelAnswered { accepted: false, reason: Some("classic".into()) };
    let state = after(&wished, 6, refused).state;
    assert_eq!(state.cancel.as_ref().unwrap().outcome, CancelOutcome::Refused);
    assert_eq!(plan::plan(&state, at(7)), Work::Poll, "the run goes on");
}

#[test]
fn polls_back_off_with_the_time_elapsed() {
    let running = reached(S::Running);
    let due = |second| plan::due_at(&running, at(second), &Policy::default()).unwrap().since(at(second));
    assert_eq!(due(3), Duration::from_secs(1));
    assert_eq!(due(111), Duration::from_secs(10), "a tenth of what will have elapsed by then");
    assert_eq!(due(2001), Duration::from_secs(30));
    assert_eq!(due(3595), Duration::from_secs(5), "not past the deadline");
}

#[test]
fn a_poll_is_put_where_the_end_is_expected() {
    let mut running = reached(S::Running);
    running.expected_ms = Some(104_000);
    let due = |second| plan::due_at(&running, at(second), &Policy::default()).unwrap().since(at(second));
    // Submitted at second 1, so expected to end at second 105.
    assert_eq!(due(101), Duration::from_secs(4));
    assert_eq!(due(89), Duration::from_secs(8), "their usual step comes first");
    assert_eq!(due(111), Duration::from_secs(10), "after it they back off");
}

proptest! {
    /// I1: whatever order reports come in, and however often, the end is reached once and is the provider's.
    #[test]
    fn i01_a_terminal_state_is_reached_once(order in proptest::collection::vec(0usize..8, 0..24)) {
        let reports = [
            hook(RunStatus::Queued), hook(RunStatus::Running), hook(RunStatus::Succeeded), hook(RunStatus::Unknown),
            heard(Witness::Webhook, with_output(RunStatus::Succeeded)), poll(RunStatus::Running),
            Event::PollFailed { failure: failure("down") }, Event::Submitted { run_id: run("r1") },
        ];
        let mut state = reached(S::Submitting);
        let mut notified = 0;
        let end = heard(Witness::Poll, with_output(RunStatus::Succeeded));
        let events = order.iter().map(|i| reports[*i].clone()).chain([end.clone(), end]);
        for (second, event) in (2..).zip(events) {
            let before = state.status;
            let step = after(&state, second, event);
            prop_assert!(step.state.status >= before, "never back: {before} to {}", step.state.status);
            notified += step.actions.iter().filter(|a| **a == Action::Notify).count();
            state = step.state;
        }
        prop_assert_eq!(state.status, S::Completed);
        prop_assert_eq!(state.outputs.len(), 1);
        prop_assert_eq!(notified, 1);
    }
}
