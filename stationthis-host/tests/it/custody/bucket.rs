//! A storage that misbehaves.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpListener;

pub(crate) const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\na picture of it";
const FILM: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";

/// What it gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conduct {
    /// What is asked for.
    Well,
    /// A status.
    Status(u16),
    /// A page, with status 200 and the type of a picture.
    Page,
    /// So many bytes of a picture, with or without saying how many they are.
    Bytes(usize, bool),
    /// So many bytes, and then the connection breaks.
    BreaksOff(usize),
    /// So many bytes, and then nothing more.
    Stalls(usize),
}

#[derive(Clone)]
pub(crate) struct Bucket {
    base: Arc<str>,
    conduct: Arc<Mutex<Conduct>>,
    good: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

/// A picture of so many bytes.
pub(crate) fn content(bytes: usize) -> Vec<u8> {
    PICTURE.iter().copied().cycle().take(bytes).collect()
}

impl Bucket {
    pub(crate) async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).into();
        let (good, asked) = (Arc::new(AtomicUsize::new(1)), Arc::default());
        let bucket = Self { base, conduct: Arc::new(Mutex::new(Conduct::Well)), good, asked };
        let router = Router::new().route("/{name}", get(file)).with_state(bucket.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        bucket
    }

    pub(crate) fn base(&self) -> url::Url {
        self.base.parse().unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn set(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap() = conduct;
    }

    /// Other signatures are refused from now on.
    pub(crate) fn good_signature(&self, good: usize) {
        self.good.store(good, Ordering::SeqCst);
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn file(
    State(bucket): State<Bucket>,
    Path(name): Path<String>,
    Query(query): Query<Vec<(String, usize)>>,
) -> Response {
    bucket.asked.fetch_add(1, Ordering::SeqCst);
    if query[0].1 != bucket.good.load(Ordering::SeqCst) {
        return (StatusCode::FORBIDDEN, "AccessDenied").into_response();
    }
    let conduct = *bucket.conduct.lock().unwrap();
    let png = [(header::CONTENT_TYPE, "image/png")];
    match conduct {
        Conduct::Well if name.ends_with("mp4") => (png, FILM).into_response(),
        Conduct::Well => (png, PICTURE).into_response(),
        Conduct::Status(status) => {
            (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, "http://169.254.169.254/")], "no")
                .into_response()
        }
        Conduct::Page => (png, "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>").into_response(),
        Conduct::Bytes(bytes, true) => (png, content(bytes)).into_response(),
        Conduct::Bytes(bytes, false) => {
            (png, Body::from_stream(pieces(bytes).map(Ok::<_, Infallible>))).into_response()
        }
        Conduct::BreaksOff(bytes) => {
            let broken = stream::once(async { Err(std::io::Error::other("broken")) });
            (png, Body::from_stream(pieces(bytes).map(Ok).chain(broken))).into_response()
        }
        Conduct::Stalls(bytes) => {
            let pieces = pieces(bytes).map(Ok::<_, Infallible>).chain(stream::pending());
            (png, Body::from_stream(pieces)).into_response()
        }
    }
}

fn pieces(bytes: usize) -> impl futures_util::Stream<Item = Bytes> + Send {
    let content = Bytes::from(content(bytes));
    let starts: Vec<usize> = (0..bytes).step_by(64 * 1024).collect();
    stream::iter(starts).map(move |start| content.slice(start..content.len().min(start + 64 * 1024)))
}
