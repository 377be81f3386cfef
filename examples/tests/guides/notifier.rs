//! The notifier of `docs/guides/notifier.md`.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use stationthis_core::notify::{Notice, Notifier, Receipt};
use stationthis_core::{Error, ErrorKind, Result, Secret};

/// How long one attempt may take. The station ends one after 30 s; whoever ends it himself can say what went wrong.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest topic that the push service takes.
const TOPIC_CHARS_MAX: usize = 64;

/// Tells people's phones, through a push service that has topics. An address is a topic.
#[derive(Debug)]
pub struct Push {
    http: reqwest::Client,
    base_url: String,
    key: Secret,
}

impl Push {
    /// An account of the push service; `base_url` has no slash at its end.
    ///
    /// # Errors
    /// `Unexpected` when there is no TLS on this machine.
    pub fn new(base_url: impl Into<String>, key: Secret) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(ATTEMPT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::new(ErrorKind::Unexpected, "configure Push").with_source(e))?;
        Ok(Self { http, base_url: base_url.into(), key })
    }
}

/// What people read.
fn sentence(notice: &Notice) -> String {
    let task = &notice.task;
    let reason = task.state.status_reason.as_ref().map(|reason| format!(": {}", reason.message));
    let cost = task.state.cost_usd.map(|cost| format!(" It cost {cost} USD."));
    format!(
        "{} ended as {}{}.{}",
        task.tool_name,
        task.state.status,
        reason.as_deref().unwrap_or_default().trim_end_matches('.'),
        cost.unwrap_or_default()
    )
}

#[async_trait::async_trait]
impl Notifier for Push {
    fn channel(&self) -> &str {
        "push"
    }

    fn check(&self, address: &str) -> Result<()> {
        let word = address.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if word && (1..=TOPIC_CHARS_MAX).contains(&address.len()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check topic")
            .with_message(format!("A topic is 1 to {TOPIC_CHARS_MAX} letters, digits and hyphens.")))
    }

    fn destination(&self, _: &str) -> String {
        // One service stands behind all topics: when it does not answer, it is spared for all of them.
        self.base_url.clone()
    }

    async fn deliver(&self, notice: &Notice) -> Receipt {
        if let Err(error) = self.check(&notice.target.address) {
            return Receipt::Permanent { reason: error.message().unwrap_or_default().to_owned() };
        }
        let post = self
            .http
            .post(format!("{}/{}", self.base_url, notice.target.address))
            .bearer_auth(self.key.expose())
            // The same on each attempt, so that the service can drop a repeat.
            .header("idempotency-key", notice.id.to_string())
            .body(sentence(notice));
        let answer = match post.send().await {
            Ok(answer) => answer,
            Err(error) => return Receipt::Retry { after: None, reason: error.without_url().to_string() },
        };
        let status = answer.status();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let reason = format!("The push service answered {status}.");
        match status.as_u16() {
            200..=299 => Receipt::Delivered,
            404 | 410 => Receipt::NoRecipient,
            408 | 429 | 500..=599 => Receipt::Retry { after: after.map(Duration::from_secs), reason },
            _ => Receipt::Permanent { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;
    use stationthis_core::NoticeId;
    use stationthis_core::testkit::{NotifierFixture, ReceiverConduct};

    use super::*;

    /// How the service behaves, and the ids that it heard.
    type Service = Arc<Mutex<(ReceiverConduct, Vec<NoticeId>)>>;

    async fn push(State(service): State<Service>, headers: HeaderMap) -> StatusCode {
        let conduct = service.lock().unwrap().0;
        match conduct {
            ReceiverConduct::Busy => StatusCode::SERVICE_UNAVAILABLE,
            ReceiverConduct::Gone => StatusCode::GONE,
            ReceiverConduct::Silent => std::future::pending().await,
            ReceiverConduct::Good => {
                let id = headers["idempotency-key"].to_str().unwrap().parse().unwrap();
                service.lock().unwrap().1.push(id);
                StatusCode::OK
            }
        }
    }

    struct Fixture {
        notifier: Push,
        service: Service,
    }

    async fn fresh() -> Fixture {
        let service = Service::new(Mutex::new((ReceiverConduct::Good, Vec::new())));
        let routes = Router::new().route("/{topic}", post(push)).with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Fixture { notifier: Push::new(base_url, Secret::new("canary-key")).unwrap(), service }
    }

    impl NotifierFixture for Fixture {
        fn notifier(&self) -> &dyn Notifier {
            &self.notifier
        }

        fn address(&self) -> String {
            "foxes".to_owned()
        }

        fn bad_addresses(&self) -> Vec<String> {
            vec![String::new(), "../admin".to_owned(), "x".repeat(65)]
        }

        fn heard(&self) -> Option<Vec<NoticeId>> {
            Some(self.service.lock().unwrap().1.clone())
        }

        fn set(&self, conduct: ReceiverConduct) -> bool {
            self.service.lock().unwrap().0 = conduct;
            true
        }

        fn secrets(&self) -> Vec<String> {
            vec!["canary-key".to_owned()]
        }
    }

    stationthis_core::notifier_suite!(fresh);
}
