//! Every word that the service may use for a run's status, in every state of a task.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::task::event::{Event, TaskEvent, Witness};
use stationthis_core::task::machine::{Action, Step, step};
use stationthis_core::task::plan::{Work, due_at, plan};
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::task::state::TaskState;
use stationthis_core::task::terms::Terms;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{FailureRecord, Policy, RunId, TaskStatus as S, Timestamp};

use crate::support::provider;

/// The service's words, and where a poll that says one brings a task: to at least that status.
const WORDS: [(&str, S); 9] = [
    ("not-started", S::Queued),
    ("queued", S::Queued),
    ("started", S::Running),
    ("running", S::Running),
    ("uploading", S::Running),
    ("success", S::Completed),
    ("failed", S::Failed),
    ("timeout", S::TimedOut),
    ("cancelled", S::Cancelled),
];

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_795_471_863 + second) * 1_000_000)
}

fn then(state: &TaskState, second: i64, what: Event) -> Step {
    step(state, &TaskEvent::new(at(second), what))
}

/// A task in each state from which a run can be heard of.
fn states() -> Vec<TaskState> {
    let lost = FailureRecord::new("submitLost", "The answer was lost.");
    let report = |status| {
        let report = RunReport::new(RunId::new("r").unwrap(), status, "");
        Event::Reported { witness: Witness::Webhook, report: Box::new(report) }
    };
    let submitted = [Event::SubmitStarted, Event::Submitted { run_id: RunId::new("r").unwrap() }];
    let paths = [
        vec![Event::SubmitStarted],
        vec![Event::SubmitStarted, Event::SubmitLost { failure: lost, answered: true }],
        submitted.to_vec(),
        [submitted.to_vec(), vec![report(RunStatus::Running)]].concat(),
        [submitted.to_vec(), vec![report(RunStatus::Failed)]].concat(),
    ];
    let mut terms = Terms::new(at(3600), ExactlyOnce::Lookup);
    terms.can_diagnose = true;
    let accepted = TaskState::accepted(at(0), &terms);
    paths.map(|events| events.into_iter().fold(accepted.clone(), |state, event| then(&state, 1, event).state)).to_vec()
}

/// What the service says with this word, once the run has outputs.
fn said(provider: &ComfyDeploy, word: &str, witness: Witness) -> Event {
    let outputs = json!([{ "data": { "images": [{ "url": "https://b.example/a.png" }] } }]);
    let body = Bytes::from(json!({ "run_id": "r", "status": word, "outputs": outputs }).to_string());
    let request = WebhookRequest::new("POST", "/", "", body, at(0));
    let report = provider.read_webhook(&request).unwrap().reports.remove(0);
    Event::Reported { witness, report: Box::new(report) }
}

/// Not back, not lost sight of: looked at again soon, by its deadline at the latest, or ended.
fn check_goes_on(before: &TaskState, after: &TaskState, word: &str) {
    assert!(after.status >= before.status, "{word:?}: {} went back to {}", before.status, after.status);
    if after.status.is_terminal() {
        return;
    }
    let policy = Policy::default();
    let due = due_at(after, at(10), &policy).unwrap_or_else(|| panic!("{word:?} hangs in {}", after.status));
    assert!(due <= at(10).plus(policy.poll_interval_max), "{word:?}: {} is left alone until {due}", after.status);
    assert!(matches!(plan(after, due), Work::Poll | Work::Diagnose), "{word:?}: nothing is done in {}", after.status);
    let late = plan(after, at(2 * 3600 + 10));
    assert!(matches!(late, Work::LastPoll | Work::Diagnose), "{word:?}: no end of {}: {late:?}", after.status);
}

/// Each known word brings the task on; a word that nobody knows leaves it where it is, counted, to be asked about again.
fn check_word(provider: &ComfyDeploy, word: &str) {
    let known = WORDS.iter().find(|(known, _)| *known == word).map(|(_, status)| *status);
    for before in states() {
        let told = then(&before, 10, said(provider, word, Witness::Webhook)).state;
        check_goes_on(&before, &told, word);
        assert!(!told.status.is_terminal(), "{word:?}: a webhook is no proof of an end");
        let polled = then(&told, 10, said(provider, word, Witness::Poll));
        check_goes_on(&told, &polled.state, word);
        match known {
            // A failure first looks for its reason; that search has an end of its own.
            Some(S::Failed) => {
                let given_up = Event::Diagnosed { failure: None, nodes: vec![] };
                let step = then(&polled.state, 60, given_up);
                assert_eq!((step.state.status, step.actions.contains(&Action::Notify)), (S::Failed, true), "{word:?}");
            }
            Some(end) if end.is_terminal() => assert_eq!(polled.state.status, end, "{word:?} from {}", before.status),
            Some(on) => assert!(polled.state.status >= on, "{word:?} from {}: {}", before.status, polled.state.status),
            None => {
                assert!(polled.state.counters.unknown_statuses == 2, "{word:?} is not counted");
                assert!(polled.state.status == before.status.max(S::Queued), "{word:?} means something");
            }
        }
    }
}

#[test]
fn i03_every_status_leads_to_progress_an_end_or_another_look() {
    let provider = provider("http://127.0.0.1:9");
    for (word, _) in WORDS {
        check_word(&provider, word);
    }
    for odd in ["", " success", "SUCCESS", "succeeded", "completed", "processing", "paused", "null", "\u{0}", "успех"]
    {
        check_word(&provider, odd);
    }
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    runner
        .run(&prop_oneof!["[a-z-]{1,12}", any::<String>()], |word| {
            check_word(&provider, &word);
            Ok(())
        })
        .unwrap();
}
