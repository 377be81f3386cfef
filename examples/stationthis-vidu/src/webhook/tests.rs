use super::*;
use bytes::Bytes;
use stationthis_core::task::report::RunStatus;

const KEY: &str = "vda_test_key_0001";
const BODY: &str =
    r#"{"id":"871234567890123456","state":"success","credits":66,"creations":[{"id":"1","url":"https://x/a.mp4"}]}"#;

/// The two vectors of the protocol notes, computed from the recipe of the service's page.
const VECTORS: [(&str, &str, &str, &str, &str); 2] = [
    (
        "/vidu/callback",
        "name=james&age=36",
        "Tue, 06 May 2025 12:09:42 GMT",
        "123e4567-e89b-12d3-a456-426614174000",
        "Q3EojTDyHtJn+XOr/DLBY+TrKi28jPdxhcJVjddG8GY=",
    ),
    ("/hooks/vidu", "", "Mon, 23 Nov 2026 10:00:00 GMT", "n-1", "yBA/UyPV2AA4+S7kVtyiUNjfzSZi9F07V/Ph+ILURt8="),
];

fn vector(n: usize) -> WebhookRequest {
    let (path, query, date, nonce, signature) = VECTORS[n];
    let at = timestamp(httpdate::parse_http_date(date).unwrap()).unwrap();
    let headers = [
        ("date", date),
        ("x-request-nonce", nonce),
        ("x-hmac-signed-headers", "Date;x-request-nonce"),
        ("x-hmac-algorithm", "hmac-sha256"),
        ("x-hmac-access-key", "vidu"),
        ("x-hmac-signature", signature),
    ];
    WebhookRequest::new("POST", path, query, Bytes::from_static(BODY.as_bytes()), at)
        .with_headers(headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

fn with(request: &WebhookRequest, name: &str, value: Option<&str>) -> WebhookRequest {
    let mut headers = request.headers.clone();
    headers.retain(|(known, _)| known != name);
    headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    request.clone().with_headers(headers)
}

fn check(request: &WebhookRequest) -> Result<WebhookReading> {
    read(request, &Secret::new(KEY))
}

#[test]
fn the_vectors_are_read() {
    for n in 0..VECTORS.len() {
        let reading = check(&vector(n)).unwrap();
        assert_eq!((reading.auth, reading.reports.len()), (WebhookAuth::RequestSignature, 1));
        assert_eq!(reading.reports[0].status, RunStatus::Succeeded);
        // Whatever the body says: it is not signed, and nothing but the state is taken from it.
        assert!(reading.reports[0].outputs.is_empty() && reading.reports[0].usage.is_none());
    }
}

#[test]
fn what_was_signed_otherwise_is_refused() {
    for n in 0..VECTORS.len() {
        let good = vector(n);
        let edited = |edit: fn(&mut WebhookRequest)| {
            let mut request = good.clone();
            edit(&mut request);
            request
        };
        for (what, forged) in [
            ("another method", edited(|r| r.method = "PUT".to_owned())),
            ("another path", edited(|r| r.path.push('x'))),
            ("another query", edited(|r| r.query.push_str("&x=1"))),
            ("another nonce", with(&good, "x-request-nonce", Some("n-2"))),
            ("no nonce", with(&good, "x-request-nonce", None)),
            ("another date", with(&good, "date", Some("Mon, 23 Nov 2026 10:00:01 GMT"))),
            ("no date", with(&good, "date", None)),
            ("no signature", with(&good, "x-hmac-signature", None)),
            ("an empty signature", with(&good, "x-hmac-signature", Some(""))),
            ("no base64", with(&good, "x-hmac-signature", Some("?"))),
            ("another vector's", with(&good, "x-hmac-signature", Some(VECTORS[1 - n].4))),
            ("no list", with(&good, "x-hmac-signed-headers", None)),
            ("a list without the date", with(&good, "x-hmac-signed-headers", Some("x-request-nonce"))),
            ("a list in another order", with(&good, "x-hmac-signed-headers", Some("x-request-nonce;Date"))),
            ("another algorithm", with(&good, "x-hmac-algorithm", Some("none"))),
            ("no algorithm", with(&good, "x-hmac-algorithm", None)),
            ("another access key", with(&good, "x-hmac-access-key", Some("somebody"))),
            ("no access key", with(&good, "x-hmac-access-key", None)),
        ] {
            let error = check(&forged).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthorized, "{what}: {error}");
        }
        let error = read(&good, &Secret::new("vda_test_key_0002")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "another key");
    }
}

/// A signature that is right over a list that leaves the date out would be good for ever.
#[test]
fn a_signature_must_be_over_the_date() {
    let mut request = with(&vector(1), "x-hmac-signed-headers", Some("x-request-nonce"));
    let text = "POST\n/hooks/vidu\n\nvidu\nMon, 23 Nov 2026 10:00:00 GMT\nx-request-nonce:n-1\n";
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    request = with(&request, "x-hmac-signature", Some(&STANDARD.encode(mac.finalize().into_bytes())));
    let error = check(&request).unwrap_err();
    assert_eq!(error.message(), Some("The signature is not over the date."));
}

#[test]
fn a_callback_is_good_for_five_minutes_either_way() {
    let good = vector(1);
    let at = |seconds: i64| {
        let mut request = good.clone();
        request.received_at = Timestamp::from_micros(good.received_at.as_micros() + seconds * 1_000_000);
        request
    };
    for fresh in [-300, -1, 0, 299, 300] {
        assert!(check(&at(fresh)).is_ok(), "{fresh} s");
    }
    for stale in [-301, 301, 86_400] {
        assert_eq!(check(&at(stale)).unwrap_err().kind(), ErrorKind::Unauthorized, "{stale} s");
    }
}

#[test]
fn both_names_of_the_state_are_read_and_what_is_no_callback_is_refused() {
    let with_body = |body: &'static str| {
        let mut request = vector(0);
        request.body = Bytes::from_static(body.as_bytes());
        check(&request).map(|reading| reading.reports[0].status)
    };
    assert_eq!(with_body(r#"{"id":"1","status":"processing"}"#).unwrap(), RunStatus::Running);
    assert_eq!(
        with_body(r#"{"task_id":"1","state":"failed","err_code":"UserCancelled"}"#).unwrap(),
        RunStatus::Cancelled
    );
    for body in
        ["", "[]", "null", "{}", r#"{"id":"1"}"#, r#"{"state":"success"}"#, r#"{"id":"","state":"x"}"#, "<html>"]
    {
        assert_eq!(with_body(body).unwrap_err().kind(), ErrorKind::InvalidInput, "{body}");
    }
}

#[test]
fn a_refusal_repeats_nothing_of_the_request() {
    let error = check(&with(&vector(0), "x-hmac-signature", Some("Y2FuYXJ5"))).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("Y2FuYXJ5") && !shown.contains(KEY), "{shown}");
}
