use super::*;
use std::time::Duration;

fn answer(operation: Operation, status: u16, body: &str) -> Error {
    classify(operation, status, None, body.as_bytes(), &["the-key"])
}

#[test]
fn only_refusals_before_dispatch_prove_that_no_run_was_made() {
    for (status, body, kind, effect) in [
        (401, r#"{"detail":"Invalid or expired token"}"#, ErrorKind::Unauthorized, Effect::No),
        (
            403,
            r#"{"detail":"Insufficient deployment owner's GPU credits to create run"}"#,
            ErrorKind::Forbidden,
            Effect::No,
        ),
        (404, r#"{"detail":"Deployment not found"}"#, ErrorKind::NotFound, Effect::No),
        (422, r#"{"detail":[]}"#, ErrorKind::InvalidInput, Effect::No),
        (400, r#"{"detail":"Invalid machine type"}"#, ErrorKind::InvalidInput, Effect::No),
        (400, r#"{"detail":"Error creating run: 400 Bad Request"}"#, ErrorKind::RunFailed, Effect::Unknown),
        // A classic machine's own status, after the run was handed to it.
        (401, r#"{"detail":"Error creating run: 401 Unauthorized"}"#, ErrorKind::RunFailed, Effect::Unknown),
        (404, r#"{"detail":"Error creating run: 404 Not Found"}"#, ErrorKind::RunFailed, Effect::Unknown),
        (422, r#"{"detail":"Error creating run: 422"}"#, ErrorKind::RunFailed, Effect::Unknown),
        // The sentence that would tell cannot be read: broken off, cut at its limit, a proxy's page.
        (400, "", ErrorKind::InvalidInput, Effect::Unknown),
        (400, r#"{"detail":"Error creating run: 400 Bad"#, ErrorKind::InvalidInput, Effect::Unknown),
        (400, "<html>bad</html>", ErrorKind::InvalidInput, Effect::Unknown),
        (500, r#"{"detail":"Error creating run: 500 Internal Server Error"}"#, ErrorKind::Unavailable, Effect::Unknown),
        (500, "Internal Server Error", ErrorKind::Unavailable, Effect::Unknown),
        (502, r#"{"detail":"Error creating run: 502 Bad Gateway"}"#, ErrorKind::Unavailable, Effect::Unknown),
        (504, "<html>gateway</html>", ErrorKind::Timeout, Effect::Unknown),
        (429, "", ErrorKind::RateLimited, Effect::Unknown),
        (307, "", ErrorKind::Unexpected, Effect::Unknown),
    ] {
        let error = answer(Operation::Submit, status, body);
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{status} {body}");
        assert_eq!(error.http_status(), Some(status));
        assert_eq!(answer(Operation::ReadRun, status, body).effect(), Effect::No);
    }
}

#[test]
fn the_service_s_sentence_is_kept_and_a_proxy_s_page_is_not() {
    let message = |body| answer(Operation::Submit, 500, body).message().unwrap().to_owned();
    assert_eq!(message(r#"{"detail":"Deployment not found"}"#), "ComfyDeploy answered 500: Deployment not found");
    assert_eq!(message(r#"{"error":"Name is required"}"#), "ComfyDeploy answered 500: Name is required");
    assert_eq!(message("Internal Server Error"), "ComfyDeploy answered 500: Internal Server Error");
    assert_eq!(message("<html>oops</html>"), "ComfyDeploy answered 500.");
    assert!(message(&format!(r#"{{"detail":"{}"}}"#, "x".repeat(5000))).len() < 400);
}

#[test]
fn problems_of_inputs_are_named() {
    let body = r#"{"detail":[{"type":"string_type","loc":["body","inputs","a/b","str"],"msg":"Input should be a valid string","input":null}]}"#;
    let error = answer(Operation::Submit, 422, body);
    assert_eq!(error.problems()[0].pointer, "/a~1b");
    assert!(error.message().unwrap().contains("body.inputs.a/b.str: Input should be a valid string"));
}

#[test]
fn a_pause_that_is_asked_for_is_taken_over() {
    for status in [429, 503] {
        let retry = classify(Operation::ReadRun, status, Some("7"), b"", &[]).retry();
        assert_eq!(retry, Retry::After(Duration::from_secs(7)), "{status}");
    }
}

#[test]
fn secrets_that_the_service_echoes_are_cut() {
    let body = r#"{"detail":[{"loc":["body","webhook"],"msg":"the-key https://h.example/api/webhook/comfydeploy/1?t=k1.2.3","input":"https://h.example/api/webhook/comfydeploy/1?t=k1.2.3"}]}"#;
    let shown = format!("{:?}", answer(Operation::Submit, 422, body));
    assert!(!shown.contains("t=k1") && !shown.contains("the-key"), "{shown}");
}
