//! Callers, who make requests and repeat those whose answers they did not get.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::error::Result;
use crate::id::{CallerId, IdempotencyKey, TaskId};
use crate::notify::NotifyTarget;
use crate::station::RunRequest;
use crate::testkit::campaign::provider::Class;
use crate::testkit::campaign::receiver::{Address, CHANNEL};
use crate::testkit::campaign::rng::Rng;
use crate::testkit::campaign::scenario::Scenario;

/// One request, and what its caller knows of it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) caller: CallerId,
    pub(super) request: RunRequest,
    /// From the world's start.
    pub(super) after: Duration,
    /// When it is asked a second time although it was answered.
    pub(super) repeated_after: Option<Duration>,
    /// When it is cancelled, after it was answered.
    pub(super) cancelled_after: Option<Duration>,
    /// The tasks that it was answered with; all should be the same.
    pub(super) answers: Vec<TaskId>,
}

/// Between two requests on the average: the providers' run slots are nearly all taken, and now and then all.
const PAUSE_MS: u64 = 400;

/// The requests of a scenario.
pub(super) fn load(scenario: &Scenario, rng: &mut Rng) -> Result<Vec<Asked>> {
    let span = u64::from(scenario.tasks) * PAUSE_MS;
    (0..scenario.tasks).map(|nth| asked(nth, span, scenario, rng)).collect()
}

fn asked(nth: u32, span: u64, scenario: &Scenario, rng: &mut Rng) -> Result<Asked> {
    let caller = CallerId::new(format!("caller-{}", rng.below(scenario.callers.into())))?;
    let [first, second, third, fourth] = Class::ALL;
    let class = match rng.below(8) {
        0 => first,
        1 | 2 => second,
        3..=6 => third,
        _ => fourth,
    };
    let mut addresses = vec![Address::Good];
    match rng.below(20) {
        0..=4 => addresses.push(Address::Flaky),
        5 => addresses.push(Address::Gone),
        6 => addresses.push(Address::Deaf),
        _ => {}
    }
    let notify = addresses.into_iter().map(|address| NotifyTarget::new(CHANNEL, address.name())).collect();
    let inputs = Map::from_iter([("prompt".to_owned(), Value::from(format!("number {nth}")))]);
    let request = RunRequest::new(format!("{}:make", class.name()), inputs)
        .with_idempotency_key(Some(IdempotencyKey::new(format!("request-{nth}"))?))
        .with_notify(notify);
    // Some come all at once.
    let after = if rng.chance(100) { Duration::ZERO } else { rng.millis(0, span) };
    let repeated_after = rng.chance(100).then(|| rng.millis(0, 60_000));
    let hostile = scenario.call_faults > 0;
    let cancelled_after = (hostile && rng.chance(60)).then(|| rng.millis(0, 60_000));
    Ok(Asked { caller, request, after, repeated_after, cancelled_after, answers: Vec::new() })
}
