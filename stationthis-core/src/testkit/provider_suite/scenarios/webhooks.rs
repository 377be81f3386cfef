//! Scenarios of webhooks.

use bytes::Bytes;

use super::submitted;
use crate::error::{Error, ErrorKind};
use crate::id::{RunId, TaskId};
use crate::json_doc::JsonDoc;
use crate::provider::{RunRef, WebhookAuth, WebhookReading};
use crate::testkit::provider_suite::ProviderFixture;
use crate::time::Timestamp;
use crate::webhook::WebhookRequest;

/// What a refusal of a webhook may be called.
fn assert_refused(what: &str, answer: &Result<WebhookReading, Error>) {
    if let Err(error) = answer {
        let kinds = [ErrorKind::InvalidInput, ErrorKind::Unauthorized, ErrorKind::Unsupported];
        assert!(kinds.contains(&error.kind()), "{what}: {error}");
    }
}

fn with_body(request: &WebhookRequest, body: impl Into<Bytes>) -> WebhookRequest {
    WebhookRequest { body: body.into(), ..request.clone() }
}

pub async fn it_reads_webhooks_if_it_says_so(fixture: &dyn ProviderFixture) {
    let run = submitted(fixture).await;
    let declared = fixture.provider().capabilities().webhooks;
    let Some(request) = fixture.webhook(&run) else {
        assert_eq!(declared, None, "webhooks are declared, and the fixture has none");
        return;
    };
    let auth = declared.expect("the service sends webhooks, and none are declared");
    let reading = fixture.provider().read_webhook(&request).unwrap();
    assert_eq!(reading.auth, auth);
    assert!(reading.reports.iter().any(|report| report.run_id == run.run_id), "it is about the run: {reading:?}");
    assert_eq!(fixture.provider().read_webhook(&request).unwrap(), reading, "reading is pure");
    assert_eq!(fixture.unreachable().read_webhook(&request).unwrap(), reading, "and asks nobody");
}

pub async fn garbage_is_no_webhook(fixture: &dyn ProviderFixture) {
    let run = RunRef::new(TaskId::generate(), RunId::new("run-1").unwrap(), JsonDoc::default());
    let bare = WebhookRequest::new("POST", "/", "", Bytes::new(), Timestamp::from_micros(0));
    let request = fixture.webhook(&run).unwrap_or(bare);
    let garbage: [&[u8]; 10] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\"",
        b"\xff\xfe\x00",
        b"<html></html>",
        b"1e999999",
        b"{\"run_id\":null,\"id\":[],\"status\":{}}",
        &[b'['; 100_000],
    ];
    for body in garbage {
        let answer = fixture.provider().read_webhook(&with_body(&request, body));
        assert!(answer.is_err(), "{:?} was read as {answer:?}", &body[..body.len().min(40)]);
        assert_refused("garbage", &answer);
    }
    // Every start of a real one, and every single broken byte of its first kilobyte.
    for end in 0..request.body.len().min(1024) {
        let cut = with_body(&request, request.body.slice(..end));
        assert_refused("a cut webhook", &fixture.provider().read_webhook(&cut));
        let mut bytes = request.body.to_vec();
        for broken in [0, b'"', b'{', 0xff] {
            bytes[end] = broken;
            assert_refused("a broken webhook", &fixture.provider().read_webhook(&with_body(&request, bytes.clone())));
        }
    }
    let hostile = vec![("".to_owned(), "\u{0}".to_owned()), ("content-length".to_owned(), "-1".to_owned())];
    let odd =
        WebhookRequest::new("\n", "//../%00", "t=&t=&&", Bytes::from_static(b"{"), Timestamp::from_micros(i64::MIN));
    assert_refused("an odd request", &fixture.provider().read_webhook(&odd.with_headers(hostile)));
}

pub async fn a_forged_signature_is_refused(fixture: &dyn ProviderFixture) {
    let run = submitted(fixture).await;
    let Some(request) = fixture.webhook(&run) else { return };
    let auth = fixture.provider().capabilities().webhooks;
    if auth == Some(WebhookAuth::TaskUrl) {
        return;
    }
    let unsigned = request.clone().with_headers(Vec::new());
    let other = fixture.webhook(&RunRef { run_id: RunId::new("another-run").unwrap(), ..run }).unwrap();
    // What is signed says what is meant: the body, or the path and the query that name the task.
    let moved = match auth {
        Some(WebhookAuth::RequestSignature) => WebhookRequest { path: format!("{}0", request.path), ..request.clone() },
        _ => with_body(&request, other.body),
    };
    let broken = {
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), format!("{value}0"))).collect();
        request.with_headers(headers)
    };
    for (what, forged) in [("unsigned", unsigned), ("signed for another", moved), ("broken", broken)] {
        let error = fixture.provider().read_webhook(&forged).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{what}: {error}");
    }
}
