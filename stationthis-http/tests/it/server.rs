//! A server of one connection: it reads a request whole, and then does what it was told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The body of every request.
pub(crate) const SENT: &str = "a red fox";

/// What becomes of the connection once the request is there.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// These bytes, and its end.
    Close(&'static str),
    /// Nothing, for ever.
    Hang,
}

/// Its URL, and the request as it came.
pub(crate) async fn serve(then: Then) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/runs", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        match then {
            Then::Close(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            // Until the client goes.
            Then::Hang => drop(stream.read(&mut [0; 1]).await),
        }
        request
    });
    (url, served)
}

/// A port of the loopback where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/runs?key=canary", listener.local_addr().unwrap())
}

async fn request(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    while !all.ends_with(SENT.as_bytes()) {
        let read = stream.read_buf(&mut all).await.unwrap();
        assert_ne!(read, 0, "the request broke off: {}", String::from_utf8_lossy(&all));
    }
    String::from_utf8(all).unwrap()
}
