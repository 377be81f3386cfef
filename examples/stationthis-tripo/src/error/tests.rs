use super::*;
use std::time::Duration;

fn refused(status: u16, code: i64) -> Error {
    let body = format!(r#"{{"code":{code},"status":"error","message":"no","suggestion":"top up","request_id":"r"}}"#);
    classify(Operation::Submit, &Answer { status, retry_after: Some("7"), body: &body })
}

#[test]
fn each_refusal_has_its_meaning() {
    use ErrorKind::{
        AtCapacity, Forbidden, InvalidInput, NotFound, RateLimited, TooLarge, Unauthorized, Unavailable, Unexpected,
    };
    let after = Retry::After(Duration::from_secs(7));
    for (status, code, kind, retry, effect) in [
        (401, 1000, Unauthorized, Retry::Never, Effect::No),
        (401, 1001, Unauthorized, Retry::Never, Effect::No),
        (401, 2, Unauthorized, Retry::Never, Effect::No),
        (500, 1000, Unavailable, Retry::Backoff, Effect::Unknown),
        (500, 1001, Unavailable, Retry::Backoff, Effect::Unknown),
        (502, 0, Unavailable, Retry::Backoff, Effect::Unknown),
        (503, 0, Unavailable, after, Effect::No),
        (504, 0, ErrorKind::Timeout, Retry::Backoff, Effect::Unknown),
        (408, 0, ErrorKind::Timeout, Retry::Backoff, Effect::Unknown),
        (400, 1003, InvalidInput, Retry::Never, Effect::No),
        (400, 1004, InvalidInput, Retry::Never, Effect::No),
        (400, 2008, InvalidInput, Retry::Never, Effect::No),
        (400, 2021, TooLarge, Retry::Never, Effect::No),
        (413, 0, TooLarge, Retry::Never, Effect::No),
        (403, 1005, Forbidden, Retry::Never, Effect::No),
        (403, 2010, Forbidden, Retry::Never, Effect::No),
        (429, 1007, RateLimited, after, Effect::No),
        (429, 2000, AtCapacity, after, Effect::No),
        (404, 2001, InvalidInput, Retry::Never, Effect::No),
        (404, 4001, NotFound, Retry::Never, Effect::No),
        (307, 0, Unexpected, Retry::Never, Effect::No),
        // With a status of 200 the code says what it is, where it says one thing only.
        (200, 2010, Forbidden, Retry::Never, Effect::No),
        (200, 2000, AtCapacity, after, Effect::No),
        (200, 1004, InvalidInput, Retry::Never, Effect::No),
        (200, 1000, Unexpected, Retry::Never, Effect::Unknown),
        (200, 9999, Unexpected, Retry::Never, Effect::Unknown),
    ] {
        let error = refused(status, code);
        assert_eq!((error.kind(), error.retry(), error.effect()), (kind, retry, effect), "{status}/{code}: {error}");
        assert_eq!(error.http_status(), Some(status), "{status}/{code}");
    }
}

#[test]
fn a_code_that_came_as_text_counts_and_the_sentence_is_the_services() {
    let body = r#"{"code":"2010","message":"not enough\n credits","suggestion":"top up"}"#;
    let error = classify(Operation::Submit, &Answer { status: 403, retry_after: None, body });
    assert_eq!(error.message(), Some("Tripo answered 403 (code 2010): not enough credits; top up"));
    let error = classify(Operation::ReadTask, &Answer { status: 502, retry_after: None, body: "<html>" });
    assert_eq!((error.message(), error.effect()), (Some("Tripo answered 502."), Effect::No));
    let error = classify(Operation::Upload, &Answer { status: 429, retry_after: None, body: r#"{"code":1007}"# });
    assert_eq!((error.kind(), error.effect()), (ErrorKind::AtCapacity, Effect::No));
}
