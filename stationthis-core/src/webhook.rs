//! Webhooks from providers: the request as data, and the keys that make callback URLs unforgeable.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, ErrorKind, Result};
use crate::id::{ProviderId, TaskId};
use crate::secret::Secret;
use crate::time::Timestamp;

/// The path under which webhooks arrive, before `{providerId}/{taskId}`.
pub const WEBHOOK_PATH: &str = "/api/webhook/";

/// A webhook as it came in, whatever the HTTP library.
#[derive(Clone)]
#[non_exhaustive]
pub struct WebhookRequest {
    /// `POST`, `GET`, … in capitals.
    pub method: String,
    /// The public path, without the query.
    pub path: String,
    /// The query, without its `?`. Holds the token: never log it.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The raw bytes.
    pub body: Bytes,
    /// When it arrived.
    pub received_at: Timestamp,
}

impl WebhookRequest {
    /// A request.
    pub fn new(
        method: impl Into<String>,
        path: impl Into<String>,
        query: impl Into<String>,
        body: Bytes,
        received_at: Timestamp,
    ) -> Self {
        Self { method: method.into(), path: path.into(), query: query.into(), headers: Vec::new(), body, received_at }
    }

    /// With headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers = headers;
        self
    }

    /// The provider that the path names, and the task when it names one too; `None` for any other path.
    #[must_use]
    pub fn target(&self) -> Option<(ProviderId, Option<TaskId>)> {
        let at = self.path.find(WEBHOOK_PATH)?;
        let rest = self.path.get(at + WEBHOOK_PATH.len()..)?.trim_end_matches('/');
        match rest.split_once('/') {
            Some((provider, task)) => Some((provider.parse().ok()?, Some(task.parse().ok()?))),
            None => Some((rest.parse().ok()?, None)),
        }
    }

    /// The query without our own token, which is kept nowhere.
    #[must_use]
    pub fn query_without_token(&self) -> String {
        self.query.split('&').filter(|pair| !pair.starts_with("t=")).collect::<Vec<_>>().join("&")
    }

    fn token(&self) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix("t="))
    }
}

impl std::fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("bytes", &self.body.len())
            .field("received_at", &self.received_at)
            .finish_non_exhaustive()
    }
}

/// The keys that callback URLs are made and checked with.
///
/// A URL carries `t={keyId}.{expiry}.{mac}`, where the MAC is HMAC-SHA256 over provider, task and expiry: a token for
/// one task opens no other, and ends by itself. Several keys may be alive, so that they can be rotated; the first one
/// signs. Keep them across restarts, or callbacks of running tasks are refused (polling then still finds their end).
///
/// A token may come more than once: a repeated webhook is deduplicated by what it says, so a replay does nothing.
#[derive(Clone)]
pub struct CallbackKeys(Vec<CallbackKey>);

#[derive(Clone)]
struct CallbackKey {
    id: String,
    key: Secret,
    /// When it stops being accepted; `None`: it does not.
    until: Option<Timestamp>,
}

/// Key ids stand in every URL.
const KEY_ID_CHARS_MAX: usize = 16;

/// Shorter keys than the hash's output weaken the MAC.
const KEY_BYTES_MIN: usize = 32;

impl CallbackKeys {
    /// One key.
    ///
    /// # Errors
    /// `InvalidInput` for a key of fewer than 32 bytes or a key id that is not 1 to 16 letters and digits.
    pub fn new(key_id: impl Into<String>, key: Secret) -> Result<Self> {
        Self(Vec::new()).with_older(key_id, key, None)
    }

    /// With one more key that no longer signs and is accepted until `until`.
    ///
    /// # Errors
    /// As [`CallbackKeys::new`].
    pub fn with_older(mut self, key_id: impl Into<String>, key: Secret, until: Option<Timestamp>) -> Result<Self> {
        let key_id = key_id.into();
        let refused = |reason: &str| Error::new(ErrorKind::InvalidInput, "take callback key").with_message(reason);
        if key.expose().len() < KEY_BYTES_MIN {
            return Err(refused("A callback key needs at least 32 bytes."));
        }
        if key_id.is_empty() || key_id.len() > KEY_ID_CHARS_MAX || !key_id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(refused("A key id is 1 to 16 letters and digits."));
        }
        self.0.push(CallbackKey { id: key_id, key, until });
        Ok(self)
    }

    /// A new random key, for tests and for the first start of a host.
    ///
    /// # Errors
    /// None in practice: a fresh key has the right size.
    pub fn generate() -> Result<(Self, Secret)> {
        let key = Secret::new(format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple()));
        Ok((Self::new("k1", key.clone())?, key))
    }

    /// The callback URL of a task under a public base URL, good until `expires_at`.
    #[must_use]
    pub fn url(&self, base: &str, provider: &ProviderId, task: TaskId, expires_at: Timestamp) -> Option<Secret> {
        let CallbackKey { id: key_id, key, .. } = self.0.first()?;
        let expiry_s = expires_at.as_micros() / 1_000_000;
        let mac = crate::hex(&mac_of(key, provider, task, expiry_s)?.finalize().into_bytes());
        let url = plain_url(base, provider, task);
        Some(Secret::new(format!("{}?t={key_id}.{expiry_s}.{mac}", url.expose())))
    }

    /// Checks the token of a request for the provider and task that its path names; gives the id of the key.
    ///
    /// Constant-time in the MAC.
    ///
    /// # Errors
    /// `Unauthorized` when the token is missing, malformed, made for another task or with an unknown key, or
    /// when it or its key has ended.
    pub fn verify(&self, request: &WebhookRequest) -> Result<String> {
        let refused =
            |reason: &'static str| Error::new(ErrorKind::Unauthorized, "check callback token").with_message(reason);
        let (provider, task) = request.target().ok_or_else(|| refused("The path names no provider."))?;
        let task = task.ok_or_else(|| refused("The path names no task."))?;
        let token = request.token().ok_or_else(|| refused("The callback token is missing."))?;
        let mut parts = token.splitn(3, '.');
        let (Some(key_id), Some(expiry), Some(mac)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(refused("The callback token is malformed."));
        };
        let expiry_s: i64 = expiry.parse().map_err(|_| refused("The callback token is malformed."))?;
        if expiry_s.to_string() != expiry {
            return Err(refused("The callback token is malformed."));
        }
        let mac = crate::unhex(mac).ok_or_else(|| refused("The callback token is malformed."))?;
        let known = self.0.iter().find(|key| key.id == key_id);
        let known = known.ok_or_else(|| refused("The callback token was made with an unknown key."))?;
        let expected =
            mac_of(&known.key, &provider, task, expiry_s).ok_or_else(|| refused("The key cannot be used."))?;
        expected.verify_slice(&mac).map_err(|_| refused("The callback token is wrong."))?;
        if request.received_at > Timestamp::from_micros(expiry_s.saturating_mul(1_000_000)) {
            return Err(refused("The callback token has expired."));
        }
        if known.until.is_some_and(|until| request.received_at >= until) {
            return Err(refused("The key of the callback token has ended."));
        }
        Ok(key_id.to_owned())
    }
}

/// The callback URL of a task under a public base URL, without a token: for services that sign what they send.
pub(crate) fn plain_url(base: &str, provider: &ProviderId, task: TaskId) -> Secret {
    Secret::new(format!("{}{WEBHOOK_PATH}{provider}/{task}", base.trim_end_matches('/')))
}

/// The text with every callback token in it cut out, wherever it stands: services echo our URLs.
#[must_use]
pub fn without_tokens(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("t=") {
        let (before, after) = rest.split_at(at + 2);
        clean.push_str(before);
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        let mut parts = word.splitn(3, '.');
        let token = parts.next().is_some_and(|id| (1..=KEY_ID_CHARS_MAX).contains(&id.len()))
            && parts.next().is_some_and(|expiry| expiry.parse::<i64>().is_ok())
            && parts.next().is_some_and(|mac| mac.len() >= KEY_BYTES_MIN);
        clean.push_str(if token { "[cut]" } else { word });
        rest = after;
    }
    clean.push_str(rest);
    clean
}

/// How long a callback URL outlives its task's deadline: a straggler is then still known as such.
pub const CALLBACK_GRACE: Duration = Duration::from_secs(3600);

impl std::fmt::Debug for CallbackKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| &key.id)).finish()
    }
}

fn mac_of(key: &Secret, provider: &ProviderId, task: TaskId, expiry_s: i64) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).ok()?;
    mac.update(format!("callback.v1\n{provider}\n{task}\n{expiry_s}").as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> ProviderId {
        ProviderId::new("comfydeploy").unwrap()
    }

    fn request(url: &str, at: Timestamp) -> WebhookRequest {
        let path_and_query = url.strip_prefix("https://host.example/base").unwrap();
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        WebhookRequest::new("POST", path, query, Bytes::new(), at)
    }

    #[test]
    fn a_token_opens_its_own_task_until_it_expires() {
        let (keys, _) = CallbackKeys::generate().unwrap();
        let (task, other, now) = (TaskId::generate(), TaskId::generate(), Timestamp::from_micros(1_000_000_000));
        let url = keys.url("https://host.example/base/", &provider(), task, now.plus(Duration::from_secs(60))).unwrap();
        let check = |url: &str, at| keys.verify(&request(url, at)).map_err(|e| e.message().unwrap().to_owned());
        assert_eq!(check(url.expose(), now).unwrap(), "k1");
        assert!(check(url.expose(), now.plus(Duration::from_secs(62))).unwrap_err().contains("expired"));
        let stolen = url.expose().replace(&task.to_string(), &other.to_string());
        assert!(check(&stolen, now).unwrap_err().contains("wrong"));
        let longer = url.expose().replace(".1060.", ".9060.");
        assert_ne!(longer, url.expose());
        assert!(check(&longer, now).unwrap_err().contains("wrong"));
        let bare = url.expose().split_once('?').unwrap().0.to_owned();
        assert!(check(&bare, now).unwrap_err().contains("missing"));
        assert!(check(&format!("{bare}?t=k1.5"), now).unwrap_err().contains("malformed"));
        assert!(check(&url.expose().replace("t=k1.", "t=k9."), now).unwrap_err().contains("unknown key"));
    }

    #[test]
    fn tokens_are_cut_out_of_any_text() {
        let (keys, _) = CallbackKeys::generate().unwrap();
        let url = keys.url("https://h.example", &provider(), TaskId::generate(), Timestamp::from_micros(0)).unwrap();
        let token = url.expose().split_once("t=").unwrap().1;
        let text = format!(r#"{{"webhook":"{0}&x=1","at=":"a=t=b","b":"?a=1\u0026t={token}"}}"#, url.expose());
        let clean = without_tokens(&text);
        assert!(!clean.contains(token), "{clean}");
        assert_eq!(clean.matches("t=[cut]").count(), 2, "{clean}");
        assert!(clean.contains(r#"&x=1","at=":"a=t=b""#), "the rest stays: {clean}");
    }

    #[test]
    fn keys_rotate() {
        let (old, old_key) = CallbackKeys::generate().unwrap();
        let now = Timestamp::from_micros(0);
        let url =
            old.url("https://host.example/base", &provider(), TaskId::generate(), now.plus(CALLBACK_GRACE)).unwrap();
        let new = CallbackKeys::new("k2", Secret::new("n".repeat(32))).unwrap();
        assert!(new.verify(&request(url.expose(), now)).is_err());
        let both = new.with_older("k1", old_key, None).unwrap();
        assert_eq!(both.verify(&request(url.expose(), now)).unwrap(), "k1");
        assert!(CallbackKeys::new("k3", Secret::new("short")).is_err());
    }

    #[test]
    fn a_request_says_whom_it_is_for_and_keeps_the_rest_of_its_query() {
        let with =
            |path: &str, query: &str| WebhookRequest::new("POST", path, query, Bytes::new(), Timestamp::from_micros(0));
        let task = TaskId::generate();
        for (path, target) in [
            (format!("/base/api/webhook/comfydeploy/{task}/"), Some((provider(), Some(task)))),
            ("/api/webhook/comfydeploy".to_owned(), Some((provider(), None))),
            ("/api/webhook/comfydeploy/x".to_owned(), None),
            ("/api/webhook/".to_owned(), None),
            (format!("/api/hook/comfydeploy/{task}"), None),
        ] {
            assert_eq!(with(&path, "").target(), target, "{path}");
        }
        for (query, rest) in [("a=1&t=k1.2.ab&b=t=3", "a=1&b=t=3"), ("t=x", ""), ("", ""), ("at=1", "at=1")] {
            assert_eq!(with("/", query).query_without_token(), rest, "{query}");
        }
    }

    #[test]
    fn only_what_is_a_token_is_cut_out() {
        let mac = "ab".repeat(32);
        let token = format!("?t=k1.17.{mac}&x=1");
        assert_eq!(without_tokens(&token), "?t=[cut]&x=1");
        for kept in [
            format!("?t=.17.{mac}"),
            format!("?t=0123456789abcdefg.17.{mac}"),
            format!("?t=k1.soon.{mac}"),
            format!("?t=k1.17.{}", &mac[..31]),
            "at=k1 t= t".to_owned(),
        ] {
            assert_eq!(without_tokens(&kept), kept);
        }
    }

    #[test]
    fn key_ids_and_keys_have_bounds() {
        let taken = |id: &str, bytes: usize| CallbackKeys::new(id, Secret::new("n".repeat(bytes))).is_ok();
        assert!(taken("k", 32) && taken("0123456789abcdeF", 33));
        for id in ["", "0123456789abcdefg", "k.1", "k-1", "\u{e9}"] {
            assert!(!taken(id, 32), "{id:?}");
        }
        assert!(!taken("k", 31) && !taken("k", 0));
    }

    #[test]
    fn a_token_is_good_at_its_last_moment_and_not_after() {
        let (keys, _) = CallbackKeys::generate().unwrap();
        let end = Timestamp::from_micros(1_060_000_000);
        let url = keys.url("https://host.example/base", &provider(), TaskId::generate(), end).unwrap();
        assert!(keys.verify(&request(url.expose(), end)).is_ok());
        assert!(keys.verify(&request(url.expose(), end.plus(Duration::from_micros(1)))).is_err());
        // A key that ends takes its tokens with it.
        let until = Timestamp::from_micros(1_050_000_000);
        let (_, old) = CallbackKeys::generate().unwrap();
        let url = CallbackKeys::new("old", old.clone()).unwrap();
        let url = url.url("https://host.example/base", &provider(), TaskId::generate(), end).unwrap();
        let both = CallbackKeys::generate().unwrap().0.with_older("old", old, Some(until)).unwrap();
        assert!(both.verify(&request(url.expose(), until.minus(Duration::from_micros(1)))).is_ok());
        assert!(both.verify(&request(url.expose(), until)).is_err());
    }

    #[test]
    fn neither_keys_nor_requests_print_their_secrets() {
        let (keys, key) = CallbackKeys::generate().unwrap();
        let url =
            keys.url("https://host.example/base", &provider(), TaskId::generate(), Timestamp::from_micros(0)).unwrap();
        let shown = format!("{keys:?} {url:?} {:?}", request(url.expose(), Timestamp::from_micros(0)));
        assert!(!shown.contains(key.expose()) && !shown.contains("t=k1"), "{shown}");
        assert!(shown.contains("[\"k1\"]") && shown.contains("/api/webhook/comfydeploy/"), "{shown}");
    }
}
