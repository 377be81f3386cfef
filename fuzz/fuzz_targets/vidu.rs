//! What Vidu, or somebody in its name, sends, and a catalogue file.
//!
//! The first byte chooses: `c` a signed callback's body, `r` a whole callback (headers, an empty line, the body), `s` a
//! state query's answer, `t` a catalogue.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use sha2::Sha256;
use stationthis_core::provider::{ServiceProvider, WebhookReading};
use stationthis_core::tool::validate::InputValidator;
use stationthis_core::webhook::WebhookRequest;
use stationthis_core::{ErrorKind, ProviderId, Result, Secret, Timestamp};
use stationthis_vidu::{Route, ToolSheet, Vidu};

const KEY: &str = "vda_canary_0001";
const PATH: &str = "/api/webhook/vidu/01";
const DATE: &str = "Mon, 23 Nov 2026 10:00:00 GMT";

static VIDU: LazyLock<Vidu> =
    LazyLock::new(|| Vidu::builder(Secret::new(KEY)).build().expect("the defaults are good"));

/// The date of the signature.
static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-11-23T10:00:00Z".parse().expect("a time"));

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind {
        b'c' => signed(rest),
        b'r' => whole(rest),
        b's' => state(rest),
        _ => catalogue(&String::from_utf8_lossy(rest)),
    }
});

/// A good signature over nothing but method, path and date: the body may be anything.
fn signed(body: &[u8]) {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any key will do");
    mac.update(format!("POST\n{PATH}\n\nvidu\n{DATE}\nDate:{DATE}\n").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = [
        ("date", DATE),
        ("x-hmac-signed-headers", "Date"),
        ("x-hmac-algorithm", "hmac-sha256"),
        ("x-hmac-access-key", "vidu"),
        ("x-hmac-signature", &signature),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let reading = read(headers, body);
    if let Err(error) = &reading {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "the signature is good: {error:?}");
    }
    check(reading);
}

fn whole(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((data, &b""[..]), |end| (&data[..end], &data[end + 2..]));
    let head = String::from_utf8_lossy(head);
    let headers = head.lines().filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned()));
    let reading = read(headers.collect(), body);
    // The seeds are signed for another key, and nobody finds this one by chance.
    assert_eq!(reading.as_ref().err().map(|e| e.kind()), Some(ErrorKind::Unauthorized));
    check(reading);
}

fn read(headers: Vec<(String, String)>, body: &[u8]) -> Result<WebhookReading> {
    let request = WebhookRequest::new("POST", PATH, "", Bytes::copy_from_slice(body), *NOW);
    VIDU.read_webhook(&request.with_headers(headers))
}

fn check(reading: Result<WebhookReading>) {
    match reading {
        Ok(reading) => {
            let [report] = reading.reports.as_slice() else { panic!("{reading:?}") };
            assert!(report.outputs.is_empty() && report.usage.is_none(), "nobody signed that: {report:?}");
        }
        Err(error) => assert!(!format!("{error:?}").contains(KEY), "{error:?}"),
    }
}

fn state(body: &[u8]) {
    for route in [Route::Text2Video, Route::Reference2Image, Route::AudioTts] {
        let Ok(report) = stationthis_vidu::read_state(route, body, *NOW) else { return };
        let text = serde_json::to_string(&report).expect("reports are kept as JSON");
        assert_eq!(serde_json::from_str::<stationthis_core::task::report::RunReport>(&text).expect("and read"), report);
        assert!(report.outputs.iter().all(|output| output.url.as_deref().is_some_and(|url| !url.is_empty())));
        let amounts = report.usage.iter().flat_map(|usage| usage.amounts.values());
        assert!(amounts.into_iter().all(|amount| !amount.is_sign_negative()));
        assert!(report.raw_status.chars().count() <= 64 && (report.usage.is_none() || report.status.is_terminal()));
    }
}

/// What is taken makes tools, each with a schema that compiles.
fn catalogue(text: &str) {
    match ToolSheet::parse("fuzz.toml", text) {
        Ok(sheet) => {
            let provider = ProviderId::new("vidu").expect("an id");
            for tool in sheet.definitions(&provider).iter().flatten() {
                InputValidator::compile(&tool.input_schema).expect("it was compiled when it was read");
            }
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().is_some_and(|message| message.starts_with("fuzz.toml: ")), "{error:?}");
        }
    }
}
