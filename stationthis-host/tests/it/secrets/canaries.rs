//! The secrets of a host, as texts that occur nowhere else.

use std::path::Path;

use serde_json::Value;
use stationthis_core::notify::SigningKeys;
use stationthis_core::webhook::{CALLBACK_GRACE, CallbackKeys};
use stationthis_core::{CallerId, ProviderId, Secret, Timestamp};

pub const OPERATOR_KEY: &str = "canary-operator-5a1c77";
pub const SERVICE_KEY: &str = "canary-service-b83e02";

/// Nobody's key, but nearly the operator's: what somebody mistyped is a secret too.
pub const MISTYPED_KEY: &str = "canary-operator-5a1c78";

const CALLBACK_KEY: &str = "canary-callback-0f6d91-0f6d91-0f6d91-0f6d91";
const OLDER_CALLBACK_KEY: &str = "canary-callback-44ab20-44ab20-44ab20-44ab20";

/// Base64 of 30 bytes.
const SIGNING_KEY: &str = "whsec_Y2FuYXJ5LXNpZ25pbmctNzdlMGM0LTc3ZTBjNC1h";

pub struct Canaries(Vec<(String, String)>);

impl Canaries {
    pub fn new() -> Self {
        let mut all = Self(Vec::new());
        all.add("the operator's key", OPERATOR_KEY);
        all.add("the service's key", SERVICE_KEY);
        all.add("a mistyped key", MISTYPED_KEY);
        all.add("the callback key", CALLBACK_KEY);
        all.add("the older callback key", OLDER_CALLBACK_KEY);
        all.add("the signing key", SIGNING_KEY.trim_start_matches("whsec_"));
        let callers: Vec<_> = ["local", "ada"].map(|name| CallerId::new(name).unwrap()).into();
        for caller in callers {
            let keys = all.signing_keys().for_caller(&caller).unwrap();
            let secrets: Vec<_> = keys.secrets(Timestamp::now()).map(|key| key.expose().to_owned()).collect();
            for secret in secrets {
                all.add(&format!("the webhook secret of {caller}"), secret.trim_start_matches("whsec_"));
            }
        }
        all
    }

    pub fn add(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 16, "{name}: too short to be told from chance");
        self.0.push((name.to_owned(), text.to_owned()));
    }

    pub fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys::new("k1", Secret::new(CALLBACK_KEY)).unwrap()
    }

    pub fn signing_keys(&self) -> SigningKeys {
        SigningKeys::new(Secret::new(SIGNING_KEY)).unwrap()
    }

    /// As a host keeps them.
    pub fn write_key_files(&self, folder: &Path) {
        std::fs::write(folder.join("callback-keys"), format!("k1 {CALLBACK_KEY}\nk0 {OLDER_CALLBACK_KEY}\n")).unwrap();
        std::fs::write(folder.join("webhook-keys"), format!("w1 {SIGNING_KEY}\n")).unwrap();
    }

    /// The tokens in the callback URLs of tasks, `t=…` each.
    pub fn add_callback_tokens(&mut self, tasks: &[Value]) -> Vec<String> {
        let provider = ProviderId::new("comfydeploy").unwrap();
        let tokens = tasks.iter().map(|task| {
            let deadline: Timestamp = task["deadlineAt"].as_str().unwrap().parse().unwrap();
            let id = task["taskId"].as_str().unwrap().parse().unwrap();
            let url = self.callback_keys().url("", &provider, id, deadline.plus(CALLBACK_GRACE)).unwrap();
            url.expose().split_once('?').unwrap().1.to_owned()
        });
        let tokens: Vec<String> = tokens.collect();
        for token in &tokens {
            self.add("a callback token", token.rsplit_once('.').unwrap().1.get(..32).unwrap());
        }
        tokens
    }

    /// Which of them are there, with what surrounds them.
    pub fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        // The standard library's search is compiled for speed in every profile; the secrets are ASCII.
        let all = String::from_utf8_lossy(bytes);
        let hits = self.0.iter().filter_map(|(name, text)| {
            let at = all.find(text)?;
            let around = &all.as_bytes()[at.saturating_sub(120)..(at + text.len() + 40).min(all.len())];
            Some(format!("{name} in {place}: …{}…", String::from_utf8_lossy(around)))
        });
        hits.collect()
    }
}
