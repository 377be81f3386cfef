//! The host's configuration from a file and the environment, and an operator's prices.
//!
//! The input is a file; a part before a line `---`, if there is one, is lines of `VARIABLE=value`.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stationthis_core::cost::RateCard;
use stationthis_core::{ErrorKind, Usd};
use stationthis_host::config::{Config, Flags};

/// The value of a secret in the seeds.
const CANARY: &str = "canary-0123456789abcdef";

/// Written for each input: the only way in for a file.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("stationthis-fuzz-{}.toml", std::process::id())));

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let (env, file) = text.split_once("\n---\n").unwrap_or(("", &text));
    check_config(env, file);
    check_rates(file);
});

fn check_config(env: &str, file: &str) {
    std::fs::write(&*FILE, file).expect("the folder of temporary files can be written");
    let mut flags = Flags::default();
    flags.config = Some(FILE.clone());
    let variable = |name: &str| {
        env.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| *key == name).map(|(_, v)| v.to_owned())
    };
    let shown = match Config::load(&flags, &variable) {
        Ok(config) => {
            let safe = config.check_exposure().is_ok();
            assert_eq!(safe, config.listen.ip().is_loopback() || config.api_key.is_some());
            let urls = [config.public_url.as_deref(), Some(config.comfydeploy.api_url.as_str())];
            let is_http = |url: &str| url.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"));
            assert!(urls.into_iter().flatten().all(|url| is_http(url) && !url.ends_with('/')), "{urls:?}");
            let keys = [&config.api_key, &config.comfydeploy.api_key];
            assert!(keys.into_iter().flatten().all(|key| !key.expose().is_empty()));
            format!("{config:?}")
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::TooLarge), "{error:?}");
            format!("{error} {error:?}")
        }
    };
    // Where the canary stands for a key and nothing else, nothing shows it.
    let all = format!("{env}\n{file}");
    let is_variable = |line: &str| {
        line.split_once('=').is_some_and(|(name, value)| name.ends_with("API_KEY") && value.starts_with(CANARY))
    };
    let is_entry = |line: &str| line.strip_prefix("api_key = \"").is_some_and(|value| value.starts_with(CANARY));
    // A line of a text over several lines is no entry.
    let has_long_text = ["\"\"\"", "'''"].iter().any(|quote| file.contains(quote));
    let is_key = env.lines().any(is_variable) || (!has_long_text && file.lines().any(is_entry));
    assert!(!is_key || all.matches(CANARY).count() > 1 || !shown.contains(CANARY), "{shown}");
}

fn check_rates(file: &str) {
    let Ok(card) = RateCard::from_toml(file) else { return };
    let kept = serde_json::to_string(&card).expect("cards are kept as JSON");
    let again: RateCard = serde_json::from_str(&kept).expect("and read again");
    assert_eq!((again.hash(), &again), (card.hash(), &card));
    assert_eq!(RateCard::new("base").overlaid(&card).rates.len(), card.rates.len());
    for (key, rate) in &card.rates {
        assert_eq!(key.to_string().parse().ok().as_ref(), Some(key));
        assert_eq!(rate.amount.to_string().parse().ok(), Some(rate.amount), "a price is its own text");
        assert!(!rate.amount.as_decimal().is_sign_negative() || rate.amount.as_decimal().is_zero());
        assert!(card.find([key], rate.unit).is_some());
        if let Some(cost) = Usd::of(1.into(), rate.amount) {
            assert!(cost >= Usd::ZERO && cost.to_string().parse().ok() == Some(cost));
        }
    }
}
