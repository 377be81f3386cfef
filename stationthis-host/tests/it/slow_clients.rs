//! Clients that hold what they are given: real sockets, a clock that runs ahead while everybody waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use stationthis_comfydeploy::ComfyDeploy;
use stationthis_core::station::Station;
use stationthis_core::{CallerId, Secret, Timestamp};
use stationthis_host::files::{FileLimits, Files};
use stationthis_host::http::server::{self, ServerLimits};
use stationthis_host::http::{self, HttpConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Larger than what a system buffers of an answer that nobody reads.
const LARGE_BYTES: usize = 64 * 1024 * 1024;

const SECOND: Duration = Duration::from_secs(1);

/// A server that has not closed by then never will.
const NEVER: Duration = Duration::from_secs(3600);

/// The routes of a station at rest, below `/ai` too, and one with a large answer.
async fn serve(limits: ServerLimits) -> SocketAddr {
    serve_with(limits, None).await
}

async fn serve_with(limits: ServerLimits, files: Option<Files>) -> SocketAddr {
    let provider = ComfyDeploy::builder(Secret::new("unused")).base_url("http://127.0.0.1:9").build().unwrap();
    let station = Station::builder().provider(Arc::new(provider)).build().unwrap();
    let config = HttpConfig::new(CallerId::new("local").unwrap()).with_server_limits(limits);
    let config = files.into_iter().fold(config, HttpConfig::with_files);
    let router = http::router(station, &config);
    let large = get(|| async { vec![b'x'; LARGE_BYTES] });
    let router = Router::new().route("/large", large).nest("/ai", router.clone()).merge(router);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, router, limits, CancellationToken::new(), SECOND));
    address
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(text.as_bytes()).await.unwrap();
    client
}

/// Sends `piece` every `pause` until the server has closed; what it said, and how long that took.
async fn dribble(mut client: TcpStream, piece: &[u8], pause: Duration) -> (String, Duration) {
    let began = Instant::now();
    let (mut reader, mut writer) = client.split();
    let send = async {
        while writer.write_all(piece).await.is_ok() {
            sleep(pause).await;
        }
        std::future::pending::<()>().await;
    };
    let mut answer = Vec::new();
    tokio::select! {
        // An aborted connection is an end too, with what was read before.
        _ = reader.read_to_end(&mut answer) => {}
        () = send => {}
        () = sleep(NEVER) => {}
    }
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

async fn health(address: SocketAddr) -> String {
    let mut client = connect(address, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    let mut answer = String::new();
    tokio::time::timeout(NEVER, client.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    answer
}

fn upload(length: &str) -> String {
    format!("PUT /api/internal/notify HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n")
}

/// What a client does, how long the server lets it, and how its answer begins.
struct Case {
    name: &'static str,
    text: String,
    piece: &'static [u8],
    pause: Duration,
    /// In seconds.
    at_most: u64,
    answer: &'static str,
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_slow_on_purpose_is_cut_off() {
    let head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ";
    let minute = 60 * SECOND;
    let cases = [
        Case { name: "nothing at all", text: String::new(), piece: b"", pause: minute, at_most: 11, answer: "" },
        Case { name: "half a head", text: head.to_owned(), piece: b"", pause: minute, at_most: 11, answer: "" },
        Case { name: "a dribbled head", text: head.to_owned(), piece: b"a", pause: SECOND, at_most: 11, answer: "" },
        Case {
            name: "no second request",
            text: "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
            piece: b"",
            pause: minute,
            at_most: 11,
            answer: "HTTP/1.1 200",
        },
        Case {
            name: "no body",
            text: upload("content-length: 100"),
            piece: b"",
            pause: minute,
            at_most: 26,
            answer: "HTTP/1.1 400",
        },
        Case {
            name: "a dribbled body",
            text: upload("content-length: 100000"),
            piece: b"a",
            pause: 10 * SECOND,
            at_most: 101,
            answer: "HTTP/1.1 504",
        },
        Case {
            name: "a body without an end",
            text: upload("transfer-encoding: chunked"),
            piece: b"1\r\na\r\n",
            pause: 10 * SECOND,
            at_most: 101,
            answer: "HTTP/1.1 504",
        },
    ];
    let large = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-large: {}", "a".repeat(33 * 1024));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x-many: a\r\n".repeat(101));
    let heads = [("a large head", large), ("many headers", many)].map(|(name, text)| Case {
        name,
        text,
        piece: b"",
        pause: minute,
        at_most: 0,
        answer: "HTTP/1.1 431",
    });
    let address = serve(ServerLimits::default()).await;
    for case in cases.into_iter().chain(heads) {
        let client = connect(address, &case.text).await;
        let (answer, took) = dribble(client, case.piece, case.pause).await;
        assert!(answer.starts_with(case.answer), "{}: {answer:?}", case.name);
        // On the clock that runs ahead, not the wall's.
        assert!(took <= Duration::from_secs(case.at_most), "{}: {took:?}", case.name);
    }
    assert!(health(address).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_beats_until_its_key_is_to_be_checked_again() {
    let address = serve(ServerLimits::default()).await;
    let began = Instant::now();
    let ask = "GET /api/internal/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut client = connect(address, ask).await;
    let mut said = String::new();
    tokio::time::timeout(NEVER, client.read_to_string(&mut said)).await.expect("an end").unwrap();
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("event: ready"), "{said}");
    let beats = said.matches(":\n\n").count();
    assert!((59..=60).contains(&beats), "one each 15 s of 15 minutes: {beats}");
    assert!((900..=930).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

/// A file of 16 MiB may take 256 s longer than the 90 s of any request.
#[tokio::test(start_paused = true)]
async fn a_file_may_come_slowly_but_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let limits = FileLimits::new(16 << 20, 16 << 20, NEVER);
    let files = Files::open(dir.path(), limits, Timestamp::now()).unwrap();
    let address = serve_with(ServerLimits::default(), Some(files)).await;
    let head = |below: &str, length: usize| {
        format!(
            "POST {below}/api/internal/files HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=x\r\n\
             content-length: {length}\r\n\r\n"
        )
    };
    let begin =
        [b"--x\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\n".as_slice(), crate::files::PNG].concat();
    let end = b"\r\n--x--\r\n";
    for below in ["", "/ai"] {
        let began = Instant::now();
        let mut client = connect(address, &head(below, begin.len() + 30 + end.len())).await;
        client.write_all(&begin).await.unwrap();
        for _ in 0..30 {
            sleep(10 * SECOND).await;
            client.write_all(b"a").await.unwrap();
        }
        client.write_all(end).await.unwrap();
        let mut answer = [0; 12];
        tokio::time::timeout(NEVER, client.read_exact(&mut answer)).await.expect("an answer").unwrap();
        assert_eq!((&answer, began.elapsed().as_secs() >= 300), (b"HTTP/1.1 201", true), "{below}");
    }
    let mut client = connect(address, &head("", 10_000)).await;
    client.write_all(&begin).await.unwrap();
    let (answer, took) = dribble(client, b"a", 10 * SECOND).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!((346..=357).contains(&took.as_secs()), "{took:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "what broke off leaves nothing");
}

#[tokio::test(start_paused = true)]
async fn a_fast_body_without_an_end_is_too_large() {
    let address = serve(ServerLimits::default()).await;
    let mut client = connect(address, &upload("transfer-encoding: chunked")).await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let (mut reader, mut writer) = client.split();
    let send = async {
        let mut sent = 0usize;
        while writer.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len();
            assert!(sent < LARGE_BYTES, "it is read for ever");
        }
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 12];
    tokio::select! {
        read = reader.read_exact(&mut answer) => drop(read.unwrap()),
        () = send => {}
    }
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_held_are_given_to_others() {
    let mut limits = ServerLimits::default();
    limits.connections = 2;
    let address = serve(limits).await;
    let _idle = connect(address, "").await;
    let mut greedy = connect(address, "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    // It is being answered, and reads no more of it.
    greedy.read_exact(&mut [0; 12]).await.unwrap();
    let began = Instant::now();
    for _ in 0..4 {
        assert!(health(address).await.starts_with("HTTP/1.1 200"));
    }
    assert!(began.elapsed() <= 11 * SECOND, "after the idle one was closed: {:?}", began.elapsed());
    let _idle = connect(address, "").await;
    let _idle = connect(address, "").await;
    assert!(health(address).await.starts_with("HTTP/1.1 200"));
    let mut rest = Vec::new();
    let ended = greedy.read_to_end(&mut rest).await;
    assert!(ended.is_err() || rest.len() < LARGE_BYTES, "the one that reads nothing was given up");
}
