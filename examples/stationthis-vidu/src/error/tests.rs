use super::*;
use std::time::Duration;

const SUBMIT: Operation = Operation::Submit;

fn answer(operation: Operation, status: u16, reason: &str) -> Error {
    let body =
        format!(r#"{{"code":{status},"reason":"{reason}","message":"not today","metadata":{{"trace_id":"0af1"}}}}"#);
    classify(operation, status, None, body.as_bytes(), &[])
}

/// The whole table of the service's page, as answers to a submission.
#[test]
fn each_reason_has_its_meaning() {
    use ErrorKind as Kind;
    let (no, unknown) = (Effect::No, Effect::Unknown);
    for (status, reasons, kind, retry, effect) in [
        (
            400,
            "BadRequest FieldLacking FieldInvalid FieldUnwanted FieldItemCountOutOfRange PageSizeOutOfRange \
          ImageFormatInvalid ModelUnavailable",
            Kind::InvalidInput,
            Retry::Never,
            no,
        ),
        (
            400,
            "TaskPromptPolicyViolation AuditSubmitIllegal CreationPolicyViolation",
            Kind::InvalidInput,
            Retry::Never,
            no,
        ),
        (
            400,
            "ImageCheckBodyJointsFailed ImageCheckFaceFailed ImageObjectsUndetected",
            Kind::InvalidInput,
            Retry::Never,
            no,
        ),
        (400, "ImageDownloadFailure", Kind::InvalidInput, Retry::Backoff, no),
        (400, "OperationInProcess", Kind::Conflict, Retry::Backoff, no),
        (400, "CreditInsufficient", Kind::Forbidden, Retry::Never, no),
        (400, "SomethingNew", Kind::InvalidInput, Retry::Never, no),
        (401, "Unauthorized", Kind::Unauthorized, Retry::Never, no),
        (403, "Forbidden", Kind::Forbidden, Retry::Never, no),
        (404, "NotFound TaskNotFound CreationNotFound", Kind::NotFound, Retry::Never, no),
        (409, "Conflict", Kind::Conflict, Retry::Never, no),
        (429, "QuotaExceeded", Kind::AtCapacity, Retry::Backoff, no),
        (429, "TooManyRequests SystemThrottling", Kind::RateLimited, Retry::Backoff, no),
        (499, "Canceled", Kind::Unavailable, Retry::Backoff, unknown),
        (500, "InternalServiceFailure", Kind::Unavailable, Retry::Backoff, unknown),
        (503, "", Kind::Unavailable, Retry::Backoff, unknown),
        (504, "", Kind::Timeout, Retry::Backoff, unknown),
        (302, "Moved", Kind::Unexpected, Retry::Never, no),
    ] {
        for reason in reasons.split(' ') {
            let error = answer(SUBMIT, status, reason);
            assert_eq!((error.kind(), error.retry(), error.effect()), (kind, retry, effect), "{status} {reason}");
            assert_eq!(error.http_status(), Some(status));
        }
    }
}

#[test]
fn a_refusal_that_is_not_the_services_proves_nothing() {
    for body in ["<html>400</html>", "", "{}", r#"{"reason":7}"#, r#"{"detail":"no"}"#] {
        let at = |status| classify(SUBMIT, status, None, body.as_bytes(), &[]).effect();
        assert_eq!((at(400), at(422), at(302)), (Effect::Unknown, Effect::Unknown, Effect::Unknown), "{body}");
        assert_eq!((at(401), at(429)), (Effect::No, Effect::No), "{body}");
        assert_eq!(classify(Operation::ReadTask, 500, None, body.as_bytes(), &[]).effect(), Effect::No, "a read");
    }
}

#[test]
fn a_pause_that_is_asked_for_is_taken_over() {
    for status in [429, 503] {
        let retry = classify(SUBMIT, status, Some("7"), b"", &[]).retry();
        assert_eq!(retry, Retry::After(Duration::from_secs(7)), "{status}");
    }
}

#[test]
fn a_message_is_the_services_own_and_holds_no_secret() {
    let body = br#"{"code":400,"reason":"BadRequest","message":"bad callback https://h/x?t=canary, key canary-key"}"#;
    let error = classify(SUBMIT, 400, None, body, &["canary-key", "https://h/x?t=canary", ""]);
    assert_eq!(error.message(), Some("Vidu answered 400: BadRequest: bad callback [cut], key [cut]"));
    assert!(!format!("{error:?}").contains("canary"));
    let long = format!(r#"{{"reason":"BadRequest","message":"{}"}}"#, "x ".repeat(500));
    let error = classify(SUBMIT, 400, None, long.as_bytes(), &[]);
    assert!(error.message().is_some_and(|m| m.chars().count() == MESSAGE_CHARS_MAX + 1 && m.ends_with('…')));
}
