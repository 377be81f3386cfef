//! Answers that came, whole or not.

use reqwest::Response;
use stationthis_core::{Effect, ErrorKind, Retry};
use stationthis_http::refusal;

use super::server::{SENT, Then, serve};
use super::{CHANGE, READ, http};

const WHOLE: &str = "HTTP/1.1 201 Created\r\ncontent-length: 5\r\n\r\nrun-1";
const BROKEN: &str = "HTTP/1.1 201 Created\r\ncontent-length: 50\r\n\r\nrun-1";
/// In two pieces, without a length that could be believed.
const CHUNKED: &str = "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n3\r\nrun\r\n2\r\n-1\r\n0\r\n\r\n";

async fn answer(text: &'static str) -> Response {
    let (url, _) = serve(Then::Close(text)).await;
    http().post(url).body(SENT).send().await.unwrap()
}

#[tokio::test]
async fn a_body_is_whole_up_to_its_limit() {
    for text in [WHOLE, CHUNKED] {
        assert_eq!(&CHANGE.body(answer(text).await, 5).await.unwrap()[..], b"run-1");
        for (call, effect) in [(CHANGE, Effect::Unknown), (READ, Effect::No)] {
            let error = call.body(answer(text).await, 4).await.unwrap_err();
            assert_eq!((error.kind(), error.effect(), error.retry()), (ErrorKind::TooLarge, effect, Retry::Never));
            assert_eq!(error.message(), Some("Echo's answer is larger than its limit."));
            assert_eq!(error.context().collect::<Vec<_>>(), [("limit_bytes", "4")]);
            assert_eq!(error.http_status(), Some(201));
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_a_doubt_and_a_status() {
    for (call, effect) in [(CHANGE, Effect::Unknown), (READ, Effect::No)] {
        let error = call.body(answer(BROKEN).await, 100).await.unwrap_err();
        assert_eq!((error.kind(), error.effect(), error.retry()), (ErrorKind::Unavailable, effect, Retry::Backoff));
        assert_eq!((error.message(), error.http_status()), (Some("The connection to Echo broke."), Some(201)));
    }
}

#[tokio::test]
async fn the_start_of_a_refusal_is_kept_unless_it_broke_off() {
    assert_eq!(&refusal(answer(WHOLE).await, 100).await[..], b"run-1");
    assert_eq!(&refusal(answer(WHOLE).await, 4).await[..], b"run-");
    assert_eq!(&refusal(answer(CHUNKED).await, 4).await[..], b"run-");
    assert_eq!(&refusal(answer(BROKEN).await, 100).await[..], b"");
}

#[test]
fn an_answer_that_cannot_be_read_leaves_a_doubt() {
    for (call, effect) in [(CHANGE, Effect::Unknown), (READ, Effect::No)] {
        let error = call.unreadable(200, "it names no run");
        assert_eq!((error.kind(), error.effect(), error.retry()), (ErrorKind::Corrupt, effect, Retry::Backoff));
        assert_eq!((error.message(), error.http_status()), (Some("Echo's answer cannot be read."), Some(200)));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "it names no run");
    }
}
