//! A webhook from anybody: its token, its body, and what the task machine makes of it.
//!
//! The input looks like a request: a line with method and target, header lines, an empty line, the body.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::cost::{DurationPolicy, usage};
use stationthis_core::provider::ServiceProvider;
use stationthis_core::task::event::{Event, TaskEvent, Witness};
use stationthis_core::task::machine::{Action, step};
use stationthis_core::task::report::RunReport;
use stationthis_core::task::state::TaskState;
use stationthis_core::task::terms::Terms;
use stationthis_core::tool::ExactlyOnce;
use stationthis_core::webhook::{CallbackKeys, WebhookRequest};
use stationthis_core::{ErrorKind, FailureRecord, RunId, Secret, Timestamp};

static PROVIDER: LazyLock<ComfyDeploy> =
    LazyLock::new(|| ComfyDeploy::builder(Secret::new("key")).build().expect("the defaults are good"));
static KEYS: LazyLock<CallbackKeys> =
    LazyLock::new(|| CallbackKeys::new("k1", Secret::new("0".repeat(32))).expect("the key is long enough"));

/// The second at which events begin.
const START_S: i64 = 1_795_471_863;

fuzz_target!(|data: &[u8]| {
    let request = request(data);
    check_token(&request);
    match PROVIDER.read_webhook(&request) {
        Ok(reading) => {
            for report in &reading.reports {
                for state in states() {
                    follow(state, report);
                }
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}"),
    }
});

fn request(data: &[u8]) -> WebhookRequest {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((&b""[..], data), |end| (&data[..end], &data[end + 2..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap_or_default().split_once(' ').unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned()));
    WebhookRequest::new(method, path, query, Bytes::copy_from_slice(body), at(100)).with_headers(headers.collect())
}

/// What is accepted carries the very MAC that the key makes for that task and that time.
fn check_token(request: &WebhookRequest) {
    if KEYS.verify(request).is_err() {
        return;
    }
    let (provider, task) = request.target().expect("an accepted request names its provider");
    let task = task.expect("and its task");
    let token = request.query.split('&').find_map(|pair| pair.strip_prefix("t=")).expect("and has a token");
    let mut parts = token.splitn(3, '.').skip(1);
    let expiry: i64 = parts.next().and_then(|s| s.parse().ok()).expect("with a time");
    let expires_at = Timestamp::from_micros(expiry.saturating_mul(1_000_000));
    assert!(request.received_at <= expires_at, "expired: {expiry}");
    let url = KEYS.url("", &provider, task, expires_at).expect("there is a key");
    let mac = url.expose().rsplit('.').next();
    assert_eq!(parts.next().map(str::to_lowercase).as_deref(), mac);
}

/// Before the run's name is known, while it is in doubt, queued, and after an end.
fn states() -> Vec<TaskState> {
    let run = RunId::new("57842dcb-4e13-4181-8e81-8648b0aff4b6").expect("a run id");
    let lost = FailureRecord::new("submitLost", "The answer was lost.");
    let paths = [
        vec![Event::SubmitStarted],
        vec![Event::SubmitStarted, Event::SubmitLost { failure: lost.clone(), answered: true }],
        vec![Event::SubmitStarted, Event::Submitted { run_id: run }],
        vec![Event::SubmitStarted, Event::SubmitRefused { failure: lost }],
    ];
    paths.map(|events| events.iter().fold(accepted(), |state, event| then(&state, 1, event.clone()).0)).to_vec()
}

fn accepted() -> TaskState {
    let mut terms = Terms::new(at(3600), ExactlyOnce::Lookup);
    terms.can_diagnose = true;
    TaskState::accepted(at(0), &terms)
}

/// The report as a webhook, again, and as the poll's answer: ends at most once, settles every time it ends.
fn follow(mut state: TaskState, report: &RunReport) {
    let mut ends = u32::from(state.status.is_terminal());
    let witnesses = [Witness::Webhook, Witness::Webhook, Witness::Poll, Witness::Poll, Witness::Webhook];
    for (second, witness) in (10..).zip(witnesses) {
        let (before, outputs) = (state.status, state.outputs.len());
        let event = Event::Reported { witness, report: Box::new(report.clone()) };
        let text = serde_json::to_string(&event).expect("events are kept as JSON");
        assert_eq!(serde_json::from_str::<Event>(&text).expect("and read again"), event);
        let (next, actions) = then(&state, second, event);
        assert!(next.status >= before || before.is_terminal(), "{before} went back to {}", next.status);
        assert!(next.outputs.len() >= outputs, "an output was lost");
        if actions.contains(&Action::Notify) {
            ends += 1;
            let lifetime = next.times.submitting_at.zip(next.times.ended_at);
            for policy in [DurationPolicy::Run, DurationPolicy::Container] {
                let used = usage::measure(&next.provider_times, &next.receipts, policy, lifetime);
                assert!(used.amounts.values().chain(&used.bound_seconds).all(|n| !n.is_sign_negative()), "{used:?}");
                assert!(!used.amounts.is_empty() || used.bound_seconds.is_some(), "unknown without a bound: {used:?}");
            }
        }
        assert!(!before.is_terminal() || next.outputs == state.outputs, "outputs changed after the end");
        state = next;
    }
    assert!(ends <= 1, "it ended {ends} times");
    let text = serde_json::to_string(&state).expect("states are kept as JSON");
    assert_eq!(serde_json::from_str::<TaskState>(&text).expect("and read again"), state);
}

fn then(state: &TaskState, second: i64, event: Event) -> (TaskState, Vec<Action>) {
    let step = step(state, &TaskEvent::new(at(second), event));
    (step.state, step.actions)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((START_S + second) * 1_000_000)
}
