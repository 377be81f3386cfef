//! Between a confirmed success and the end: outputs on their way into custody.

use super::*;
use crate::custody::{Kept, KeptOutput};
use crate::task::state::Renewal;

/// A run of two files and a text ended well at second 10; nothing is kept yet.
fn keeping() -> TaskState {
    let terms = Terms { custody: true, ..terms() };
    let mut ended = with_output(RunStatus::Succeeded);
    ended.outputs.push(Output::text("a caption"));
    ended.outputs.push(Output::file(OutputKind::Image, "https://b.example/b.png?sig=1"));
    let state = after(&TaskState::accepted(at(0), &terms), 1, Event::SubmitStarted).state;
    let state = after(&state, 2, Event::Submitted { run_id: run("r1") }).state;
    let step = after(&state, 10, heard(Witness::Poll, ended));
    assert_eq!((step.state.status, step.actions.len()), (S::Finalizing, 0), "not settled, and nobody is told");
    step.state
}

fn kept(places: &[(u32, &str)]) -> Event {
    let one = |(order, url): &(u32, &str)| {
        KeptOutput::new(*order, *url, Kept::new(format!("k/{order}"), "cafe", 4, "image/png", at(11)))
    };
    Event::OutputsKept { outputs: places.iter().map(one).collect() }
}

fn both() -> Event {
    kept(&[(0, "https://b.example/a.png"), (2, "https://b.example/b.png?sig=1")])
}

fn failed(outlook: KeepOutlook) -> Event {
    Event::KeepFailed { failure: failure("full"), outlook }
}

fn due(state: &TaskState, second: i64) -> Duration {
    plan::due_at(state, at(second), &Policy::default()).unwrap().since(at(second))
}

#[test]
fn a_task_is_completed_when_all_that_is_at_a_url_is_kept() {
    let state = keeping();
    assert_eq!((plan::plan(&state, at(10)), due(&state, 10)), (Work::Keep, Duration::ZERO));
    assert!(!state.holds_slot());
    let half = after(&state, 12, kept(&[(2, "https://b.example/b.png?sig=2")]));
    assert_eq!((half.state.status, half.actions.len()), (S::Finalizing, 0));
    let done = after(&half.state, 13, both());
    assert_eq!(done.state.status, S::Completed);
    assert_eq!(done.actions, [Action::Settle { not_run: false }, Action::Notify]);
    assert_eq!((done.state.times.ended_at, done.state.over_at()), (Some(at(13)), Some(at(10))));
    assert_eq!(done.state.keeping, None);
    let custody: Vec<bool> = done.state.outputs.iter().map(|output| output.custody.is_some()).collect();
    assert_eq!(custody, [true, false, true], "a text is on the record already");
    let again = after(&done.state, 14, both());
    assert_eq!((again.state, again.actions.len()), (done.state, 0));
}

#[test]
fn what_was_accepted_without_custody_or_gave_only_texts_ends_at_once() {
    let mut plain = keeping();
    (plain.custody, plain.keeping) = (false, None);
    assert_eq!(after(&plain, 11, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state.status, S::Completed);
    let mut texts = reached(S::Running);
    texts.custody = true;
    let report = RunReport { outputs: vec![Output::text("a"), Output::json(1.into())], ..report(RunStatus::Succeeded) };
    assert_eq!(after(&texts, 11, heard(Witness::Poll, report)).state.status, S::Completed);
}

#[test]
fn nothing_but_its_custody_moves_a_task_on_from_there() {
    let state = keeping();
    for (name, event, _) in table() {
        let step = after(&state, 20, event.clone());
        let expected = match &event {
            Event::KeepFailed { .. } => S::Failed,
            _ => S::Finalizing,
        };
        assert_eq!(step.state.status, expected, "{name}");
        assert_eq!(step.actions.contains(&Action::Notify), expected == S::Failed, "{name}");
        assert_eq!(step.state.over_at(), Some(at(10)), "{name}");
        let measured = |state: &TaskState| (state.receipts, state.provider_times, state.reported_usage.clone());
        assert_eq!(measured(&step.state), measured(&state), "{name}: what it costs was known at the confirmation");
    }
    for status in [RunStatus::Failed, RunStatus::Cancelled, RunStatus::TimedOut] {
        let told = after(&state, 20, poll(status)).state;
        assert_eq!((told.status, told.flags.contains(&Flag::LateReport)), (S::Finalizing, true), "{status:?}");
        assert!(told.needs_review());
    }
}

#[test]
fn what_kept_another_output_keeps_none_of_these() {
    let state = keeping();
    for wrong in [(1, "https://b.example/a.png"), (0, "https://b.example/b.png"), (7, "https://b.example/a.png")] {
        assert_eq!(after(&state, 12, kept(&[wrong])).state, state, "{wrong:?}");
    }
    // The answer to the submission names another run after all: what was kept of the first is none of its outputs.
    let other = after(&state, 12, Event::Submitted { run_id: run("r2") }).state;
    assert_eq!((other.status, other.keeping.clone(), other.outputs.len()), (S::Queued, None, 0));
    assert_eq!(after(&other, 13, both()).state, other);
    assert_eq!(after(&other, 13, failed(KeepOutlook::GiveUp)).state, other);
}

#[test]
fn a_report_renews_urls_adds_outputs_and_takes_no_custody_away() {
    let half = after(&keeping(), 12, kept(&[(2, "https://b.example/b.png?sig=1")])).state;
    let mut fresh = report(RunStatus::Succeeded);
    let mut renewed = Output::file(OutputKind::Image, "https://b.example/b.png?sig=2");
    renewed.expires_at = Some(at(900));
    // What a report says of custody is nobody's word.
    let mut forged = Output::file(OutputKind::Image, "https://b.example/c.png");
    forged.custody = Some(Kept::new("another/caller", "f00d", 1, "image/png", at(1)));
    fresh.outputs = vec![renewed, forged];
    let state = after(&half, 13, heard(Witness::Poll, fresh)).state;
    assert_eq!(state.outputs[2].url.as_deref(), Some("https://b.example/b.png?sig=2"));
    assert_eq!(state.outputs[2].custody.as_ref().map(|kept| kept.key.as_str()), Some("k/2"));
    assert_eq!((state.outputs.len(), state.outputs[3].is_unkept()), (4, true));
    let more = after(&state, 14, both()).state;
    assert_eq!(more.status, S::Finalizing, "the new one is not kept");
}

#[test]
fn a_url_that_has_ended_is_renewed_before_the_next_attempt() {
    let gone = after(&keeping(), 11, failed(KeepOutlook::NewUrl)).state;
    assert_eq!((plan::plan(&gone, at(12)), due(&gone, 11)), (Work::Poll, Duration::from_secs(1)));
    let asked = after(&gone, 12, heard(Witness::Poll, with_output(RunStatus::Succeeded))).state;
    assert_eq!((plan::plan(&asked, at(12)), due(&asked, 12)), (Work::Keep, Duration::ZERO));
    let unheard = after(&gone, 12, Event::PollFailed { failure: failure("down") }).state;
    assert_eq!(
        (plan::plan(&unheard, at(12)), due(&unheard, 12)),
        (Work::Keep, Duration::ZERO),
        "it may work all the same"
    );
    let again = after(&asked, 13, failed(KeepOutlook::NewUrl)).state;
    assert_eq!((again.status, plan::plan(&again, at(13))), (S::Finalizing, Work::Poll), "nobody said when it ends");
    let mut ending = keeping();
    ending.outputs[2].expires_at = Some(at(30));
    assert_eq!(plan::plan(&ending, at(19)), Work::Keep);
    assert_eq!(plan::plan(&ending, at(20)), Work::Poll, "it ends within seconds");
    let mut text_ends = keeping();
    text_ends.outputs[1].expires_at = Some(at(0));
    assert_eq!(plan::plan(&text_ends, at(20)), Work::Keep, "nothing of it is to be fetched");
}

#[test]
fn a_url_that_ended_and_is_not_renewed_ends_the_task() {
    let mut state = keeping();
    state.outputs[0].expires_at = Some(at(30));
    let mut same = with_output(RunStatus::Succeeded);
    same.outputs[0].expires_at = Some(at(30));
    let early = after(&after(&state, 20, heard(Witness::Poll, same.clone())).state, 29, failed(KeepOutlook::NewUrl));
    assert_eq!(early.state.status, S::Finalizing, "it had not ended");
    let good = after(&early.state, 29, heard(Witness::Poll, same.clone())).state;
    let slow = after(&good, 90, failed(KeepOutlook::NewUrl)).state;
    assert_eq!(slow.status, S::Finalizing, "it ended during the attempt: the service may have a better one");
    let unanswered = after(&early.state, 31, Event::PollFailed { failure: failure("down") }).state;
    let empty = after(&early.state, 31, poll(RunStatus::Unknown)).state;
    assert_eq!(empty.keeping, unanswered.keeping, "an answer that names nothing is none");
    let hoping = after(&unanswered, 32, failed(KeepOutlook::NewUrl)).state;
    assert_eq!(hoping.status, S::Finalizing, "the service may have a better one");
    let asked = after(&hoping, 33, heard(Witness::Poll, same)).state;
    assert_eq!(asked.keeping.as_ref().unwrap().renewal, Renewal::Ended);
    assert_eq!(after(&asked, 34, failed(KeepOutlook::TryAgain)).state.status, S::Finalizing, "it was not tried");
    let step = after(&asked, 34, failed(KeepOutlook::NewUrl));
    assert_eq!(step.state.status, S::Failed);
    assert_eq!(step.actions, [Action::Settle { not_run: false }, Action::Notify], "the run was, and is charged");
    let reason = step.state.status_reason.as_ref().unwrap();
    assert_eq!(reason.code, "notKept");
    assert!(reason.message.ends_with("It went wrong."), "{}", reason.message);
    assert_eq!((step.state.outputs.len(), step.state.needs_review()), (3, true));
    assert_eq!(step.state.keeping.as_ref().unwrap().attempts, 3);
    // The service said success all along: that is no contradiction, and another word is.
    let late = after(&step.state, 40, heard(Witness::Webhook, with_output(RunStatus::Succeeded))).state;
    assert!(!late.flags.contains(&Flag::LateReport) && !late.flags.contains(&Flag::LateOutputs));
    assert!(after(&step.state, 40, hook(RunStatus::Failed)).state.flags.contains(&Flag::LateReport));
    assert_eq!(after(&step.state, 40, both()).state, step.state, "too late");
    assert_eq!(
        after(&step.state, 40, Event::PollFailed { failure: failure("down") }).state.keeping,
        step.state.keeping
    );
}

#[test]
fn attempts_go_on_until_the_deadline_of_the_custody() {
    let mut state = after(&keeping(), 11, failed(KeepOutlook::TryAgain)).state;
    assert_eq!(due(&state, 11), Duration::from_secs(1));
    assert_eq!(due(&state, 110), Duration::from_secs(10), "a tenth of the time since the confirmation");
    assert_eq!(due(&state, 9010), Duration::from_secs(300));
    state.rules.custody_deadline_ms = 600_000;
    assert_eq!(due(&state, 600), Duration::from_secs(10), "not past the deadline");
    assert_eq!(plan::plan(&state, at(609)), Work::Keep);
    assert_eq!(plan::plan(&state, at(610)), Work::Expire, "the deadline of the task itself is long behind, or before");
    let early = after(&state, 609, Event::DeadlinePassed).state;
    assert_eq!(early, state);
    let late = after(&state, 610, Event::DeadlinePassed).state;
    assert_eq!((late.status, late.status_reason.unwrap().code.as_str()), (S::Failed, "notKept"));
    let failed_late = after(&state, 610, failed(KeepOutlook::TryAgain)).state;
    assert_eq!(failed_late.status, S::Failed);
    let kept_late = after(&state, 700, both()).state;
    assert_eq!(kept_late.status, S::Completed, "what is kept is kept");
    let mut untried = keeping();
    untried.rules.custody_deadline_ms = 0;
    let untried = after(&untried, 10, Event::DeadlinePassed).state;
    assert!(untried.status_reason.unwrap().message.ends_with("it was never tried."));
}
