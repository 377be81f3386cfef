//! Was it sent?

use std::time::Duration;

use stationthis_core::{Effect, Error, ErrorKind, Retry};

use super::server::{SENT, Then, nobody, serve};
use super::{CHANGE, READ, http};

/// What `url` answers to a request, which is nothing.
async fn lost(url: &str, timeout: Duration) -> reqwest::Error {
    http().post(url).body(SENT).timeout(timeout).send().await.unwrap_err()
}

#[track_caller]
fn check(error: &Error, kind: ErrorKind, effect: Effect, message: &str) {
    assert_eq!((error.kind(), error.effect(), error.retry()), (kind, effect, Retry::Backoff), "{error:?}");
    assert_eq!((error.message(), error.http_status()), (Some(message), None));
}

/// Longer than any test takes: what ends sooner was no time-out.
const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_connection_that_was_never_made_had_no_effect() {
    let error = CHANGE.unanswered(lost(&nobody().await, LONG).await);
    check(&error, ErrorKind::Unavailable, Effect::No, "Echo cannot be reached.");
    assert!(!format!("{error:?}").contains("canary"), "the URL is in {error:?}");
}

#[tokio::test]
async fn nor_had_a_request_that_could_not_be_built() {
    let error = CHANGE.unanswered(lost("ftp://127.0.0.1/runs", LONG).await);
    check(&error, ErrorKind::Unavailable, Effect::No, "The connection to Echo broke.");
}

#[tokio::test]
async fn a_tls_handshake_that_fails_comes_before_the_request() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/runs", listener.local_addr().unwrap());
    let closed = tokio::spawn(async move { drop(listener.accept().await) });
    let error = CHANGE.unanswered(lost(&url, LONG).await);
    check(&error, ErrorKind::Unavailable, Effect::No, "Echo cannot be reached.");
    closed.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_is_cut_after_the_request_leaves_a_doubt() {
    for (call, effect) in [(CHANGE, Effect::Unknown), (READ, Effect::No)] {
        let (url, served) = serve(Then::Close("")).await;
        let error = call.unanswered(lost(&url, LONG).await);
        check(&error, ErrorKind::Unavailable, effect, "The connection to Echo broke.");
        assert!(served.await.unwrap().starts_with("POST /runs"), "it was sent");
    }
}

#[tokio::test]
async fn so_does_an_answer_that_does_not_come_in_time() {
    for (call, effect) in [(CHANGE, Effect::Unknown), (READ, Effect::No)] {
        let (url, served) = serve(Then::Hang).await;
        let error = call.unanswered(lost(&url, Duration::from_millis(50)).await);
        check(&error, ErrorKind::Timeout, effect, "Echo did not answer in time.");
        served.abort();
    }
}

/// Else a refused connection could be the second, after a request that was executed.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (url, served) = serve(Then::Close(answer)).await;
    let answer = http().post(url).body(SENT).timeout(LONG).send().await.unwrap();
    assert_eq!(answer.status(), 307);
    served.await.unwrap();
}
