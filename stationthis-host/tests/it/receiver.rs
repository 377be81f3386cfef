//! A server that remembers what it got, in a runtime of its own: it outlives the hosts that call it.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// Long enough on any machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Call {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Clone)]
pub enum Manner {
    Hang,
    Answer(StatusCode),
    With(StatusCode, HeaderName, String),
}

pub struct Receiver {
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    calls: Mutex<mpsc::Receiver<Call>>,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    /// On some free port of `ip`, or on this one.
    pub fn on(ip: &str, port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let ip: IpAddr = ip.parse().unwrap();
        let listener = runtime.block_on(TcpListener::bind((ip, port))).unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(Mutex::new(Manner::Answer(StatusCode::NO_CONTENT)));
        let (told, calls) = mpsc::channel();
        let router = Router::new().fallback({
            let manner = manner.clone();
            async move |uri: Uri, headers: HeaderMap, body: Bytes| {
                let manner = manner.lock().unwrap().clone();
                told.send(Call { path: uri.path().to_owned(), headers, body }).unwrap();
                answer(manner).await
            }
        });
        runtime.spawn(async { axum::serve(listener, router).await });
        Self { address, manner, calls: Mutex::new(calls), _runtime: runtime }
    }

    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The next call; waits for it.
    pub fn call(&self) -> Call {
        self.calls.lock().unwrap().recv_timeout(PATIENCE).expect("a call")
    }

    /// Was it called since the last look?
    pub fn was_called(&self) -> bool {
        self.calls.lock().unwrap().try_recv().is_ok()
    }
}

async fn answer(manner: Manner) -> Response {
    // Each call resolves the name again.
    let close = [(header::CONNECTION, "close")];
    match manner {
        Manner::Hang => std::future::pending().await,
        Manner::Answer(status) => (status, close).into_response(),
        Manner::With(status, name, value) => (status, close, [(name, value)]).into_response(),
    }
}
