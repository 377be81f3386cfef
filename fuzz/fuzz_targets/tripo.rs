//! What Tripo, or somebody in its name, may send: webhooks, signed and not, and task objects; and catalogue files.
//!
//! The first byte of the input says what the rest is.
#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use stationthis_core::provider::ServiceProvider;
use stationthis_core::task::report::{RunReport, RunStatus};
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{ErrorKind, Secret, Timestamp};
use stationthis_tripo::{Catalogue, Tripo, read_task};

const SECRET: &str = "whsec_fuzz";

/// When everything is signed and received.
const NOW_S: i64 = 1_795_514_400;

static PROVIDER: LazyLock<Tripo> = LazyLock::new(|| {
    let builder = Tripo::builder(Secret::new("key")).webhook_secret(Secret::new(SECRET));
    builder.build().expect("the defaults are good")
});

fuzz_target!(|data: &[u8]| {
    let Some((what, rest)) = data.split_first() else { return };
    match what {
        b'h' => header(rest),
        b'w' => webhook(rest),
        b't' => task(rest),
        _ => catalogue(rest),
    }
});

fn request(body: &[u8], signature: &str) -> WebhookRequest {
    let at = Timestamp::from_micros(NOW_S * 1_000_000);
    let headers = vec![("tripo-webhook-signature".to_owned(), signature.to_owned())];
    WebhookRequest::new("POST", "/api/webhook/tripo", "", Bytes::copy_from_slice(body), at).with_headers(headers)
}

/// Whatever a header says, nobody signs without the secret.
fn header(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let answer = PROVIDER.read_webhook(&request(b"{\"type\":\"balance.low\"}", &text));
    assert_eq!(answer.expect_err("it was not signed").kind(), ErrorKind::Unauthorized);
}

fn webhook(body: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("every length is a key");
    mac.update(format!("{NOW_S}.").as_bytes());
    mac.update(body);
    let signature = format!("t={NOW_S},v1={}", hex::encode(mac.finalize().into_bytes()));
    match PROVIDER.read_webhook(&request(body, &signature)) {
        Ok(reading) => reading.reports.iter().for_each(check),
        Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}"),
    }
}

fn task(text: &[u8]) {
    match read_task(text, Timestamp::from_micros(0)) {
        Ok(report) => check(&report),
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::InvalidInput), "{error:?}"),
    }
}

fn check(report: &RunReport) {
    let text = serde_json::to_string(report).expect("reports are kept as JSON");
    assert_eq!(&serde_json::from_str::<RunReport>(&text).expect("and read again"), report);
    assert!(report.outputs.len() <= 101, "outputs without an end");
    assert!(report.outputs.is_empty() || report.status == RunStatus::Succeeded, "only a success shows outputs");
    for (order, output) in report.outputs.iter().enumerate() {
        assert_eq!(output.order as usize, order);
        let url = output.url.as_deref();
        assert!(url.is_none_or(|url| url.starts_with("http://") || url.starts_with("https://")), "{url:?}");
        assert!(url.is_some() == output.expires_at.is_some() && url.is_some() != output.json.is_some());
    }
    if let Some(usage) = &report.usage {
        assert!(report.status.is_terminal(), "credits of a run that goes on");
        assert!(usage.amounts.values().all(|credits| !credits.is_sign_negative() || credits.is_zero()), "{usage:?}");
    }
}

/// A file is taken whole or refused in a sentence, and what is taken can be sent.
fn catalogue(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Catalogue::from_toml(text) {
        Ok(catalogue) => {
            let provider = Tripo::builder(Secret::new("key")).catalogue(catalogue).build().expect("it was checked");
            let _ = format!("{provider:?}");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().is_some_and(|message| !message.is_empty()));
        }
    }
}
