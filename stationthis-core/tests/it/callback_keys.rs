//! I13: who may say something about a task.

use std::time::Duration;

use bytes::Bytes;
use stationthis_core::task::report::RunStatus;
use stationthis_core::task::state::TaskState;
use stationthis_core::webhook::{CallbackKeys, WebhookRequest};
use stationthis_core::{Clock, ErrorKind, Secret, TaskStatus, Timestamp};

use crate::bench::{Bench, report, success};

const PATH: &str = "/api/webhook/scripted/01a212ca-fcb3-70c7-945f-91d18f9bd495";
const OTHER_TASK: &str = "/api/webhook/scripted/01a212ca-fcb3-70c7-945f-91d18f9bd496";
const OTHER_PROVIDER: &str = "/api/webhook/other/01a212ca-fcb3-70c7-945f-91d18f9bd495";

/// A token expires then.
const EXPIRY_S: i64 = 1_764_003_600;

/// HMAC-SHA256 over "callback.v1\n{provider}\n{task}\n{expiry}", computed with Python's hmac: of `PATH` under the
/// newer and the older key, of the other task and the other provider under the newer one.
const NEWER: &str = "k2.1764003600.fa4972ab8e509e07d3eb2019a18841ff4fd2935826bed1c47fd9137e9feb8f00";
const OLDER: &str = "k1.1764003600.a0cb54363b3ac5c750f592de3b879171e50b8e5a8573ff69d3a261d90d159fe6";
const OF_OTHER_TASK: &str = "k2.1764003600.0d491cc0a869874826bebe20104d0327e8a11900bdfc5ae909aa5e86624049f4";
const OF_OTHER_PROVIDER: &str = "k2.1764003600.0d048f13b9af290f743f02760d8330d0b80abca7c68b37ee6ecc917696f1dd1c";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Two keys live; the older one ends half an hour before the tokens.
fn keys() -> CallbackKeys {
    let newer = CallbackKeys::new("k2", Secret::new("0123456789abcdef0123456789abcdef")).unwrap();
    let older = Secret::new("fedcba9876543210fedcba9876543210");
    newer.with_older("k1", older, Some(at(EXPIRY_S - 1800))).unwrap()
}

/// Without the key `k1`, as after its revocation.
fn revoked() -> CallbackKeys {
    CallbackKeys::new("k2", Secret::new("0123456789abcdef0123456789abcdef")).unwrap()
}

/// The key that was found, or a word of the refusal.
fn check(keys: &CallbackKeys, path: &str, query: &str, seconds: i64, expected: Result<&str, &str>) {
    let request = WebhookRequest::new("POST", path, query, Bytes::from_static(b"{}"), at(seconds));
    match (keys.verify(&request), expected) {
        (Ok(key), expected) => assert_eq!(Ok(key.as_str()), expected, "{query}"),
        (Err(error), Ok(_)) => panic!("{query}: {error}"),
        (Err(error), Err(word)) => {
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{query}");
            assert!(error.message().unwrap().contains(word), "{query}: {error}");
            let mac = query.rsplit('.').next().unwrap();
            assert!(mac.len() < 10 || !format!("{error} {error:?}").contains(mac), "a token is not repeated");
        }
    }
}

fn check_vectors() {
    let now = EXPIRY_S - 3600;
    let t = |token: &str| format!("t={token}");
    let forged = NEWER.replace("fa4972ab", "fa4972ac");
    let cases: [(&str, String, i64, Result<&str, &str>); 24] = [
        (PATH, t(NEWER), now, Ok("k2")),
        (PATH, t(OLDER), now, Ok("k1")),
        (PATH, format!("a=1&{}&b=2", t(NEWER)), now, Ok("k2")),
        (PATH, t(NEWER), EXPIRY_S, Ok("k2")),
        (PATH, t(NEWER), EXPIRY_S + 1, Err("expired")),
        (PATH, t(OLDER), EXPIRY_S - 1801, Ok("k1")),
        (PATH, t(OLDER), EXPIRY_S - 1800, Err("ended")),
        (PATH, t(&forged), now, Err("wrong")),
        (PATH, t(&NEWER.replace("k2.", "k1.")), now, Err("wrong")),
        (PATH, t(&NEWER.replace("k2.", "k3.")), now, Err("unknown key")),
        (PATH, t(&NEWER.replace("k2.", ".")), now, Err("unknown key")),
        (PATH, t(&NEWER.replace("1764003600", "1864003600")), now, Err("wrong")),
        (PATH, t(&NEWER.replace("1764003600", "01764003600")), now, Err("malformed")),
        (PATH, t(&NEWER.replace("1764003600", "+1764003600")), now, Err("malformed")),
        (PATH, t(&NEWER.replace("1764003600", "")), now, Err("malformed")),
        (PATH, t(&NEWER[..NEWER.len() - 2]), now, Err("wrong")),
        (PATH, t(&NEWER[..NEWER.len() - 1]), now, Err("malformed")),
        (PATH, t(&NEWER[..14]), now, Err("wrong")),
        (PATH, t(&NEWER[..13]), now, Err("malformed")),
        (PATH, t(&NEWER.to_uppercase().replace("K2", "k2")), now, Err("malformed")),
        (PATH, t(""), now, Err("malformed")),
        (PATH, String::new(), now, Err("missing")),
        (PATH, t(OF_OTHER_TASK), now, Err("wrong")),
        (PATH, t(OF_OTHER_PROVIDER), now, Err("wrong")),
    ];
    for (path, query, seconds, expected) in &cases {
        check(&keys(), path, query, *seconds, *expected);
    }
    check(&keys(), OTHER_TASK, &t(OF_OTHER_TASK), now, Ok("k2"));
    check(&keys(), OTHER_PROVIDER, &t(OF_OTHER_PROVIDER), now, Ok("k2"));
    check(&keys(), OTHER_TASK, &t(NEWER), now, Err("wrong"));
    check(&keys(), OTHER_PROVIDER, &t(NEWER), now, Err("wrong"));
    check(&revoked(), PATH, &t(OLDER), now, Err("unknown key"));
    check(&revoked(), PATH, &t(NEWER), now, Ok("k2"));
}

/// What a task's record says, but for its counters.
fn without_counters(mut state: TaskState) -> TaskState {
    state.counters = Default::default();
    state
}

#[tokio::test]
async fn i13_provider_callbacks_are_authenticated_per_task() {
    check_vectors();

    let bench = Bench::new().await;
    let (task, other) = (bench.run("x").await, bench.run("y").await);
    bench.settle().await;
    let good = bench.hook_request(&task, &report(RunStatus::Failed));
    let of_other = bench.hook_request(&other, &report(RunStatus::Failed));
    let mut crossed = of_other.clone();
    crossed.path.clone_from(&good.path);
    let mut bare = good.clone();
    bare.query.clear();
    let before = bench.task(task.task_id).await;
    for forged in [crossed, bare] {
        let error = bench.station.receive_webhook(forged).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
    }
    bench.settle().await;
    assert_eq!(bench.task(task.task_id).await, before, "a webhook that is refused leaves no trace on the task");

    // The same token again is no attack: it says what was said before, and changes nothing but counters.
    bench.provider.script().polls = [success(bench.clock.now())].into();
    let hook = bench.hook_request(&task, &success(bench.clock.now()));
    bench.station.receive_webhook(hook.clone()).await.unwrap();
    bench.pass(30).await;
    let ended = bench.task(task.task_id).await.state;
    assert_eq!(ended.status, TaskStatus::Completed);
    for _ in 0..5_000 {
        bench.station.receive_webhook(hook.clone()).await.unwrap();
    }
    bench.settle().await;
    assert_eq!(without_counters(bench.task(task.task_id).await.state), without_counters(ended));

    bench.clock.advance(Duration::from_secs(7 * 24 * 3600));
    let mut late = hook.clone();
    late.received_at = bench.clock.now();
    assert_eq!(bench.station.receive_webhook(late).await.unwrap_err().kind(), ErrorKind::Unauthorized);
}
