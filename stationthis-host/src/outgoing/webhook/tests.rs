use super::*;

fn now() -> Timestamp {
    "2026-11-25T10:00:00Z".parse().unwrap()
}

fn answered(status: u16, retry_after: Option<&str>) -> Receipt {
    let mut headers = HeaderMap::new();
    if let Some(text) = retry_after {
        headers.insert(RETRY_AFTER, text.parse().unwrap());
    }
    receipt(StatusCode::from_u16(status).unwrap(), &headers, now())
}

#[test]
fn an_answer_decides_what_becomes_of_the_notice() {
    for status in [200, 201, 202, 204] {
        assert_eq!(answered(status, None), Receipt::Delivered);
    }
    assert_eq!(answered(410, Some("5")), Receipt::NoRecipient);
    for status in [301, 302, 307, 400, 401, 404, 408, 429, 500, 503] {
        let Receipt::Retry { after, reason } = answered(status, None) else { panic!("{status} is tried again") };
        assert_eq!(after, None);
        assert!(reason.contains(&status.to_string()), "{reason}");
    }
}

#[test]
fn the_receivers_wish_is_read_as_seconds_and_as_a_date() {
    let cases = [
        ("0", Some(0)),
        (" 120 ", Some(120)),
        ("Wed, 25 Nov 2026 10:02:00 GMT", Some(120)),
        ("Wednesday, 25-Nov-26 10:02:00 GMT", Some(120)),
        ("Wed, 25 Nov 2026 09:00:00 GMT", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("-5", None),
        ("soon", None),
        ("", None),
    ];
    for (text, seconds) in cases {
        let Receipt::Retry { after, .. } = answered(503, Some(text)) else { panic!("{text}") };
        assert_eq!(after, seconds.map(Duration::from_secs), "{text:?}");
    }
}
