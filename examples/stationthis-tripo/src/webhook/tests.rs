use super::*;
use bytes::Bytes;
use stationthis_core::Timestamp;
use stationthis_core::task::report::RunStatus;

/// A vector that the official crate's own check accepts (`tripo3d-sdk` 0.5.0).
const SECRET: &str = "whsec_test_0001";
const SIGNED_AT: i64 = 1_795_514_400;
const BODY: &str = r#"{"id":"task_a1:task.completed","type":"task.completed","created_at":"2026-11-23T10:00:00Z","data":{"task_id":"task_a1","type":"text_to_model","status":"success","output":{"model_url":"https://cdn.example/m.glb"}}}"#;
const SIGNATURE: &str = "86a879180f8106f44fe7f8a9f24c3742faad14f8c2d49e2dcd49e0bd51f385bd";

fn secrets(list: &[&str]) -> WebhookSecrets {
    WebhookSecrets::new(list.iter().copied().map(Secret::new).collect()).unwrap()
}

fn request(body: &str, header: &str, at_s: i64) -> WebhookRequest {
    let at = Timestamp::from_micros(at_s * 1_000_000);
    let body = Bytes::copy_from_slice(body.as_bytes());
    let headers = vec![(SIGNATURE_HEADER.to_owned(), header.to_owned()), ("tripo-webhook-event".into(), "x".into())];
    WebhookRequest::new("POST", "/api/webhook/tripo", "", body, at).with_headers(headers)
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{SIGNED_AT}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn signed(body: &str) -> WebhookRequest {
    request(body, &format!("t={SIGNED_AT},v1={}", signature(SECRET, body)), SIGNED_AT)
}

fn refusal(secrets: &WebhookSecrets, request: &WebhookRequest) -> ErrorKind {
    read(secrets, request).unwrap_err().kind()
}

#[test]
fn the_vector_is_accepted_within_five_minutes() {
    assert_eq!(BODY.len(), 213);
    let header = format!("t={SIGNED_AT},v1={SIGNATURE}");
    for late in [60, 0, 300, -300] {
        let reading = read(&secrets(&[SECRET]), &request(BODY, &header, SIGNED_AT + late)).unwrap();
        assert_eq!((reading.auth, reading.reports.len()), (WebhookAuth::ProviderSignature, 1), "{late}");
        let report = &reading.reports[0];
        assert_eq!((report.run_id.as_str(), report.status, report.outputs.len()), ("task_a1", RunStatus::Succeeded, 1));
    }
    for late in [301, -301, 86_400, i64::from(i32::MAX)] {
        let kind = refusal(&secrets(&[SECRET]), &request(BODY, &header, SIGNED_AT + late));
        assert_eq!(kind, ErrorKind::Unauthorized, "{late}");
    }
}

#[test]
fn every_other_signature_is_refused() {
    let other_time = format!("t={},v1={SIGNATURE}", SIGNED_AT + 1);
    let upper = format!("t={SIGNED_AT},v1={}", SIGNATURE.to_uppercase());
    read(&secrets(&[SECRET]), &request(BODY, &upper, SIGNED_AT)).unwrap();
    for header in [
        "",
        SIGNATURE,
        &*format!("v1={SIGNATURE}"),
        &*format!("t={SIGNED_AT}"),
        &*format!("t={SIGNED_AT},v1="),
        &*format!("t={SIGNED_AT},v1={SIGNATURE}0"),
        &*format!("t={SIGNED_AT},v1={}", &SIGNATURE[..62]),
        &*format!("t={SIGNED_AT},v0={SIGNATURE}"),
        &*format!("t=+{SIGNED_AT},v1={SIGNATURE}"),
        &*format!("t=99999999999999999999,v1={SIGNATURE}"),
        &*format!("t={SIGNED_AT},t={SIGNED_AT},v1={SIGNATURE}"),
        &*format!("t={SIGNED_AT},v1={}", "00".repeat(32)),
        &*other_time,
        &*format!("t={SIGNED_AT}{}", format!(",v1={SIGNATURE}").repeat(9)),
    ] {
        assert_eq!(
            refusal(&secrets(&[SECRET]), &request(BODY, header, SIGNED_AT)),
            ErrorKind::Unauthorized,
            "{header}"
        );
    }
    let header = format!("t={SIGNED_AT},v1={SIGNATURE}");
    let moved = BODY.replace("task_a1", "task_a2");
    assert_eq!(refusal(&secrets(&[SECRET]), &request(&moved, &header, SIGNED_AT)), ErrorKind::Unauthorized);
    // The secret is whole: its beginning is part of it.
    assert_eq!(refusal(&secrets(&["test_0001"]), &request(BODY, &header, SIGNED_AT)), ErrorKind::Unauthorized);
    let mut twice = request(BODY, &header, SIGNED_AT);
    twice.headers.push((SIGNATURE_HEADER.to_owned(), header.clone()));
    assert_eq!(refusal(&secrets(&[SECRET]), &twice), ErrorKind::Unauthorized);
    let unsigned = request(BODY, &header, SIGNED_AT).with_headers(Vec::new());
    assert_eq!(refusal(&secrets(&[SECRET]), &unsigned), ErrorKind::Unauthorized);
}

#[test]
fn secrets_are_rotated_on_either_side() {
    let header = format!("t={SIGNED_AT},v1={SIGNATURE}");
    read(&secrets(&["whsec_new", SECRET]), &request(BODY, &header, SIGNED_AT)).unwrap();
    let both = format!("t={SIGNED_AT},v1={},v1={SIGNATURE}", signature("whsec_new", BODY));
    for known in ["whsec_new", SECRET] {
        read(&secrets(&[known]), &request(BODY, &both, SIGNED_AT)).unwrap();
    }
    assert_eq!(refusal(&secrets(&["whsec_third"]), &request(BODY, &both, SIGNED_AT)), ErrorKind::Unauthorized);
    assert!(WebhookSecrets::new(vec![Secret::new(" ")]).is_err());
    assert!(WebhookSecrets::new(vec![Secret::new("a"); 9]).is_err());
    assert_eq!(format!("{:?}", secrets(&[SECRET])), "1 webhook secrets");
}

#[test]
fn failures_are_read_in_both_shapes() {
    for data in [
        r#"{"task_id":"a","status":"failed","error_code":2008,"error_message":"no"}"#,
        r#"{"task_id":"a","status":"failed","error":{"code":"2008","message":"no"}}"#,
        r#"{"task_id":"a","error":{"code":"2008","message":"no"}}"#,
    ] {
        let reading =
            read(&secrets(&[SECRET]), &signed(&format!(r#"{{"type":"task.failed","data":{data}}}"#))).unwrap();
        let report = &reading.reports[0];
        assert_eq!(report.status, RunStatus::Failed, "{data}");
        assert_eq!(report.failure.as_ref().unwrap().message, "The run failed (code 2008): no");
    }
    let cancelled = r#"{"type":"task.failed","data":{"task_id":"a","status":"cancelled"}}"#;
    let reading = read(&secrets(&[SECRET]), &signed(cancelled)).unwrap();
    assert_eq!(reading.reports[0].status, RunStatus::Cancelled);
}

#[test]
fn what_is_about_no_task_reports_nothing_and_what_is_no_event_is_refused() {
    for body in [r#"{"type":"balance.low","data":{"balance":3.5,"threshold":10}}"#, r#"{"type":"endpoint.test"}"#] {
        assert_eq!(read(&secrets(&[SECRET]), &signed(body)).unwrap().reports, [], "{body}");
    }
    let new = r#"{"type":"task.started","data":{"task_id":"a","status":"running"}}"#;
    assert_eq!(read(&secrets(&[SECRET]), &signed(new)).unwrap().reports[0].status, RunStatus::Running);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"type":5}"#,
        r#"{"type":"task.failed"}"#,
        r#"{"type":"task.failed","data":{}}"#,
        r#"{"type":"task.failed","data":{"task_id":""}}"#,
    ] {
        assert_eq!(refusal(&secrets(&[SECRET]), &signed(body)), ErrorKind::InvalidInput, "{body}");
    }
}
