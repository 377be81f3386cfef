//! The contract of a notifier, over a receiver on loopback.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use stationthis_core::notify::signing::ID_HEADER;
use stationthis_core::notify::{Notifier, SigningKeys};
use stationthis_core::testkit::{NotifierFixture, ReceiverConduct};
use stationthis_core::{NoticeId, Secret, SystemClock};

use super::WebhookNotifier;
use crate::outgoing::client::GuardedClient;
use crate::outgoing::guard::Guard;

#[derive(Debug)]
struct Book {
    conduct: ReceiverConduct,
    heard: Vec<NoticeId>,
}

type Shared = Arc<Mutex<Book>>;

struct Receiver {
    notifier: WebhookNotifier,
    secret: Secret,
    url: String,
    book: Shared,
}

async fn take(State(book): State<Shared>, headers: HeaderMap) -> StatusCode {
    let conduct = book.lock().unwrap().conduct;
    match conduct {
        ReceiverConduct::Good => {
            let id = headers[ID_HEADER].to_str().unwrap().parse().unwrap();
            book.lock().unwrap().heard.push(id);
            StatusCode::NO_CONTENT
        }
        ReceiverConduct::Busy => StatusCode::SERVICE_UNAVAILABLE,
        ReceiverConduct::Silent => std::future::pending().await,
        ReceiverConduct::Gone => StatusCode::GONE,
    }
}

async fn fresh() -> Receiver {
    let book: Shared = Arc::new(Mutex::new(Book { conduct: ReceiverConduct::Good, heard: Vec::new() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let app = Router::new().fallback(take).with_state(book.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let secret = SigningKeys::generate();
    let client = GuardedClient::new(Guard::new(vec!["127.0.0.0/8".parse().unwrap()])).unwrap();
    let notifier = WebhookNotifier::new(client, SigningKeys::new(secret.clone()).unwrap(), Arc::new(SystemClock));
    Receiver { notifier, secret, url, book }
}

impl NotifierFixture for Receiver {
    fn notifier(&self) -> &dyn Notifier {
        &self.notifier
    }

    fn address(&self) -> String {
        self.url.clone()
    }

    fn bad_addresses(&self) -> Vec<String> {
        ["", "nowhere", "ftp://example.com/", "http://10.0.0.1/", "http://[fd00::1]/", "http://user:pw@example.com/"]
            .map(str::to_owned)
            .to_vec()
    }

    fn heard(&self) -> Option<Vec<NoticeId>> {
        Some(self.book.lock().unwrap().heard.clone())
    }

    fn set(&self, conduct: ReceiverConduct) -> bool {
        self.book.lock().unwrap().conduct = conduct;
        true
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose().to_owned()]
    }
}

stationthis_core::notifier_suite!(fresh);
