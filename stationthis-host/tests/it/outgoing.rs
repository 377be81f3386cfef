//! I15: what leaves the host for addresses that others name.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::{Map, Value, json};
use stationthis_comfydeploy::sim::{SimConfig, SimTiming};
use stationthis_core::notify::signing::Signed;
use stationthis_core::notify::{Notice, NoticeKind, Notifier, NotifyTarget, Receipt, SigningKeys};
use stationthis_core::{ErrorKind, NoticeId, RunRequest, SystemClock, TaskRecord, Timestamp};
use stationthis_host::app::{App, Service, caller_id};
use stationthis_host::config::Config;
use stationthis_host::data_dir::KeyFile;
use stationthis_host::outgoing::{Guard, GuardedClient, WebhookNotifier};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::bench;
use crate::receiver::{Call, Manner, Receiver};

/// Stands for a public address: it is opened, and another one beside it is not.
const OPEN: &str = "127.0.0.2";
const PRIVATE: &str = "127.0.0.1";

fn config(dir: &TempDir) -> Config {
    let mut config = bench::config(dir);
    config.allow_private_targets = vec![OPEN.parse().unwrap()];
    config
}

/// A host in a runtime of its own, which can be killed.
fn started(config: &Config) -> (Runtime, App) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let sim = SimConfig { timing: SimTiming::instant(), ..SimConfig::default() };
    let service = Service::Simulator(Box::new(sim), 0);
    let app = runtime.block_on(App::start(config, service, None)).unwrap();
    (runtime, app)
}

fn request(address: &str) -> RunRequest {
    let inputs = Map::from_iter([("prompt".to_owned(), json!("a fox"))]);
    RunRequest::new("sdxl-portrait", inputs).with_notify(vec![NotifyTarget::new("webhook", address)])
}

fn header_of<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

/// Signed by the caller's key of this data folder, over id, time and raw body.
fn check_signature(call: &Call, dir: &TempDir) -> Value {
    let [id, time, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| header_of(call, name));
    let at = Timestamp::from_micros(time.parse::<i64>().unwrap() * 1_000_000);
    let masters = KeyFile::webhooks(&dir.path().join("sim")).open().unwrap().signing_keys(at).unwrap();
    let keys = masters.for_caller(&caller_id().unwrap()).unwrap();
    keys.verify(&Signed::new(id, time, signature), &call.body, at).unwrap();
    let later = at.plus(Duration::from_secs(1)).as_micros() / 1_000_000;
    for (id, time, body) in [("x", time, &call.body[..]), (id, &later.to_string(), &call.body), (id, time, b"{}")] {
        assert!(keys.verify(&Signed::new(id, time, signature), body, at).is_err(), "all three are signed");
    }
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let ended: Timestamp = body["data"]["times"]["endedAt"].as_str().unwrap().parse().unwrap();
    assert!(at.plus(Duration::from_secs(1)) > ended, "the time of the attempt: {at} is not before {ended}");
    assert_eq!((&body["type"], &body["timestamp"]), (&json!("task.finished"), &body["data"]["times"]["endedAt"]));
    body["data"].clone()
}

/// Killed while the receiver has the first attempt and does not answer; the next process goes on with the same notice.
fn check_restart(dir: &TempDir, receiver: &Receiver) -> Value {
    let config = config(dir);
    receiver.set(Manner::Hang);
    let (runtime, app) = started(&config);
    let task = runtime.block_on(async {
        app.station().refresh().await.unwrap();
        let caller = app.caller().unwrap();
        for address in
            ["http://169.254.169.254/latest", "http://localhost:1/", "http://[::1]/", "ftp://a.example/", "x"]
        {
            assert_eq!(caller.run(request(address)).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{address}");
        }
        caller.run(request(&format!("http://{}/hook?key=1", receiver.address))).await.unwrap()
    });
    let first = receiver.call();
    runtime.shutdown_background();
    drop(app);

    receiver.set(Manner::Answer(StatusCode::NO_CONTENT));
    let (runtime, app) = started(&config);
    let second = receiver.call();
    assert_eq!(header_of(&first, "webhook-id"), header_of(&second, "webhook-id"), "the receiver can drop the repeat");
    assert_eq!(header_of(&second, "content-type"), "application/json");
    assert_eq!(second.path, "/hook");
    let told = [check_signature(&first, dir), check_signature(&second, dir)];
    let shown = runtime.block_on(async { app.caller().unwrap().task(task.task_id).await.unwrap() });
    for told in &told {
        assert_eq!(told["taskId"], json!(task.task_id));
        assert_eq!((&told["status"], &told["costUsd"]), (&json!("completed"), &json!(shown.state.cost_usd)));
    }
    runtime.block_on(app.shutdown()).unwrap();
    assert!(!receiver.was_called(), "once delivered, not again");
    told[1].clone()
}

/// Answers a name with what is next, and counts.
#[derive(Default)]
struct Rebinding {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
}

impl Resolve for Rebinding {
    fn resolve(&self, _: Name) -> Resolving {
        let next = self.answers.lock().unwrap().pop_front().expect("no more look-ups than planned");
        let found: Vec<_> = next.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        Box::pin(async { Ok(Box::new(found.into_iter()) as Addrs) })
    }
}

fn notifier(resolver: Arc<Rebinding>) -> WebhookNotifier {
    let guard = Guard::new(vec![OPEN.parse().unwrap()]);
    let client = GuardedClient::with_resolver(guard, resolver).unwrap();
    WebhookNotifier::new(client, SigningKeys::new(SigningKeys::generate()).unwrap(), Arc::new(SystemClock))
}

async fn delivered(notifier: &WebhookNotifier, task: &TaskRecord, address: &str) -> Receipt {
    let id = NoticeId::derive(task.task_id, "finished", address);
    let target = NotifyTarget::new("webhook", address);
    notifier.deliver(&Notice::new(id, target, NoticeKind::Finished, 1, task.clone())).await
}

async fn check_addresses(task: &TaskRecord, receiver: &Receiver, victim: &Receiver) {
    let port = receiver.address.port();
    let resolver = Arc::new(Rebinding::default());
    let notifier = notifier(resolver.clone());
    let named = format!("http://hooks.example:{port}/hook");
    let answers = |answers: &[&[&'static str]]| {
        *resolver.answers.lock().unwrap() = answers.iter().map(|answer| answer.to_vec()).collect();
    };

    // What it resolves to is judged, each time.
    for private in [&[PRIVATE][..], &["10.0.0.7"], &["169.254.169.254", "::1"], &["::ffff:127.0.0.1"]] {
        answers(&[private]);
        let receipt = delivered(&notifier, task, &named).await;
        assert!(matches!(&receipt, Receipt::Permanent { reason } if reason.contains("private")), "{receipt:?}");
    }
    // One look-up for one connection: a name that changes between check and use gains nothing.
    answers(&[&[OPEN], &[PRIVATE]]);
    assert_eq!(delivered(&notifier, task, &named).await, Receipt::Delivered);
    assert_eq!(receiver.call().path, "/hook");
    assert!(matches!(delivered(&notifier, task, &named).await, Receipt::Permanent { .. }));
    // Of several addresses the private ones are left out.
    answers(&[&[PRIVATE, OPEN]]);
    assert_eq!(delivered(&notifier, task, &named).await, Receipt::Delivered);
    receiver.call();

    // Redirects are not followed, and what was redirected is tried again later.
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        receiver.set(Manner::With(status, header::LOCATION, format!("http://{}/", victim.address)));
        answers(&[&[OPEN]]);
        let receipt = delivered(&notifier, task, &named).await;
        assert!(matches!(&receipt, Receipt::Retry { reason, .. } if reason.contains("redirect")), "{receipt:?}");
        receiver.call();
    }
    // Nor is a refused address called when it is written as such.
    answers(&[]);
    for literal in [format!("http://{PRIVATE}:{port}/"), format!("http://[::ffff:{PRIVATE}]:{port}/")] {
        assert_eq!(notifier.check(&literal).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(matches!(delivered(&notifier, task, &literal).await, Receipt::Permanent { .. }), "{literal}");
    }
    assert!(!victim.was_called());

    // The receiver's word on what becomes of the notice.
    let hour = Some(Duration::from_secs(3600));
    let cases = [
        (Manner::Answer(StatusCode::GONE), Receipt::NoRecipient),
        (
            Manner::With(StatusCode::TOO_MANY_REQUESTS, header::RETRY_AFTER, "3600".to_owned()),
            Receipt::Retry { after: hour, reason: "It answered 429.".to_owned() },
        ),
    ];
    for (manner, expected) in cases {
        receiver.set(manner);
        answers(&[&[OPEN]]);
        assert_eq!(delivered(&notifier, task, &named).await, expected);
    }
}

/// What a service names is guarded as well; what the operator configured is not.
async fn check_downloads(victim: &Receiver) {
    let (origin, patience) = (format!("http://{}", victim.address), Duration::from_secs(5));
    let output = format!("{origin}/view?name=a.png");
    let guarded = GuardedClient::new(Guard::default()).unwrap();
    let error = guarded.fetch(&output, HeaderMap::new(), patience).await.unwrap_err();
    assert!(error.to_string().contains("private"), "{error}");
    assert!(!victim.was_called());
    let trusting = guarded.trusting(&origin.parse().unwrap());
    assert!(trusting.fetch(&output, HeaderMap::new(), patience).await.unwrap().status().is_success());
    assert_eq!(victim.call().path, "/view");
    assert!(
        guarded.fetch(&output, HeaderMap::new(), patience).await.is_err(),
        "the one that it was made of trusts nobody more"
    );
    assert!(!victim.was_called());
    victim.set(Manner::With(StatusCode::FOUND, header::LOCATION, "http://169.254.169.254/".to_owned()));
    assert_eq!(
        trusting.fetch(&output, HeaderMap::new(), patience).await.unwrap().status(),
        StatusCode::FOUND,
        "it is not followed"
    );
}

#[test]
fn i15_outgoing_callbacks_reach_no_private_address_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let receiver = Receiver::on(OPEN, 0);
    let task = check_restart(&dir, &receiver);
    // On the same port, so that the address alone decides who is reached.
    let victim = Receiver::on(PRIVATE, receiver.address.port());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let task: TaskRecord = serde_json::from_value(task).unwrap();
    runtime.block_on(check_addresses(&task, &receiver, &victim));
    runtime.block_on(check_downloads(&victim));
}
